"""How the probe reads jobs of SQL Agent, on a real PowerShell engine: SQL Server is stood in for."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, assemble
from auditor.probes.framing import SectionAnswer
from tests.edges import engine

SERVER = """
class Found {
    $At = 0
    [bool] Read() {
        $this.At++
        return $this.At -le 2
    }
    [object] GetValue($column) { return @('ship', [byte]1, $this.At, 'CmdExec', 'copy it', 'xcopy D:\\bak \\\\srvb\\bak')[$column] }
}
class Asked {
    $CommandText
    $CommandTimeout
    [object] ExecuteReader() { return [Found]::new() }
}
class Connection {
    $With
    [void] Open() { if ($this.With -match 'TWO') { throw 'Login failed for user' } }
    [object] CreateCommand() { return [Asked]::new() }
    [void] Dispose() { }
}
class Instances {
    [object] GetValueNames() { return @('MSSQLSERVER', 'TWO', 'x;Server=elsewhere') }
    [void] Close() { }
}
$new = Get-Command New-Object
function Open-Key($path) { if ($path -like '*Instance Names*') { return [Instances]::new() } }
function Test-Key($path) { return $true }
function Get-PathNumber($path, $name) { return 2 }
function New-Object($kind, $with) {
    if ($kind -like '*SqlConnection') {
        Add-Gap 'connection' '' $with
        $made = [Connection]::new()
        $made.With = $with
        return $made
    }
    if ($null -eq $with) { return , (& $new $kind) }
    return , (& $new $kind $with)
}
"""


def _asked() -> SectionAnswer:
    found = engine.folder()
    if found is None:
        pytest.skip(engine.NO_ENGINE)
    script = (Path(framing.__file__).parent / "jobs" / "jobs.ps1").read_text(encoding="ascii")
    bundle = assemble(ProbeRequest(section_deadline_seconds=20, job_files=()), {"jobs": SERVER + script})
    return engine.run(found, bundle).sections["jobs"]


@pytest.mark.engine
def test_steps_are_rows_and_what_refuses_the_logon_is_a_gap() -> None:
    answer = _asked()
    assert [(row["scheduler"], row["name"], row["step"], row["enabled"]) for row in answer.rows] == [
        ("sql_agent MSSQLSERVER", "ship", "1 CmdExec: copy it", True),
        ("sql_agent MSSQLSERVER", "ship", "2 CmdExec: copy it", True),
    ]
    assert answer.rows[0]["command"] == r"xcopy D:\bak \\srvb\bak"
    refused = [gap.record for gap in answer.gaps if gap.record != "connection"]
    assert refused == ["SQLAgent$TWO", "SQLAgent$x;Server=elsewhere"]
    connections = [gap.reason for gap in answer.gaps if gap.record == "connection"]
    assert [text.split(";")[0] for text in connections] == ["Server=lpc:.", r"Server=lpc:.\TWO"]
