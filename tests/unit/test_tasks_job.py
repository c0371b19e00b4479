"""`.job` files by MS-TSCH 2.4: made here field by field, read back, and cut at every byte."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.errors import DecodeError
from auditor.probes.tasks.job import looks_like_job, read_job


def counted(text: str) -> bytes:
    return struct.pack("<H", len(text) + 1) + (text + "\0").encode("utf-16-le") if text else struct.pack("<H", 0)


def trigger(
    kind: int, *, start: tuple[int, ...] = (2009, 4, 1, 0, 0, 0, 22, 15), duration: int = 0, interval: int = 0, flags: int = 0
) -> bytes:
    specific = {1: (3, 0, 0), 2: (1, 0b0100010, 0), 3: (0b1, 0b1, 0b11), 4: (5, 0b1, 0b100)}.get(kind, (0, 0, 0))
    return struct.pack("<10H4I3H3H", 48, 0, *start, duration, interval, flags, kind, *specific, 0, 0, 0)


def job(*triggers: bytes, flags: int = 0, last: tuple[int, ...] = (0,) * 8, exit_code: int = 0) -> bytes:
    fixed = struct.pack("<HH16sHHHHHHIIIII8H", 0x0502, 1, b"\x11" * 16, 70, 0, 0, 0, 0, 0, 32, 259200000, exit_code, 0x41300, flags, *last)
    body = (
        struct.pack("<H", 0)
        + counted(r"C:\jobs\nightly.cmd")
        + counted("/all")
        + counted(r"C:\jobs")
        + counted("Bediener Ö")
        + counted("Sicherung")
    )
    return fixed + body + struct.pack("<H", 0) + struct.pack("<H", 8) + b"\0" * 8 + struct.pack("<H", len(triggers)) + b"".join(triggers)


def test_a_job_is_read_field_by_field() -> None:
    data = job(trigger(1, duration=600, interval=30, flags=2), flags=0x4, last=(2010, 1, 5, 8, 22, 15, 3, 0), exit_code=3)
    task = read_job(data, "Nightly.job")
    assert looks_like_job(data)
    assert (task.name, task.enabled, task.author, task.description) == ("Nightly", False, "Bediener Ö", "Sicherung")
    assert task.actions is not None
    assert task.triggers is not None
    assert (task.actions[0].command, task.actions[0].arguments, task.actions[0].working_directory) == (
        r"C:\jobs\nightly.cmd",
        "/all",
        r"C:\jobs",
    )
    daily = task.triggers[0]
    assert (daily.type, daily.schedule, daily.days_interval, daily.start) == ("CalendarTrigger", "ScheduleByDay", 3, "2009-04-01T22:15:00")
    assert daily.repetition is not None
    assert (daily.repetition.interval, daily.repetition.duration, daily.repetition.stop_at_duration_end) == ("PT30M", "PT600M", True)
    assert (task.runs[0].last_run, task.runs[0].last_result) == ("2010-01-08T22:15:03", 3)


def test_a_job_never_says_as_whom_it_runs() -> None:
    assert read_job(job()).principal is None


@pytest.mark.parametrize(
    ("kind", "type_", "schedule"),
    [
        (0, "TimeTrigger", None),
        (2, "CalendarTrigger", "ScheduleByWeek"),
        (3, "CalendarTrigger", "ScheduleByMonth"),
        (4, "CalendarTrigger", "ScheduleByMonthDayOfWeek"),
        (5, "IdleTrigger", None),
        (6, "BootTrigger", None),
        (7, "LogonTrigger", None),
        (9, None, None),
    ],
)
def test_trigger_types(kind: int, type_: str | None, schedule: str | None) -> None:
    task = read_job(job(trigger(kind)))
    assert task.triggers is not None
    assert (task.triggers[0].type, task.triggers[0].schedule) == (type_, schedule)
    assert (task.triggers[0].start is None) == (kind > 4)


def test_days_and_months_are_bits() -> None:
    task = read_job(job(trigger(2), trigger(3), trigger(4)))
    assert task.triggers is not None
    weekly, monthly, last = task.triggers
    assert weekly.days_of_week == ("Monday", "Friday")
    assert (monthly.days_of_month, monthly.months) == (("1", "17"), ("January", "February"))
    assert (last.weeks, last.days_of_week, last.months) == (("Last",), ("Sunday",), ("March",))


def test_a_file_cut_anywhere_is_an_error_with_the_byte() -> None:
    data = job(trigger(1))
    for size in range(len(data)):
        with pytest.raises(DecodeError) as caught:
            read_job(data[:size])
        assert caught.value.place.startswith("byte ")


@given(st.binary(max_size=400))
def test_any_bytes_give_a_task_or_our_error(noise: bytes) -> None:
    for data in (noise, job(trigger(1))[:80] + noise):
        try:
            read_job(data)
        except DecodeError as error:
            assert error.place
