"""Copy jobs that reach this host or leave it, resolved to hosts and places, with their starts round the moment. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from auditor.analysis.copying.copyjobs import CopyJob, copy_jobs
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.moment import own_clock
from auditor.analysis.investigate.schedule import Due, due_between
from auditor.analysis.investigate.zone import to_local, to_utc
from auditor.model.finding import CopyEnd, Evidence
from auditor.model.pattern import matches_any

_AFTER = timedelta(minutes=2)


class NearJob(msgspec.Struct, frozen=True, kw_only=True):
    """A copy between this host and another, and when it was due."""

    runs_on: str
    job: CopyJob
    other: str | None
    """The host at the other end; None where its name could not be resolved."""
    other_name: str
    writes_here: bool
    """Whether the destination lies on this host."""
    place: str | None
    """Where it writes on this host, as a local path; None where not known or elsewhere."""
    due: Due | None
    """Its last start before the moment, within the window, in local time of the host that runs it."""
    due_utc: str | None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The chain from the task to the line that copies."""
        return self.job.steps


def near_jobs(case: Case) -> list[NearJob]:
    """Copies between this host and others, those that were due first."""
    found: dict[tuple[object, ...], NearJob] = {}
    for facts in (case.host, *case.neighbours):
        if facts.sections.tasks.usable or facts.sections.scripts.usable:
            for job in copy_jobs(facts.snapshot):
                near = _near(case, facts, job)
                if near is not None:
                    key = (facts.name, job.source, job.destination, job.command, near.due_utc)
                    found.setdefault(key, near)
    return sorted(found.values(), key=lambda near: (near.due_utc is None, near.runs_on, near.job.command))


def _near(case: Case, facts: HostFacts, job: CopyJob) -> NearJob | None:
    ends = [(job.source, _target(case, facts, job.source)), (job.destination, _target(case, facts, job.destination))]
    here = [target == case.name for _, target in ends]
    if here == [True, True] or not any(here):
        return None
    far, other = ends[0] if here[1] else ends[1]
    due = _due(case, facts, job)
    moment = to_utc(facts, due.at) if due is not None else None
    return NearJob(
        runs_on=facts.name,
        job=job,
        other=other,
        other_name=other or far.host or "a host that is not named",
        writes_here=here[1],
        place=local_place(case.host, job.destination) if here[1] else None,
        due=due,
        due_utc=moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment is not None else None,
    )


def _target(case: Case, facts: HostFacts, end: CopyEnd) -> str | None:
    if end.kind == "local":
        return facts.name
    return case.fleet.resolver.resolve(end.host).target if end.kind == "remote" and end.host else None


def _due(case: Case, facts: HostFacts, job: CopyJob) -> Due | None:
    """The last start before the moment of the tasks that lead to the job."""
    if case.moment is None or not job.steps:
        return None
    local = to_local(facts, own_clock(facts, case.moment))
    if local is None:
        return None
    offset = round((local - case.moment.replace(tzinfo=None)).total_seconds() / 60)
    starts = [
        due
        for task in facts.tasks
        if (task.path or task.name) == job.steps[0].record
        for due in due_between(task, local - case.minutes("job"), local + _AFTER, offset)
    ]
    return max(starts, key=lambda due: due.at, default=None)


def local_place(host: HostFacts, end: CopyEnd) -> str | None:
    """The local path that a destination on this host means; None where its share is not known."""
    if end.kind == "local":
        return end.path
    share = (end.share or "").casefold()
    rest = (end.path or "").strip("\\")
    if len(share) == 2 and share.endswith("$"):
        return f"{share[0].upper()}:\\{rest}"
    base = next((record.path for record in host.sections.shares.records if record.name.casefold() == share), None)
    if base is None and share == "admin$":
        base = (host.system.windows_directory if host.system else None) or "C:\\WINDOWS"
    return None if base is None else f"{base.rstrip(chr(92))}\\{rest}".rstrip("\\")


def writes_programs(case: Case, near: NearJob) -> bool | None:
    """Whether a job writes programs where this host keeps its own; None where the place or the files are not known."""
    if not near.writes_here or near.job.writes_executables is False:
        return False
    if near.place is None:
        return None
    path = near.place.rstrip("\\") + "\\"
    known = case.known.hypotheses
    fits = matches_any(known.program_paths, path) or matches_any(known.program_paths, near.place)
    if not fits:
        return False
    return True if near.job.writes_executables else None


def due_tasks(case: Case, before: timedelta) -> Iterator[tuple[str, Due]]:
    """Tasks of this host that were due in the minutes before the moment: path, start. A task in two formats comes once."""
    if case.local is None or case.moment is None:
        return
    offset = round((case.local - case.moment.replace(tzinfo=None)).total_seconds() / 60)
    seen: set[tuple[str, object]] = set()
    for task in case.host.tasks:
        name = task.path or task.name or ""
        for due in due_between(task, case.local - before, case.local + _AFTER, offset)[:1]:
            key = (name.casefold().removesuffix(".job"), due.at)
            if key not in seen:
                seen.add(key)
                yield name, due
