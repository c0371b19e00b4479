"""What the watch remembers between rounds, in the store: how far it is, cases, notices on their way. Read as values, saved all at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from auditor.model.case import Case
from auditor.model.notice import Notice

if TYPE_CHECKING:
    from auditor.store import Store
    from auditor.store.notes import Note

_STATE = "state"
MOST_PENDING = 200
"""Notices that are kept until they can be delivered; older ones are given up, and said so in the journal."""


class WatchState(msgspec.Struct, frozen=True, kw_only=True):
    """How far the watch is."""

    last_due: str | None = None
    """The due time up to which audits were made, ISO 8601 in UTC."""
    told: dict[str, int] = {}
    """Findings that were told and not told as fixed, with how often they had come back then."""
    unseen: dict[str, str] = {}
    """Hosts that were told as no longer seen, with the reason."""
    seen: tuple[str, ...] = ()
    """Hosts that were seen in the last round, or before they were lost."""
    trouble: str = ""
    """Why the last round failed, as told; empty where it worked."""
    rounds: int = 0
    notices: int = 0
    """How many notices were made: part of the next one's id."""


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that has not reached everyone."""

    notice: Notice
    channels: tuple[str, ...]
    """Names of those that it has still to reach."""
    tries: int = 0


def read_state(store: Store) -> WatchState:
    """How far the watch is; a fresh one where nothing is remembered."""
    return store.notes("watch", WatchState).get(_STATE, WatchState())


def read_cases(store: Store) -> dict[str, Case]:
    """All cases by id."""
    return store.notes("case", Case)


def read_pending(store: Store) -> dict[str, Pending]:
    """Notices on their way, the oldest first."""
    return store.notes("notice", Pending)


def state_note(state: WatchState) -> Note:
    """The state as a note to be saved."""
    from auditor.store.notes import Note

    return Note(kind="watch", id=_STATE, value=state)


def case_notes(cases: Iterable[Case]) -> list[Note]:
    """Cases as notes to be saved."""
    from auditor.store.notes import Note

    return [Note(kind="case", id=case.id, value=case) for case in cases]


def pending_note(key: str, pending: Pending | None) -> Note:
    """A notice on its way as a note to be saved, or to be dropped."""
    from auditor.store.notes import Note

    return Note(kind="notice", id=key, value=pending)
