"""The selector of scheduled work that collides: two kinds of jobs of a host that start in the same local hour."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from auditor.analysis.binding import Binding, Setting, Test
from auditor.analysis.facts import HostFacts
from auditor.analysis.matching import undecided
from auditor.analysis.outcome import Outcome
from auditor.model.finding import Edge, Evidence
from auditor.model.pattern import compile_pattern
from auditor.model.selector import CollisionSelector, JobPart
from auditor.model.task import ScheduledTask
from auditor.probes.tasks.decode import start_hours

LineTest = Callable[[str], bool]
_REMEMBERED_LINES = 20_000


class _Job(NamedTuple):
    """Work with its local start hours; None where they are not known."""

    key: str
    hours: frozenset[int] | None
    evidence: tuple[Evidence, ...]
    edge: Edge | None


class _Lead(NamedTuple):
    """Work of which the hours were not looked up yet."""

    key: str
    task: ScheduledTask | None
    lines: Sequence[str]
    edge: Edge | None


def compile_collision(selector: CollisionSelector, setting: Setting) -> Test:
    """Whether a job of the one kind and another of the other kind share a start hour."""
    role = setting.role(selector.host)
    parts = tuple((part, _patterns(part.commands)) for part in (selector.one, selector.other))

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        leads = [list(_leads(binding, facts, part, fits)) for part, fits in parts]
        if not all(leads):
            return undecided(facts, "tasks", list(_unseen(binding, facts, (selector.one, selector.other), leads)))
        ones, others = ([_job(facts, lead) for lead in found] for found in leads)
        pairs = [(one, other) for one in ones for other in others if one.key != other.key]
        met = [pair for pair in pairs if pair[0].hours and pair[1].hours and pair[0].hours & pair[1].hours]
        if met:
            jobs = list(dict.fromkeys(job for pair in met for job in pair))
            edges = tuple(job.edge for job in jobs if job.edge)
            return Outcome(True, tuple(dict.fromkeys(e for job in jobs for e in job.evidence)), edges=edges)
        silent = dict.fromkeys(job.key for pair in pairs for job in pair if job.hours is None)
        doubts = [f"{facts.name}: tasks: {key}: its hours are not known" for key in silent]
        doubts += _unseen(binding, facts, (selector.one, selector.other), leads)
        return undecided(facts, "tasks", doubts)

    return test


def _patterns(commands: tuple[str, ...]) -> LineTest | None:
    """A test for case-folded command lines. Hosts share most of theirs, so what it said of a line is remembered."""
    tests = tuple(compile_pattern(text) for text in commands)
    known: dict[str, bool] = {}

    def fits(line: str) -> bool:
        said = known.get(line)
        if said is None:
            said = any(test(line) for test in tests)
            if len(known) < _REMEMBERED_LINES:
                known[line] = said
        return said

    return fits if tests else None


def _leads(binding: Binding, facts: HostFacts, part: JobPart, fits: LineTest | None) -> Iterator[_Lead]:
    if fits is not None:
        for task, lines in facts.task_lines:
            chosen = [line for line, folded in lines if fits(folded)]
            if chosen and task.enabled is not False:
                yield _Lead(task.path or task.name or "", task, chosen, None)
    if part.copies and binding.ties is not None:
        for direction in ("out", "in"):
            for edges in binding.ties.neighbours(facts.name, direction, "copies-to", None).values():
                yield from (_Lead(edge.evidence[0].record if edge.evidence else edge.detail, None, (), edge) for edge in edges)


def _job(facts: HostFacts, lead: _Lead) -> _Job:
    if lead.edge is not None:
        return _Job(lead.key, None if lead.edge.hours is None else frozenset(lead.edge.hours), lead.edge.evidence, lead.edge)
    hours = start_hours(lead.task, facts.snapshot.clock.utc_offset_minutes) if lead.task is not None else None
    told = (facts.evidence("tasks", lead.key, "actions", lead.lines), facts.evidence("tasks", lead.key, "triggers", hours))
    return _Job(lead.key, None if hours is None else frozenset(hours), told, None)


def _unseen(binding: Binding, facts: HostFacts, parts: tuple[JobPart, JobPart], found: Sequence[list[_Lead]]) -> Iterator[str]:
    """What else of this host may hold such a job. Copies that were not seen are told only where the other kind was seen."""
    yield from (f"{facts.name}: tasks: {fault.place}: {fault.message}" for fault in facts.unread_tasks)
    ties = binding.ties
    for part, partners in zip(parts, reversed(found), strict=True):
        if part.copies and ties is not None and partners:
            yield from ties.side_doubt(facts.name, "source", "copies-to", None)
            yield from ties.open_doubts(facts.name, "source", "copies-to")
