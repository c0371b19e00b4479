"""The tasks section of a snapshot: every format a record may have, and the local hours in which a task starts."""

from __future__ import annotations

import base64

import pytest

from auditor.model.host import Section, Sections, Snapshot, TaskReading, TaskRecord
from auditor.model.task import Repetition, ScheduledTask, TaskTrigger
from auditor.probes.tasks.decode import duration_minutes, read_task, scheduled_tasks, start_hours, unreadable_tasks
from auditor.probes.tasks.rows import VERBOSE_2003
from tests.unit.test_tasks_job import job

XML = "<Task><Triggers/><Actions><Exec><Command>x</Command></Exec></Actions></Task>"


def snapshot(*records: TaskRecord) -> Snapshot:
    section: Section[TaskRecord, TaskReading] = Section(status="ok", records=records)
    return Snapshot(host="H", collected_at="2026-01-01T00:00:00Z", collector="t", transport="t", sections=Sections(tasks=section))


def test_the_records_path_is_the_tasks_path() -> None:
    (task,) = scheduled_tasks(snapshot(TaskRecord(path="\\A\\B", source_format="xml", text=XML)))
    assert (task.path, task.name) == ("\\A\\B", "B")


def test_what_can_not_be_read_is_named_with_its_record() -> None:
    records = [
        TaskRecord(path="\\Broken", source_format="xml", text="<Task><x></Task>"),
        TaskRecord(path="X.job", source_format="job", data="!!"),
        TaskRecord(path="Y.job", source_format="job", data=base64.b64encode(b"\x01" * 80).decode()),
        TaskRecord(path="\\Unread", source_format="xml"),
        TaskRecord(path="Z", source_format="schtasks", text="nonsense"),
    ]
    faults = unreadable_tasks(snapshot(*records))
    assert [f.place.split(":")[0] for f in faults] == ["\\Broken", "X.job", "Y.job", "\\Unread", "Z"]
    assert scheduled_tasks(snapshot(*records)) == ()


def test_a_good_record_beside_a_broken_one_is_read() -> None:
    tasks = scheduled_tasks(
        snapshot(TaskRecord(path="\\a", source_format="xml", text="<Task>"), TaskRecord(path="\\b", source_format="xml", text=XML))
    )
    assert [t.path for t in tasks] == ["\\b"]


def test_a_record_of_schtasks_keeps_its_path() -> None:
    text = "HostName:      OLD\nTaskName:      Copy\nNext Run Time: 19:00:00, 03.03.2006\nStatus:        \n"
    (task,) = read_task(TaskRecord(path="Copy", source_format="schtasks", text=text)).records
    assert (task.name, task.host, task.enabled) == ("Copy", "OLD", True)


def test_a_job_file_and_its_row_of_schtasks_are_one_task() -> None:
    body = base64.b64encode(job()).decode()
    head = ",".join(f'"{n}"' for n in VERBOSE_2003)
    values = {"host": "OLD", "name": "Night Copy", "last_result": "0", "line": "C:\\x\\copy.bat", "run_as": "OLD\\backup"}
    row = ",".join(f'"{values.get(n, "N/A")}"' for n in VERBOSE_2003)
    records = [
        TaskRecord(path="Night Copy.job", source_format="job", data=body),
        TaskRecord(path="Night Copy", source_format="schtasks", text=f"{head}\n{row}"),
        TaskRecord(path="Other", source_format="schtasks", text=f"{head}\n{row.replace('Night Copy', 'Other')}"),
    ]
    both, other = scheduled_tasks(snapshot(*records))
    assert (both.path, both.actions and both.actions[0].command) == ("Night Copy.job", "C:\\jobs\\nightly.cmd")
    assert (both.principal and both.principal.user_id, both.host) == ("OLD\\backup", "OLD")
    assert (other.path, other.source_format) == ("Other", "schtasks_csv")
    (alone,) = scheduled_tasks(snapshot(records[0]))
    assert alone.principal is None  # the author is not the account


def task(*triggers: TaskTrigger) -> ScheduledTask:
    return ScheduledTask(triggers=triggers, source_format="xml")


def timed(
    start: str, interval: str | None = None, duration: str | None = None, *, enabled: bool = True, delay: str | None = None
) -> TaskTrigger:
    repetition = Repetition(interval=interval, duration=duration) if interval else None
    return TaskTrigger(type="CalendarTrigger", start=start, repetition=repetition, enabled=enabled, delay=delay)


@pytest.mark.parametrize(
    ("triggers", "hours"),
    [
        ([timed("2024-01-01T18:30:00")], (18,)),
        ([timed("2024-01-01T23:30:00", "PT1H", "PT3H")], (0, 1, 23)),
        ([timed("2024-01-01T00:10:00", "PT10M")], tuple(range(24))),
        ([timed("2024-01-01T05:00:00", "PT6H", "P1D")], (5, 11, 17, 23)),
        ([timed("2024-01-01T05:00:00"), timed("2024-01-01T19:00:00")], (5, 19)),
        ([timed("2024-01-01T05:00:00"), timed("2024-01-01T19:00:00", enabled=False)], (5,)),
        ([timed("2024-01-01T05:30:00", delay="PT1H")], (5, 6)),
        ([TaskTrigger(type="BootTrigger", start="2024-01-01T05:00:00")], None),
        ([TaskTrigger(type="BootTrigger"), timed("2024-01-01T05:00:00")], (5,)),
        ([TaskTrigger(type=None, start_time="03:15:00")], (3,)),
        ([], None),
    ],
)
def test_start_hours(triggers: list[TaskTrigger], hours: tuple[int, ...] | None) -> None:
    assert start_hours(task(*triggers)) == hours


def test_a_start_in_another_zone_needs_the_hosts_offset() -> None:
    one = task(timed("2024-01-01T22:30:00Z"))
    assert start_hours(one) is None
    assert start_hours(one, utc_offset_minutes=480) == (6,)
    assert start_hours(task(timed("2024-01-01T22:30:00+01:00")), utc_offset_minutes=60) == (22,)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("PT10M", 10), ("P1D", 1440), ("PT1H30M", 90), ("P1DT2H", 1560), ("PT59S", 0), ("P", None), ("x", None), (None, None)],
)
def test_durations(text: str | None, minutes: int | None) -> None:
    assert duration_minutes(text) == minutes
