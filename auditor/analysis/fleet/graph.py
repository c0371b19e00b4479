"""The fleet graph: hosts, names that could not be resolved, groups, and the ties between them, each with evidence and claimant.

Rules of this file:
1. Nodes are `host:NAME` (targets), `name:TEXT` (unresolved names, outside servers), `group:KIND:NAME`. Products, drivers and tasks
   are looked up by host; they are not nodes.
2. An edge is what somebody claims: it carries the host whose snapshot states it. Only resolved names become hosts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from auditor.analysis.fleet.identity import Resolver
from auditor.analysis.fleet.naming import Naming, OpenName
from auditor.analysis.fleet.ties_copy import copy_edges
from auditor.analysis.fleet.ties_network import logon_edges, serving_edges
from auditor.analysis.fleet.ties_product import product_edges, update_edges
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge

if TYPE_CHECKING:
    import networkx

EMPTY: Mapping[str, tuple[Edge, ...]] = {}


class FleetGraph:
    """Edges of the fleet with look-ups by target name."""

    def __init__(self, edges: Iterable[Edge], open_names: Iterable[OpenName] = ()) -> None:
        self.edges = tuple(edges)
        self.open_names = tuple(open_names)
        self._out: dict[tuple[str, str], dict[str, tuple[Edge, ...]]] = {}
        self._in: dict[tuple[str, str], dict[str, tuple[Edge, ...]]] = {}
        self._members: dict[str, list[Edge]] = {}
        self._groups: dict[str, list[Edge]] = {}
        self._outside: dict[str, list[Edge]] = {}
        self._strange: dict[tuple[str, str], dict[str, list[Edge]]] = {}
        for edge in self.edges:
            self._add(edge)

    def _add(self, edge: Edge) -> None:
        source, target = edge.source.removeprefix("host:"), edge.target.removeprefix("host:")
        if edge.kind == "member-of":
            self._members.setdefault(edge.target, []).append(edge)
            self._groups.setdefault(source, []).append(edge)
        elif edge.source.startswith("host:") and edge.target.startswith("host:"):
            for table, ours, other in ((self._out, source, target), (self._in, target, source)):
                row = table.setdefault((edge.kind, ours), {})
                row[other] = (*row.get(other, ()), edge)
        else:
            self._add_strange(edge, source, target)

    def _add_strange(self, edge: Edge, source: str, target: str) -> None:
        for direction, ours, node in (("out", source, edge.source), ("in", target, edge.target)):
            if node.startswith("host:"):
                self._strange.setdefault((direction, edge.kind), {}).setdefault(ours, []).append(edge)
        if edge.kind == "copies-to":
            self._outside.setdefault(source if edge.source.startswith("host:") else target, []).append(edge)

    @property
    def unresolved(self) -> tuple[str, ...]:
        """Names in evidence that could not be tied to one target, with the reason; sorted."""
        return tuple(sorted({str(name) for name in self.open_names}))

    def edges_at(self, name: str, direction: str, kind: str) -> Mapping[str, tuple[Edge, ...]]:
        """Edges of a kind `out` of or `in` to a target, by the target at their other end."""
        return (self._out if direction == "out" else self._in).get((kind, name), EMPTY)

    def memberships(self, name: str) -> Sequence[Edge]:
        """Memberships of a target in groups."""
        return self._groups.get(name, ())

    def members(self, group: str) -> Sequence[Edge]:
        """Memberships in a group, by the group's node."""
        return self._members.get(group, ())

    def copies_outside(self, name: str) -> Sequence[Edge]:
        """Copies between a target and names that are no targets."""
        return self._outside.get(name, ())

    def strange_edges(self, name: str, direction: str, kind: str) -> Sequence[Edge]:
        """Edges of a kind `out` of or `in` to a target whose other end is a name that is no target."""
        return self._strange.get((direction, kind), {}).get(name, ())

    def strange_hosts(self, direction: str, kind: str) -> frozenset[str]:
        """Targets that have `strange_edges`."""
        return frozenset(self._strange.get((direction, kind), ()))

    def strange_kinds(self) -> Collection[tuple[str, str]]:
        """Directions and kinds in which any target has `strange_edges`."""
        return self._strange.keys()

    def networkx(self) -> networkx.MultiDiGraph[str]:
        """The graph for networkx: nodes with `kind` and `label`, each edge with its `Edge` under `edge`."""
        import networkx as nx

        graph: networkx.MultiDiGraph[str] = nx.MultiDiGraph()
        for edge in self.edges:
            for node in (edge.source, edge.target):
                kind, _, label = node.partition(":")
                graph.add_node(node, kind=kind, label=label)
            graph.add_edge(edge.source, edge.target, edge=edge)
        return graph


def claimed_edges(facts: HostFacts, naming: Naming) -> list[Edge]:
    """The edges that one host's evidence states; names that stay open are noted in `naming`."""
    return [*product_edges(facts, naming), *copy_edges(facts, naming), *logon_edges(facts, naming), *serving_edges(facts, naming)]


def build_graph(hosts: Mapping[str, HostFacts], resolver: Resolver) -> FleetGraph:
    """The graph of all collected hosts. `hosts` are facts by target name with their products detected."""
    naming = Naming(resolver)
    edges: list[Edge] = []
    for host in sorted(hosts):
        edges += claimed_edges(hosts[host], naming)
    edges += update_edges({name: hosts[name] for name in sorted(hosts)})
    return FleetGraph(edges, naming.open)
