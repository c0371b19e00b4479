"""How much of the past a host's event log shows: from when on silence is knowledge. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from auditor.analysis.host.asked import asked_index
from auditor.analysis.observing.restarts import moment
from auditor.model.host import Snapshot


class Needed(NamedTuple):
    """Events that have to be visible."""

    log: str
    source: str
    id: int


class Reach(NamedTuple):
    """From when on a log shows everything that is needed; `start` is None where it shows nothing, and why."""

    start: float | None
    reason: str = ""


def host_now(snapshot: Snapshot) -> float | None:
    """When a snapshot was collected, by the host's own clock, in seconds since 1970."""
    collected = moment(snapshot.collected_at)
    return None if collected is None else collected + (snapshot.clock.skew_seconds or 0.0)


def reach(snapshot: Snapshot, needed: Iterable[Needed]) -> Reach:
    """How far back all that is needed is visible in a snapshot."""
    section = snapshot.sections.events
    if not section.usable:
        return Reach(None, f"events: {section.reason or section.status.replace('_', ' ')}")
    start = 0.0
    for item in needed:
        if snapshot.asked is not None and not asked_index(snapshot.asked).events((item.id,), item.log, item.source):
            return Reach(None, f"{item.source} {item.id} was not asked for")
        found = _log_start(snapshot, item.log)
        if found.start is None:
            return found
        start = max(start, found.start)
    return Reach(start)


def _log_start(snapshot: Snapshot, log: str) -> Reach:
    """Where a log begins, or what was kept of it: records that were dropped for their number are the older ones."""
    for coverage in snapshot.log_coverage:
        if coverage.log.casefold() == log.casefold():
            begins, asked = moment(coverage.oldest), moment(coverage.asked_from)
            if begins is None or asked is None:
                return Reach(None, f"the log {log} does not say how far back it reaches")
            return _kept_start(snapshot, log, max(begins, asked))
    return Reach(None, f"the log {log} was not read")


def _kept_start(snapshot: Snapshot, log: str, start: float) -> Reach:
    section = snapshot.sections.events
    if not any(not gap.record and not gap.field and _about(gap.reason, log) for gap in section.gaps):
        return Reach(start)
    kept = [time for event in section.readings if _same(event.log, log) and (time := moment(event.time)) is not None]
    return Reach(max(start, min(kept))) if kept else Reach(None, f"of the log {log} not all was read")


def _about(reason: str, log: str) -> bool:
    """Whether a gap may be about this log: one that names another log first is not."""
    named = reason.partition(":")[0].casefold()
    return named == log.casefold() or named not in ("system", "application", "security")


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
