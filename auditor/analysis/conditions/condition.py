"""Conditions as rules and signatures write them, compiled once into tests: a closed table of selectors under three-valued logic.

Rules of this file:
1. The table is closed: a selector that is not in it does not exist. Adding one touches `model/selector.py`, one function and one line here.
2. Compiling looks at the condition once (patterns, ranges, roles), so that deciding costs only look-ups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.conditions.selectors_count import compile_count, compile_filter
from auditor.analysis.conditions.selectors_event import compile_event
from auditor.analysis.conditions.selectors_exclusions import compile_exclusions
from auditor.analysis.conditions.selectors_host import (
    compile_defender,
    compile_driver,
    compile_file,
    compile_program,
    compile_service,
    compile_setting,
)
from auditor.analysis.conditions.selectors_jobs import compile_collision
from auditor.analysis.conditions.selectors_listed import compile_listed
from auditor.analysis.conditions.selectors_product import compile_compare, compile_product
from auditor.analysis.conditions.selectors_system import compile_feature, compile_os, compile_update
from auditor.analysis.conditions.selectors_task import compile_task
from auditor.analysis.conditions.selectors_tie import compile_edge, compile_ties
from auditor.analysis.host.outcome import FALSE, Outcome, conjoin, conjoin_tests, disjoin, negate
from auditor.model.selector import Condition, CountSelector

SELECTORS: Mapping[str, Callable[[Any, Setting], Test]] = MappingProxyType(
    {
        "product": compile_product,
        "driver": compile_driver,
        "filter": compile_filter,
        "os": compile_os,
        "update": compile_update,
        "feature": compile_feature,
        "service": compile_service,
        "program": compile_program,
        "task": compile_task,
        "setting": compile_setting,
        "file": compile_file,
        "defender": compile_defender,
        "event": compile_event,
        "edge": compile_edge,
        "ties": compile_ties,
        "compare": compile_compare,
        "count": compile_count,
        "listed": compile_listed,
        "exclusions": compile_exclusions,
        "collision": compile_collision,
    }
)


def compile_condition(condition: Condition, setting: Setting) -> Test:
    """The test of a condition. Raises ValueError for a range or time that can't be read, or a condition without a key."""
    if condition.all_ is not None:
        return _all(tuple(compile_condition(part, setting) for part in condition.all_), [_cost(part) for part in condition.all_])
    if condition.any_ is not None:
        return _any(tuple(compile_condition(part, setting) for part in condition.any_))
    if condition.not_ is not None:
        return _not(compile_condition(condition.not_, setting))
    name, selector = chosen(condition)
    return SELECTORS[name](selector, setting)


_CHEAP = ("os", "product", "service", "driver", "edge", "setting", "compare", "program", "feature", "update", "defender")
"""Selectors by what deciding them costs, the cheapest first; the others cost more."""


def _cost(condition: Condition) -> int:
    """Rank of a condition by cost; of one that combines others the dearest part counts."""
    names = [name for name, _ in selectors_of(condition)]
    return max((_CHEAP.index(name) if name in _CHEAP else len(_CHEAP) for name in names), default=0)


def _all(tests: tuple[Test, ...], costs: list[int]) -> Test:
    """All parts: the cheap ones are decided first, so that one of them can spare the dear ones; told in the order written."""
    order = sorted(range(len(tests)), key=costs.__getitem__)
    if order == list(range(len(tests))):
        return lambda binding: conjoin_tests(tests, binding)

    def test(binding: Binding) -> Outcome:
        outcomes: dict[int, Outcome] = {}
        for number in order:
            outcome = outcomes[number] = tests[number](binding)
            if outcome.value is False:
                return FALSE
        return conjoin(outcomes[number] for number in range(len(tests)))

    return test


def _any(tests: tuple[Test, ...]) -> Test:
    def test(binding: Binding) -> Outcome:
        return disjoin(part(binding) for part in tests)

    return test


def _not(inner: Test) -> Test:
    def test(binding: Binding) -> Outcome:
        return negate(inner(binding))

    return test


def chosen(condition: Condition) -> tuple[str, Any]:
    """The one selector of a condition that does not combine others. Raises ValueError where there is none."""
    for name in SELECTORS:
        selector = getattr(condition, name)
        if selector is not None:
            return name, selector
    raise ValueError("a condition needs exactly one key")


def selectors_of(condition: Condition) -> Iterator[tuple[str, Any]]:
    """Every selector in a condition, at any depth; those inside `count` and `compare` too."""
    for part in (*(condition.all_ or ()), *(condition.any_ or ()), *((condition.not_,) if condition.not_ else ())):
        yield from selectors_of(part)
    if condition.all_ is None and condition.any_ is None and condition.not_ is None:
        name, selector = chosen(condition)
        yield name, selector
        if name == "compare":
            yield from (("product", selector.left), ("product", selector.right))
        if isinstance(selector, CountSelector):
            yield from ((kind, inner) for kind in ("product", "driver", "filter") if (inner := getattr(selector, kind)) is not None)
