"""What is known of crashes: the shipped files are whole, and a wrong file is refused with the place of every mistake."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from auditor.cli.program import run
from auditor.knowledge import load_crash_knowledge
from auditor.model.crash import base_code
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import MatrixError
from auditor.model.places import shipped


@pytest.fixture(scope="module")
def knowledge() -> CrashKnowledge:
    return load_crash_knowledge()


def test_the_shipped_files_are_loaded(knowledge: CrashKnowledge) -> None:
    assert len(knowledge.bugchecks) > 390
    assert len(knowledge.statuses) > 1700
    assert len(knowledge.modules) > 400
    assert knowledge.in_page[0xC000009A].cause_class == "memory"
    assert {family.family for family in knowledge.indicators} >= {"Win32/Haxdoor", "Win32/Alureon"}
    assert len(knowledge.digest) == 64


def test_every_stop_code_has_a_name_causes_and_a_source(knowledge: CrashKnowledge) -> None:
    for code, fact in knowledge.bugchecks.items():
        assert fact.name.replace("_", "").isalnum()
        assert fact.causes, hex(code)
        assert all(source.startswith("https://") for source in fact.sources)
        assert fact.sources
        assert base_code(code) == code
        assert max([*fact.roles.values(), 1]) <= max(len(fact.parameters), 1), hex(code)
    assert len(knowledge.names) == len(knowledge.bugchecks)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (0x1, "APC_INDEX_MISMATCH"),
        (0x8E, "KERNEL_MODE_EXCEPTION_NOT_HANDLED"),
        (0x139, "KERNEL_SECURITY_CHECK_FAILURE"),
        (0xC000021A, "STATUS_SYSTEM_PROCESS_TERMINATED"),
    ],
)
def test_codes_from_the_first_to_the_last(code: int, name: str, knowledge: CrashKnowledge) -> None:
    assert knowledge.bugchecks[code].name == name


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        ("nt", "kernel"),
        ("NTOSKRNL.EXE", "kernel"),
        ("Ntfs", "filesystem"),
        ("FLTMGR", "framework"),
        ("win32kfull.sys", "driver"),
        ("dump_storport", "framework"),
        ("ntdll", "user"),
        ("GenuineIntel.sys", "hardware"),
        ("widget", None),
    ],
)
def test_modules_of_windows(module: str, kind: str | None, knowledge: CrashKnowledge) -> None:
    assert knowledge.kind(module) == kind


def own(tmp_path: Path, name: str, text: str) -> Path:
    folder = tmp_path / "own" / "crash"
    folder.mkdir(parents=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder.parent


BUGCHECKS = "sources: {d: https://example.test}\ncauses: {driver: x}\nbugchecks:\n"


@pytest.mark.parametrize(
    ("name", "text", "line", "column", "message"),
    [
        ("bugchecks.yml", BUGCHECKS + "  0x1: {name: A, causes: [nonsense]}\n", 4, 27, "expected one of driver"),
        ("bugchecks.yml", BUGCHECKS + "  0x1: {name: A, causes: [driver]}\n  0x1: {name: B, causes: [driver]}\n", 5, 3, "twice"),
        ("bugchecks.yml", BUGCHECKS + "  0x1: {name: A, causes: [driver], roles: {instruction: 5}}\n", 4, 57, "1 to 4"),
        ("bugchecks.yml", BUGCHECKS + "  0x1: {name: A, causes: [driver], surprise: 1}\n", 4, 36, "unknown key"),
        ("bugchecks.yml", BUGCHECKS + "  0x1: {causes: [driver]}\n", 4, 8, "needs the key name"),
        ("bugchecks.yml", BUGCHECKS + "  zero: {name: A, causes: [driver]}\n", 4, 3, "expected a number"),
        ("bugchecks.yml", BUGCHECKS + "  0x1: &a {name: A, causes: [driver]}\n  0x2: *a\n", 4, 8, "aliases"),
        ("bugchecks.yml", BUGCHECKS + "  0x1: [\n", 5, 1, "expected"),
        ("ntstatus.yml", "sources: {d: nonsense}\nstatuses: {}\n", 1, 11, "https://"),
        ("system_modules.yml", "sources: {}\nmodules: [{kind: odd, files: [a.sys]}]\n", 2, 18, "expected one of"),
        ("system_modules.yml", "sources: {}\nmodules: []\nloader_writes: [{expected: zz, found: '', why: x}]\n", 3, 28, "bytes in hex"),
        ("malware_indicators.yml", "families: [{family: X, confidence: sure, codes: [], sources: []}]\n", 1, 36, "expected one of"),
        ("malware_indicators.yml", "", 0, 0, "empty"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, name: str, text: str, line: int, column: int, message: str) -> None:
    with pytest.raises(MatrixError) as caught:
        load_crash_knowledge([own(tmp_path, name, text)])
    problem = caught.value.problems[0]
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message
    assert problem.file.endswith(name)


def test_own_knowledge_of_a_matrix_folder_is_what_the_command_reads_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = own(tmp_path, "bugchecks.yml", BUGCHECKS + "  0x7777: {name: OWN_CODE, causes: [driver]}\n")
    text = tmp_path / "stop.txt"
    text.write_text("*** STOP: 0x00007777 (0x00000001, 0x00000002, 0x00000003, 0x00000004)\n")
    assert run(["crash", str(text), "--matrix", str(folder), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["crashes"][0]["bugcheck"]["name"] == "OWN_CODE"
    (folder / "crash" / "bugchecks.yml").write_text("bugchecks: [\n")
    assert run(["crash", str(text), "--matrix", str(folder)]) == 1
    assert "bugchecks.yml:2:1" in capsys.readouterr().err


def test_own_knowledge_is_added_and_may_not_contradict(tmp_path: Path) -> None:
    text = BUGCHECKS + "  0x7777: {name: OWN_CODE, causes: [driver]}\n"
    both = load_crash_knowledge([shipped("compat_matrix"), own(tmp_path, "bugchecks.yml", text)])
    assert both.bugchecks[0x7777].name == "OWN_CODE"
    assert 0x8E in both.bugchecks
    copy = tmp_path / "copy"
    shutil.copytree(shipped("compat_matrix") / "crash", copy / "crash")
    with pytest.raises(MatrixError) as caught:
        load_crash_knowledge([shipped("compat_matrix"), copy])
    assert any("described twice" in problem.message for problem in caught.value.problems)
