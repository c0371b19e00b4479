"""The selector of scheduled work that collides: two kinds of jobs of a host that start in the same local hour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.matching import undecided
from auditor.analysis.host.outcome import Outcome
from auditor.model.finding import Edge, Evidence
from auditor.model.pattern import compile_pattern
from auditor.model.selector import CollisionSelector, JobPart
from auditor.model.task import ScheduledTask
from auditor.probes.tasks.decode import start_hours

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
    parts = tuple((part, _Lines(part.commands)) for part in (selector.one, selector.other))

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        leads = [list(_leads(binding, facts, part, known)) for part, known in parts]
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


class _Lines:
    """Which case-folded command lines fit one of some globs. Hosts share most of theirs, so what fits and what does not is remembered."""

    def __init__(self, commands: tuple[str, ...]) -> None:
        self._tests = tuple(compile_pattern(text) for text in commands)
        self._fitting: set[str] = set()
        self._others: set[str] = set()

    def among(self, lines: frozenset[str]) -> frozenset[str]:
        """Those of a host's lines that fit."""
        if not self._tests:
            return frozenset()
        new = lines - self._others - self._fitting
        if not new:
            return lines & self._fitting
        fitting = {line for line in new if any(test(line) for test in self._tests)}
        if len(self._fitting) + len(self._others) + len(new) <= _REMEMBERED_LINES:
            self._fitting |= fitting
            self._others |= new - fitting
        return (lines & self._fitting) | fitting


def _leads(binding: Binding, facts: HostFacts, part: JobPart, known: _Lines) -> Iterator[_Lead]:
    if fitting := known.among(facts.folded_lines):
        for task, lines in facts.task_lines:
            chosen = [line for line, folded in lines if folded in fitting]
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
