"""What happened round the moment, in order, on one clock. Pure; skew is taken out, scheduled starts are told from recorded ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.jobs import due_tasks, near_jobs
from auditor.analysis.investigate.moment import event_evidence, event_time, is_restart
from auditor.analysis.investigate.signs_activity import logon_evidence, sourced_logons
from auditor.analysis.investigate.zone import parse_utc, to_utc
from auditor.model.host import EventReading
from auditor.model.hypothesis import Entry, Lane
from auditor.model.times import stamp

MOST_ENTRIES = 200
_LANES: tuple[tuple[str, Lane], ...] = (
    ("restart", "crash"),
    ("security_update", "security"),
    ("disk", "disk"),
    ("paging", "disk"),
    ("volume", "disk"),
    ("disk_check", "disk"),
    ("hardware", "disk"),
    ("exhaustion", "disk"),
    ("service_failed", "service"),
    ("service_change", "service"),
    ("service_installed", "change"),
    ("installer", "change"),
)
"""Kinds of events and the row of the picture on which each stands."""


def timeline(case: Case) -> tuple[Entry, ...]:
    """Everything that is dated near the moment, the oldest first; at most `MOST_ENTRIES`, those nearest to the moment."""
    if case.moment is None or case.seen.moment is None:
        return ()
    at = case.moment
    text = f"{case.name} fell" + (f": stop code {hex(case.code)}" if case.code is not None else "")
    first = next(iter(case.seen.moment.evidence), None)
    entries = [Entry(time=case.seen.moment.time, host=case.name, lane="crash", text=text, evidence=first)]
    entries += [entry for host in (case.host, *case.neighbours) for entry in _events(case, host)]
    entries += _logons(case)
    entries += _jobs(case)
    entries = list(dict.fromkeys(entries))
    if len(entries) > MOST_ENTRIES:
        entries = sorted(entries, key=lambda entry: abs(_seconds(entry, at.timestamp())))[:MOST_ENTRIES]
    return tuple(sorted(entries, key=lambda entry: (entry.time, entry.host, entry.lane, entry.text)))


def _seconds(entry: Entry, at: float) -> float:

    time = parse_utc(entry.time)
    return time.timestamp() - at if time is not None else float("inf")


def _events(case: Case, host: HostFacts) -> Iterator[Entry]:
    """Events that mean something, and of this host all others that were asked for."""
    assert case.moment is not None
    before, after = case.minutes("timeline_before"), case.minutes("timeline_after")
    lanes = {
        (kind.log.casefold(), kind.source.casefold(), number): lane
        for name, lane in _LANES
        for kind in case.known.hypotheses.events.get(name, ())
        for number in kind.ids or (-1,)
    }
    for event in host.sections.events.readings:
        time = event_time(host, event)
        if time is None or not case.moment - before <= time <= case.moment + after:
            continue
        place = (event.log.casefold(), event.source.casefold())
        lane = lanes.get((*place, event.id)) or lanes.get((*place, -1))
        if lane is None and host is not case.host:
            continue
        yield Entry(
            time=stamp(time), host=host.name, lane=lane or _restart(event), text=_words(event), evidence=event_evidence(host, event)
        )


def _restart(event: EventReading) -> Lane:

    return "crash" if is_restart(event) else "other"


def _words(event: EventReading) -> str:
    told = " ".join(" ".join(part.split()) for part in event.strings if part)[:160]
    return f"{event.source} {event.id}" + (f": {told}" if told else "")


def _logons(case: Case) -> Iterator[Entry]:
    for when, logon, target in sourced_logons(case, case.minutes("timeline_before")):
        source = target or logon.workstation or logon.address or ""
        text = f"logon from {source} as {logon.account or 'an unknown account'}"
        yield Entry(time=stamp(when), host=case.name, lane="logon", text=text, evidence=logon_evidence(case, logon))


def _jobs(case: Case) -> Iterator[Entry]:
    for near in near_jobs(case):
        if near.due_utc is not None:
            way = f"{near.other_name} to {case.name}" if near.writes_here else f"{case.name} to {near.other_name}"
            evidence = next(iter(near.evidence), None)
            yield Entry(
                time=near.due_utc, host=near.runs_on, lane="job", text=f"{near.job.tool} {way} was due", evidence=evidence, planned=True
            )
    for name, due in due_tasks(case, min(case.minutes("job"), timedelta(hours=12))):
        time = to_utc(case.host, due.at)
        if time is not None:
            evidence = case.host.evidence("tasks", name, "triggers", due.at.isoformat())
            yield Entry(time=stamp(time), host=case.name, lane="job", text=f"task {name} was due", evidence=evidence, planned=True)
