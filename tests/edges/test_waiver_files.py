"""Waiver files on the command line: what is wrong waives nothing and is told with its place; accepted findings stay in the report."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.cli.program import run
from auditor.model.errors import InputFileError
from auditor.model.host import DriverRecord, HostResult, Section, Sections, Snapshot, Target
from auditor.store import open_store
from auditor.waivers import load_waivers

RULE = """\
id: own-evil-driver
title: A driver that must not be there
severity: high
confidence: confirmed
when:
  driver: {name: EvilDrv}
subject: "{host} runs EvilDrv."
mechanism: It is there.
effect: It is bad.
resolution: Take it away.
references: [incident]
"""
GOOD = """\
waivers:
  - id: until-the-move
    rule: own-evil-driver
    groups: [web]
    reason: moves next month
    owner: J. Doe
    until: {until}
"""
NOW = datetime.now(UTC)
TOMORROW = (NOW + timedelta(days=1)).date().isoformat()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def world(tmp_path: Path) -> list[str]:
    (tmp_path / "own" / "rules" / "own").mkdir(parents=True)
    (tmp_path / "own" / "rules" / "own" / "own-evil-driver.yml").write_text(RULE)
    with open_store(tmp_path / "s.db") as store:
        name = store.begin_run("collect", NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "0.1.0")
        for host, group in (("A", "web"), ("B", "db")):
            target = Target(name=host, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", groups=(group,))
            sections = Sections(drivers=Section(status="ok", records=(DriverRecord(name="EvilDrv", state="running"),)))
            snapshot = Snapshot(host=host, collected_at=NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), collector="t", transport="t", sections=sections)
            store.save_result(name, target, HostResult(host=host, status="ok", snapshot=snapshot))
    return ["--store", str(tmp_path / "s.db"), "--matrix", str(tmp_path / "own")]


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "waivers.yml"
    path.write_text(text)
    return path


def _own(document: dict[str, Any], part: str) -> list[str]:
    entries = [entry.get("finding", entry) for entry in document[part]]
    return [s["host"] for e in entries if e["rule"] == "own-evil-driver" for s in e["subjects"]]


def test_check_report_and_explain_with_waivers(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, GOOD.format(until=TOMORROW))
    run(["check", *world, "--waivers", str(file), "--format", "json"])
    checked = json.loads(capsys.readouterr().out)
    assert (_own(checked, "findings"), _own(checked, "waived")) == (["B"], ["A"])
    assert [s["why"] for s in checked["stale_waivers"]] == ["ends_soon"]
    run(["report", "--store", world[1], "--format", "json"])
    assert json.loads(capsys.readouterr().out) == checked
    run(["report", "--store", world[1]])
    said = capsys.readouterr().out
    assert "1 finding is accepted for a time: waived, not gone." in said
    assert "until-the-move" in said
    id_ = next(e["finding"]["id"] for e in checked["waived"])
    assert run(["explain", "--store", world[1], id_]) == 0
    for name in ("markdown", "html", "csv"):
        run(["report", "--store", world[1], "--format", name])
        assert "J. Doe" in capsys.readouterr().out


def test_a_report_can_be_looked_at_with_other_waivers(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(["check", *world, "--waivers", str(_file(tmp_path, GOOD.format(until=TOMORROW)))])
    capsys.readouterr()
    run(["report", "--store", world[1], "--waivers", str(_file(tmp_path, GOOD.format(until="2020-01-01"))), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (_own(found, "findings"), _own(found, "waived")) == (["B", "A"], [])
    assert [s["why"] for s in found["stale_waivers"]] == ["expired"]


def test_waivers_come_from_the_environment_too(
    world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUDITOR_WAIVERS", str(_file(tmp_path, GOOD.format(until=TOMORROW))))
    run(["check", *world, "--format", "json"])
    assert _own(json.loads(capsys.readouterr().out), "waived") == ["A"]


def test_only_waived_is_clean(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    everywhere = GOOD.format(until=TOMORROW).replace("    groups: [web]\n", "")
    run(["check", *world, "--limit", "A", "--waivers", str(_file(tmp_path, everywhere)), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert _own(found, "waived") == ["A"]
    assert [f for f in found["findings"] if f["severity"] in ("high", "critical")] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.format(until="2026-13-01"), "w:7:5: expected a day such as 2026-12-31"),
        (GOOD.format(until="soon"), "w:7:5: expected a day"),
        (GOOD.format(until="2026-12-31T00:00"), "w:7:5: expected a day"),
        (GOOD.format(until=TOMORROW).replace("    owner: J. Doe\n", ""), "w:2:5: object missing required field `owner`"),
        (GOOD.format(until=TOMORROW).replace("J. Doe", "''"), "w:6:5: expected a text"),
        (GOOD.format(until=TOMORROW).replace("groups: [web]", "groups: []"), "w:4:5: an empty list reaches nothing"),
        (GOOD.format(until=TOMORROW).replace("groups:", "grups:"), "w:4:5: object contains unknown field `grups`"),
        (GOOD.format(until=TOMORROW) + GOOD.format(until=TOMORROW).partition("\n")[2], "w:8:5: the id 'until-the-move' is taken"),
        ("waivers: {", "w:2:1: not YAML"),
        ("- a\n", "w:1:1: expected one key"),
        ("waivers: []\nother: 1\n", "w:1:1: expected one key"),
    ],
)
def test_what_is_wrong_waives_nothing_and_is_told(tmp_path: Path, text: str, message: str) -> None:
    found = load_waivers([_file(tmp_path, text)])
    told = [f"{s.place.replace(str(tmp_path / 'waivers.yml'), 'w')}: {s.message}" for s in found.malformed]
    assert any(message in line for line in told), told
    assert len(found.entries) == text.count("owner: J. Doe") - 1 or found.entries == ()


def test_a_wrong_entry_does_not_take_the_others_with_it(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rest = GOOD.format(until=TOMORROW).partition("\n")[2].replace("until-the-move", "wrong").replace("reason: moves", "raeson: moves")
    run(["check", *world, "--waivers", str(_file(tmp_path, GOOD.format(until=TOMORROW) + rest)), "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert _own(found, "waived") == ["A"]
    assert re.search(r"waivers\.yml:11:5$", next(s["place"] for s in found["stale_waivers"] if s["why"] == "malformed"))


def test_a_file_that_is_not_there_stops_the_run(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputFileError):
        load_waivers([tmp_path / "none.yml"])
    assert run(["check", *world, "--waivers", str(tmp_path / "none.yml")]) == 64
    assert "no such file" in capsys.readouterr().err
