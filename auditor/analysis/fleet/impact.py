"""What depends on a host, a product or a driver: who is reached over which ties, by the shortest path, and cycles of copy jobs. Pure.

Rules of this file:
1. A tie is followed from what others depend on to who depends on it: a manager to its clients, a server of names to those it serves, the
   source of a copy to its destination, a host to those that it logs on to, a server of a group to the servers that it updates.
2. A product reaches, from the hosts where it serves or manages, those that it has ties of its own with; a driver reaches whoever depends
   on the hosts where it is.
3. Of paths that are equally long the one is told whose names come first. What was not seen that could add ties is told apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge, Evidence, Product
from auditor.model.host import DriverRecord
from auditor.model.whatif import Hop, Impact, Reach

_FOLLOWED: Mapping[str, tuple[str, str]] = {
    "manages": ("out", "manages"),
    "updates": ("out", "updates"),
    "serves": ("out", "serves"),
    "depends-on": ("in", "is depended on by"),
    "copies-to": ("out", "copies to"),
    "logs-on-to": ("out", "logs on to"),
}
OF_PRODUCTS = ("manages", "updates")
"""Kinds of ties that a product makes."""
MOST_REACHED = 500
MOST_CYCLES = 50
LONGEST_CYCLE = 8
_TOLD = 40


def host_impact(fleet: Fleet, host: str) -> Impact:
    """What depends on a host."""
    return Impact(
        subject=host,
        kind="host",
        holders=(Evidence(host=host, section="", record=host),),
        reached=_reach(fleet, [host], tuple(_FOLLOWED), None),
        cycles=copy_cycles(fleet, [host]),
        in_doubt=_doubts(fleet, [host], tuple(_FOLLOWED), None),
    )


def product_impact(fleet: Fleet, id_: str, holders: Iterable[tuple[str, Product]], unsure: Sequence[str]) -> Impact:
    """What depends on the hosts that have a product, over the ties that it makes."""
    found = sorted(holders, key=lambda pair: pair[0])
    hosts = [host for host, product in found if product.role in ("server", "manager")] or [host for host, _ in found]
    return Impact(
        subject=id_,
        kind="product",
        holders=tuple(_holder(host, product) for host, product in found),
        unsure=tuple(unsure),
        reached=_reach(fleet, hosts, OF_PRODUCTS, id_),
        cycles=copy_cycles(fleet, hosts),
        in_doubt=_doubts(fleet, hosts, OF_PRODUCTS, id_),
    )


def driver_impact(fleet: Fleet, name: str, unsure: Sequence[str]) -> Impact:
    """What depends on the hosts on which a driver is."""
    found = [(host, record) for host in fleet.collected for record in fleet.hosts[host].drivers.get(driver_key(name), ())]
    hosts = list(dict.fromkeys(host for host, _ in found))
    return Impact(
        subject=name,
        kind="driver",
        holders=tuple(_driver(fleet.hosts[host], record) for host, record in found),
        unsure=tuple(unsure),
        local=tuple(evidence for host in hosts for evidence in _needs(fleet.hosts[host], driver_key(name))),
        reached=_reach(fleet, hosts, tuple(_FOLLOWED), None),
        cycles=copy_cycles(fleet, hosts),
        in_doubt=_doubts(fleet, hosts, tuple(_FOLLOWED), None),
    )


def driver_key(name: str) -> str:
    """The name under which drivers are looked up."""
    return name.casefold().removesuffix(".sys")


def product_holders(fleet: Fleet, id_: str) -> list[tuple[str, Product]]:
    """Hosts on which a product is installed, with it."""
    return [(host, p) for host in fleet.collected for p in fleet.hosts[host].products_by_id.get(id_, ()) if not p.remnant]


def unsure_of_product(fleet: Fleet, id_: str) -> list[str]:
    """Why hosts may have a product unseen."""
    seen = (reason for host in fleet.collected for reason in fleet.hosts[host].unsure.get(id_, ()))
    return [*dict.fromkeys(seen), *_not_collected(fleet)]


def unsure_of_driver(fleet: Fleet, name: str) -> list[str]:
    """Why hosts may have a driver unseen."""
    key = driver_key(name)
    seen = (why for host in fleet.collected if key not in fleet.hosts[host].drivers and (why := fleet.hosts[host].unseen("drivers")))
    return [*dict.fromkeys(seen), *_not_collected(fleet)]


def _not_collected(fleet: Fleet) -> list[str]:
    return [why for name in sorted(fleet.hosts) if not fleet.hosts[name].collected and (why := fleet.hosts[name].unseen("drivers"))]


def _holder(host: str, product: Product) -> Evidence:
    words = " ".join(part for part in (product.version, product.role if product.role != "unknown" else None) if part)
    best = next((e for e in product.evidence if e.about in ("", "presence")), None)
    return Evidence(
        host=host, section=best.section if best else "", record=best.record if best else product.id, field="installed", value=words
    )


def _driver(facts: HostFacts, record: DriverRecord) -> Evidence:
    words = " ".join(part for part in (record.file_version, record.state) if part)
    return facts.evidence("drivers", record.name, "state", words)


def _needs(facts: HostFacts, key: str) -> Iterator[Evidence]:
    """Products that a driver belongs to, and services that name it among what they depend on."""
    for product in facts.products:
        signature = facts.signatures.get(product.id)
        if signature is not None and key in {driver_key(name) for name in signature.drivers}:
            yield facts.evidence("products", product.id, "driver of", product.name)
    for service in facts.sections.services.records:
        if key in {driver_key(name) for name in service.depends_on}:
            yield facts.evidence("services", service.name, "depends on", key)


def _reach(fleet: Fleet, start: Sequence[str], kinds: Sequence[str], product: str | None) -> tuple[Reach, ...]:
    """Everything that depends on the start, nearest first, each with its shortest path."""
    paths: dict[str, tuple[Hop, ...]] = {f"host:{host}": () for host in start}
    queue = sorted(paths)
    while queue and len(paths) - len(start) < MOST_REACHED:
        later: list[str] = []
        for node in queue:
            for hop in _hops(fleet, node, kinds, product):
                if hop.far not in paths:
                    paths[hop.far] = (*paths[node], hop)
                    later.append(hop.far)
        queue = sorted(later)
    found = [Reach(node=node, distance=len(path), path=path) for node, path in paths.items() if path]
    return tuple(sorted(found, key=lambda reach: (reach.distance, reach.node.casefold())))[:MOST_REACHED]


def _hops(fleet: Fleet, node: str, kinds: Sequence[str], product: str | None) -> Iterator[Hop]:
    """The ties that lead on from a node, by the name of their far end; names outside the fleet lead nowhere."""
    if not node.startswith("host:"):
        return
    host = node.removeprefix("host:")
    found: list[Hop] = []
    for kind in kinds:
        direction, word = _FOLLOWED[kind]
        for other, edges in fleet.ties.neighbours(host, direction, kind, product).items():
            found.append(_hop(node, f"host:{other}", kind, word, edges[0]))
        if kind == "copies-to":
            found += [_hop(node, edge.target, kind, word, edge) for edge in fleet.graph.copies_outside(host) if edge.source == node]
    yield from sorted(found, key=lambda hop: (hop.far.casefold(), kinds.index(hop.kind)))


def _hop(near: str, far: str, kind: str, word: str, edge: Edge) -> Hop:
    details = [edge.product or "", edge.detail if edge.kind in ("serves", "copies-to") else ""]
    detail = "; ".join(part for part in details if part)
    return Hop(near=near, far=far, kind=kind, text=f"{word} ({detail})" if detail else word, claimant=edge.claimant)


def copy_cycles(fleet: Fleet, through: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Cycles of copy jobs through some hosts, the shortest first; each begins with its first name. No copy to itself."""
    found: dict[tuple[str, ...], None] = {}
    for start in sorted(through):
        for cycle in _cycles_at(fleet, start):
            turn = cycle.index(min(cycle))
            found[cycle[turn:] + cycle[:turn]] = None
            if len(found) >= MOST_CYCLES:
                return _ordered(found)
    return _ordered(found)


def _ordered(cycles: Iterable[tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(cycles, key=lambda cycle: (len(cycle), cycle)))


def _cycles_at(fleet: Fleet, start: str) -> Iterator[tuple[str, ...]]:
    """Simple cycles of copies through a host, by growing length; each step goes to hosts from which the start can still be reached."""
    back = _sources_of(fleet, start)
    paths: list[tuple[str, ...]] = [(start,)]
    for _ in range(LONGEST_CYCLE):
        longer: list[tuple[str, ...]] = []
        for path in paths:
            for other in sorted(fleet.ties.neighbours(path[-1], "out", "copies-to", None)):
                if other == start:
                    yield path
                elif other in back and other not in path:
                    longer.append((*path, other))
        paths = longer[: MOST_CYCLES * LONGEST_CYCLE]


def _sources_of(fleet: Fleet, host: str) -> frozenset[str]:
    """Hosts whose files can get to a host over copies."""
    found, queue = {host}, [host]
    while queue:
        for other in fleet.ties.neighbours(queue.pop(), "in", "copies-to", None):
            if other not in found:
                found.add(other)
                queue.append(other)
    return frozenset(found)


def _doubts(fleet: Fleet, hosts: Sequence[str], kinds: Sequence[str], product: str | None) -> tuple[str, ...]:
    """What was not seen that could tie further hosts to these."""
    doubts = (d for host in hosts for kind in kinds for d in fleet.ties.doubt_of_all(host, _FOLLOWED[kind][0], kind, product))
    found = list(dict.fromkeys(doubts))
    return (*found[:_TOLD], f"and {len(found) - _TOLD} more of the kind") if len(found) > _TOLD else tuple(found)
