"""A host's own names inside its values: `\\\\SRVA\\x` on one host and `\\\\SRVB\\x` on its peer say the same. Pure."""

from __future__ import annotations

import re
from typing import Any

from auditor.model.host import Snapshot

HOST = "<host>"
_SHORTEST = 2
_SID = re.compile(r"(?i)\bS-1-5-21-\d{1,10}-\d{1,10}-\d{1,10}\b")


class OwnNames:
    """The names that a host has of itself, ready to be masked."""

    def __init__(self, names: tuple[str, ...]) -> None:
        wanted = sorted({name for name in names if len(name) >= _SHORTEST}, key=lambda name: (-len(name), name))
        self._names = tuple(name.casefold() for name in wanted)
        words = "|".join(map(re.escape, wanted))
        self._pattern = re.compile(rf"(?i)(?<![\w-])(?:{words})(?![\w-])") if wanted else None

    def mask(self, value: Any) -> Any:
        """The value with the host's names and the machine's or domain's part of SIDs replaced, in texts and in lists of texts."""
        if isinstance(value, str):
            return self._text(value)
        return tuple(self.mask(inner) for inner in value) if isinstance(value, tuple) else value

    def _text(self, text: str) -> str:
        folded = text.casefold()
        if self._pattern is not None and any(name in folded for name in self._names):
            text = self._pattern.sub(HOST, text)
        return _SID.sub("<domain sid>", text) if "s-1-5-21-" in folded else text


def own_names(snapshot: Snapshot) -> OwnNames:
    """Names of a host: its target's, and those that it states itself."""
    names = [snapshot.host]
    for record in snapshot.sections.network.records:
        labels = [text for text in (record.computer_name, record.host_name, *record.optional_names) if text]
        names += [*labels, *(f"{label}.{record.domain}" for label in labels if record.domain)]
    return OwnNames(tuple(names))
