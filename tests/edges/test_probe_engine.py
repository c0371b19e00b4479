"""The probe on a real PowerShell engine: no newer constructs than 2.0 has, values unharmed, deadlines kept, errors named."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, assemble, build_bundle
from auditor.probes.framing import Answer
from tests.edges import engine

pytestmark = pytest.mark.engine
PROBES = Path(framing.__file__).parent
BEHIND_A_TEST = {"Get-CimInstance": "Get-Command Get-WmiObject", "Invoke-CimMethod": "GetType().Name -eq 'CimInstance'"}
"""Newer commands, and the test for an older one that they stand behind."""

_random = random.Random(7)
VALUES = [
    "",
    "plain text, with 'single' and \"double\" quotes and a back\\slash",
    "lines\r\nand\nbreaks\tand tabs",
    "Größe Übermaß straße",
    "服务器重启 数据库备份到B机",
    "日本語 한국어 кириллица עברית 👍🏽",
    "".join(chr(i) for i in range(1, 32)) + "\x7f\x80\x9f\u2028\u2029\ufeff\ufffe",
    "\x00 inside",
    '\\u0041 \\\\u0041 \\" ends with a backslash \\',
    "</script> ${x} $(Get-Date) `n %PATH% #AUD1 END 0",
    "x" * 300_000,
    "".join(_random.choice('aä"\\服\n') for _ in range(300_000)),
    "服务器" * 100_000,
]
SECTIONS = {
    "echo": "foreach ($text in $Parameters['security_keys']) { Add-Row @{ id = $text } }",
    "numbers": "Add-Row @{ a = 1; b = [long]5000000000; c = [uint32]4294967295; d = $true; e = $null; f = @(); g = @(, 'x') }\n"
    "Add-Row @{ h = @{ i = @(1, @{}) } }",
    "surrogates": "Add-Row @{ id = 'a' + [string][char]0xd800 + 'b' + [string][char]0xdfff }",
    "denied": "throw (New-Object UnauthorizedAccessException 'Access to the key is denied.')",
    "unsupported": "Get-SomethingNewer -Name x",
    "noclass": "Get-Instances 'Win32_Nothing' ''",
    "wmidenied": "Get-Instances 'Win32_Share' ''",
    "broken": "Add-Row @{ id = 1 }\nthrow ('it broke' + [string][char]10 + 'badly')",
    "loop": "Add-Row @{ id = 'before' }\nwhile ($true) { }",
    "late": "Add-Row @{ id = 'whole' }\nSet-Late @(, @('x', 'boot_time'))\nwhile ($true) { }",
    "hangs": "$Shared['waiting'] = 'WMI'\nwhile ($true) { }",
    "afterwards": "Get-Instances 'Win32_Share' ''",
    "gaps": "for ($i = 0; $i -lt 1500; $i++) { Add-Gap $i 'x' 'y' }",
    "own": "$ErrorActionPreference\n$rows = 1\nfunction Get-Odd { return 7 }\nAdd-Row @{ id = Get-Odd }",
    "clean": "if ($rows -or (Get-Command Get-Odd -ErrorAction SilentlyContinue)) { throw 'sections see each other' }",
}


@pytest.fixture(scope="module")
def bin_folder() -> Path:
    found = engine.folder()
    if found is None:
        pytest.skip(engine.NO_ENGINE)
    return found


@pytest.fixture(scope="module")
def answer(bin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    wmi = tmp_path_factory.mktemp("wmi") / "wmi.json"
    wmi.write_text(json.dumps({"root\\cimv2": {"Win32_Share": {"error": "Access denied"}}}))
    request = ProbeRequest(section_deadline_seconds=1, security_keys=tuple(VALUES))
    script = assemble(request, {name: f"{text}\n" for name, text in SECTIONS.items()})
    return engine.run(bin_folder, script, environment={"PSENGINE_WMI": str(wmi)})


def test_no_script_needs_more_than_powershell_2(bin_folder: Path, tmp_path: Path) -> None:
    bundle, bootstrap = tmp_path / "bundle.ps1", tmp_path / "bootstrap.ps1"
    bundle.write_text(build_bundle(ProbeRequest()))
    bootstrap.write_text(framing.BOOTSTRAP)
    scripts = sorted(PROBES.rglob("*.ps1"))
    notes = engine.check(bin_folder, [*scripts, bundle, bootstrap])
    newer = [note for note in notes if not re.search(rf": command: ({'|'.join(BEHIND_A_TEST)}) ", note)]
    assert newer == []
    assert notes, "the listed newer commands are no longer used: take them off the list"
    for command, test in BEHIND_A_TEST.items():
        for script in scripts:
            text = script.read_text(encoding="ascii")
            assert command not in re.sub(r"(?m)^#.*$", "", text).split(test)[0], f"{script.name}: {command} stands before its test"


def test_the_check_can_fail(bin_folder: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ps1"
    bad.write_text("[pscustomobject]@{ a = 1 } | ConvertTo-Json\nif (\n")
    assert len(engine.check(bin_folder, [bad])) >= 3


def test_values_arrive_unharmed(answer: Answer) -> None:
    arrived = [row["id"] for row in answer.sections["echo"].rows]
    assert [len(text) for text in arrived] == [len(text) for text in VALUES]
    assert arrived == VALUES
    assert answer.foreign_lines == 0


def test_numbers_lists_and_nothing_keep_their_kind(answer: Answer) -> None:
    expected = {"a": 1, "b": 5_000_000_000, "c": 4_294_967_295, "d": True, "e": None, "f": [], "g": ["x"]}
    assert answer.sections["numbers"].rows == [expected, {"h": {"i": [1, {}]}}]


def test_halves_of_surrogate_pairs_become_the_replacement_character(answer: Answer) -> None:
    assert answer.sections["surrogates"].rows == [{"id": "a\ufffdb\ufffd"}]


@pytest.mark.parametrize(
    ("section", "status", "words"),
    [
        ("denied", "denied", "Access to the key is denied."),
        ("unsupported", "unsupported", "Get-SomethingNewer"),
        ("noclass", "unsupported", "Invalid class"),
        ("wmidenied", "denied", "Access denied"),
        ("broken", "failed", "it broke badly"),
        ("loop", "timed_out", "given up after 1 s"),
        ("hangs", "timed_out", "waiting for WMI"),
        ("afterwards", "timed_out", "not asked again"),
    ],
)
def test_errors_are_named_with_the_hosts_words(answer: Answer, section: str, status: str, words: str) -> None:
    found = answer.sections[section]
    assert (found.status, words in found.reason) == (status, True), found.reason
    assert "\n" not in found.reason


def test_a_section_that_hangs_is_given_up_and_the_others_arrive_complete(answer: Answer) -> None:
    assert answer.complete
    assert list(answer.sections) == list(SECTIONS)
    assert answer.sections["loop"].rows == [{"id": "before"}]
    assert 0.5 < answer.sections["loop"].seconds < 6
    assert answer.sections["gaps"].status == "partial"
    assert len(answer.sections["gaps"].gaps) == 1001


def test_a_section_whose_rows_are_whole_is_partial_at_its_deadline(answer: Answer) -> None:
    late = answer.sections["late"]
    assert (late.status, late.rows, [gap.field for gap in late.gaps]) == ("partial", [{"id": "whole"}], ["boot_time"])


def test_sections_do_not_see_each_other(answer: Answer) -> None:
    assert answer.sections["own"].rows == [{"id": 7}]
    assert answer.sections["clean"].status == "ok"


def test_the_deadline_of_the_host_ends_everything(bin_folder: Path) -> None:
    request = ProbeRequest(section_deadline_seconds=60, host_deadline_seconds=3, answer_limit_bytes=1000)
    sections: dict[str, Any] = {"big": "Add-Row @{ id = 'x' * 5000 }\n", "loop": "while ($true) { }\n", "last": "Add-Row @{ id = 1 }\n"}
    start = time.monotonic()
    found = engine.run(bin_folder, assemble(request, sections), seconds=30)
    assert time.monotonic() - start < 15
    assert found.complete
    assert [(name, section.status) for name, section in found.sections.items()] == [
        ("big", "failed"),
        ("loop", "timed_out"),
        ("last", "timed_out"),
    ]
    assert "whole host" in found.sections["last"].reason


def test_a_host_without_registry_wmi_and_logs_still_answers_every_section(bin_folder: Path) -> None:
    found = engine.run(bin_folder, build_bundle(ProbeRequest(security_keys=("SOFTWARE\\X",), security_files=("C:\\x.txt",))))
    assert found.complete
    assert set(found.sections) == set(ProbeRequest().sections)
    assert all(section.status != "ok" and (section.reason or section.gaps) and not section.rows for section in found.sections.values())


MEASURED = """
import resource, sys
from auditor.probes.bundle import ProbeRequest, assemble
from tests.edges import engine
rows = "$text = 'copy d: e: ' * 4000\\nfor ($i = 0; $i -lt %s; $i++) { Add-Row @{ id = $text + $i } }" % sys.argv[1]
found = engine.run(engine.folder(), assemble(ProbeRequest(section_deadline_seconds=60), {"rows": rows}))
assert len(found.sections["rows"].rows) == int(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)
"""


def _peak_megabytes(rows: int) -> int:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(rows)], capture_output=True, text=True, check=True, timeout=90, cwd=engine.ROOT
    )
    return int(done.stdout)


def test_an_answer_takes_little_more_memory_than_its_texts(bin_folder: Path) -> None:
    """A shell of WinRM 2.0 has 150 MB: 4 MB of answer took 200 MB while its bytes went through the pipeline one by one."""
    assert bin_folder
    assert _peak_megabytes(100) - _peak_megabytes(1) < 100
