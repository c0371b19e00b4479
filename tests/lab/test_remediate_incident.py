"""The incident's end, and a modern case: finding, plan, check, apply, fixed, with the shipped rules and playbooks over real WinRM.

What the plan misses is what no public source confirms; it is set here as an operator would, by the names that the playbook declares.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from auditor.lab.state import state_of
from auditor.matrix.remedies import load_remedies
from tests.lab.conftest import own_digest
from tests.lab.remediate_world import World, world
from tests.windows_collections import require_collections

pytestmark = [pytest.mark.lab, pytest.mark.slow]
RULE = "symantec-server-updates-older-server-beside-rapdrv"
CONVERT, PASSIVE = "convert_server_to_managed_client", "set_defender_mode"
INCIDENT = """\
title: the two servers of the incident
extends: incident
remove: [dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]
"""
MODERN = """\
title: a modern fleet, its host with two scanners onboarded to Defender for Endpoint
extends: modern
remove: [app-16, web-19, sql-22, hv-25, file-19]
patch:
  av-19:
    registry: {'HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status': {OnboardingState: 1}}
    services: {Sense: {start: auto, state: running}}
"""
WIDE = """\
title: a database server with an exclusion that leaves a drive unscanned
extends: modern
remove: [app-16, web-19, edr-22, av-19, hv-25, file-19]
patch:
  sql-22: {defender: {paths: ['E:\\SQLData', 'E:\\']}}
"""
UNSCANNED = "exclusion-leaves-a-drive-or-programs-unscanned"
UNMANAGED = """\
title: a server whose Endpoint Protection nobody manages
hosts:
  sep-19:
    base: windows-2019
    network: {computer_name: SEP19}
    programs: {SEP: {name: Symantec Endpoint Protection, version: 14.3.3384.1000, publisher: Symantec Corporation}}
    services: {SepMasterService: {image: 'C:\\Program Files (x86)\\Symantec\\SEP\\ccSvcHst.exe', start: auto, state: running}}
    registry: {'HKLM\\SOFTWARE\\Wow6432Node\\Symantec\\Symantec Endpoint Protection\\SMC': {ProductVersion: 14.3.3384.1000}}
    defender: {mode: Passive Mode, enabled: false, real_time: false}
    files:
      'C:\\Program Files (x86)\\Symantec\\SEP\\Smc.exe': {seed: smc, size: 4096}
      'C:\\Install\\SyLink.xml': {text: '<ServerPriorityBlock Name="List1"><Server Address="SEPM1"/></ServerPriorityBlock>'}
    commands:
      smc:
        path: 'C:\\Program Files (x86)\\Symantec\\SEP\\Smc.exe'
        commands:
          stop: {arguments: [-stop], services: {SepMasterService: stopped}}
          import:
            arguments: [-importsylink, '{file}']
            from_file:
              Address:
                key: 'HKLM\\SOFTWARE\\Wow6432Node\\Symantec\\Symantec Endpoint Protection\\SMC\\SYLINK\\SyLink'
                value: CommunicationStatus
                written: 'Connected: {}'
          start: {arguments: [-start], services: {SepMasterService: running}}
"""
SMC = "C:\\Program Files (x86)\\Symantec\\SEP\\Smc.exe"
ALONE = "endpoint-protection-client-without-manager"
BESIDE = "defender-active-beside-third-party-antivirus-on-server"
OPERATOR: dict[str, str] = {
    "client_package": "\\\\FILE1\\install\\SAVCE903\\Symantec AntiVirus.msi",
    "client_properties": "NETWORKTYPE=1 SERVERNAME=SRVA",
    "client_not_newer_than_parent": "yes",
    "console": "moved_before",
    "managed_parent": "SRVA",
    "parent": "SEPM1",
    "parent_file": "C:\\Install\\SyLink.xml",
}
"""What a person of that fleet would set."""


def _require(playbook: str) -> None:
    if playbook not in load_remedies():
        pytest.skip(f"the playbook {playbook} is not shipped yet")


def _planned(running: World, *words: str) -> dict[str, Any]:
    """The plan, made again with what it missed."""
    first = running.plan(*words)
    assert first.code in (0, 3), first.err
    missing = [(h["host"], text.partition(":")[0]) for a in first.document["plan"]["actions"] for h in a["hosts"] for text in h["missing"]]
    unknown = [name for _, name in missing if name not in OPERATOR]
    assert not unknown, f"the plan misses values that this test does not know: {unknown}"
    told = running.plan(*words, *(word for host, name in missing for word in ("--set", f"{host}:{name}={OPERATOR[name]}")))
    document: dict[str, Any] = told.document
    assert not [text for a in document["plan"]["actions"] for h in a["hosts"] for text in h["missing"]]
    return document


def _states(running: World) -> dict[str, dict[str, str]]:
    """Everything that lasts on every host of the lab, audited or not."""
    return {name: state_of(machine) for name, machine in running.lab.machines.items()}


def _from_finding_to_fixed(running: World, rule: str, *words: str) -> None:
    planned = _planned(running, "--rule", rule, *words)
    plan = planned["plan"]
    hosts = sorted({host["host"] for action in plan["actions"] for host in action["hosts"]})
    before, states = running.digests(hosts), _states(running)
    checked = running.check()
    assert checked.code in (0, 3), checked.err + checked.out
    assert running.digests(hosts) == before, "check mode changed a host"
    assert _states(running) == states, "check mode changed what no audit reads"
    applied = running.apply(planned["digest"], len(hosts))
    record = applied.document["record"]
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["fixed"] * len(plan["findings"]), applied.out
    assert applied.code in (0, 3), applied.err + applied.out
    report = running.audit().document
    assert rule not in {finding["rule"] for finding in report["findings"]}
    again = running.plan("--rule", rule, *words)
    assert (again.code, bool(re.search("no finding of the rule", " ".join(again.err.split())))) == (1, True)


def test_the_incident_goes_from_finding_to_fixed(tmp_path: Path) -> None:
    _require(CONVERT)
    require_collections()
    with world(tmp_path, INCIDENT, own_digest, playbooks=None, rule=None) as running:
        assert running.audit().code in (2, 4)
        plan = _planned(running, "--rule", RULE)["plan"]
        assert [(a["remedy"], [h["host"] for h in a["hosts"]]) for a in plan["actions"]] == [(CONVERT, ["srv-b"])]
        assert plan["actions"][0]["hosts"][0]["way"] != "modules", "Server 2003 has no PowerShell 5.1"
        assert plan["others"] == ["srv-a"]
        _from_finding_to_fixed(running, RULE, "--allow-restart")


def test_a_modern_server_goes_from_finding_to_fixed(tmp_path: Path) -> None:
    """Another antivirus beside an active Defender on an onboarded host: Defender becomes passive, with the restart that it needs."""
    _require(PASSIVE)
    require_collections()
    with world(tmp_path, MODERN, own_digest, playbooks=None, rule=None) as running:
        report = running.audit().document
        found = {(f["rule"], f["subjects"][0]["host"]) for f in report["findings"] if f["remedy"] == PASSIVE}
        assert found == {(BESIDE, "av-19")}, "the modern fleet has another finding than expected whose remedy sets Defender's mode"
        _from_finding_to_fixed(running, BESIDE, "--allow-restart")
        defender = running.lab.machines["av-19"].defender
        assert defender is not None
        assert defender.mode == "Passive Mode"


def test_an_exclusion_of_a_whole_drive_goes_by_the_evidence_of_its_finding(tmp_path: Path) -> None:
    require_collections()
    with world(tmp_path, WIDE, own_digest, playbooks=None, rule=None) as running:
        running.audit()
        _from_finding_to_fixed(running, UNSCANNED)
        defender = running.lab.machines["sql-22"].defender
        assert defender is not None
        assert (defender.paths, "mdf" in defender.extensions) == (("E:\\SQLData",), True), "narrow ones stay"


def test_an_unmanaged_client_on_a_modern_server_gets_its_manager(tmp_path: Path) -> None:
    """By the modules' way, whose steps are command lines here: smc.exe takes the file that a person has put on the host."""
    require_collections()
    with world(tmp_path, UNMANAGED, own_digest, playbooks=None, rule=None) as running:
        running.audit()
        _from_finding_to_fixed(running, ALONE, "--set", f"sep-19:smc_path={SMC}", "--set", "*:poll_seconds=1")


def test_a_server_that_is_not_onboarded_is_refused_with_the_reason(tmp_path: Path) -> None:
    require_collections()
    fleet = MODERN.partition("patch:")[0]
    with world(tmp_path, fleet, own_digest, playbooks=None, rule=None) as running:
        running.audit()
        before = _states(running)
        assert running.plan("--rule", BESIDE, "--allow-restart").code == 0
        checked = running.check()
        assert checked.code == 1
        (host,) = checked.document["hosts"]
        assert (host["host"], host["outcome"]) == ("av-19", "refused")
        assert "needs onboarding" in checked.out
        assert _states(running) == before
