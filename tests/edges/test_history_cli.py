"""`diff`, `history`, `baseline` and `store` on the command line: words, files, exit codes."""

from __future__ import annotations

import html
import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.cli.program import run
from auditor.model.change import Explanation
from auditor.model.host import DriverRecord, HostResult, Section, Sections, ServiceRecord, Snapshot, SystemRecord, Target
from auditor.store import open_store
from tests.edges.store_samples import sample_report

DAYS = ("2026-11-01T01:00:00Z", "2026-11-02T01:00:00Z", "2026-11-03T01:00:00Z")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AUDITOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


def host(name: str, at: str, version: str = "1.0", *, denied: bool = False, start: Any = "auto") -> Snapshot:
    drivers: Section[Any, Any] = Section(
        status="ok", records=(DriverRecord(name="RapDrv", path="C:\\RapDrv.sys", file_version=version, link_timestamp=7),)
    )
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(version="5.2.3790", architecture="x86", product_type="server"),)),
        services=Section(status="ok", records=(ServiceRecord(name="Spooler", start=start, state="running", account="LocalSystem"),)),
        drivers=Section(status="denied", reason="access denied") if denied else drivers,
    )
    return Snapshot(host=name, collected_at=at, collector="auditor 0.1.0", transport="powershell over http/ntlm", sections=sections)


def save(path: Path, *days: tuple[Snapshot, ...], groups: tuple[str, ...] = ("web_x",)) -> list[str]:
    runs = []
    with open_store(path) as store:
        for hosts in days:
            runs.append(store.begin_run("audit", hosts[0].collected_at, "0.1.0"))
            for snapshot in hosts:
                target = Target(name=snapshot.host, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", groups=groups)
                store.save_result(runs[-1], target, HostResult(host=snapshot.host, status="ok", snapshot=snapshot))
            report = sample_report()
            head = msgspec.structs.replace(report.run, id=runs[-1], started_at=hosts[0].collected_at)
            store.finish_run(runs[-1], msgspec.structs.replace(report, run=head))
    return runs


@pytest.fixture
def store(tmp_path: Path) -> str:
    """Four hosts over three days; ODD changed its driver on the third."""
    path = tmp_path / "store.db"
    save(
        path,
        *(tuple(host(name, at, "2.0" if name == "ODD" and at == DAYS[2] else "1.0") for name in ("A", "B", "C", "ODD")) for at in DAYS),
    )
    return str(path)


def output(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = run(list(words))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code, out, err = output(capsys, *words, "--format", "json")
    assert out, err
    return code, json.loads(out)


# --- diff


def test_a_difference_is_told_against_all_baselines(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = document(capsys, "diff", "ODD", "--store", store)
    assert code == 2
    rows = found["hosts"][0]["differences"]
    assert [(r["baseline"], r["field"], r["before"], r["after"], r["since"], r["not_before"], r["class"]) for r in rows] == [
        ("previous", "file_version", "1.0", "2.0", DAYS[2], DAYS[1], "unexplained"),
        ("peers", "file_version", "1.0", "2.0", DAYS[2], DAYS[1], "unexplained"),
    ]
    assert (rows[1]["agree"], rows[1]["of"], rows[1]["against"]) == (3, 4, "web_x")
    code, out, _ = output(capsys, "diff", "ODD", "--store", store)
    assert code == 2
    assert "peers in web_x" in " ".join(out.split())
    assert "no baseline says what its roles should look like" in out


def test_an_unchanged_host_has_no_differences(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output(capsys, "diff", "A", "--store", store)
    assert code == 0
    assert "No differences." in out


def test_two_points_in_time_can_be_compared(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    for from_, to, expected in ((DAYS[0], DAYS[1], 0), ("2026-11-01", "2026-11-03", 1), ("20261101T010000Z", "20261103T010000Z", 1)):
        code, found = document(capsys, "diff", "ODD", from_, to, "--store", store, "--against", "previous")
        assert (code, len(found["hosts"][0]["differences"])) == (2 if expected else 0, expected)
        assert found["hosts"][0]["previous"] == DAYS[0]


def test_a_group_or_everyone_can_be_asked_about(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("all", "web_x"):
        code, found = document(capsys, "diff", word, "--store", store)
        assert code == 2
        assert [(h["host"], len(h["differences"])) for h in found["hosts"]] == [("A", 0), ("B", 0), ("C", 0), ("ODD", 2)]


def test_expected_changes_are_no_reason_to_fail(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own" / "drift"
    own.mkdir(parents=True)
    window = "{id: patch, kind: maintenance, reason: patch day, from: 2026-11-02, until: 2026-11-03, hosts: [web_x], sections: [drivers]}"
    (own / "expected.yml").write_text(f"expected:\n  - {window}\n")
    words = ("diff", "ODD", "--store", store, "--matrix", str(tmp_path / "own"))
    code, found = document(capsys, *words)
    assert code == 0
    assert {r["class"] for r in found["hosts"][0]["differences"]} == {"expected"}
    assert document(capsys, *words, "--unexplained")[1]["hosts"][0]["differences"] == []
    with open_store(store) as opened:
        opened.explain(Explanation(id="plan", kind="remediation", reason="ours", from_="2026-11-02", until="2026-11-03"))
    code, found = document(capsys, "diff", "ODD", "--store", store)
    assert [r["reason"] for r in found["hosts"][0]["differences"]] == ["own remediation plan: ours"] * 2


def test_what_was_not_seen_is_no_difference_and_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.db"
    save(path, (host("A", DAYS[0]),), (host("A", DAYS[1], denied=True),))
    code, out, _ = output(capsys, "diff", "A", "--store", str(path))
    assert code == 3
    assert "drivers against the snapshot before: not seen now: access denied" in out


def test_a_host_that_did_not_answer_is_told(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(store) as opened:
        latest = opened.begin_run("collect", "2026-11-04T01:00:00Z", "0.1.0")
        target = Target(name="A", address="127.0.0.1", port=5985, scheme="http", transport="ntlm")
        opened.save_result(latest, target, HostResult(host="A", status="timed_out", reason="no answer"))
    _, out, _ = output(capsys, "diff", "A", "--store", store)
    assert "the last collection failed (no answer)" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["diff", "ODDD"], "Near to it: ODD"),
        (["diff", "A", "nonsense"], "is no run of the store and no time"),
        (["diff", "A", "2025-01-01"], "no snapshot of A at or before 2025-01-01"),
        (["diff", "A", "2026-11-03", "2026-11-01"], "lies after"),
        (["diff", "all", "2026-11-01"], "FROM and TO are for one host"),
        (["history", "NOBODY"], "no snapshot of 'NOBODY'"),
        (["baseline", "learn", "nobody"], "Groups: web_x"),
        (["baseline", "accept", "NOBODY"], "no snapshot of 'NOBODY'"),
        (["baseline", "accept", "A", "--run", "x"], "no snapshot of the run x"),
        (["baseline", "accept", "A", "--withdraw"], "nothing of 'A' was accepted"),
        (["store", "prune"], "older-than"),
    ],
)
def test_wrong_words_are_one_clear_paragraph(store: str, capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    code, out, err = output(capsys, *words, "--store", store)
    assert (code, out) == (64, "")
    assert message in " ".join(err.split())


# --- pages


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in ("meta", "br", "link", "path", "rect", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("path", "rect"):
            assert self.open.pop() == tag


@pytest.mark.parametrize("words", [["diff", "all"], ["history"], ["history", "ODD"]])
def test_pages_are_whole_and_do_nothing(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("html", "markdown", "json", "table")}
    outputs = [part for name, file in files.items() for part in ("--output", f"{name}:{file}")]
    output(capsys, *words, "--store", store, *outputs)
    page = _Page()
    page.feed(files["html"].read_text())
    assert page.open == []
    assert "script" not in page.tags
    assert "default-src 'none'" in html.unescape(files["html"].read_text())
    json.loads(files["json"].read_text())
    assert all(file.read_text().endswith("\n") for file in files.values())
    if words == ["history"]:
        assert page.tags.count("svg") > 3


def test_values_of_hosts_do_not_come_to_life(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evil = "<script>x</script>`|\x1b[31m\u202e\n```\n[a](javascript:x)"
    path = tmp_path / "s.db"
    save(path, (host("A", DAYS[0]),), (host("A", DAYS[1], version=evil),))
    for name in ("table", "markdown", "html"):
        _, out, _ = output(capsys, "diff", "A", "--store", str(path), "--format", name)
        assert "\x1b" not in out
        assert "\u202e" not in out
        outside = re.sub(r"(?s)(`{3,})diff\n.*?\n\1", "", out).replace("`<script>", "")
        assert name == "table" or "<script>" not in outside


def test_a_changed_script_is_shown_as_a_diff_of_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from auditor.model.host import ScriptRecord

    def with_script(at: str, text: str) -> Snapshot:
        section: Section[Any, Any] = Section(status="ok", records=(ScriptRecord(path="C:\\x.cmd", text=text),))
        snapshot = host("A", at)
        return msgspec.structs.replace(snapshot, sections=msgspec.structs.replace(snapshot.sections, scripts=section))

    path = tmp_path / "s.db"
    save(path, (with_script(DAYS[0], "one\r\ntwo\r\n```\r\n"),), (with_script(DAYS[1], "one\r\nother\r\n```\r\n"),))
    code, out, _ = output(capsys, "diff", "A", "--store", str(path), "--format", "markdown")
    assert code == 2
    assert "\n-two\n+other\n" in out
    assert "````diff" in out


# --- history


def test_the_history_of_the_fleet_counts_runs_rules_products_and_roles(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = document(capsys, "history", "--store", store)
    assert code == 0
    assert [p["at"] for p in found["runs"]] == list(DAYS)
    assert all(len(rule["counts"]) == 3 for rule in found["rules"])
    assert found["products"]
    assert [(p["at"], p["unexplained"]) for p in found["roles"][0]["points"]] == [(DAYS[0], 0), (DAYS[1], 0), (DAYS[2], 1)]
    assert document(capsys, "history", "--runs", "1", "--store", store)[1]["runs"][0]["at"] == DAYS[2]
    _, out, _ = output(capsys, "history", "--store", store)
    assert {"RUNS", "DRIFT PER ROLE", "FINDINGS"} <= set(out.split("\n")) | {line.split(",")[0] for line in out.split("\n")}


def test_the_history_of_a_host_lists_its_changes(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = document(capsys, "history", "ODD", "--store", store)
    assert code == 0
    assert [(s["at"], s["differences"]) for s in found["states"]] == [(DAYS[0], 0), (DAYS[1], 0), (DAYS[2], 1)]
    assert [d["field"] for d in found["differences"]] == ["file_version"]


# --- baselines


def test_a_role_is_learned_kept_and_held_against_its_hosts(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "own"
    (own / "baselines").mkdir(parents=True)
    file = own / "baselines" / "web_x.yml"
    code, _, err = output(capsys, "baseline", "learn", "web_x", "--share", "75", "--store", store, "--output", f"yaml:{file}")
    assert (code, err.strip()) == (0, f"yaml report: {file}")
    code, found = document(capsys, "diff", "ODD", "--store", store, "--matrix", str(own), "--against", "role")
    assert code == 2
    assert [(r["baseline"], r["against"], r["before"], r["after"]) for r in found["hosts"][0]["differences"]] == [
        ("role", "web_x", "1.0", "2.0")
    ]
    assert document(capsys, "diff", "A", "--store", store, "--matrix", str(own))[0] == 0
    _, listed = document(capsys, "baseline", "list", "--store", store, "--matrix", str(own))
    assert "web_x" in listed["roles"]


def test_an_accepted_state_explains_and_is_a_baseline(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = output(capsys, "baseline", "accept", "ODD", "--store", store, "--reason", "wanted", "--by", "me")
    assert (code, out) == (0, f"The state of ODD of {DAYS[2]} is accepted\n")
    code, found = document(capsys, "diff", "ODD", "--store", store)
    assert code == 0
    assert all(r["reason"].endswith("by me: wanted") for r in found["hosts"][0]["differences"])
    output(capsys, "baseline", "accept", "ODD", "--store", store, "--run", "20261101T010000Z")
    code, found = document(capsys, "diff", "ODD", "--store", store, "--against", "accepted")
    assert (code, [r["baseline"] for r in found["hosts"][0]["differences"]]) == (2, ["accepted"])
    _, out, _ = output(capsys, "baseline", "list", "--store", store)
    assert f"of {DAYS[0]}" in out
    assert output(capsys, "baseline", "accept", "ODD", "--withdraw", "--store", store)[0] == 0


# --- the store


def test_a_store_is_exported_restored_and_pruned(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, other = tmp_path / "out.jsonl.gz", tmp_path / "other.db"
    code, out, _ = output(capsys, "store", "export", str(file), "--store", store)
    assert (code, out.endswith(f"lines are in {file}\n")) == (0, True)
    assert output(capsys, "store", "restore", str(file))[0] == 64
    code, out, _ = output(capsys, "store", "restore", str(file), "--store", str(other))
    assert code == 0
    assert "3 runs with 12 results and 3 reports" in out
    assert document(capsys, "diff", "ODD", "--store", str(other)) == document(capsys, "diff", "ODD", "--store", store)
    code, found = document(capsys, "store", "prune", "--older-than", "1", "--keep", "1", "--dry-run", "--store", str(other))
    assert (code, found["rehearsed"], found["pruned"]["snapshots"] >= 0) == (0, True, True)


def test_some_hosts_are_exported(store: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.jsonl"
    assert output(capsys, "store", "export", str(file), "--limit", "web_x,!ODD", "--store", store)[0] == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["target"]["name"] for line in lines if line["line"] == "result"} == {"A", "B", "C"}
    assert output(capsys, "store", "export", str(file), "--limit", "&x", "--store", store)[0] == 64
