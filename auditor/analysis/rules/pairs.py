"""Which pairs of hosts a rule with two roles is to be decided on: tied ones, and those whose tie is in doubt. Never all times all.

Rules of this file:
1. Each role's own conditions choose its candidates first; what can't be a candidate is not paired.
2. Candidates are paired through edges, and where the tie itself is not known. A host that was not collected is paired only through an edge,
   or with a host that is tied to a name which may be its own.
3. Where the pairs in doubt are more than `DOUBT_LIMIT`, the doubtful hosts are told one by one instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from auditor.analysis.conditions.condition import chosen, selectors_of
from auditor.analysis.conditions.selectors_tie import fitting
from auditor.analysis.fleet.fleet import Fleet
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
    fleet: Fleet,
    ties: Sequence[EdgeSelector],
    roles: Sequence[str],
    candidates: Mapping[str, Collection[str]],
    *,
    symmetric: bool,
    around: frozenset[str] | None = None,
) -> Pairs:
    """Pairs (first role, second role) to decide, sorted; only those with a host in `around` where that is given."""
    first, second = frozenset(candidates[roles[0]]), frozenset(candidates[roles[1]])
    found = _tied_pairs(fleet, ties, roles, (first, second), around)
    doubtful, doubtful_too = (_in_doubt(fleet, ties, role) & hosts for role, hosts in zip(roles, (first, second), strict=True))
    folded: frozenset[str] = frozenset()
    if len(doubtful) * len(second) + len(first) * len(doubtful_too) > DOUBT_LIMIT:
        folded = doubtful | doubtful_too
    else:
        found |= {(host, other) for host in doubtful for other in _partners(host, second, around) if host != other}
        found |= {(host, other) for other in doubtful_too for host in _partners(other, first, around) if host != other}
    unnamed, too_many = _unnamed_pairs(fleet, ties, roles, (first, second), around)
    found, folded = found | unnamed, folded | too_many
    pairs = {tuple(sorted(pair)) if symmetric else pair for pair in found}
    return Pairs(tuple(sorted((pair[0], pair[1]) for pair in pairs)), tuple(sorted(folded if around is None else folded & around)))


def _tied_pairs(
    fleet: Fleet,
    ties: Sequence[EdgeSelector],
    roles: Sequence[str],
    sides: tuple[frozenset[str], frozenset[str]],
    around: frozenset[str] | None,
) -> set[Pair]:
    """Pairs that an edge ties. A host that was not collected is paired with a candidate at the other end."""
    first, second = sides
    found: set[Pair] = set()
    for host in first if around is None else first & around:
        found |= {(host, other) for other in _tied(fleet, ties, host, roles[0]) if other in second or not fleet.hosts[other].collected}
    for other in second if around is None else second & around:
        found |= {(host, other) for host in _tied(fleet, ties, other, roles[1]) if host in first or not fleet.hosts[host].collected}
    return found


def _unnamed_pairs(
    fleet: Fleet,
    ties: Sequence[EdgeSelector],
    roles: Sequence[str],
    sides: tuple[frozenset[str], frozenset[str]],
    around: frozenset[str] | None,
) -> tuple[set[Pair], frozenset[str]]:
    """Pairs of a host that is tied to an unknown name and a target that may have it; where they are too many, the hosts alone."""
    unnamed = fleet.ties.strangers.unnamed
    if not unnamed:
        return set(), frozenset()
    tied = [_tied_to_strangers(fleet, ties, role, hosts) for role, hosts in zip(roles, sides, strict=True)]
    meant = [frozenset(name for name in unnamed if not fleet.hosts[name].collected or name in hosts) for hosts in sides]
    if len(tied[0]) * len(meant[1]) + len(tied[1]) * len(meant[0]) > DOUBT_LIMIT:
        return set(), tied[0] | tied[1]
    found = {(host, other) for host in tied[0] for other in _partners(host, meant[1], around) if host != other}
    return found | {(host, other) for other in tied[1] for host in _partners(other, meant[0], around) if host != other}, frozenset()


def _tied_to_strangers(fleet: Fleet, ties: Sequence[EdgeSelector], role: str, hosts: frozenset[str]) -> frozenset[str]:
    """Those of the hosts with a tie that would do, but for the name at its other end that is nobody's."""
    strangers = fleet.ties.strangers
    found: set[str] = set()
    for selector in ties:
        fits = fitting(selector)
        for kind in selector.kinds:
            for direction in _directions(selector, role):
                near = (strangers.hosts(direction, kind) & hosts) - found
                found |= {host for host in near if any(map(fits, strangers.edges(host, direction, kind, selector.product)))}
    return frozenset(found)


def _partners(host: str, others: frozenset[str], around: frozenset[str] | None) -> frozenset[str]:
    return others if around is None or host in around else others & around


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


def _in_doubt(fleet: Fleet, ties: Sequence[EdgeSelector], role: str) -> frozenset[str]:
    """Hosts of the fleet whose ties of these kinds are not fully known."""
    sides = {"out": "source", "in": "target"}
    found: set[str] = set()
    for selector in ties:
        for kind in selector.kinds:
            for direction in _directions(selector, role):
                found |= fleet.ties.doubtful(sides[direction], kind, selector.product)
                found |= fleet.ties.open_hosts(sides[direction], kind)
    return frozenset(found)
