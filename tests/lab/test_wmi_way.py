"""The WMI way over real WS-Management: chosen by itself or by the inventory, the same rows as the script's, nothing started on the host."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from auditor.collect.fleet import Limits
from auditor.model.host import HostResult, Section, Snapshot
from auditor.probes.bundle import ProbeRequest
from tests.lab.collect_fleet import Running, facts, running

pytestmark = pytest.mark.lab
REQUEST = ProbeRequest(
    security_keys=(r"SOFTWARE\Vendor\*", r"SYSTEM\CurrentControlSet\Control\Windows"),
    security_files=(r"%ProgramFiles%\Vendor\*.exe", r"%ProgramFiles%\Vendor\info.txt"),
)
VENDOR: dict[str, Any] = {
    "registry": {
        r"HKLM\SOFTWARE\Vendor\Agent": {"Version": "9.0.1", "Flags": 4294967295, "Home": {"expand": r"%SystemRoot%\x"}, "Empty": "",
                                         "List": ["a", "b"], "Key": {"binary": "00ff"}, "Big": {"qword": 5000000000}, "@": "default"},
        r"HKLM\SOFTWARE\Wow6432Node\Vendor\Old": {"Version": "1"},
    },
    "files": {
        r"C:\Program Files\Vendor\agent.exe": {"version": {"file": "9.0.1.400", "company": "Vendor"}},
        r"C:\Program Files\Vendor\info.txt": {"text": "hello"},
        r"C:\Windows\Minidump\Mini010101-01.dmp": {"size": 65536},
    },
    "events": {"restart": {"source": "EventLog", "id": 6008, "time": "-3h", "level": "error", "strings": ["a", "b"]},
               "service": {"source": "Service Control Manager", "id": 7036, "time": "-3h", "strings": ["x"]},
               "old": {"source": "disk", "id": 11, "time": "-3d", "level": "error"}},
    "logons": {"far": {"time": "-1h", "user": "copier", "workstation": "SRVB", "address": "10.1.1.2"}},
}  # fmt: skip
WAYS: dict[str, tuple[dict[str, Any], str]] = {
    # host: what is wrong with its PowerShell, what the result says of it
    "none": ({"system": {"powershell": "none"}}, "has no PowerShell"),
    "constrained": ({"system": {"language_mode": "ConstrainedLanguage"}}, "PowerShell in ConstrainedLanguage only"),
    "amsi": ({"system": {"blocked_by": "amsi"}}, "malware protection (AMSI) blocked"),
    "policy": ({"system": {"blocked_by": "application_control"}}, "application control"),
    "no_shell": ({"behaviour": {"fault": "access_denied", "at": "Create"}}, "denies it WinRM"),
    "stack11": ({"winrm_stack": "1.1"}, "without a command shell"),
    "legacy": ({"base": "windows-2003", "winrm_stack": "1.1"}, "without a command shell"),
}
SECTIONS_ALIKE = ("network", "memory", "programs", "services", "filters", "shares", "events", "logons", "updates", "roles")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Running]:
    hosts: dict[str, Any] = {}
    for name, (more, _) in WAYS.items():
        hosts[name] = facts(**{"base": "windows-2022", **more})
    for name, base in (("good", "windows-2022"), ("chosen", "windows-2022"), ("old_good", "windows-2003"), ("old_chosen", "windows-2003")):
        hosts[name] = facts(base, **copy.deepcopy(VENDOR))
    hosts["secure"] = facts("windows-2022", scheme="https", system={"powershell": "none"})
    with running(hosts) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def results(fleet: Running) -> dict[str, HostResult]:
    targets = [msgspec.structs.replace(t, way="wmi") if t.name in ("chosen", "old_chosen") else t for t in fleet.inventory.targets]
    limits = Limits(host_deadline_seconds=120, answer_bytes=32 * 1024 * 1024)
    found = fleet.collect(targets=targets, request=REQUEST, limits=limits)
    assert fleet.violations() == ""
    assert fleet.open_shells() == {}
    return found


def snapshot(results: dict[str, HostResult], name: str) -> Snapshot:
    found = results[name].snapshot
    assert found is not None, results[name]
    return found


@pytest.mark.parametrize("name", WAYS)
def test_a_host_without_usable_powershell_is_asked_over_wmi(results: dict[str, HostResult], name: str) -> None:
    result = results[name]
    assert result.status == "partial"
    assert "asked over WMI" in result.reason
    assert WAYS[name][1] in result.reason
    assert snapshot(results, name).transport == "wmi over http/ntlm"
    assert snapshot(results, name).sections.services.records


def test_https_and_the_inventorys_choice_are_said(results: dict[str, HostResult], fleet: Running) -> None:
    assert snapshot(results, "secure").transport == "wmi over https/ntlm"
    assert results["chosen"].reason.startswith("asked over WMI; not seen")
    for name in ("chosen", "old_chosen", "stack11"):
        assert "Command" not in fleet.lab.server.counts(name), "nothing is started on the host"
    assert "Create" not in fleet.lab.server.counts("chosen")
    assert fleet.lab.server.counts("none")["Command"] == 1, "a command that may have started is never sent twice"
    assert fleet.lab.server.counts("chosen")["Logon"] == 1, "one connection"


@pytest.mark.parametrize("section", SECTIONS_ALIKE)
@pytest.mark.parametrize(("powershell", "wmi"), [("good", "chosen"), ("old_good", "old_chosen")])
def test_both_ways_give_the_same_records(results: dict[str, HostResult], section: str, powershell: str, wmi: str) -> None:
    one: Section[Any, Any] = getattr(snapshot(results, powershell).sections, section)
    two: Section[Any, Any] = getattr(snapshot(results, wmi).sections, section)
    # The frame of a filter is told by fltmc alone.
    seen = [msgspec.structs.replace(record, frame=None) for record in one.records] if section == "filters" else list(one.records)
    assert list(two.records) == seen
    assert two.status == one.status, (two.reason, one.reason)
    if section in ("events", "logons"):
        moved = {"record"} if section == "events" else {"time"}
        plain = [[{k: v for k, v in msgspec.structs.asdict(r).items() if k not in moved} for r in s.readings] for s in (one, two)]
        assert [r for r in plain[1] if r.get("account") != "auditor"] == [r for r in plain[0] if r.get("account") != "auditor"]
        assert plain[1]


@pytest.mark.parametrize(("powershell", "wmi"), [("good", "chosen"), ("old_good", "old_chosen")])
def test_the_system_is_the_same_but_for_the_engine(results: dict[str, HostResult], powershell: str, wmi: str) -> None:
    one, two = (snapshot(results, name).sections.system for name in (powershell, wmi))
    assert two.status == "ok"
    assert msgspec.structs.replace(one.records[0], powershell_version=None) == two.records[0]
    assert two.readings[0].utc_offset_minutes == one.readings[0].utc_offset_minutes
    assert two.readings[0].boot_time == one.readings[0].boot_time
    for name in (powershell, wmi):
        skew = snapshot(results, name).clock.skew_seconds
        assert skew is not None
        assert abs(skew) < 5


@pytest.mark.parametrize(("powershell", "wmi"), [("good", "chosen"), ("old_good", "old_chosen")])
def test_drivers_lack_only_what_stands_in_their_files(results: dict[str, HostResult], powershell: str, wmi: str) -> None:
    one, two = (snapshot(results, name).sections.drivers for name in (powershell, wmi))
    unseen = ("product_version", "product", "description", "original_name", "link_timestamp", "machine", "checksum", "sha256",
              "signer", "signature")  # fmt: skip
    assert two.status == "partial"
    assert {gap.field for gap in two.gaps} >= set(unseen) - {"sha256"}
    cut = [msgspec.structs.replace(driver, **dict.fromkeys(unseen)) for driver in one.records]
    assert list(two.records) == cut
    assert all(driver.file_version for driver in two.records if driver.file_exists)


def test_values_and_files_of_security_products(results: dict[str, HostResult]) -> None:
    one, two = (snapshot(results, name).sections.security for name in ("good", "chosen"))
    values = [[r for r in s.records if r.kind == "registry"] for s in (one, two)]
    assert values[0] == values[1]
    assert len(values[1]) >= 9
    files = {r.path.lower(): r for r in two.records if r.kind == "file"}
    program = files[r"c:\program files\vendor\agent.exe"]
    assert (program.file_version, program.link_timestamp) == ("9.0.1.400", None)
    assert files[r"c:\program files\vendor\info.txt"].data is None
    assert {(gap.record.lower(), gap.field) for gap in two.gaps} >= {("", "link_timestamp"), (r"c:\program files\vendor\info.txt", "data")}


def test_what_wmi_can_not_see_is_unsupported_never_empty(results: dict[str, HostResult]) -> None:
    for name in ("chosen", "old_chosen", "none"):
        sections = snapshot(results, name).sections
        assert (sections.tasks.status, sections.scripts.status) == ("unsupported", "unsupported")
        assert sections.tasks.reason
        assert sections.scripts.reason


def test_dumps_and_coverage(results: dict[str, HostResult]) -> None:
    one, two = (snapshot(results, name) for name in ("good", "chosen"))
    assert [r.path.lower() for r in two.sections.dumps.records] == [r.path.lower() for r in one.sections.dumps.records]
    assert two.sections.dumps.status == "ok"
    assert {c.log: c.oldest for c in two.log_coverage if c.log != "Security"} == {
        c.log: c.oldest for c in one.log_coverage if c.log != "Security"
    }
