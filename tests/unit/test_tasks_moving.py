"""What runs change in a task leaves its record: listings and .job files are the same before and after a run, and read the same."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import msgspec
import pytest

from auditor.lab.clock import Dial, Zone
from auditor.lab.facts_activity import TaskFacts, TriggerFacts
from auditor.lab.jobfile import COLUMNS, csv_text, job_bytes, schtasks_lines
from auditor.model.host import TaskRecord
from auditor.probes.rows import read_rows
from auditor.probes.tasks.decode import read_task
from auditor.probes.tasks.moving import settle_job, settle_listing

DIAL = Dial(now=datetime(2026, 11, 26, 12, 0, tzinfo=UTC), zone=Zone(), date_picture="yyyy-M-d", time_picture="H:mm:ss")
TASK = TaskFacts(
    command="D:\\x.cmd",
    triggers=(TriggerFacts(start="2005-09-20 19:00"), TriggerFacts(start="2005-09-20 07:00", every_minutes=240, duration_minutes=960)),
    last_run="-1d 19:00",
    next_run="2026-11-26 19:00",
    last_result=0,
)
LATER = msgspec.structs.replace(TASK, last_run="-1h", next_run="2026-11-27 19:00", last_result=2, state="Running")
CHINESE = [f"列{number}" for number in range(len(COLUMNS))]


def listing(task: TaskFacts, head: list[str]) -> str:
    return csv_text([head, *schtasks_lines("SRVA", {"backup": task}, DIAL)]).replace("\r\n", "\n").rstrip("\n")


@pytest.mark.parametrize("head", [list(COLUMNS), CHINESE])
def test_a_listing_is_the_same_before_and_after_a_run(head: list[str]) -> None:
    before, after = settle_listing(listing(TASK, head)), settle_listing(listing(LATER, head))
    assert before.kept == after.kept
    assert before.reading == {"next_run": "19:00:00, 2026-11-26", "last_run": "19:00:00, 2026-11-25", "last_result": 0}
    assert (after.reading["last_result"], after.reading["state"]) == (2, "Running")


@pytest.mark.parametrize("head", [list(COLUMNS), CHINESE])
def test_what_stays_is_read_as_before(head: list[str]) -> None:
    text = listing(TASK, head)
    whole, kept = (read_task(TaskRecord(path="backup", source_format="schtasks", text=t)) for t in (text, settle_listing(text).kept))
    assert not kept.faults
    assert [task.actions for task in kept.records] == [task.actions for task in whole.records]
    assert [task.triggers for task in kept.records] == [task.triggers for task in whole.records]
    assert [task.principal for task in kept.records] == [task.principal for task in whole.records]


def test_a_job_file_is_the_same_before_and_after_a_run() -> None:
    before, after = (settle_job(base64.b64encode(job_bytes("backup.job", task, DIAL)).decode()) for task in (TASK, LATER))
    assert before.kept == after.kept
    assert before.reading == {"last_run": "2026-11-25T19:00:00", "last_result": 0}
    task = read_task(TaskRecord(path="backup.job", source_format="job", data=before.kept)).records[0]
    assert (task.name, task.enabled, task.runs, len(task.triggers or ())) == ("backup", True, (), 2)


def test_a_change_of_the_task_itself_shows() -> None:
    other = msgspec.structs.replace(TASK, command="D:\\y.cmd")
    disabled = msgspec.structs.replace(TASK, enabled=False)
    kept = {settle_listing(listing(task, CHINESE)).kept for task in (TASK, other, disabled)}
    assert len(kept) == 3


@pytest.mark.parametrize("text", ["", "x", '"a","b"\n"c', listing(TASK, list(COLUMNS)).replace('"0"', '"zero"'), "not base64 §"])
def test_what_can_not_be_told_stays(text: str) -> None:
    assert settle_listing(text) == (text, {})
    assert settle_job(text) == (text, {})


def test_rows_become_records_and_readings() -> None:
    data = base64.b64encode(job_bytes("b", TASK, DIAL)).decode()
    rows = [{"path": "backup", "source_format": "schtasks", "text": listing(TASK, CHINESE), "data": None},
            {"path": "backup.job", "source_format": "job", "text": None, "data": data}]  # fmt: skip
    read = read_rows("tasks", rows, [], None)
    assert [(reading.path, reading.last_result) for reading in read.readings] == [("backup", 0), ("backup.job", 0)]
    assert "2026" not in (read.records[0].text or "")
    assert read.gaps == ()
