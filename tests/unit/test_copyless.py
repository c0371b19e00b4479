"""Command lines that copy nothing are remembered, and nothing changes by that: not where scripts, names or limits differ."""

from __future__ import annotations

import pytest

from auditor.analysis.copying.copyjobs import copy_jobs
from auditor.analysis.copying.copyless import without_copies
from auditor.model.host import ScriptRecord, Snapshot
from tests.unit.copy_cases import ends
from tests.unit.test_copyjobs_snapshot import snapshot, task

ENV = (("systemroot", ("C:\\Windows",)), ("windir", ("C:\\Windows",)))
COPYING = (
    "robocopy C:\\a \\\\srvb\\b",
    "cmd /c copy C:\\a \\\\srvb\\b",
    "xcopy %windir%\\x \\\\srvb\\y",
    "cmd /c mklink /d C:\\l \\\\srvb\\s",
)
HARMLESS = (
    "%windir%\\system32\\defrag.exe -c",
    "rundll32.exe x.dll,Run",
    "C:\\jobs\\night.cmd /all",
    "cmd /c echo hello",
    "powershell -c Get-Date",
)


@pytest.mark.parametrize("text", COPYING)
def test_what_copies_or_links_is_never_remembered(text: str) -> None:
    assert without_copies(text, None, ENV) is None


@pytest.mark.parametrize("text", HARMLESS)
def test_what_copies_nothing_is_remembered_with_its_cost(text: str) -> None:
    known = without_copies(text, None, ENV)
    assert known is not None
    assert known.steps > 0


def test_a_line_tells_which_scripts_it_would_run() -> None:
    known = without_copies("C:\\jobs\\night.cmd /all", None, ENV)
    assert known is not None
    assert "night.cmd" in known.sought


@pytest.mark.parametrize("text", ["%computername%.cmd", "cmd /c C:\\jobs\\%COMPUTERNAME%\\run.bat", 'powershell -c "& $env:computername"'])
def test_what_depends_on_the_name_of_the_host_is_not_remembered(text: str) -> None:
    assert without_copies(text, None, ENV) is None


def test_the_folder_and_the_variables_matter() -> None:
    assert without_copies("%jobs%\\a.exe", "D:\\x", (("jobs", ("robocopy C:\\a \\\\srvb\\b &",)),)) is None
    assert without_copies("a.exe", "\\\\srvb\\share", ENV) is not None


NIGHT = ScriptRecord(path=r"D:\jobs\night.cmd", called_by=("\\Night",), text="robocopy D:\\a \\\\srvb\\c")


def host(*lines: str, scripts: tuple[ScriptRecord, ...] = ()) -> Snapshot:
    tasks = [task(f"\\T{number}", *text.split(" ", 1)) for number, text in enumerate(lines)]
    return snapshot(*tasks, scripts=scripts)


def test_a_remembered_line_runs_the_script_of_a_host_that_has_it() -> None:
    without = host(r"D:\jobs\night.cmd")
    assert copy_jobs(without) == ()
    (job,) = copy_jobs(host(r"D:\jobs\night.cmd", scripts=(NIGHT,)))
    assert ends([job]) == [("local:D:\\a", "\\\\srvb\\c")]
    assert job.steps[0].record == "\\T0"
    assert copy_jobs(without) == ()


def test_nothing_changes_where_nothing_is_remembered() -> None:
    lines = [*HARMLESS, *COPYING, "wscript night.vbs", "%systemroot%\\x.exe"]
    hosts = [host(*lines), host(*lines, scripts=(NIGHT,)), host(*reversed(lines), scripts=(NIGHT,))]
    remembered = [copy_jobs(one) for one in hosts]
    assert any(remembered)
    assert [copy_jobs(one, remembering=False) for one in hosts] == remembered


def test_the_steps_of_remembered_lines_count_towards_the_limit() -> None:
    crowded = host(*(f"tool{number}.exe {'x' * 3000}" for number in range(3000)))
    remembered = copy_jobs(crowded)
    assert [job.reason for job in remembered] == ["more work than is done for one host: the rest was not followed"]
    assert copy_jobs(crowded, remembering=False) == remembered
