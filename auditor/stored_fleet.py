"""The fleet that a store holds, as what-if questions need it: the last result of each host, what is too old left out. Decides nothing.

Evidence that is older than allowed, or dated in the future, counts as not seen: its host is there, and nothing is known of it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.evaluate import Candidates
from auditor.analysis.rules.ruleset import RuleSet
from auditor.derived import Asked, DerivedFleet, Save, aim_of, keep_hosts
from auditor.model.errors import AuditorError, UsageError
from auditor.model.host import Target
from auditor.model.rule import Matrix

if TYPE_CHECKING:
    from auditor.store import Store
    from auditor.store.listing import Listed

DEFAULT_AGE = timedelta(days=7)
"""Evidence that is older is refused unless more is allowed."""
_LOG = logging.getLogger(__name__)
_AHEAD = timedelta(days=1)
"""So far a host's clock may be before ours."""


class Known(NamedTuple):
    """A target as what-if questions name it."""

    name: str
    groups: tuple[str, ...]


class StoredFleet(NamedTuple):
    """The hosts of a store as a fleet, and what was made ready for it."""

    fleet: Fleet
    targets: tuple[Known, ...]
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
    versions: Mapping[str, Sequence[str]]
    """Product to its versions in the fleet."""


def stored_fleet(
    store: Store, matrix: Matrix, targets: Sequence[Target] | None, now: datetime, max_age: timedelta, save: Save | None = None
) -> StoredFleet:
    """The fleet of the targets, or of all hosts of the store. `save` keeps what had to be derived, for the next time.

    Rules that look at the day look at that of `now`, as in an audit. The store has to stay open: hosts are read from it when they are
    looked at. Raises UsageError for an empty fleet, StoreError.
    """
    listed = {found.host: found for found in store.listing(None if targets is None else [t.name for t in targets])}
    aims = {target.name: aim_of(target) for target in targets} if targets is not None else {n: found.aim for n, found in listed.items()}
    if not aims:
        raise UsageError("the store holds no results", next_step="Run `auditor collect` first, or name the store with --store.")
    asked = [_asked(name, aim, listed.get(name), now, max_age) for name, aim in sorted(aims.items())]
    rules, detector = RuleSet(matrix, now.date().isoformat()), Detector(matrix.signatures)
    derived = DerivedFleet(store, rules, detector, asked, save)
    fleet, candidates = derived.open(lambda: targets if targets is not None else list(store.targets(list({*aims.values()})).values()))
    counting = [one.listed for one in asked if one.mark is not None and one.listed is not None and one.name not in derived.index.blind]
    return StoredFleet(
        fleet=fleet,
        targets=tuple(Known(one.name, derived.groups_of(one.name)) for one in asked),
        rules=rules,
        detector=detector,
        candidates=candidates,
        absent={one.name: one.absent for one in asked if one.absent is not None} | dict(derived.index.blind),
        stale={one.name: one.listed.collected_at or "" for one in asked if _is_stale(one) and one.listed is not None},
        oldest=min((found.collected_at for found in counting if found.collected_at), default=None),
        versions=derived.index.versions,
    )


def keep_fleet(store: Store, matrix: Matrix, fleet: Fleet, targets: Sequence[Target], now: datetime) -> None:
    """Keeps what was derived of a fleet, and the index of all that the store holds, so that the next pre-check finds both.

    A favour to that: where it fails, the log says so, and the pre-check derives by itself.
    """
    try:
        keep_hosts(store, matrix, fleet, targets)
        stored_fleet(store, matrix, None, now, DEFAULT_AGE, store.save_derived)
    except AuditorError as error:
        _LOG.warning("derived facts are not kept: %s", error.message)


def _asked(name: str, aim: str, listed: Listed | None, now: datetime, max_age: timedelta) -> Asked:
    if listed is None:
        absent: str | None = "never collected into this store"
    elif listed.snapshot is None:
        absent = listed.reason
    else:
        absent = too_old(listed.collected_at or "", now, max_age)
    return Asked(name=name, aim=aim, listed=listed, absent=absent)


def _is_stale(one: Asked) -> bool:
    return one.absent is not None and one.listed is not None and one.listed.snapshot is not None


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
