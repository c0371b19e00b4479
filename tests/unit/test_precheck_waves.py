"""Waves, each on what the ones before have left; what has to be met before a change; and who feels it."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.analysis.precheck.run import Outcome, check_waves
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.ruleset import RuleSet
from auditor.model.host import DriverRecord
from auditor.model.whatif import Change, ChangeKind, DriverFile, HostAnswer, Prerequisite, Wave
from tests.unit.small_fleet import DENIED, kept, signature
from tests.unit.small_precheck import (
    GUARD_INSTALLED,
    NOW,
    OLD_SERVER,
    PAIR,
    PLAIN,
    SYSTEM,
    answer,
    change,
    check,
    fleet_of,
    rules_in,
    world,
)

SERVER = "acme-guard@10.0,role=server,group=One,without=Alerts"
ROOM = {"memory": [{"kind": "volume", "name": "C:", "free_bytes": 10**9}]}
READY: dict[str, Any] = {**PLAIN, **ROOM}
NOBODY = world()


def waves(hosts: dict[str, Any], *planned: tuple[str, list[tuple[ChangeKind, str]]]) -> Outcome:
    found = world(PAIR)
    made = [
        Wave(name=str(n), hosts=(host,), changes=tuple(change(kind, text, found) for kind, text in changes))
        for n, (host, changes) in enumerate(planned)
    ]
    return check_waves(fleet_of(hosts, found), made, RuleSet(found), Detector(found.signatures), NOW)


def needs(said: HostAnswer, kind: str) -> list[Prerequisite]:
    return [need for need in said.prerequisites if need.kind == kind]


def test_the_order_of_waves_decides() -> None:
    hosts = {"A": OLD_SERVER, "B": READY}
    wrong = waves(hosts, ("B", [("install", SERVER)]), ("A", [("upgrade", "acme-guard@10.0")]))
    assert [said.answer for said in wrong.hosts] == ["no-go", "go with conditions"]
    assert rules_in(wrong.hosts[1].cured) == ["newer-updates-older"], "the second wave cures what the first one added"
    right = waves(hosts, ("A", [("upgrade", "acme-guard@10.0")]), ("B", [("install", SERVER)]))
    assert [said.answer for said in right.hosts] == ["go with conditions", "go"]


def test_a_wave_of_several_hosts_is_looked_at_as_one() -> None:
    outcome = check({"A": OLD_SERVER, "B": READY}, world(PAIR), [("install", SERVER)], on=("A", "B"))
    assert [(said.host, said.added) for said in outcome.hosts] == [("A", ()), ("B", ())]


def test_a_host_is_changed_by_several_waves() -> None:
    outcome = waves({"A": OLD_SERVER, "B": READY}, ("B", [("install", SERVER)]), ("B", [("remove", "acme-guard")]))
    assert rules_in(outcome.hosts[1].cured) == ["newer-updates-older"]


@pytest.mark.parametrize(("pending", "met"), [([], True), (["windows_update"], False), (None, None)])
def test_a_pending_restart(pending: list[str] | None, met: bool | None) -> None:
    system = [{**SYSTEM[0], "pending_reboot": pending}]
    said = answer({"B": {**READY, "system": system}}, NOBODY, ("install", SERVER))
    assert [need.met for need in needs(said, "restart")] == [met]
    assert said.answer == ("go" if met else "go with conditions")


def test_a_restart_is_looked_for_once_for_several_changes() -> None:
    said = answer({"B": READY}, NOBODY, ("os_upgrade", "2022"), ("install", SERVER))
    assert [need.met for need in needs(said, "restart")] == [True]


@pytest.mark.parametrize(
    ("memory", "met"),
    [
        ([{"kind": "volume", "name": "C:", "free_bytes": 200 * 1024**2}], True),
        ([{"kind": "volume", "name": "C:", "free_bytes": 1024**2}, {"kind": "volume", "name": "D:", "free_bytes": 10**12}], False),
        ([{"kind": "volume", "name": "C:"}], None),
        (DENIED, None),
    ],
)
def test_room_on_the_system_drive(memory: Any, met: bool | None) -> None:
    (need,) = needs(answer({"B": {**PLAIN, "memory": memory}}, NOBODY, ("install", SERVER)), "disk")
    assert (need.met, need.source) == (met, "https://acme.example/install")


def test_what_no_source_states_is_not_required() -> None:
    bare = world(guard={**GUARD_INSTALLED, "installs": []})
    said = answer({"B": PLAIN}, bare, ("install", "acme-guard@9,role=server,group="))
    assert [need.kind for need in said.prerequisites] == ["restart"]


def test_a_product_that_has_to_go_first() -> None:
    needy = {
        **GUARD_INSTALLED,
        "installs": [{"remove_first": [{"kind": "antivirus", "except_ids": ["acme-guard"]}], "source": "https://a.example/x"}],
    }
    found = world(guard=needy)
    there = READY | {"services": [{"name": "shieldsvc", "state": "running"}]}
    (need,) = needs(answer({"B": there}, found, ("install", SERVER.replace(",without=Alerts", ""))), "remove_first")
    assert (need.met, need.text, need.source) == (False, "Shield has to be removed first.", "https://a.example/x")
    assert need.evidence[0].record == "shieldsvc"
    gone = answer({"B": there}, found, ("remove", "other-shield"), ("install", "acme-guard@9,role=server,group="))
    assert needs(gone, "remove_first") == []
    blind = answer({"B": READY | {"services": DENIED}}, found, ("install", "acme-guard@9,role=server,group="))
    assert [n.met for n in needs(blind, "remove_first")] == [None]


def test_what_is_there_already_or_not_there() -> None:
    hosts = {"A": OLD_SERVER, "B": READY}
    assert needs(answer(hosts, NOBODY, ("install", SERVER), on="A"), "presence")[0].text.startswith("Guard 9.0 is installed already")
    assert needs(answer(hosts, NOBODY, ("upgrade", "acme-guard@10.0")), "presence")[0].text.endswith("there is nothing to upgrade.")
    assert needs(answer(hosts, NOBODY, ("remove", "acme-guard")), "presence")[0].met is False
    assert needs(answer(hosts, NOBODY, ("upgrade", "acme-guard@9"), on="A"), "presence")[0].text == (
        "Guard 9 is what is installed: that is no upgrade."
    )
    blind = {"B": READY | {"services": DENIED, "drivers": DENIED}}
    for one in (("install", SERVER), ("upgrade", "acme-guard@10.0"), ("remove", "acme-guard")):
        assert needs(answer(blind, NOBODY, one), "presence")[0].met is None


def test_a_downgrade_is_no_upgrade() -> None:
    newer = OLD_SERVER | {"security": [kept("Version", "10.1")]}
    (need,) = needs(answer({"B": newer}, NOBODY, ("upgrade", "acme-guard@10.0")), "presence")
    assert (need.met, need.text) == (False, "Guard 10.0 is older than 10.1, which is installed: that is no upgrade.")


@pytest.mark.parametrize(("parent", "met"), [("A", True), ("C", False), ("NOWHERE", None), ("B", False)])
def test_the_manager_that_is_named_has_to_be_there(parent: str, met: bool | None) -> None:
    said = answer(
        {"A": OLD_SERVER, "B": READY, "C": PLAIN}, NOBODY, ("install", f"acme-guard@9,role=managed_client,group=,parent={parent}")
    )
    assert [need.met for need in needs(said, "order")] == [met]


def test_clients_are_moved_before_their_manager_goes() -> None:
    client = {**PLAIN, "services": [{"name": "guardsvc", "state": "running"}], "security": [kept("Version", "9.0"), kept("Parent", "A")]}
    hosts = {"A": OLD_SERVER, **{f"C{n}": client for n in range(8)}}
    (need,) = needs(answer(hosts, NOBODY, ("remove", "acme-guard"), on="A"), "order")
    assert (need.met, need.text) == (False, "C0, C1, C2, C3, C4, C5 and 2 more are managed by it: move them to another manager first.")


@pytest.mark.parametrize(
    ("generation", "system", "met"),
    [
        ("2022", {}, []),
        ("2022", {"architecture": "x86"}, [False]),
        ("2022", {"architecture": None}, [None]),
        ("2008", {"architecture": "x86"}, []),
        ("11", {}, [False]),
        ("2022", {"product_type": "workstation"}, [False]),
    ],
)
def test_another_windows_needs_the_machine_for_it(generation: str, system: dict[str, Any], met: list[bool | None]) -> None:
    said = answer({"B": {"system": [{**SYSTEM[0], **system}]}}, NOBODY, ("os_upgrade", generation))
    assert [need.met for need in needs(said, "architecture")] == met


@pytest.mark.parametrize(("machine", "signed", "met"), [(0x8664, True, []), (0x14C, True, [False]), (0x8664, False, [None])])
def test_a_driver_has_to_be_for_the_machine(machine: int, signed: bool, met: list[bool | None]) -> None:
    record = DriverRecord(name="x", path="x.sys", machine=machine, state="running")
    one = Change(kind="driver", said="--driver x.sys", driver=DriverFile(file="x.sys", record=record, filter=False, signed=signed))
    found = world()
    outcome = check_waves(
        fleet_of({"B": PLAIN}, found), [Wave(name="1", hosts=("B",), changes=(one,))], RuleSet(found), Detector(found.signatures), NOW
    )
    assert [need.met for need in needs(outcome.hosts[0], "architecture")] == met


def test_who_feels_it() -> None:
    client = {**PLAIN, "services": [{"name": "guardsvc", "state": "running"}], "security": [kept("Version", "9.0"), kept("Parent", "A")]}
    hosts = {
        "A": OLD_SERVER
        | {
            "tasks": [
                {"path": "\\N", "run": "robocopy D:\\x \\\\C\\s$ /MIR", "at": "19:00"},
                {"path": "\\O", "run": "xcopy D:\\y \\\\NAS1\\t"},
            ]
        },
        "C": client | {"logons": [{"time": "2026-01-02T02:00:00Z", "account": "x", "workstation": "A", "logon_type": 3}]},
        "D": OLD_SERVER | {"network": [{"computer_name": "D", "adapters": [{"dns_servers": ["10.0.0.1"]}]}]},
        "E": {"network": [{"computer_name": "A2", "adapters": [{"addresses": ["10.0.0.1"]}]}]},
    }
    said = answer(hosts, NOBODY, ("upgrade", "acme-guard@10.0"), on="A")
    assert [(d.node, d.kind) for d in said.radius.clients] == [("host:C", "manages")]
    assert [(d.node, d.why) for d in said.radius.copies] == [
        ("host:C", "it copies to this host (share s$ deletes 19h)"),
        ("name:NAS1", "it copies to this host (share t 01h)"),
    ]
    assert [(d.node, d.kind, d.why) for d in said.radius.peers] == [("host:D", "same-group", "is in the same group (one)")]
    served = answer(hosts, NOBODY, ("install", SERVER), on="E")
    assert [(d.node, d.kind) for d in served.radius.clients] == [("host:D", "serves")]
    logged = answer(hosts, NOBODY, ("remove", "acme-guard"), on="C")
    assert [(d.node, d.kind) for d in logged.radius.peers] == [("host:A", "logs-on-to")]


def test_evidence_has_an_age() -> None:
    assert answer({"B": READY}, NOBODY, ("install", SERVER)).age_hours == 12.0
    assert signature(GUARD_INSTALLED).releases == ("9", "10.0", "10.1")
