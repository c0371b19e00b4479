"""How the probe reads event logs, on a real PowerShell engine: the service itself is stood in for, for it is Windows' own."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from auditor.lab.answers import answer_section
from auditor.lab.fleet import load_fleet
from auditor.lab.machine import Machine
from auditor.lab.serve import make_machines
from auditor.lab.sheet import Ask
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, assemble, build_bundle
from auditor.probes.framing import SectionAnswer
from tests.edges import engine

NOW = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
SERVICE = """
class Record {
    $RecordId; $ProviderName = 'EventLog'; $Id = 4624; $TimeCreated = [DateTime]::UtcNow; $Level = 4; $Task = 0
    $Keywords = $null; $Properties
    Record($number, $kind) {
        $this.RecordId = $number
        $values = @('', '', '', '', '', 'user', 'CORP', '', $kind, '', '', 'PC', '', '', '', '', '', '', '10.0.0.1')
        $this.Properties = @(foreach ($value in $values) { @{ Value = $value } })
    }
    [void] Dispose() { }
}
class Reader {
    $Count = 0
    [void] Dispose() { }
    [object] ReadEvent() {
        $this.Count++
        if ($this.Count -gt 3) { LAST }
        return [Record]::new($this.Count, 'TYPE')
    }
}
$new = Get-Command New-Object
function Test-NewLogs { return $true }
function Get-Generation { return 601 }
function Get-Oldest { return $null }
function New-Object($kind, $with) {
    if ($kind -like '*EventLogQuery') {
        Add-Gap 'query' '' $with[2]
        return @{ ReverseDirection = $false }
    }
    if ($kind -like '*EventLogReader') { return [Reader]::new() }
    if ($null -eq $with) { return , (& $new $kind) }
    return , (& $new $kind $with)
}
"""
CLASSIC = """
class Entry {
    $Source = 'Security'; $InstanceId = 4624; $Data
    $TimeGenerated = [DateTime]::Now.AddMinutes(-5); $EntryType = 8; $Index = 1; $CategoryNumber = 0
    $ReplacementStrings = @('', '', '', '', '', 'user', 'CORP', '', 'TYPE', '', '', 'PC', '', '', '', '', '', '', '10.0.0.1')
}
class Entries {
    $Count = 3
    [object] Item($number) {
        $entry = [Entry]::new()
        $entry.Index = $number
        return $entry
    }
}
$AuditReader = 'No.Such.Reader'
$new = Get-Command New-Object
function Get-Generation { return 600 }
function New-Object($kind, $with) {
    if ($kind -eq 'Diagnostics.EventLog') { return @{ Entries = [Entries]::new() } }
    if ($null -eq $with) { return , (& $new $kind) }
    return , (& $new $kind $with)
}
"""
"""A log service of Vista on a host without .NET 3.5."""
HANGS, ENDS = "while ($true) { }", "return $null"
PROBES = Path(framing.__file__).parent


def asked(section: str, last: str, kind: int = 3, service: str = SERVICE, **wanted: int) -> SectionAnswer:
    """A section's real script, over a log service with three records, after which it hangs or ends."""
    found = engine.folder()
    if found is None:
        pytest.skip(engine.NO_ENGINE)
    script = (PROBES / section / f"{section}.ps1").read_text(encoding="ascii")
    start = service.replace("LAST", last).replace("TYPE", str(kind))
    bundle = assemble(ProbeRequest(section_deadline_seconds=4, **wanted), {section: start + script})  # type: ignore[arg-type]
    return engine.run(found, bundle).sections[section]


@pytest.mark.engine
@pytest.mark.parametrize("section", ["events", "logons"])
def test_records_that_were_read_before_the_deadline_are_kept(section: str) -> None:
    answer = asked(section, HANGS)
    assert answer.status == "timed_out"
    assert "waiting for the event log service" in answer.reason
    assert len(answer.rows) == 3


@pytest.mark.engine
def test_logons_of_services_are_left_out_by_the_log_service_and_again_here() -> None:
    answer = asked("logons", ENDS)
    assert [row["logon_type"] for row in answer.rows] == [3, 3, 3]
    assert answer.rows[0]["account"] == "user"
    query = next(gap.reason for gap in answer.gaps if gap.record == "query")
    select = ElementTree.fromstring(query).find("Query/Select")
    assert select is not None
    assert select.text is not None
    assert re.search(r"^\*\[System\[\(EventID=4624\) and TimeCreated\[[^]]+\]\]\] and \*\[", select.text)
    assert select.text.endswith("*[EventData[Data[@Name='LogonType']!='0']] and *[EventData[Data[@Name='LogonType']!='5']]")
    assert asked("logons", ENDS, kind=5).rows == []


@pytest.mark.engine
def test_more_than_the_limit_is_said() -> None:
    answer = asked("logons", ENDS, logon_limit=2)
    assert len(answer.rows) == 2
    assert "Security: only the newest 2 records that are wanted were kept" in [gap.reason for gap in answer.gaps]
    assert len(asked("events", ENDS, event_limit=2).rows) == 4, "two of each log"


@pytest.mark.engine
def test_without_the_reader_of_net_3_5_the_class_of_old_is_asked() -> None:
    answer = asked("logons", ENDS, service=CLASSIC)
    assert [(row["account"], row["workstation"], row["event_id"]) for row in answer.rows] == [("user", "PC", 4624)] * 3
    assert [gap.field for gap in answer.gaps if "no .NET 3.5" in gap.reason] == ["level"]
    assert asked("logons", ENDS, kind=5, service=CLASSIC).rows == []


def machine(folder: Path, host: str, source: str) -> Machine:
    patch = f"  {host}: {{events: {{odd: {{source: {source}, id: 1074, time: -2h}}}}}}\n"
    (folder / "f.yml").write_text(f"extends: incident\npatch:\n{patch}", encoding="utf-8")
    return make_machines(load_fleet(folder / "f.yml"), NOW)[host]


@pytest.mark.parametrize(
    ("host", "source", "shown"),
    [("quiet-19", "USER32", True), ("quiet-19", "User32", True), ("quiet-19", "uSER32", False), ("srv-a", "uSER32", True)],
)
def test_the_lab_tells_upper_from_lower_case_as_xpath_does(tmp_path: Path, host: str, source: str, *, shown: bool) -> None:
    ask = Ask.read(framing.read_parameters(build_bundle(ProbeRequest())))
    answer = answer_section(machine(tmp_path, host, source), "events", ask, NOW)
    assert (source in {row["source"] for row in answer.rows}) is shown
