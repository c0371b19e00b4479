"""The selector of exclusions: what a scanner leaves alone, against what it should. Where products keep it is data, in the table.

Rules of this file:
1. What a product excludes by itself is never missing, unless a policy switched that off.
2. Exclusions that were hidden, denied or not asked for are unknown, never missing.
3. A folder covers what lies in it. Variables of Windows' own folders are compared as if written out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import partial

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.conditions.selectors_product import compile_matches, compile_product
from auditor.analysis.host.facts import HostFacts, security_key
from auditor.analysis.host.outcome import FALSE, Outcome, conjoin, disjoin, unknown
from auditor.model.finding import Evidence
from auditor.model.pattern import compile_pattern
from auditor.model.selector import ExclusionsSelector, ProductSelector
from auditor.model.table import ExclusionPlace, ExclusionRow, ExclusionsTable

_DEFENDER = "microsoft-defender"
AUTOMATIC_OFF = (
    (r"SOFTWARE\Policies\Microsoft\Windows Defender\Exclusions", "DisableAutoExclusions"),
    (r"SOFTWARE\Microsoft\Windows Defender\Exclusions", "DisableAutoExclusions"),
)
"""Registry keys and values that switch Defender's exclusions for roles off, by policy and by hand."""


class _Found:
    """The exclusions of a host: `kind text`, with what was not seen."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []
        self.evidence: dict[str, Callable[[], Evidence]] = {}
        self.missing: list[str] = []


def compile_exclusions(selector: ExclusionsSelector, setting: Setting) -> Test:
    """Whether a scanner lacks an exclusion of a role, or has one of those named."""
    if selector.product is not None:
        return _of_product(selector, selector.product, setting)
    role, active = setting.role(selector.host), compile_matches(ProductSelector(kind=selector.kind, active=True))
    made: dict[str, Test] = {}

    def one(id_: str) -> Test:
        if id_ not in made:
            runs = compile_product(ProductSelector(id=id_, active=True, host=selector.host), setting)
            own = _of_product(selector, id_, setting)
            made[id_] = lambda binding: conjoin((runs(binding), own(binding)))
        return made[id_]

    def test(binding: Binding) -> Outcome:
        matches = active(binding.hosts[role])
        ids = [*(product.id for product, _ in matches.candidates()), *matches.unsure]
        return disjoin(one(id_)(binding) for id_ in dict.fromkeys(ids))

    return test


def _of_product(selector: ExclusionsSelector, product: str, setting: Setting) -> Test:
    role, table = setting.role(selector.host), setting.lists.get(selector.table)
    places = tuple(p for p in table.places if p.product == product) if isinstance(table, ExclusionsTable) else ()
    rows = tuple(r for r in table.rows if r.role == selector.lacks) if isinstance(table, ExclusionsTable) else ()
    installed = compile_matches(ProductSelector(id=product))
    patterns = tuple(compile_pattern(normal(text)) for text in selector.has)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        matches = installed(facts)
        if matches.none and not matches.unsure:
            return FALSE
        if not matches.sure:
            return unknown(
                *(m for reasons in matches.unsure.values() for m in reasons), *(m for _, reasons in matches.open for m in reasons)
            )
        found = _read(facts, product, places)
        return _has(found, patterns) if patterns else _lacks(facts, product, rows, found)

    return test


def _read(facts: HostFacts, product: str, places: Sequence[ExclusionPlace]) -> _Found:
    found = _Found()
    if product == _DEFENDER:
        _read_defender(facts, found)
    elif not places:
        found.missing.append(f"{facts.name}: security: where {product} keeps its exclusions is not known: look in its console")
    for place in places:
        found.missing += [*facts.lost_key(place.key), *facts.unasked("key", place.key)]
        for record in facts.security.below(place.key):
            if place.value is not None and record.name.casefold() != place.value.casefold():
                continue
            text = record.name if place.held_in == "name" else record.data
            if text:
                _add(found, f"{place.kind} {text}", partial(facts.evidence, "security", security_key(record), "data", text))
    if places and (unseen := facts.unseen("security")) is not None:
        found.missing.append(unseen)
    return found


def _read_defender(facts: HostFacts, found: _Found) -> None:
    records = [record for record in facts.sections.defender.records if record.source == "defender"]
    if (unseen := facts.unseen("defender")) is not None:
        found.missing.append(unseen)
    if not records:
        found.missing.append(f"{facts.name}: defender: Defender's own words were not read, its exclusions among them")
    for record in records:
        if record.exclusions is None:
            found.missing.append(facts.why("defender", record.name, "exclusions"))
        for text in record.exclusions or ():
            _add(found, text, partial(facts.evidence, "defender", record.name, "exclusions", text))


def _add(found: _Found, text: str, evidence: Callable[[], Evidence]) -> None:
    kind, _, _ = text.partition(" ")
    found.texts.append((kind.casefold(), normal(text)))
    found.evidence[normal(text)] = evidence


@functools.lru_cache(maxsize=8192)
def normal(text: str) -> str:
    """An exclusion in one form: `kind text`, case-folded, folders of Windows as variables, no backslash or dot that says nothing."""
    kind, _, rest = text.strip().partition(" ")
    rest = rest.strip().strip('"').casefold().replace("/", "\\")
    rest = rest.lstrip("*.") if kind.casefold() == "extension" else rest
    while rest.endswith(("\\*", "\\")) and len(rest) > 3:
        rest = rest[:-2] if rest.endswith("\\*") else rest[:-1]
    for written in ("%windir%", "c:\\windows", "c:\\winnt"):
        if rest == written or rest.startswith(written + "\\"):
            rest = "%systemroot%" + rest[len(written) :]
    return f"{kind.casefold()} {rest}"


def _has(found: _Found, patterns: Sequence[Callable[[str], bool]]) -> Outcome:
    hits = [text for _, text in found.texts if any(fits(text) for fits in patterns)]
    if hits:
        return Outcome(True, tuple(found.evidence[text]() for text in dict.fromkeys(hits)))
    return unknown(*dict.fromkeys(found.missing)) if found.missing else FALSE


def _lacks(facts: HostFacts, product: str, rows: Sequence[ExclusionRow], found: _Found) -> Outcome:
    """A row that is covered by hand or by the product itself is not missing, whatever else was not seen."""
    bare: list[ExclusionRow] = []
    doubts: list[str] = []
    for row in rows:
        if _covered(row, found):
            continue
        automatic, reasons = _automatic(facts, product, row)
        doubts += reasons
        bare += [row] if automatic is False else []
    if bare and not found.missing:
        return Outcome(True, tuple(_not_excluded(facts, product, row) for row in bare))
    doubts += found.missing if bare else ()
    return unknown(*dict.fromkeys(doubts)) if doubts else FALSE


def _not_excluded(facts: HostFacts, product: str, row: ExclusionRow) -> Evidence:
    return Evidence(
        host=facts.name,
        section="defender" if product == _DEFENDER else "security",
        record=product,
        field="exclusions",
        value=f"not excluded: {row.what} ({' or '.join(row.any_of)})",
        source=row.source,
    )


def _automatic(facts: HostFacts, product: str, row: ExclusionRow) -> tuple[bool | None, tuple[str, ...]]:
    """Whether the product excludes this by itself here; None with the reason where that is not known."""
    if product not in row.automatic:
        return False, ()
    generations = row.automatic[product]
    if generations and facts.generation is None:
        return None, (facts.unseen("system") or facts.why("system", "system", "version"),)
    if generations and facts.generation not in generations:
        return False, ()
    return (not _switched_off(facts)) if product == _DEFENDER else True, ()


def _switched_off(facts: HostFacts) -> bool:
    return any(record.data == "1" for key, value in AUTOMATIC_OFF for record in facts.security.values(key, value))


def _covered(row: ExclusionRow, found: _Found) -> bool:
    return any(_covers(text, wanted) for wanted in map(normal, row.any_of) for _, text in found.texts)


def _covers(text: str, wanted: str) -> bool:
    """Whether an exclusion is the one wanted, fits its glob, or is a folder around it."""
    if compile_pattern(wanted)(text) or compile_pattern(text)(wanted):
        return True
    return text.startswith("path ") and wanted.startswith(text.rstrip("*\\") + "\\")
