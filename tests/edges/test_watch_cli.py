"""`auditor watch` and `watch cases` as a user types them: what is refused and how, what is shown, what is due. Asks no host."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.cli.program import run
from auditor.store import open_store
from auditor.watch.memory import WatchState, read_cases, read_state, state_note
from tests.edges.store_samples import fill

ROOT = Path(__file__).parents[2]
OPEN = ["watch", "cases", "open", "--title", "Server A restarts!", "--host", "SRVA", "--bugcheck", "0x1000008E"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("AUDITOR_STORE", str(tmp_path / "store.db"))
    with open_store(tmp_path / "store.db") as store:
        fill(store, "SRVA", "SRVB")


def _json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    assert run([*words, "--format", "json"]) == 0, capsys.readouterr().err
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_a_case_is_opened_listed_shown_and_closed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ["--days", "7", "--trigger", "application/Symantec AntiVirus/7/definition", "--times", "3", "--remedy", "client on B"]
    case = _json(capsys, *OPEN, *words, "--contingency", "protection-off")["case"]
    assert case["id"] == "server-a-restarts"
    assert case["conditions"] == [{"kind": "bugcheck", "code": "0x8e", "bucket": "", "event": None}]
    assert case["trigger"]["event"] == {"log": "Application", "source": "Symantec AntiVirus", "id": 7, "text": "definition"}
    assert _json(capsys, *OPEN)["case"]["id"] == "server-a-restarts-2"
    assert run(["watch", "cases", "list"]) == 0
    listed = capsys.readouterr().out
    assert re.search(r"server-a-restarts\s+observing\s+SRVA\s+stop code 0x8e\s+0.0 of 7 days\s+Server A restarts!", listed)
    shown = _json(capsys, "watch", "cases", "show", "server-a-restarts")
    assert shown["waits"] == ["SRVA was not seen: not looked at yet", "SRVA: Symantec AntiVirus 7 came 0 of 3 times"]
    assert run(["watch", "cases", "close", "server-a-restarts", "--reason", "hardware was exchanged"]) == 0
    text = capsys.readouterr().out
    assert "State: closed by hand" in text
    assert "closed by hand: hardware was exchanged" in text
    assert "Contingency: protection-off, offered if it comes back" in text
    assert run(["watch", "cases", "close", "server-a-restarts", "--reason", "x"]) == 64
    with open_store(tmp_path / "store.db", write=False) as store:
        assert {name: case.state for name, case in read_cases(store).items()} == {
            "server-a-restarts": "closed",
            "server-a-restarts-2": "observing",
        }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "SRVX"], "no host 'SRVX' is known. Did you mean"),
        (["--bugcheck", "0xZZ"], "is no stop code"),
        (["--event", "Security/x/4624"], "expected LOG/SOURCE/ID"),
        (["--event", "System/An own driver/77"], "the probe reads no event 77 of An own driver"),
        (["--event", "System/EventLog/99999"], "expected LOG/SOURCE/ID"),
        (["--bucket", " "], "--bucket is empty"),
        (["--trigger-host", "SRVB"], "--trigger-host needs --trigger"),
        (["--run-contingency"], "--run-contingency needs --contingency"),
        (["--contingency", "../x.yml"], "is no name of a playbook"),
        (["--since", "2026-11-26T01:00:00"], "expected a time with its zone"),
        (["--since", "2999-01-01T00:00:00Z"], "lies in the future"),
        (["--id", "../x"], "is no id"),
        (["--days", "0"], "Invalid value"),
    ],
)
def test_a_case_that_is_wrong_is_refused_with_what_to_do(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run([*OPEN, *words]) == 64
    error = " ".join(capsys.readouterr().err.split())
    assert error.startswith("auditor: error: ")
    assert said in error


def test_an_event_of_any_provider_of_the_application_log_can_be_observed(capsys: pytest.CaptureFixture[str]) -> None:
    case = _json(capsys, *OPEN, "--event", "Application/Acme/Backup/12/failed", "--bucket", "0x8E_RapDrv+9785")["case"]
    assert case["conditions"][2]["event"] == {"log": "Application", "source": "Acme/Backup", "id": 12, "text": "failed"}


def test_a_case_without_a_condition_or_of_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(OPEN[:-2]) == 64
    assert "say what to watch for" in capsys.readouterr().err
    _json(capsys, *OPEN)
    for verb in (["show"], ["close", "--reason", "x"]):
        assert run(["watch", "cases", verb[0], "server-a-restart", *verb[1:]]) == 64
        assert "Did you mean server-a-restarts?" in " ".join(capsys.readouterr().err.split())
    assert run(["watch", "cases", "close", "server-a-restarts", "--reason", " "]) == 64


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say when: --cron or --once"),
        (["--once"], "no inventory given"),
        (["--cron", "61 * * * *", "-i", "hosts.yml"], "--cron '61 * * * *'"),
        (["--cron", "0 3 * * *", "-i", "hosts.yml", "--time-zone", "Mars/Olympus"], "no time zone 'Mars/Olympus'"),
        (["--cron", "0 3 * * *", "-i", "hosts.yml", "--format", "json"], "goes with --once"),
        (["--once", "--lab", "-i", "hosts.yml"], "--lab brings its own inventory"),
        (["case", "list"], "Did you mean cases?"),
    ],
)
def test_a_watch_that_is_wrong_is_refused_before_anything_is_asked(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert run(["watch", *words]) == 64
    assert said in " ".join(capsys.readouterr().err.split())


def test_settings_that_are_wrong_end_the_watch_before_its_first_round(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    settings = tmp_path / "notify.toml"
    settings.write_text("[[webhook]]\nurl_env = 'NOT_SET'\n")
    assert run(["watch", "--once", "-i", str(tmp_path / "hosts.yml"), "--notify", str(settings)]) == 1
    assert "the environment has no NOT_SET" in capsys.readouterr().err


def test_an_inventory_that_can_not_be_read_fails_the_round_and_is_remembered(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["watch", "--once", "-i", str(tmp_path / "nosuch.yml")]) == 64
    assert "nosuch.yml" in capsys.readouterr().err
    with open_store(tmp_path / "store.db", write=False) as store:
        state = read_state(store)
    assert "nosuch.yml" in state.trouble
    assert state.rounds == 1


def test_once_with_a_schedule_does_nothing_unless_something_is_due(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    hosts = ["-i", str(tmp_path / "nosuch.yml")]
    just_now = datetime.now(UTC).replace(second=0, microsecond=0)
    for served, code in ((just_now, 0), (just_now - timedelta(days=400), 64)):
        with open_store(tmp_path / "store.db") as store:
            store.save_notes(state_note(WatchState(last_due=served.strftime("%Y-%m-%dT%H:%M:%SZ"))))
        assert run(["watch", "--once", "--cron", "0 0 1 1 *", *hosts]) == code
    assert "Nothing is due." in capsys.readouterr().err


def test_the_options_can_stand_in_the_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = tmp_path / "auditor.toml"
    config.write_text('[watch]\ncron = "0 3 * * *"\nname = "plant"\ntime-zone = "Asia/Shanghai"\n')
    assert run(["watch", "--config", str(config), "--show-config", "--format", "json"]) == 0
    values = {row["flag"]: (row["value"], row["origin"]) for row in json.loads(capsys.readouterr().out)["settings"]}
    assert values["--cron"] == ("0 3 * * *", "config")
    assert values["--name"] == ("plant", "config")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_foreground_watch_ends_in_order_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        "all:\n  hosts:\n    SRVA: {ansible_host: 127.0.0.1, ansible_connection: winrm, ansible_user: a, ansible_password: b}\n"
    )
    command = [sys.executable, "-m", "auditor", "watch", "--cron", "0 0 29 2 *", "-i", str(hosts)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        assert "the next round is due" in child.stderr.readline()
        time.sleep(0.3)
        child.send_signal(number)
        said = child.communicate(timeout=30)
    assert child.returncode == 0, said
    assert "Traceback" not in said[1]


UNITS = ROOT / "packaging" / "systemd"


def test_the_units_of_systemd_are_what_systemd_reads() -> None:
    """By its own checker where it is installed; by their form anywhere."""
    for name, sections in (("auditor-watch.service", ("Unit", "Service")), ("auditor-watch.timer", ("Unit", "Timer", "Install"))):
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
        parser.optionxform = str  # type: ignore[assignment, method-assign]
        parser.read_string((UNITS / name).read_text())
        assert set(sections) <= set(parser.sections())
    service = (UNITS / "auditor-watch.service").read_text()
    assert "--once" in service
    assert "SuccessExitStatus=2 3 4" in service
    assert "Persistent=true" in (UNITS / "auditor-watch.timer").read_text()
    checker = shutil.which("systemd-analyze")
    if checker is not None:
        done = subprocess.run(
            [checker, "verify", "--man=no", str(UNITS / "auditor-watch.timer")], capture_output=True, text=True, check=False
        )
        assert not [line for line in done.stderr.splitlines() if "auditor-watch" in line and "not executable" not in line], done.stderr


def test_every_option_that_the_units_use_exists(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["watch", "--help"]) == 0
    shown = capsys.readouterr().out
    for option in re.findall(r" (--[a-z-]+)", (UNITS / "auditor-watch.service").read_text()):
        assert option in shown
