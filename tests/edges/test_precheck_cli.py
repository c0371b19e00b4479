"""`auditor precheck` and its change files: words, exit codes, and every kind of bad input with the place of what is wrong."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.cli.program import run
from auditor.lab.pe import Image, Numbers, build
from auditor.matrix.fragments import HostFragment, snapshot_of
from auditor.model.host import HostResult, Target
from auditor.store import open_store

SYSTEM = [{"version": "10.0.17763", "build": 17763, "product_type": "server", "architecture": "x64", "pending_reboot": []}]
GUARD = """\
id: acme-guard
name: Guard
vendor: Acme
kind: backup
installed: [{services: [guardsvc], confidence: confirmed}]
version: [{program: Acme Guard}]
releases: ['9', '10']
roles: [{is: server, when: {program: {name: Acme Guard Server}}}, {is: client}]
installs:
  - roles: [server]
    programs: [Acme Guard Server]
  - roles: [client]
    programs: [Acme Guard]
  - services: [{name: guardsvc}]
    drivers: []
"""
RULE = """\
id: own-{name}
title: A rule of our own
severity: {severity}
confidence: confirmed
when:
  {when}
subject: "{{host}} has it."
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


@pytest.fixture
def world(tmp_path: Path) -> list[str]:
    """Options that name a store of four hosts and a matrix of our own."""
    rules = tmp_path / "own" / "rules" / "own"
    rules.mkdir(parents=True)
    (tmp_path / "own" / "products").mkdir()
    (tmp_path / "own" / "products" / "acme-guard.yml").write_text(GUARD)
    (rules / "own-driver.yml").write_text(RULE.format(name="driver", severity="high", when="driver: {name: EvilDrv, state: running}"))
    server = "product: {id: acme-guard, role: server}"
    (rules / "own-server.yml").write_text(RULE.format(name="server", severity="low", when=server))
    now = datetime.now(UTC)
    with open_store(tmp_path / "s.db") as store:
        name = store.begin_run("collect", _text(now), "0.1.0")
        for host, age, groups in (("A", 1, ("web",)), ("B", 30, ("web",)), ("C", 24 * 20, ("old",)), ("D", -1, ("web",))):
            target = Target(name=host, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", groups=groups)
            if age < 0:
                store.save_result(name, target, HostResult(host=host, status="timed_out", reason="no answer within 30 s"))
                continue
            fragment = msgspec.convert({"system": SYSTEM, "network": [{"computer_name": f"PC-{host}"}]}, HostFragment)
            snapshot = msgspec.structs.replace(snapshot_of(host, fragment), collected_at=_text(now - timedelta(hours=age)))
            store.save_result(name, target, HostResult(host=host, status="ok", snapshot=snapshot))
    return ["--store", str(tmp_path / "s.db"), "--matrix", str(tmp_path / "own")]


def _text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _driver(path: Path, **facts: Any) -> Path:
    known: dict[str, Any] = {"machine": "x64", "link_timestamp": 5, "file_version": Numbers((1, 2, 3, 4)), "size": 9000}
    path.write_bytes(build(Image(**(known | facts))))
    return path


def _json(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def _refused(arguments: list[str], capsys: pytest.CaptureFixture[str], *words: str, code: int = 64) -> None:
    capsys.readouterr()
    assert run(["precheck", *arguments]) == code
    said = capsys.readouterr()
    assert said.out == ""
    for word in words:
        assert word in " ".join(said.err.split())
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    ("install", "options", "code", "answer"),
    [
        ("acme-guard@10,role=client", [], 0, "go"),
        ("acme-guard@10,role=server", [], 2, "go with conditions"),
        ("acme-guard@10,role=server", ["--allow-conditions"], 0, "go with conditions"),
    ],
)
def test_answers_and_exit_codes(
    world: list[str], capsys: pytest.CaptureFixture[str], install: str, options: list[str], code: int, answer: str
) -> None:
    assert run(["precheck", *world, "--host", "A", "--install", install, *options, "--format", "json"]) == code
    found = _json(capsys)
    assert (found["answer"], found["schema_version"], found["hosts"][0]["host"]) == (answer, 1, "A")
    assert 0.9 < found["hosts"][0]["age_hours"] < 1.2


def test_a_drivers_file_is_read_and_says_no(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _driver(tmp_path / "EvilDrv.sys")
    assert run(["precheck", *world, "--host", "a", "--driver", str(file), "--format", "json"]) == 2
    (delta,) = [d for d in _json(capsys)["hosts"][0]["added"] if d["finding"]["rule"] == "own-driver"]
    assert delta["brought"] == ["A: drivers: EvilDrv"]
    assert run(["precheck", *world, "--host", "A", "--driver", str(_driver(tmp_path / "old.sys", machine="x86")), "--format", "json"]) in (
        2,
        3,
    )
    needs = [n for n in _json(capsys)["hosts"][0]["prerequisites"] if n["kind"] == "architecture"]
    assert [n["met"] for n in needs if "can't be loaded" in n["text"]] == [False]


def test_a_group_is_told_host_by_host_and_what_was_not_seen_is_unknown(world: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["precheck", *world, "--group", "web", "--install", "acme-guard@10,role=client", "--format", "json"]) == 3
    found = _json(capsys)
    assert [(h["host"], h["answer"]) for h in found["hosts"]] == [("A", "go"), ("B", "go"), ("D", "unknown")]
    assert "no answer within 30 s" in found["hosts"][2]["prerequisites"][0]["text"]
    assert found["stale"] == ["C"]


def test_limit_takes_patterns(world: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["precheck", *world, "--limit", "web:!D:!B", "--install", "acme-guard@10,role=client", "--format", "json"]) == 0
    assert [h["host"] for h in _json(capsys)["hosts"]] == ["A"]


def test_text_and_markdown_say_the_answer_and_the_age(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "p.md"
    assert run(["precheck", *world, "--host", "B", "--install", "acme-guard@10,role=client", "--output", f"markdown:{page}"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"B: GO: NO KNOWN CONFLICT AMONG \d+ DECIDED RULES", said)
    assert "30.0 hours old" in said
    assert "# Pre-check: go" in page.read_text()


def test_a_host_may_be_called_as_it_calls_itself(world: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["precheck", *world, "--host", "PC-A", "--install", "acme-guard@10,role=client", "--format", "json"]) == 0
    assert _json(capsys)["hosts"][0]["host"] == "A"


def test_the_question_has_to_make_sense(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install = ["--install", "acme-guard@10,role=client"]
    _refused([*world, *install], capsys, "no host is named")
    _refused([*world, "--host", "A"], capsys, "no change is given")
    _refused([*world, "--host", "AA", *install], capsys, "there is no host 'AA'", "Near to it: A")
    _refused([*world, "--host", "D", *install], capsys, "nothing is known of D: no answer within 30 s", "auditor collect --limit D")
    _refused([*world, "--group", "wep", *install], capsys, "no host is in the group 'wep'", "Near to it: web")
    _refused([*world, "--limit", "x*", *install], capsys, "names no host")
    _refused([*world, "--host", "A", "--install", "acme-gard@10"], capsys, "there is no product 'acme-gard'", "acme-guard")
    _refused([*world, "--host", "A", "--install", "acme-guard@11"], capsys, "acme-guard has no version 11", "Near to it: 10, 9")
    _refused([*world, "--host", "A", "--update", "4493446"], capsys, "--update 4493446: expected the number of an update", "KB4493472")
    _refused([*world, "--host", "A", "--install", "acme-guard@new"], capsys, "'new' is no version")
    _refused([*world, "--host", "A", *install, "--change", str(tmp_path / "x.yml")], capsys, "--change brings all its changes itself")


def test_evidence_has_to_be_young_enough(world: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    install = ["--install", "acme-guard@10,role=client"]
    _refused([*world, "--host", "C", *install], capsys, "C: its evidence is 20 days old, older than 7 days", "--max-age")
    _refused([*world, "--host", "B", *install, "--max-age", "24h"], capsys, "30 hours old, older than 24 hours")
    _refused([*world, "--host", "B", *install, "--max-age", "soon"], capsys, "'soon' is no age")
    assert run(["precheck", *world, "--host", "C", *install, "--max-age", "30d"]) == 0


def test_files_that_are_no_drivers_are_named(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.sys").write_text("not a driver")
    tool = _driver(tmp_path / "tool.exe", native=False)
    host = [*world, "--host", "A", "--driver"]
    _refused([*host, str(tmp_path / "text.sys")], capsys, "text.sys is no driver", "byte 0")
    _refused([*host, str(tool)], capsys, "tool.exe is a Windows program, not a driver (subsystem 2)")
    _refused([*host, str(tmp_path / "none.sys")], capsys, "can't be read: No such file")
    _refused([*host, str(tmp_path)], capsys, "can't be read")


PLAN = """\
title: two waves
waves:
  - name: second
    hosts: [B]
    after: [first]
    changes:
      - upgrade: acme-guard@10
  - name: first
    hosts: [A, B]
    changes:
      - install: acme-guard@9
        role: client
      - driver: drv/EvilDrv.sys
"""


def test_a_change_file_in_waves(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "drv").mkdir()
    _driver(tmp_path / "drv" / "EvilDrv.sys")
    (tmp_path / "plan.yml").write_text(PLAN)
    assert run(["precheck", *world, "--change", str(tmp_path / "plan.yml"), "--format", "json"]) == 2
    found = _json(capsys)
    assert [(h["wave"], h["host"], h["answer"]) for h in found["hosts"]] == [
        ("first", "A", "no-go"),
        ("first", "B", "no-go"),
        ("second", "B", "go"),
    ]
    assert found["hosts"][0]["changes"] == ["plan.yml:11 install acme-guard@9,role=client", "plan.yml:13 driver drv/EvilDrv.sys"]


def test_a_change_file_without_hosts_takes_those_of_the_command_line(
    world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yml").write_text("changes: [{install: 'acme-guard@9', role: client}]\n")
    assert run(["precheck", *world, "--change", str(tmp_path / "plan.yml"), "--host", "A", "--format", "json"]) == 0
    assert [h["host"] for h in _json(capsys)["hosts"]] == ["A"]
    _refused([*world, "--change", str(tmp_path / "plan.yml")], capsys, "no host is named")


def test_a_word_for_hosts_in_a_change_file_is_told_with_its_place(
    world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.yml"
    plan.write_text("waves:\n  - {name: a, hosts: [A, wep], changes: [{remove: acme-guard}]}\n")
    _refused([*world, "--change", str(plan)], capsys, f"{plan}:2:26: 'wep' names no host", "Near to it: web")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "waves:\n  - {name: a, after: [b], changes: [{remove: acme-guard}]}\n"
            "  - {name: b, after: [a], changes: [{remove: acme-guard}]}\n",
            r":[23]:\d+: the waves wait for each other in a circle: (a after b after a|b after a after b)",
        ),
        ("waves:\n  - {name: a, after: [z], changes: [{remove: acme-guard}]}\n", r":2:23: there is no wave 'z': expected one of a"),
        ("changes:\n  - install: acme-gard@9\n", r":2:5: there is no product 'acme-gard'. Near to it: acme-guard"),
        ("changes:\n  - install: acme-guard@12\n", r":2:5: acme-guard has no version 12"),
        ("changes:\n  - {install: acme-guard, remove: acme-guard}\n", r":2:5: expected exactly one of install, .* got install, remove"),
        ("changes:\n  - {role: server}\n", r":2:5: expected exactly one of"),
        ("changes:\n  - {remove: acme-guard, role: server}\n", r":2:5: remove takes no role"),
        ("changes:\n  - {driver: none.sys}\n", r":2:6: the driver none.sys can't be read"),
        ("changes:\n  - {instal: acme-guard}\n", r":2:6: object contains unknown field `instal`"),
        ("changes: []\n", r":1:1: expected `changes`, or `waves`"),
        ("waves:\n  - {name: a, changes: []}\n", r":2:15: expected at least one change"),
        ("waves:\n  - &x {name: a, changes: [{remove: acme-guard}]}\n  - *x\n", r"not allowed: an alias"),
        ("changes: {\n", r"not YAML"),
    ],
)
def test_mistakes_in_a_change_file_are_told_with_their_place(
    world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, place: str
) -> None:
    (tmp_path / "plan.yml").write_text(text)
    assert run(["precheck", *world, "--host", "A", "--change", str(tmp_path / "plan.yml")]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert re.search(r"plan\.yml" + (place if place.startswith(":") else r".*" + place), said.err), said.err


def test_an_empty_store_is_told(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(tmp_path / "empty.db"):
        pass
    matrix = world[2:]
    _refused(
        ["--store", str(tmp_path / "empty.db"), *matrix, "--host", "A", "--remove", "acme-guard"], capsys, "the store holds no results"
    )
    _refused(["--store", str(tmp_path / "none.db"), *matrix, "--host", "A", "--remove", "acme-guard"], capsys, "no store at", code=64)


def test_what_is_accepted_has_no_part_in_the_answer(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _driver(tmp_path / "EvilDrv.sys")
    waivers = tmp_path / "w.yml"
    waivers.write_text("waivers: [{id: w, rule: own-driver, hosts: [A], reason: a test, owner: J. Doe, until: 2099-12-31}]\n")
    options = ["--driver", str(file), "--waivers", str(waivers), "--format", "json"]
    run(["precheck", *world, "--host", "A", "--host", "B", *options])
    answers = {h["host"]: h for h in _json(capsys)["hosts"]}
    assert [w["owner"] for w in answers["A"]["waived"]] == ["J. Doe"]
    assert "own-driver" not in [d["finding"]["rule"] for d in answers["A"]["added"]]
    assert (answers["B"]["answer"], answers["B"]["waived"]) == ("no-go", [])
    run(["precheck", *world, "--host", "A", *options[:-2]])
    assert "accepted by J. Doe until 2099-12-31" in " ".join(capsys.readouterr().out.split())


def test_waivers_that_hold_nothing_are_told(world: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    waivers = tmp_path / "w.yml"
    waivers.write_text(
        "waivers:\n  - {id: old, rule: own-driver, hosts: [A], reason: a test, owner: J. Doe, until: 2020-01-01}\n  - {id: bad}\n"
        "  - {id: none, rule: no-such-rule, reason: a test, owner: J. Doe, until: 2099-12-31}\n"
    )
    assert run(["precheck", *world, "--host", "A", "--install", "acme-guard@10,role=client", "--waivers", str(waivers)]) == 0
    told = [line.partition(" holds nothing ")[0] for line in capsys.readouterr().out.splitlines() if " holds nothing " in line]
    assert told == ["the waiver bad", "the waiver old", "the waiver none"]
