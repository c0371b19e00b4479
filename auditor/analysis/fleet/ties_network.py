"""Ties that the network shows: who logged on from where, and who serves names, addresses and time."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.analysis.fleet.naming import Naming
from auditor.analysis.host.claims import LogonSource, newest
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge, Evidence
from auditor.model.host import LogonReading


def logon_edges(facts: HostFacts, naming: Naming) -> list[Edge]:
    """One edge for each source that logged on to the host, with the newest logons as evidence."""
    by_source: dict[str, list[LogonSource]] = {}
    for source in facts.claims.logons:
        node = _source(facts, source, naming)
        if node is not None and node != f"host:{facts.name}":
            by_source.setdefault(node, []).append(source)
    return [_logon_edge(facts, node, found) for node, found in sorted(by_source.items())]


def _source(facts: HostFacts, source: LogonSource, naming: Naming) -> str | None:
    """The workstation's name where it says something, else the address. Where the two name different targets, neither counts."""
    where = f"logons: {source.newest[0].time}"
    nodes: list[str] = []
    for text in (source.workstation, source.address):
        node = naming.node(text, claimant=facts.name, kind="logs-on-to", side="source", where=where, outside=True) if text else None
        if node is not None:
            nodes.append(node)
    hosts = sorted({node for node in nodes if node.startswith("host:")})
    if len(hosts) > 1:
        names = tuple(host.removeprefix("host:") for host in hosts)
        naming.leave_open(facts.name, "logs-on-to", "source", source.workstation or "", "workstation and address differ", where, names)
        return None
    return next(iter(hosts or nodes), None)


def _logon_edge(facts: HostFacts, node: str, sources: list[LogonSource]) -> Edge:
    told, count = newest(logon for source in sources for logon in source.newest), sum(source.count for source in sources)
    evidence = tuple(_logon_told(facts, logon) for logon in told)
    detail = f"{count} logons, last {told[0].time}" if count > 1 else f"1 logon, {told[0].time}"
    return Edge(kind="logs-on-to", source=node, target=f"host:{facts.name}", claimant=facts.name, evidence=evidence, detail=detail)


def _logon_told(facts: HostFacts, logon: LogonReading) -> Evidence:
    who = "\\".join(part for part in (logon.domain, logon.account) if part)
    source = logon.workstation or logon.address or ""
    return facts.evidence("logons", logon.time, "workstation" if logon.workstation else "address", f"{source} {who}".strip())


def serving_edges(facts: HostFacts, naming: Naming) -> list[Edge]:
    """Edges from DNS, DHCP and time servers to the host."""
    edges: dict[tuple[str, str], Edge] = {}
    for word, name, record in _servers(facts):
        node = naming.node(name, claimant=facts.name, kind="serves", side="source", where=f"network: {word}", outside=True)
        if node is not None and node != f"host:{facts.name}":
            evidence = (facts.evidence("network", record, word, name),)
            edge = Edge(kind="serves", source=node, target=f"host:{facts.name}", claimant=facts.name, evidence=evidence, detail=word)
            edges.setdefault((node, word), edge)
    return list(edges.values())


def _servers(facts: HostFacts) -> Iterator[tuple[str, str, str]]:
    for network in facts.claims.networks:
        record = network.computer_name or network.host_name or "network"
        for adapter in network.adapters:
            yield from (("dns", server, record) for server in adapter.dns_servers)
            if adapter.dhcp_enabled is not False and adapter.dhcp_server:
                yield "dhcp", adapter.dhcp_server, record
        for part in (network.time_server or "").split():
            yield "time", part.partition(",")[0], record
