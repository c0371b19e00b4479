"""Signs in what went on round the moment: the hour, tasks, copies between hosts, logons, updates of security products, services. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.case import Case, Happened
from auditor.analysis.investigate.jobs import NearJob, due_tasks, near_jobs, writes_programs
from auditor.analysis.investigate.moment import skewed
from auditor.analysis.investigate.zone import parse_utc
from auditor.model.finding import Evidence
from auditor.model.host import LogonReading
from auditor.model.hypothesis import Sign

_SHOWN = 4


def activity_signs(case: Case) -> Iterator[Sign]:
    """What was going on."""
    yield _full_hour(case)
    jobs = near_jobs(case)
    yield _tasks(case)
    yield _jobs_due(case, jobs)
    yield _programs_written(case, jobs)
    yield from _logons(case)
    yield _updates_here(case)
    yield _updates_there(case)
    yield _services(case)
    yield _served(case)


def _full_hour(case: Case) -> Sign:
    if case.local is None or case.seen.moment is None:
        return Sign(id="near_full_hour", state=None, text="the local time of the moment is not known")
    minute = case.local.minute + case.local.second / 60
    away = min(minute, 60 - minute)
    near = away <= case.minutes("full_hour").total_seconds() / 60
    text = f"{case.local.strftime('%H:%M:%S')} local time lies {away:.0f} minutes from a full hour"
    return Sign(id="near_full_hour", state=near, text=text, grade="named", evidence=case.seen.moment.evidence)


def _tasks(case: Case) -> Sign:
    if case.local is None:
        return Sign(id="task_due_here", state=None, text="the local time of the moment is not known, so no schedule was held against it")
    due = list(due_tasks(case, case.minutes("task")))
    unseen = case.host.unseen("tasks")
    if not due:
        state = None if unseen else False
        return Sign(id="task_due_here", state=state, text=unseen or "no scheduled task of this host was due in the minutes before")
    named = ", ".join(f"{name} at {start.at.strftime('%H:%M')}" for name, start in due[:_SHOWN])
    evidence = tuple(case.host.evidence("tasks", name, "triggers", start.at.isoformat()) for name, start in due[:_SHOWN])
    return Sign(id="task_due_here", state=True, text=f"tasks of this host were due: {named}", evidence=evidence)


def _unseen(case: Case, *sections: str) -> str:
    """Why a listing over this host and its neighbours is not complete."""
    reasons = [reason for host in (case.host, *case.neighbours) for name in sections if (reason := host.unseen(name)) is not None]
    reasons += [f"{name}: was not collected" for name in sorted(case.tied) if not case.fleet.hosts[name].collected]
    return "; ".join(dict.fromkeys(reasons))


def _job_words(near: NearJob) -> str:
    way = f"{near.other_name} to here" if near.writes_here else f"here to {near.other_name}"
    at = f" at {near.due.at.strftime('%H:%M')}" if near.due is not None else ""
    return f"{near.job.tool} from {way}, run by {near.runs_on}{at}"


def _jobs_due(case: Case, jobs: Sequence[NearJob]) -> Sign:
    due = [near for near in jobs if near.due is not None]
    if due:
        named = "; ".join(_job_words(near) for near in due[:_SHOWN])
        evidence = tuple(dict.fromkeys(step for near in due for step in near.evidence[:2]))[: 3 * _SHOWN]
        others = ", ".join(sorted({near.other_name for near in due}))
        return Sign(id="copy_job_due", state=True, text=f"copies between hosts were due: {named}", evidence=evidence, subject=others)
    unseen = _unseen(case, "tasks", "scripts")
    return Sign(id="copy_job_due", state=None if unseen else False, text=unseen or "no copy to or from another host was due then")


def _programs_written(case: Case, jobs: Sequence[NearJob]) -> Sign:
    name, due = "copy_job_writes_programs", [near for near in jobs if near.due is not None and near.writes_here]
    verdicts = [(near, writes_programs(case, near)) for near in due]
    hits = [near for near, verdict in verdicts if verdict]
    if hits:
        named = "; ".join(f"{_job_words(near)}, to {near.place}" for near in hits[:_SHOWN])
        evidence = tuple(dict.fromkeys(step for near in hits for step in near.evidence))[: 3 * _SHOWN]
        others = ", ".join(sorted({near.other_name for near in hits}))
        return Sign(
            id=name,
            state=True,
            text=f"a copy that was due writes over program files of this host: {named}",
            evidence=evidence,
            subject=others,
        )
    open_ones = [near for near, verdict in verdicts if verdict is None]
    if open_ones:
        return Sign(id=name, state=None, text=f"where it writes on this host, or what, is not known: {_job_words(open_ones[0])}")
    unseen = _unseen(case, "tasks", "scripts")
    if not due and unseen:
        return Sign(id=name, state=None, text=unseen)
    text = (
        "the copies that were due write to data folders, not to where programs of this host lie" if due else "no copy to this host was due"
    )
    evidence = tuple(dict.fromkeys(near.evidence[-1] for near in due if near.evidence))[:_SHOWN]
    return Sign(id=name, state=False, text=text, evidence=evidence)


def sourced_logons(case: Case, before: timedelta) -> list[tuple[datetime, LogonReading, str | None]]:
    """Logons from elsewhere in the minutes before the moment, the oldest first, with the target that their source means."""
    found: list[tuple[datetime, LogonReading, str | None]] = []
    for logon in case.host.sections.logons.readings:
        time = parse_utc(logon.time)
        if time is None or case.moment is None or not (logon.workstation or logon.address):
            continue
        when = skewed(case.host, time)
        if case.moment - before <= when <= case.moment:
            names = [text for text in (logon.workstation, logon.address) if text]
            targets = {target for text in names if (target := case.fleet.resolver.resolve(text).target)}
            found.append((when, logon, next(iter(targets)) if len(targets) == 1 else None))
    return sorted(found, key=lambda item: item[0])


def logon_evidence(case: Case, logon: LogonReading) -> Evidence:
    """A pointer to a logon."""
    who = "\\".join(part for part in (logon.domain, logon.account) if part)
    return case.host.evidence("logons", logon.time, "workstation", f"{logon.workstation or logon.address or ''} {who}".strip())


def _logons(case: Case) -> Iterator[Sign]:
    last_name, near_name = "last_logon_from_tied", "logon_shortly_before"
    logons = [item for item in sourced_logons(case, case.minutes("logon_window")) if item[2] != case.name]
    unseen = case.host.unseen("logons") or ("" if case.moment is not None else "when it happened is not known")
    if not logons:
        text = unseen or "no logon from elsewhere in the time before"
        yield from (Sign(id=name, state=None if unseen else False, text=text) for name in (last_name, near_name))
        return
    when, logon, target = logons[-1]
    assert case.moment is not None
    seconds = int((case.moment - when).total_seconds())
    source = target or logon.workstation or logon.address or ""
    who = logon.account or "an unknown account"
    text = f"the last logon before it came from {source}, {seconds // 60} min {seconds % 60} s before, as {who}"
    evidence = (logon_evidence(case, logon),)
    yield Sign(id=last_name, state=target is not None, text=text, evidence=evidence, subject=target or "")
    near = seconds <= case.minutes("logon").total_seconds()
    yield Sign(id=near_name, state=near and target is not None, text=text, evidence=evidence, subject=target or "")


def _told(found: Sequence[Happened]) -> str:
    return "; ".join(f"{h.host} {h.time.strftime('%H:%M:%SZ')} {h.event.source} {h.event.id}" for h in found[-_SHOWN:])


def _updates_here(case: Case) -> Sign:
    name, window = "security_update_here", case.minutes("security_update")
    found = case.events(case.host, "security_update", window)
    if found:
        evidence = tuple(h.evidence for h in found[-_SHOWN:])
        return Sign(
            id=name, state=True, text=f"a security product of this host was updated shortly before: {_told(found)}", evidence=evidence
        )
    blind = case.blind(case.host, "security_update", window)
    return Sign(
        id=name, state=None if blind else False, text=blind or "no update of a security product was recorded here in the time before"
    )


def _updates_there(case: Case) -> Sign:
    """Updates on hosts that manage or update this one, or are of one group with it."""
    name, window = "security_update_on_tied", case.minutes("security_update")
    tied = [host for host in case.neighbours if _product_tie(case, host)]
    found = [happened for host in tied for happened in case.events(host, "security_update", window)]
    if found:
        evidence = tuple(h.evidence for h in found[-_SHOWN:])
        hosts = ", ".join(sorted({h.host for h in found}))
        return Sign(
            id=name,
            state=True,
            text=f"security products were updated shortly before on {hosts}: {_told(found)}",
            evidence=evidence,
            subject=hosts,
        )
    blind = "; ".join(reason for host in tied if (reason := case.blind(host, "security_update", window)))
    if not tied:
        return Sign(id=name, state=False, text="no host that was seen manages or updates this one")
    return Sign(id=name, state=None if blind else False, text=blind or "no update was recorded on the hosts that manage or update this one")


def _product_tie(case: Case, host: HostFacts) -> bool:
    graph = case.fleet.graph
    return any(host.name in graph.edges_at(case.name, way, kind) for kind in ("manages", "updates") for way in ("in", "out"))


def _services(case: Case) -> Sign:
    name, window = "service_changed_state", case.minutes("service")
    found = case.events(case.host, "service_change", window)
    if found:
        what = "; ".join(f"{h.time.strftime('%H:%M:%SZ')} {' '.join(h.event.strings[:2])}" for h in found[-_SHOWN:])
        return Sign(
            id=name, state=True, text=f"services were started or stopped: {what}", evidence=tuple(h.evidence for h in found[-_SHOWN:])
        )
    blind = case.blind(case.host, "service_change", window)
    return Sign(id=name, state=None if blind else False, text=blind or "no service was started or stopped in the minutes before")


def _served(case: Case) -> Sign:
    edges = [edge for other in case.fleet.graph.edges_at(case.name, "in", "serves").items() for edge in other[1]]
    if not edges:
        unseen = case.host.unseen("network")
        return Sign(
            id="served_by_fleet", state=None if unseen else False, text=unseen or "no host of the fleet serves names or addresses here"
        )
    text = ", ".join(f"{edge.source.removeprefix('host:')} ({edge.detail})" for edge in edges[:_SHOWN])
    return Sign(
        id="served_by_fleet",
        state=True,
        text=f"served by hosts of the fleet: {text}",
        evidence=tuple(e for edge in edges[:_SHOWN] for e in edge.evidence),
    )
