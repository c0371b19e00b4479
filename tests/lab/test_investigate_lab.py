"""`auditor investigate` as a user runs it, over real WinRM: told only that A restarted; then from the store; then the fleet's view."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HOSTS = "srv-a,srv-b,dc-1,print-1"
pytestmark = pytest.mark.lab


def _environment(tmp_path: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")}
    return clean | {"XDG_DATA_HOME": str(tmp_path / "data")}


def _auditor(tmp_path: Path, *arguments: str, seconds: float = 150) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "auditor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=_environment(tmp_path), timeout=seconds)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The founding incident's fleet, served, and a folder for its store."""
    folder = tmp_path_factory.mktemp("investigate")
    command = [sys.executable, "-m", "auditor", "lab", "--fleet", "incident", "--state", str(folder / "state")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, env=_environment(folder)) as child:
        try:
            assert child.stdout is not None
            yield json.loads(child.stdout.readline()) | {"folder": folder}
        finally:
            child.terminate()


@pytest.fixture(scope="module")
def asked(lab: dict[str, Any]) -> dict[str, Any]:
    """The document of one investigation, with the pages it wrote."""
    folder: Path = lab["folder"]
    run = _auditor(
        folder, "investigate", "srv-a", "-i", lab["inventory"], "--limit", HOSTS, "--store", str(folder / "s.db"), "--format", "json",
        "--output", f"html:{folder / 'page.html'}", "--output", f"markdown:{folder / 'page.md'}",
    )  # fmt: skip
    assert run.returncode in (0, 3), run.stderr
    return {"document": json.loads(run.stdout), "stderr": run.stderr, "folder": folder}


def test_told_only_that_a_restarted_it_names_what_fell_and_what_pushed(asked: dict[str, Any]) -> None:
    found = asked["document"]
    fell, pushed = found["proximate"][0], found["trigger"][0]
    assert found["moment"]["source"] == "dump"
    assert (fell["id"], fell["subject"], fell["confidence"]) == ("driver-fault", "RapDrv.sys", "confirmed")
    assert "a write through a null pointer" in fell["title"]
    assert (pushed["id"], pushed["confidence"]) == ("security-conflict-fleet", "suspected")
    below = [answer["id"] for answer in found["trigger"][1:]]
    assert {"memory-hardware", "scheduled-service", "malware-attack", "disk-page-file"} <= set(below)
    assert {tie["host"] for tie in found["ties"]} >= {"srv-b"}
    assert found["remedies"][0]["rule"] == "symantec-server-updates-older-server-beside-rapdrv"


def test_the_host_was_asked_for_nothing_but_the_probe(lab: dict[str, Any], asked: dict[str, Any]) -> None:
    assert asked["document"]["run"]
    violations = Path(lab["violations"])
    assert not violations.exists() or violations.read_text() == ""


def test_the_pages_are_written_whole(asked: dict[str, Any]) -> None:
    page = (asked["folder"] / "page.html").read_text(encoding="utf-8")
    assert '<svg class="timeline"' in page
    assert page.count("<circle") + page.count("<polygon") == len(asked["document"]["timeline"])
    assert "## Next steps" in (asked["folder"] / "page.md").read_text(encoding="utf-8")


def test_the_store_alone_gives_the_same_answers(asked: dict[str, Any]) -> None:
    again = _auditor(asked["folder"], "investigate", "srv-a", "--stored", "--store", str(asked["folder"] / "s.db"), "--format", "json")
    assert again.returncode in (0, 3), again.stderr
    found, first = json.loads(again.stdout), asked["document"]
    for question in ("proximate", "trigger"):
        ranking = [[(a["id"], a["score"], a["confidence"]) for a in document[question]] for document in (found, first)]
        assert ranking[0] == ranking[1]
    assert found["moment"] == first["moment"]


def test_the_fleets_view_finds_the_crash_in_the_store(asked: dict[str, Any]) -> None:
    run = _auditor(asked["folder"], "crash", "--fleet", "--store", str(asked["folder"] / "s.db"), "--format", "json")
    assert run.returncode == 0, run.stderr
    wave = json.loads(run.stdout)["waves"][0]
    assert (wave["code"], wave["image"]) == ("0x8e", "RapDrv.sys")
    assert [host["host"] for host in wave["hosts"]] == ["srv-a"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nobody", "--stored"), "no host nobody"),
        (("srv-a", "--stored", "--at", "yesterday"), "expected a time"),
        (("srv-a", "--stored", "--at", "2005-11-08T19:03:12"), "needs its zone"),
        (("srv-a", "--stored", "--dump", "no-such-file"), "No such file"),
        (("srv-a",), "no inventory given"),
    ],
)
def test_wrong_words_are_told_and_give_64(asked: dict[str, Any], arguments: tuple[str, ...], told: str) -> None:
    run = _auditor(asked["folder"], "investigate", *arguments, "--store", str(asked["folder"] / "s.db"))
    assert run.returncode == 64, run.stderr
    assert told in run.stderr
