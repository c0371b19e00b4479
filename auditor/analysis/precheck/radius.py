"""Who feels it when a host is changed: hosts that it manages or serves, copies from and to it, and peers of its groups. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.analysis.fleet.fleet import Fleet
from auditor.model.finding import Edge
from auditor.model.whatif import Dependent, Radius

LISTED = 50
"""Dependents listed of each kind; of more only the number is told."""
_WORDS = {
    "manages": "is managed by it",
    "serves": "is served by it",
    "copies-out": "it copies to this host",
    "copies-in": "this host copies to it",
    "logs-on-to": "logs on to it",
    "same-group": "is in the same group",
}


def radius_of(fleet: Fleet, host: str) -> Radius:
    """The hosts that depend on one, as far as somebody states it. Names that are no hosts of the fleet are listed too."""
    clients = [*_at(fleet, host, "out", "manages", "manages"), *_at(fleet, host, "out", "serves", "serves")]
    copies = [
        *_at(fleet, host, "out", "copies-to", "copies-out"),
        *_at(fleet, host, "in", "copies-to", "copies-in"),
        *_outside(fleet, host),
    ]
    peers = [*_at(fleet, host, "out", "same-group", "same-group"), *_at(fleet, host, "in", "logs-on-to", "logs-on-to")]
    kept, left = zip(*(_shortened(found) for found in (clients, copies, peers)), strict=True)
    return Radius(clients=kept[0], copies=kept[1], peers=kept[2], others=sum(left))


def _shortened(found: list[Dependent]) -> tuple[tuple[Dependent, ...], int]:
    unique = tuple(dict.fromkeys(found))
    return unique[:LISTED], max(0, len(unique) - LISTED)


def _at(fleet: Fleet, host: str, direction: str, kind: str, word: str) -> Iterator[Dependent]:
    for other, edges in sorted(fleet.ties.neighbours(host, direction, kind, None).items()):
        yield Dependent(node=f"host:{other}", why=_why(word, edges), kind=kind, claimant=edges[0].claimant)


def _why(word: str, edges: Iterable[Edge]) -> str:
    details = sorted({_detail(edge) for edge in edges} - {""})
    return f"{_WORDS[word]}{' (' + '; '.join(details[:3]) + ')' if details else ''}"


def _detail(edge: Edge) -> str:
    if edge.kind == "member-of":
        return edge.target.rpartition(":")[2]
    if edge.kind == "copies-to":
        hours = _hours(edge.hours or ())
        marks = [f"share {edge.share}" if edge.share else "", "deletes" if edge.destructive else "", hours]
        return " ".join(mark for mark in marks if mark)
    return edge.product or edge.detail


def _hours(hours: Iterable[int]) -> str:
    """Hours of the day, runs of them as a range: `07h-20h`."""
    runs: list[list[int]] = []
    for hour in sorted(set(hours)):
        if runs and hour == runs[-1][-1] + 1:
            runs[-1].append(hour)
        else:
            runs.append([hour])
    return ", ".join(f"{run[0]:02d}h" if len(run) == 1 else f"{run[0]:02d}h-{run[-1]:02d}h" for run in runs)


def _outside(fleet: Fleet, host: str) -> Iterator[Dependent]:
    """Copies between the host and names that are none of the fleet's."""
    for edge in fleet.graph.copies_outside(host):
        near, far = (edge.source, edge.target) if edge.source == f"host:{host}" else (edge.target, edge.source)
        word = "copies-out" if near == edge.source else "copies-in"
        yield Dependent(node=far, why=_why(word, (edge,)), kind=edge.kind, claimant=edge.claimant)
