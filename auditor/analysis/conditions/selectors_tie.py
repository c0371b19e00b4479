"""Selectors over ties: an edge between the two roles of a rule, and how many edges of a kind a host has."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from auditor.analysis.conditions.binding import Binding, Setting, Test, Ties
from auditor.analysis.host.outcome import FALSE, Outcome, conjoin, disjoin
from auditor.model.finding import Edge
from auditor.model.pattern import compile_pattern
from auditor.model.selector import EdgeSelector, TiesSelector

EdgeTest = Callable[[Edge], bool | None]


def compile_edge(selector: EdgeSelector, setting: Setting) -> Test:
    """An edge of one of the kinds that fits everything said; unknown where it could be there unseen."""
    del setting
    tests = tuple(_tests(selector))

    def test(binding: Binding) -> Outcome:
        if binding.ties is None:
            return FALSE
        source, target = binding.hosts[selector.source].name, binding.hosts[selector.target].name
        outcome = _one_way(binding.ties, (source, target), selector, tests)
        if not selector.either_way and not selector.and_back:
            return outcome
        back = _one_way(binding.ties, (target, source), selector, tests)
        if selector.either_way:
            return disjoin([outcome, back])
        both = conjoin([outcome, back])
        return _in_step(both) if selector.same_hours and both.value else both

    return test


def _one_way(ties: Ties, pair: tuple[str, str], selector: EdgeSelector, tests: tuple[tuple[str, EdgeTest], ...]) -> Outcome:
    return disjoin(_of_kind(ties, pair, kind, selector.product, tests) for kind in selector.kinds)


def _of_kind(ties: Ties, pair: tuple[str, str], kind: str, product: str | None, tests: tuple[tuple[str, EdgeTest], ...]) -> Outcome:
    sure: list[Edge] = []
    missing: list[str] = []
    for edge in ties.between(*pair, kind, product):
        verdicts = [(field, fits(edge)) for field, fits in tests]
        if all(holds for _, holds in verdicts):
            sure.append(edge)
        elif not any(holds is False for _, holds in verdicts):
            missing += [f"{edge.claimant}: {edge.kind}: {_place(edge)}: {field} is not known" for field, holds in verdicts if holds is None]
    if sure:
        return Outcome(True, tuple(e for edge in sure for e in edge.evidence), edges=tuple(sure))
    missing += ties.doubt(*pair, kind, product)
    return Outcome(None, missing=tuple(dict.fromkeys(missing))) if missing else FALSE


def fitting(selector: EdgeSelector) -> Callable[[Edge], bool]:
    """Whether an edge of the right kind may be one that the selector means, by what it says of the edge itself."""
    tests = [fits for _, fits in _tests(selector)]
    return lambda edge: not any(fits(edge) is False for fits in tests)


def _place(edge: Edge) -> str:
    return edge.evidence[0].record if edge.evidence else edge.detail


def _tests(selector: EdgeSelector) -> Iterable[tuple[str, EdgeTest]]:
    if selector.destructive is not None:
        yield "destructive", lambda e: None if e.destructive is None else e.destructive is selector.destructive
    if selector.writes_executables is not None:
        yield "writes_executables", lambda e: None if e.writes_executables is None else e.writes_executables is selector.writes_executables
    if selector.hours:
        yield "hours", lambda e: None if e.hours is None else bool(set(e.hours) & set(selector.hours))
    if selector.share is not None:
        fits = compile_pattern(selector.share)
        yield "share", lambda e: fits(e.share.casefold()) if e.share is not None else None


def _in_step(both: Outcome) -> Outcome:
    """Whether an edge there and one back start in the same hour."""
    first = both.edges[0].source if both.edges else ""
    there = [edge for edge in both.edges if edge.source == first]
    back = [edge for edge in both.edges if edge.source != first]
    pairs = [(one, other) for one in there for other in back]
    met = [pair for pair in pairs if pair[0].hours and pair[1].hours and set(pair[0].hours) & set(pair[1].hours)]
    if met:
        edges = tuple(dict.fromkeys(edge for pair in met for edge in pair))
        return Outcome(True, tuple(e for edge in edges for e in edge.evidence), edges=edges)
    silent = [edge for edge in both.edges if edge.hours is None]
    missing = tuple(f"{edge.claimant}: {edge.kind}: {_place(edge)}: its hours are not known" for edge in silent)
    return Outcome(None, missing=missing) if missing else FALSE


def compile_ties(selector: TiesSelector, setting: Setting) -> Test:
    """How many other hosts a host is tied to; what was not seen of the fleet may add to what was."""
    role = setting.role(selector.host)

    def test(binding: Binding) -> Outcome:
        if binding.ties is None:
            return FALSE
        ties, name = binding.ties, binding.hosts[role].name
        found: dict[str, tuple[Edge, ...]] = {}
        for kind in selector.kinds:
            found |= ties.neighbours(name, selector.direction, kind, selector.product)
        count, edges = len(found), tuple(edge for row in found.values() for edge in row)
        if selector.at_most is not None and count > selector.at_most:
            return FALSE
        settled = selector.at_least is None or count >= selector.at_least
        if settled and selector.at_most is None:
            return Outcome(True, tuple(e for edge in edges for e in edge.evidence), edges=edges)
        doubts = [d for kind in selector.kinds for d in ties.doubt_of_all(name, selector.direction, kind, selector.product)]
        if doubts:
            return Outcome(None, missing=tuple(dict.fromkeys(doubts)))
        return Outcome(True, edges=edges) if settled else FALSE

    return test
