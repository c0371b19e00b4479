"""Notices on their way: kept in the store until each channel has taken them, tried again each round, given up when they are too many.

A notice is saved before it is sent, so that a kill in between sends it twice at worst, and never not at all; its id stays the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from auditor.model.errors import NotifyError
from auditor.model.notice import Notice, NoticeItem
from auditor.watch.memory import MOST_PENDING, Pending, WatchState, pending_note, read_pending

if TYPE_CHECKING:
    from auditor.notify import Channel
    from auditor.store import Store
    from auditor.store.notes import Note
    from auditor.watch.journal import Journal

Deliver = Callable[["Channel", Notice, datetime], bool]
"""Delivers a notice to a channel; False where its reader wants nothing of it. Raises NotifyError."""


def make_notice(
    state: WatchState, name: str, at: str, run: str | None, items: Sequence[NoticeItem], channels: Sequence[Channel]
) -> tuple[WatchState, list[Note]]:
    """A notice of these items on its way to the channels, as notes to be saved; none where there is nothing to tell or nobody to tell."""
    if not items or not channels:
        return state, []
    number = state.notices + 1
    notice = Notice(id=f"{at.replace('-', '').replace(':', '')}-{number}", at=at, name=name, run=run, items=tuple(items))
    pending = Pending(notice=notice, channels=tuple(channel.name for channel in channels))
    return msgspec.structs.replace(state, notices=number), [pending_note(f"{number:010}", pending)]


def deliver_pending(store: Store, channels: Sequence[Channel], deliver: Deliver, now: Callable[[], datetime], journal: Journal) -> int:
    """Tries all notices on their way, the oldest first; how many have not reached everyone.

    A channel that fails is left alone until the next round.
    """
    known = {channel.name: channel for channel in channels}
    failed: set[str] = set()
    left = 0
    for key, pending in _not_too_many(store, read_pending(store), journal).items():
        rest = [name for name in pending.channels if not _reached(known, name, pending.notice, failed, deliver, now, journal)]
        kept = msgspec.structs.replace(pending, channels=tuple(rest), tries=pending.tries + 1) if rest else None
        store.save_notes(pending_note(key, kept))
        left += bool(rest)
    return left


def _reached(
    known: Mapping[str, Channel],
    name: str,
    notice: Notice,
    failed: set[str],
    deliver: Deliver,
    now: Callable[[], datetime],
    journal: Journal,
) -> bool:
    """Whether nothing is left to do for a channel: it took the notice, wants nothing of it, or is no more."""
    if name not in known:
        journal.write("notice_dropped", "warning", notice=notice.id, channel=name, reason="no such channel any more")
        return True
    if name in failed:
        return False
    try:
        told = deliver(known[name], notice, now())
    except NotifyError as error:
        failed.add(name)
        journal.write("notice_failed", "error", notice=notice.id, channel=name, reason=error.message)
        return False
    journal.write("notice_sent" if told else "notice_unwanted", notice=notice.id, channel=name, items=len(notice.items))
    return True


def _not_too_many(store: Store, pending: dict[str, Pending], journal: Journal) -> dict[str, Pending]:
    surplus = list(pending)[: max(0, len(pending) - MOST_PENDING)]
    for key in surplus:
        journal.write("notice_dropped", "error", notice=pending[key].notice.id, reason="too many notices could not be delivered")
        store.save_notes(pending_note(key, None))
    return {key: entry for key, entry in pending.items() if key not in surplus}
