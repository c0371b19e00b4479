"""The command line before any work: start-up, wrong usage, unexpected errors, and where values come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.cli.complaint import say_error
from auditor.cli.program import VERBS, run

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


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


def test_a_missing_store_is_wrong_usage_with_a_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in ("report", "check"):
        assert run([verb, "--store", str(tmp_path / "none.db")]) == 64
        assert "there is no store" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()


def test_an_inventory_that_does_not_exist_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inventory", "-i", "no/such.yml"]) == 64
    assert "no/such.yml" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["audit", "-i", "no/such.yml"],
        ["audit", "--lab", "no-such-fleet"],
        ["lab", "--fleet", "no-such-fleet"],
        ["audit", "--config", "no/such.toml"],
        ["check", "--waivers", "no/such.yml"],
        ["precheck", "--host", "a", "--change", "no/such.yml"],
    ],
)
def test_a_name_of_what_is_not_there_is_wrong_usage(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITOR_STORE", str(tmp_path / "s.db"))
    assert run(arguments) == 64
    assert "no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("message", "step", "said"),
    [
        ("there is no rule 'nosuch'", "`auditor matrix list` shows all", "there is no rule 'nosuch'. `auditor matrix list` shows all"),
        ("it has 6 problem(s)", "see docs/lab.md", "it has 6 problem(s). See docs/lab.md"),
        ("is that so?", "docs/lab.md tells", "is that so? docs/lab.md tells"),
        ("it ended.", "try again", "it ended. Try again"),
        ("it ended", "", "it ended."),
    ],
)
def test_a_message_ends_before_the_next_step_begins(message: str, step: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    say_error(message, step)
    assert capsys.readouterr().err == f"auditor: error: {said}\n"


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


# --- values and their origin


def _origins(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[object, str]]:
    assert run([*arguments, "--show-config", "--format", "json"]) == 0
    return {row["flag"]: (row["value"], row["origin"]) for row in json.loads(capsys.readouterr().out)["settings"]}


def test_each_value_says_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "auditor.toml"
    shared = 'inventory = ["a.yml", "b.yml"]\nhost-deadline = 90\nparallel = 8\nlimit = "all"\n'
    config.write_text(shared + '[audit]\nparallel = 16\n[check]\nfail-on = "low"\n')
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
    monkeypatch.setenv("AUDITOR_STORE", "postgresql://audit:geheim@db/store")
    monkeypatch.setenv("AUDITOR_INVENTORY", f"a.yml{os.pathsep}b.yml")
    monkeypatch.setenv("AUDITOR_ALLOW_UNVERIFIED_TLS", "1")
    found = _origins(capsys, "audit")
    assert found["--store"] == ("postgresql://audit:***@db/store", "environment")
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
