"""What the sources say of what a change brings: on this Windows, and beside what is there. Pure.

Rules of this file:
1. It is told as it was said, with its source. What decides is a rule's matter; here nothing is weighed.
2. A product of which nobody says whether it goes on the host's Windows is told as unknown, never as supported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Product
from auditor.model.support import Statement, SupportFile
from auditor.model.version import VersionRange, parse_version
from auditor.model.whatif import Change, Vouched


def vouched(facts: HostFacts, changes: Iterable[Change], supports: Sequence[SupportFile]) -> tuple[Vouched, ...]:
    """What is said of the products that the changes bring to a host, which is seen as it is afterwards."""
    changes = tuple(changes)
    here = {product.id: product for product in facts.products if not product.remnant}
    moved = any(change.kind == "os_upgrade" for change in changes)
    brought = dict.fromkeys(change.product for change in changes if change.kind in ("install", "upgrade") and change.product in here)
    files = {file.product: file.statements for file in supports}
    found: dict[Vouched, None] = {}
    for id_ in [*here] if moved else brought:
        found |= dict.fromkeys(_on_system(facts, here[id_ or ""], files.get(id_ or "", ())))
    for id_ in brought:
        found |= dict.fromkeys(_beside(facts, here[id_ or ""], here, files))
    return tuple(found)


def _on_system(facts: HostFacts, product: Product, statements: Iterable[Statement]) -> Iterator[Vouched]:
    system = facts.generation
    if system is None:
        return
    said = [s for s in statements if s.beside is None and system in s.on and _in_range(product, s.version, facts) is not False]
    if not said:
        yield Vouched(product=product.id, version=product.version, on=system, says="unknown")
    yield from (_told(product, s, system, None, facts) for s in said)


def _beside(facts: HostFacts, product: Product, here: Mapping[str, Product], files: Mapping[str, Sequence[Statement]]) -> Iterator[Vouched]:
    """Statements of either of two products about the other."""
    for other in here.values():
        for one, two in ((product, other), (other, product)):
            for s in files.get(one.id, ()):
                fits = s.beside == two.id and (not s.on or facts.generation in s.on)
                if fits and _in_range(one, s.version, facts) is not False and _in_range(two, s.beside_version, facts) is not False:
                    yield _told(one, s, None, two.id, facts)


def _told(product: Product, said: Statement, system: str | None, beside: str | None, facts: HostFacts) -> Vouched:
    open_range = said.version if _in_range(product, said.version, facts) is None else None
    return Vouched(
        product=product.id,
        version=product.version,
        on=system,
        beside=beside,
        says=said.says,
        only=open_range,
        note=said.note,
        confidence=said.confidence,
        source=said.source,
    )


def _in_range(product: Product, span: str | None, facts: HostFacts) -> bool | None:
    """Whether a product's version is in a range; None where the version is not known."""
    if span is None:
        return True
    signature = facts.signatures.get(product.id)
    version = parse_version(product.version, signature.scheme) if signature is not None else None
    return None if version is None else version in VersionRange(span)
