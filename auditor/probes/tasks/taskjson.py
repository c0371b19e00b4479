"""Tasks as JSON: `Get-ScheduledTask | ConvertTo-Json`, and what tools make of schtasks' columns under their English names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from auditor.model.task import Repetition, ScheduledTask, TaskAction, TaskPrincipal, TaskTrigger
from auditor.probes.recorded.jsontext import read_json
from auditor.probes.recorded.moments import Calendar
from auditor.probes.recorded.outcome import Fault, Outcome
from auditor.probes.tasks.rows import ENGLISH, Row, build_task, merge_tasks

_STATES = {0: "Unknown", 1: "Disabled", 2: "Queued", 3: "Ready", 4: "Running"}


def read_task_json(text: str) -> Outcome[ScheduledTask]:
    """All tasks of a document: an object or a list of objects. Rows of one task are merged."""
    document, broken = read_json(text)
    outcome: Outcome[ScheduledTask] = Outcome()
    tasks: list[ScheduledTask] = []
    for number, item in enumerate(document if isinstance(document, list) else [document]):
        task = _task(item, number) if isinstance(item, dict) else None
        if task is None:
            outcome.faults.append(Fault(place=f"item {number}", message="not a task: it has neither a name nor a path"))
        else:
            tasks.append(task)
    outcome.faults.extend([broken] if broken else [])
    outcome.records, outcome.merged = merge_tasks(tasks)
    return outcome


def _task(item: Mapping[str, Any], number: int) -> ScheduledTask | None:
    if isinstance(item.get("Actions"), list | dict):
        return _of_module(item)
    values = {
        ENGLISH[k.casefold()]: str(v)
        for k, v in item.items()
        if k.casefold() in ENGLISH and v is not None and not isinstance(v, dict | list)
    }
    state = item.get("State")
    if isinstance(state, str) and "Scheduled Task State" in item:
        # Two columns have this meaning: the one is the status of the moment.
        values["status"], values["state"] = state, str(item["Scheduled Task State"])
    if not values.get("name"):
        return None
    return build_task(Row(line=number, form="json", values=values), Calendar(values.values()))


def _of_module(item: Mapping[str, Any]) -> ScheduledTask | None:
    """An object of the ScheduledTasks module."""
    name, folder = _text(item, "TaskName"), _text(item, "TaskPath")
    uri = _text(item, "URI") or (folder.rstrip("\\") + "\\" + name if name and folder else None)
    if name is None and uri is None:
        return None
    state = item.get("State")
    word = _STATES.get(state) if isinstance(state, int) else state if isinstance(state, str) else None
    principal = item.get("Principal")
    triggers = item.get("Triggers")
    return ScheduledTask(
        name=name or (uri or "").rpartition("\\")[2],
        path=uri,
        enabled={"Disabled": False, "Ready": True, "Queued": True}.get(word or ""),
        author=_text(item, "Author"),
        description=_text(item, "Description"),
        registered=_text(item, "Date"),
        triggers=tuple(_trigger(t) for t in _list(triggers)) if triggers is not None else None,
        principal=_principal(principal) if isinstance(principal, dict) else None,
        actions=tuple(_action(a) for a in _list(item.get("Actions"))),
        source_format="json",
    )


def _list(value: Any) -> list[Mapping[str, Any]]:
    items = value if isinstance(value, list) else [value]
    return [i for i in items if isinstance(i, dict)]


def _text(item: Mapping[str, Any], *names: str) -> str | None:
    return next((item[n].strip() for n in names if isinstance(item.get(n), str) and item[n].strip()), None)


def _action(action: Mapping[str, Any]) -> TaskAction:
    class_id = _text(action, "ClassId")
    return TaskAction(
        kind="com" if class_id else "exec",
        command=_text(action, "Execute"),
        arguments=_text(action, "Arguments"),
        working_directory=_text(action, "WorkingDirectory"),
        class_id=class_id,
    )


def _principal(value: Mapping[str, Any]) -> TaskPrincipal:
    level, logon = value.get("RunLevel"), value.get("LogonType")
    return TaskPrincipal(
        user_id=_text(value, "UserId"),
        group_id=_text(value, "GroupId"),
        logon_type=logon if isinstance(logon, str) else None,
        run_level={0: "LeastPrivilege", 1: "HighestAvailable"}.get(level)
        if isinstance(level, int)
        else level
        if isinstance(level, str)
        else None,
    )


def _trigger(trigger: Mapping[str, Any]) -> TaskTrigger:
    kind = trigger.get("CimClass")
    name = kind.get("CimClassName") if isinstance(kind, dict) else kind if isinstance(kind, str) else None
    match = re.search(r"MSFT_Task(\w+?)Trigger", name or "")
    word = match.group(1) if match else None
    repetition = trigger.get("Repetition")
    enabled = trigger.get("Enabled")
    return TaskTrigger(
        type={"Daily": "CalendarTrigger", "Weekly": "CalendarTrigger"}.get(word or "", f"{word}Trigger" if word else None),
        enabled=enabled if isinstance(enabled, bool) else None,
        start=_text(trigger, "StartBoundary"),
        end=_text(trigger, "EndBoundary"),
        delay=_text(trigger, "RandomDelay", "Delay"),
        repetition=_repetition(repetition) if isinstance(repetition, dict) and repetition.get("Interval") else None,
    )


def _repetition(value: Mapping[str, Any]) -> Repetition:
    stop = value.get("StopAtDurationEnd")
    return Repetition(
        interval=_text(value, "Interval"), duration=_text(value, "Duration"), stop_at_duration_end=stop if isinstance(stop, bool) else None
    )
