"""Hosts against their role and against each other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.against_role import against_role
from auditor.analysis.drift.compare import Comparison
from auditor.analysis.drift.integrity import Files, definitions_behind, managers_differing
from auditor.analysis.drift.learn import learn_baseline
from auditor.analysis.drift.peers import Outlier, Peers, narrowest_groups
from auditor.model.baseline import Baseline
from auditor.model.finding import Product
from auditor.model.host import Snapshot
from tests.unit.small_drift import normaliser, partial, state

A: dict[str, Any] = {"name": "Spooler", "start": "auto", "state": "running", "account": "LocalSystem"}


def role(**sections: Any) -> Baseline:
    return msgspec.convert({"role": "servers", "sections": sections}, Baseline)


def held(baseline: Baseline, snapshot: Snapshot) -> Comparison:
    return against_role(baseline, snapshot, normaliser(between_hosts=True))


def told(found: Comparison) -> list[tuple[str, str, str]]:
    return [(d.kind, d.key, d.field) for d in found.deltas]


# --- roles


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("present", []),
        ("absent", [("added", "Spooler", "")]),
        ("allowed", []),
        ({"start": "AUTO"}, []),
        ({"start": "disabled"}, [("changed", "Spooler", "start")]),
        ({"start": {"any_of": ["disabled", "auto"]}}, []),
        ({"account": {"like": ["local*"]}}, []),
        ({"account": {"like": ["CORP\\*"]}}, [("changed", "Spooler", "account")]),
    ],
)
def test_a_record_is_held_against_what_the_role_wants(wanted: Any, expected: list[tuple[str, str, str]]) -> None:
    assert told(held(role(services={"records": {"spooler": wanted}}), state(services=[A]))) == expected


@pytest.mark.parametrize(("wanted", "expected"), [("present", 1), ("absent", 0), ("allowed", 0), ({"start": "auto"}, 1)])
def test_a_record_that_is_not_there(wanted: Any, expected: int) -> None:
    found = held(role(services={"records": {"Spooler": wanted}}), state(services=[]))
    assert told(found) == [("removed", "Spooler", "")] * expected


def test_versions_may_lie_in_a_range() -> None:
    for version, expected in (("10.1.5", 0), ("9.0.3", 1)):
        found = held(
            role(drivers={"records": {"d": {"file_version": {"range": "vers:windows/>=10.0"}}}}),
            state(drivers=[{"name": "d", "file_version": version}]),
        )
        assert len(found.deltas) == expected


def test_records_that_are_not_listed_are_too_many_only_where_the_role_says_so() -> None:
    listed = {"records": {"Spooler": "allowed"}}
    other = state(services=[A, A | {"name": "Telnet"}])
    assert told(held(role(services=listed), other)) == []
    assert told(held(role(services=listed | {"only_these": True}), other)) == [("added", "Telnet", "")]


def test_what_was_not_seen_is_told_and_is_no_difference() -> None:
    wanted = role(services={"records": {"Spooler": {"start": "auto"}, "Gone": "present"}})
    for unseen in (partial(reason="no administrator"), {"status": "denied", "reason": "access denied"}):
        found = held(wanted, state(services=unseen))
        assert found.deltas == ()
        assert found.unseen
    found = held(wanted, state(services=partial(A | {"start": None}, gaps=(("gone", ""),))))
    assert found.deltas == ()
    assert [(u.key, u.field) for u in found.unseen] == [("Spooler", "start"), ("Gone", "")]


def test_a_hosts_own_name_is_as_good_as_the_roles() -> None:
    wanted = role(services={"records": {"Spooler": {"account": "<host>\\svc"}}})
    assert told(held(wanted, state("SRVA", services=[A | {"account": "srva\\svc"}]))) == []
    assert len(held(wanted, state("SRVA", services=[A | {"account": "SRVB\\svc"}])).deltas) == 1


# --- learning


def test_what_hosts_have_in_common_is_proposed() -> None:
    hosts = [state(f"H{n}", services=[A | {"account": f"H{n}\\svc"}, {"name": f"Only{n}", "start": "auto"}]) for n in range(4)]
    found = learn_baseline("servers", hosts, normaliser(between_hosts=True), at="2026-11-26T00:00:00Z")
    assert found.sections["services"].records == {"Spooler": {"start": "auto", "account": "<host>\\svc"}}
    assert found.learned is not None
    assert found.learned.hosts == ("H0", "H1", "H2", "H3")
    assert all(told(held(found, host)) == [] for host in hosts)


def test_a_share_of_the_hosts_is_enough_where_asked() -> None:
    hosts = [state(f"H{n}", services=[A]) for n in range(3)] + [state("H3", services=[])]
    ready = normaliser(between_hosts=True)
    assert "services" not in learn_baseline("s", hosts, ready, at="").sections
    assert "services" in learn_baseline("s", hosts, ready, at="", share=75).sections


def test_hosts_that_were_seen_in_part_teach_nothing() -> None:
    hosts = [state("H0", services=[A]), state("H1", services={"status": "partial", "reason": "x", "rows": []})]
    assert learn_baseline("s", hosts, normaliser(between_hosts=True), at="").sections["services"].records == {
        "Spooler": {"start": "auto", "account": "LocalSystem"}
    }


# --- peers


def outliers(*hosts: Snapshot, only: str | None = None) -> list[tuple[str, str, str, str, int, int]]:
    peers = Peers(normaliser(between_hosts=True))
    for host in hosts:
        peers.add(host)
    return [(o.host, o.delta.kind, o.delta.key, o.delta.field, o.agree, o.of) for o in peers.outliers(only)]


def fleet(count: int, **odd: Any) -> list[Snapshot]:
    usual = [state(f"H{n}", services=[A]) for n in range(count)]
    return [*usual, state("ODD", **odd)]


def test_who_differs_from_most_is_told_with_counts() -> None:
    assert outliers(*fleet(4, services=[A | {"start": "disabled"}])) == [("ODD", "changed", "Spooler", "start", 4, 5)]


def test_who_lacks_what_most_have_and_who_has_what_most_lack() -> None:
    assert outliers(*fleet(3, services=[])) == [("ODD", "removed", "Spooler", "", 3, 4)]
    assert outliers(*fleet(3, services=[A, A | {"name": "Telnet"}])) == [("ODD", "added", "Telnet", "", 3, 4)]


def test_one_host_can_be_asked_about() -> None:
    hosts = [*fleet(4, services=[A | {"start": "disabled"}]), state("ODD2", services=[A | {"start": "demand"}])]
    assert {o[0] for o in outliers(*hosts)} == {"ODD", "ODD2"}
    assert {o[0] for o in outliers(*hosts, only="ODD2")} == {"ODD2"}
    assert outliers(*hosts, only="H0") == []


def test_without_a_majority_nobody_is_odd() -> None:
    assert outliers(state("A", services=[A]), state("B", services=[A | {"start": "demand"}])) == []
    halves = [state(f"H{n}", services=[A | {"start": "auto" if n % 2 else "disabled"}]) for n in range(4)]
    assert outliers(*halves) == []


def test_hosts_that_did_not_see_do_not_count() -> None:
    blind = [state(f"B{n}", services={"status": "denied", "reason": "no"}) for n in range(9)]
    short = [state("S", services=partial(reason="short"))]
    assert outliers(*fleet(3, services=[A | {"start": "disabled"}]), *blind, *short) == [("ODD", "changed", "Spooler", "start", 3, 4)]


def test_a_value_with_the_hosts_own_name_is_the_same_everywhere() -> None:
    hosts = [state(f"SRV{n}", shares=[{"name": "Data", "path": f"D:\\SRV{n}"}]) for n in range(4)]
    assert outliers(*hosts) == []
    assert outliers(*hosts, state("SRV9", shares=[{"name": "Data", "path": "D:\\SRV1"}])) == [("SRV9", "changed", "Data", "path", 4, 5)]


def test_what_belongs_to_one_machine_is_left_out() -> None:
    hosts = [
        state(
            f"H{n}",
            services=[A | {"display_name": str(n)}],
            security=[{"kind": "registry", "path": "HKLM\\X", "name": "AgentGuid", "data": str(n)}],
        )
        for n in range(4)
    ]
    assert outliers(*hosts) == []


def test_the_usual_value_can_be_asked_for() -> None:
    peers = Peers(normaliser(between_hosts=True))
    for host in fleet(4, services=[A | {"start": "disabled"}]):
        peers.add(host)
    assert peers.usual("services", "SPOOLER", "start") == (True, "auto")
    assert peers.usual("services", "Spooler", "") == (True, True)
    assert peers.usual("services", "Telnet", "") == (True, False)
    assert peers.usual("nonsense", "x", "y") == (False, None)


def test_peers_are_the_hosts_of_the_narrowest_groups() -> None:
    groups = {f"H{n}": ("windows", "web" if n < 2 else "file") for n in range(4)}
    assert narrowest_groups(groups) == {"file": ("H2", "H3"), "web": ("H0", "H1")}
    assert narrowest_groups({"A": ("x", "y"), "B": ("y", "x")}) == {"x": ("A", "B")}


# --- integrity


def files(*hosts: Snapshot) -> list[Outlier]:
    found = Files(normaliser(between_hosts=True))
    for host in hosts:
        found.add(host)
    return list(found.outliers())


def driver(host: str, sha: str, version: str = "1.0", **more: Any) -> Snapshot:
    return state(host, drivers=[{"name": "d", "path": "C:\\W\\d.sys", "file_version": version, "sha256": sha, "machine": 332, **more}])


def test_another_file_of_the_same_name_and_version_is_told() -> None:
    found = files(driver("A", "aa"), driver("B", "aa"), driver("C", "cc"))
    assert [(o.host, o.delta.field, o.delta.before, o.delta.after, o.agree, o.of) for o in found] == [("C", "sha256", "aa", "cc", 2, 3)]


def test_without_a_majority_all_are_told() -> None:
    assert {o.host for o in files(driver("A", "aa"), driver("B", "bb"))} == {"A", "B"}


def test_other_versions_machines_and_languages_are_other_files() -> None:
    german = msgspec.structs.replace(
        driver("C", "cc"),
        sections=state(
            "C",
            system=[{"ui_language": "0407"}],
            drivers=[{"name": "d", "path": "C:\\W\\d.sys", "file_version": "1.0", "sha256": "cc", "machine": 332}],
        ).sections,
    )
    assert files(driver("A", "aa"), driver("B", "bb", "2.0"), driver("D", "dd", machine=34404), german) == []


def test_a_hash_that_is_not_known_is_no_other_hash() -> None:
    assert files(driver("A", "aa"), state("B", drivers=[{"name": "d", "path": "C:\\W\\d.sys", "file_version": "1.0"}])) == []


def product(host: str, **values: Any) -> Product:
    return Product(host=host, id="av", name="AV", vendor="V", **values)


def test_definitions_older_than_the_fleets_are_told() -> None:
    fleet_ = [product(f"H{n}", definitions="2026-11-25") for n in range(4)] + [product("NEW", definitions="2026-11-26")]
    late = [product("OK", definitions="2026-11-23"), product("OLD", definitions="2026-11-10")]
    found = list(definitions_behind([*fleet_, *late], 2))
    assert [(o.host, o.delta.before, o.delta.after, o.agree, o.of) for o in found] == [("OLD", "2026-11-25", "2026-11-10", 5, 7)]


def test_versions_of_definitions_are_compared_as_versions() -> None:
    products = [product(f"H{n}", definitions="1.441.120.0") for n in range(3)] + [product("OLD", definitions="1.9.2.0")]
    assert [o.host for o in definitions_behind(products, 2)] == ["OLD"]


def test_another_manager_than_the_groups_is_told() -> None:
    products = [product(f"H{n}", parent="SRVA", group="Corp") for n in range(3)] + [product("ODD", parent="SRVB", group="corp")]
    assert [(o.host, o.delta.before, o.delta.after) for o in managers_differing(products, {})] == [("ODD", "SRVA", "SRVB")]
    loose = [msgspec.structs.replace(p, group=None) for p in products]
    assert [o.host for o in managers_differing(loose, {p.host: ("web", "windows") for p in loose})] == ["ODD"]
    assert list(managers_differing(loose, {})) == []
