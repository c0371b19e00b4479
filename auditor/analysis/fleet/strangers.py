"""Names at the far ends of ties that nobody of the fleet is known by, and the targets whose own names were not seen. Pure.

Rules of this file:
1. A target that was not collected, or whose network was not read, may have names that only it knows: any plain name that stays unknown
   may be it. It is not guessed which: that a name looks like the target's proves nothing.
2. An address is no plain name. An ambiguous name means its candidates only. Full names of different domains are different hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from auditor.analysis.fleet.graph import FleetGraph
from auditor.analysis.fleet.identity import domain_of
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge

_TOLD_HOSTS = 3
_TOLD_NAMES = 8


def unnamed_hosts(hosts: Iterable[HostFacts]) -> frozenset[str]:
    """Targets of which it was not seen what they call themselves."""
    return frozenset(facts.name for facts in hosts if not facts.collected or not facts.claims.named)


class Strangers:
    """Unknown names by the host that is tied to them."""

    def __init__(self, graph: FleetGraph, unnamed: frozenset[str], hosts: Mapping[str, HostFacts]) -> None:
        self._graph = graph
        self._hosts = hosts
        self.unnamed = unnamed
        """Targets that an unknown name may mean."""
        self._sorted = tuple(sorted(unnamed))
        self._of_domain: dict[str, tuple[str, ...]] = {}
        self._settled = frozenset(name.name for name in graph.open_names if name.candidates)

    def hosts(self, direction: str, kind: str) -> frozenset[str]:
        """Hosts with a tie of the kind `out` to or `in` from a name that is no target's. Empty where every target's names are known."""
        return self._graph.strange_hosts(direction, kind) if self.unnamed else frozenset()

    def edges(self, host: str, direction: str, kind: str, product: str | None) -> tuple[Edge, ...]:
        """A host's ties of the kind to names that may be an unnamed target other than itself."""
        if not self.unnamed:
            return ()
        edges = self._graph.strange_edges(host, direction, kind)
        return tuple(e for e in edges if product in (None, e.product) and any(t != host for t in self._meant(_name(e))[:2]))

    def doubts(self, host: str, direction: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What a host's ties to unknown names leave open, whoever of the fleet they mean."""
        edges = self.edges(host, direction, kind, product)
        return _shortened([_told(edge, self._subject(host, self._meant(_name(edge)))) for edge in edges])

    def doubts_about(self, host: str, other: str, direction: str, kind: str, product: str | None) -> tuple[str, ...]:
        """Why an unnamed target may be at the other end of a host's ties of the kind."""
        if other not in self.unnamed or other == host:
            return ()
        subject, domain = self._subject(host, (other,)), domain_of(other)
        edges = self.edges(host, direction, kind, product)
        return _shortened([_told(e, subject) for e in edges if not domain or domain_of(_name(e)) in ("", domain)])

    def _meant(self, name: str) -> tuple[str, ...]:
        """Unnamed targets that a name may mean, sorted."""
        domain = None if name in self._settled else domain_of(name)
        if not domain:
            return () if domain is None else self._sorted
        if domain not in self._of_domain:
            self._of_domain[domain] = tuple(target for target in self._sorted if (domain_of(target) or domain) == domain)
        return self._of_domain[domain]

    def _subject(self, host: str, meant: Sequence[str]) -> str:
        told = [target for target in meant[: _TOLD_HOSTS + 1] if target != host]
        count = len(meant) - (host in self.unnamed and host in meant)
        if count == 1:
            return f"{told[0]} was not seen: it" if not self._hosts[told[0]].collected else f"{told[0]}: its own names were not seen: it"
        more = f" and {count - _TOLD_HOSTS} more" if count > _TOLD_HOSTS else ""
        return f"the names of {', '.join(told[:_TOLD_HOSTS])}{more} were not seen: one"


def _told(edge: Edge, subject: str) -> str:
    return f"{subject} may be {_name(edge)} ({edge.claimant}: {edge.kind})"


def _shortened(texts: list[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(texts))
    return (*found[:_TOLD_NAMES], f"and {len(found) - _TOLD_NAMES} more of the kind") if len(found) > _TOLD_NAMES else found


def _name(edge: Edge) -> str:
    """The end of an edge that is no target."""
    return (edge.source if edge.source.startswith("name:") else edge.target).removeprefix("name:")
