"""Which part of the fleet's graph is worth a picture: the neighbourhood of the findings. Values in, values out; draws nothing.

At most `MAXIMUM_NODES` nodes: ends of ties that a finding rests on, then subjects of findings, then their neighbours. Neighbours
with the same ties are folded into one node, and parallel ties into one line, so that the picture stays readable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Literal

import msgspec

from auditor.model.finding import Edge, Report
from auditor.model.rule import Severity
from auditor.report.wording import node_words, plural, worst_first

MAXIMUM_NODES = 300
FOLD_FROM = 4
FAN_FROM = 8
DELETES = "deletes"


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the picture."""

    key: str
    words: str
    """What is written on it; host-controlled."""
    kind: Literal["host", "name", "group", "fold"]
    severity: Severity | None = None
    """Of the worst finding on this host."""
    members: tuple[str, ...] = ()
    """Names of the nodes that were folded into it."""


class Tie(msgspec.Struct, frozen=True, kw_only=True):
    """All ties from one node to another, as one line."""

    source: str
    target: str
    labels: tuple[str, ...]
    destructive: bool = False
    in_finding: bool = False
    """Whether a finding rests on one of them."""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be drawn, and how many nodes were left out."""

    nodes: tuple[Node, ...]
    ties: tuple[Tie, ...]
    left_out: int = 0


def pick(report: Report) -> Picture:
    """The neighbourhood of the report's findings; empty where no subject has a tie."""
    findings = worst_first(report.findings)
    severity: dict[str, Severity] = {}
    for finding in findings:
        for subject in finding.subjects:
            severity.setdefault(f"host:{subject.host}", finding.severity)
    carrying = list(dict.fromkeys(edge for finding in findings for edge in finding.edges))
    core = dict.fromkeys([end for edge in carrying for end in (edge.source, edge.target)] + list(severity))
    near = [e for e in dict.fromkeys([*carrying, *report.edges]) if e.source != e.target and (e.source in core or e.target in core)]
    near, servers = _without_service_fans(near, set(carrying))
    tied = dict.fromkeys(end for edge in near for end in (edge.source, edge.target))
    ranked = [n for n in core if n in tied or n in servers] + [n for n in dict.fromkeys([*servers, *tied]) if n not in core]
    kept = set(ranked[:MAXIMUM_NODES])
    ties = _merge([e for e in near if e.source in kept and e.target in kept], set(carrying))
    folds = _folds(ties, keep=set(severity))
    nodes = _nodes([n for n in ranked if n in kept or n in servers], folds, severity)
    fans = [(node, tie) for server, served in servers.items() for node, tie in [_fan(server, served)]]
    return Picture(
        nodes=(*nodes, *(node for node, _ in fans)),
        ties=(*_fold_ties(ties, folds), *(tie for _, tie in fans)),
        left_out=max(len(ranked) - MAXIMUM_NODES, 0),
    )


def _without_service_fans(edges: list[Edge], carrying: set[Edge]) -> tuple[list[Edge], dict[str, list[Edge]]]:
    """Takes out what one server serves to many (name resolution for a whole fleet says little here); such servers with these edges."""
    served: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        if edge.kind == "serves" and edge not in carrying:
            served[edge.source].append(edge)
    fans = {server: found for server, found in served.items() if len({e.target for e in found}) > FAN_FROM}
    return [e for e in edges if e.kind != "serves" or e in carrying or e.source not in fans], fans


def _fan(server: str, edges: list[Edge]) -> tuple[Node, Tie]:
    names = dict.fromkeys(node_words(e.target) for e in edges)
    node = Node(key=f"fold:served:{server}", words=plural(len(names), "host"), kind="fold", members=tuple(names))
    return node, Tie(source=server, target=node.key, labels=tuple(dict.fromkeys(label(e) for e in edges)))


def label(edge: Edge) -> str:
    """The few words on a line."""
    marks: list[str] = [edge.kind]
    marks += [edge.detail] if edge.detail and edge.kind == "serves" else []
    marks += [DELETES] if edge.destructive else []
    marks += [f"{edge.hours[0]:02d}h"] if edge.hours and len(edge.hours) == 1 else []
    return " ".join(marks)


def _merge(edges: Iterable[Edge], carrying: set[Edge]) -> list[Tie]:
    grouped: dict[tuple[str, str], list[Edge]] = defaultdict(list)
    for edge in edges:
        grouped[edge.source, edge.target].append(edge)
    return [
        Tie(
            source=source,
            target=target,
            labels=tuple(dict.fromkeys(label(e) for e in group)),
            destructive=any(e.destructive for e in group),
            in_finding=any(e in carrying for e in group),
        )
        for (source, target), group in grouped.items()
    ]


def _folds(ties: list[Tie], *, keep: set[str]) -> dict[str, str]:
    """Node to fold key, for nodes outside `keep` that share all their ties with at least `FOLD_FROM` others of their kind."""
    profile: dict[str, list[tuple[str, str, tuple[str, ...]]]] = defaultdict(list)
    for tie in ties:
        if not tie.in_finding:
            profile[tie.source].append(("out", tie.target, tie.labels))
            profile[tie.target].append(("in", tie.source, tie.labels))
    fixed = keep | {end for tie in ties if tie.in_finding for end in (tie.source, tie.target)}
    groups: dict[tuple[str, frozenset[tuple[str, str, tuple[str, ...]]]], list[str]] = defaultdict(list)
    for node, lines in profile.items():
        if node not in fixed:
            groups[node.partition(":")[0], frozenset(lines)].append(node)
    folds: dict[str, str] = {}
    for number, members in enumerate(m for m in groups.values() if len(m) >= FOLD_FROM):
        folds.update(dict.fromkeys(members, f"fold:{number}"))
    return folds


def _nodes(names: list[str], folds: dict[str, str], severity: dict[str, Severity]) -> tuple[Node, ...]:
    members: dict[str, list[str]] = defaultdict(list)
    for name in names:
        members[folds.get(name, name)].append(name)
    nodes = []
    for key, names_of in members.items():
        if key.startswith("fold:"):
            noun = "host" if names_of[0].startswith("host:") else "name"
            nodes.append(Node(key=key, words=plural(len(names_of), noun), kind="fold", members=tuple(node_words(n) for n in names_of)))
        else:
            nodes.append(Node(key=key, words=node_words(key), kind=_kind(key), severity=severity.get(key)))
    return tuple(nodes)


def _kind(key: str) -> Literal["host", "name", "group"]:
    return "host" if key.startswith("host:") else "group" if key.startswith("group:") else "name"


def _fold_ties(ties: list[Tie], folds: dict[str, str]) -> tuple[Tie, ...]:
    folded: dict[tuple[str, str], Tie] = {}
    for tie in ties:
        source, target = folds.get(tie.source, tie.source), folds.get(tie.target, tie.target)
        if source != target:
            folded.setdefault((source, target), msgspec.structs.replace(tie, source=source, target=target))
    return tuple(folded.values())
