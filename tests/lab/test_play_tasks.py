"""The plays for scheduled tasks over both ways: check mode, change, second run, rollback, what is refused, what a person does on 2003."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auditor.lab.operate.commands import run_line
from auditor.lab.operate.said import Context, Said
from auditor.model.remedy import Way
from tests.lab.play_bench import Bench, bench, outcomes

pytestmark = [pytest.mark.lab, pytest.mark.slow]
HOST = """\
  {name}:
    base: {base}
    network: {{computer_name: {computer}}}
    tasks:
      '{root}Nightly{job}': {{command: 'C:\\Jobs\\nightly.cmd', triggers: [{{kind: daily, start: '2026-01-05 02:00:00'}}]}}
      '{folder}Défrag & pack{job}':
        {{command: 'C:\\Windows\\defrag.exe', arguments: 'C: password=x', user: 'ACME\\jobs', triggers: [{{kind: boot}}]}}
      '{root}Kept{job}': {{command: 'C:\\Acme\\kept.exe', triggers: [{{kind: daily, start: '2026-01-05 04:00:00'}}]}}
      '{root}Sleeps{job}': {{command: 'C:\\Acme\\sleeps.exe', enabled: false}}
      '{root}Copy{job}': {{command: 'C:\\Jobs\\copy.cmd', arguments: '/q', triggers: [{{kind: daily, start: '2026-01-05 02:00:00'}}]}}
      '{root}Twice{job}': {{command: 'C:\\Acme\\twice.exe', triggers: [{{kind: daily, start: '2026-01-05 02:00:00'}}, {{kind: boot}}]}}
    held: {{policy: {{tasks: ['{root}Kept{job}']}}}}
"""
OWN = """\
      \\Own:
        xml: >-
          <?xml version="1.0" encoding="UTF-16"?><Task version="1.4" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
          <Triggers><CalendarTrigger><StartBoundary>2026-01-05T02:00:00</StartBoundary><Enabled>true</Enabled><RandomDelay>PT1H</RandomDelay>
          <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay></CalendarTrigger></Triggers>
          <Principals><Principal id="Author"><UserId>S-1-5-18</UserId></Principal></Principals><Settings><Enabled>true</Enabled></Settings>
          <Actions><Exec><Command>C:\\Acme\\own.exe</Command></Exec></Actions></Task>
"""
BASES = {"old-03": "windows-2003", "old-08": "windows-2008r2", "new-22": "windows-2022"}


def _host(name: str, base: str) -> str:
    old = base == "windows-2003"
    places = {"root": "" if old else "\\", "folder": "" if old else "\\Acme\\", "job": ".job" if old else ""}
    host, held, rest = HOST.format(name=name, base=base, computer=name.replace("-", "").upper(), **places).partition("    held:")
    return f"{host}{'' if old else OWN}{held}{rest}"


FLEET = "title: tasks that are to be changed\nhosts:\n" + "".join(_host(name, base) for name, base in BASES.items())
WAYS: dict[str, Way] = {"old-03": "raw", "old-08": "raw"}


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Hosts of three generations with tasks of several kinds."""
    with bench(tmp_path_factory.mktemp("tasks"), FLEET) as running:
        yield running


def test_disabled_and_taken_back_on_both_ways_and_told_to_a_person_on_2003(tasks: Bench) -> None:
    names = {"old-03": ["Nightly"], "old-08": ["\\Nightly", "\\Sleeps"], "new-22": ["\\Own", "\\Acme\\Défrag & pack"]}
    values = {host: {"task_names": given} for host, given in names.items()}
    before = tasks.states()
    checked = tasks.run("disable_task", values, check=True, ways=WAYS)
    assert outcomes(checked) == {"old-03": "person_needed", "old-08": "would_change", "new-22": "would_change"}, checked.failed
    assert tasks.changes(before) == {}, "check mode changed a host"

    done = tasks.run("disable_task", values, ways=WAYS)
    assert outcomes(done) == {"old-03": "person_needed", "old-08": "done", "new-22": "done"}, done.failed
    assert "Nightly" in " ".join(done.reports["old-03"].notes)
    assert set(tasks.changes(before)) == {"old-08", "new-22"}
    assert not tasks.machine("new-22").tasks["\\Acme\\Défrag & pack"].enabled
    assert done.reports["old-08"].before == {"enabled": ["\\Nightly"]}, "Sleeps was disabled before"
    assert "password=x" not in str(tasks.events)

    after = tasks.states()
    again = tasks.run("disable_task", values, ways=WAYS)
    assert (outcomes(again)["new-22"], outcomes(again)["old-08"], again.changed) == ("nothing_to_do", "nothing_to_do", {})
    assert tasks.changes(after) == {}

    back = {host: given for host, given in values.items() if host != "old-03"}
    taken = tasks.take_back("disable_task", back, done, ways=WAYS)
    assert set(outcomes(taken).values()) == {"done"}, taken.failed
    assert tasks.changes(before) == {}


def test_what_is_not_there_or_no_plain_name_is_refused_and_what_a_policy_sets_is_told(tasks: Bench) -> None:
    before = tasks.states()
    values = {
        "old-03": {"task_names": ['x" & del']},
        "old-08": {"task_names": ["\\Acme\\Défrag & pack"]},
        "new-22": {"task_names": ["\\None"]},
    }
    refused = tasks.run("disable_task", values, ways=WAYS)
    assert set(outcomes(refused).values()) == {"refused"}
    assert "\\None: there is no such task" in refused.failed["new-22"]
    held = tasks.run("disable_task", {host: {"task_names": ["\\Kept"]} for host in ("old-08", "new-22")}, ways=WAYS)
    assert set(outcomes(held).values()) == {"managed_elsewhere"}
    assert tasks.changes(before) == {}


def test_a_start_is_moved_and_moved_back_and_what_is_not_exact_goes_to_a_person(tasks: Bench) -> None:
    at = {"task_name": "\\Nightly", "start_time": "03:30"}
    values = {"old-03": {**at, "task_name": "Nightly"}, "old-08": at, "new-22": {**at, "task_name": "\\Own"}}
    before = tasks.states()
    checked = tasks.run("retime_task", values, check=True, ways=WAYS)
    assert outcomes(checked) == {"old-03": "person_needed", "old-08": "would_change", "new-22": "would_change"}, checked.failed
    assert "start 02:00 becomes 03:30" in " ".join(checked.reports["new-22"].notes)
    assert tasks.changes(before) == {}, "check mode changed a host"

    done = tasks.run("retime_task", values, ways=WAYS)
    assert outcomes(done) == {"old-03": "person_needed", "old-08": "done", "new-22": "done"}, done.failed
    assert done.reports["new-22"].before == {"start": "02:00"}
    after = tasks.states()
    again = tasks.run("retime_task", values, ways=WAYS)
    assert (outcomes(again)["new-22"], outcomes(again)["old-08"], again.changed) == ("nothing_to_do", "nothing_to_do", {})
    assert tasks.changes(after) == {}
    back = {host: given for host, given in values.items() if host != "old-03"}
    assert set(outcomes(tasks.take_back("retime_task", back, done, ways=WAYS)).values()) == {"done"}
    assert tasks.changes(before) == {}

    inexact = {"old-08": {**at, "task_name": "\\Twice"}, "new-22": {**at, "task_name": "\\Acme\\Défrag & pack"}}
    left = tasks.run("retime_task", inexact, ways=WAYS)
    assert set(outcomes(left).values()) == {"person_needed"}, left.failed
    assert "it has 2 triggers" in " ".join(left.reports["old-08"].notes)
    assert "password" in " ".join(left.reports["new-22"].notes)
    wrong = {"old-08": {**at, "task_name": "\\Kept"}, "new-22": {**at, "start_time": "24:00"}}
    assert outcomes(tasks.run("retime_task", wrong, ways=WAYS)) == {"old-08": "managed_elsewhere", "new-22": "refused"}
    assert tasks.changes(before) == {}


def test_a_copy_job_is_disabled_by_its_task_and_left_to_a_person_where_something_else_starts_it(tasks: Bench) -> None:
    job = {"copy_tasks": ["\\Copy"], "copy_scripts": ["C:\\Jobs\\copy.cmd"], "copy_started_elsewhere": ["SQL Server Agent\\Copy"]}
    before = tasks.states()
    done = tasks.run("disable_copy_job", {"old-08": job, "new-22": job}, ways=WAYS)
    assert set(outcomes(done).values()) == {"done"}, done.failed
    assert "SQL Server Agent\\Copy" in " ".join(done.reports["new-22"].notes)
    assert not tasks.machine("new-22").tasks["\\Copy"].enabled
    assert set(outcomes(tasks.take_back("disable_copy_job", {"old-08": job, "new-22": job}, done, ways=WAYS)).values()) == {"done"}
    assert tasks.changes(before) == {}

    deeper = {**job, "copy_scripts": ["C:\\Jobs\\copy.cmd", "C:\\Jobs\\below.cmd"]}
    left = tasks.run("disable_copy_job", {"old-08": {**job, "copy_tasks": []}, "new-22": deeper}, ways=WAYS)
    assert set(outcomes(left).values()) == {"person_needed"}, left.failed
    assert "C:\\Jobs\\below.cmd" in " ".join(left.reports["new-22"].notes)
    assert "SQL Server Agent\\Copy" in " ".join(left.reports["old-08"].notes)
    other = tasks.run("disable_copy_job", {"new-22": {**job, "copy_tasks": ["\\Nightly"]}})
    assert (outcomes(other), "does not start what the finding tells of" in other.failed["new-22"]) == ({"new-22": "refused"}, True)
    assert tasks.changes(before) == {}


@pytest.mark.parametrize(
    ("host", "line"),
    [
        ("old-03", "schtasks /change /tn Nightly /disable"),
        ("old-03", "schtasks /change /tn Nightly /st 03:30:00"),
        ("old-03", "schtasks /query /xml"),
        ("new-22", 'schtasks /change /tn "\\Acme\\Défrag & pack" /st 03:30'),
        ("new-22", "schtasks /change /tn \\Twice /st 03:30"),
        ("new-22", "schtasks /change /tn \\None /disable"),
    ],
)
def test_the_labs_schtasks_refuses_what_that_windows_refuses(tasks: Bench, host: str, line: str) -> None:
    machine, before = tasks.machine(host), tasks.states()
    process = machine.agenda.run("cmd.exe", "x", run_line(machine, line, Context(user="x")))
    machine.agenda.settle(machine.agenda.now)
    assert isinstance(process.result, Said)
    assert process.result.code == 1
    assert tasks.changes(before) == {}
