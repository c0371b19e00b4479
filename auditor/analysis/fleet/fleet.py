"""The fleet as rules see it: facts of every target, who is who, and the graph. Built once from snapshots, targets and the matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.analysis.fleet.graph import FleetGraph, build_graph
from auditor.analysis.fleet.identity import Resolver
from auditor.analysis.fleet.knowledge import FleetTies
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.detect import Detector
from auditor.model.finding import Product
from auditor.model.host import SECTION_NAMES, Snapshot, Target
from auditor.model.rule import Matrix


class Fleet:
    """Hosts by target name; those of which nothing was collected have empty facts that know nothing."""

    def __init__(
        self,
        hosts: Mapping[str, HostFacts],
        resolver: Resolver,
        graph: FleetGraph,
        ties: FleetTies | None = None,
        collected: tuple[str, ...] | None = None,
    ) -> None:
        self.hosts = hosts
        self.resolver = resolver
        self.graph = graph
        self.ties = ties or FleetTies(graph, hosts)
        self.collected = tuple(sorted(name for name, facts in hosts.items() if facts.collected)) if collected is None else collected
        """Targets with a snapshot, sorted."""

    @property
    def products(self) -> Mapping[str, tuple[Product, ...]]:
        """Products by collected target."""
        return {name: self.hosts[name].products for name in self.collected}


def build_fleet(
    snapshots: Mapping[str, Snapshot],
    targets: Sequence[Target],
    matrix: Matrix,
    reasons: Mapping[str, str] | None = None,
) -> Fleet:
    """The fleet of the targets. `reasons` says, by target, why there is no snapshot. Snapshots of hosts that are no targets count too."""
    detector = Detector(matrix.signatures)
    groups = {target.name: target.groups for target in targets}
    hosts: dict[str, HostFacts] = {}
    for name in sorted({*groups, *snapshots}):
        snapshot = snapshots.get(name)
        if snapshot is not None and answered(snapshot):
            hosts[name] = HostFacts(snapshot, groups.get(name, ()))
            detector.detect(hosts[name])
        else:
            hosts[name] = unknown_host(name, groups.get(name, ()), (reasons or {}).get(name, ""), detector)
    return fleet_of(hosts, targets)


def fleet_of(hosts: Mapping[str, HostFacts], targets: Sequence[Target]) -> Fleet:
    """The fleet of hosts whose products are detected, by target name."""
    collected = {name: facts for name, facts in hosts.items() if facts.collected}
    resolver = Resolver.of(targets, {name: facts.claims.networks for name, facts in collected.items()})
    return Fleet(hosts, resolver, build_graph(collected, resolver))


def answered(snapshot: Snapshot) -> bool:
    """Whether at least one section can be read: a snapshot without any is a host that was not collected."""
    return any(getattr(snapshot.sections, name).usable for name in SECTION_NAMES)


def unknown_host(name: str, groups: tuple[str, ...], reason: str, detector: Detector) -> HostFacts:
    """A target of which nothing was collected."""
    facts = HostFacts(Snapshot(host=name, collected_at="", collector="", transport=""), groups, collected=False, reason=reason)
    detector.detect(facts)
    return facts
