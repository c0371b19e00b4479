"""Three-valued logic with reasons: what a condition came to, what made it true, what would be needed to know.

Rules of this file:
1. false and unknown is false; true or unknown is true; not unknown is unknown.
2. A false outcome carries nothing, so that deciding "no" costs nothing. A true one carries its evidence, an unknown one what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from auditor.model.finding import Edge, Evidence

T = TypeVar("T")


class Outcome:
    """`value` is True, False or None (unknown)."""

    __slots__ = ("edges", "evidence", "missing", "value")

    def __init__(
        self,
        value: bool | None,
        evidence: tuple[Evidence, ...] = (),
        missing: tuple[str, ...] = (),
        edges: tuple[Edge, ...] = (),
    ) -> None:
        self.value = value
        self.evidence = evidence
        self.missing = missing
        self.edges = edges

    def __repr__(self) -> str:
        return f"Outcome({self.value}, evidence={len(self.evidence)}, missing={list(self.missing)}, edges={len(self.edges)})"


FALSE = Outcome(False)
TRUE = Outcome(True)


def unknown(*missing: str) -> Outcome:
    """An outcome that can't be decided for want of `missing` (`host: section: reason`)."""
    return Outcome(None, missing=missing)


def negate(outcome: Outcome) -> Outcome:
    """True where the outcome is false and the other way round; what is unknown stays so."""
    if outcome.value is None:
        return outcome
    return FALSE if outcome.value else TRUE


def conjoin(outcomes: Iterable[Outcome]) -> Outcome:
    """All hold. Stops at the first false one."""
    seen: list[Outcome] = []
    for outcome in outcomes:
        if outcome.value is False:
            return FALSE
        if outcome is not TRUE:
            seen.append(outcome)
    return _all_of(seen)


def conjoin_tests(tests: Iterable[Callable[[T], Outcome]], subject: T) -> Outcome:
    """All tests hold on something. Stops at the first that does not."""
    seen: list[Outcome] = []
    for test in tests:
        outcome = test(subject)
        if outcome.value is False:
            return FALSE
        if outcome is not TRUE:
            seen.append(outcome)
    return _all_of(seen)


def _all_of(seen: list[Outcome]) -> Outcome:
    """Outcomes none of which is false."""
    if len(seen) == 1:
        return seen[0]
    if not seen:
        return TRUE
    return _merge(seen, None if any(o.value is None for o in seen) else True)


def disjoin(outcomes: Iterable[Outcome]) -> Outcome:
    """One holds. Looks at all of them, so that every reason is told."""
    seen = [outcome for outcome in outcomes if outcome.value is not False]
    if not seen:
        return FALSE
    true = [outcome for outcome in seen if outcome.value]
    return _merge(true, True) if true else _merge(seen, None)


def _merge(outcomes: list[Outcome], value: bool | None) -> Outcome:
    if len(outcomes) == 1:
        return outcomes[0]
    return Outcome(
        value,
        tuple(dict.fromkeys(e for o in outcomes for e in o.evidence)),
        tuple(dict.fromkeys(m for o in outcomes for m in o.missing)) if value is None else (),
        tuple(dict.fromkeys(e for o in outcomes for e in o.edges)),
    )
