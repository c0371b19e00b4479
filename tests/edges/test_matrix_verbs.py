"""`auditor matrix new`, `coverage` and `grid`: files, words and exit codes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from auditor.cli.program import run
from tests.edges.test_cli import _host, _store

GIVEN = [
    *(
        "--product",
        "eset-endpoint-security",
        "--title",
        "ESET of this line hangs",
        "--mechanism",
        "m",
        "--effect",
        "e",
        "--resolution",
        "r",
    ),
    *("--reference", "https://acme.example/", "--no-questions"),
]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def new(folder: Path, *words: str) -> int:
    return run(["matrix", "new", "--into", str(folder), *GIVEN, *words])


def test_a_new_rule_has_its_cases_and_they_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--id", "eset-hangs", "--version", "vers:windows/>=8|<9", "--beside", "crowdstrike-falcon", "--on", "2019", "--on", "2022")
    assert new(tmp_path, *words) == 0
    assert capsys.readouterr().out == f"{tmp_path}/rules/own/eset-hangs.yml\n"
    assert run(["matrix", "test", "--matrix", str(tmp_path), "--rule", "eset-hangs"]) == 0
    assert capsys.readouterr().out == "3 cases, 0 failed\n"


def test_what_is_not_given_is_named_where_nobody_can_be_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(tmp_path) == 64
    assert "--id is needed" in capsys.readouterr().err
    assert list(tmp_path.rglob("*.yml")) == []


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--id", "x", "--beside", "nobody"), 64, "unknown product 'nobody'"),
        (("--id", "x", "--version", "9"), 64, "--version: expected vers:SCHEME/CONSTRAINTS"),
        (("--id", "x", "--version", "vers:windows/>=9|<8"), 64, "its ends contradict each other"),
        (("--id", "../../x"), 64, "expected words of lower-case letters"),
        (("--id", "x", "--area", ".."), 64, "expected words of lower-case letters"),
        (("--id", "two-edr-sensors"), 64, "is there already"),
        (("--id", "x", "--version", "vers:blackice/<3.6.ccb"), 1, "follow the scheme windows"),
        (("--id", "x", "--reference", "nowhere"), 1, "expected an http or https address"),
    ],
)
def test_wrong_words_leave_no_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, message: str
) -> None:
    assert new(tmp_path, *words) == code
    assert message in " ".join(capsys.readouterr().err.split())
    assert list(tmp_path.rglob("*.yml")) == []


def test_a_rule_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert new(tmp_path, "--id", "x") == 0
    assert new(tmp_path, "--id", "x") == 64
    assert "is there already" in " ".join(capsys.readouterr().err.split())


def test_coverage_tells_what_was_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = _store(tmp_path / "s.db", _host("a", "EvilDrv"), _host("b", status="timed_out"))
    assert run(["matrix", "coverage", "--store", str(store), "--format", "json", "--all"]) == 0
    document = json.loads(capsys.readouterr().out)
    by_rule = {line["rule"]: line for line in document["rules"]}
    assert document["hosts"] == 2 and sum(document["counts"].values()) == len(document["rules"]) >= 100
    assert by_rule["withdrawn-update-kb4524244"]["decided"] == "nowhere"
    assert by_rule["windows-out-of-support"]["decided"] == "everywhere"
    assert run(["matrix", "coverage", "--store", str(store)]) == 0
    assert "updates" in capsys.readouterr().out


def test_coverage_of_nothing_is_wrong_usage(tmp_path: Path) -> None:
    with_nothing = _store(tmp_path / "s.db")
    assert run(["matrix", "coverage", "--store", str(with_nothing)]) == 64


def test_the_grid_in_three_forms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "grid.html"
    assert run(["matrix", "grid", "--format", "json", "--output", f"html:{page}"]) == 0
    systems, products = json.loads(capsys.readouterr().out)["grids"]
    assert "2019" in systems["columns"] and "microsoft-defender" in products["columns"]
    for row in (row for grid in (systems, products) for row in grid["rows"]):
        assert all((cell["answer"] == "unknown") == (not cell["statements"]) for cell in row["cells"])
    assert "What goes with what" in page.read_text(encoding="utf-8")
    assert run(["matrix", "grid", "--against", "systems", "--product", "iss-blackice"]) == 0
    assert "iss-blackice" in capsys.readouterr().out
    assert run(["matrix", "grid", "--product", "two-edr-sensors"]) == 64
