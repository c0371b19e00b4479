"""A fleet of which only the looked-at hosts are made: an index of the whole, and hosts that are made from what was kept when asked for.

Rules of this file:
1. The index holds who is there, what names mean, which hosts state a tie of which node, what was not seen of ties, and which hosts can play
   the roles of rules. It is made from a whole fleet and says the same as that.
2. Ties of a node are those that the hosts state which the index names for it, in the order of these hosts' names.
3. What the index was not made for is looked up host by host: slower, never otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.fleet.graph import FleetGraph, claimed_edges
from auditor.analysis.fleet.identity import NameTables, Resolver
from auditor.analysis.fleet.knowledge import DoubtsTold, FleetTies
from auditor.analysis.fleet.naming import Naming, OpenName
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.kept.kept import KeptHost
from auditor.analysis.rules.evaluate import Candidates, ScannedCandidates
from auditor.analysis.rules.ruleset import PairRule, RuleSet
from auditor.model.finding import Edge
from auditor.model.selector import EdgeSelector, TiesSelector

Numbers = tuple[int, ...]
"""Places of hosts in the index."""
Made = Callable[[str], HostFacts]


class FleetIndex(msgspec.Struct, frozen=True, array_like=True):
    """The whole of a fleet. Keys made of several words have `|` between them."""

    hosts: tuple[str, ...]
    """Every target, sorted."""
    collected: Numbers
    names: NameTables
    stated_at: dict[str, Numbers]
    """Node to hosts beside itself that state a tie of it."""
    open_names: tuple[OpenName, ...]
    unnamed: Numbers
    """Targets of which it was not seen what they call themselves."""
    strange: dict[str, Numbers]
    """Direction and kind to hosts with such ties to names that are no target's."""
    doubtful: dict[str, Numbers]
    """Side, kind and product to hosts of which something was not seen that could state such a tie."""
    told: dict[str, DoubtsTold]
    """Likewise, to what was not seen."""
    players: dict[str, Numbers]
    """What a role asks of a host, to the hosts that can play it."""
    versions: dict[str, tuple[str, ...]]
    """Product to its versions in the fleet, sorted."""
    groups: dict[str, Numbers]
    """Groups of the inventory to their targets."""
    blind: dict[str, str]
    """Targets whose snapshot says nothing or can't be read, with why."""
    concerned: dict[str, Numbers]
    """Rules with one role that look at the ties of the whole fleet, to the hosts that they can concern."""


def index_of(fleet: Fleet, rules: RuleSet, kept: Mapping[str, KeptHost], blind: Mapping[str, str]) -> FleetIndex:
    """The index of a whole fleet; `kept` are its collected hosts, `blind` those whose snapshots say nothing."""
    hosts = tuple(sorted(fleet.hosts))
    places = {name: place for place, name in enumerate(hosts)}

    def numbers(names: Iterable[str]) -> Numbers:
        return tuple(sorted(places[name] for name in names))

    asks = {plan.asks for plan in rules.plans if plan.alone}
    paired = {pair.rule.id for pair in rules.pairs}
    watching = [compiled.rule.id for compiled in rules.by_id.values() if compiled.ties and compiled.rule.id not in paired]
    sides = {_key(side, kind, product): (side, kind, product) for side, kind, product in _asked_sides(rules)}
    return FleetIndex(
        hosts=hosts,
        collected=numbers(fleet.collected),
        names=fleet.resolver.tables,
        stated_at={node: numbers(claimants) for node, claimants in _claimants(fleet.graph.edges).items()},
        open_names=tuple(fleet.graph.open_names),
        unnamed=numbers(fleet.ties.strangers.unnamed),
        strange={_key(*key): numbers(fleet.graph.strange_hosts(*key)) for key in fleet.graph.strange_kinds()},
        doubtful={key: numbers(fleet.ties.doubtful(*asked)) for key, asked in sides.items()},
        told={key: fleet.ties.doubts_of_others(*asked) for key, asked in sides.items()},
        versions=_versions(kept.values()),
        groups={group: numbers(names) for group, names in _groups(fleet.hosts).items()},
        blind=dict(blind),
        players={asked: numbers(name for name, host in kept.items() if asked in host.plays) for asked in asks},
        concerned={rule: numbers(name for name, host in kept.items() if rule in host.concerned) for rule in watching},
    )


def _versions(hosts: Iterable[KeptHost]) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for product in (product for host in hosts for product in host.products):
        if product.version:
            found.setdefault(product.id, set()).add(product.version)
    return {id_: tuple(sorted(versions)) for id_, versions in sorted(found.items())}


def _groups(hosts: Mapping[str, HostFacts]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, facts in hosts.items():
        for group in facts.groups:
            found.setdefault(group, []).append(name)
    return found


def _key(*words: str | None) -> str:
    return "|".join(word or "" for word in words)


def _asked_sides(rules: RuleSet) -> Iterator[tuple[str, str, str | None]]:
    """Sides of ties that rules ask about."""
    for compiled in rules.by_id.values():
        for _, selector in compiled.selectors():
            if isinstance(selector, EdgeSelector | TiesSelector):
                yield from ((side, kind, selector.product) for kind in selector.kinds for side in ("source", "target"))


def _claimants(edges: Iterable[Edge]) -> dict[str, set[str]]:
    """Nodes to the hosts, beside the node itself, that state a tie of it. `updates` follow from what the members of a group state."""
    found: dict[str, set[str]] = {}
    for edge in edges:
        for node in (edge.source, edge.target):
            if edge.kind != "updates" and node != f"host:{edge.claimant}" and not node.startswith("name:"):
                found.setdefault(node, set()).add(edge.claimant)
    return found


def open_fleet(index: FleetIndex, make: Made, rules: RuleSet) -> tuple[Fleet, Candidates]:
    """The fleet, and which of its hosts can play roles. `make` gives a target's facts, with products detected."""
    hosts = _Hosts(index.hosts, make)
    graph = _Graph(index, hosts, Naming(Resolver(index.names)))
    ties = _Ties(index, graph, hosts)
    fleet = Fleet(hosts, Resolver(index.names), graph, ties, tuple(index.hosts[place] for place in index.collected))
    return fleet, _Players(index, rules)


class _Hosts(Mapping[str, HostFacts]):
    """Targets by name, each made when it is asked for."""

    def __init__(self, names: Sequence[str], make: Made) -> None:
        self._names = dict.fromkeys(names)
        self._make = make
        self._made: dict[str, HostFacts] = {}

    def __getitem__(self, name: str) -> HostFacts:
        found = self._made.get(name)
        if found is None:
            if name not in self._names:
                raise KeyError(name)
            found = self._made[name] = self._make(name)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class _Graph(FleetGraph):
    """Ties of the nodes that are looked at."""

    def __init__(self, index: FleetIndex, hosts: _Hosts, naming: Naming) -> None:
        self._index = index
        self._hosts = hosts
        self._naming = naming
        self._collected = frozenset(index.collected)
        self._stated: dict[str, tuple[Edge, ...]] = {}
        self._near: dict[str, FleetGraph] = {}
        self.open_names = index.open_names

    @property
    def edges(self) -> tuple[Edge, ...]:  # type: ignore[override]
        """All but `updates`, which are asked for host by host."""
        return tuple(edge for place in self._index.collected for edge in self._of(self._index.hosts[place]))

    def _of(self, host: str) -> tuple[Edge, ...]:
        """What a host states."""
        if host not in self._stated:
            self._stated[host] = tuple(claimed_edges(self._hosts[host], self._naming)) if self._hosts[host].collected else ()
        return self._stated[host]

    def _around(self, node: str) -> FleetGraph:
        """The ties of a node, whoever states them."""
        if node not in self._near:
            claimants = {self._index.hosts[place] for place in self._index.stated_at.get(node, ())}
            own = node.removeprefix("host:")
            claimants |= {own} if node.startswith("host:") and own in self._hosts else set()
            edges = (edge for host in sorted(claimants) for edge in self._of(host))
            self._near[node] = FleetGraph(edge for edge in edges if node in (edge.source, edge.target))
        return self._near[node]

    def edges_at(self, name: str, direction: str, kind: str) -> Mapping[str, tuple[Edge, ...]]:
        """See FleetGraph."""
        return self._around(f"host:{name}").edges_at(name, direction, kind)

    def memberships(self, name: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return self._around(f"host:{name}").memberships(name)

    def members(self, group: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return self._around(group).members(group)

    def copies_outside(self, name: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return self._around(f"host:{name}").copies_outside(name)

    def strange_edges(self, name: str, direction: str, kind: str) -> Sequence[Edge]:
        """See FleetGraph."""
        return self._around(f"host:{name}").strange_edges(name, direction, kind)

    def strange_hosts(self, direction: str, kind: str) -> frozenset[str]:
        """See FleetGraph."""
        return frozenset(self._index.hosts[place] for place in self._index.strange.get(_key(direction, kind), ()))

    def strange_kinds(self) -> Collection[tuple[str, str]]:
        """See FleetGraph."""
        pairs = (key.split("|") for key in self._index.strange)
        return [(direction, kind) for direction, kind in pairs]


class _Ties(FleetTies):
    """What is known of ties, with what the index says of all hosts."""

    def __init__(self, index: FleetIndex, graph: FleetGraph, hosts: Mapping[str, HostFacts]) -> None:
        self._index = index
        super().__init__(graph, hosts, frozenset(index.hosts[place] for place in index.unnamed))

    def doubtful(self, side: str, kind: str, product: str | None) -> frozenset[str]:
        """See FleetTies."""
        places = self._index.doubtful.get(_key(side, kind, product))
        return super().doubtful(side, kind, product) if places is None else frozenset(self._index.hosts[place] for place in places)

    def doubts_of_others(self, side: str, kind: str, product: str | None) -> DoubtsTold:
        """See FleetTies."""
        return self._index.told.get(_key(side, kind, product)) or super().doubts_of_others(side, kind, product)


class _Players:
    """Candidates by the index."""

    def __init__(self, index: FleetIndex, rules: RuleSet) -> None:
        self._index = index
        self._others = ScannedCandidates(rules)
        self._known: dict[str, frozenset[str]] = {}

    def of(self, fleet: Fleet, rule: PairRule, role: str) -> Collection[str]:
        """See Candidates."""
        asks = rule.roles[role].asks
        if asks not in self._known:
            places = self._index.players.get(asks)
            found = self._others.of(fleet, rule, role) if places is None else [self._index.hosts[place] for place in places]
            self._known[asks] = frozenset(found)
        return self._known[asks]

    def concerned(self, fleet: Fleet, rule: str) -> Collection[str]:
        """See Candidates."""
        places = self._index.concerned.get(rule)
        return self._others.concerned(fleet, rule) if places is None else [self._index.hosts[place] for place in places]
