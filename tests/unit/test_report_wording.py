"""Words of reports: what a sentence may capitalise, and why a host was seen in part."""

from __future__ import annotations

import pytest

from auditor.model.finding import Finding, HostCoverage, SectionCoverage, Subject
from auditor.model.rule import Severity
from auditor.report.table import coverage_table, findings_table
from auditor.report.wording import alike, sentence, why_in_part


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


def finding(rule: str, *hosts: str, severity: Severity = "medium") -> Finding:
    subjects = tuple(Subject(role=f"r{number}", host=host) for number, host in enumerate(hosts))
    own = f"{rule}-{'-'.join(hosts)}"
    return Finding(id=own, rule=rule, title=rule, verdict="violated", severity=severity, confidence="confirmed", subjects=subjects)


def test_findings_of_one_rule_on_several_hosts_stand_together_and_pairs_apart() -> None:
    groups = alike([finding("b", "y"), finding("a", "x"), finding("b", "x"), finding("p", "x", "y"), finding("p", "x", "z")])
    assert [[one.id for one in group] for group in groups] == [["a-x"], ["b-x", "b-y"], ["p-x-y"], ["p-x-z"]]
    assert [group[0].id for group in alike([finding("a", "x"), finding("a", "y", severity="high")])] == ["a-y", "a-x"]


def test_the_table_names_each_host_beside_its_own_id() -> None:
    many = tuple(finding("b", f"h{number:02}") for number in range(30))
    text = findings_table(many, 120)
    assert any("h03" in line and line.endswith("b-h03") for line in text.splitlines())
    assert "On 30 hosts." in text
    assert "and 10 more" in text
    assert "h25" not in text
