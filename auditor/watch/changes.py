"""Every change on a case's hosts since its remedy, from the store: what each snapshot shows other than the one before, and remediations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.analysis.observing.observation import stamp
from auditor.model.case import Case, CaseChange
from auditor.model.change import BaselineKind, Difference

if TYPE_CHECKING:
    from auditor.history import Comparer
    from auditor.store import Store

MOST_CHANGES = 500
VALUE_LIMIT = 120


def stored_changes(store: Store, folders: Sequence[Path], case: Case, now: datetime) -> list[CaseChange]:
    """The changes by time. Raises MatrixError or StoreError where what they are told by can't be read."""
    from auditor.history import Comparer, load_known
    from auditor.matrix import load_matrix

    known = load_known(folders, load_matrix(folders).signatures)
    baselines: list[BaselineKind] = ["previous"]
    comparer = Comparer(store, known, baselines)
    end = stamp(now.timestamp())
    found = [change for host in case.hosts for change in _of_host(store, comparer, host, case.since, end)]
    found += _noted(store, case, end)
    return sorted(found, key=lambda change: (change.at, change.host, change.what))[:MOST_CHANGES]


def _of_host(store: Store, comparer: Comparer, host: str, since: str, end: str) -> list[CaseChange]:
    states = [state for state in store.states(host) if state.collected_at <= end]
    changes: list[CaseChange] = []
    for place, state in enumerate(states[:-1]):
        if state.collected_at <= since:
            break
        if state.content != states[place + 1].content:
            drift = comparer.host(states[place:], None)
            changes += [CaseChange(host=host, at=state.collected_at, what=words(d)) for d in drift.differences if d.baseline == "previous"]
    return changes


def words(difference: Difference) -> str:
    """A difference in one line."""
    from auditor.report.drift_words import subject_words, value_words
    from auditor.report.text import clip

    subject = subject_words(difference)
    reason = f" ({difference.reason})" if difference.reason else ""
    if not difference.field:
        return f"{subject} was {difference.kind}{reason}"
    before, after = (clip(value_words(value), VALUE_LIMIT) for value in (difference.before, difference.after))
    return f"{subject}: {difference.field} {before} -> {after}{reason}"


def _noted(store: Store, case: Case, end: str) -> list[CaseChange]:
    """Remediations and other changes that were noted as expected."""
    from auditor.model.pattern import matches_any

    return [
        CaseChange(
            host=host, at=entry.from_, what=f"{entry.kind}: {entry.reason}", kind="remediation" if entry.kind == "remediation" else "other"
        )
        for entry in store.explanations()
        if entry.from_ is not None and case.since <= entry.from_ <= end
        for host in case.hosts
        if not entry.hosts or matches_any(entry.hosts, host)
    ]
