"""The incident's end, and a modern case: finding, plan, check, apply, fixed, with the shipped rules and playbooks over real WinRM.

What the plan misses is what no public source confirms; it is set here as an operator would, by the names that the playbook declares.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from auditor.matrix.remedies import load_remedies
from tests.lab.conftest import own_digest
from tests.lab.remediate_world import World, require_collections, world

pytestmark = [pytest.mark.lab, pytest.mark.slow]
RULE = "symantec-server-updates-older-server-beside-rapdrv"
CONVERT, PASSIVE = "convert_server_to_managed_client", "set_defender_mode"
INCIDENT = """\
title: the two servers of the incident
extends: incident
remove: [dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]
"""
OPERATOR: dict[str, str] = {
    "client_package": "\\\\FILE1\\install\\SAVCE903\\Symantec AntiVirus.msi",
    "client_properties": "NETWORKTYPE=1 SERVERNAME=SRVA",
    "client_not_newer_than_parent": "yes",
    "console": "moved_before",
    "managed_parent": "SRVA",
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


def _from_finding_to_fixed(running: World, rule: str, *words: str) -> None:
    planned = _planned(running, "--rule", rule, *words)
    plan = planned["plan"]
    hosts = sorted({host["host"] for action in plan["actions"] for host in action["hosts"]})
    before = running.digests(hosts)
    checked = running.check()
    assert checked.code in (0, 3), checked.err + checked.out
    assert running.digests(hosts) == before, "check mode changed a host"
    applied = running.apply(planned["digest"], len(hosts))
    record = applied.document["record"]
    assert [verdict["verdict"] for verdict in record["verdicts"]] == ["fixed"] * len(plan["findings"]), applied.out
    assert applied.code in (0, 3)
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
    _require(PASSIVE)
    require_collections()
    fleet = "title: a modern fleet\nextends: modern\n"
    with world(tmp_path, fleet, own_digest, playbooks=None, rule=None) as running:
        report = running.audit().document
        rules = {f["rule"] for f in report["findings"] if f["remedy"] == PASSIVE}
        assert rules, "the modern fleet has no finding whose remedy sets Defender's mode"
        _from_finding_to_fixed(running, sorted(rules)[0])
