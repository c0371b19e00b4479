"""Drift over real WinRM: a fleet that is left alone and lives on shows nothing, a change shows, and only it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.compare import compare_snapshots
from auditor.history import fleet_drift, load_known
from auditor.matrix import load_matrix
from auditor.model.change import Difference
from auditor.model.host import Snapshot
from auditor.model.places import shipped
from auditor.store import open_store
from tests.living import EXPECTED_SECTIONS, living

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.lab, pytest.mark.slow]
SCANS = 200

FLEET = """\
title: the incident, with three alike servers, without the hosts that do not answer
extends: incident
remove: [sql-1, web-1]
hosts:
{clones}
"""
OVER_WMI = """\
  WMI1:
    base: [windows-2019]
    groups: [others]
    system: {powershell: none}
    network: {computer_name: WMI1}
    services:
      CDPUserSvc_4a1f2: {image: 'C:\\Windows\\system32\\svchost.exe', type: user_share, instance: true, start: auto, state: running}
"""
CLONE = """\
  {name}:
    base: [windows-2016]
    groups: [kiosks]
    network: {{computer_name: {name}, adapters: {{Ethernet: {{addresses: ['10.1.1.{number}'], mac: '00:50:56:00:00:{number}'}}}}}}
    services:
      AcmeAgent: {{image: 'C:\\Acme\\agent.exe', start: {start}, state: running}}
    drivers:
      AcmeDrv:
        image: 'system32\\drivers\\acmedrv.sys'
        start: system
        file: {{version: {{file: 1.2.3.4, company: Acme}}, linked: {linked}, modified: 2024-01-01 00:00:00}}
"""
LIVED_ON = """\
patch:
  quiet-22:
    system: {boot: -1h}
    memory: {free: 123456789, volumes: {"C:": {free: 987654321}}}
    services:
      CDPUserSvc_4a1f2: null
      CDPUserSvc_7be01: {image: 'C:\\Windows\\system32\\svchost.exe', type: user_share, instance: true, start: auto, state: running}
      BITS: {state: running}
      wuauserv: {state: running}
    drivers:
      MpKsl1234abcd: {image: '\\??\\C:\\ProgramData\\Microsoft\\Windows Defender\\MpKslDrv.sys', start: system, file: missing}
    tasks:
      \\User_Feed_Synchronization-{11111111-2222-3333-4444-555555555555}:
        command: 'C:\\Windows\\system32\\msfeedssync.exe'
        arguments: sync
        triggers: [{kind: daily, start: 2026-01-01 10:00}]
    registry:
      HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager: {PendingFileRenameOperations: ['\\??\\C:\\Windows\\Temp\\x.tmp', '']}
    events:
      living: {source: EventLog, id: 6005, qualifiers: 32768, time: -1h}
    logons:
      living: {time: -20m, user: somebody, domain: CORP, workstation: PC-1, address: 192.168.10.1}
  srv-a:
    tasks:
      backup to srvb.job: {last_run: -1h, last_result: 1}
    drivers:
      NAVENG:
        image: '\\??\\C:\\PROGRA~1\\COMMON~1\\SYMANT~1\\VIRUSD~1\\20261126.003\\NAVENG.Sys'
        file: {version: {file: 20091.1.0.7, company: Symantec Corporation}, linked: 0x4500ffff, size: 90000, modified: -1h}
    memory: {free: 11111}
"""
CHANGED = """\
patch:
  srv-b:
    services:
      Spooler: {start: disabled, state: stopped}
  file-1:
    shares:
      Loot$: {path: 'C:\\'}
  srv-a:
    tasks:
      fetch from srvb.job: {command: 'D:\\Scripts\\other.cmd'}
    programs:
      BlackICE: {version: 3.6.cch}
"""


def _fleet(folder: Path, name: str, patch: str = "", *, odd: bool = False) -> Path:
    clones = []
    for number in (11, 12, 13, 14):
        strange = odd and number == 14
        clones.append(
            CLONE.format(name=f"KIOSK{number}", number=number, start="demand" if strange else "auto", linked=99 if strange else 42)
        )
    path = folder / f"{name}.yml"
    over_wmi = OVER_WMI.replace("_4a1f2", "_8c3d9") if patch == LIVED_ON else OVER_WMI
    path.write_text(FLEET.format(clones="".join([*clones, over_wmi]).rstrip()) + patch)
    return path


def _collect(store: Path, fleet: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}
    command = [
        sys.executable,
        "-m",
        "auditor",
        "collect",
        "--lab",
        str(fleet),
        "--store",
        str(store),
        "--host-deadline",
        "60",
        "--format",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment, timeout=200)
    assert done.returncode in (0, 3), done.stderr
    statuses = {host["host"]: host["status"] for host in json.loads(done.stdout)["coverage"]}
    assert set(statuses.values()) <= {"ok", "partial"}, statuses


def _differences(store: Path, *baselines: Any) -> list[Difference]:
    known = load_known([shipped("compat_matrix")], load_matrix([shipped("compat_matrix")]).signatures)
    with open_store(store, write=False) as opened:
        return [difference for drift in fleet_drift(opened, known, None, baselines) for difference in drift.differences]


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store with two collections of a fleet that was left alone, and its folder."""
    folder = tmp_path_factory.mktemp("drift")
    fleet = _fleet(folder, "plain")
    for _ in range(2):
        _collect(folder / "store.db", fleet)
    return folder / "store.db", folder


def test_a_fleet_that_was_left_alone_shows_nothing(twice: tuple[Path, Path]) -> None:
    assert _differences(twice[0], "previous", "role", "accepted", "peers") == []


def test_a_fleet_that_lives_on_shows_nothing(twice: tuple[Path, Path]) -> None:
    store, folder = twice
    before = _snapshots(store)
    _collect(store, _fleet(folder, "lived", LIVED_ON))
    after = _snapshots(store)
    assert before["quiet-22"].sections.drivers != after["quiet-22"].sections.drivers, "it has to live for the test to mean anything"
    assert before["quiet-22"].sections.tasks != after["quiet-22"].sections.tasks
    assert before["WMI1"].transport.startswith("wmi")
    assert before["srv-a"].sections.drivers != after["srv-a"].sections.drivers
    assert _differences(store, "previous", "peers") == []


def test_real_changes_are_found_and_nothing_else(twice: tuple[Path, Path]) -> None:
    store, folder = twice
    _collect(store, _fleet(folder, "plain-again"))
    _collect(store, _fleet(folder, "changed", CHANGED, odd=True))
    found = _differences(store, "previous", "peers")
    named = {(d.host, d.section, d.key, d.field) for d in found if d.baseline == "previous" and d.field != "checksum"}
    assert {
        ("srv-b", "services", "Spooler", "start"),
        ("srv-b", "services", "Spooler", "state"),
        ("file-1", "shares", "Loot$", ""),
        ("srv-a", "programs", "BlackICE Server Protection", "version"),
        ("srv-a", "tasks", "fetch from srvb.job", "actions"),
        ("KIOSK14", "services", "AcmeAgent", "start"),
        ("KIOSK14", "drivers", "AcmeDrv", "link_timestamp"),
    } == {place for place in named if place[1] != "scripts"}
    among = {
        (d.host, d.key, d.field, d.agree, d.of, d.concern)
        for d in found
        if d.baseline == "peers" and d.field in ("start", "link_timestamp")
    }
    assert among == {("KIOSK14", "AcmeAgent", "start", 3, 4, ""), ("KIOSK14", "AcmeDrv", "link_timestamp", 3, 4, "integrity")}


def _snapshots(store: Path) -> dict[str, Snapshot]:
    with open_store(store, write=False) as opened:
        return {state.host: opened.read_state(state) for state in opened.latest_states(1)}


def test_two_hundred_collections_of_a_living_host_show_nothing(twice: tuple[Path, Path], tmp_path: Path) -> None:
    """A host as the lab serves it, then as it would live on: stored and compared like any other."""
    base = _snapshots(twice[0])["quiet-19"]
    known = load_known([shipped("compat_matrix")], load_matrix([shipped("compat_matrix")]).signatures)
    with open_store(twice[0], write=False) as opened:
        [stored] = opened.latest_results(["quiet-19"])
    before = living(base, 0)
    moved: set[str] = set()
    for number in range(1, SCANS + 1):
        now = living(base, number)
        assert compare_snapshots(before, now, known.rules.own).deltas == ()
        moved |= {name for name in EXPECTED_SECTIONS if getattr(before.sections, name).records != getattr(now.sections, name).records}
        before = now
    assert moved >= set(EXPECTED_SECTIONS) - {"network"}
    with open_store(tmp_path / "living.db") as living_store:
        for number in range(0, SCANS, 10):
            snapshot = living(base, number)
            run = living_store.begin_run("collect", snapshot.collected_at, "0.1.0")
            living_store.save_result(run, stored.target, msgspec.structs.replace(stored.result, snapshot=snapshot))
    assert _differences(tmp_path / "living.db", "previous") == []
