"""One host as rules and signatures see it: its sections with indexes, what of them was not seen, and its products.

Rules of this file:
1. A listing is complete where its section is ok, or partial for nothing but gaps that name a record or a field: then only these are in
   doubt.
2. What is missing is told as `host: section: reason`, in words a person can act on.
3. Indexes are made on first use, so that a host costs only what is asked of it.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

from auditor.analysis.host.asked import AskedIndex, asked_index
from auditor.analysis.host.claims import Claims, claims_of
from auditor.analysis.host.generation import build_bounds, generation
from auditor.analysis.host.outcome import Outcome
from auditor.analysis.host.registry import SecurityIndex, file_test, may_hold
from auditor.model.finding import Evidence, Product
from auditor.model.host import DriverRecord, FilterRecord, Gap, Section, ServiceRecord, Snapshot, SystemRecord
from auditor.model.signature import Signature
from auditor.model.task import ScheduledTask, TaskAction
from auditor.model.version import Version
from auditor.probes.recorded.outcome import Fault
from auditor.probes.tasks.decode import scheduled_tasks, unreadable_tasks

_ONLY_GAPS = re.compile(r"(\d+ not read, see gaps)?")
"""Reason of a section that is partial for its gaps alone."""


class FilterPlace(NamedTuple):
    """A file-system filter with what its driver says."""

    record: FilterRecord
    altitude: Decimal | None
    company: str | None
    """Case-folded."""
    running: bool | None


@functools.lru_cache(maxsize=4096)
def altitude_of(text: str | None) -> Decimal | None:
    """An altitude as a number: decimal text of unlimited precision, never a float; None for what is none."""
    try:
        return Decimal(text) if text else None
    except InvalidOperation:
        return None


class HostFacts:
    """A host's snapshot with indexes. `products` and `unsure` are filled by the detector."""

    def __init__(
        self,
        snapshot: Snapshot,
        groups: tuple[str, ...] = (),
        *,
        collected: bool = True,
        reason: str = "",
        notes: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.sections = snapshot.sections
        self._begin(snapshot.host, groups, collected=collected, reason=reason, notes=notes)

    def _begin(
        self,
        name: str,
        groups: tuple[str, ...],
        *,
        collected: bool = True,
        reason: str = "",
        notes: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.name = name
        self.groups = groups
        self.collected = collected
        self._reason = reason
        self._unseen: dict[str, str | None] = {}
        self._gaps: dict[str, Mapping[tuple[str, str], str]] = {}
        self._told: dict[tuple[str, frozenset[str]], tuple[Product, tuple[Evidence, ...]]] = {}
        self._drivers_by: dict[str, dict[object, list[int]]] = {}
        self.of_system: dict[tuple[str, object], Outcome] = {}
        """What was told of the system already, by field and value."""
        self._notes = notes or {}
        """Section and case-folded record to why what is not known of it is not, for records that no host told of."""
        self.products: tuple[Product, ...] = ()
        self.unsure: Mapping[str, tuple[str, ...]] = {}
        """Signature id to what is missing, for products whose presence is not known."""
        self.doubts: Mapping[tuple[str, str], tuple[str, ...]] = {}
        """Signature id and field to what is missing, for values of products that are not known."""
        self.signatures: Mapping[str, Signature] = {}
        """The signatures that were looked for, by id."""

    def section(self, name: str) -> Section[Any, Any]:
        """A section by its name in `model.host.SECTION_NAMES`."""
        found: Section[Any, Any] = getattr(self.sections, name)
        return found

    def unseen(self, name: str) -> str | None:
        """Why a section's listing is not complete (`host: section: reason`), or None where it is."""
        try:
            return self._unseen[name]
        except KeyError:
            self._unseen[name] = self._why_unseen(name)
            return self._unseen[name]

    def _why_unseen(self, name: str) -> str | None:
        if not self.collected:
            return f"{self.name}: {name}: the host was not collected{': ' + self._reason if self._reason else ''}"
        section = self.section(name)
        if section.status == "ok" or _gaps_only(section):
            return None
        return f"{self.name}: {name}: {section.reason or section.status.replace('_', ' ')}"

    def lost(self, name: str) -> tuple[Gap, ...]:
        """Gaps of whole records of a section: listed, but not read."""
        gaps = self.section(name).gaps
        return tuple(gap for gap in gaps if gap.record and not gap.field) if gaps else ()

    def foreseen(self, section: str, record: str) -> bool:
        """Whether a record (or a gap of that name) is none of the host's yet: it comes with a change that is only thought of."""
        return (section, record.casefold()) in self._notes

    def why(self, section: str, record: str, field: str) -> str:
        """Why a field of a record is not known, as `host: section: record: field: reason`."""
        gaps = self._gaps_of(section)
        for key in ((record.casefold(), field), (record.casefold(), ""), ("", field)) if gaps else ():
            if (reason := gaps.get(key)) is not None:
                return f"{self.name}: {section}: {record}: {field}: {reason}"
        if (note := self._notes.get((section, record.casefold()))) is not None:
            return f"{self.name}: {section}: {record}: {field}: {note}"
        return f"{self.name}: {section}: {record}: {field}: not known"

    def unasked(self, kind: str, name: str) -> tuple[str, ...]:
        """Why nothing about a registry key or a file (`kind` key, file) says that it is absent: it was not asked for."""
        if self.asked is None or not self.section("security").usable or getattr(self.asked, kind)(name):
            return ()
        return (f"{self.name}: security: {name}: was not asked for when the host was collected: collect it again",)

    def lost_key(self, key: str) -> tuple[str, ...]:
        """Why values of a key may be there though none was read: the key, or one above it, was refused."""
        refused = (gap for gap in self.lost("security") if may_hold(gap.record, key))
        return tuple(f"{self.name}: security: {gap.record}: {gap.reason}" for gap in refused)

    def lost_file(self, path: str) -> tuple[str, ...]:
        """Why a file may be there though nothing of it was read."""
        fits = file_test(path)
        refused = (gap for gap in self.lost("security") if gap.record.casefold() == path.casefold() or fits(gap.record.casefold()))
        return tuple(f"{self.name}: security: {gap.record}: {gap.reason}" for gap in refused)

    def evidence(self, section: str, record: str, field: str = "", value: object = "", about: str = "") -> Evidence:
        """A pointer to a record of this host."""
        return Evidence(host=self.name, section=section, record=record, field=field, value=_text(value), about=about)

    def _gaps_of(self, section: str) -> Mapping[tuple[str, str], str]:
        """Reasons of a section's gaps by case-folded record and field."""
        if section not in self._gaps:
            gaps = reversed(self.section(section).gaps)
            self._gaps[section] = {(gap.record.casefold(), gap.field): gap.reason for gap in gaps if gap.record or gap.field}
        return self._gaps[section]

    def told(self, product: Product, asked: frozenset[str]) -> tuple[Evidence, ...]:
        """A product's evidence that bears on fields that are asked for: presence, and each of the fields. Many rules ask for the same."""
        key = (product.id, asked)
        known = self._told.get(key)
        if known is None or known[0] is not product:
            chosen = tuple(e for e in product.evidence if e.about in asked)
            presence = tuple(e for e in product.evidence if e.about in ("", "presence"))
            known = self._told[key] = (product, (presence[:1] if chosen else presence) + chosen)
        return known[1]

    def doubts_of(self, product: str, field: str) -> tuple[str, ...]:
        """What is missing to know a field of a product."""
        return self.doubts.get((product, field)) or (f"{self.name}: products: {product}: {field} is not known",)

    @cached_property
    def claims(self) -> Claims:
        """What it says of itself and of its ties."""
        return claims_of(self)

    @cached_property
    def drivers(self) -> Mapping[str, tuple[DriverRecord, ...]]:
        """Drivers by case-folded service name and by file name without .sys."""
        return _index((name, record) for record in self.sections.drivers.records for name in driver_names(record))

    def drivers_by(self, field: str) -> Mapping[Any, Sequence[int]]:
        """Numbers of the drivers, in the order of their section, by the value of a field that has few."""
        found = self._drivers_by.get(field)
        if found is None:
            found = self._drivers_by[field] = {}
            for number, value in enumerate(map(attrgetter(field), self.sections.drivers.records)):
                try:
                    found[value].append(number)
                except KeyError:
                    found[value] = [number]
        return found

    @cached_property
    def driver_hashes(self) -> frozenset[str | None]:
        """SHA-256 of the drivers; None among them where one has none."""
        return frozenset(map(attrgetter("sha256"), self.sections.drivers.records))

    @cached_property
    def services(self) -> Mapping[str, tuple[ServiceRecord, ...]]:
        """Services by case-folded name."""
        return _index((record.name.casefold(), record) for record in self.sections.services.records)

    @cached_property
    def programs(self) -> Mapping[str, tuple[Any, ...]]:
        """Uninstall entries by case-folded display name."""
        return _index((record.name.casefold(), record) for record in self.sections.programs.records if record.name)

    @cached_property
    def filters(self) -> Mapping[str, tuple[FilterRecord, ...]]:
        """Filters by case-folded driver name."""
        return _index((record.name.casefold().removesuffix(".sys"), record) for record in self.sections.filters.records)

    @cached_property
    def filter_places(self) -> tuple[FilterPlace, ...]:
        """Filters with altitude as a number, and company and state of their drivers."""
        return tuple(self._place(record) for record in self.sections.filters.records)

    @cached_property
    def filters_that_meet(self) -> tuple[FilterPlace, ...]:
        """Filters that share their altitude with another one."""
        counts = Counter(place.altitude for place in self.filter_places)
        return tuple(p for p in self.filter_places if p.altitude is not None and counts[p.altitude] > 1)

    def _place(self, record: FilterRecord) -> FilterPlace:
        drivers = self.drivers.get(record.name.casefold().removesuffix(".sys"), ())
        company = next((driver.company.casefold() for driver in drivers if driver.company), None)
        running = next((driver.state == "running" for driver in drivers if driver.state), None)
        return FilterPlace(record, altitude_of(record.altitude), company, running)

    @cached_property
    def tasks(self) -> tuple[ScheduledTask, ...]:
        """Scheduled tasks that can be read."""
        return scheduled_tasks(self.snapshot)

    @cached_property
    def task_lines(self) -> tuple[tuple[ScheduledTask, tuple[tuple[str, str], ...]], ...]:
        """Tasks with the command lines of their actions, each as written and case-folded."""
        return tuple((task, _lines(task)) for task in self.tasks)

    @cached_property
    def folded_lines(self) -> frozenset[str]:
        """The case-folded command lines of all tasks."""
        return frozenset(folded for _, lines in self.task_lines for _, folded in lines)

    @cached_property
    def unread_tasks(self) -> tuple[Fault, ...]:
        """What of the tasks section can't be read."""
        return unreadable_tasks(self.snapshot)

    @cached_property
    def unsure_remnants(self) -> Mapping[str, tuple[str, ...]]:
        """Signature id to what is missing, for products that were not found and whose leftovers may be there unseen."""
        found = {product.id for product in self.products}
        ids: Iterable[str] = self.signatures
        if all(self.section(name).status == "ok" for name in ("programs", "services", "drivers", "security")):
            ids = () if self.asked is None else self.asked.unasked_leftovers(self.signatures)
        doubts = ((id_, self._unseen_leftovers(self.signatures[id_])) for id_ in ids if id_ not in found)
        return {id_: reasons for id_, reasons in doubts if reasons}

    def _unseen_leftovers(self, signature: Signature) -> tuple[str, ...]:
        """What of the signs that outlive an uninstallation was not seen."""
        reasons: dict[str, None] = {}
        for signs in signature.remnant:
            sections = [name for name in ("programs", "services", "drivers") if getattr(signs, name)]
            sections += ["security"] if signs.registry or signs.files else []
            reasons |= dict.fromkeys(unseen for name in sections if (unseen := self.unseen(name)) is not None)
            for source in signs.registry:
                reasons |= dict.fromkeys((*self.lost_key(source.key), *self.unasked("key", source.key)))
            for file in signs.files:
                reasons |= dict.fromkeys((*self.lost_file(file.path), *self.unasked("file", file.path)))
        return tuple(reasons)

    @cached_property
    def asked(self) -> AskedIndex | None:
        """What was asked for by name; None where everything was."""
        return asked_index(self.snapshot.asked) if self.snapshot.asked is not None else None

    @cached_property
    def security(self) -> SecurityIndex:
        """Registry values and files of security products."""
        return SecurityIndex(self.sections.security.records)

    @cached_property
    def system(self) -> SystemRecord | None:
        """The one record of the system section."""
        records = self.sections.system.records
        return records[0] if records else None

    @property
    def on_client(self) -> bool:
        """Whether it is known to be a workstation: only these have a Security Center."""
        return self.system is not None and self.system.product_type == "workstation"

    @cached_property
    def generation(self) -> str | None:
        """Generation of Windows, or None where not known."""
        return generation(self.system) if self.system else None

    @cached_property
    def build_bounds(self) -> tuple[Version, Version] | None:
        """Lowest and highest full build that the system record allows."""
        return build_bounds(self.system) if self.system else None

    @cached_property
    def strange_products(self) -> tuple[Product, ...]:
        """Products that none of the signatures is for."""
        return tuple(product for product in self.products if product.id not in self.signatures)

    @cached_property
    def products_by_id(self) -> Mapping[str, tuple[Product, ...]]:
        """Products by signature id."""
        return _index((product.id, product) for product in self.products)


def _gaps_only(section: Section[Any, Any]) -> bool:
    """Whether nothing but named records or fields is missing: another reason beside the gaps speaks of the listing as a whole."""
    named = section.status == "partial" and section.gaps and all(gap.record or gap.field for gap in section.gaps)
    return bool(named) and _ONLY_GAPS.fullmatch(section.reason) is not None


def driver_names(record: DriverRecord) -> tuple[str, ...]:
    """Case-folded names of a driver: service name, then file name, both without .sys."""
    return _driver_names(record.name, record.path or record.image_path or "")


@functools.lru_cache(maxsize=16384)
def _driver_names(name: str, path: str) -> tuple[str, ...]:
    file = path.replace("/", "\\").rsplit("\\", 1)[-1]
    return tuple(dict.fromkeys(text for text in (name.casefold().removesuffix(".sys"), file.casefold().removesuffix(".sys")) if text))


def security_key(record: Any) -> str:
    """Key of a security record in evidence: `path\\value`, or the path of a file."""
    return f"{record.path}\\{record.name}" if record.name else str(record.path)


def _lines(task: ScheduledTask) -> tuple[tuple[str, str], ...]:
    lines = (command_line(action) for action in task.actions or ())
    return tuple((line, line.casefold()) for line in lines)


def command_line(action: TaskAction) -> str:
    """Program and arguments of a task's action as one text."""
    return action.line or " ".join(part for part in (action.command, action.arguments) if part)


def _index(pairs: Iterable[tuple[str, Any]]) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    for name, record in pairs:
        found[name] = (*found[name], record) if name in found else (record,)
    return found


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
