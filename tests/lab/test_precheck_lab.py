"""The founding incident asked beforehand: variants of its fleet without the second server's antivirus, collected over real WinRM, then
`auditor precheck` on what was stored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.model.host import Snapshot
from auditor.store import open_store

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.lab

BEFORE = """\
title: the founding incident before Symantec AntiVirus came onto server B
extends: incident
remove: [dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]
patch:
  srv-b:
    registry:
      HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion: null
      HKLM\\SOFTWARE\\Norton\\{0C55C096-0F1D-4F28-AAA2-85EF591126E7}: null
    programs:
      '{848AA668-5F20-454C-A5B6-5D0F44B4D3E5}': null
      '{8E7D1A33-9C59-4A0D-8F30-2E4E3D1F0A55}': null
    services:
      Symantec AntiVirus: null
      DefWatch: null
      SavRoam: null
      ccEvtMgr: null
      ccSetMgr: null
      SNDSrvc: null
      SPBBCSvc: null
      NSCTOP: null
      Intel PDS: null
      Intel Alert Originator: null
      Intel Alert Handler: null
    shares: {VPHOME: null, VPLOGON: null}
    drivers: {NAVENG: null, NAVEX15: null, SAVRT: null, SAVRTPEL: null, SymEvent: null, SYMTDI: null, SYMREDRV: null, SPBBCDrv: null,
      eeCtrl: null}
    files:
      C:\\Program Files\\Common Files\\Symantec Shared\\VirusDefs\\definfo.dat: null
      C:\\Program Files\\Symantec AntiVirus\\Rtvscan.exe: null
      C:\\Program Files\\Symantec AntiVirus\\DefWatch.exe: null
    events: {sav-start: null, sav-download: null}
"""
APART = """\
title: the same, and nothing goes from one server to the other
extends: before
patch:
  srv-a:
    tasks: {backup to srvb.job: null, fetch from srvb.job: null}
    logons: {from-b-0700: null, from-b-last: null}
  srv-b:
    tasks: {push profiles.job: null, collect from srva.job: null}
    logons: {from-a-0700: null, from-a-last: null}
"""
RULE = "symantec-server-updates-older-server-beside-rapdrv"
PLAIN = "symantec-antivirus@10.0,role=server"


def _auditor(*arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}
    command = [sys.executable, "-m", "auditor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=clean, timeout=170)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A store for each variant, filled over real WinRM."""
    folder = tmp_path_factory.mktemp("precheck")
    (folder / "before.yml").write_text(BEFORE)
    (folder / "apart.yml").write_text(APART)
    found = {}
    for name in ("before", "apart"):
        done = _auditor("collect", "--lab", str(folder / f"{name}.yml"), "--store", str(folder / f"{name}.db"))
        assert done.returncode in (0, 3), done.stderr
        found[name] = folder / f"{name}.db"
    return found


def _check(store: Path, install: str, code: int) -> dict[str, Any]:
    done = _auditor("precheck", "--store", str(store), "--host", "srv-b", "--install", install, "--format", "json")
    assert done.returncode == code, done.stderr + done.stdout[:2000]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _of_rule(found: dict[str, Any], part: str) -> dict[str, Any]:
    (delta,) = [delta for delta in found["hosts"][0][part] if delta["finding"]["rule"] == RULE]
    finding: dict[str, Any] = delta["finding"]
    return finding


def test_in_the_group_of_a_it_is_no_go_and_names_a(stores: dict[str, Path]) -> None:
    found = _check(stores["apart"], f"{PLAIN},group=Corp Servers", 2)
    finding = _of_rule(found, "added")
    assert (found["answer"], [(s["role"], s["host"]) for s in finding["subjects"]]) == ("no-go", [("old", "srv-a"), ("new", "srv-b")])
    assert {(e["kind"], e["source"], e["target"]) for e in finding["edges"]} == {
        ("member-of", "host:srv-a", "group:symantec-antivirus:corp servers"),
        ("member-of", "host:srv-b", "group:symantec-antivirus:corp servers"),
    }
    assert {e["record"] for e in finding["evidence"] if e["host"] == "srv-a"} >= {"RapDrv"}
    assert any(e["section"] == "change" and e["value"] == "Corp Servers" for edge in finding["edges"] for e in edge["evidence"])


def test_without_naming_the_group_the_copies_and_logons_say_the_same(stores: dict[str, Path]) -> None:
    found = _check(stores["before"], PLAIN, 2)
    finding = _of_rule(found, "added")
    assert [s["host"] for s in finding["subjects"]] == ["srv-a", "srv-b"]
    assert {e["kind"] for e in finding["edges"]} == {"copies-to", "logs-on-to"}
    assert {e["claimant"] for e in finding["edges"]} == {"srv-a", "srv-b"}
    radius = found["hosts"][0]["radius"]
    assert {d["node"] for d in radius["copies"]} == {"host:srv-a"}
    assert {d["node"] for d in radius["peers"]} == {"host:srv-a"}


def test_without_ties_it_is_unknown_and_says_what_would_settle_it(stores: dict[str, Path]) -> None:
    found = _check(stores["apart"], PLAIN, 3)
    finding = _of_rule(found, "open")
    assert [s["host"] for s in finding["subjects"]] == ["srv-a", "srv-b"]
    assert finding["missing"] == ["srv-b: change: symantec-antivirus: group is not stated: say group=NAME, or group= for none"]


def test_what_would_settle_it_settles_it(stores: dict[str, Path]) -> None:
    found = _check(stores["apart"], f"{PLAIN},group=Branch,without=AMS2", 2)
    assert found["answer"] == "go with conditions"
    assert RULE not in {delta["finding"]["rule"] for part in ("added", "open") for delta in found["hosts"][0][part]}


def test_what_is_stored_is_the_same_afterwards_and_says_what_was_asked_for(stores: dict[str, Path]) -> None:
    before = _stored(stores["apart"])
    _check(stores["apart"], PLAIN, 3)
    assert _stored(stores["apart"]) == before
    snapshot = msgspec.json.decode(before["srv-b"], type=Snapshot)
    assert snapshot.asked is not None
    assert any("VirusProtect6" in key for key in snapshot.asked.security_keys)


def _stored(path: Path) -> dict[str, bytes]:
    with open_store(path, write=False) as store:
        return {name: msgspec.json.encode(store.read_snapshot(name)) for name in ("srv-a", "srv-b")}
