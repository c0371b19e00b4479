"""What has to be so before a change is made: room, no pending restart, nothing in the way, the right order, the right machine. Pure.

Rules of this file:
1. A requirement that no source states is not listed; one that is stated and can't be seen is told as not known, and counts as not met.
2. `afterwards` is no requirement: what has to be done once the change is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.analysis.conditions.selectors_product import compile_matches
from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.precheck.apply import installed
from auditor.analysis.precheck.parts import package_of
from auditor.analysis.precheck.upgrade_path import machine, path
from auditor.model.finding import Evidence, Product
from auditor.model.host import MemoryReading
from auditor.model.signature import Brings, Signature
from auditor.model.version import parse_version
from auditor.model.whatif import Change, Prerequisite, PrerequisiteKind

_MACHINES = {0x14C: "x86", 0x8664: "x64", 0xAA64: "arm64", 0x200: "ia64"}
MEGABYTE = 1024 * 1024
_TOLD = 6


def prerequisites(fleet: Fleet, facts: HostFacts, change: Change) -> list[Prerequisite]:
    """What has to be met on a host just before a change; `fleet` and `facts` are those of that moment."""
    if change.kind == "os_upgrade":
        return [*_restart(facts), *machine(facts, change), *path(facts, change)]
    if change.kind == "update":
        return [*_restart(facts), *_update(facts, change)]
    if change.kind == "driver":
        return [*_restart(facts), *_driver(facts, change)]
    signature = facts.signatures[change.product or ""]
    found = [*_restart(facts), *_presence(facts, change, signature)]
    if change.kind in ("install", "upgrade"):
        parts = package_of(signature, change, facts.system.architecture if facts.system else None).sure
        found += [*_room(facts, parts), *_in_the_way(facts, parts), *_manager(fleet, facts, change, signature), *_afterwards(parts)]
    if change.kind == "remove":
        found += [*_clients(fleet, facts, signature), *_leftovers(signature)]
    return found


def _restart(facts: HostFacts) -> Iterator[Prerequisite]:
    reasons = facts.system.pending_reboot if facts.system else None
    if reasons is None:
        why = facts.unseen("system") or facts.why("system", "system", "pending_reboot")
        yield Prerequisite(kind="restart", met=None, text=f"Whether a restart is pending is not known ({why}): look before the change.")
    elif reasons:
        evidence = (facts.evidence("system", "system", "pending_reboot", reasons),)
        words = ", ".join(reason.replace("_", " ") for reason in reasons)
        yield Prerequisite(kind="restart", met=False, text=f"A restart is pending ({words}): restart first.", evidence=evidence)
    else:
        yield Prerequisite(kind="restart", met=True, text="No restart is pending.")


def _update(facts: HostFacts, change: Change) -> Iterator[Prerequisite]:
    """It must not be there yet."""
    there = next((record for record in facts.sections.updates.records if record.id.casefold() == (change.update or "").casefold()), None)
    if there is not None:
        evidence = (facts.evidence("updates", there.id, "id", there.id),)
        yield Prerequisite(kind="presence", met=False, text=f"{change.update} is installed already.", evidence=evidence)
    elif (unseen := facts.unseen("updates")) is not None:
        yield Prerequisite(kind="presence", met=None, text=f"Whether {change.update} is installed already is not known ({unseen}).")


def _presence(facts: HostFacts, change: Change, signature: Signature) -> Iterator[Prerequisite]:
    old, unsure = installed(facts, signature.id), facts.unsure.get(signature.id)
    if change.kind == "install":
        if old is not None:
            text = f"{signature.name} {old.version or ''} is installed already: use --upgrade, or remove it first.".replace("  ", " ")
            yield Prerequisite(kind="presence", met=False, text=text, evidence=_presence_of(old))
        elif unsure:
            yield Prerequisite(kind="presence", met=None, text=f"Whether {signature.name} is there already is not known: {unsure[0]}.")
        return
    if old is None and unsure:
        yield Prerequisite(kind="presence", met=None, text=f"Whether {signature.name} is installed is not known: {unsure[0]}.")
    elif old is None:
        yield Prerequisite(kind="presence", met=False, text=f"{signature.name} is not installed here: there is nothing to {change.kind}.")
    elif change.kind == "upgrade":
        yield from _direction(old, change, signature)


def _direction(old: Product, change: Change, signature: Signature) -> Iterator[Prerequisite]:
    now, then = parse_version(old.version, signature.scheme), parse_version(change.version, signature.scheme)
    if now is not None and then is not None and then <= now:
        word = "is what is installed" if then == now else f"is older than {old.version}, which is installed"
        yield Prerequisite(
            kind="presence", met=False, text=f"{signature.name} {change.version} {word}: that is no upgrade.", evidence=_presence_of(old)
        )
    elif now is None:
        yield Prerequisite(kind="presence", met=None, text=f"Which version of {signature.name} is installed is not known.")


def _presence_of(product: Product) -> tuple[Evidence, ...]:
    return tuple(e for e in product.evidence if e.about in ("", "presence", "version"))[:2]


def _room(facts: HostFacts, parts: Iterable[Brings]) -> Iterator[Prerequisite]:
    for part in parts:
        if part.disk_mb is not None:
            yield _disk(facts, part.disk_mb, part.source)
        if part.memory_mb is not None:
            yield _memory(facts, part.memory_mb, part.source)


def _disk(facts: HostFacts, needed: int, source: str) -> Prerequisite:
    drive = (facts.system.windows_directory or "C:")[:2].casefold() if facts.system else "c:"
    readings: tuple[MemoryReading, ...] = facts.sections.memory.readings
    free = next((r.free_bytes for r in readings if r.name.casefold() == drive and r.free_bytes is not None), None)
    return _enough("disk", f"free space on {drive.upper()}", needed, free, drive.upper(), facts, source)


def _memory(facts: HostFacts, needed: int, source: str) -> Prerequisite:
    size = next((r.size_bytes for r in facts.sections.memory.records if r.kind == "physical" and r.size_bytes is not None), None)
    return _enough("memory", "physical memory", needed, size, "physical", facts, source)


def _enough(kind: PrerequisiteKind, what: str, needed: int, there: int | None, record: str, facts: HostFacts, source: str) -> Prerequisite:
    field = "free_bytes" if kind == "disk" else "size_bytes"
    if there is None:
        why = facts.unseen("memory") or facts.why("memory", record, field)
        return Prerequisite(
            kind=kind, met=None, text=f"It needs {needed} MB of {what}; how much there is is not known ({why}).", source=source
        )
    evidence = (facts.evidence("memory", record, field, there),)
    text = f"It needs {needed} MB of {what}; there are {there // MEGABYTE} MB."
    return Prerequisite(kind=kind, met=there >= needed * MEGABYTE, text=text, evidence=evidence, source=source)


def _in_the_way(facts: HostFacts, parts: Iterable[Brings]) -> Iterator[Prerequisite]:
    for part in parts:
        for selector in part.remove_first:
            matches = compile_matches(selector)(facts)
            for product in matches.sure:
                text = f"{product.name} has to be removed first."
                yield Prerequisite(kind="remove_first", met=False, text=text, evidence=_presence_of(product), source=part.source)
            doubts = [(product.id, reasons) for product, reasons in matches.open] + [*matches.unsure.items()]
            for id_, reasons in [] if matches.sure else doubts[:_TOLD]:
                text = f"Whether {id_} is there, which would have to be removed first, is not known: {reasons[0]}."
                yield Prerequisite(kind="remove_first", met=None, text=text, source=part.source)


def _manager(fleet: Fleet, facts: HostFacts, change: Change, signature: Signature) -> Iterator[Prerequisite]:
    """The manager that is named has to be there, and to manage."""
    if not change.parent:
        return
    found = fleet.resolver.resolve(change.parent)
    if found.target is None:
        yield Prerequisite(kind="order", met=None, text=f"The parent {change.parent} is no host of this fleet: look whether it is there.")
        return
    if found.target == facts.name:
        yield Prerequisite(kind="order", met=False, text=f"The parent {change.parent} is this very host.")
        return
    managers = [p for p in fleet.hosts[found.target].products if p.role in ("server", "manager") and p.vendor == signature.vendor]
    if managers:
        text = f"The parent {found.target} runs {managers[0].name} as {managers[0].role}."
        yield Prerequisite(kind="order", met=True, text=text, evidence=_presence_of(managers[0]))
        return
    other = fleet.hosts[found.target]
    seen = other.collected and not other.unsure.get(signature.id) and not any("role" in p.unknown for p in other.products)
    text = f"The parent {found.target} is not seen to manage anything of {signature.vendor}: install or upgrade the manager first."
    yield Prerequisite(kind="order", met=False if seen else None, text=text)


def _clients(fleet: Fleet, facts: HostFacts, signature: Signature) -> Iterator[Prerequisite]:
    """What is managed by a manager has to be moved before the manager goes."""
    ties = fleet.ties.neighbours(facts.name, "out", "manages", None)
    managed = {name: ours for name, edges in ties.items() if (ours := [e for e in edges if _managed_by(facts, e.product, signature)])}
    if managed:
        names = sorted(managed)
        more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
        text = f"{', '.join(names[:_TOLD])}{more} {'is' if len(names) == 1 else 'are'} managed by it: move them to another manager first."
        evidence = tuple(e for name in names[:_TOLD] for edge in managed[name] for e in edge.evidence)
        yield Prerequisite(kind="order", met=False, text=text, evidence=evidence)


def _managed_by(facts: HostFacts, product: str | None, manager: Signature) -> bool:
    """Whether a product's clients are those of a manager: it is the same product, or the manager is one for its vendor's products."""
    if product is None or product == manager.id:
        return product == manager.id
    client = facts.signatures.get(product)
    return client is not None and client.vendor == manager.vendor and manager.kind == "management"


def _afterwards(parts: Iterable[Brings]) -> Iterator[Prerequisite]:
    for part in parts:
        if part.restart:
            yield Prerequisite(kind="afterwards", met=True, text="Windows has to be restarted afterwards.", source=part.source)


def _leftovers(signature: Signature) -> Iterator[Prerequisite]:
    if signature.remnant:
        text = "Collect the host again afterwards: what the removal leaves behind is not foreseen."
        yield Prerequisite(kind="afterwards", met=True, text=text)


def _driver(facts: HostFacts, change: Change) -> Iterator[Prerequisite]:
    file = change.driver
    if file is None:
        return
    machine = _MACHINES.get(file.record.machine or 0)
    architecture = facts.system.architecture if facts.system else None
    if architecture is None:
        text = f"{file.file} is for {machine or 'an unknown machine'}; the host's architecture is not known."
        yield Prerequisite(kind="architecture", met=None, text=text)
    elif machine != architecture:
        evidence = (facts.evidence("system", "system", "architecture", architecture),)
        text = f"{file.file} is for {machine or 'an unknown machine'}, the host is {architecture}: it can't be loaded."
        yield Prerequisite(kind="architecture", met=False, text=text, evidence=evidence)
    if not file.signed and architecture == "x64" and (facts.build_bounds or (None,))[0] is not None:
        text = f"{file.file} carries no signature of its own: 64-bit Windows loads it only if a catalog on the host signs it."
        yield Prerequisite(kind="architecture", met=None, text=text)
