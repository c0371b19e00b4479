"""The verbs that work on the store and on files: words, files and exit codes. Verbs that ask hosts are tested against the lab."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from auditor.cli.program import run
from auditor.model.finding import Report
from auditor.model.host import DriverRecord, HostResult, Section, Sections, Snapshot, SystemRecord, Target
from auditor.store import open_store

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "samples" / "report_incident.json"
AT = "2026-11-26T01:00:00Z"
RULE = """\
id: {id}
title: A driver that must not be there
severity: {severity}
confidence: confirmed
when:
  driver: {{name: EvilDrv}}
subject: "{{host}} runs EvilDrv."
mechanism: It is there.
effect: It is bad.
resolution: Take it away.
references: [incident]
"""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def _sample() -> Report:
    return msgspec.json.decode(SAMPLE.read_bytes(), type=Report)


def _host(name: str, *drivers: str, status: str = "ok", group: str = "windows") -> tuple[Target, HostResult]:
    target = Target(name=name, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", groups=(group,))
    if status == "timed_out":
        return target, HostResult(host=name, status="timed_out", reason="no answer within 30 s", next_step="look")
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(version="10.0.17763", build=17763, product_type="server"),)),
        drivers=Section(status="ok", records=tuple(DriverRecord(name=d, state="running", file_version="1.0") for d in drivers)),
    )
    snapshot = Snapshot(host=name, collected_at=AT, collector="test", transport="test", sections=sections)
    return target, HostResult(host=name, status="ok", snapshot=snapshot)


def _store(path: Path, *hosts: tuple[Target, HostResult], report: Report | None = None) -> Path:
    with open_store(path) as store:
        name = store.begin_run("audit", AT, "0.1.0")
        for target, result in hosts:
            store.save_result(name, target, result)
        store.finish_run(name, report)
    return path


def _matrix(folder: Path, severity: str = "high", text: str = RULE) -> Path:
    rules = folder / "rules" / "own"
    rules.mkdir(parents=True)
    (rules / "own-evil-driver.yml").write_text(text.format(id="own-evil-driver", severity=severity))
    return folder


# --- report


def test_a_stored_report_comes_in_every_format_and_into_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", report=_sample())
    html, document = tmp_path / "out" / "r.html", tmp_path / "out" / "r.json"
    assert run(["report", "--store", str(store), "--output", f"html:{html}", "--output", f"json:{document}"]) == 4
    said = capsys.readouterr().out
    assert "COVERAGE" in said
    assert f"html report: {html}" in said
    assert html.read_text().startswith("<!DOCTYPE html>")
    assert msgspec.json.decode(document.read_bytes(), type=Report) == _sample()
    assert [p.name for p in html.parent.iterdir()] in (["r.html", "r.json"], ["r.json", "r.html"])


def test_json_on_standard_output_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", report=_sample())
    run(["report", "--store", str(store), "--format", "json", "--output", f"csv:{tmp_path / 'r.csv'}"])
    said = capsys.readouterr()
    assert json.loads(said.out)["schema_version"] == 1
    assert "csv report" in said.err


def test_a_file_that_cannot_be_written_is_named_and_the_text_still_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", report=_sample())
    assert run(["report", "--store", str(store), "--output", f"html:{store}/r.html"]) == 1
    said = capsys.readouterr()
    assert "COVERAGE" in said.out
    assert "can't be written" in " ".join(said.err.split())


def test_runs_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", _host("A"), report=_sample())
    assert run(["report", "--store", str(store), "--list"]) == 0
    assert re.search(r"20261126T010000Z\s+audit", capsys.readouterr().out)


def _clean_sample(*, findings: bool, complete: bool) -> Report:
    report = _sample()
    coverage = tuple(h for h in report.coverage if h.host == "SRVA") if complete else report.coverage
    return msgspec.structs.replace(report, findings=report.findings if findings else report.findings[1:], coverage=coverage)


@pytest.mark.parametrize(("findings", "complete", "code"), [(False, True, 0), (True, True, 2), (False, False, 3), (True, False, 4)])
def test_exit_codes_say_what_was_found_and_whether_all_was_seen(tmp_path: Path, findings: bool, complete: bool, code: int) -> None:
    store = _store(tmp_path / "s.db", report=_clean_sample(findings=findings, complete=complete))
    assert run(["report", "--store", str(store)]) == code


@pytest.mark.parametrize(("fail_on", "code"), [("low", 2), ("medium", 2), ("high", 0), ("critical", 0)])
def test_fail_on_moves_the_threshold(tmp_path: Path, fail_on: str, code: int) -> None:
    store = _store(tmp_path / "s.db", report=_clean_sample(findings=False, complete=True))
    assert run(["report", "--store", str(store), "--fail-on", fail_on]) == code


# --- check and explain


def test_check_evaluates_the_store_and_explain_leads_to_the_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", _host("A", "EvilDrv"), _host("B", "disk"), _host("C", status="timed_out"))
    own = ["--store", str(store), "--matrix", str(_matrix(tmp_path / "own"))]
    assert run(["check", *own, "--format", "json"]) == 4
    document = json.loads(capsys.readouterr().out)
    found = [f for f in document["findings"] if f["rule"] == "own-evil-driver"]
    assert [s["host"] for s in found[0]["subjects"]] == ["A"]
    assert {h["host"]: h["status"] for h in document["coverage"]} == {"A": "ok", "B": "ok", "C": "timed_out"}
    assert run(["explain", "--store", str(store), found[0]["id"][:9].upper()]) == 0
    said = capsys.readouterr().out
    assert "A / drivers / EvilDrv" in said
    assert re.search(r"file_version\s+1\.0", said)
    assert run(["explain", "--store", str(store), found[0]["id"], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["links"][0]["fields"]["name"] == "EvilDrv"


def test_check_takes_hosts_groups_and_patterns_of_the_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", _host("WEB1"), _host("WEB2", group="dmz"), _host("DB1", group="dmz"))
    for limit, hosts in (("WEB*", {"WEB1", "WEB2"}), ("dmz", {"WEB2", "DB1"}), ("all:!dmz", {"WEB1"}), ("web1,db1", {"WEB1", "DB1"})):
        run(["check", "--store", str(store), "--limit", limit, "--format", "json"])
        assert {h["host"] for h in json.loads(capsys.readouterr().out)["coverage"]} == hosts


def test_explain_wants_one_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", report=_sample())
    assert run(["explain", "--store", str(store), "zzz"]) == 64
    assert "no finding 'zzz'" in capsys.readouterr().err
    assert run(["explain", "--store", str(store), ""]) == 64
    assert "5 findings start with" in capsys.readouterr().err


def test_a_broken_rule_is_told_with_its_place_and_all_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = RULE.replace("severity: {severity}", "severity: hihg").replace("name: EvilDrv", "nmae: EvilDrv")
    folder = _matrix(tmp_path / "own", text=text)
    assert run(["matrix", "lint", "--matrix", str(folder)]) == 1
    said = capsys.readouterr().err
    places = re.findall(r"own-evil-driver\.yml:(\d+):\d+: own-evil-driver: ", said)
    assert sorted(set(places)) == ["3", "6"]
    assert "Traceback" not in said


def test_the_matrix_verbs_work_on_the_shipped_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["matrix", "list", "--products", "--format", "json"]) == 0
    assert "symantec-antivirus" in {p["id"] for p in json.loads(capsys.readouterr().out)["products"]}
    assert run(["matrix", "show", "symantec-antivirus"]) == 0
    assert capsys.readouterr().out.startswith("id: symantec-antivirus\n")
    assert run(["matrix", "lint"]) == 0


def test_the_probe_is_printed_for_review(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["probe"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("$AuditParameters = '")
    assert run(["probe", "--command-line"]) == 0
    assert capsys.readouterr().out.startswith("%SystemRoot%\\System32\\WindowsPowerShell\\v1.0\\powershell.exe -NoLogo -NoProfile")
    assert run(["probe", "--section", "no-such"]) == 64


def test_an_empty_store_is_wrong_usage_for_check(tmp_path: Path) -> None:
    assert run(["check", "--store", str(_store(tmp_path / "s.db"))]) == 64


def test_a_limit_that_names_nothing_is_wrong_usage(tmp_path: Path) -> None:
    assert run(["check", "--store", str(_store(tmp_path / "s.db", _host("A"))), "--limit", "B*"]) == 64


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path: Path) -> None:
    store = _store(tmp_path / "s.db", report=_sample())
    command = f"{sys.executable} -m auditor report --store {store} --format html | head -c 100"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stderr == ""


def test_command_lines_are_decoded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("robocopy D:\\data \\\\SRVA\\D$\\data /MIR\n")
    assert run(["decode", "commands", str(file), "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["records"][0]["destination"]["host"] == "SRVA"
    assert run(["decode", "commands", str(file)]) == 0
    assert "1 rows: 1 records" in capsys.readouterr().out
    assert run(["decode", "commands", str(file), str(tmp_path / "none")]) == 3
    assert "No such file" in capsys.readouterr().out
    assert run(["decode", "commands", str(tmp_path / "none")]) == 1
    assert run(["decode", "comands", str(file)]) == 64


def test_what_is_no_crash_is_an_error_with_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "note.txt").write_text("nothing fell here\n")
    assert run(["crash", str(tmp_path / "note.txt"), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["errors"][0]["file"].endswith("note.txt")
