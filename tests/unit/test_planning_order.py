"""In which order hosts are changed: along their ties, never the one that others need first, one of a pair, one alone, then a tenth."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.analysis.planning.pairs import apart_of
from auditor.model.errors import RemediationError
from auditor.model.host import NetworkRecord, ReplicationRecord, Section, Sections, Snapshot, SystemRecord
from tests.unit.small_plan import edge, finding, planned, remedy, waves


def test_one_first_then_a_tenth_at_most() -> None:
    hosts = [f"h{number:03}" for number in range(95)]
    found = waves(planned([finding("bad", host) for host in hosts]))
    assert [len(wave) for wave in found] == [1, *[9] * 10, 4]
    assert sorted(host for wave in found for host in wave) == hosts


def test_managers_come_before_their_clients_when_the_remedy_says_so() -> None:
    ties = (edge("manages", "manager", "x"), edge("manages", "manager", "y"), edge("updates", "top", "manager"))
    findings = [finding("bad", host) for host in ("x", "y", "manager", "top")]
    found = waves(planned(findings, remedies=[remedy(order="managers-first")], edges=ties))
    assert found[:2] == [["top"], ["manager"]]
    assert waves(planned(findings, remedies=[remedy(order="clients-first")], edges=ties)) == [["x"], ["y"], ["manager"], ["top"]]


def test_a_host_that_others_depend_on_is_never_first_where_another_can_be() -> None:
    ties = (edge("manages", "a-console", "m"), edge("manages", "m", "leaf"), edge("serves", "dns", "outside"))
    found = waves(planned([finding("bad", host) for host in ("a-console", "dns", "m", "leaf")], edges=ties))
    assert found == [["leaf"], ["dns"], ["m"], ["a-console"]]


def test_two_servers_of_one_group_are_never_in_one_wave() -> None:
    hosts = [f"h{number:02}" for number in range(28)]
    ties = [edge("member-of", host, "group:sav:one") for host in hosts]
    ties += [edge("updates", "h05", "h06"), edge("updates", "h06", "h05")]
    found = waves(planned([finding("bad", host) for host in hosts], edges=tuple(ties)))
    assert not any({"h05", "h06"} <= set(wave) for wave in found)
    assert max(len(wave) for wave in found) == 2, "clients of the group do not stand in for each other"


def test_hosts_that_are_kept_apart_are_never_in_one_wave() -> None:
    hosts = [f"h{number:02}" for number in range(40)]
    found = waves(planned([finding("bad", host) for host in hosts], apart=(("h01", "h02", "h03"),)))
    assert all(len({"h01", "h02", "h03"} & set(wave)) <= 1 for wave in found)


def test_servers_that_update_each_other_are_refused_where_order_matters() -> None:
    ties = (edge("updates", "a", "b"), edge("updates", "b", "a"))
    findings = [finding("bad", "a"), finding("bad", "b")]
    with pytest.raises(RemediationError, match="in a circle: a, b"):
        planned(findings, remedies=[remedy(order="managers-first")], edges=ties)
    assert waves(planned(findings, edges=ties)) == [["a"], ["b"]]


def test_the_order_does_not_depend_on_how_findings_are_listed() -> None:
    ties = (edge("manages", "m", "x"),)
    for order in (("m", "x"), ("x", "m")):
        assert waves(planned([finding("bad", h) for h in order], remedies=[remedy(order="managers-first")], edges=ties)) == [["m"], ["x"]]


def test_clients_that_would_lose_their_parent_are_told() -> None:
    ties = (edge("manages", "m", "x"), edge("manages", "m", "y"), edge("manages", "x", "z"))
    going = remedy(order="clients-first", operation="convert")
    findings = [finding("bad", "m"), finding("bad", "x")]
    assert planned(findings, remedies=[going], edges=ties).by_hand == (
        "m: move its clients to another parent first: y",
        "x: move its clients to another parent first: z",
    )
    assert planned(findings, remedies=[remedy(order="clients-first")], edges=ties).by_hand == ()


def _snapshot(host: str, domain: str, *roles: str, group: str = "") -> Snapshot:
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(roles=roles),)),
        network=Section(status="ok", records=(NetworkRecord(domain=domain),)),
        replication=Section(status="ok", records=(ReplicationRecord(service="dfsr", group=group),) if group else ()),
    )
    return Snapshot(host=host, collected_at="2026-11-26T01:00:00Z", collector="t", transport="t", sections=sections)


def test_domain_controllers_cluster_nodes_and_replication_partners_stand_in_for_each_other() -> None:
    snapshots = {
        "dc1": _snapshot("dc1", "corp.example", "domain_controller"),
        "dc2": _snapshot("dc2", "CORP.example", "domain_controller"),
        "dc3": _snapshot("dc3", "other.example", "domain_controller"),
        "n1": _snapshot("n1", "corp.example", "cluster"),
        "n2": _snapshot("n2", "corp.example", "cluster"),
        "f1": _snapshot("f1", "corp.example", group="Data"),
        "f2": _snapshot("f2", "corp.example", group="data"),
        "alone": _snapshot("alone", "corp.example"),
    }
    found = apart_of(snapshots, {"pair": ("alone", "dc3"), "one": ("dc1",)})
    assert sorted(found) == [("alone", "dc3"), ("dc1", "dc2"), ("f1", "f2"), ("n1", "n2")]


_HOSTS = tuple(f"h{number:02}" for number in range(24))


@given(
    chosen=st.lists(st.sampled_from(_HOSTS), min_size=1, unique=True),
    ties=st.lists(st.tuples(st.sampled_from(_HOSTS), st.sampled_from(_HOSTS)), max_size=30),
    apart=st.lists(st.lists(st.sampled_from(_HOSTS), min_size=2, unique=True), max_size=3),
    order=st.sampled_from(["managers-first", "clients-first", "any"]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_fleet_looks_like(
    chosen: list[str], ties: list[tuple[str, str]], apart: list[list[str]], order: Literal["managers-first", "clients-first", "any"]
) -> None:
    """Every host has its turn once, after those that it waits for, and never beside one that it is kept apart from."""
    downwards = [(min(one, other), max(one, other)) for one, other in ties if one != other]
    edges = tuple(edge("manages", one, other) for one, other in downwards)
    plan = planned([finding("bad", h) for h in chosen], remedies=[remedy(order=order)], edges=edges, apart=tuple(map(tuple, apart)))
    found = waves(plan)
    assert sorted(host for wave in found for host in wave) == sorted(chosen)
    assert len(found[0]) == 1
    assert all(len(wave) <= max(1, len(chosen) // 10) for wave in found[1:])
    assert all(len(set(group) & set(wave)) <= 1 for group in apart for wave in found)
    turn = {host: number for number, wave in enumerate(found) for host in wave}
    for manager, client in downwards:
        if manager in turn and client in turn and order != "any":
            first, second = (manager, client) if order == "managers-first" else (client, manager)
            assert turn[first] < turn[second]
