"""A host on its way through changes: its snapshot, forked, and what the changes state of its products. Values in, new values out.

Rules of this file:
1. A stored snapshot is never written to: each step makes a new one that shares what did not change.
2. What a change brings is told as such: its records are listed in `brought`, and what is not known of them says why.
3. A piece that may or may not be there after the change is a gap of its section, never absent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from auditor.analysis.host.claims import SECTIONS
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.detect import Detector
from auditor.model.finding import Evidence, Product
from auditor.model.host import Gap, Section, Snapshot

MAY_COME = "it may come with the installation"
NOT_KNOWN = "it comes with the change, and is not known before"
OPEN_FILTER = "whether it is a file-system filter, and at which altitude, is not known"
WRITES_IT = " writes it, and what is not known before"
"""End of why a registry value is not known after an installation or an upgrade."""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A host before, between or after changes."""

    snapshot: Snapshot
    groups: tuple[str, ...] = ()
    stated: Mapping[str, Product] = {}
    """Products by signature id as changes state them."""
    doubts: Mapping[tuple[str, str], tuple[str, ...]] = {}
    """Product and field to what is missing, for values that changes leave open."""
    gone: frozenset[str] = frozenset()
    """Signature ids that were removed."""
    notes: Mapping[tuple[str, str], str] = {}
    """Section and case-folded record to why what is not known of it is not."""
    before: HostFacts | None = None
    """The host as it was collected."""
    brought: tuple[Evidence, ...] = ()
    """What the changes do, record by record: `field` is brought, replaced or removed."""

    @property
    def host(self) -> str:
        """The target's name."""
        return self.snapshot.host

    def section(self, name: str) -> Section[Any, Any]:
        """A section by its name."""
        found: Section[Any, Any] = getattr(self.snapshot.sections, name)
        return found

    def with_section(self, name: str, **fields: Any) -> State:
        """The state with fields of one section replaced."""
        section = msgspec.structs.replace(self.section(name), **fields)
        sections = msgspec.structs.replace(self.snapshot.sections, **{name: section})
        return msgspec.structs.replace(self, snapshot=msgspec.structs.replace(self.snapshot, sections=sections))

    def with_records(self, name: str, records: Iterable[Any], said: str) -> State:
        """Further records of a section, in place of those of the same name; the change brings them."""
        new = tuple(records)
        if not new:
            return self
        names = {record_name(record).casefold() for record in new}
        kept = tuple(record for record in self.section(name).records if record_name(record).casefold() not in names)
        told = tuple(Evidence(host=self.host, section=name, record=record_name(record), field="brought", value=said) for record in new)
        notes = {(name, record_name(record).casefold()): NOT_KNOWN for record in new}
        state = self.with_section(name, records=(*kept, *new))
        return msgspec.structs.replace(state, brought=(*self.brought, *told), notes={**self.notes, **notes})

    def without_records(self, name: str, gone: Iterable[Any], said: str) -> State:
        """Without records of a section; the change takes them."""
        lost = {id(record): record for record in gone}
        if not lost:
            return self
        kept = tuple(record for record in self.section(name).records if id(record) not in lost)
        told = tuple(
            Evidence(host=self.host, section=name, record=record_name(record), field="removed", value=said) for record in lost.values()
        )
        return msgspec.structs.replace(self.with_section(name, records=kept), brought=(*self.brought, *told))

    def with_gaps(self, name: str, records: Iterable[str], reason: str) -> State:
        """Records that may be there after the change or not. A section that was seen as a whole becomes partial for these only."""
        gaps = tuple(Gap(record=record, field="", reason=reason) for record in dict.fromkeys(records))
        if not gaps:
            return self
        section = self.section(name)
        status = "partial" if section.status == "ok" else section.status
        notes = {(name, gap.record.casefold()): reason for gap in gaps}
        state = self.with_section(name, gaps=(*section.gaps, *gaps), status=status)
        return msgspec.structs.replace(state, notes={**self.notes, **notes})

    def with_product(self, product: Product, doubts: Mapping[str, tuple[str, ...]]) -> State:
        """A product as a change states it; `doubts` are its open fields with what is missing."""
        rest = {key: reasons for key, reasons in self.doubts.items() if key[0] != product.id}
        return msgspec.structs.replace(
            self,
            stated={**self.stated, product.id: msgspec.structs.replace(product, unknown=tuple(doubts))},
            doubts=rest | {(product.id, field): reasons for field, reasons in doubts.items()},
            gone=self.gone - {product.id},
        )

    def without_product(self, id_: str) -> State:
        """A product that is gone."""
        stated = {key: product for key, product in self.stated.items() if key != id_}
        return msgspec.structs.replace(self, stated=stated, gone=self.gone | {id_})


def record_name(record: Any) -> str:
    """Name of a record in evidence: its key, name, id or path."""
    for field in ("key", "name", "id", "path"):
        value = getattr(record, field, None)
        if value:
            return f"{record.path}\\{value}" if field == "name" and getattr(record, "kind", "") == "registry" else str(value)
    return "system"


def facts_of(state: State, detector: Detector) -> HostFacts:
    """The host as rules see it: products recognised on the forked snapshot, with what the changes state of them before that."""
    facts = HostFacts(state.snapshot, state.groups, notes=state.notes)
    detector.detect(facts)
    if state.before is not None and _claims_the_same(state.snapshot, state.before.snapshot):
        facts.claims = state.before.claims
    seen = {product.id: product for product in facts.products if product.id not in state.gone}
    facts.products = tuple(sorted({**seen, **state.stated}.values(), key=lambda product: product.id))
    known = {*state.stated, *state.gone}
    facts.unsure = {id_: reasons for id_, reasons in facts.unsure.items() if id_ not in known}
    facts.doubts = {key: reasons for key, reasons in facts.doubts.items() if key[0] not in known} | dict(state.doubts)
    return facts


def _claims_the_same(snapshot: Snapshot, other: Snapshot) -> bool:
    """Whether nothing has changed that claims of ties are read from."""
    return all(getattr(snapshot.sections, name) is getattr(other.sections, name) for name in SECTIONS)
