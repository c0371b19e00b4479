"""Since when a difference is so, from a host's stored past. Pure: the past is handed in, newest first, and read no further than needed.

What a snapshot could not see neither breaks the run nor ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from auditor.analysis.drift.compare import Delta, Side
from auditor.analysis.drift.doubts import Doubts
from auditor.analysis.drift.items import Item, plain
from auditor.analysis.drift.normalise import Normaliser


class Moment(NamedTuple):
    """A run of snapshots in which a section was the same."""

    oldest: str
    """When the first of them was collected."""
    newest: str
    side: Side


class Since(NamedTuple):
    """How long it has been so."""

    since: str | None
    not_before: str | None


def since_when(section: str, deltas: Sequence[Delta], past: Iterable[Moment], normaliser: Normaliser) -> list[Since]:
    """For each difference of one section, the oldest snapshot of the unbroken run that shows its present value, and the one before."""
    found: list[Since] = [Since(None, None) for _ in deltas]
    waiting = set(range(len(deltas)))
    for moment in past:
        look = _Look(section, moment.side, normaliser)
        for number in sorted(waiting):
            holds = look.holds(deltas[number])
            if holds:
                found[number] = Since(moment.oldest, None)
            elif holds is False:
                found[number] = found[number]._replace(not_before=moment.newest)
                waiting.discard(number)
        if not waiting:
            break
    return found


class _Look:
    """One section at one time."""

    def __init__(self, section: str, side: Side, normaliser: Normaliser) -> None:
        self._usable = side.section.usable
        plan = normaliser.plan(section)
        self._null_is_none = frozenset(plan.absent_when_null)
        self._doubts = Doubts(side.section, plan, side.asked)
        self._items: dict[str, list[Item]] = {}
        for item in normaliser.items(section, side.section.records, side.system) if self._usable else ():
            self._items.setdefault(item.identity, []).append(item)

    def holds(self, delta: Delta) -> bool | None:
        """Whether it was so; None where it was not seen."""
        if not self._usable:
            return None
        items = self._items.get(delta.key.casefold(), [])
        if not items:
            if self._doubts.of_record(Item(delta.key, ("name", "path"), (delta.key, delta.key))):
                return None
            return delta.kind == "removed"
        if not delta.field:
            return delta.kind == "added"
        values = [item.get(delta.field) for item in items]
        if all(value is None for value in values) and delta.field not in self._null_is_none:
            return None
        if any(self._doubts.of_field(item, delta.field) for item in items):
            return None
        return any(plain(value) == delta.after for value in values)
