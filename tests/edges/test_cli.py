"""The command line: words, exit codes, where values come from. Verbs that ask hosts are tested against the lab elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from auditor.cli.program import VERBS, run
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


def _python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, **environment}, timeout=60
    )


# --- start-up


@pytest.mark.parametrize(
    ("arguments", "forbidden"),
    [
        (["--version"], ("click", "msgspec", "sqlalchemy", "networkx", "rich", "winrm", "jinja2", "yaml", "logging", "asyncio")),
        (
            ["--help"],
            (
                "sqlalchemy",
                "networkx",
                "rich",
                "winrm",
                "requests",
                "jinja2",
                "yaml",
                "tabulate",
                "auditor.store",
                "auditor.lab",
                "auditor.audit",
            ),
        ),
    ],
)
def test_nothing_heavy_is_imported_for(arguments: list[str], forbidden: tuple[str, ...]) -> None:
    done = _python("-X", "importtime", "-m", "auditor", *arguments)
    assert done.returncode == 0
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert not {name for name in imported for bad in forbidden if name == bad or name.startswith(bad + ".")}


@pytest.mark.parametrize(("argument", "seconds"), [("--version", 0.1), ("--help", 0.2)])
def test_start_up_costs_little(argument: str, seconds: float) -> None:
    """CPU of the child, the best of several, so that a busy machine does not decide."""
    script = (
        "import resource, subprocess, sys\n"
        "best = 9.0\n"
        "for _ in range(5):\n"
        "    before = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "    subprocess.run([sys.executable, '-m', 'auditor', sys.argv[1]], stdout=subprocess.DEVNULL, check=True)\n"
        "    after = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "    best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)\n"
        "print(best)\n"
    )
    done = _python("-c", script, argument)
    assert float(done.stdout) <= seconds


def test_every_verb_has_help(capsys: pytest.CaptureFixture[str]) -> None:
    for name in VERBS:
        assert run([name, "--help"]) == 0
        assert "Usage: auditor" in capsys.readouterr().out


# --- wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Usage"),
        (["audt"], "Did you mean audit"),
        (["audit", "--no-such"], "No such option"),
        (["audit"], "no inventory"),
        (["audit", "--format", "pdf"], "Formats: csv, html, json, markdown, table"),
        (["audit", "--output", "html"], "FORMAT:FILE"),
        (["audit", "--output", "pdf:x"], "there is no format 'pdf'"),
        (["audit", "--lab", "-i", "x"], "own inventory"),
        (["audit", "--host-deadline", "soon"], "--host-deadline"),
        (["audit", "--host-deadline", "0"], "--host-deadline"),
        (["check", "--fail-on", "awful"], "--fail-on"),
        (["explain"], "Missing argument"),
        (["matrix"], "Usage"),
        (["matrix", "lst"], "Did you mean list"),
        (["matrix", "show", "symantec-antivirs"], "Near to it: symantec-antivirus"),
        (["check", "--matrix", "no/such/folder"], "no such folder"),
    ],
)
def test_wrong_usage_is_64_with_one_clear_line(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 64
    said = capsys.readouterr()
    assert words in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert said.out == ""


def test_an_empty_store_is_wrong_usage_for_check(tmp_path: Path) -> None:
    assert run(["check", "--store", str(_store(tmp_path / "s.db"))]) == 64


def test_a_limit_that_names_nothing_is_wrong_usage(tmp_path: Path) -> None:
    assert run(["check", "--store", str(_store(tmp_path / "s.db", _host("A"))), "--limit", "B*"]) == 64


def test_a_missing_store_is_a_failure_with_a_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", "--store", str(tmp_path / "none.db")]) == 1
    assert "there is no store" in capsys.readouterr().err


def test_an_inventory_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inventory", "-i", "no/such.yml"]) == 1
    assert "no/such.yml" in capsys.readouterr().err


# --- unexpected errors


def _break(*_: object, **__: object) -> None:
    raise RuntimeError("deep\x1b[31m trouble\nsecond line")


def test_an_unexpected_error_is_one_line_without_a_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("auditor.cli.matrix.folders", _break)
    assert run(["matrix", "list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("auditor: error: unexpected RuntimeError: deep\\x1b[31m trouble second line")
    assert "Traceback" not in said
    assert "-v" in said


def test_with_v_an_unexpected_error_shows_its_trace(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("auditor.cli.matrix.folders", _break)
    assert run(["-v", "matrix", "list"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("auditor.cli.matrix.folders", stop)
    assert run(["matrix", "list"]) == 130
    assert capsys.readouterr().err.strip() == "auditor: error: interrupted."


def test_a_reader_that_closes_the_pipe_is_no_error(tmp_path: Path) -> None:
    store = _store(tmp_path / "s.db", report=_sample())
    command = f"{sys.executable} -m auditor report --store {store} --format html | head -c 100"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60)
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stderr == ""


# --- values and their origin


def _origins(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[object, str]]:
    assert run([*arguments, "--show-config", "--format", "json"]) == 0
    return {row["flag"]: (row["value"], row["origin"]) for row in json.loads(capsys.readouterr().out)["settings"]}


def test_each_value_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "auditor.toml"
    config.write_text(
        'inventory = ["a.yml", "b.yml"]\nhost-deadline = 90\nparallel = 8\nlimit = "all"\n[audit]\nparallel = 16\n[check]\nfail-on = "low"\n'
    )
    monkeypatch.setenv("AUDITOR_HOST_DEADLINE", "45")
    found = _origins(capsys, "audit", "--config", str(config), "--limit", "SRVA")
    assert found["--inventory"] == (["a.yml", "b.yml"], "config")
    assert found["--host-deadline"] == (45.0, "environment")
    assert found["--parallel"] == (16, "config")
    assert found["--limit"] == ("SRVA", "flag")
    assert found["--fail-on"] == ("high", "default")
    assert found["--config"] == (str(config), "flag")


def test_options_before_the_verb_count_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--limit", "A", "-v", "audit", "--show-config", "--format", "json"]) == 0
    found = {row["flag"]: (row["value"], row["origin"]) for row in json.loads(capsys.readouterr().out)["settings"]}
    assert found["--limit"] == ("A", "flag")
    assert found["--verbose"] == (1, "flag")


def test_every_flag_has_its_environment_variable(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AUDITOR_STORE", "elsewhere.db")
    monkeypatch.setenv("AUDITOR_INVENTORY", f"a.yml{os.pathsep}b.yml")
    monkeypatch.setenv("AUDITOR_ALLOW_UNVERIFIED_TLS", "1")
    found = _origins(capsys, "audit")
    assert found["--store"] == ("elsewhere.db", "environment")
    assert found["--inventory"] == (["a.yml", "b.yml"], "environment")
    assert found["--allow-unverified-tls"] == (True, "environment")


def test_an_unknown_key_of_the_configuration_is_named_with_what_is_near(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "auditor.toml"
    config.write_text('host-dedline = 3\nfleet = "x"\n[audit]\nlimitt = "a"\n[audti]\nx = 1\n')
    assert run(["report", "--config", str(config)]) == 1
    said = capsys.readouterr().err
    assert "host-dedline: no such flag or verb; did you mean host-deadline?" in said
    assert "audit.limitt" in said
    assert "audti" in said
    assert "fleet" not in said


def test_a_broken_configuration_names_the_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "auditor.toml"
    config.write_text("limit = \n")
    assert run(["audit", "--config", str(config)]) == 1
    assert "line 1, column 9" in capsys.readouterr().err


def test_a_wrong_value_in_the_configuration_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "auditor.toml"
    config.write_text('host-deadline = "soon"\n')
    assert run(["audit", "--config", str(config)]) == 64
    assert "--host-deadline" in capsys.readouterr().err


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
    assert "can't be written" in said.err


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
    assert capsys.readouterr().out.startswith("powershell.exe -NoLogo -NoProfile")
    assert run(["probe", "--section", "no-such"]) == 64
