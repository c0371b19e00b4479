"""Moves an observation case on by what hosts show: sightings, doubts, how much time was seen, how often the trigger came. Pure.

Rules of this file:
1. Time counts only where the log proves it: from the later of what was seen before and how far the log reaches back, up to now. The
   shorter of the host's and the collector's clock counts, so that a clock that jumps closes no case.
2. Time in which a host was shut down does not count, time that its log no longer shows is kept as unseen.
3. A restart without a stop code, or a dump without an event, may have been it: a doubt, which keeps a case from closing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from auditor.analysis.observing.coverage import Needed, host_now, reach
from auditor.analysis.observing.restarts import ONE_RESTART_SECONDS, REPORTING, Restart, moment, reported_buckets, restarts, seconds_down
from auditor.model.case import Case, CaseCondition, CaseEntry, EventPattern, HostWatch, Sighting, UnseenSpan
from auditor.model.crash import Crash
from auditor.model.host import EventReading, HostResult, Snapshot

DAY_SECONDS = 86_400
TRIGGERS_KEPT = 1000
REPORT_SECONDS = DAY_SECONDS
"""Windows Error Reporting notes a crash at a later logon; until then its bucket is not known."""
_CLOCK_BACK_SECONDS = 3600
_CRASH_SIGNS = (
    Needed("System", "EventLog", 6008),
    Needed("System", "Microsoft-Windows-Kernel-Power", 41),
    Needed("System", "BugCheck", 1001),
    Needed("System", "Microsoft-Windows-WER-SystemErrorReporting", 1001),
    Needed("System", "Save Dump", 1001),
)


class Look(NamedTuple):
    """What the last collection gave for a host."""

    snapshot: Snapshot | None
    reason: str = ""
    """Why there is no snapshot."""


def looks_of(results: Iterable[HostResult]) -> dict[str, Look]:
    """Looks at hosts from the results of a run."""
    return {result.host: Look(result.snapshot, result.reason or result.status.replace("_", " ")) for result in results}


def needed_events(case: Case) -> tuple[Needed, ...]:
    """Events that a collection has to ask for, so that the case can be decided."""
    needed: list[Needed] = []
    for condition in case.conditions:
        if condition.event is not None:
            needed.append(_needed(condition.event))
        else:
            needed += _CRASH_SIGNS
        if condition.kind == "bucket":
            needed.append(Needed("Application", REPORTING, 1001))
    if case.trigger is not None:
        needed.append(_needed(case.trigger.event))
    return tuple(dict.fromkeys(needed))


def _needed(event: EventPattern) -> Needed:
    return Needed(event.log, event.source, event.id)


def observe(case: Case, looks: Mapping[str, Look], now: datetime, crashes: Mapping[str, Sequence[Crash]] | None = None) -> Case:
    """The case after a look at its hosts. `now` is the collector's time; `crashes` are read dumps or texts by host."""
    if case.state != "observing":
        return case
    watched = {host.host: host for host in case.watched}
    for name in watched_hosts(case):
        before = watched.get(name) or HostWatch(host=name, seen_until=case.since, looked_at=case.since)
        look = looks.get(name, Look(None, "not among the hosts that were asked"))
        watched[name] = _watch(case, before, look, now)
    case = msgspec.structs.replace(case, watched=tuple(watched.values()))
    for name in case.hosts:
        snapshot = looks.get(name, Look(None)).snapshot
        if snapshot is not None:
            case = _with_sightings(case, snapshot, (crashes or {}).get(name, ()))
    return case


def watched_hosts(case: Case) -> tuple[str, ...]:
    """Hosts that have to be looked at: those of the case, then those of its trigger."""
    return tuple(dict.fromkeys([*case.hosts, *(case.trigger.hosts if case.trigger else ())]))


def _watch(case: Case, before: HostWatch, look: Look, now: datetime) -> HostWatch:
    replace = msgspec.structs.replace
    snapshot = look.snapshot
    if snapshot is None:
        return replace(before, blind=look.reason or "not seen")
    end, seen = host_now(snapshot), reach(snapshot, _needed_on(case, before.host))
    if seen.start is None or end is None:
        return replace(before, blind=seen.reason or "it does not say when it was collected")
    after = replace(before, blind="", looked_at=stamp(now.timestamp()), triggers=_triggers(case, before, snapshot))
    old, passed = moment(before.seen_until) or 0.0, now.timestamp() - (moment(before.looked_at) or 0.0)
    if end < old:
        back = end < old - _CLOCK_BACK_SECONDS
        return replace(after, seen_until=stamp(end)) if back else after
    start = min(max(old, seen.start), end)
    counted = max(0.0, min(end - start - seconds_down(snapshot.sections.events.readings, start, end), passed))
    after = replace(after, seen_until=stamp(end), seconds=before.seconds + counted)
    if start > old:
        span = UnseenSpan(start=before.seen_until, end=stamp(start), reason="the event log no longer reaches back so far")
        after = replace(after, unseen=(*after.unseen, span))
    return after


def _needed_on(case: Case, host: str) -> list[Needed]:
    """On a host of the trigger alone, only that."""
    if host in case.hosts:
        return list(needed_events(msgspec.structs.replace(case, trigger=None)))
    return [_needed(case.trigger.event)] if case.trigger else []


def _triggers(case: Case, before: HostWatch, snapshot: Snapshot) -> tuple[str, ...]:
    if case.trigger is None or before.host not in (case.trigger.hosts or case.hosts):
        return before.triggers
    since = moment(case.since) or 0.0
    fresh = (e for e in snapshot.sections.events.readings if fits(case.trigger.event, e) and (moment(e.time) or 0.0) > since)
    times = dict.fromkeys([*before.triggers, *sorted(f"{e.time} {e.record or ''}".strip() for e in fresh)])
    return tuple(times)[:TRIGGERS_KEPT]


def fits(pattern: EventPattern, event: EventReading) -> bool:
    """Whether a record is one of these events."""
    named = (
        event.id == pattern.id and event.source.casefold() == pattern.source.casefold() and event.log.casefold() == pattern.log.casefold()
    )
    texts = (*event.strings, event.message or "")
    return named and (not pattern.text or any(pattern.text.casefold() in text.casefold() for text in texts))


def _with_sightings(case: Case, snapshot: Snapshot, crashes: Sequence[Crash]) -> Case:
    since = moment(case.since) or 0.0
    events = [e for e in snapshot.sections.events.readings if (moment(e.time) or 0.0) > since]
    found: dict[Sighting, None] = dict.fromkeys(case.sightings)
    crashes = [crash for crash in crashes if since < (moment(crash.crash_time) or 0.0) <= (host_now(snapshot) or 0.0) + DAY_SECONDS]
    told = [_coded(restart, crashes) for restart in restarts(events)]
    for condition in case.conditions:
        found |= dict.fromkeys(_seen(condition, snapshot.host, events, told, crashes))
    explained = [restart for restart in told if _explained(case, restart, events, crashes)]
    kept = [d for d in case.doubts if d.host != snapshot.host or not any(_near(d.at, restart.at) for restart in explained)]
    doubts = dict.fromkeys(kept) | dict.fromkeys(_doubts(case, snapshot, told, explained, crashes))
    others = dict.fromkeys(case.others) | dict.fromkeys(_others(snapshot.host, explained, found))
    return msgspec.structs.replace(case, sightings=tuple(found), doubts=tuple(doubts), others=tuple(others))


def _others(host: str, explained: Sequence[Restart], sightings: Iterable[Sighting]) -> list[Sighting]:
    """Restarts of which it is known that they were something else."""
    times = [sighting.at for sighting in sightings if sighting.host == host]
    rest = (restart for restart in explained if not any(_near(restart.at, at) for at in times))
    return [Sighting(host=host, at=r.at, what=f"stop code {', '.join(r.codes)}" if r.codes else "an unexpected restart") for r in rest]


def _seen(
    condition: CaseCondition,
    host: str,
    events: Sequence[EventReading],
    told: Sequence[Restart],
    crashes: Sequence[Crash],
) -> list[Sighting]:
    """Where a condition holds."""
    if condition.event is not None:
        pattern = condition.event
        return [Sighting(host=host, at=e.time, what=f"event {e.source} {e.id}") for e in events if fits(pattern, e)]
    if condition.kind == "bugcheck":
        coded = [restart.at for restart in told if condition.code in restart.codes]
        read = [c.crash_time or "" for c in crashes if c.bugcheck.base_code == condition.code and not _restarted(c, told)]
        times = coded + read
        return [Sighting(host=host, at=at, what=f"stop code {condition.code}") for at in times]
    wanted = condition.bucket.casefold()
    times = [at for at, bucket in reported_buckets(events) if bucket.casefold() == wanted]
    times += [c.crash_time or "" for c in crashes if (c.bucket or "").casefold() == wanted]
    return [Sighting(host=host, at=at, what=f"failure bucket {condition.bucket}") for at in times]


def _explained(case: Case, restart: Restart, events: Sequence[EventReading], crashes: Sequence[Crash]) -> bool:
    """Whether it is known of a restart that it was it, or that it was something else."""
    kinds = {condition.kind for condition in case.conditions}
    if "bugcheck" in kinds and not restart.codes:
        return False
    if "bucket" in kinds:
        start = moment(restart.at) or 0.0
        noted = [moment(at) or 0.0 for at, _ in reported_buckets(events)]
        noted += [moment(crash.crash_time) or 0.0 for crash in crashes if crash.bucket]
        return any(start - DAY_SECONDS <= at <= start + REPORT_SECONDS for at in noted)
    return True


def _coded(restart: Restart, crashes: Sequence[Crash]) -> Restart:
    """The restart with the stop code of the read dump before it, where its own records name none."""
    if restart.codes:
        return restart
    codes = dict.fromkeys(c.bugcheck.base_code for c in crashes if c.bugcheck.base_code is not None and _belongs(c, restart))
    return msgspec.structs.replace(restart, codes=tuple(codes))


def _restarted(crash: Crash, told: Iterable[Restart]) -> bool:
    """Whether the restart after a crash is told by its own records, so that it is not counted twice."""
    return any(_belongs(crash, restart) for restart in told)


def _belongs(crash: Crash, restart: Restart) -> bool:
    return -ONE_RESTART_SECONDS <= (moment(restart.at) or 0.0) - (moment(crash.crash_time) or 0.0) <= DAY_SECONDS


def _doubts(
    case: Case, snapshot: Snapshot, told: Sequence[Restart], explained: Sequence[Restart], crashes: Sequence[Crash]
) -> list[Sighting]:
    if all(condition.kind == "event" for condition in case.conditions):
        return []
    known = {restart.at for restart in explained}
    what = "it restarted unexpectedly, and which crash it was is not known"
    doubts = [Sighting(host=snapshot.host, at=restart.at, what=what) for restart in told if restart.at not in known]
    since = moment(case.since) or 0.0
    noted = [moment(at) or 0.0 for at in (*(restart.at for restart in told), *(crash.crash_time for crash in crashes))]
    for dump in snapshot.sections.dumps.records:
        written = moment(dump.modified_at)
        if (
            dump.kind != "settings"
            and written is not None
            and written > since
            and not any(abs(at - written) <= DAY_SECONDS for at in noted)
        ):
            doubts.append(Sighting(host=snapshot.host, at=dump.modified_at or "", what=f"a dump was written: {dump.path}"))
    return doubts


def _near(one: str, other: str) -> bool:
    return abs((moment(one) or 0.0) - (moment(other) or 0.0)) <= ONE_RESTART_SECONDS


def waits_for(case: Case) -> tuple[str, ...]:
    """What has to happen before a case can close itself; empty where it can."""
    waits: list[str] = []
    watched = {host.host: host for host in case.watched}
    for name in watched_hosts(case):
        host = watched.get(name)
        if host is None or host.blind:
            waits.append(f"{name} was not seen: {host.blind if host else 'not looked at yet'}")
        elif name in case.hosts and host.seconds < case.days * DAY_SECONDS:
            waits.append(f"{name}: {host.seconds / DAY_SECONDS:.1f} of {case.days:g} days were seen")
        if case.trigger is not None and name in (case.trigger.hosts or case.hosts):
            count = len(host.triggers) if host else 0
            if count < case.trigger.times:
                event = case.trigger.event
                waits.append(f"{name}: {event.source} {event.id} came {count} of {case.trigger.times} times")
    waits += [f"{doubt.host} at {doubt.at}: {doubt.what}" for doubt in case.doubts]
    return tuple(waits)


def settled(case: Case, now: datetime) -> Case:
    """The case ended where that is known: escalated where it came back, closed where it stayed away for as long as it had to."""
    if case.state != "observing":
        return case
    if case.sightings:
        first = min(case.sightings, key=lambda sighting: sighting.at)
        case = msgspec.structs.replace(case, state="escalated", outcome="recurred", closed_at=stamp(now.timestamp()))
        return noted(case, now, f"it came back: {first.what} on {first.host} at {first.at}")
    if waits_for(case):
        return case
    case = msgspec.structs.replace(case, state="closed", outcome="clean", closed_at=stamp(now.timestamp()))
    return noted(case, now, f"it stayed away for {case.days:g} days that were seen on each host")


def time_is_up(case: Case, now: datetime) -> bool:
    """Whether, by the calendar alone, the case should have ended."""
    return now.timestamp() >= (moment(case.since) or 0.0) + case.days * DAY_SECONDS


def noted(case: Case, at: datetime, what: str) -> Case:
    """The case with one more line in its journal."""
    return msgspec.structs.replace(case, journal=(*case.journal, CaseEntry(at=stamp(at.timestamp()), what=what)))


def stamp(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the second; times before 1970 or after 9999 end there."""
    return datetime.fromtimestamp(min(max(seconds, 0.0), 253_402_300_799.0), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
