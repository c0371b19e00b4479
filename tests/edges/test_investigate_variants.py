"""The founding incident and variants of it: told only that A restarted, the first answer is what a good engineer would say."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from auditor.lab.fleet import SHIPPED, Fleet, load_fleet
from auditor.model.hypothesis import SIGNS, Hypothesis, Investigation
from tests.edges.lab_cases import answered, incident_text, variant

VARIANTS: dict[str, tuple[str, str]] = {
    "changed driver": (
        """\
        patch:
          srv-a:
            drivers:
              RapDrv: {file: {linked: 0x42a1b2c3, size: 70144, modified: -3d 02:11:00}}
        """,
        "modified-driver",
    ),
    "driver written anew under its old build": (
        """\
        patch:
          srv-a:
            drivers:
              RapDrv: {file: {size: 70144, modified: -3d 02:11:00}}
        """,
        "modified-driver",
    ),
    "disk errors on the page-file volume": (
        """\
        patch:
          srv-a:
            events:
              disk-1: {source: disk, id: 7, level: error, time: -1d 18:41:07, strings: ['\\Device\\Harddisk0\\DR0']}
              disk-2: {source: disk, id: 51, level: warning, time: -1d 18:58:12, strings: ['\\Device\\Harddisk0\\DR0']}
        """,
        "disk-page-file",
    ),
    "one disk error on the page-file volume": (
        """\
        patch:
          srv-a:
            events:
              disk-1: {source: disk, id: 7, level: error, time: -1d 18:41:07, strings: ['\\Device\\Harddisk0\\DR0']}
        """,
        "disk-page-file",
    ),
    "a damaged volume with the page file": (
        """\
        patch:
          srv-a:
            events:
              ntfs: {source: Ntfs, id: 55, level: error, time: -1d 18:50:00, strings: ['', 'C:']}
        """,
        "disk-page-file",
    ),
    "a driver of known malware one folder above the drivers": (
        """\
        patch:
          srv-a:
            files:
              C:\\WINDOWS\\system32\\vdnt32.sys: {size: 8192, modified: -4d 02:00:00}
        """,
        "malware-attack",
    ),
    "attack entries in the intrusion log": (
        """\
        patch:
          srv-a:
            files:
              C:\\Program Files\\ISS\\BlackICE\\attack-list.csv:
                text: |
                  Severity, timestamp (GMT), issueId, issueName, intruderIp, intruderName, victimIp, victimName, parameters, count
                  87, {{-1d 11:01:02|%Y-%m-%d %H:%M:%S}}, 2003105, SMB overflow, 203.0.113.9, -, 192.168.10.11, SRVA, port=445, 1
                  87, {{-1d 11:02:40|%Y-%m-%d %H:%M:%S}}, 2003105, SMB overflow, 203.0.113.9, -, 192.168.10.11, SRVA, port=445, 3
        """,
        "malware-attack",
    ),
    "an indicator of malware": (
        """\
        patch:
          srv-a:
            services:
              vdmt16: {display: vdmt16, image: 'C:\\WINDOWS\\system32\\vdmt16.exe', start: auto, state: running}
        """,
        "malware-attack",
    ),
    "a copy job that overwrites program files": (
        """\
        patch:
          srv-b:
            files:
              D:\\Jobs\\push-profiles.bat:
                text: |
                  @echo off
                  robocopy D:\\Deploy\\Tools "\\\\SRVA\\c$\\Program Files\\Tools" /MIR /R:1 /W:1 /NP
        """,
        "scheduled-service",
    ),
}


def without_symantec_on_b(folder: Path) -> Fleet:
    """The fleet in which B never had a Symantec product; everything else of it is as it was."""
    whole = yaml.safe_load((SHIPPED / "incident.yml").read_text(encoding="utf-8"))
    host = whole["hosts"]["srv-b"]
    host["base"] = [name for name in host["base"] if "symantec" not in name]
    host["registry"] = {key: value for key, value in host["registry"].items() if "INTEL" not in key}
    for part in ("programs", "services", "drivers"):
        host[part] = {key: value for key, value in host[part].items() if "symantec" not in str(value).casefold()}
    host["events"] = {key: value for key, value in host["events"].items() if not key.startswith("sav")}
    path = folder / "bare.yml"
    path.write_text(
        yaml.safe_dump({"title": "bare", "extends": "incident", "remove": ["srv-b"], "hosts": {"srv-b": host}}), encoding="utf-8"
    )
    return load_fleet(path)


@pytest.fixture(scope="module")
def founding() -> Investigation:
    return answered(load_fleet("incident"), crash=incident_text())


def _one(answers: tuple[Hypothesis, ...], name: str) -> Hypothesis:
    return next(answer for answer in answers if answer.id == name)


def test_what_fell_is_the_drivers_null_write_and_confirmed(founding: Investigation) -> None:
    first = founding.proximate[0]
    assert (first.id, first.subject, first.confidence) == ("driver-fault", "RapDrv.sys", "confirmed")
    assert "RapDrv.sys+0x9785: a write through a null pointer" in first.title
    assert {line.sign for line in first.speaks_for} >= {"fault_in_driver", "null_pointer", "driver_is_dumped_one"}


def test_what_pushed_is_the_conflict_across_hosts_and_suspected(founding: Investigation) -> None:
    first = founding.trigger[0]
    assert (first.id, first.confidence) == ("security-conflict-fleet", "suspected")
    assert first.subject == "srv-a, srv-b"
    assert "the rule behind its strongest line is suspected" in first.limits
    rules = {finding.id: finding.rule for finding in founding.findings}
    assert "symantec-server-updates-older-server-beside-rapdrv" in {rules[id_] for id_ in first.findings}


@pytest.mark.parametrize(
    ("name", "speaks_for", "against"),
    [
        ("memory-hardware", set(), {"first_restart", "hardware_events"}),
        ("disk-page-file", set(), {"disk_check_clean", "disk_errors"}),
        ("scheduled-service", {"copy_job_due", "near_full_hour", "logon_shortly_before"}, {"copy_job_writes_programs"}),
        ("malware-attack", set(), {"malware_indicator", "attack_entries", "driver_is_dumped_one"}),
    ],
)
def test_the_articles_other_hypotheses_stand_below_with_its_evidence(
    founding: Investigation, name: str, speaks_for: set[str], against: set[str]
) -> None:
    answer = _one(founding.trigger, name)
    assert founding.trigger.index(answer) > 0
    assert {line.sign for line in answer.speaks_for} >= speaks_for
    assert {line.sign for line in answer.against} >= against


def test_every_sign_is_looked_for_and_no_other(founding: Investigation) -> None:
    assert tuple(sign.id for sign in founding.signs) == SIGNS


def test_every_line_leads_to_host_section_and_record(founding: Investigation) -> None:
    lines = [line for answer in (*founding.proximate, *founding.trigger) for line in (*answer.speaks_for, *answer.against)]
    assert lines
    for line in lines:
        assert line.evidence, line
        assert all(item.host and item.section and item.record for item in line.evidence)


def test_moment_and_timeline_are_on_one_clock(founding: Investigation) -> None:
    assert founding.moment is not None
    assert founding.moment.source == "event_text"
    assert founding.moment.local is not None
    assert founding.moment.local.endswith("19:03:12")
    texts = [entry.text for entry in founding.timeline]
    assert any("fell: stop code 0x8e" in text for text in texts)
    assert any(entry.host == "srv-b" and entry.lane == "security" for entry in founding.timeline)
    times = [entry.time for entry in founding.timeline]
    assert times == sorted(times)


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_change_the_first_answer(name: str, tmp_path: Path) -> None:
    text, expected = VARIANTS[name]
    found = answered(variant(tmp_path, text), crash=incident_text())
    ranking = [(answer.id, answer.score, answer.confidence) for answer in found.trigger[:4]]
    assert found.trigger[0].id == expected, ranking
    assert found.proximate[0].id == "driver-fault"


def test_without_symantec_on_b_the_conflict_across_hosts_is_gone(tmp_path: Path) -> None:
    found = answered(without_symantec_on_b(tmp_path), crash=incident_text())
    assert _one(found.trigger, "security-conflict-fleet").confidence is None
    assert found.trigger[0].id == "scheduled-service", [(answer.id, answer.score) for answer in found.trigger]
    assert found.proximate[0].confidence == "confirmed"


def test_without_the_hosts_inventory_the_confidence_falls() -> None:
    found = answered(load_fleet("incident"), crash=incident_text(), hosts=())
    assert (found.proximate[0].id, found.proximate[0].confidence) == ("driver-fault", "probable")
    assert found.trigger[0].confidence == "suspected"


def test_the_hosts_own_dump_tells_the_same(founding: Investigation) -> None:
    found = answered(load_fleet("incident"), crash=None)
    assert found.crash is not None
    assert found.crash_from.startswith("dumpbytes: C:\\WINDOWS\\Minidump\\Mini")
    assert found.moment is not None
    assert found.moment.source == "dump"
    first = found.proximate[0]
    assert (first.id, first.subject, first.confidence) == ("driver-fault", "RapDrv.sys", "confirmed")
    assert first.title == founding.proximate[0].title
    assert [(a.id, a.confidence) for a in found.trigger[:2]] == [(a.id, a.confidence) for a in founding.trigger[:2]]


def test_without_a_dump_nothing_is_confirmed(tmp_path: Path) -> None:
    fleet = variant(
        tmp_path,
        """\
        patch:
          srv-a:
            files:
              'C:\\WINDOWS\\Minidump\\Mini{{-1d|%m%d%y}}-01.dmp': null
        """,
    )
    found = answered(fleet, crash=None)
    assert found.crash is None
    assert found.moment is not None
    assert found.moment.source == "event_text"
    assert {answer.confidence for answer in found.proximate if answer.id != "unknown"} == {None}
    assert all(answer.confidence != "confirmed" for answer in found.trigger)
