"""Take any one condition of the founding incident away from its fleet and the finding goes; hide it and the rule can't be decided."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.audit import check, request_for, run_of
from auditor.collect.fleet import Limits, collect_fleet
from auditor.inventory import load_inventory, resolve_credentials
from auditor.lab.serve import serve
from auditor.matrix import load_matrix
from auditor.model.finding import Finding, Report
from auditor.model.places import shipped
from auditor.model.rule import Matrix

pytestmark = pytest.mark.lab
RULE = "symantec-server-updates-older-server-beside-rapdrv"
OTHERS = "remove: [dc-1, print-1, file-1, web-1, sql-1, de-1, quiet-19, quiet-22]\n"
KEY = r"HKLM\SOFTWARE\INTEL\LANDesk\VirusProtect6\CurrentVersion"
SERVER = "'{848AA668-5F20-454C-A5B6-5D0F44B4D3E5}'"
NO_SERVER = (
    "    registry: {" + KEY + ": {Parent: ELSEWHERE, \\ClientConfig: null, \\DomainData: null}}\n"
    "    programs: {" + SERVER + ": {name: Symantec AntiVirus}}\n"
    "    services: {Intel PDS: null, Intel Alert Originator: null, Intel Alert Handler: null}\n"
    "    shares: {VPHOME: null, VPLOGON: null}\n"
)
A_LOGONS = "    logons: {from-b-0700: null, from-b-last: null}\n"
B_LOGONS = "    logons: {from-a-0700: null, from-a-last: null}\n"
A_GROUP = "    registry: {" + KEY + ": {\\DomainData: {DomainName: Other Servers}}}\n"
A_COPIES = "    tasks: {backup to srvb.job: null, fetch from srvb.job: null}\n"
B_COPIES = "    tasks: {push profiles.job: null, collect from srva.job: null}\n"

GONE = {
    "A is no server": "  srv-a:\n" + NO_SERVER,
    "B is no server": "  srv-b:\n" + NO_SERVER,
    "A and B have one major version": "  srv-b:\n    programs: {"
    + SERVER
    + ": {version: 9.0.3.1000}}\n    files: {C:\\Program Files\\Symantec AntiVirus\\Rtvscan.exe: {version: {file: 9.0.3.1000}}}\n",
    "A runs no RapDrv": "  srv-a:\n    drivers: {RapDrv: null}\n",
    "no tie between the two": "  srv-a:\n" + A_LOGONS + A_GROUP + A_COPIES + "  srv-b:\n" + B_LOGONS + B_COPIES,
}
STAYS = {
    "nothing changed": "",
    "only logons tie them": "  srv-a:\n" + A_GROUP + A_COPIES + "  srv-b:\n" + B_COPIES,
    "only copies tie them": "  srv-a:\n" + A_LOGONS + A_GROUP + "  srv-b:\n" + B_LOGONS,
    "only the group ties them": "  srv-a:\n" + A_LOGONS + A_COPIES + "  srv-b:\n" + B_LOGONS + B_COPIES,
}
UNDETERMINED = {
    "A's drivers are denied": "  srv-a:\n    access: {denied_keys: ['HKLM\\SYSTEM\\CurrentControlSet\\Services']}\n",
    "A's driver alone is denied": "  srv-a:\n    access: {denied_keys: ['HKLM\\SYSTEM\\CurrentControlSet\\Services\\RapDrv']}\n",
    "no tie seen and A's tasks are denied": "  srv-a:\n    access: {denied: [tasks]}\n"
    + A_LOGONS
    + A_GROUP
    + "  srv-b:\n"
    + B_LOGONS
    + B_COPIES,
}


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return load_matrix([shipped("compat_matrix")])


def _audited(folder: Path, patch: str, matrix: Matrix) -> Report:
    (folder / "fleet.yml").write_text("extends: incident\n" + OTHERS + (f"patch:\n{patch}" if patch else ""), encoding="utf-8")
    with serve(folder / "fleet.yml", folder / "state") as lab:
        inventory = load_inventory([folder / "state" / "inventory.yml"])
        credentials = resolve_credentials(inventory, [target.name for target in inventory.targets])
        limits = Limits(host_deadline_seconds=30)
        results = collect_fleet(inventory.targets, credentials, request_for(matrix), limits=limits, now=lambda: datetime.now(UTC))
        assert lab.violations.read_text(encoding="utf-8") == ""
    asked = list(zip(inventory.targets, results, strict=True))
    return check(asked, matrix, run_of("test", "2026-11-26T00:00:00Z", matrix))


def _of_the_rule(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.rule == RULE]


@pytest.mark.parametrize("patch", STAYS.values(), ids=STAYS.keys())
def test_it_is_found_through_any_one_tie(tmp_path: Path, matrix: Matrix, patch: str) -> None:
    found = _of_the_rule(_audited(tmp_path, patch, matrix).findings)
    assert [(f.severity, f.confidence, sorted((s.role, s.host) for s in f.subjects)) for f in found] == [
        ("high", "suspected", [("new", "srv-b"), ("old", "srv-a")])
    ]
    assert any(evidence.record.casefold() == "rapdrv" for evidence in found[0].evidence)


@pytest.mark.parametrize("patch", GONE.values(), ids=GONE.keys())
def test_without_any_one_condition_it_is_gone(tmp_path: Path, matrix: Matrix, patch: str) -> None:
    report = _audited(tmp_path, patch, matrix)
    assert _of_the_rule(report.findings) == []
    assert _of_the_rule(report.undetermined) == []


@pytest.mark.parametrize("patch", UNDETERMINED.values(), ids=UNDETERMINED.keys())
def test_what_could_not_be_read_leaves_it_undecided(tmp_path: Path, matrix: Matrix, patch: str) -> None:
    report = _audited(tmp_path, patch, matrix)
    assert _of_the_rule(report.findings) == []
    (doubt,) = _of_the_rule(report.undetermined)
    assert doubt.missing


def test_a_server_that_refuses_leaves_it_undecided(tmp_path: Path, matrix: Matrix) -> None:
    """The other server's evidence has a name that only the refusing one could explain."""
    report = _audited(tmp_path, "  srv-b:\n    behaviour: {fault: refuse_logon}\n", matrix)
    assert _of_the_rule(report.findings) == []
    doubts = {tuple((s.role, s.host) for s in doubt.subjects): doubt.missing for doubt in _of_the_rule(report.undetermined)}
    assert set(doubts) == {(("old", "srv-a"), ("new", "srv-b")), (("old", "srv-b"), ("new", "srv-a"))}, "which is older is not known"
    assert all(any("srv-b was not seen: it may be SRVB" in text for text in missing) for missing in doubts.values())
