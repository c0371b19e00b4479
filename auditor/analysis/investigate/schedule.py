"""When scheduled tasks were due round a moment, on the wall clock of the host that runs them. Pure.

Time zones and skew are taken out by the caller, who hands in the host's local time. A trigger whose day can't be told counts by its
time of day and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from auditor.analysis.investigate.zone import is_sane
from auditor.model.task import ScheduledTask, TaskTrigger
from auditor.probes.tasks.decode import duration_minutes

_START = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2})(?::\d{2}(?:\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?")
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = 1440
_WAITING = ("BootTrigger", "LogonTrigger", "IdleTrigger", "EventTrigger", "RegistrationTrigger", "SessionStateChangeTrigger")


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A start that a schedule asked for."""

    at: datetime
    """Local time of the host, without offset."""
    certain: bool
    """Whether the day is known to be one of the trigger's days."""


def due_between(task: ScheduledTask, start: datetime, end: datetime, offset_minutes: int | None) -> list[Due]:
    """Starts of a task from `start` to `end` (both local), the last first. A disabled task has none."""
    if task.enabled is False:
        return []
    found = {due.at: due for trigger in task.triggers or () for due in _due(trigger, start, end, offset_minutes)}
    return sorted(found.values(), key=lambda due: due.at, reverse=True)


def _due(trigger: TaskTrigger, start: datetime, end: datetime, offset_minutes: int | None) -> Iterator[Due]:
    if trigger.enabled is False or trigger.type in _WAITING:
        return
    first = _first(trigger, offset_minutes)
    if first is None:
        return
    minute, day_one = first
    day = (start - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= end:
        fits = _fits(trigger, day, day_one)
        if fits is not False:
            for offset in _offsets(trigger):
                at = day + timedelta(minutes=minute + offset)
                if start <= at <= end:
                    yield Due(at=at, certain=fits is True)
        day += timedelta(days=1)


def _first(trigger: TaskTrigger, offset_minutes: int | None) -> tuple[int, datetime | None] | None:
    """Minute of the day, local, and the first day; None where no time is told."""
    match = _START.fullmatch(trigger.start or "")
    if match is None:
        clock = re.match(r"(\d{2}):(\d{2})", trigger.start_time or "")
        return (int(clock[1]) * 60 + int(clock[2]), None) if clock else None
    try:
        moment = datetime.fromisoformat(trigger.start or "")
    except ValueError:
        return None
    if not is_sane(moment):
        return moment.hour * 60 + moment.minute, None
    if moment.tzinfo is not None:
        if offset_minutes is None:
            return None
        away = moment.utcoffset() or timedelta(0)
        moment = moment.replace(tzinfo=None) - away + timedelta(minutes=offset_minutes)
    return moment.hour * 60 + moment.minute, moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _offsets(trigger: TaskTrigger) -> range:
    step = duration_minutes(trigger.repetition.interval) if trigger.repetition else None
    if not step or trigger.repetition is None:
        return range(1)
    length = min(duration_minutes(trigger.repetition.duration) or _DAY, _DAY)
    return range(0, max(length, 1), step)


def _fits(trigger: TaskTrigger, day: datetime, day_one: datetime | None) -> bool | None:
    """Whether a trigger starts on a day; None where its days are told in a way that is not followed here."""
    if day_one is not None and day < day_one:
        return False
    once = trigger.type == "TimeTrigger" or (trigger.schedule is None and trigger.type not in (None, "CalendarTrigger"))
    if once:
        repeats = trigger.repetition is not None and trigger.repetition.interval is not None
        return (
            None if day_one is None else day == day_one or (repeats and trigger.repetition is not None and not trigger.repetition.duration)
        )
    if trigger.schedule == "ScheduleByDay":
        step = trigger.days_interval or 1
        return None if day_one is None and step > 1 else day_one is None or (day - day_one).days % step == 0
    if trigger.schedule == "ScheduleByWeek":
        return None if trigger.days_of_week is None else _DAYS[day.weekday()] in {name.casefold() for name in trigger.days_of_week}
    if trigger.schedule == "ScheduleByMonth" and trigger.days_of_month is not None:
        return str(day.day) in trigger.days_of_month or ("Last" in trigger.days_of_month and (day + timedelta(days=1)).day == 1)
    return None
