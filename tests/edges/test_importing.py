"""Answers of the probe that was run by hand: what a file holds becomes a result, and what it does not hold is never taken for absent."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from auditor.cli.program import run
from auditor.importing import Imported, Unread, read_files
from auditor.lab.answers import answer_section
from auditor.lab.assemble import assemble
from auditor.lab.fleet import load_fleet
from auditor.lab.sheet import Ask
from auditor.lab.shell import hello
from auditor.model.host import HostResult, Question, Snapshot, Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle
from auditor.probes.decode import decode_answer
from auditor.probes.question import question_of
from auditor.store import open_store
from tests.edges import engine

NOW = datetime(2026, 11, 26, 1, 30, tzinfo=UTC)
REQUEST = ProbeRequest(security_keys=("SOFTWARE\\Network ICE\\*",), event_days=20, hash_drivers="all", echo_parameters=True)


def printed(*, echo: bool = True, end: bool = True, request: ProbeRequest = REQUEST) -> str:
    """What srv-a of the incident prints."""
    machine = assemble(load_fleet("incident").host("srv-a"), NOW)
    parameters = build_bundle(request).splitlines()[0].split("'")[1]
    ask = Ask.read(framing.read_parameters(build_bundle(request)))
    parts = [framing.pack_hello(hello(machine, "admin", NOW)), f"{framing.MARK} ASKED {parameters}\r\n" if echo else ""]
    parts += [framing.pack_section(name, answer_section(machine, name, ask, NOW)) for name in ask.sections]
    return "".join(parts) + (framing.pack_end(len(ask.sections)) if end else "")


@pytest.fixture(scope="module")
def whole() -> str:
    return printed()


def read(folder: Path, data: bytes, **options: object) -> Imported:
    file = folder / "answer.txt"
    file.write_bytes(data)
    (found,) = read_files([file], NOW + timedelta(hours=1), **options)  # type: ignore[arg-type]
    assert isinstance(found, Imported), found
    return found


def snapshot_of(result: HostResult) -> Snapshot:
    assert result.snapshot is not None
    return result.snapshot


@pytest.mark.parametrize("encoding", ["ascii", "utf-16", "utf-8-sig"])
def test_what_the_script_printed_is_what_the_host_says(tmp_path: Path, whole: str, encoding: str) -> None:
    found = read(tmp_path, whole.encode(encoding))
    snapshot = snapshot_of(found.result)
    expected = decode_answer(framing.read_answer(whole.encode()), REQUEST)
    assert snapshot.sections == expected.sections
    assert (snapshot.host, snapshot.collected_at) == ("SRVA", "2026-11-26T01:30:00Z")
    assert snapshot.asked == question_of(REQUEST)
    assert snapshot.transport.endswith("by hand")
    assert found.problems == ()


@pytest.mark.parametrize("width", [80, 120])
def test_a_transcript_with_broken_lines_and_prompts_is_read(tmp_path: Path, whole: str, width: int) -> None:
    lines = [piece for line in whole.splitlines() for piece in [line[at : at + width] for at in range(0, max(len(line), 1), width)]]
    text = "\r\n".join(["PS C:\\> .\\probe.ps1", *lines, "PS C:\\> exit", "**********************"])
    found = read(tmp_path, text.encode())
    assert found.problems == ()
    assert snapshot_of(found.result).sections == decode_answer(framing.read_answer(whole.encode()), REQUEST).sections
    assert snapshot_of(found.result).asked == question_of(REQUEST)


def test_without_its_question_nothing_counts_as_looked_for(tmp_path: Path) -> None:
    found = read(tmp_path, printed(echo=False).encode())
    assert snapshot_of(found.result).asked == Question()


def test_half_an_answer_says_so(tmp_path: Path, whole: str) -> None:
    cut = whole[: whole.index("#AUD1 STOP events")]
    found = read(tmp_path, cut.encode())
    assert found.result.status == "partial"
    assert any("end" in problem for problem in found.problems)
    sections = snapshot_of(found.result).sections
    assert (sections.programs.status, sections.events.status, sections.defender.status) == ("ok", "failed", "failed")


def test_a_changed_block_is_a_problem(tmp_path: Path, whole: str) -> None:
    at = whole.index("#AUD1 BLOCK drivers")
    at = whole.index("\n", at) + 50
    changed = whole[:at] + ("A" if whole[at] != "A" else "B") + whole[at + 1 :]
    found = read(tmp_path, changed.encode())
    assert snapshot_of(found.result).sections.drivers.status == "failed"
    assert any(problem.startswith("drivers: ") for problem in found.problems)


def test_the_inventorys_target_and_the_name_given(tmp_path: Path, whole: str) -> None:
    target = Target(name="srv-a", address="10.0.0.1", port=5986, scheme="https", transport="ntlm", groups=("g",), aliases=("SRVA",))
    assert read(tmp_path, whole.encode(), known={"srv-a": target}).target == target
    given = read(tmp_path, whole.encode(), host="other", known={"srv-a": target})
    assert (given.target.name, snapshot_of(given.result).host, given.target.groups) == ("other", "other", ())


def test_evidence_from_the_future_is_refused(tmp_path: Path, whole: str) -> None:
    file = tmp_path / "answer.txt"
    file.write_text(whole)
    (found,) = read_files([file], NOW - timedelta(days=3))
    assert isinstance(found, Unread)
    assert "future" in found.message


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"#AUD1 END 0\r\n", b'{"form": "fleet-auditor recording"}', b"#AUD1 REFUSED ConstrainedLanguage"]
)
def test_what_is_no_answer_is_an_error(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(data)
    (found,) = read_files([file], NOW)
    assert isinstance(found, Unread)
    (missing,) = read_files([tmp_path / "missing"], NOW)
    assert isinstance(missing, Unread)


def test_the_verb_puts_it_into_the_store_and_says_what_was_not_read(
    tmp_path: Path, whole: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    good, bad, half = tmp_path / "good.txt", tmp_path / "bad.txt", tmp_path / "half.txt"
    good.write_text(whole)
    bad.write_text("nothing")
    half.write_text(whole[: whole.index("#AUD1 STOP events")])
    store = f"{tmp_path}/s.db"
    assert run(["import", str(good), "--store", store, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [(host["host"], host["status"]) for host in document["hosts"]] == [("SRVA", "ok")]
    assert run(["import", str(good), str(bad), "--store", store]) == 3
    assert "bad.txt: neither a recording" in capsys.readouterr().out
    assert run(["import", str(half), "--host", "other", "--store", store]) == 3
    assert run(["import", str(bad), "--store", store]) == 1
    assert run(["import", str(good), str(half), "--host", "x", "--store", store]) == 64
    with open_store(store, create=False) as opened:
        stored = {host.target.name: host.result for host in opened.latest_results()}
    assert set(stored) == {"SRVA", "other"}
    assert snapshot_of(stored["SRVA"]).sections.tasks.records


@pytest.mark.engine
def test_the_script_run_as_a_file_repeats_its_question(tmp_path: Path) -> None:
    found = engine.folder()
    if found is None:
        pytest.skip(engine.NO_ENGINE)
    script = tmp_path / "probe.ps1"
    script.write_text(build_bundle(msgspec.structs.replace(REQUEST, sections=("programs", "jobs"))))
    done = subprocess.run([str(found / "powershell"), "-NoProfile", "-File", str(script)], capture_output=True, check=False, timeout=60)
    (tmp_path / "answer.txt").write_bytes(done.stdout)
    (read_,) = read_files([tmp_path / "answer.txt"], datetime.now(UTC))
    assert isinstance(read_, Imported), (read_, done.stderr[:500])
    snapshot = snapshot_of(read_.result)
    assert snapshot.asked is not None
    assert snapshot.asked.security_keys == REQUEST.security_keys
    assert {name for name in ("programs", "jobs", "services") if getattr(snapshot.sections, name).status != "not_asked"} == {
        "programs",
        "jobs",
    }
