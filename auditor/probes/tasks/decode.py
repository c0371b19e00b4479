"""The tasks section of a snapshot to scheduled tasks, whatever format each record is in. Pure: interpretation happens on reading.

A record that can't be read is a fault beside the others, never an exception and never silence.
"""

from __future__ import annotations

import base64
import binascii
import functools
import re
from collections.abc import Iterable

import msgspec

from auditor.model.errors import DecodeError
from auditor.model.host import Snapshot, TaskRecord
from auditor.model.task import ScheduledTask, TaskTrigger
from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.tasks.at import read_at
from auditor.probes.tasks.job import read_job
from auditor.probes.tasks.schtasks import read_schtasks
from auditor.probes.tasks.xml import read_xml

_DURATION = re.compile(r"P(?:(\d{1,4})D)?(?:T(?:(\d{1,5})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?")
_START = re.compile(r"\d{4}-\d{2}-\d{2}T(\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?")
_EVENT_TRIGGERS = ("BootTrigger", "LogonTrigger", "IdleTrigger", "EventTrigger", "RegistrationTrigger", "SessionStateChangeTrigger")
_DAY_MINUTES = 24 * 60
_REMEMBERED_CHARACTERS = 20_000
"""Longer tasks are rare, and not worth the memory."""


def scheduled_tasks(snapshot: Snapshot) -> tuple[ScheduledTask, ...]:
    """All tasks of a host that can be read, each once; `path` is the record's, so that it points at the evidence."""
    return _once([task for record in snapshot.sections.tasks.records for task in _read(record)[0]])


def _once(tasks: list[ScheduledTask]) -> tuple[ScheduledTask, ...]:
    """A task of 2003 is a .job file, which says what it does, and a row of schtasks, which alone says as whom."""
    listed = {_bare(t.path): t for t in tasks if t.source_format.startswith("schtasks")}
    jobs = {_bare(t.path) for t in tasks if t.source_format == "job"}
    if jobs.isdisjoint(listed):
        return tuple(tasks)
    return tuple(
        _completed(task, listed.get(_bare(task.path)))
        for task in tasks
        if not (task.source_format.startswith("schtasks") and _bare(task.path) in jobs)
    )


def _bare(path: str | None) -> str:
    return (path or "").casefold().lstrip("\\").removesuffix(".job")


def _completed(task: ScheduledTask, row: ScheduledTask | None) -> ScheduledTask:
    if task.source_format != "job" or row is None:
        return task
    return msgspec.structs.replace(task, principal=row.principal, host=row.host, runs=task.runs or row.runs)


def unreadable_tasks(snapshot: Snapshot) -> tuple[Fault, ...]:
    """What of the tasks section can't be read; the place starts with the record's path."""
    return tuple(
        Fault(place=f"{record.path}: {fault.place}" if fault.place else record.path, message=fault.message)
        for record in snapshot.sections.tasks.records
        for fault in _read(record)[1]
    )


def _read(record: TaskRecord) -> tuple[tuple[ScheduledTask, ...], tuple[Fault, ...]]:
    """Tasks and faults of a record. The tasks of Windows are the same on many hosts, so those read last are remembered by their text."""
    if len(record.text or "") + len(record.data or "") > _REMEMBERED_CHARACTERS:
        outcome = read_task(record)
        return tuple(outcome.records), tuple(outcome.faults)
    return _remembered(record)


@functools.lru_cache(maxsize=4096)
def _remembered(record: TaskRecord) -> tuple[tuple[ScheduledTask, ...], tuple[Fault, ...]]:
    outcome = read_task(record)
    return tuple(outcome.records), tuple(outcome.faults)


def read_task(record: TaskRecord) -> Outcome[ScheduledTask]:
    """The task of one record (an `at` listing may hold several)."""
    if record.source_format == "job":
        outcome = _read_job_data(record)
    elif record.text is None:
        outcome = failed("the task's text was not read")
    elif record.source_format == "xml":
        outcome = read_xml(record.text, record.path)
    else:
        outcome = (read_at if record.source_format == "at" else read_schtasks)(record.text)
        if not outcome.records and not outcome.faults:
            outcome = failed("no task in what the host printed")
    outcome.records = [_placed(task, record) for task in outcome.records]
    return outcome


def _read_job_data(record: TaskRecord) -> Outcome[ScheduledTask]:
    if record.data is None:
        return failed("the .job file was not read")
    try:
        return Outcome(records=[read_job(base64.b64decode(record.data, validate=True), record.path.rpartition("\\")[2])])
    except (binascii.Error, ValueError):
        return failed("the .job file did not arrive as base64")
    except DecodeError as error:
        return failed(error.message, error.place)


def _placed(task: ScheduledTask, record: TaskRecord) -> ScheduledTask:
    """The record's path is the task's; a listing of several keeps the names it gives."""
    if record.source_format == "at":
        return task
    name = task.name if task.name and not task.name_truncated else record.path.rpartition("\\")[2]
    return msgspec.structs.replace(task, path=record.path, name=name)


def start_hours(task: ScheduledTask, utc_offset_minutes: int | None = None) -> tuple[int, ...] | None:
    """Local hours (0 to 23) in which the task's enabled timed triggers start it, sorted; None where no trigger tells.

    Triggers that wait for an event (boot, logon, idle) add nothing. A start in UTC needs the host's offset, else it is unknown.
    """
    return merge_hours(_trigger_hours(t, utc_offset_minutes) for t in task.triggers or () if t.enabled is not False)


def merge_hours(parts: Iterable[Iterable[int] | None]) -> tuple[int, ...] | None:
    """All hours of several parts; None where none is known."""
    known = [set(part) for part in parts if part is not None]
    return tuple(sorted(set().union(*known))) if known else None


def _trigger_hours(trigger: TaskTrigger, utc_offset_minutes: int | None) -> set[int] | None:
    start = _start_minute(trigger, utc_offset_minutes)
    if start is None or trigger.type in _EVENT_TRIGGERS:
        return None
    span = min(duration_minutes(trigger.delay) or 0, _DAY_MINUTES)
    step, length = 0, 0
    if trigger.repetition and (interval := duration_minutes(trigger.repetition.interval)):
        step, length = interval, min(duration_minutes(trigger.repetition.duration) or _DAY_MINUTES, _DAY_MINUTES)
    starts = range(start, start + length, step) if step and length else (start,)
    return {(minute + late) // 60 % 24 for minute in starts for late in (*range(0, span, 60), span)}


def _start_minute(trigger: TaskTrigger, utc_offset_minutes: int | None) -> int | None:
    match = _START.fullmatch(trigger.start or "")
    if not match:
        clock = re.match(r"(\d{2}):(\d{2})", trigger.start_time or "")
        return int(clock[1]) * 60 + int(clock[2]) if clock else None
    minute = int(match[1]) * 60 + int(match[2])
    if not match[3]:
        return minute
    if utc_offset_minutes is None:
        return None
    return (minute - _offset_minutes(match[3]) + utc_offset_minutes) % _DAY_MINUTES


def _offset_minutes(text: str) -> int:
    if text == "Z":
        return 0
    digits = text[1:].replace(":", "")
    return (int(digits[:2]) * 60 + int(digits[2:])) * (-1 if text[0] == "-" else 1)


def duration_minutes(text: str | None) -> int | None:
    """Whole minutes of an ISO 8601 duration of days, hours, minutes and seconds; None for anything else."""
    match = _DURATION.fullmatch(text or "")
    if not text or not match or not any(match.groups()):
        return None
    days, hours, minutes, seconds = (int(g or 0) for g in match.groups())
    return days * _DAY_MINUTES + hours * 60 + minutes + seconds // 60
