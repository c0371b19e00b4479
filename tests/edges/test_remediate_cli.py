"""`auditor remediate` on the command line: what is chosen, what is set, what is refused with a way out, and its exit codes."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.audit import check as evaluate
from auditor.audit import run_of
from auditor.cli.program import run
from auditor.cli.remediate_apply import apply_code
from auditor.cli.remediate_values import given_secrets, given_values, ways_of, window_of
from auditor.matrix import load_matrix
from auditor.model.errors import UsageError
from auditor.model.host import HostResult, NetworkRecord, Section, Sections, ServiceRecord, Snapshot, SystemRecord
from auditor.model.places import shipped
from auditor.model.plan import FindingVerdict, VerdictKind
from auditor.remediation.planfile import read_plan
from auditor.remediation.record import new_record
from auditor.store import open_store
from tests.edges.remediation_samples import World, target_of

PLAYBOOKS = Path(__file__).parents[1] / "samples" / "playbooks"
RULE = (Path(__file__).parents[1] / "samples" / "own-agent-starts.yml").read_text(encoding="utf-8")
Call = Callable[..., int]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """`auditor remediate plan` on a store of two hosts with a finding each."""
    rules = tmp_path / "own" / "rules" / "own"
    rules.mkdir(parents=True)
    (rules / "own-agent-starts.yml").write_text(RULE)
    matrix = load_matrix([shipped("compat_matrix"), tmp_path / "own"])
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    asked = [
        (target_of(host), HostResult(host=host, status="ok", snapshot=_snapshot(host, shell, now)))
        for host, shell in (("new", "5.1"), ("old", "2.0"))
    ]
    with open_store(tmp_path / "s.db") as store:
        name = store.begin_run("audit", now, "0.1.0")
        store.save_results(name, asked)
        store.finish_run(name, evaluate(asked, matrix, run_of(name, now, matrix)))

    for name in ("ansible", "community"):
        folder = tmp_path / "coll" / "ansible_collections" / name / "windows"
        folder.mkdir(parents=True)
        (folder / "MANIFEST.json").write_text('{"collection_info": {"version": "3.0.0"}}')

    def plan(*words: str) -> int:
        if "--collections" not in words:
            words = (*words, "--collections", str(tmp_path / "coll"))
        places = ["--store", str(tmp_path / "s.db"), "--matrix", str(tmp_path / "own"), "--playbooks", str(PLAYBOOKS)]
        return run(["remediate", "plan", *places, "--plan", str(tmp_path / "plan.yml"), *words])

    return plan


def _snapshot(host: str, shell: str, at: str) -> Snapshot:
    sections = Sections(
        system=Section(
            status="ok", records=(SystemRecord(version="10.0.17763", build=17763, product_type="server", powershell_version=shell),)
        ),
        network=Section(status="ok", records=(NetworkRecord(computer_name=host.upper()),)),
        services=Section(status="ok", records=(ServiceRecord(name="AcmeAgent", start="auto"),)),
    )
    return Snapshot(host=host, collected_at=at, collector="auditor 0.1.0", transport="powershell over http/ntlm", sections=sections)


CHOSEN = ("--rule", "own-agent-starts", "--remedy", "set_start")


def test_a_plan_is_written_for_its_owner_with_its_digest_told(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*CHOSEN, "--set", "*:service=AcmeAgent") == 0
    told = capsys.readouterr().out
    plan, digest = read_plan(tmp_path / "plan.yml")
    assert digest in told
    assert stat.S_IMODE((tmp_path / "plan.yml").stat().st_mode) == 0o600
    assert {(h.host, h.way) for h in plan.actions[0].hosts} == {("new", "modules"), ("old", "raw")}
    assert [h.expected[0].what for h in plan.actions[0].hosts] == ["AcmeAgent starts disabled"] * 2
    assert [len(wave.items) for wave in plan.waves] == [1, 1]


def test_missing_values_are_listed_and_the_exit_code_says_so(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*CHOSEN) == 3
    assert "new: service: name of the service" in capsys.readouterr().out


def test_only_the_chosen_host_is_changed(call: Call, tmp_path: Path) -> None:
    assert call(*CHOSEN, "--set", "*:service=AcmeAgent", "--host", "old") == 0
    plan, _ = read_plan(tmp_path / "plan.yml")
    assert [h.host for h in plan.actions[0].hosts] == ["old"]


def test_a_plan_by_modules_needs_the_collections(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*CHOSEN, "--set", "*:service=x", "--collections", str(tmp_path)) == 1
    assert "not both of ansible.windows and community.windows are in it" in " ".join(capsys.readouterr().err.split())
    assert call(*CHOSEN, "--set", "*:service=x") == 0
    plan, _ = read_plan(tmp_path / "plan.yml")
    assert plan.actions[0].collections == {"ansible.windows": "3.0.0", "community.windows": "3.0.0"}


def test_an_order_without_a_finding(call: Call, tmp_path: Path) -> None:
    assert call("--remedy", "set_start", "--host", "new", "--without-finding", "--set", "new:service=Spooler") == 0
    plan, _ = read_plan(tmp_path / "plan.yml")
    assert (plan.findings, plan.actions[0].hosts[0].findings) == ((), ())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ((), 64, "nothing is chosen"),
        (("--finding", "abc"), 64, "at least 6 characters"),
        (("--finding", "abcdefabcdef"), 1, "is not in the last report"),
        (("--rule", "no-such-rule"), 1, "no finding of the rule no-such-rule"),
        (("--host", "nowhere"), 1, "has no such finding"),
        (("--rule", "own-agent-starts"), 1, "nothing can be planned: own-agent-starts on new: Switch it off."),
        (("--rule", "own-agent-starts", "--remedy", "nothing"), 1, "there is no playbook 'nothing'"),
        ((*CHOSEN, "--set", "service=x"), 64, "expected HOST:NAME=VALUE"),
        ((*CHOSEN, "--set", "*:service=x", "--set", "*:start=never"), 1, "start is one of disabled, demand, not 'never'"),
        ((*CHOSEN, "--way", "new=magic"), 1, "set_start knows no way 'magic'"),
        ((*CHOSEN, "--window", "tomorrow"), 64, "is no time with a zone"),
        ((*CHOSEN, "--apart", "twins"), 64, "the inventory has no such group"),
        (("--without-finding", "--remedy", "set_start"), 64, "--without-finding goes with --remedy and --host only"),
    ],
)
def test_what_is_refused_and_why(call: Call, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, told: str) -> None:
    assert call(*words) == code
    assert told in " ".join(capsys.readouterr().err.split())


def test_a_report_of_other_rules_is_no_ground_for_a_plan(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "own" / "rules" / "own" / "own-agent-starts.yml").write_text(RULE.replace("severity: high", "severity: low"))
    assert call(*CHOSEN, "--set", "*:service=AcmeAgent") == 1
    assert "the last report was made with other rules" in " ".join(capsys.readouterr().err.split())


def test_evidence_that_no_report_rests_on_is_no_ground_for_a_plan(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    later = f"{datetime.now(UTC) + timedelta(minutes=2):%Y-%m-%dT%H:%M:%SZ}"
    with open_store(tmp_path / "s.db") as store:
        name = store.begin_run("collect", later, "0.1.0")
        store.save_result(name, target_of("new"), HostResult(host="new", status="ok", snapshot=_snapshot("new", "5.1", later)))
    assert call(*CHOSEN, "--set", "*:service=AcmeAgent") == 1
    assert "after the last report was made" in " ".join(capsys.readouterr().err.split())


def test_values_of_files_and_words(tmp_path: Path) -> None:
    file = tmp_path / "v.yml"
    file.write_text("a: {one: 1, two: [x, y], three: true}\n'*': {one: all}\n")
    found = given_values(["a:one=2", "a:list=x", "a:list=y", "b:path=C:\\x=y"], [file])
    assert found == {
        ("a", "one"): "2",
        ("a", "two"): ("x", "y"),
        ("a", "three"): True,
        ("*", "one"): "all",
        ("a", "list"): ("x", "y"),
        ("b", "path"): "C:\\x=y",
    }


@pytest.mark.parametrize("text", ["- a", "a: 1", "a: {b: {c: d}}", "a: {b: [{}]}", "a: {b: 1.5}", "a: {b: null}", "a: ["])
def test_files_of_values_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "v.yml"
    file.write_text(text)
    with pytest.raises(UsageError):
        given_values([], [file])


def test_secrets_come_from_the_environment_and_from_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text("srv: {password: s3cret-of-srv}\n")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="can be read by others"):
        given_secrets(file, {})
    file.chmod(0o600)
    found = given_secrets(file, {"AUDITOR_SECRET_PASSWORD": "all", "AUDITOR_SECRET_EMPTY": "", "OTHER": "x"})
    assert found == {("*", "password"): "all", ("srv", "password"): "s3cret-of-srv"}
    file.write_text("srv: {password: 's3cret\n")
    with pytest.raises(UsageError) as error:
        given_secrets(file, {})
    assert "s3cret" not in str(error.value.message)


def test_windows_and_ways() -> None:
    window = window_of("2026-11-27T22:00+08:00/2026-11-27T16:00Z")
    assert window is not None
    assert (window.start, window.end) == ("2026-11-27T14:00:00Z", "2026-11-27T16:00:00Z")
    for text in ("2026-11-27T22:00Z", "2026-11-27T22:00Z/2026-11-27T21:00Z", "2026-11-27T22:00/2026-11-27T23:00"):
        with pytest.raises(UsageError):
            window_of(text)
    assert ways_of(["a=raw", "*=person"]) == {"a": "raw", "*": "person"}


@pytest.mark.parametrize(
    ("state", "verdicts", "by_hand", "code"),
    [
        ("finished", ("fixed", "fixed"), (), 0),
        ("finished", ("fixed", "still_there"), (), 2),
        ("held", ("got_worse", "not_checked"), (), 2),
        ("finished", ("fixed", "not_checked"), (), 3),
        ("finished", ("fixed",), ("do it",), 3),
        ("held", ("fixed", "not_checked"), (), 1),
        ("refused", (), (), 1),
        ("interrupted", ("fixed",), (), 1),
    ],
)
def test_exit_codes_of_an_application(
    tmp_path: Path, state: Any, verdicts: tuple[VerdictKind, ...], by_hand: tuple[str, ...], code: int
) -> None:
    with open_store(tmp_path / "s.db") as store:
        world = World(store, "a")
        record = new_record(world.plan(), "d" * 64, world.by, world.now(), None)
    told = tuple(FindingVerdict(finding=str(number), verdict=verdict) for number, verdict in enumerate(verdicts))
    assert apply_code(msgspec.structs.replace(record, state=state, verdicts=told, by_hand=by_hand)) == code


def test_history_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "s.db")
    with open_store(file) as store:
        world = World(store, "a", "b\x1b[2J")
        record = world.apply(world.plan("a"))
    assert run(["remediate", "history", "--store", file]) == 0
    told = capsys.readouterr().out
    assert record.id in told
    assert "1 fixed" in told
    assert run(["remediate", "history", "--store", file, "--host", "b"]) == 0
    assert record.id not in capsys.readouterr().out
    assert run(["remediate", "show", record.id[:12], "--store", file, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["record"]["id"], len(document["events"])) == (record.id, 3)
    assert run(["remediate", "show", "nothing", "--store", file]) == 64
