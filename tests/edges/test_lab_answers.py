"""What every host of the incident answers: typed without a doubt, the same twice but for readings, and with the traps of real Windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.lab.answers import ANSWERERS, answer_section
from auditor.lab.fleet import load_fleet
from auditor.lab.machine import Machine
from auditor.lab.serve import make_machines
from auditor.lab.sheet import Ask
from auditor.model.host import Sections
from auditor.probes import framing
from auditor.probes.bundle import EXTRA_SECTIONS, ProbeRequest, build_bundle, default_sections
from auditor.probes.decode import decode_answer
from auditor.probes.framing import Answer, SectionAnswer

NOW = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
HOSTS = tuple(host.name for host in load_fleet("incident").hosts)
REQUEST = ProbeRequest(
    hash_drivers="all",
    event_sources=("Symantec AntiVirus",),
    security_keys=(
        "SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion*",
        "SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion\\*",
        "SOFTWARE\\Microsoft\\Windows Defender\\*\\*",
        "SOFTWARE\\ESET\\*\\*\\Info",
    ),
    security_files=("%ProgramFiles%\\Symantec AntiVirus\\*.exe", "%CommonProgramFiles%\\Symantec Shared\\*\\definfo.dat"),
)


@pytest.fixture(scope="module")
def machines() -> dict[str, Machine]:
    return make_machines(load_fleet("incident"), NOW)


def _ask(request: ProbeRequest = REQUEST) -> Ask:
    return Ask.read(framing.read_parameters(build_bundle(request)))


def _answers(machine: Machine, now: datetime = NOW, request: ProbeRequest = REQUEST) -> dict[str, SectionAnswer]:
    ask = _ask(request)
    return {name: answer_section(machine, name, ask, now) for name in ask.sections}


def _decoded(machine: Machine, now: datetime = NOW, request: ProbeRequest = REQUEST) -> Sections:
    hello = framing.Hello(powershell="2.0", elevated=machine.access.elevated, utc_time=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    answer = Answer(hello=hello, sections=_answers(machine, now, request), complete=True)
    return decode_answer(answer, request, now=now).sections


def _patched(folder: Path, patch: str) -> dict[str, Machine]:
    (folder / "f.yml").write_text(f"extends: incident\npatch:\n{patch}", encoding="utf-8")
    return make_machines(load_fleet(folder / "f.yml"), NOW)


def test_the_lab_answers_every_section_that_the_probe_asks_for() -> None:
    assert set(ANSWERERS) == {*default_sections(), *EXTRA_SECTIONS}


@pytest.mark.parametrize("name", HOSTS)
def test_every_row_of_every_section_is_a_typed_record(machines: dict[str, Machine], name: str) -> None:
    answers, sections = _answers(machines[name]), _decoded(machines[name])
    for section, answer in answers.items():
        decoded = getattr(sections, section)
        stated = {(gap.record, gap.field) for gap in answer.gaps}
        assert {(gap.record, gap.field) for gap in decoded.gaps} == stated, section
        assert len(decoded.records or decoded.readings) == len(answer.rows), section
    denied = {section for section, answer in answers.items() if answer.status not in ("ok", "partial", "unsupported")}
    assert denied == ({"logons"} if name == "print-1" else set())
    assert not {section for section, answer in answers.items() if answer.status == "unsupported"}


def test_a_server_from_before_defender_has_none_and_a_later_one_does_not_tell(tmp_path: Path) -> None:
    service = "services: {WinDefend: {display: Windows Defender, image: 'C:\\x.exe', start: auto, state: running}}"
    machines = _patched(tmp_path, f"  quiet-22: {{defender: null}}\n  file-1: {{{service}}}\n")
    said = {name: _answers(machines[name])["defender"] for name in ("dc-1", "file-1", "quiet-22")}
    assert {name: answer.status for name, answer in said.items()} == {"dc-1": "ok", "file-1": "unsupported", "quiet-22": "unsupported"}
    assert (said["dc-1"].rows, said["dc-1"].reason) == ([], "")


@pytest.mark.parametrize("name", HOSTS)
def test_facts_stay_and_readings_move(machines: dict[str, Machine], name: str) -> None:
    first, later = _decoded(machines[name]), _decoded(machines[name], NOW + timedelta(minutes=7))
    for section in default_sections():
        assert msgspec.json.encode(getattr(first, section).records) == msgspec.json.encode(getattr(later, section).records), section
    assert first.memory.readings != later.memory.readings
    assert first.system.readings != later.system.readings


@pytest.mark.parametrize("name", HOSTS)
def test_the_same_facts_give_the_same_rows_on_another_day(name: str) -> None:
    week = timedelta(days=7)
    first = make_machines(load_fleet("incident"), NOW)[name]
    later = make_machines(load_fleet("incident"), NOW + week)[name]
    for section in ("programs", "services", "filters", "system", "network", "shares", "updates", "roles"):
        before, after = _answers(first)[section], _answers(later, NOW + week)[section]
        assert [_lasting(row) for row in before.rows] == [_lasting(row) for row in after.rows]


def _lasting(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the times of this minute and without paths that hold a date on purpose."""
    moving = {"utc_time", "local_time", "boot_time", "utc_offset_minutes", "image_path"}
    return {key: value for key, value in row.items() if key not in moving}


def test_server_a_tells_the_case(machines: dict[str, Machine]) -> None:
    sections = _decoded(machines["srv-a"])
    rapdrv = next(driver for driver in sections.drivers.records if driver.name == "RapDrv")
    assert (rapdrv.link_timestamp, rapdrv.state, rapdrv.machine) == (0x3F99BC4F, "running", 0x14C)
    dump = next(event for event in sections.events.readings if event.source == "Save Dump")
    assert dump.strings[0] == "0x0000008e (0xc0000005, 0xf535e785, 0xf4c0bb54, 0x00000000)"
    minidump = next(dump for dump in sections.dumps.records if dump.kind == "minidump")
    assert minidump.path == dump.strings[1] == "C:\\WINDOWS\\Minidump\\Mini112526-01.dmp"
    unexpected = next(event for event in sections.events.readings if event.id == 6008)
    assert unexpected.strings[:2] == ("19:03:12", "2026-11-25")
    crash = datetime(2026, 11, 25, 11, 3, 12, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    last = max((logon for logon in sections.logons.readings if logon.time < crash), key=lambda logon: logon.time)
    assert (last.workstation, last.address, last.event_id) == ("SRVB", "192.168.10.12", 540)
    assert any("\\\\SRVB\\backup$" in (script.text or "") for script in sections.scripts.records)
    assert {task.source_format for task in sections.tasks.records} == {"job", "schtasks"}


def test_traps_of_real_windows_are_in_the_fleet(machines: dict[str, Machine]) -> None:
    de, quiet, file, srv_a = (_decoded(machines[name]) for name in ("de-1", "quiet-22", "file-1", "srv-a"))
    assert not [service.name for service in de.services.records if "_3e5a1" in service.name]
    assert "CDPUserSvc" in {service.name for service in de.services.records}
    assert "\\{6B1F6A3C-2B0E-4E5B-9C1D-3A5B7C9D1E2F}" in {task.path for task in de.tasks.records}
    assert any("Größe prüfen" in (script.text or "") for script in de.scripts.records)
    stamps = [driver.link_timestamp for driver in quiet.drivers.records if driver.company == "Microsoft Corporation"]
    assert {stamp // (10 * 365 * 86_400) for stamp in stamps if stamp is not None} > {0, 3, 8}
    naveng = next(driver for driver in srv_a.drivers.records if driver.name == "NAVENG")
    assert naveng.path is not None
    assert naveng.path.startswith("C:\\PROGRA~1\\COMMON~1\\")
    altitudes = {filter_.name: filter_.altitude for filter_ in quiet.filters.records if filter_.instance}
    assert (altitudes["WdFilter"], altitudes["CSAgent"]) == ("328010", "321410")
    assert [script.path for script in file.scripts.records] == ["D:\\Admin\\to-nas.cmd", "D:\\Admin\\local-copy.ps1"]


def test_a_denied_log_a_denied_key_and_a_denied_file_say_so(tmp_path: Path) -> None:
    patch = (
        "  srv-a:\n    access:\n      denied: [system_log]\n"
        "      denied_keys: ['HKLM\\SOFTWARE\\INTEL\\LANDesk']\n"
        "      denied_files: ['C:\\WINDOWS\\System32\\drivers\\RapDrv.sys', 'D:\\Scripts', 'C:\\WINDOWS\\Minidump']\n"
    )
    machine = _patched(tmp_path, patch)["srv-a"]
    answers = _answers(machine)
    assert (answers["events"].status, answers["events"].reason) == ("denied", "Requested registry access is not allowed.")
    assert answers["logons"].status == "partial"
    assert answers["security"].status == "partial"
    assert answers["dumps"].status == "denied"
    rapdrv = next(row for row in answers["drivers"].rows if row["name"] == "RapDrv")
    assert "file_exists" not in rapdrv
    assert [gap.record for gap in answers["drivers"].gaps] == ["RapDrv"]
    assert {row["text"] for row in answers["scripts"].rows} == {None}
    assert len(answers["scripts"].gaps) == len(answers["scripts"].rows)


def test_an_account_without_rights_sees_less_and_the_decoder_knows(tmp_path: Path) -> None:
    patch = "  quiet-22: {access: {elevated: false}}\n  file-1: {access: {denied: [tasks, wmi]}}\n"
    machines = _patched(tmp_path, patch)
    quiet, file = _answers(machines["quiet-22"]), _answers(machines["file-1"])
    falcon = next(row for row in quiet["services"].rows if row["name"] == "CSFalconService")
    assert falcon["state"] is None
    assert quiet["logons"].status == "denied"
    assert {row.get("dirty") for row in quiet["memory"].rows} == {None}
    assert _decoded(machines["quiet-22"]).services.status == "partial"
    assert (file["tasks"].status, file["scripts"].status, file["shares"].status) == ("denied", "failed", "denied")
    assert (file["system"].status, {gap.field for gap in file["system"].gaps}) == ("partial", {"boot_time", "manufacturer", "model"})


def test_limits_of_the_request_are_kept(machines: dict[str, Machine]) -> None:
    request = ProbeRequest(script_limit_bytes=300, task_limit=1, event_limit=3, logon_limit=1, hash_drivers="non_microsoft")
    answers = _answers(machines["srv-a"], request=request)
    assert any("larger than 300: not read" in gap.reason for gap in answers["scripts"].gaps)
    assert any("only the first 1 tasks" in gap.reason for gap in answers["tasks"].gaps)
    assert any("only the newest 3 records" in gap.reason for gap in answers["events"].gaps)
    assert any("only the newest 1 logons" in gap.reason for gap in answers["logons"].gaps)
    hashed = {row["company"] for row in answers["drivers"].rows if row.get("sha256")}
    assert "Microsoft Corporation" not in hashed
    assert "Internet Security Systems, Inc." in hashed
    without = _answers(machines["srv-a"], request=ProbeRequest())
    assert not [row for row in without["drivers"].rows if row.get("sha256")]


def test_windows_move_with_the_request(machines: dict[str, Machine]) -> None:
    answers = _answers(machines["srv-a"], request=ProbeRequest(event_days=10, logon_minutes=1))
    assert not [row for row in answers["events"].rows if row["id"] == 6006]
    assert answers["events"].coverage[0].asked_from == "2026-11-16T01:30:00Z"
    whole = _answers(machines["srv-a"], request=ProbeRequest(event_days=30))
    assert [row for row in whole["events"].rows if row["id"] == 6006]
    assert whole["events"].coverage[0].oldest == (NOW - timedelta(days=160)).strftime("%Y-%m-%d") + "T00:11:09Z"


def test_jobs_of_sql_agent_where_the_account_may_log_on(tmp_path: Path) -> None:
    sql = "HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\Instance Names\\SQL"
    agents = {"SQLSERVERAGENT": "auto", "SQLAgent$TWO": "auto", "SQLAgent$OFF": "disabled"}
    services = "{" + ", ".join(f"'{name}': {{image: a.exe, start: {start}}}" for name, start in agents.items()) + "}"
    job = "{ship: {steps: [{command: 'xcopy D:\\bak \\\\srvb\\bak', name: copy}, {command: SELECT 1, subsystem: TSQL}]}}"
    host = (
        f"  file-1:\n    services: {services}\n    registry: {{'{sql}': {{MSSQLSERVER: M, TWO: N, 'OFF': O}}}}\n"
        f"    sql_agent: {{MSSQLSERVER: {job}}}\n"
    )
    found = _decoded(_patched(tmp_path, host)["file-1"]).jobs
    assert [(r.scheduler, r.name, r.step, r.enabled) for r in found.records] == [
        ("sql_agent MSSQLSERVER", "ship", "1 CmdExec: copy", True),
        ("sql_agent MSSQLSERVER", "ship", "2 TSQL: step", True),
    ]
    assert (found.status, [(gap.record, gap.field) for gap in found.gaps]) == ("partial", [("SQLAgent$TWO", "command")])


def test_drives_that_the_account_of_a_task_keeps_mapped(tmp_path: Path) -> None:
    hive = "HKU\\S-1-5-21-11-22-33-1104"
    names = "USERNAME: svc, USERDOMAIN: CORP"
    tasks = (
        "{'\\Mapped': {command: a.cmd, user: 'corp\\svc'}, '\\BySid': {command: a.cmd, user: S-1-5-21-11-22-33-1104}, "
        "'\\Away': {command: a.cmd, user: 'CORP\\other'}, '\\System': {command: a.cmd, user: S-1-5-18}}"
    )
    values = f"    registry: {{'{hive}\\Volatile Environment': {{{names}}}, '{hive}\\Network\\Z': {{RemotePath: '\\\\srvb\\data'}}}}\n"
    host = f"  file-1:\n    tasks: {tasks}\n" + values
    seen = _decoded(_patched(tmp_path, host)["file-1"]).tasks
    drives = {reading.path: reading.user_drives for reading in seen.readings if reading.user_drives is not None}
    assert drives == {"\\Mapped": ("z: \\\\srvb\\data",), "\\BySid": ("z: \\\\srvb\\data",)}
    unseen = _decoded(_patched(tmp_path, host + "    access: {denied_keys: ['" + hive + "']}\n")["file-1"]).tasks
    assert not [reading for reading in unseen.readings if reading.user_drives is not None]
    assert [gap.field for gap in unseen.gaps if gap.field == "user_drives"] == ["user_drives"]


def test_when_a_task_last_ran_stands_in_the_registry(tmp_path: Path) -> None:
    ran_once = "{command: a.cmd, last_run: 2026-11-25 02:00:05, last_result: -2147020576}"
    task = f"  file-1:\n    tasks: {{'\\Ran\\Night': {ran_once}, '\\Never': {{command: b.cmd}}}}\n"
    denied = "    access: {denied_keys: ['HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache']}\n"
    seen = _decoded(_patched(tmp_path, task)["file-1"]).tasks
    readings = {reading.path: reading for reading in seen.readings}
    ran = readings["\\Ran\\Night"]
    assert ran.last_run is not None
    assert ran.last_run.endswith("00:05Z")
    assert ran.last_result == 0x800710E0
    assert (readings["\\Never"].last_run, readings["\\Never"].last_result, readings["\\Never"].state) == (None, None, "never run")
    unseen = _decoded(_patched(tmp_path, task + denied)["file-1"]).tasks
    assert ([r.path for r in unseen.records], unseen.readings) == ([r.path for r in seen.records], ())
    assert [gap.field for gap in unseen.gaps if gap.field == "last_run"] == ["last_run"]
