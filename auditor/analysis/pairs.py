"""Which pairs of hosts a rule with two roles is to be decided on: tied ones, and those whose tie is in doubt. Never all times all.

Rules of this file:
1. Each role's own conditions choose its candidates first; what can't be a candidate is not paired.
2. Candidates are paired through edges, and where the tie itself is not known. A host that was not collected is paired only through an edge.
3. Where the pairs in doubt are more than `DOUBT_LIMIT`, the doubtful hosts are told one by one instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from auditor.analysis.condition import chosen, selectors_of
from auditor.analysis.fleet import Fleet
from auditor.model.selector import Condition, EdgeSelector

DOUBT_LIMIT = 5000
Pair = tuple[str, str]


class Parts(NamedTuple):
    """A rule with two roles, taken apart: each role's own conjuncts, and the ties one of which must hold."""

    own: Mapping[str, tuple[Condition, ...]]
    ties: tuple[EdgeSelector, ...]


class Pairs(NamedTuple):
    """Pairs to decide, and hosts whose ties are in doubt with too many others."""

    pairs: tuple[Pair, ...]
    folded: tuple[str, ...] = ()


def take_apart(applies_to: Condition | None, when: Condition, roles: Sequence[str]) -> Parts:
    """The conjuncts of a rule by role. Raises ValueError where no edge between the two roles is required."""
    conjuncts = [part for condition in (applies_to, when) if condition is not None for part in _conjuncts(condition)]
    own = {role: tuple(part for part in conjuncts if roles_of(part, roles) == {role}) for role in roles}
    for part in conjuncts:
        if ties := _only_edges(part):
            return Parts(own, ties)
    raise ValueError("a rule with two roles needs an edge between them that must hold (`edge`, or `any` of edges, not inside `not`)")


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    if condition.all_ is None:
        yield condition
        return
    for part in condition.all_:
        yield from _conjuncts(part)


def roles_of(condition: Condition, roles: Sequence[str]) -> set[str]:
    """Roles that a condition speaks of."""
    found: set[str] = set()
    for name, selector in selectors_of(condition):
        if name == "edge":
            found |= {selector.source, selector.target}
        elif name not in ("compare", "count"):
            found.add(selector.host or roles[0])
    return found


def _only_edges(condition: Condition) -> tuple[EdgeSelector, ...]:
    parts = condition.any_ if condition.any_ is not None else (condition,)
    found: list[EdgeSelector] = []
    for part in parts:
        if part.all_ is not None:
            edges = [edge for inner in _conjuncts(part) for edge in _only_edges(inner)]
        elif part.any_ is not None:
            edges = list(_only_edges(part))
        elif part.not_ is not None:
            edges = []
        else:
            name, selector = chosen(part)
            edges = [selector] if name == "edge" else []
        if not edges:
            return ()
        found += edges[:1] if part.all_ is not None else edges
    return tuple(found)


def find_pairs(
    fleet: Fleet, ties: Sequence[EdgeSelector], roles: Sequence[str], candidates: Mapping[str, Sequence[str]], *, symmetric: bool
) -> Pairs:
    """Pairs (first role, second role) to decide, sorted."""
    first, second = frozenset(candidates[roles[0]]), frozenset(candidates[roles[1]])
    found: dict[Pair, None] = {}
    for host in candidates[roles[0]]:
        for other in _tied(fleet, ties, host, roles[0]):
            if other in second or not fleet.hosts[other].collected:
                found[host, other] = None
    for other in candidates[roles[1]]:
        for host in _tied(fleet, ties, other, roles[1]):
            if not fleet.hosts[host].collected:
                found[host, other] = None
    doubtful = [host for host in candidates[roles[0]] if _in_doubt(fleet, ties, host, roles[0])]
    doubtful_too = [host for host in candidates[roles[1]] if _in_doubt(fleet, ties, host, roles[1])]
    folded: tuple[str, ...] = ()
    if len(doubtful) * len(second) + len(first) * len(doubtful_too) > DOUBT_LIMIT:
        folded = tuple(sorted({*doubtful, *doubtful_too}))
    else:
        found |= dict.fromkeys((host, other) for host in doubtful for other in second if host != other)
        found |= dict.fromkeys((host, other) for other in doubtful_too for host in first if host != other)
    pairs = {tuple(sorted(pair)) if symmetric else pair for pair in found}
    return Pairs(tuple(sorted((pair[0], pair[1]) for pair in pairs)), folded)


def _tied(fleet: Fleet, ties: Sequence[EdgeSelector], host: str, role: str) -> Iterable[str]:
    """Hosts at the other end of an edge that would do, whatever the edge's own conditions."""
    return {
        other
        for selector in ties
        for kind in selector.kinds
        for direction in _directions(selector, role)
        for other in fleet.ties.neighbours(host, direction, kind, selector.product)
        if other in fleet.hosts
    }


def _directions(selector: EdgeSelector, role: str) -> tuple[str, ...]:
    if selector.either_way or selector.and_back:
        return ("out", "in")
    return ("out",) if selector.source == role else ("in",)


def _in_doubt(fleet: Fleet, ties: Sequence[EdgeSelector], host: str, role: str) -> bool:
    sides = {"out": "source", "in": "target"}
    return any(
        fleet.ties.side_doubt(host, sides[direction], kind, selector.product) or fleet.ties.open_doubts(host, sides[direction], kind)
        for selector in ties
        for kind in selector.kinds
        for direction in _directions(selector, role)
    )
