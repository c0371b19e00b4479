"""Which rules could be decided on a fleet, which could not, and why. Pure: counts over an evaluation."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from auditor.analysis.rules.evaluate import Evaluation
from auditor.model.rule import Matrix

Decided = Literal["everywhere", "partly", "nowhere", "not_applicable"]
MOST_REASONS = 5


class RuleCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far a rule could be decided."""

    rule: str
    severity: str
    decided: Decided
    """Not applicable: on no host it came into question."""
    hosts: int
    """Hosts, or pairs of hosts, on which it was decided."""
    undetermined: int
    violated: int
    reasons: tuple[tuple[str, int], ...]
    """What was missing (`section: reason`, without the host) and how often, the most frequent first."""


def rule_coverage(evaluation: Evaluation, matrix: Matrix) -> tuple[RuleCoverage, ...]:
    """A line for each rule: those that could be decided least first."""
    missing: dict[str, Counter[str]] = {rule.id: Counter() for rule in matrix.rules}
    for finding in evaluation.undetermined:
        missing[finding.rule].update({_without_host(text) for text in finding.missing})
    tallies = {tally.rule: tally for tally in evaluation.tallies}
    lines = []
    for rule in matrix.rules:
        tally = tallies[rule.id]
        lines.append(
            RuleCoverage(
                rule=rule.id,
                severity=rule.severity,
                decided=_decided(tally.violated + tally.satisfied, tally.undetermined),
                hosts=tally.violated + tally.satisfied,
                undetermined=tally.undetermined,
                violated=tally.violated,
                reasons=tuple(missing[rule.id].most_common(MOST_REASONS)),
            )
        )
    order = ("nowhere", "partly", "everywhere", "not_applicable")
    return tuple(sorted(lines, key=lambda line: (order.index(line.decided), -line.undetermined, line.rule)))


def _decided(decided: int, undetermined: int) -> Decided:
    if not decided and not undetermined:
        return "not_applicable"
    if not undetermined:
        return "everywhere"
    return "partly" if decided else "nowhere"


def _without_host(text: str) -> str:
    """`host: section: record: reason` without the host, and without what differs from record to record."""
    parts = text.split(": ")
    return ": ".join([parts[1], *parts[2:][-1:]]) if len(parts) > 2 else text
