"""What the watch tells: one notice a round, with items that are new. Values of hosts in it are escaped by whoever shows them."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from auditor.model.grade import SEVERITIES, Severity

NOTICE_SCHEMA_VERSION = 1

ItemKind = Literal[
    "new", "back", "fixed", "unseen", "seen_again", "case_recurred", "case_clean", "case_waits", "contingency", "trouble", "recovered"
]
"""Findings: new, back after they were fixed, fixed. Hosts: no longer seen, seen again. Cases: came back, stayed away, can't close though
the time is up; a contingency playbook offered or run. The watch itself: a round failed, works again."""
ITEM_KINDS: tuple[ItemKind, ...] = get_args(ItemKind)
ITEM_WORDS: dict[ItemKind, str] = {
    "new": "New",
    "back": "Back again",
    "fixed": "Fixed",
    "unseen": "No longer seen",
    "seen_again": "Seen again",
    "case_recurred": "It came back",
    "case_clean": "It stayed away",
    "case_waits": "A case waits",
    "contingency": "Contingency",
    "trouble": "The watch failed",
    "recovered": "The watch works again",
}
"""How people read each kind."""


class NoticeItem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to tell."""

    kind: ItemKind
    title: str
    severity: Severity | None = None
    """Of findings; None for all else, which always counts."""
    hosts: tuple[str, ...] = ()
    ref: str = ""
    """Id of the finding or the case."""
    rule: str = ""
    text: tuple[str, ...] = ()
    """Sentences, the most important first."""
    next_step: str = ""


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What one round has to tell."""

    schema_version: int = NOTICE_SCHEMA_VERSION
    id: str
    """The same when it is delivered again, so that whoever gets it can leave out what is doubled."""
    at: str
    """ISO 8601 in UTC."""
    name: str
    """Name of the watch, as its operator calls it."""
    run: str | None = None
    """Run that it is about."""
    items: tuple[NoticeItem, ...]


def for_reader(notice: Notice, kinds: tuple[ItemKind, ...], least: Severity) -> Notice | None:
    """The part of a notice that a reader wants: these kinds (all, where none is named), findings from a severity on.

    None where nothing is left.
    """
    floor = SEVERITIES.index(least)
    kept = [
        item
        for item in notice.items
        if (not kinds or item.kind in kinds) and (item.severity is None or SEVERITIES.index(item.severity) >= floor)
    ]
    return msgspec.structs.replace(notice, items=tuple(kept)) if kept else None
