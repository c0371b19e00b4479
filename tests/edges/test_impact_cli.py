"""`auditor impact`: words for people, one document for programs, and names that nobody has."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.cli.program import run
from auditor.matrix.fragments import HostFragment, snapshot_of
from auditor.model.host import HostResult, Target
from auditor.store import open_store

HOSTS: dict[str, dict[str, Any]] = {
    "A": {
        "tasks": [{"path": "\\T", "run": "robocopy C:\\x \\\\B\\s$ /MIR"}],
        "drivers": [{"name": "csagent", "state": "running", "file_version": "7.1", "file_exists": True}],
    },
    "B": {"tasks": [{"path": "\\T", "run": "xcopy C:\\y \\\\A\\t"}]},
    "C": {"logons": [{"time": "2026-01-02T02:00:00Z", "account": "x", "workstation": "B", "logon_type": 3}]},
}


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def store(tmp_path: Path) -> str:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with open_store(tmp_path / "s.db") as opened:
        name = opened.begin_run("collect", now, "0.1.0")
        for host, sections in HOSTS.items():
            target = Target(name=host, address=host.lower(), port=5985, scheme="http", transport="ntlm")
            snapshot = msgspec.structs.replace(snapshot_of(host, msgspec.convert(sections, HostFragment)), collected_at=now)
            opened.save_result(name, target, HostResult(host=host, status="ok", snapshot=snapshot))
    return str(tmp_path / "s.db")


def test_a_host(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["impact", "--store", store, "a", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["schema_version"], found["kind"], found["subject"]) == (1, "host", "A")
    assert [(r["node"], r["distance"]) for r in found["reached"]] == [("host:B", 1), ("host:C", 2)]
    assert found["cycles"] == [["A", "B"]]
    assert run(["impact", "--store", store, "A"]) == 0
    said = capsys.readouterr().out
    assert "A -> B -> A" in said
    assert "A copies to" in said


def test_a_driver_and_a_product(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["impact", "--store", store, "CSAgent.sys", "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], [e["host"] for e in found["holders"]]) == ("driver", ["A"])
    assert run(["impact", "--store", store, "crowdstrike-falcon", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "product"
    assert run(["impact", "--store", store, "crowdstrike-falcon"]) == 0
    assert "WHERE IT IS" in capsys.readouterr().out


def test_names_that_nobody_has(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["impact", "--store", store, "csagnt"]) == 64
    assert "Near to it: csagent" in capsys.readouterr().err
    assert run(["impact", "--store", store, "csagent", "--kind", "host"]) == 64
    assert "there is no host 'csagent'" in capsys.readouterr().err
    assert run(["impact", "--store", store, "A", "--max-age", "1x"]) == 64
