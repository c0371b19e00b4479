"""A fleet in which some hosts are other than they were collected: the base stays as it is and is looked through, never copied.

Rules of this file:
1. What a changed host stated is replaced by what it states now; what others state of it stays.
2. Nothing of the base is written to, so that any number of forks leaves it the same.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Iterable, Mapping, Sequence

from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.fleet.graph import FleetGraph, claimed_edges
from auditor.analysis.fleet.knowledge import FleetTies
from auditor.analysis.fleet.naming import Naming
from auditor.analysis.fleet.strangers import unnamed_hosts
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge


def fork_fleet(base: Fleet, changed: Mapping[str, HostFacts]) -> Fleet:
    """The fleet with these hosts in place of those of the same names. The facts have their products detected."""
    # a chain reads its later maps only
    hosts: ChainMap[str, HostFacts] = ChainMap(dict(changed), base.hosts)  # type: ignore[arg-type]
    naming = Naming(base.resolver)
    edges = [edge for name in sorted(changed) for edge in claimed_edges(changed[name], naming)]
    graph = ForkedGraph(base.graph, frozenset(changed), FleetGraph(edges, naming.open))
    return Fleet(hosts, base.resolver, graph, ForkedTies(base.ties, graph, hosts, frozenset(changed)), base.collected)


class ForkedGraph(FleetGraph):
    """Edges of a base without those that changed hosts state, and their new ones."""

    def __init__(self, base: FleetGraph, changed: frozenset[str], own: FleetGraph) -> None:
        self._base = base
        self._changed = changed
        self._own = own
        self.open_names = (*(name for name in base.open_names if name.claimant not in changed), *own.open_names)

    @property
    def edges(self) -> tuple[Edge, ...]:  # type: ignore[override]
        """All edges but `updates` inside groups, which are asked for host by host."""
        return (*self._kept(edge for edge in self._base.edges if edge.kind != "updates"), *self._own.edges)

    def edges_at(self, name: str, direction: str, kind: str) -> Mapping[str, tuple[Edge, ...]]:
        """See FleetGraph."""
        base, own = self._base.edges_at(name, direction, kind), self._own.edges_at(name, direction, kind)
        found = {other: (*self._kept(base.get(other, ())), *own.get(other, ())) for other in (*base, *own)}
        return {other: edges for other, edges in found.items() if edges}

    def memberships(self, name: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return (*self._kept(self._base.memberships(name)), *self._own.memberships(name))

    def members(self, group: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return (*self._kept(self._base.members(group)), *self._own.members(group))

    def copies_outside(self, name: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return (*self._kept(self._base.copies_outside(name)), *self._own.copies_outside(name))

    def strange_edges(self, name: str, direction: str, kind: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return (*self._kept(self._base.strange_edges(name, direction, kind)), *self._own.strange_edges(name, direction, kind))

    def strange_hosts(self, direction: str, kind: str) -> frozenset[str]:
        """See FleetGraph."""
        hosts = self._base.strange_hosts(direction, kind) | self._own.strange_hosts(direction, kind)
        return frozenset(host for host in hosts if self.strange_edges(host, direction, kind))

    def strange_kinds(self) -> Collection[tuple[str, str]]:
        """See FleetGraph."""
        return {*self._base.strange_kinds(), *self._own.strange_kinds()}

    def _kept(self, edges: Iterable[Edge]) -> tuple[Edge, ...]:
        return tuple(edge for edge in edges if edge.claimant not in self._changed)


class ForkedTies(FleetTies):
    """What is known of ties, with the doubts of unchanged hosts as the base has them."""

    def __init__(self, base: FleetTies, graph: FleetGraph, hosts: Mapping[str, HostFacts], changed: frozenset[str]) -> None:
        ours = unnamed_hosts(hosts[name] for name in changed)
        super().__init__(graph, hosts, (base.strangers.unnamed - changed) | ours)
        self._base = base
        self._changed = changed

    def side_doubt(self, name: str, side: str, kind: str, product: str | None) -> tuple[str, ...]:
        """See FleetTies."""
        if name not in self._changed:
            return self._base.side_doubt(name, side, kind, product)
        return super().side_doubt(name, side, kind, product)

    def doubtful(self, side: str, kind: str, product: str | None) -> frozenset[str]:
        """See FleetTies."""
        ours = (name for name in self._changed if self.side_doubt(name, side, kind, product))
        return (self._base.doubtful(side, kind, product) - self._changed) | frozenset(ours)
