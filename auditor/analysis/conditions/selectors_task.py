"""The selector of scheduled tasks; what a task says is read by the probes' decoder."""

from __future__ import annotations

from typing import Any

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.matching import undecided
from auditor.analysis.host.outcome import Outcome
from auditor.model.finding import Evidence
from auditor.model.pattern import compile_pattern
from auditor.model.selector import TaskSelector
from auditor.model.task import ScheduledTask
from auditor.probes.tasks.decode import start_hours


def compile_task(selector: TaskSelector, setting: Setting) -> Test:
    """A task by path, command line, state and start hours."""
    role = setting.role(selector.host)
    path = compile_pattern(selector.path) if selector.path is not None else None
    command = compile_pattern(selector.command) if selector.command is not None else None

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        found: list[Evidence] = []
        doubts: list[str] = []
        for task, lines in facts.task_lines:
            chosen = [line for line, folded in lines if command(folded)] if command is not None else []
            if command is not None and not chosen and task.actions is not None:
                continue
            name = task.path or task.name or ""
            if path is not None and not path(name.casefold()):
                continue
            evidence, open_fields = _read(facts, task, selector, chosen)
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


def _read(facts: HostFacts, task: ScheduledTask, selector: TaskSelector, chosen: list[str]) -> tuple[list[Evidence] | None, list[str]]:
    """Evidence of a task that fits (None where it does not), and fields that are not known. `chosen` are its command lines that fit."""
    name = task.path or task.name or ""
    checks: list[tuple[str, bool | None, Any]] = []
    if selector.enabled is not None:
        checks.append(("enabled", None if task.enabled is None else task.enabled is selector.enabled, task.enabled))
    if selector.command is not None:
        checks.append(("actions", None if task.actions is None else bool(chosen), chosen))
    if selector.hours:
        hours = start_hours(task, facts.snapshot.clock.utc_offset_minutes)
        checks.append(("triggers", None if hours is None else bool(set(hours) & set(selector.hours)), hours))
    if any(holds is False for _, holds, _ in checks):
        return None, []
    open_fields = [field for field, holds, _ in checks if holds is None]
    return [facts.evidence("tasks", name, field, value) for field, _, value in checks] or [facts.evidence("tasks", name)], open_fields
