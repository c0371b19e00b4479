"""What depends on a host, a product or a driver: shortest paths, cycles of copy jobs, and what was not seen."""

from __future__ import annotations

from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.analysis.fleet.impact import (
    copy_cycles,
    driver_impact,
    host_impact,
    product_holders,
    product_impact,
    unsure_of_driver,
    unsure_of_product,
)
from tests.unit.small_fleet import DENIED, kept
from tests.unit.small_precheck import OLD_SERVER, PLAIN, fleet_of, world

WORLD = world()
CLIENT = {**PLAIN, "services": [{"name": "guardsvc", "state": "running"}], "security": [kept("Version", "9.0"), kept("Parent", "A")]}


def copying(*to: str) -> dict[str, Any]:
    return {**PLAIN, "tasks": [{"path": f"\\To{name}", "run": f"robocopy C:\\x \\\\{name}\\s$"} for name in to]}


def logon(*sources: str) -> dict[str, Any]:
    rows = [{"time": "2026-01-02T02:00:00Z", "account": "x", "workstation": s, "logon_type": 3} for s in sources]
    return {**PLAIN, "logons": rows}


def test_each_host_that_depends_on_it_has_its_shortest_path() -> None:
    hosts = {"A": OLD_SERVER, "B": {**CLIENT, "tasks": copying("C", "NAS")["tasks"]}, "C": logon("A"), "D": PLAIN}
    found = host_impact(fleet_of(hosts, WORLD), "A")
    told = {reach.node: [(hop.near, hop.kind, hop.far) for hop in reach.path] for reach in found.reached}
    assert told == {
        "host:B": [("host:A", "manages", "host:B")],
        "host:C": [("host:A", "logs-on-to", "host:C")],
        "name:NAS": [("host:A", "manages", "host:B"), ("host:B", "copies-to", "name:NAS")],
    }
    assert [reach.distance for reach in found.reached] == [1, 1, 2]
    assert (found.kind, found.cycles) == ("host", ())


def test_a_product_reaches_its_clients_and_the_servers_of_its_group_only() -> None:
    hosts = {"A": {**OLD_SERVER, "tasks": copying("D")["tasks"]}, "B": CLIENT, "C": OLD_SERVER, "D": PLAIN}
    fleet = fleet_of(hosts, WORLD)
    found = product_impact(fleet, "acme-guard", product_holders(fleet, "acme-guard"), unsure_of_product(fleet, "acme-guard"))
    assert [(e.host, e.value) for e in found.holders] == [("A", "9.0 server"), ("B", "9.0 managed_client"), ("C", "9.0 server")]
    assert [reach.node for reach in found.reached] == ["host:B"]
    assert host_impact(fleet, "A").reached[0].path[0].kind in ("manages", "updates", "copies-to")


def test_a_driver_says_where_it_is_and_what_needs_it() -> None:
    guard = {**OLD_SERVER, "services": [*OLD_SERVER["services"], {"name": "needs", "depends_on": ["Guard"]}]}
    fleet = fleet_of({"A": guard, "B": CLIENT, "D": {**PLAIN, "drivers": DENIED}, "E": None}, WORLD)
    found = driver_impact(fleet, "guard.sys", unsure_of_driver(fleet, "guard.sys"))
    assert [(e.host, e.record) for e in found.holders] == [("A", "guard")]
    assert [(e.section, e.record) for e in found.local] == [("products", "acme-guard"), ("services", "needs")]
    assert [reach.node for reach in found.reached] == ["host:B"]
    assert found.unsure == ("D: drivers: access denied", "E: drivers: the host was not collected")


def test_cycles_of_copies_are_told_once_from_their_first_name() -> None:
    fleet = fleet_of({"A": copying("B"), "B": copying("C", "A"), "C": copying("A"), "D": copying("A")}, WORLD)
    assert copy_cycles(fleet, ["C"]) == (("A", "B", "C"),)
    assert copy_cycles(fleet, ["B", "A"]) == (("A", "B"), ("A", "B", "C"))
    assert copy_cycles(fleet, ["D"]) == ()
    assert host_impact(fleet, "B").cycles == (("A", "B"), ("A", "B", "C"))


def test_what_was_not_seen_is_told_apart() -> None:
    found = host_impact(fleet_of({"A": PLAIN, "B": {**PLAIN, "logons": DENIED}}, WORLD), "A")
    assert found.reached == ()
    assert "B: logons: access denied" in found.in_doubt


EDGES = st.sets(st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")).filter(lambda e: e[0] != e[1]), max_size=9)


@settings(max_examples=40, deadline=None)
@given(EDGES, st.sampled_from("ABCDE"))
def test_paths_and_cycles_are_those_that_graph_theory_has(edges: set[tuple[str, str]], start: str) -> None:
    targets = {name: sorted(b for a, b in edges if a == name) for name in "ABCDE"}
    found = host_impact(fleet_of({name: copying(*to) for name, to in targets.items()}, WORLD), start)
    graph: nx.DiGraph[str] = nx.DiGraph(sorted(edges))
    graph.add_nodes_from("ABCDE")
    lengths = nx.single_source_shortest_path_length(graph, start)
    assert {r.node.removeprefix("host:"): r.distance for r in found.reached} == {n: d for n, d in lengths.items() if d}
    wanted = {frozenset(c) for c in nx.simple_cycles(graph) if start in c}
    assert {frozenset(cycle) for cycle in found.cycles} == wanted
    for cycle in found.cycles:
        assert all(graph.has_edge(a, b) for a, b in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
