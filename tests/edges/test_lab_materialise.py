"""A machine on the disk: the registry export read by the auditor's own reader, files with their times, answers of WMI."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.lab.fleet import load_fleet
from auditor.lab.machine import Machine
from auditor.lab.materialise import REPLACED, materialise
from auditor.lab.serve import make_machines
from auditor.probes.recorded.registry import read_reg

NOW = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def machine() -> Machine:
    return make_machines(load_fleet("incident"), NOW)["de-1"]


def test_the_registry_export_holds_every_value(machine: Machine, tmp_path: Path) -> None:
    made = materialise(machine, tmp_path, NOW)
    outcome = read_reg(made.registry.read_text(encoding="utf-16"))
    assert outcome.faults == []
    found = {(value.key.upper(), (value.value_name or "").upper()): value.data for value in outcome.records if not value.deleted}
    checked = 0
    for path, key in machine.registry.walk():
        for value in key.values():
            data = found[(path.replace("HKLM", "HKEY_LOCAL_MACHINE", 1).upper(), value.name.upper())]
            if isinstance(value.data, str | int):
                assert data == value.data
            elif isinstance(value.data, tuple):
                assert data == list(value.data)
            checked += 1
    assert checked > 1500


def test_files_lie_below_their_drives_with_bytes_and_times(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "drive_c" / "windows" / "system32").mkdir(parents=True)
    made = materialise(machine, tmp_path, NOW)
    assert set(made.drives) == {"C:", "D:"}
    script = tmp_path / "drive_d" / "Skripte" / "sicherung.cmd"
    assert "Größe prüfen".encode("cp850") in script.read_bytes()
    driver = next((tmp_path / "drive_c" / "windows").glob("[sS]ystem32/[dD]rivers/tcpip.sys"))
    facts = machine.files.get("C:\\Windows\\System32\\drivers\\tcpip.sys")
    assert facts is not None
    assert driver.read_bytes() == facts.data()
    assert driver.stat().st_mtime == facts.modified.timestamp()
    assert len([path for path in tmp_path.glob("drive_*/**/*") if path.is_file()]) == len(machine.files)
    assert [entry.name for entry in (tmp_path / "drive_c").iterdir() if entry.name.lower() == "windows"] == ["windows"]


def test_what_is_kept_is_left_alone(machine: Machine, tmp_path: Path) -> None:
    made = materialise(machine, tmp_path, NOW, keep=frozenset({"NDIS", "MOUNTMGR", "NOSUCH"}))
    text = made.registry.read_text(encoding="utf-16")
    assert made.left_alone == ("MOUNTMGR", "NDIS")
    assert "\\Services\\NDIS]" not in text
    assert f"[-HKEY_LOCAL_MACHINE{REPLACED[0].removeprefix('HKLM')}]" not in text
    assert not list(tmp_path.glob("drive_c/**/ndis.sys"))


def test_wmi_answers_are_plain_json(machine: Machine, tmp_path: Path) -> None:
    made = materialise(machine, tmp_path, NOW)
    answers = json.loads(made.wmi.read_text(encoding="ascii"))
    system = answers["root\\cimv2"]["Win32_OperatingSystem"][0]
    assert system["LocalDateTime"] == "20261126023000.000000+060"
    assert system["Locale"] == "0407"
    assert {share["Description"] for share in answers["root\\cimv2"]["Win32_Share"]} >= {"Standardfreigabe", "Remote-IPC"}


def test_huge_files_are_written_as_holes(tmp_path: Path) -> None:
    fleet = tmp_path / "f.yml"
    patch = "patch: {quiet-19: {files: {'C:\\Windows\\MEMORY.DMP': {size: 8589934592}}}}\n"
    fleet.write_text(f"extends: incident\n{patch}", encoding="utf-8")
    materialise(make_machines(load_fleet(fleet), NOW)["quiet-19"], tmp_path / "out", NOW)
    dump = tmp_path / "out" / "drive_c" / "Windows" / "MEMORY.DMP"
    assert dump.stat().st_size == 8_589_934_592
    assert dump.stat().st_blocks * 512 < 1 << 20
