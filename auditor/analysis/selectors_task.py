"""The selector of scheduled tasks; what a task says is read by the probes' decoder."""

from __future__ import annotations

from typing import Any

from auditor.analysis.binding import Binding, Setting, Test
from auditor.analysis.facts import HostFacts
from auditor.analysis.matching import undecided
from auditor.analysis.outcome import Outcome
from auditor.model.finding import Evidence
from auditor.model.pattern import compile_pattern
from auditor.model.selector import TaskSelector
from auditor.model.task import ScheduledTask, TaskAction
from auditor.probes.tasks.decode import start_hours


def compile_task(selector: TaskSelector, setting: Setting) -> Test:
    """A task by path, command line, state and start hours."""
    role = setting.role(selector.host)
    path = compile_pattern(selector.path) if selector.path is not None else None

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        found: list[Evidence] = []
        doubts: list[str] = []
        for task in facts.tasks:
            name = task.path or task.name or ""
            if path is not None and not path(name.casefold()):
                continue
            evidence, open_fields = _read(facts, task, selector)
            if evidence is not None and not open_fields:
                found += evidence
            doubts += [facts.why("tasks", name, field) for field in open_fields if evidence is not None]
        doubts += [
            f"{facts.name}: tasks: {fault.place}: {fault.message}"
            for fault in facts.unread_tasks
            if path is None or path(fault.place.partition(": ")[0].casefold())
        ]
        return Outcome(True, tuple(found)) if found else undecided(facts, "tasks", doubts, path)

    return test


def _read(facts: HostFacts, task: ScheduledTask, selector: TaskSelector) -> tuple[list[Evidence] | None, list[str]]:
    """Evidence of a task that fits (None where it does not), and fields that are not known."""
    name = task.path or task.name or ""
    checks: list[tuple[str, bool | None, Any]] = []
    if selector.enabled is not None:
        checks.append(("enabled", None if task.enabled is None else task.enabled is selector.enabled, task.enabled))
    if selector.command is not None:
        lines = [command_line(action) for action in task.actions or ()]
        fits = compile_pattern(selector.command)
        chosen = [line for line in lines if fits(line.casefold())]
        checks.append(("actions", None if task.actions is None else bool(chosen), chosen))
    if selector.hours:
        hours = start_hours(task, facts.snapshot.clock.utc_offset_minutes)
        checks.append(("triggers", None if hours is None else bool(set(hours) & set(selector.hours)), hours))
    if any(holds is False for _, holds, _ in checks):
        return None, []
    open_fields = [field for field, holds, _ in checks if holds is None]
    return [facts.evidence("tasks", name, field, value) for field, _, value in checks] or [facts.evidence("tasks", name)], open_fields


def command_line(action: TaskAction) -> str:
    """Program and arguments as one text."""
    return action.line or " ".join(part for part in (action.command, action.arguments) if part)
