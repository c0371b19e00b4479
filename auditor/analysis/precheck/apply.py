"""One change made to a host's state: dispatch, and removals, upgrades, another Windows, a driver's file. Values in, new values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.precheck.belongings import Belongings
from auditor.analysis.precheck.install import filter_records, install, kept_places, stated_product
from auditor.analysis.precheck.state import NOT_KNOWN, WRITES_IT, State, facts_of
from auditor.analysis.precheck.windows import upgrade_windows
from auditor.analysis.products.detect import Detector
from auditor.model.finding import Product
from auditor.model.host import DriverRecord, FilterRecord, UpdateRecord
from auditor.model.signature import Signature
from auditor.model.whatif import Change, DriverFile

_UNTOUCHED = ["edition", "engine", "definitions", "active"]
"""Values that an upgrade of the program leaves: engine and definitions come by updates of their own."""


def apply_change(state: State, change: Change, detector: Detector) -> State:
    """The host after one change. The state that is given stays as it is."""
    if change.kind == "os_upgrade":
        present = {p.id for p in facts_of(state, detector).products if not p.remnant}
        return upgrade_windows(state, change, detector.signatures, present)
    if change.kind == "update":
        return state.with_records("updates", [UpdateRecord(id=change.update or "")], change.said)
    if change.kind == "driver":
        return _put_driver(state, change, change.driver, detector.signatures) if change.driver is not None else state
    signature = detector.signatures[change.product or ""]
    if change.kind == "install":
        return install(_cleared(state, change, signature, detector), change, signature, detector.signatures.values())
    facts = facts_of(state, detector)
    if change.kind == "remove":
        return _remove(state, change, signature, facts)
    return _upgrade(state, change, signature, facts)


def installed(facts: HostFacts, id_: str) -> Product | None:
    """The product of a host where it is installed; leftovers are not."""
    return next((p for p in facts.products if p.id == id_ and not p.remnant), None)


def _others(facts: HostFacts, id_: str) -> Iterable[Signature]:
    return [facts.signatures[p.id] for p in facts.products if p.id != id_ and not p.remnant and p.id in facts.signatures]


def _cleared(state: State, change: Change, signature: Signature, detector: Detector) -> State:
    """Without what an earlier version left: an installation over another one replaces it."""
    facts = facts_of(state, detector)
    if not any(p.id == signature.id for p in facts.products):
        return state
    return _remove(state, change, signature, facts)


def _remove(state: State, change: Change, signature: Signature, facts: HostFacts) -> State:
    """Without the product's records. Drivers and services that another product names too stay."""
    for section, records in Belongings(state, signature, _others(facts, signature.id)).records().items():
        state = state.without_records(section, records, change.said)
    return state.without_product(signature.id)


def _upgrade(state: State, change: Change, signature: Signature, facts: HostFacts) -> State:
    """The same product in another version: what is known of its files is not known any more, its role and ties stay."""
    old = installed(facts, signature.id)
    belongings = Belongings(state, signature, _others(facts, signature.id)).records()
    programs = [msgspec.structs.replace(record, version=change.version) for record in belongings["programs"]]
    drivers = [_renewed(record) for record in belongings["drivers"]]
    state = state.with_records("programs", programs, change.said).with_records("drivers", drivers, change.said)
    state = state.without_records("security", belongings["security"], change.said)
    state = state.with_gaps("security", kept_places(signature, facts.signatures.values()), f"the upgrade{WRITES_IT}")
    stated, doubts = stated_product(state.host, change, signature)
    if old is None:
        return state.with_product(stated, doubts) if signature.id in facts.unsure else state
    return state.with_product(*_kept_values(old, stated, doubts, change, facts))


def _kept_values(
    old: Product, stated: Product, doubts: Mapping[str, tuple[str, ...]], change: Change, facts: HostFacts
) -> tuple[Product, dict[str, tuple[str, ...]]]:
    """What the upgrade does not state stays as it was, known or not."""
    kept = [field for field in ("role", "parent", "group") if getattr(change, field) is None] + _UNTOUCHED
    evidence = [e for e in old.evidence if e.about in ("", "presence", *kept)] + [e for e in stated.evidence if e.about not in kept]
    open_ = {field: reasons for field, reasons in doubts.items() if field not in kept}
    open_ |= {field: tuple(facts.doubts_of(old.id, field)) for field in kept if field in old.unknown}
    values = {field: getattr(old, field) for field in kept}
    return msgspec.structs.replace(stated, **values, confidence=old.confidence, evidence=tuple(evidence)), open_


_OF_THE_FILE = (
    "file_version", "product_version", "size_bytes", "created_at", "modified_at", "link_timestamp", "checksum", "sha256", "signer",
    "signature",
)  # fmt: skip


def _renewed(record: DriverRecord) -> DriverRecord:
    """A driver whose file is another one."""
    return msgspec.structs.replace(record, **dict.fromkeys(_OF_THE_FILE))


def _put_driver(state: State, change: Change, file: DriverFile, signatures: Mapping[str, Signature]) -> State:
    """The driver's file in place; how it starts and where it loads stay those of the driver that it replaces."""
    name = file.record.name.casefold()
    old = next((r for r in state.section("drivers").records if name in (r.name.casefold().removesuffix(".sys"), _file_name(r))), None)
    record = file.record
    if old is not None:
        record = msgspec.structs.replace(record, name=old.name, start=old.start, group=old.group, type=old.type, image_path=old.image_path)
    state = state.with_records("drivers", [record], change.said)
    there = any(f.name.casefold() == record.name.casefold() for f in state.section("filters").records)
    if file.filter is False or there:
        return state
    if known := _known_filters(record.name, file, signatures):
        return state.with_records("filters", known, change.said)
    reason = "its altitude stands in its .inf file, not in the driver" if file.filter else f"whether it is a filter: {NOT_KNOWN}"
    return state.with_gaps("filters", [record.name], reason)


def _file_name(record: object) -> str:
    path = str(getattr(record, "path", None) or getattr(record, "image_path", None) or "")
    return path.replace("/", "\\").rsplit("\\", 1)[-1].casefold().removesuffix(".sys")


def _known_filters(name: str, file: DriverFile, signatures: Mapping[str, Signature]) -> list[FilterRecord]:
    """The instances of a filter that some product's signature describes, else those whose altitudes were given to its name."""
    parts = (part for signature in signatures.values() for part in signature.installs)
    drivers = (driver for part in parts for driver in part.drivers or () if driver.name.casefold() == name.casefold())
    given = [FilterRecord(name=name, instance=name, altitude=altitude) for altitude in file.altitudes if file.filter]
    return next(([*filter_records(driver)] for driver in drivers if driver.altitudes), given)
