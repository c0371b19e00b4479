"""Rules that name a remedy, on hosts that break them: the plan lacks no value, and in check mode the play would change the host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from auditor.lab.state import differences, state_of
from tests.lab.conftest import own_digest
from tests.lab.remediate_world import World, world
from tests.windows_collections import require_collections

pytestmark = [pytest.mark.lab, pytest.mark.slow]
FLEET = """\
title: hosts that break rules whose remedy sets something
hosts:
  roles-19:
    base: windows-2019
    system: {product_type: domain_controller}
    network: {computer_name: ROLES19}
    registry:
      HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\Exclusions: {DisableAutoExclusions: 1}
      HKLM\\SOFTWARE\\Microsoft\\Microsoft SQL Server\\Instance Names\\SQL: {MSSQLSERVER: MSSQL16.MSSQLSERVER}
    features: {DHCP: DHCP Server, DNS: DNS Server, Web-Server: Web Server (IIS), Hyper-V: Hyper-V, Failover-Clustering: Failover Clustering}
    services:
      MSSQLSERVER: {image: 'C:\\Sql\\sqlservr.exe -sMSSQLSERVER', start: auto, state: running}
      DHCPServer: {image: 'C:\\Windows\\system32\\svchost.exe -k DHCPServer', start: auto, state: running}
      DNS: {image: 'C:\\Windows\\system32\\dns.exe', start: auto, state: running}
      W3SVC: {image: 'C:\\Windows\\system32\\svchost.exe -k iissvcs', start: auto, state: running}
      vmms: {image: 'C:\\Windows\\system32\\vmms.exe', start: auto, state: running}
      ClusSvc: {image: 'C:\\Windows\\Cluster\\clussvc.exe', start: auto, state: running}
      DFSR: {image: 'C:\\Windows\\system32\\DFSRs.exe', start: auto, state: running}
    defender: {paths: ['D:\\']}
  sensor-19:
    base: windows-2019
    network: {computer_name: SENSOR19}
    registry: {'HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status': {OnboardingState: 1}}
  filter-19:
    base: windows-2019
    network: {computer_name: FILTER19}
    drivers: {AcmeFlt: {start: system, type: file_system, group: FSFilter Activity Monitor, state: stopped, file: missing}}
  shield-19:
    base: windows-2019
    network: {computer_name: SHIELD19}
    services: {McShield: {image: 'C:\\McAfee\\mcshield.exe', start: disabled}}
    drivers: {mfehidk: {start: system, type: file_system, group: FSFilter Anti-Virus}}
"""
ROLES = ("cluster-node", "dhcp-server", "dns-server", "domain-controller", "hyper-v-host", "replicated-folders", "sql-server", "web-server")
BROKEN = {
    "roles-19": (
        "set_exclusions",
        {"exclusion-leaves-a-drive-or-programs-unscanned", *(f"exclusions-missing-on-{role}" for role in ROLES)},
    ),
    "sensor-19": ("set_service", {"onboarded-sensor-does-not-run"}),
    "filter-19": ("block_driver", {"filter-driver-without-its-file"}),
    "shield-19": ("block_driver", {"disabled-antivirus-service-with-loaded-filter"}),
}
"""Host -> the remedy, and the rules that it breaks and that name this remedy."""


def test_findings_lead_to_plays_that_would_change_their_host(tmp_path: Path) -> None:
    require_collections()
    with world(tmp_path, FLEET, own_digest, playbooks=None, rule=None) as running:
        report = running.audit().document
        for host, (remedy, rules) in BROKEN.items():
            found = {f["rule"] for f in report["findings"] if f["remedy"] == remedy and f["subjects"][0]["host"] == host}
            assert found == rules, host
        plan = _planned(running)
        assert {h["host"]: action["remedy"] for action in plan["actions"] for h in action["hosts"]} == {
            host: remedy for host, (remedy, _) in BROKEN.items()
        }
        assert [text for action in plan["actions"] for h in action["hosts"] for text in h["missing"]] == []
        before = {name: state_of(machine) for name, machine in running.lab.machines.items()}
        checked = running.check()
        assert checked.code == 0, checked.err + checked.out
        assert {h["host"]: h["outcome"] for h in checked.document["hosts"]} == dict.fromkeys(BROKEN, "would_change")
        changed = [line for name, machine in running.lab.machines.items() for line in differences(before[name], state_of(machine))]
        assert changed == [], "check mode changed a host"
        _exclusions_cure_every_role(running)


def _exclusions_cure_every_role(running: World) -> None:
    rules = BROKEN["roles-19"][1]
    planned = running.plan(*(word for rule in sorted(rules) for word in ("--rule", rule)))
    record = running.apply(planned.document["digest"], 1).document["record"]
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["fixed"] * len(rules), record


def _planned(running: World) -> dict[str, Any]:
    rules = sorted({rule for _, names in BROKEN.values() for rule in names})
    told = running.plan(*(word for rule in rules for word in ("--rule", rule)), "--allow-restart")
    assert told.code == 0, told.err
    plan: dict[str, Any] = told.document["plan"]
    return plan
