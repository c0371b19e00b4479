"""The fleet that a store holds, as what-if questions need it: the last result of each host, what is too old left out. Decides nothing.

Evidence that is older than allowed, or dated in the future, counts as not seen: its host is there, and nothing is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from auditor.analysis.detect import Detector
from auditor.analysis.evaluate import Candidates, ScannedCandidates
from auditor.analysis.fleet import Fleet, build_fleet
from auditor.analysis.ruleset import RuleSet
from auditor.model.errors import UsageError
from auditor.model.finding import Product
from auditor.model.host import Target
from auditor.model.rule import Matrix

if TYPE_CHECKING:
    from auditor.store import Store

_AHEAD = timedelta(days=1)
"""So far a host's clock may be before ours."""


class StoredFleet(NamedTuple):
    """The hosts of a store as a fleet, and what was made ready for it."""

    fleet: Fleet
    targets: tuple[Target, ...]
    """Every target, sorted by name."""
    rules: RuleSet
    detector: Detector
    candidates: Candidates
    absent: dict[str, str]
    """Target to why nothing of it is known."""
    stale: dict[str, str]
    """Target to when its evidence was collected, where that is too old or in the future."""
    oldest: str | None
    """Oldest evidence that counts."""

    def known_products(self) -> Iterator[Product]:
        """Products of all hosts that are seen."""
        return (product for products in self.fleet.products.values() for product in products)


def stored_fleet(store: Store, matrix: Matrix, targets: Sequence[Target] | None, now: datetime, max_age: timedelta) -> StoredFleet:
    """The fleet of the targets, or of all hosts of the store. Raises UsageError for an empty one, StoreError."""
    stored = {host.target.name: host for host in store.latest_results(None if targets is None else [t.name for t in targets])}
    known = list(targets) if targets is not None else [host.target for host in stored.values()]
    if not known:
        raise UsageError("the store holds no results", next_step="Run `auditor collect` first, or name the store with --store.")
    snapshots, absent, stale = {}, {}, {}
    for target in known:
        result = stored[target.name].result if target.name in stored else None
        if result is None or result.snapshot is None:
            absent[target.name] = result.reason if result is not None else "never collected into this store"
        elif (why := too_old(result.snapshot.collected_at, now, max_age)) is not None:
            absent[target.name], stale[target.name] = why, result.snapshot.collected_at
        else:
            snapshots[target.name] = result.snapshot
    fleet, rules = build_fleet(snapshots, known, matrix, absent), RuleSet(matrix)
    return StoredFleet(
        fleet=fleet,
        targets=tuple(sorted(known, key=lambda target: target.name)),
        rules=rules,
        detector=Detector(matrix.signatures),
        candidates=ScannedCandidates(rules),
        absent=absent,
        stale=stale,
        oldest=min((snapshot.collected_at for snapshot in snapshots.values()), default=None),
    )


def too_old(collected_at: str, now: datetime, max_age: timedelta) -> str | None:
    """Why evidence of that time does not count; None where it does."""
    try:
        age = now - datetime.fromisoformat(collected_at)
    except (ValueError, TypeError):
        return "it is not known when its evidence was collected"
    if age < -_AHEAD:
        return f"its evidence is dated in the future ({collected_at})"
    return f"its evidence is {age_words(age)} old, older than {age_words(max_age)}" if age > max_age else None


def age_words(age: timedelta) -> str:
    """A time span in the largest unit that says something: `9 days`, `36 hours`."""
    hours = age.total_seconds() / 3600
    if hours >= 48:
        return f"{hours / 24:.0f} days"
    return f"{hours:.0f} hours" if hours >= 2 else f"{max(0, hours * 60):.0f} minutes"
