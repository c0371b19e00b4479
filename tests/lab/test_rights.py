"""Each right that a section needs is taken from the account of a lab host: the section is then not ok, and nothing else suffers.

The table of rights (docs/rights.md) is held to these tests: every section of it is denied at least once on each way.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from auditor.model.host import HostResult, Section
from auditor.probes.bundle import SCRIPTED_SECTIONS, ProbeRequest
from auditor.probes.rights import RIGHTS
from tests.lab.collect_fleet import Running, running

pytestmark = pytest.mark.lab
Way = Literal["powershell", "wmi"]
UNINSTALL = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"
FIREWALL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
SQL = r"HKLM\SOFTWARE\Microsoft\Microsoft SQL Server"
SMALL: dict[str, Any] = {
    "system": {"caption": "Microsoft Windows Server 2022 Standard", "version": "10.0.20348"},
    "network": {"computer_name": "SMALL", "adapters": {"LAN": {"addresses": ["10.1.1.5"]}}},
    "memory": {"volumes": {"C:": {"size": 64000000000, "free": 32000000000}}, "page_files": {r"C:\pagefile.sys": {}}},
    "services": {"DFSR": {"image": "dfsrs.exe", "start": "auto", "state": "running"},
                 "Spooler": {"image": r"%SystemRoot%\System32\spoolsv.exe", "start": "auto", "state": "running"}},
    "drivers": {"disk": {"start": "boot"}, "luafv": {"type": "file_system", "instances": {"luafv": {"altitude": "135000"}}}},
    "programs": {"Agent": {"name": "Agent", "version": "9"}},
    "registry": {r"HKLM\SOFTWARE\Vendor\Agent": {"Version": "9"},
                 rf"{SQL}\Instance Names\SQL": {},
                 FIREWALL: {"\\DomainProfile": {"EnableFirewall": 1}},
                 r"HKLM\SYSTEM\CurrentControlSet\Control\CrashControl": {"CrashDumpEnabled": 7}},
    "files": {r"C:\Windows\Minidump\Mini010101-01.dmp": {"size": 65536}},
    "tasks": {r"\Nightly": {"command": r"C:\Windows\System32\cmd.exe"}},
    "updates": {"KB5000001": {}},
    "defender": {"paths": ["C:\\Data"]},
    "sessions": {"b": {"client": "10.1.1.6", "user": "x"}},
    "wmi": {"root\\microsoftdfs": {"DfsrReplicationGroupConfig": [], "DfsrConnectionConfig": [], "DfsrReplicatedFolderConfig": []}},
    "features": {"FileAndStorage-Services": "File and Storage Services"},
}  # fmt: skip
REQUEST = ProbeRequest(security_keys=(r"SOFTWARE\Vendor\*",))
DENIALS: dict[str, tuple[Way, dict[str, Any], dict[str, str]]] = {
    # name: way, what the account lacks, sections and the status that they then have
    "ps_wmi": ("powershell", {"denied": ["wmi"]}, {
        "system": "partial", "network": "partial", "memory": "denied", "shares": "denied", "updates": "denied", "roles": "denied",
        "sessions": "denied", "replication": "denied", "defender": "denied",
    }),
    "ps_firewall": ("powershell", {"denied_keys": [FIREWALL]}, {"firewall": "denied"}),
    "ps_jobs": ("powershell", {"denied_keys": [SQL]}, {"jobs": "denied"}),
    "ps_ordinary": ("powershell", {"elevated": False}, {
        "sessions": "denied", "defender": "partial",
        "memory": "partial", "services": "partial", "drivers": "partial", "filters": "partial", "security": "partial", "tasks": "partial",
        "scripts": "partial", "dumps": "partial", "logons": "denied",
    }),
    "ps_uninstall": ("powershell", {"denied_keys": [UNINSTALL]}, {"programs": "denied"}),
    "ps_program": ("powershell", {"denied_keys": [rf"{UNINSTALL}\Agent"]}, {"programs": "partial"}),
    "ps_system_log": ("powershell", {"denied": ["system_log"]}, {"events": "denied", "logons": "partial"}),
    "ps_application_log": ("powershell", {"denied": ["application_log"]}, {"events": "denied"}),
    "ps_security_log": ("powershell", {"denied": ["security_log"]}, {"logons": "denied"}),
    "ps_no_audit": ("powershell", {"audits_logons": False}, {"logons": "partial"}),
    "ps_tasks": ("powershell", {"denied": ["tasks"]}, {"tasks": "denied", "scripts": "failed"}),
    "ps_vendor": ("powershell", {"denied_keys": [r"HKLM\SOFTWARE\Vendor"]}, {"security": "partial"}),
    "ps_dumps": ("powershell", {"denied_files": [r"C:\Windows\Minidump"]}, {"dumps": "denied"}),
    "wmi_sessions": ("wmi", {"denied_classes": ["Win32_ServerSession"]}, {"sessions": "denied"}),
    "wmi_dfs": ("wmi", {"denied_classes": ["DfsrConnectionConfig"]}, {"replication": "denied"}),
    "wmi_defender": ("wmi", {"denied_classes": ["MSFT_MpComputerStatus"]}, {"defender": "denied"}),
    "wmi_preference": ("wmi", {"denied_classes": ["MSFT_MpPreference"]}, {"defender": "partial"}),
    "wmi_firewall": ("wmi", {"denied_keys": [FIREWALL]}, {"firewall": "denied"}),
    "wmi_jobs": ("wmi", {"denied_keys": [SQL]}, {"jobs": "denied"}),
    "wmi_ordinary": ("wmi", {"elevated": False}, {
        "sessions": "denied", "defender": "partial",
        "memory": "partial", "services": "partial", "drivers": "partial", "filters": "partial", "security": "partial", "dumps": "partial",
        "logons": "denied",
    }),
    "wmi_registry": ("wmi", {"denied_classes": ["StdRegProv"]}, {
        "system": "denied", "network": "denied", "programs": "denied", "services": "denied", "drivers": "denied", "filters": "denied",
        "firewall": "denied", "replication": "denied", "jobs": "denied", "defender": "denied",
        "security": "partial", "dumps": "denied", "roles": "denied", "memory": "denied", "logons": "denied",
    }),
    "wmi_computer": ("wmi", {"denied_classes": ["Win32_ComputerSystem"]}, {"system": "partial", "network": "partial", "memory": "denied"}),
    "wmi_adapters": ("wmi", {"denied_classes": ["Win32_NetworkAdapterConfiguration"]}, {"network": "partial"}),
    "wmi_disks": ("wmi", {"denied_classes": ["Win32_LogicalDisk"]}, {"memory": "denied", "dumps": "denied"}),
    "wmi_pages": ("wmi", {"denied_classes": ["Win32_PageFileUsage"]}, {"memory": "denied"}),
    "wmi_shares": ("wmi", {"denied_classes": ["Win32_Share"]}, {"shares": "denied"}),
    "wmi_updates": ("wmi", {"denied_classes": ["Win32_QuickFixEngineering"]}, {"updates": "denied"}),
    "wmi_roles": ("wmi", {"denied_classes": ["Win32_OptionalFeature"]}, {"roles": "denied"}),
    "wmi_services": ("wmi", {"denied_classes": ["Win32_Service"]}, {"services": "partial"}),
    "wmi_drivers": ("wmi", {"denied_classes": ["Win32_SystemDriver"]}, {"drivers": "partial"}),
    "wmi_files": ("wmi", {"denied_classes": ["CIM_DataFile"]}, {"dumps": "denied", "drivers": "denied"}),
    "wmi_program": ("wmi", {"denied_keys": [rf"{UNINSTALL}\Agent"]}, {"programs": "partial"}),
    "wmi_vendor": ("wmi", {"denied_keys": [r"HKLM\SOFTWARE\Vendor"]}, {"security": "partial"}),
    "wmi_dumps": ("wmi", {"denied_files": [r"C:\Windows\Minidump"]}, {"dumps": "partial"}),
    "wmi_events": ("wmi", {"denied_classes": ["Win32_NTLogEvent"]}, {"events": "denied", "logons": "denied"}),
    "wmi_system_log": ("wmi", {"denied": ["system_log"]}, {"events": "denied", "logons": "partial"}),
    "wmi_application_log": ("wmi", {"denied": ["application_log"]}, {"events": "denied"}),
    "wmi_security_log": ("wmi", {"denied": ["security_log"]}, {"logons": "denied"}),
    "wmi_no_audit": ("wmi", {"audits_logons": False}, {"logons": "partial"}),
}  # fmt: skip
NEVER = {"powershell": set(), "wmi": {"tasks", "scripts", "drivers", "jobs"}}
"""Sections that a way never shows in full."""


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, HostResult]]:
    hosts = {name: {**copy.deepcopy(SMALL), "access": access} for name, (_, access, _) in DENIALS.items()}
    hosts |= {f"{way}_all": copy.deepcopy(SMALL) for way in ("powershell", "wmi")}
    with running(hosts) as fleet:
        yield _collect(fleet)


def _collect(fleet: Running) -> dict[str, HostResult]:
    ways: dict[str, Way] = {name: way for name, (way, _, _) in DENIALS.items()} | {"powershell_all": "powershell", "wmi_all": "wmi"}
    targets = [msgspec.structs.replace(target, way=ways[target.name]) for target in fleet.inventory.targets]
    found = fleet.collect(targets=targets, request=REQUEST, seconds=120)
    assert fleet.violations() == ""
    return found


def section(results: dict[str, HostResult], host: str, name: str) -> Section[Any, Any]:
    snapshot = results[host].snapshot
    assert snapshot is not None, results[host]
    found: Section[Any, Any] = getattr(snapshot.sections, name)
    return found


@pytest.mark.parametrize("host", DENIALS)
def test_without_its_right_a_section_is_not_ok_and_says_why(results: dict[str, HostResult], host: str) -> None:
    way, _, expected = DENIALS[host]
    for name, status in expected.items():
        found = section(results, host, name)
        assert (name, found.status) == (name, status), found.reason
        assert found.reason
    untouched = set(SCRIPTED_SECTIONS) - set(expected) - NEVER[way]
    for name in untouched:
        assert (name, section(results, host, name).status) == (name, "ok"), section(results, host, name).reason


@pytest.mark.parametrize("way", ["powershell", "wmi"])
def test_with_all_rights_everything_that_the_way_shows_is_ok(results: dict[str, HostResult], way: str) -> None:
    for name in set(SCRIPTED_SECTIONS) - NEVER[way]:
        assert (name, section(results, f"{way}_all", name).status) == (name, "ok")
    for name in NEVER[way]:
        assert section(results, f"{way}_all", name).status in ("partial", "unsupported")


@pytest.mark.parametrize("way", ["powershell", "wmi"])
def test_every_section_of_the_table_is_denied_somewhere(way: str) -> None:
    denied = {name for one, _, expected in DENIALS.values() if one == way for name in expected}
    assert denied | NEVER[way] == set(RIGHTS) == set(SCRIPTED_SECTIONS)


def test_the_documentation_has_the_table() -> None:
    text = (Path(__file__).parents[2] / "docs" / "rights.md").read_text(encoding="utf-8")
    for name, right in RIGHTS.items():
        assert f"| {name} | {right.needs} | {right.without} | {right.give} |" in text
