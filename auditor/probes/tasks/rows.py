"""Rows of task listings, their columns by dialect, and what their values mean. Shared by the schtasks and the JSON reader."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from auditor.model.task import Repetition, ScheduledTask, SourceFormat, TaskAction, TaskPrincipal, TaskRun, TaskTrigger
from auditor.probes.recorded.moments import Calendar, has_date, time_of_day
from auditor.probes.recorded.words import enabled_word, never_word, no_value, ready_word

_REPEAT = ("repeat_every", "repeat_until", "repeat_duration", "repeat_stop")
_START = ("start_time", "start_date", "end_date", "days", "months")
VERBOSE_VISTA: tuple[str, ...] = (
    "host", "name", "next_run", "status", "logon_mode", "last_run", "last_result", "author", "line", "directory", "comment", "state",
    "idle", "power", "run_as", "delete", "stop", "schedule", "schedule_type", *_START, *_REPEAT,
)  # fmt: skip
VERBOSE_2003: tuple[str, ...] = (
    "host", "name", "next_run", "status", "logon_mode", "last_run", "last_result", "author", "schedule", "line", "directory", "comment",
    "state", "schedule_type", *_START, "run_as", "delete", "stop", *_REPEAT, "idle", "power",
)  # fmt: skip
LIST_SHORT: tuple[str, ...] = ("host", "name", "next_run", "status", "logon_mode")
TABLE_SHORT: tuple[str, ...] = ("name", "next_run", "status")

ENGLISH: Mapping[str, str] = {
    "hostname": "host", "taskname": "name", "taskpath": "folder",
    "uri": "name", "next run time": "next_run", "status": "status", "state": "status",
    "logon mode": "logon_mode", "last run time": "last_run", "last result": "last_result", "author": "author", "creator": "author",
    "schedule": "schedule", "task to run": "line", "start in": "directory", "comment": "comment", "scheduled task state": "state",
    "scheduled type": "schedule_type", "schedule type": "schedule_type", "modifier": "modifier", "start time": "start_time",
    "start date": "start_date", "end date": "end_date", "days": "days", "months": "months", "run as user": "run_as",
    "delete task if not rescheduled": "delete", "stop task if runs x hours and x mins": "stop", "repeat: every": "repeat_every",
    "repeat: until: time": "repeat_until", "repeat: until: duration": "repeat_duration", "repeat: stop if still running": "repeat_stop",
    "idle time": "idle", "power management": "power",
}  # fmt: skip

_TYPES: Mapping[str, tuple[str, str | None]] = {
    "daily": ("CalendarTrigger", "ScheduleByDay"),
    "hourly": ("CalendarTrigger", "ScheduleByDay"),
    "minute": ("CalendarTrigger", "ScheduleByDay"),
    "weekly": ("CalendarTrigger", "ScheduleByWeek"),
    "monthly": ("CalendarTrigger", "ScheduleByMonth"),
    "one time only": ("TimeTrigger", None),
    "once": ("TimeTrigger", None),
    "at system start up": ("BootTrigger", None),
    "at logon time": ("LogonTrigger", None),
    "at idle time": ("IdleTrigger", None),
    "when an event occurs": ("EventTrigger", None),
}
_DAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_EVERY_DAYS = re.compile(r"(?=.*[^\W\d])\D*(\d{1,4})\D*")
_PROGRAM_END = re.compile(r"\.(?:exe|com|bat|cmd|vbs|vbe|js|wsf|ps1|pl|py|msc|scr|jar|rb|hta|cpl)(?=\s|$)", re.IGNORECASE)
_TWO_NUMBERS = re.compile(r"\s*(\d{1,4})\D+(\d{1,4})\D*")


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One printed row: texts by the neutral name of their column. A column that could not be told is not there."""

    line: int
    form: SourceFormat
    folder: str | None = None
    truncated: bool = False
    values: dict[str, str] = {}


def build_task(row: Row, calendar: Calendar) -> ScheduledTask:
    """The task that one row tells of."""
    values = row.values
    path, name = _identity(row)
    return ScheduledTask(
        name=name,
        path=path,
        name_truncated=row.truncated,
        host=_known(values, "host"),
        enabled=_enabled(values),
        author=_known(values, "author"),
        description=_known(values, "comment"),
        triggers=_triggers(values, calendar),
        principal=_principal(values),
        actions=_actions(values),
        runs=_runs(values, calendar),
        source_format=row.form,
    )


def _identity(row: Row) -> tuple[str | None, str | None]:
    name = row.values.get("name", "").strip()
    if name.startswith("\\"):
        return name, name.rpartition("\\")[2] or None
    folder = row.folder or row.values.get("folder", "").strip()
    if folder and name and not row.truncated and not folder.endswith("..."):
        return folder.rstrip("\\") + "\\" + name, name
    return None, name or None


def _known(values: Mapping[str, str], key: str) -> str | None:
    text = values.get(key)
    return None if text is None or no_value(text) else text.strip()


def _enabled(values: Mapping[str, str]) -> bool | None:
    """The state's own word first; else a disabled next run or status, a date for the next run, or a status that waits for it."""
    if (state := enabled_word(values.get("state", ""))) is not None:
        return state
    status, next_run = values.get("status", ""), values.get("next_run", "")
    if enabled_word(status) is False or enabled_word(next_run) is False:
        return False
    return True if has_date(next_run) or ready_word(status) else None


def _runs(values: Mapping[str, str], calendar: Calendar) -> tuple[TaskRun, ...]:
    result = values.get("last_result", "").strip()
    run = TaskRun(
        status=_known(values, "status"),
        last_run=_printed(values, "last_run", calendar),
        next_run=_printed(values, "next_run", calendar),
        last_result=int(result) if re.fullmatch(r"-?\d{1,10}", result) else None,
    )
    return (run,) if run != TaskRun() else ()


def _printed(values: Mapping[str, str], key: str, calendar: Calendar) -> str | None:
    text = _known(values, key)
    if text is None or never_word(text) or enabled_word(text) is False:
        return None
    return calendar.moment(text) or text


def _principal(values: Mapping[str, str]) -> TaskPrincipal | None:
    user = _known(values, "run_as")
    return TaskPrincipal(user_id=user) if user else None


def _actions(values: Mapping[str, str]) -> tuple[TaskAction, ...] | None:
    line = values.get("line")
    if line is None:
        return None
    text = line.strip()
    if no_value(text):
        return ()
    directory = _known(values, "directory")
    if text.casefold() in ("com handler", "multiple actions"):
        return (TaskAction(kind="com" if text.casefold().startswith("com") else "unknown", line=text),)
    command, arguments = split_program(text)
    return (TaskAction(command=command, arguments=arguments, working_directory=directory, line=text),)


def split_program(text: str) -> tuple[str, str | None]:
    """Program and arguments of a printed command line: quotes decide, else the first ending of a program, else the first blank."""
    if text.startswith('"') and (end := text.find('"', 1)) > 0:
        return text[1:end], text[end + 1 :].strip() or None
    first = text.split(None, 1)
    match = _PROGRAM_END.search(text) if not _PROGRAM_END.search(first[0]) and re.match(r"(?:[A-Za-z]:)?\\|%", text) else None
    cut = match.end() if match else len(first[0])
    return text[:cut], text[cut:].strip() or None


def _triggers(values: Mapping[str, str], calendar: Calendar) -> tuple[TaskTrigger, ...] | None:
    if "schedule_type" not in values:
        return None
    kind = values["schedule_type"].strip()
    if kind.casefold() == "on demand only" or no_value(kind):
        return ()
    type_, schedule = _TYPES.get(kind.casefold().split(",")[0].strip(), (None, None))
    start_text, start_date = values.get("start_time", ""), values.get("start_date", "")
    clock, date = time_of_day(start_text), calendar.date(start_date)
    timed = type_ in (None, "CalendarTrigger", "TimeTrigger")
    days = values.get("days", "")
    every = _EVERY_DAYS.fullmatch(days.strip())
    if type_ is None and clock and every:
        # "Every 2 day(s)" in any language: one number among words.
        type_, schedule = "CalendarTrigger", "ScheduleByDay"
    trigger = TaskTrigger(
        type=type_,
        enabled=None,
        start=f"{date}T{clock}" if date and clock and timed else None,
        start_time=clock if timed else None,
        end=calendar.date(values.get("end_date", "")),
        schedule=schedule,
        days_interval=_days_interval(every, days, schedule),
        days_of_week=_day_names(days),
        repetition=_repetition(values),
        text=_schedule_text(kind, values.get("schedule", "")),
    )
    return (trigger,)


def _days_interval(every: re.Match[str] | None, days: str, schedule: str | None) -> int | None:
    if days.strip().casefold() == "everyday":
        return 1
    return int(every.group(1)) if every and schedule == "ScheduleByDay" else None


def _schedule_text(kind: str, schedule: str) -> str:
    """The type, and the 2003 sentence where there is one (newer Windows only says that there is none)."""
    sentence = schedule.strip()
    has_sentence = any(c.isdigit() for c in sentence) or sentence.startswith("Run at")
    return f"{kind}; {sentence}" if has_sentence and sentence != kind else kind


def _day_names(text: str) -> tuple[str, ...] | None:
    words = {w.strip().casefold()[:3] for w in text.split(",") if w.strip()}
    found = tuple(d for d in _DAY_NAMES if d[:3].casefold() in words)
    return found if found and len(found) == len(words) else None


def _repetition(values: Mapping[str, str]) -> Repetition | None:
    interval = _duration(values.get("repeat_every", ""))
    if not interval:
        return None
    stop = values.get("repeat_stop", "")
    return Repetition(interval=interval, duration=_duration(values.get("repeat_duration", "")), stop_at_duration_end=enabled_word(stop))


def _duration(text: str) -> str | None:
    """Hours and minutes, in this order in every language; a lone number needs its English unit."""
    if match := _TWO_NUMBERS.fullmatch(text):
        hours, minutes = int(match.group(1)), int(match.group(2))
        parts = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
        return f"PT{parts}" if parts else None
    lone = re.match(r"\s*(\d{1,4}) (hour|minute)", text, re.IGNORECASE)
    return f"PT{int(lone.group(1))}{lone.group(2)[0].upper()}" if lone else None


def merge_tasks(tasks: Sequence[ScheduledTask]) -> tuple[list[ScheduledTask], int]:
    """One task for each path (or name) of a host, with the triggers and runs of all its rows; and how many rows went into others.

    A name that its column cut is no identity: such rows stay apart.
    """
    merged: dict[tuple[str, ...], ScheduledTask] = {}
    for number, task in enumerate(tasks):
        known = (task.path or task.name or "").casefold()
        key = (str(number),) if task.name_truncated or not known else ((task.host or "").casefold(), known)
        merged[key] = _joined(merged[key], task) if key in merged else task
    return list(merged.values()), len(tasks) - len(merged)


def _joined(first: ScheduledTask, other: ScheduledTask) -> ScheduledTask:
    triggers = first.triggers
    if other.triggers is not None:
        triggers = (*(triggers or ()), *(t for t in other.triggers if t not in (triggers or ())))
    actions = first.actions
    if other.actions is not None:
        actions = (*(actions or ()), *(a for a in other.actions if a not in (actions or ())))
    runs = (*first.runs, *(r for r in other.runs if r not in first.runs))
    enabled = first.enabled if first.enabled is not None else other.enabled
    return msgspec.structs.replace(first, triggers=triggers, actions=actions, runs=runs, enabled=enabled)
