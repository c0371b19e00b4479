"""A finding's chain of evidence: every statement leads to a stored record, or says why it does not."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from auditor.model.finding import Finding, Report
from auditor.model.host import (
    DriverRecord,
    EventReading,
    LogonReading,
    Section,
    Sections,
    SecurityRecord,
    ServiceReading,
    ServiceRecord,
    Snapshot,
    SystemRecord,
    TaskRecord,
)
from auditor.report.chain import find_record, follow, hosts_in
from auditor.report.explanation import explanation

SAMPLE = Path(__file__).parents[1] / "samples" / "report_incident.json"
KEY = "HKLM\\SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion"


def _finding() -> Finding:
    return msgspec.json.decode(SAMPLE.read_bytes(), type=Report).findings[0]


def _snapshot(host: str) -> Snapshot:
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(version="5.2.3790"),)),
        drivers=Section(status="ok", records=(DriverRecord(name="RapDrv", link_timestamp=1067039823, path="C:\\x\\RapDrv.sys"),)),
        security=Section(status="partial", records=(SecurityRecord(kind="registry", path=KEY, name="ProductVersion", data="9.0"),)),
        services=Section(status="ok", records=(ServiceRecord(name="Rtvscan"),), readings=(ServiceReading(name="Rtvscan", pid=1300),)),
        tasks=Section(status="ok", records=(TaskRecord(path="\\Jobs\\Copy to A", source_format="xml", text="<Task/>"),)),
        events=Section(
            status="ok", readings=(EventReading(log="System", source="EventLog", id=6008, record=77, time="2026-11-25T11:03:00Z"),)
        ),
        logons=Section(status="ok", readings=(LogonReading(time="2026-11-25T11:02:41Z", workstation="SRVB"),)),
    )
    return Snapshot(host=host, collected_at="2026-11-26T01:00:00Z", collector="auditor", transport="test", sections=sections)


@pytest.mark.parametrize(
    ("section", "key", "field", "value"),
    [
        ("drivers", "rapdrv", "link_timestamp", 1067039823),
        ("drivers", "C:\\X\\RapDrv.sys", "name", "RapDrv"),
        ("security", f"{KEY}\\ProductVersion", "data", "9.0"),
        ("tasks", "\\Jobs\\Copy to A", "text", "<Task/>"),
        ("tasks", "Copy to A", "source_format", "xml"),
        ("events", "System/77", "id", 6008),
        ("logons", "2026-11-25T11:02:41Z", "workstation", "SRVB"),
        ("system", "system", "version", "5.2.3790"),
        ("services", "Rtvscan", "pid", 1300),
    ],
)
def test_a_key_of_evidence_finds_its_record(section: str, key: str, field: str, value: object) -> None:
    found = find_record(section, getattr(_snapshot("SRVA").sections, section), key)
    assert found is not None
    assert found[field] == value


def test_a_key_without_a_record_finds_none() -> None:
    assert find_record("drivers", _snapshot("SRVA").sections.drivers, "SAVRT") is None


def test_statements_about_one_record_make_one_link() -> None:
    chain = follow(_finding(), {"SRVA": _snapshot("SRVA")})
    driver = [link for link in chain.links if link.section == "drivers"]
    assert len(driver) == 1
    assert len(driver[0].statements) == 3
    assert driver[0].fields is not None


def test_what_cannot_be_followed_says_why() -> None:
    base = _snapshot("SRVA")
    denied = msgspec.structs.replace(base.sections, security=Section(status="denied", reason="access denied"))
    chain = follow(_finding(), {"SRVA": msgspec.structs.replace(base, sections=denied)})
    links = [*chain.links, *(link for tie in chain.edges for link in tie.links)]
    notes = {(link.host, link.section): link.note for link in links}
    assert "no snapshot" in notes["SRVB", "security"]
    assert "not in the stored section (access denied)" in notes["SRVA", "security"]


def test_the_hosts_of_a_chain_are_subjects_and_witnesses() -> None:
    assert hosts_in(_finding()) == ["SRVA", "SRVB"]


def test_the_explanation_shows_rule_record_ties_and_sources() -> None:
    text = explanation(follow(_finding(), {"SRVA": _snapshot("SRVA"), "SRVB": _snapshot("SRVB")}))
    for words in (
        "suspected",
        "target = SRVA",
        "Mechanism",
        "the founding incident",
        "* link_timestamp",
        "1067039823",
        "TIES",
        "as SRVB states",
    ):
        assert words in text
    assert max(map(len, text.splitlines())) <= 140


def test_what_is_missing_is_told_for_an_undetermined_check() -> None:
    finding = msgspec.json.decode(SAMPLE.read_bytes(), type=Report).undetermined[0]
    text = explanation(follow(finding, {}))
    assert text.startswith("undetermined ")
    assert "access denied" in text


def test_a_hostile_record_is_shown_as_escapes() -> None:
    driver = DriverRecord(name="RapDrv", company="\x1b]8;;http://evil\x07\u202e", description="two\nlines")
    base = _snapshot("SRVA")
    sections = msgspec.structs.replace(base.sections, drivers=Section(status="ok", records=(driver,)))
    text = explanation(follow(_finding(), {"SRVA": msgspec.structs.replace(base, sections=sections)}))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "two\\nlines" in text
