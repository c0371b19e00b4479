"""What the fleet graph lets one say about a tie between two hosts: that it is there, that it is not, or what was not seen.

Rules of this file:
1. An absent edge is knowledge only where every section was seen that would have stated it: a copy by the tasks and scripts of either end, a
   logon by the logons of the host logged on to, management and groups by the products of the hosts.
2. An end that stays open (a variable, an ambiguous name) leaves the ties in doubt that it may mean; a plain unknown name is a host
   outside the fleet, or a target whose own names were not seen (see strangers).
3. A host that was not collected has no say: its ties are known only as far as others state them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from auditor.analysis.fleet.graph import FleetGraph
from auditor.analysis.fleet.naming import OpenName
from auditor.analysis.fleet.strangers import Strangers, unnamed_hosts
from auditor.analysis.fleet.ties_product import update_edge, updates_in_group
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge, Product

_ANYBODY = ""
_TOLD_DOUBTS = 8
"""Doubts told one by one; of more only the number is told."""


class DoubtsTold(msgspec.Struct, frozen=True, array_like=True):
    """Doubts of many hosts: how many there are, and the first of them, enough whichever host is left out."""

    count: int
    shown: tuple[tuple[str, str], ...]
    """Host and doubt."""


class FleetTies:
    """Answers of the graph with their doubts; see `binding.Ties`. `hosts` holds every target, collected or not."""

    def __init__(self, graph: FleetGraph, hosts: Mapping[str, HostFacts], unnamed: frozenset[str] | None = None) -> None:
        self._graph = graph
        self._hosts = hosts
        self.strangers = Strangers(graph, unnamed_hosts(hosts.values()) if unnamed is None else unnamed, hosts)
        self._open: dict[tuple[str, str, str], list[OpenName]] = {}
        self._meant: dict[tuple[str, str, str], list[OpenName]] = {}
        for name in graph.open_names:
            self._open.setdefault((name.other, name.kind, name.side), []).append(name)
            for candidate in name.candidates if name.name else (_ANYBODY,):
                self._meant.setdefault((candidate, name.kind, name.side), []).append(name)
        self._sides: dict[tuple[str, str, str, str | None], tuple[str, ...]] = {}
        self._doubtful: dict[tuple[str, str, str | None], frozenset[str]] = {}
        self._told: dict[tuple[str, str, str | None], DoubtsTold] = {}
        self._meant_at: dict[tuple[str, str, str], Counter[str]] = {}
        self._open_hosts: dict[tuple[str, str], frozenset[str]] = {}

    def between(self, source: str, target: str, kind: str, product: str | None) -> tuple[Edge, ...]:
        """Edges of a kind from one target to another; `same-group` gives the memberships of both."""
        if kind == "same-group":
            return self._shared(source, target, product)
        if kind == "updates":
            return self._updates(source, target, product)
        return _of_product(self._graph.edges_at(source, "out", kind).get(target, ()), product)

    def neighbours(self, name: str, direction: str, kind: str, product: str | None) -> Mapping[str, tuple[Edge, ...]]:
        """Other targets at the end of such edges."""
        if kind not in ("same-group", "updates"):
            there = self._graph.edges_at(name, direction, kind)
            if product is None or not there:
                return there
            found = {other: _of_product(edges, product) for other, edges in there.items()}
            return {other: edges for other, edges in found.items() if edges}
        others = {e.source.removeprefix("host:") for own in self._memberships(name, product) for e in self._graph.members(own.target)}
        others.discard(name)
        pairs = {other: (name, other) if direction == "out" else (other, name) for other in sorted(others)}
        found = {other: self.between(*pair, kind, product) for other, pair in pairs.items()}
        return {other: edges for other, edges in found.items() if edges}

    def _memberships(self, name: str, product: str | None) -> tuple[Edge, ...]:
        return _of_product(self._graph.memberships(name), product)

    def _shared(self, source: str, target: str, product: str | None) -> tuple[Edge, ...]:
        theirs = {edge.target: edge for edge in self._memberships(target, product)}
        return tuple(e for own in self._memberships(source, product) if own.target in theirs for e in (own, theirs[own.target]))

    def _updates(self, source: str, target: str, product: str | None) -> tuple[Edge, ...]:
        shared = {edge.product for edge in self._shared(source, target, product)}
        if not shared:
            return ()
        ours, theirs = (
            {p.id: p for p in self._hosts[name].products if p.id in shared and updates_in_group(self._hosts[name], p)}
            for name in (source, target)
        )
        both = sorted(ours.keys() & theirs.keys())
        return tuple(update_edge(self._hosts[source], ours[id_], self._hosts[target], theirs[id_]) for id_ in both)

    def doubt(self, source: str, target: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen that could state such an edge; empty where its absence is knowledge."""
        if kind in ("same-group", "updates"):
            return self._group_doubt(source, target, product)
        doubts = [*self.side_doubt(source, "source", kind, product), *self.side_doubt(target, "target", kind, product)]
        doubts += [str(o) for o in self._open.get((source, kind, "target"), ()) if o.may_mean(target)]
        doubts += [str(o) for o in self._open.get((target, kind, "source"), ()) if o.may_mean(source)]
        doubts += self.strangers.doubts_about(source, target, "out", kind, product)
        doubts += self.strangers.doubts_about(target, source, "in", kind, product)
        return tuple(dict.fromkeys(doubts))

    def side_doubt(self, name: str, side: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen of one host that could state such edges at all, whoever the other end is."""
        key = (name, side, kind, product)
        if key not in self._sides:
            self._sides[key] = tuple(dict.fromkeys(self._side(self._hosts[name], side, kind, product)))
        return self._sides[key]

    def _side(self, facts: HostFacts, side: str, kind: str, product: str | None) -> Iterable[str]:
        if kind == "copies-to":
            return facts.claims.copy_doubts
        if kind in ("same-group", "updates"):
            return _field_doubts(facts, product, ("group",) if kind == "same-group" else ("group", "role"))
        if side == "source":
            return ()
        if kind == "logs-on-to":
            return facts.claims.logon_doubts
        if kind == "manages":
            return _field_doubts(facts, product, ("parent",))
        return (unseen for unseen in (facts.unseen("network"),) if unseen and kind == "serves")

    def open_doubts(self, name: str, side: str, kind: str, product: str | None = None) -> tuple[str, ...]:
        """Claims of an edge of the kind with a host on `side` whose other end may be some other host of the fleet."""
        other = "target" if side == "source" else "source"
        open_ends = (str(o) for o in self._open.get((name, kind, other), ()) if _may_be_ours(o))
        return (*open_ends, *self.strangers.doubts(name, "out" if side == "source" else "in", kind, product))

    def open_hosts(self, side: str, kind: str) -> frozenset[str]:
        """Hosts that have such claims of a kind on a side, but for names that only a target without known names may have."""
        key = (side, kind)
        if key not in self._open_hosts:
            other = "target" if side == "source" else "source"
            found = (
                host for (host, of, open_), names in self._open.items() if of == kind and open_ == other and any(map(_may_be_ours, names))
            )
            self._open_hosts[key] = frozenset(found)
        return self._open_hosts[key]

    def _group_doubt(self, source: str, target: str, product: str | None) -> tuple[str, ...]:
        """Two hosts may share a group where one's group is not known and the other has one, or may have one."""
        ours, theirs = (self.side_doubt(name, "source", "same-group", product) for name in (source, target))
        if ours and (theirs or self._memberships(target, product)):
            return tuple(dict.fromkeys((*ours, *theirs)))
        return theirs if theirs and self._memberships(source, product) else ()

    def doubt_of_all(self, name: str, direction: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen of the whole fleet that could state such an edge at a target; of many doubts only some are told."""
        ours, theirs = ("source", "target") if direction == "out" else ("target", "source")
        own = [*self.side_doubt(name, ours, kind, product), *self.open_doubts(name, ours, kind, product)]
        others = self.doubts_of_others(theirs, kind, product)
        meant = [self._meant.get((who, kind, ours), []) for who in (name, _ANYBODY)]
        shown = dict.fromkeys(own)
        shown |= dict.fromkeys(islice((doubt for host, doubt in others.shown if host != name), _TOLD_DOUBTS))
        shown |= dict.fromkeys(str(o) for names in meant for o in islice((o for o in names if o.other != name), _TOLD_DOUBTS))
        count = len(own) + others.count - len(self.side_doubt(name, theirs, kind, product))
        count += sum(len(names) - self._own_meant(name, who, kind, ours) for who, names in zip((name, _ANYBODY), meant, strict=True))
        return _shortened(list(shown), count)

    def doubts_of_others(self, side: str, kind: str, product: str | None) -> DoubtsTold:
        """Every host's doubts on a side, by host; looked for once for all hosts."""
        key = (side, kind, product)
        if key not in self._told:
            hosts = sorted(self.doubtful(*key))
            self._told[key] = _some_told((host, self.side_doubt(host, *key)) for host in hosts)
        return self._told[key]

    def _own_meant(self, name: str, who: str, kind: str, side: str) -> int:
        """How many of the open ends that may mean `who` are at the host itself."""
        key = (who, kind, side)
        if key not in self._meant_at:
            self._meant_at[key] = Counter(o.other for o in self._meant.get(key, ()))
        return self._meant_at[key][name]

    def doubtful(self, side: str, kind: str, product: str | None) -> frozenset[str]:
        """Hosts of which something was not seen that could state such edges; looked for once for all hosts."""
        key = (side, kind, product)
        if key not in self._doubtful:
            self._doubtful[key] = frozenset(name for name in self._hosts if self.side_doubt(name, *key))
        return self._doubtful[key]


def _some_told(doubts: Iterable[tuple[str, tuple[str, ...]]]) -> DoubtsTold:
    shown: list[tuple[str, str]] = []
    count = most = 0
    for host, reasons in doubts:
        if len(shown) - most < _TOLD_DOUBTS:
            shown += [(host, reason) for reason in reasons]
            most = max(most, len(reasons))
        count += len(reasons)
    return DoubtsTold(count, tuple(shown))


def _may_be_ours(name: OpenName) -> bool:
    """Whether an open end may be any host of the fleet, or one of some: a plain unknown name is the strangers' matter."""
    return bool(name.candidates) or not name.name


def _shortened(doubts: list[str], count: int) -> tuple[str, ...]:
    """Some doubts, and how many more there are of `count`."""
    if count > _TOLD_DOUBTS and len(doubts) > _TOLD_DOUBTS:
        return (*doubts[:_TOLD_DOUBTS], f"and {count - _TOLD_DOUBTS} more of the kind")
    return tuple(doubts)


def _of_product(edges: Iterable[Edge], product: str | None) -> tuple[Edge, ...]:
    return tuple(edge for edge in edges if product in (None, edge.product))


def _field_doubts(facts: HostFacts, product: str | None, fields: tuple[str, ...]) -> Iterable[str]:
    """What is missing to know fields of a host's products: of one, or of any that was found."""
    if not facts.collected and (unseen := facts.unseen("security")):
        yield unseen
        return
    for found in facts.products:
        if product in (None, found.id) and not found.remnant:
            yield from (m for field in fields if _open(found, field) for m in facts.doubts_of(found.id, field))
    if product is not None:
        yield from facts.unsure.get(product, ())


def _open(product: Product, field: str) -> bool:
    return field in product.unknown
