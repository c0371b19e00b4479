"""The main job as a user runs it: the command line against a running lab, over real WinRM, in processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.store import open_store

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.lab

FLEET = """\
title: three plain hosts and two that misbehave
hosts:
  SRV1:
    base: [windows-2003, symantec-9]
    groups: [servers]
    network: {computer_name: SRV1}
  SRV2:
    base: [windows-2019]
    groups: [servers]
    network: {computer_name: SRV2}
  NOLOGON:
    base: [windows-2016]
    groups: [servers]
    network: {computer_name: NOLOGON}
    behaviour: {fault: refuse_logon}
  GARBAGE:
    base: [windows-2016]
    groups: [other]
    network: {computer_name: GARBAGE}
    behaviour: {fault: garbage}
"""


def _environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}
    return clean | {"XDG_DATA_HOME": str(tmp_path / "data")}


def _auditor(tmp_path: Path, *arguments: str, seconds: float = 100) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=_environment(tmp_path), timeout=seconds)


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "small.yml"
    path.write_text(FLEET)
    return path


@pytest.fixture
def lab(tmp_path: Path, fleet: Path) -> Iterator[dict[str, Any]]:
    """A lab that serves the fleet, and what it printed when it was ready."""
    command = [sys.executable, "-m", "auditor", "lab", "--fleet", str(fleet), "--state", str(tmp_path / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=_environment(tmp_path)) as child:
        try:
            assert child.stdout is not None
            yield json.loads(child.stdout.readline())
        finally:
            child.terminate()


def _coverage(document: str) -> dict[str, str]:
    return {host["host"]: host["status"] for host in json.loads(document)["coverage"]}


def test_audit_of_a_lab_in_one_command(tmp_path: Path, fleet: Path) -> None:
    html, document = tmp_path / "out" / "r.html", tmp_path / "out" / "r.json"
    outputs = ["--output", f"html:{html}", "--output", f"json:{document}"]
    done = _auditor(tmp_path, "audit", "--lab", str(fleet), "--host-deadline", "30", *outputs)
    assert done.returncode in (3, 4), done.stderr
    assert "COVERAGE" in done.stdout
    assert f"html report: {html}" in done.stdout
    assert _coverage(document.read_text())["SRV1"] == "ok"
    assert "4 of 4 hosts" in done.stderr
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "data" / "auditor" / "lab.db").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "data" / "auditor" / "store.db").exists()


def test_collect_then_check_then_report_say_the_same(tmp_path: Path, lab: dict[str, Any]) -> None:
    common = ["-i", lab["inventory"], "--store", str(tmp_path / "s.db"), "--format", "json"]
    collected = _auditor(tmp_path, "collect", *common, "--host-deadline", "20")
    assert collected.returncode == 3, collected.stderr
    assert _coverage(collected.stdout)["NOLOGON"] == "denied"
    assert "GARBAGE" in _coverage(collected.stdout)
    assert Path(lab["violations"]).read_text() == ""
    checked = _auditor(tmp_path, "check", *common)
    assert _coverage(checked.stdout) == _coverage(collected.stdout)
    reported = _auditor(tmp_path, "report", *common)
    assert json.loads(reported.stdout) == json.loads(checked.stdout)
    assert "Traceback" not in collected.stderr + checked.stderr + reported.stderr


def test_a_host_that_was_never_collected_is_not_seen_and_not_clean(tmp_path: Path, lab: dict[str, Any]) -> None:
    common = ["-i", lab["inventory"], "--store", str(tmp_path / "s.db"), "--format", "json"]
    assert _auditor(tmp_path, "collect", *common, "--limit", "SRV1").returncode == 0
    checked = _auditor(tmp_path, "check", *common)
    assert checked.returncode in (3, 4)
    assert _coverage(checked.stdout)["SRV2"] == "not_asked"


def test_the_targets_are_shown_without_passwords(tmp_path: Path, lab: dict[str, Any]) -> None:
    done = _auditor(tmp_path, "inventory", "-i", lab["inventory"], "--format", "json")
    assert done.returncode == 0, done.stderr
    targets = json.loads(done.stdout)["targets"]
    assert [t["name"] for t in targets] == ["SRV1", "SRV2", "NOLOGON", "GARBAGE"]
    assert set(targets[0]) == {"name", "address", "port", "scheme", "transport", "user", "groups"}
    password = re.search(r"ansible_password: (\S+)", Path(lab["inventory"]).read_text())
    assert password is not None
    assert password.group(1) not in done.stdout + done.stderr


@pytest.mark.parametrize("fault", ["missing", "empty", "limit"])
def test_bad_inventories_are_one_clear_paragraph(tmp_path: Path, lab: dict[str, Any], fault: str) -> None:
    (tmp_path / "empty.yml").write_text("all:\n  hosts:\n    linux:\n      ansible_connection: ssh\n")
    arguments = {
        "missing": ["-i", "no/such.yml"],
        "empty": ["-i", str(tmp_path / "empty.yml")],
        "limit": ["-i", lab["inventory"], "--limit", "NOSUCH"],
    }
    done = _auditor(tmp_path, "audit", *arguments[fault])
    assert done.returncode == 64
    assert done.stderr.startswith("auditor: error: ")
    assert "Traceback" not in done.stderr


def test_a_broken_fleet_is_told_with_its_places(tmp_path: Path) -> None:
    (tmp_path / "broken.yml").write_text("title: x\nhosts:\n  A: {base: [windows-2003], netwrok: {}}\n")
    for arguments in (["audit", "--lab", str(tmp_path / "broken.yml")], ["lab", "--fleet", str(tmp_path / "broken.yml")]):
        done = _auditor(tmp_path, *arguments)
        assert done.returncode == 1
        assert re.search(r"broken\.yml:3:\d+: ", done.stderr)
        assert "Traceback" not in done.stderr


def test_ctrl_c_keeps_what_was_collected(tmp_path: Path) -> None:
    fleet = tmp_path / "hang.yml"
    fleet.write_text(
        "title: one answers, one hangs\nhosts:\n"
        "  GOOD: {base: [windows-2019], network: {computer_name: GOOD}}\n"
        "  STUCK: {base: [windows-2019], network: {computer_name: STUCK}, behaviour: {fault: hang_command}}\n"
    )
    store, document = tmp_path / "s.db", tmp_path / "r.json"
    command = [sys.executable, "-m", "auditor", "audit", "--lab", str(fleet), "--store", str(store), "--output", f"json:{document}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=_environment(tmp_path)
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            if "1 of 2 hosts" in line:
                break
        asked = time.monotonic()
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
        assert time.monotonic() - asked < 15
        assert child.returncode == 130
    with open_store(store, write=False) as opened:
        assert {h.target.name: h.result.status for h in opened.latest_results()} == {"GOOD": "ok", "STUCK": "not_asked"}
        assert [r.state for r in opened.runs()] == ["interrupted"]
    assert _coverage(document.read_text()) == {"GOOD": "ok", "STUCK": "not_asked"}


def test_the_lab_stops_when_it_is_told(tmp_path: Path, lab: dict[str, Any]) -> None:
    assert lab["ready"] is True
    assert lab["hosts"] == 4
    assert Path(lab["inventory"]).stat().st_mode & 0o777 == 0o600
