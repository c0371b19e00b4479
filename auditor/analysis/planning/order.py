"""In which order hosts are changed: along their ties as the remedy says, one of a pair at a time, one first, then a tenth at most. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import networkx

from auditor.analysis.planning.choose import Task
from auditor.analysis.planning.facts import Request
from auditor.model.errors import RemediationError
from auditor.model.finding import Edge
from auditor.model.plan import Wave, WaveItem

PART = 10
"""After the first host, a wave holds at most one in so many of the plan's hosts."""
_LEADING = ("manages", "updates")


def waves_of(request: Request, tasks: Sequence[Task]) -> tuple[Wave, ...]:
    """All tasks in waves. Raises RemediationError where hosts wait for each other in a circle."""
    hosts = list(dict.fromkeys(task.host for task in tasks))
    waits = _waits(request.edges, tasks)
    dependants = _dependants(request.edges, set(hosts))
    apart = [set(group) for group in request.apart] + _redundant(request.edges, hosts)
    most = max(1, len(hosts) // PART)
    place = {host: number for number, host in enumerate(hosts)}
    waves: list[list[str]] = []
    done: set[str] = set()
    while len(done) < len(hosts):
        ready = [host for host in hosts if host not in done and waits.get(host, set()) <= done]
        if not ready:
            circle = ", ".join(host for host in hosts if host not in done)
            raise RemediationError(f"the hosts wait for each other in a circle: {circle}", next_step="plan them one by one with --host")
        ready.sort(key=lambda host: (dependants.get(host, 0), place[host]))
        wave = _pick(ready, 1 if not waves else most, apart)
        waves.append(wave)
        done |= set(wave)
    remedies: dict[str, list[str]] = {}
    for task in tasks:
        remedies.setdefault(task.host, []).append(task.remedy.id)
    return tuple(_wave(number, wave, remedies, waits) for number, wave in enumerate(waves, 1))


def left_behind(edges: Iterable[Edge], tasks: Sequence[Task]) -> list[str]:
    """What a person does first: move the clients of a host that is about to stop managing them and that the plan does not change."""
    going = {task.host for task in tasks if task.remedy.order == "clients-first" and task.remedy.operation in ("convert", "remove")}
    planned = {task.host for task in tasks}
    clients: dict[str, list[str]] = {}
    for edge in edges:
        manager, client = edge.source.removeprefix("host:"), edge.target.removeprefix("host:").removeprefix("name:")
        if edge.kind == "manages" and manager in going and client not in planned:
            clients.setdefault(manager, []).append(client)
    return [f"{host}: move its clients to another parent first: {', '.join(sorted(set(found)))}" for host, found in sorted(clients.items())]


def _waits(edges: Iterable[Edge], tasks: Sequence[Task]) -> Mapping[str, set[str]]:
    """Host -> hosts of the plan that come before it, as its remedy's order says."""
    orders: dict[str, str] = {}
    for task in tasks:
        if orders.get(task.host, "any") == "any":
            orders[task.host] = task.remedy.order
    found: dict[str, set[str]] = {}
    for edge in edges:
        manager, client = edge.source.removeprefix("host:"), edge.target.removeprefix("host:")
        if edge.kind not in _LEADING or manager == client or manager not in orders or client not in orders:
            continue
        if orders[client] == "managers-first":
            found.setdefault(client, set()).add(manager)
        elif orders[manager] == "clients-first":
            found.setdefault(manager, set()).add(client)
    return found


def _dependants(edges: Iterable[Edge], hosts: set[str]) -> Mapping[str, int]:
    """Host -> how many others anywhere depend on it: such a host is never the first where another can be."""
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    graph.add_edges_from((e.source.removeprefix("host:"), e.target.removeprefix("host:")) for e in edges if e.kind in (*_LEADING, "serves"))
    return {host: len(networkx.descendants(graph, host)) for host in hosts if host in graph}


def _redundant(edges: Iterable[Edge], hosts: Sequence[str]) -> list[set[str]]:
    """Hosts that serve the others of their group stand in for each other: never two of them at once."""
    known = list(edges)
    leading = {edge.source.removeprefix("host:") for edge in known if edge.kind in (*_LEADING, "serves")}
    members: dict[str, set[str]] = {}
    for edge in known:
        host = edge.source.removeprefix("host:")
        if edge.kind == "member-of" and host in hosts and host in leading:
            members.setdefault(edge.target, set()).add(host)
    return [group for group in members.values() if len(group) > 1]


def _pick(ready: Sequence[str], most: int, apart: Sequence[set[str]]) -> list[str]:
    chosen: list[str] = []
    for host in ready:
        if len(chosen) == most:
            break
        if not any(host in group and group & set(chosen) for group in apart):
            chosen.append(host)
    return chosen


def _wave(number: int, hosts: Sequence[str], remedies: Mapping[str, Sequence[str]], waits: Mapping[str, set[str]]) -> Wave:
    items = tuple(WaveItem(remedy=remedy, host=host) for host in hosts for remedy in remedies[host])
    why = "first, alone" if number == 1 else f"at most one in {PART} of the plan's hosts"
    after = sorted({other for host in hosts for other in waits.get(host, ())})
    return Wave(number=number, why=f"{why}; after {', '.join(after)}" if after else why, items=items)
