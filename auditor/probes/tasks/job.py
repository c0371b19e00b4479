"""`.job` files of Task Scheduler 1.0 (MS-TSCH 2.4) to `ScheduledTask`. Pure: bytes in, task or error out.

A `.job` file holds no account: as whom it runs is never known from it (the author is not it). Its name is the file's name.
"""

from __future__ import annotations

import struct

from auditor.model.errors import DecodeError
from auditor.model.task import Repetition, ScheduledTask, TaskAction, TaskRun, TaskTrigger

_FIXED = struct.Struct("<HH16sHHHHHHIIIII8H")
_TRIGGER = struct.Struct("<10H4I3H3H")
_MAX_TRIGGERS = 1000
_HAS_END, _KILL_AT_END, _TRIGGER_DISABLED = 0x1, 0x2, 0x4
_FLAG_DISABLED, _FLAG_HIDDEN, _FLAG_ONLY_LOGGED_ON = 0x4, 0x200, 0x2000
_SETTING_FLAGS = {
    0x1: "Interactive",
    0x2: "DeleteWhenDone",
    0x10: "StartOnlyIfIdle",
    0x20: "KillOnIdleEnd",
    0x40: "DontStartIfOnBatteries",
    0x80: "KillIfGoingOnBatteries",
    0x800: "RestartOnIdleResume",
    0x1000: "SystemRequired",
    _FLAG_ONLY_LOGGED_ON: "RunOnlyIfLoggedOn",
}
_TYPES: tuple[tuple[str, str | None], ...] = (
    ("TimeTrigger", None),
    ("CalendarTrigger", "ScheduleByDay"),
    ("CalendarTrigger", "ScheduleByWeek"),
    ("CalendarTrigger", "ScheduleByMonth"),
    ("CalendarTrigger", "ScheduleByMonthDayOfWeek"),
    ("IdleTrigger", None),
    ("BootTrigger", None),
    ("LogonTrigger", None),
)
_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")


def looks_like_job(data: bytes) -> bool:
    """Whether bytes start like a .job file: file version 1 and an offset that points at the application's name."""
    return len(data) >= 70 and data[2:4] == b"\x01\x00" and data[20:22] == b"\x46\x00"


class _Reader:
    """A position in the variable part; every read is checked against the end."""

    def __init__(self, data: bytes, at: int) -> None:
        self.data, self.at = data, at

    def take(self, size: int, what: str) -> bytes:
        if self.at + size > len(self.data):
            raise DecodeError(f"the file ends inside its {what}", place=f"byte {self.at}")
        piece = self.data[self.at : self.at + size]
        self.at += size
        return piece

    def word(self, what: str) -> int:
        return int.from_bytes(self.take(2, what), "little")

    def text(self, what: str) -> str | None:
        raw = self.take(self.word(what) * 2, what)
        return raw.decode("utf-16-le", errors="replace").partition("\0")[0] or None


def read_job(data: bytes, name: str | None = None) -> ScheduledTask:
    """The task of a .job file. `name` is the file's name, with or without `.job`. Raises DecodeError with the byte offset."""
    if len(data) < _FIXED.size + 2:
        raise DecodeError("shorter than the fixed part of a .job file", place=f"byte {len(data)}")
    fixed = _FIXED.unpack_from(data)
    if fixed[1] != 1 or fixed[3] < _FIXED.size:
        raise DecodeError(f"not a .job file: file version {fixed[1]}, application name at {fixed[3]}", place="byte 2")
    reader = _Reader(data, fixed[3])
    command, arguments, directory, author, comment = (
        reader.text(w) for w in ("application name", "parameters", "working directory", "author", "comment")
    )
    reader.take(reader.word("user data"), "user data")
    reader.take(reader.word("reserved data"), "reserved data")
    flags = fixed[13]
    return ScheduledTask(
        name=name.removesuffix(".job").removesuffix(".JOB") if name else None,
        enabled=not flags & _FLAG_DISABLED,
        hidden=bool(flags & _FLAG_HIDDEN),
        author=author,
        description=comment,
        triggers=_triggers(reader),
        actions=(TaskAction(command=command, arguments=arguments, working_directory=directory),),
        runs=_runs(fixed),
        settings={word: "true" for bit, word in _SETTING_FLAGS.items() if flags & bit},
        source_format="job",
    )


def _runs(fixed: tuple[int, ...]) -> tuple[TaskRun, ...]:
    """Last run (local time) and exit code; a year of 0 is never. Status 0x41303 is: not yet run."""
    year, month, _, day, hour, minute, second, _ = fixed[14:22]
    if not year:
        return ()
    stamp = f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"
    return (TaskRun(last_run=stamp, last_result=fixed[11]),)


def _triggers(reader: _Reader) -> tuple[TaskTrigger, ...]:
    count = reader.word("number of triggers")
    if count > _MAX_TRIGGERS:
        raise DecodeError(f"{count} triggers are more than {_MAX_TRIGGERS}", place=f"byte {reader.at - 2}")
    return tuple(_trigger(_TRIGGER.unpack(reader.take(_TRIGGER.size, "triggers"))) for _ in range(count))


def _trigger(raw: tuple[int, ...]) -> TaskTrigger:
    year, month, day, end_year, end_month, end_day, hour, minute = raw[2:10]
    duration, interval, flags, kind = raw[10:14]
    type_, schedule = _TYPES[kind] if kind < len(_TYPES) else (None, None)
    timed = kind <= 4
    specific = raw[14:17]
    return TaskTrigger(
        type=type_,
        enabled=not flags & _TRIGGER_DISABLED,
        start=f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00" if timed else None,
        end=f"{end_year:04d}-{end_month:02d}-{end_day:02d}" if flags & _HAS_END else None,
        schedule=schedule,
        days_interval=specific[0] if kind == 1 else None,
        weeks_interval=specific[0] if kind == 2 else None,
        days_of_week=_bits(specific[1], _DAYS) if kind in (2, 4) else None,
        days_of_month=_bits(specific[0] | specific[1] << 16, tuple(str(n) for n in range(1, 32))) if kind == 3 else None,
        months=_bits(specific[2], _MONTHS) if kind in (3, 4) else None,
        weeks=("Last" if specific[0] == 5 else str(specific[0]),) if kind == 4 else None,
        repetition=_repetition(interval, duration, flags) if interval else None,
    )


def _repetition(interval: int, duration: int, flags: int) -> Repetition:
    return Repetition(
        interval=f"PT{interval}M",
        duration=f"PT{duration}M" if duration else None,
        stop_at_duration_end=bool(flags & _KILL_AT_END),
    )


def _bits(mask: int, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for bit, name in enumerate(names) if mask >> bit & 1)
