"""Questions that administrators ask before a change, with the answers that are right by the sources of the shipped matrix."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.analysis.fleet.fleet import build_fleet
from auditor.analysis.precheck.run import check_waves
from auditor.analysis.precheck.spec import driver_change, read_change, with_altitudes
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.ruleset import RuleSet
from auditor.changefile import read_driver
from auditor.lab.pe import Image, Numbers, build
from auditor.matrix.fragments import HostFragment, snapshot_of
from auditor.model.host import Target
from auditor.model.table import DriversTable
from auditor.model.whatif import Change, ChangeKind, HostAnswer, Wave
from tests.edges.case_fleets import shipped_matrix

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
POLICY, STATUS = (
    "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Advanced Threat Protection",
    "HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status",
)
BESIDE_DEFENDER = "defender-active-beside-third-party-antivirus-on-server"
Ask = tuple[ChangeKind, str]


def windows(version: str, **more: Any) -> dict[str, Any]:
    known = {"version": version, "build": int(version.split(".")[2]), "product_type": "server", "architecture": "x64", "pending_reboot": []}
    return {"system": [{**known, **more}]}


def registry(path: str, name: str, data: str) -> dict[str, str]:
    return {"kind": "registry", "path": path, "name": name, "data": data}


def program(name: str, version: str) -> dict[str, str]:
    return {"key": name, "view": "native", "name": name, "version": version}


def running(*names: str) -> list[dict[str, str]]:
    return [{"name": name, "state": "running", "start": "auto"} for name in names]


W2003, W2012, W2012R2, W2016, W2019, W2022, W11 = "5.2.3790", "6.2.9200", "6.3.9600", "10.0.14393", "10.0.17763", "10.0.20348", "10.0.22631"
DEFENDER = {
    "services": running("WinDefend"),
    "drivers": [{"name": "WdFilter", "state": "running", "file_exists": True, "company": "Microsoft Corporation", "signature": "valid"}],
    "filters": [{"name": "WdFilter", "instance": "WdFilter", "altitude": "328010"}],
    "defender": [{"source": "defender", "name": "Microsoft Defender", "running_mode": "Normal", "real_time": True, "exclusions": []}],
}
PASSIVE = {
    **DEFENDER,
    "services": running("WinDefend", "Sense"),
    "defender": [{"source": "defender", "name": "Microsoft Defender", "running_mode": "Passive", "real_time": False, "exclusions": []}],
    "security": [registry(POLICY, "ForceDefenderPassiveMode", "1"), registry(STATUS, "OnboardingState", "1")],
}
SOPHOS = {"programs": [program("Sophos Endpoint Agent", "2024.1.1")], "services": running("SAVService", "Sophos MCS Agent")}
ENS: dict[str, Any] = {
    "programs": [program("Trellix Endpoint Security Threat Prevention", "10.7")],
    "services": running("mfemms", "mfevtp"),
    "drivers": [{"name": "mfehidk", "state": "running", "file_exists": True, "signature": "valid"}],
}
SYLINK = "HKLM\\SOFTWARE\\Symantec\\Symantec Endpoint Protection\\SMC\\SYLINK\\SyLink"
CLIENT = {"programs": [program("Symantec Endpoint Protection", "14.2")], "services": running("SepMasterService")}
CLIENT = {**CLIENT, "security": [registry(SYLINK, "CommunicationStatus", "Connected: M")]}


def manager(version: str) -> dict[str, Any]:
    return {**windows(W2019), "programs": [program("Symantec Endpoint Protection Manager", version)], "services": running("semsrv")}


def asked(hosts: dict[str, dict[str, Any]], *changes: Ask | Change, on: str = "A") -> HostAnswer:
    """The answer for one host."""
    matrix = shipped_matrix()
    detector = Detector(matrix.signatures)
    taken = "2026-11-26T01:00:00Z"
    snapshots = {
        name: msgspec.structs.replace(snapshot_of(name, msgspec.convert(body, HostFragment)), collected_at=taken)
        for name, body in hosts.items()
    }
    targets = [Target(name=name, address=name, port=5985, scheme="http", transport="ntlm") for name in hosts]
    read = [c if isinstance(c, Change) else read_change(c[0], c[1], f"--{c[0]} {c[1]}", detector.signatures) for c in changes]
    wave = Wave(name="all", hosts=(on,), changes=tuple(with_altitudes(change, matrix.lists) for change in read))
    (said,) = check_waves(build_fleet(snapshots, targets, matrix), [wave], RuleSet(matrix, "2026-11-26"), detector, NOW).hosts
    return said


def driver(folder: Path, name: str, **facts: Any) -> Change:
    known: dict[str, Any] = {"machine": "x64", "link_timestamp": 5, "file_version": Numbers((1, 2, 3, 4)), "size": 9000}
    path = folder / name
    path.write_bytes(build(Image(**(known | facts))))
    return driver_change(read_driver(path, str(path)), f"--driver {path}")


QUESTIONS: dict[str, tuple[dict[str, dict[str, Any]], list[Ask], str, dict[str, str]]] = {
    "another antivirus on a server where Defender is active": (
        {"A": {**windows(W2022), **DEFENDER}},
        [("install", "sophos-endpoint@2024.1")],
        "no-go",
        {BESIDE_DEFENDER: "high"},
    ),
    "the same where Defender is passive and the host onboarded": (
        {"A": {**windows(W2022), **PASSIVE}},
        [("install", "sophos-endpoint@2024.1")],
        "go with conditions",
        {},
    ),
    "the same on a client, where Defender steps back by itself": (
        {"A": {**windows(W11, product_type="workstation"), **DEFENDER}},
        [("install", "sophos-endpoint@2024.1")],
        "go with conditions",
        {},
    ),
    "a sensor beside a passive Defender": (
        {"A": {**windows(W2022), **PASSIVE}},
        [("install", "crowdstrike-falcon@7.16")],
        "go with conditions",
        {},
    ),
    "a second antivirus": (
        {"A": {**windows(W2019), **SOPHOS}},
        [("install", "eset-endpoint-security@10")],
        "no-go",
        {"two-real-time-antivirus-products": "high"},
    ),
    "an antivirus in the place of another": (
        {"A": {**windows(W2019), **SOPHOS}},
        [("remove", "sophos-endpoint"), ("install", "eset-endpoint-security@10")],
        "go with conditions",
        {},
    ),
    "a client that is newer than its manager": (
        {"A": windows(W2019), "M": manager("14.2.1")},
        [("install", "symantec-endpoint-protection@14.3,role=managed_client,parent=M")],
        "go with conditions",
        {"endpoint-protection-client-newer-than-manager": "medium"},
    ),
    "a client that is no newer than its manager": (
        {"A": windows(W2019), "M": manager("14.3.5")},
        [("install", "symantec-endpoint-protection@14.3,role=managed_client,parent=M")],
        "go with conditions",
        {},
    ),
    "an agent on a Windows that it was not made for": (
        {"A": windows(W2012)},
        [("install", "microsoft-defender-endpoint")],
        "go with conditions",
        {"product-on-unsupported-windows": "medium"},
    ),
    "an agent that needs updates of Windows first": (
        {"A": windows(W2019, revision=1000)},
        [("install", "sophos-endpoint@2024.1")],
        "go with conditions",
        {"trusted-signing-support-missing": "medium"},
    ),
    "another Windows, which brings Defender, under another antivirus": (
        {"A": {**windows(W2012R2), **SOPHOS}},
        [("os_upgrade", "2019")],
        "no-go",
        {BESIDE_DEFENDER: "high"},
    ),
    "another Windows on a plain host": ({"A": windows(W2012R2)}, [("os_upgrade", "2019")], "go with conditions", {}),
    "another Windows that has left an agent behind": (
        {"A": {**windows(W2003), "programs": [program("Symantec AntiVirus", "10.0.2")], "services": running("Symantec AntiVirus")}},
        [("os_upgrade", "2008")],
        "go with conditions",
        {"product-on-unsupported-windows": "medium"},
    ),
    "a version that is known to crash beside what is there": (
        {"A": {**windows(W2019), **ENS}},
        [("install", "elastic-defend@8.16.2")],
        "no-go",
        {"elastic-defend-beside-trellix-access-protection": "high"},
    ),
    "the version in which that is repaired": (
        {"A": {**windows(W2019), **ENS}},
        [("install", "elastic-defend@8.17.6")],
        "go with conditions",
        {},
    ),
    "a filter whose altitude somebody else uses": (
        {
            "A": {
                **windows(W2019),
                "filters": [{"name": "oddflt", "altitude": "321410"}],
                "drivers": [{"name": "oddflt", "state": "running"}],
            }
        },
        [("install", "crowdstrike-falcon@7.16")],
        "no-go",
        {"two-filters-at-one-altitude": "high"},
    ),
    "a scanner beside a driver that overflows its stack": (
        {"A": {**windows(W2003, architecture="x86"), "drivers": [{"name": "Intelata", "state": "running", "file_exists": True}]}},
        [("install", "symantec-antivirus@9.0,role=unmanaged_client")],
        "go with conditions",
        {"product-out-of-support": "medium", "symantec-9-beside-intel-application-accelerator": "medium"},
    ),
    "an update that hangs beside this antivirus": (
        {"A": {**windows(W2012R2), **SOPHOS}},
        [("update", "KB4493446")],
        "go with conditions",
        {"april-2019-updates-beside-antivirus": "medium"},
    ),
    "the same update on a host without it": ({"A": windows(W2012R2)}, [("install", "KB4493446")], "go", {}),
    "the same update once the antivirus is gone": (
        {"A": {**windows(W2012R2), **SOPHOS}},
        [("remove", "sophos-endpoint"), ("update", "kb4493446")],
        "go with conditions",
        {},
    ),
    "an update that was withdrawn": (
        {"A": windows(W2019)},
        [("update", "KB4524244")],
        "go with conditions",
        {"withdrawn-update-kb4524244": "medium"},
    ),
    "an update whose signature an old antivirus takes for none": (
        {"A": {**windows("6.1.7601"), **CLIENT, "programs": [program("Symantec Endpoint Protection", "14.0")]}},
        [("update", "KB4512506")],
        "no-go",
        {"sha2-updates-beside-old-symantec": "high"},
    ),
    "a version that is out of support": (
        {"A": windows(W2016)},
        [("install", "palo-alto-cortex-xdr@7.3")],
        "go with conditions",
        {"product-out-of-support": "medium"},
    ),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_has_its_answer(question: str) -> None:
    hosts, changes, answer, added = QUESTIONS[question]
    said = asked(hosts, *changes)
    assert said.answer == answer, (said.added, said.open)
    assert {delta.finding.rule: delta.finding.severity for delta in said.added} == added
    assert all(delta.brought or delta.finding.edges for delta in said.added), "the chain of evidence names what the change brings"


def test_an_upgrade_cures_what_the_old_version_lacked() -> None:
    said = asked({"A": {**windows(W2019), **CLIENT}, "M": manager("14.3")}, ("upgrade", "symantec-endpoint-protection@14.3"))
    assert (said.answer, [delta.finding.rule for delta in said.cured]) == ("go", ["product-out-of-support"])


def test_a_manager_with_clients_does_not_go_before_they_are_moved() -> None:
    hosts = {"A": {**windows(W2019), **CLIENT}, "M": manager("14.3")}
    said = asked(hosts, ("remove", "symantec-endpoint-protection-manager"), on="M")
    assert said.answer == "go with conditions"
    assert [need.text for need in said.prerequisites if need.met is False] == ["A is managed by it: move them to another manager first."]
    assert [found.node for found in said.radius.clients] == ["host:A"]


def test_drivers_that_come_onto_a_host_whose_drivers_were_not_seen_are_no_plain_go() -> None:
    hidden = {**windows(W2022), "drivers": {"status": "denied", "reason": "access denied"}}
    said = asked({"A": hidden}, ("install", "crowdstrike-falcon"))
    assert said.answer == "go with conditions"
    (need,) = [need for need in said.prerequisites if need.kind == "files"]
    assert "vulnerable-driver-by-hash" in need.text
    assert asked({"A": hidden}, ("update", "KB5000001")).answer == "go"


def test_what_a_setup_wants_gone_first_is_told_and_not_once_it_is_gone() -> None:
    first = asked({"A": {**windows(W2019), **SOPHOS}}, ("install", "kaspersky-endpoint-security@12"))
    assert [need.text for need in first.prerequisites if need.kind == "remove_first"] == ["Sophos Endpoint has to be removed first."]
    then = asked({"A": {**windows(W2019), **SOPHOS}}, ("remove", "sophos-endpoint"), ("install", "kaspersky-endpoint-security@12"))
    assert not [need for need in then.prerequisites if need.kind == "remove_first"]
    beside = asked({"A": {**windows(W2022), **PASSIVE}}, ("install", "kaspersky-endpoint-security@12"))
    assert not [need for need in beside.prerequisites if need.kind == "remove_first"], "Defender steps aside, and stays"


@pytest.mark.parametrize(("free", "met"), [(10**9, True), (500_000_000, False), (None, None)])
def test_room_on_the_system_drive_is_held_against_what_the_version_needs(free: int | None, met: bool | None) -> None:
    drive = {"kind": "volume", "name": "C:", "size_bytes": 10**11, "free_bytes": free}
    said = asked({"A": {**windows(W2019), "memory": [drive]}}, ("install", "elastic-defend@9.0"))
    assert [need.met for need in said.prerequisites if need.kind == "disk"] == [met]


def test_a_host_is_not_left_without_a_scanner_unnoticed() -> None:
    bare = asked({"A": {**windows(W2012), **SOPHOS}}, ("remove", "sophos-endpoint"))
    assert (bare.answer, [need.met for need in bare.prerequisites if need.kind == "protection"]) == ("go with conditions", [False])
    both = {**SOPHOS, "services": [*running("WinDefend"), *SOPHOS["services"]], "defender": DEFENDER["defender"]}
    assert asked({"A": {**windows(W2019), **both}}, ("remove", "sophos-endpoint")).answer == "go"
    swapped = asked({"A": {**windows(W2012), **SOPHOS}}, ("remove", "sophos-endpoint"), ("install", "eset-endpoint-security@10"))
    assert not [need for need in swapped.prerequisites if need.kind == "protection"]


def test_a_restart_that_is_pending_comes_first() -> None:
    said = asked({"A": windows(W2019, pending_reboot=["windows_update"])}, ("install", "crowdstrike-falcon"))
    assert [need.kind for need in said.prerequisites if need.met is False] == ["restart"]


def test_an_update_that_is_there_already_or_may_be_is_told() -> None:
    there = asked({"A": {**windows(W2019), "updates": [{"id": "KB5000001"}]}}, ("update", "KB5000001"))
    assert [(need.kind, need.met) for need in there.prerequisites] == [("restart", True), ("presence", False)]
    hidden = asked({"A": {**windows(W2019), "updates": {"status": "denied", "reason": "access denied"}}}, ("update", "KB5000001"))
    assert [(need.kind, need.met) for need in hidden.prerequisites] == [("restart", True), ("presence", None)]


def test_a_driver_with_a_blocked_hash_is_no_go_and_its_namesake_is_not(tmp_path: Path) -> None:
    table = next(t for t in shipped_matrix().lists.values() if isinstance(t, DriversTable) and t.names)
    name, _ = next(iter(sorted(table.names, key=lambda pair: pair[0])))
    change = driver(tmp_path, f"{name}.sys")
    there = {"A": {**windows(W2019), "drivers": [{"name": "disk", "state": "running", "sha256": "1" * 64}]}}
    namesake = asked(there, change)
    assert "vulnerable-driver-by-hash" not in [delta.finding.rule for delta in namesake.added]
    assert change.driver is not None
    known = msgspec.structs.replace(change.driver.record, sha256=sorted(table.hashes)[0])
    bad = msgspec.structs.replace(change, driver=msgspec.structs.replace(change.driver, record=known))
    said = asked(there, bad)
    assert said.answer == "no-go"
    assert "vulnerable-driver-by-hash" in [delta.finding.rule for delta in said.added]


def test_a_driver_for_another_processor_is_a_condition_that_is_not_met(tmp_path: Path) -> None:
    said = asked({"A": windows(W2019)}, driver(tmp_path, "old.sys", machine="x86"))
    assert [need.kind for need in said.prerequisites if need.met is False] == ["architecture"]


@pytest.mark.parametrize("role", ["sql", "hyperv", "domain_controller"])
def test_a_scanner_for_a_server_with_a_role_comes_with_what_it_has_to_leave_alone(role: str) -> None:
    kind = "domain_controller" if role == "domain_controller" else "server"
    said = asked({"A": windows(W2019, roles=[role], product_type=kind)}, ("install", "trend-micro-apex-one@14"))
    assert said.answer == "go with conditions"
    assert [need for need in said.prerequisites if need.kind == "exclusions"]
