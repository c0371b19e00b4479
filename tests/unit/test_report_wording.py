"""Words of reports: what a sentence may capitalise, and why a host was seen in part."""

from __future__ import annotations

import pytest

from auditor.model.finding import HostCoverage, SectionCoverage
from auditor.report.table import coverage_table
from auditor.report.wording import sentence, why_in_part


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("the host is gone", "The host is gone"),
        ("hosts/site.yml: no such file", "hosts/site.yml: no such file"),
        ("site.yml: no such file", "site.yml: no such file"),
        ("ansible_port: expected a number", "ansible_port: expected a number"),
        (r"c:\x is not there", r"c:\x is not there"),
        ("wait: it hangs", "Wait: it hangs"),
        ("", ""),
    ],
)
def test_a_sentence_begins_with_a_capital_unless_with_a_name(text: str, said: str) -> None:
    assert sentence(text) == said


def test_why_the_wmi_way_was_taken_shows_beside_the_sections() -> None:
    unseen = SectionCoverage(name="tasks", status="unsupported", reason="WMI reads no files", records=0, gaps=0)
    reason = "asked over WMI, for the host has no PowerShell; not seen as a whole: tasks"
    host = HostCoverage(host="h", status="partial", reason=reason, sections=(unseen,))
    assert why_in_part(host) == "asked over WMI, for the host has no PowerShell"
    assert "Asked over WMI, for the host has no PowerShell" in coverage_table([host])
    assert why_in_part(HostCoverage(host="h", status="partial", reason="not seen as a whole: tasks", sections=(unseen,))) == ""
