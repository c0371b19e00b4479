"""Two states of one host, section by section: what was added, removed, changed, and what could not be compared. Knows no baseline.

Rules of this file:
1. Only what was seen both times is compared. A record that a section lacks which was not seen as a whole is not removed.
2. Null is "not known" and is compared with nothing, except in fields of which the section's plan says that null is "none", and only where
   both sides were asked in the same way.
3. Records that are equal are never looked into: an unchanged host costs one comparison of its sections.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from auditor.analysis.drift.doubts import Doubts
from auditor.analysis.drift.items import Item, plain
from auditor.analysis.drift.normalise import Normaliser
from auditor.model.change import DifferenceKind
from auditor.model.host import SECTION_NAMES, Question, Section, Snapshot, SystemRecord


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One difference between two states, without a judgement. Fields as in `model.change.Difference`."""

    section: str
    key: str
    field: str = ""
    kind: DifferenceKind
    before: Any = None
    after: Any = None


class Unseen(NamedTuple):
    """Something that could not be compared."""

    section: str
    key: str
    field: str
    reason: str


class Comparison(NamedTuple):
    """What came out."""

    deltas: tuple[Delta, ...]
    unseen: tuple[Unseen, ...]


class Side(NamedTuple):
    """One section of one snapshot, with what its rules have to know of the host."""

    section: Section[Any, Any]
    system: SystemRecord | None = None
    way: str = ""
    """How the host was asked: the first word of the snapshot's transport."""
    asked: Question | None = None
    """What it was asked for by name."""


def side_of(snapshot: Snapshot, name: str) -> Side:
    """A section of a snapshot."""
    return Side(getattr(snapshot.sections, name), system_of(snapshot), snapshot.transport.partition(" ")[0], snapshot.asked)


def system_of(snapshot: Snapshot) -> SystemRecord | None:
    """The system record, where there is one."""
    return next(iter(snapshot.sections.system.records), None)


def compare_snapshots(before: Snapshot, after: Snapshot, normaliser: Normaliser, sections: Iterable[str] = SECTION_NAMES) -> Comparison:
    """Everything that is different, in the order of sections."""
    deltas: list[Delta] = []
    unseen: list[Unseen] = []
    for name in sections:
        if normaliser.compared(name):
            found = compare_section(name, side_of(before, name), side_of(after, name), normaliser)
            deltas += found.deltas
            unseen += found.unseen
    return Comparison(tuple(deltas), tuple(unseen))


def compare_section(name: str, before: Side, after: Side, normaliser: Normaliser) -> Comparison:
    """One section of the two."""
    old, new = before.section, after.section
    if not (old.usable and new.usable):
        return Comparison((), _unusable(name, old, new))
    if old.records == new.records:
        return Comparison((), ())
    return _Section(name, before, after, normaliser).compared()


def _unusable(name: str, old: Section[Any, Any], new: Section[Any, Any]) -> tuple[Unseen, ...]:
    if old.status == new.status and old.status in ("not_asked", "unsupported"):
        return ()
    late, side = (old, "then") if not old.usable else (new, "now")
    return (Unseen(name, "", "", f"not seen {side}: {late.reason or late.status.replace('_', ' ')}"),)


class _Section:
    """One section of two snapshots while it is compared."""

    def __init__(self, name: str, before: Side, after: Side, normaliser: Normaliser) -> None:
        self._name = name
        self._before, self._after = before, after
        self._normaliser = normaliser
        plan = normaliser.plan(name)
        self._null_is_none = frozenset(plan.absent_when_null) if before.way == after.way else frozenset[str]()
        self._doubts = Doubts(before.section, plan, before.asked), Doubts(after.section, plan, after.asked)
        self._deltas: list[Delta] = []
        self._unseen: list[Unseen] = []

    def compared(self) -> Comparison:
        old, new = self._before.section.records, self._after.section.records
        left, right = set(old), set(new)
        gone = self._index(self._before, [r for r in old if r not in right])
        come = self._index(self._after, [r for r in new if r not in left])
        kept = [r for r in new if r in left]
        lonely: list[tuple[Item, bool]] = []
        for identity in dict.fromkeys([*gone, *come]):
            lonely += self._pair(gone.get(identity, []), come.get(identity, []))
        if lonely:
            self._there_or_not(lonely, self._index(self._after, kept))
        return Comparison(tuple(self._deltas), tuple(dict.fromkeys(self._unseen)))

    def _index(self, side: Side, chosen: Sequence[Any]) -> dict[str, list[Item]]:
        found: dict[str, list[Item]] = {}
        for item in self._normaliser.items(self._name, side.section.records, side.system, chosen):
            found.setdefault(item.identity, []).append(item)
        return found

    def _pair(self, old: list[Item], new: list[Item]) -> list[tuple[Item, bool]]:
        """Notes the changed fields of records with one key; gives those that have no counterpart (True: they are new)."""
        # equal ones first, so that instances of one thing (same key, same values) count once however many there are
        rest_old = [item for item in old if not any(self._equal(item, other) for other in new)]
        rest_new = [item for item in new if not any(self._equal(other, item) for other in old)]
        for one, other in zip(rest_old, rest_new, strict=False):
            self._changed(one, other)
        pairs = min(len(rest_old), len(rest_new))
        return [*((item, False) for item in rest_old[pairs:]), *((item, True) for item in rest_new[pairs:])]

    def _equal(self, old: Item, new: Item) -> bool:
        return not any(True for _ in self._differing(old, new))

    def _differing(self, old: Item, new: Item) -> Iterable[tuple[str, Any, Any]]:
        if old.names is not new.names and old.names != new.names:
            names = tuple(dict.fromkeys([*old.names, *new.names]))
            triples = [(name, old.get(name), new.get(name)) for name in names]
        else:
            triples = list(zip(old.names, old.values, new.values, strict=True))
        for name, a, b in triples:
            if a == b or name in old.skip or name in new.skip:
                continue
            if (a is None or b is None) and name not in self._null_is_none:
                continue
            yield name, a, b

    def _changed(self, old: Item, new: Item) -> None:
        for name, a, b in self._differing(old, new):
            doubt = self._doubts[0].of_field(old, name) or self._doubts[1].of_field(new, name)
            if doubt:
                self._unseen.append(Unseen(self._name, new.key, name, doubt))
            else:
                self._deltas.append(Delta(section=self._name, key=new.key, field=name, kind="changed", before=plain(a), after=plain(b)))

    def _there_or_not(self, lonely: Sequence[tuple[Item, bool]], kept: dict[str, list[Item]]) -> None:
        for item, is_new in lonely:
            if any(self._equal(item, other) for other in kept.get(item.identity, ())):
                continue
            doubts, when = (self._doubts[0], "then") if is_new else (self._doubts[1], "now")
            doubt = doubts.of_record(item)
            if doubt:
                self._unseen.append(Unseen(self._name, item.key, "", f"{when}: {doubt}"))
            elif is_new:
                self._deltas.append(Delta(section=self._name, key=item.key, kind="added", after=item.fields()))
            else:
                self._deltas.append(Delta(section=self._name, key=item.key, kind="removed", before=item.fields()))
