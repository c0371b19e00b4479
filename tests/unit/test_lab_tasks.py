"""Tasks as lab hosts keep them, read by the auditor's own readers: .job files, schtasks lines, XML."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.lab.clock import Dial, Zone
from auditor.lab.facts_activity import TaskFacts, TriggerFacts
from auditor.lab.jobfile import COLUMNS, csv_text, job_bytes, schtasks_lines
from auditor.lab.script_names import job_actions, xml_actions
from auditor.lab.taskxml import task_xml
from auditor.probes.tasks.job import read_job
from auditor.probes.tasks.schtasks import read_schtasks
from auditor.probes.tasks.xml import read_xml

DIAL = Dial(now=datetime(2026, 11, 26, 1, 30, tzinfo=UTC), zone=Zone(bias=-480), date_picture="yyyy-M-d", time_picture="H:mm:ss")
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=60)
BACKUP = TaskFacts(
    command="D:\\Scripts\\backup.cmd",
    arguments="/all",
    directory="D:\\Scripts",
    author="administrator",
    user="CORP\\svc-backup",
    triggers=(TriggerFacts(kind="daily", start="2005-09-20 19:00"),),
    last_run="-1d 19:00",
    last_result=1,
)


@given(command=TEXTS.filter(bool), arguments=TEXTS, directory=TEXTS, author=TEXTS, minute=st.integers(0, 1439))
def test_job_files_are_read_as_they_were_meant(command: str, arguments: str, directory: str, author: str, minute: int) -> None:
    start = f"2005-09-20 {minute // 60:02}:{minute % 60:02}"
    triggers = (TriggerFacts(kind="daily", start=start, interval=3),)
    facts = TaskFacts(command=command, arguments=arguments, directory=directory, author=author, triggers=triggers)
    data = job_bytes("copy.job", facts, DIAL)
    task = read_job(data, "copy.job")
    assert task.actions is not None
    assert (task.actions[0].command, task.actions[0].arguments or "") == (command, arguments)
    assert task.triggers is not None
    assert (task.triggers[0].days_interval, task.triggers[0].start) == (3, f"2005-09-20T{start[11:]}:00")
    assert job_actions(data)[0].folder == directory


def test_a_job_file_holds_last_run_result_and_state() -> None:
    task = read_job(job_bytes("backup.job", BACKUP, DIAL), "backup.job")
    assert task.runs[0].last_run == "2026-11-25T19:00:00"
    assert task.runs[0].last_result == 1
    assert task.enabled is True
    disabled = TaskFacts(command="x.exe", enabled=False)
    assert read_job(job_bytes("x.job", disabled, DIAL), "x.job").enabled is False


@pytest.mark.parametrize(
    ("trigger", "days"),
    [
        (TriggerFacts(kind="weekly", days=("Sunday", "Wednesday"), start="2005-01-02 23:30"), ("Sunday", "Wednesday")),
        (TriggerFacts(kind="weekly", days=("Saturday",), start="2005-01-01 01:00"), ("Saturday",)),
    ],
)
def test_days_are_the_same_in_all_three_forms(trigger: TriggerFacts, days: tuple[str, ...]) -> None:
    facts = TaskFacts(command="C:\\x.bat", triggers=(trigger,))
    job = read_job(job_bytes("x.job", facts, DIAL), "x.job")
    xml = read_xml(task_xml("\\x", facts, DIAL)).records[0]
    printed = read_schtasks(csv_text([list(COLUMNS), *schtasks_lines("HOST", {"x.job": facts}, DIAL)])).records[0]
    for task in (job, xml, printed):
        assert task.triggers is not None
        assert task.triggers[0].days_of_week == days


def test_schtasks_prints_the_account_that_a_job_file_does_not_hold() -> None:
    rows = schtasks_lines("SRVA", {"backup to srvb.job": BACKUP}, DIAL)
    assert len(rows[0]) == len(COLUMNS)
    outcome = read_schtasks(csv_text([list(COLUMNS), *rows]))
    task = outcome.records[0]
    assert (task.name, task.principal and task.principal.user_id) == ("backup to srvb", "CORP\\svc-backup")
    assert task.actions is not None
    assert task.actions[0].command == "D:\\Scripts\\backup.cmd"
    assert not outcome.faults


@given(command=TEXTS.filter(str.strip), arguments=TEXTS)
def test_xml_keeps_every_text(command: str, arguments: str) -> None:
    text = task_xml("\\Ordner\\Sicherung", TaskFacts(command=command, arguments=arguments, user="CORP\\müller"), DIAL)
    action = xml_actions(text)[0]
    assert (action.command, action.arguments) == (command, arguments)
    outcome = read_xml(text)
    assert not outcome.faults
    task = outcome.records[0]
    assert task.principal is not None
    assert task.principal.user_id == "CORP\\müller"


def test_repetition_is_written_in_all_forms() -> None:
    facts = TaskFacts(command="C:\\x.bat", triggers=(TriggerFacts(start="2005-01-01 07:00", every_minutes=240, duration_minutes=960),))
    job = read_job(job_bytes("x.job", facts, DIAL), "x.job")
    xml = read_xml(task_xml("\\x", facts, DIAL)).records[0]
    for task in (job, xml):
        assert task.triggers is not None
        repetition = task.triggers[0].repetition
        assert repetition is not None
        assert repetition.interval in ("PT240M", "PT4H")
        assert repetition.duration in ("PT960M", "PT16H")
