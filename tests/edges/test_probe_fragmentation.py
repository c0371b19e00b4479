"""Fragmentation as the probe's own script asks for it, on a real PowerShell engine; the volume's method is stood in for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.probes.bundle import ProbeRequest, build_bundle
from auditor.probes.framing import SectionAnswer
from tests.edges import engine

pytestmark = pytest.mark.engine
PAGE_FILES = [{"Name": "C:\\pagefile.sys"}, {"Name": "c:\\other.sys"}, {"Name": "D:\\pagefile.sys"}]
ANALYSIS = (
    "New-Object PSObject -Property @{ ReturnValue = $(CODE); DefragRecommended = $true; DefragAnalysis = "
    "(New-Object PSObject -Property @{ TotalPercentFragmentation = 43; FilePercentFragmentation = 61; TotalPageFileFragments = 12 }) }"
)


def ask(tmp_path: Path, method: str, seconds: int = 20) -> SectionAnswer:
    found = engine.folder()
    if found is None:
        pytest.skip(engine.NO_ENGINE)
    classes = {"Win32_PageFileUsage": PAGE_FILES, "Win32_Volume": [{"DriveLetter": "C:"}, {"DriveLetter": "D:"}]}
    (tmp_path / "wmi.json").write_text(json.dumps({"root\\cimv2": classes}), encoding="utf-8")
    request = ProbeRequest(sections=("fragmentation",), section_deadline_seconds=seconds)
    script = build_bundle(request).replace("return $volume.DefragAnalysis()", method)
    return engine.run(found, script, environment={"PSENGINE_WMI": str(tmp_path / "wmi.json")}).sections["fragmentation"]


def test_each_volume_of_a_page_file_is_analysed_once(tmp_path: Path) -> None:
    answer = ask(tmp_path, f"return {ANALYSIS.replace('$(CODE)', '0')}")
    assert (answer.status, answer.reason) == ("ok", "")
    assert [
        (row["volume"], row["percent"], row["file_percent"], row["page_file_fragments"], row["recommended"]) for row in answer.rows
    ] == [
        ("C:", 43, 61, 12, True),
        ("D:", 43, 61, 12, True),
    ]


def test_a_refusal_is_a_gap_with_its_reason(tmp_path: Path) -> None:
    answer = ask(tmp_path, f"return {ANALYSIS.replace('$(CODE)', '3')}")
    assert (answer.status, answer.rows) == ("partial", [])
    assert [(gap.record, gap.reason) for gap in answer.gaps] == [
        (drive, "Windows gives the code 3 for its analysis: the volume is marked dirty") for drive in ("C:", "D:")
    ]


def test_an_analysis_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    answer = ask(tmp_path, "while ($true) { }", seconds=2)
    assert answer.status == "timed_out"
    assert answer.reason == "given up after 2 s, waiting for the analysis of C:"
