"""Hears what Ansible does: the events that ansible-runner's callback leaves as files in the private folder, in their order, each once.

The same events also run through Ansible's output, where ansible-runner looks for them between control characters. A host can print such
characters (a module's warnings come out as they are) and so invent an event, or swallow one. It can't write files here: these count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from auditor.model.errors import PlaybookError

MOST_BYTES = 8 * 1024 * 1024
"""Of one event; ansible-runner itself leaves out results of more than 700,000 characters."""
_ENDING = "-partial.json"


class Hearing:
    """The events of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self) -> list[Mapping[str, Any]]:
        """Events since the last call, the oldest first; their files are gone. Raises PlaybookError where one is too large."""
        if not self._folder.is_dir():
            return []
        found = [(path.stat().st_mtime_ns, path) for path in self._folder.iterdir() if path.name.endswith(_ENDING)]
        events = [event for _, path in sorted(found) if (event := self._read(path)) is not None]
        return sorted(events, key=lambda event: str(event.get("created", "")))

    @staticmethod
    def _read(path: Path) -> Mapping[str, Any] | None:
        if path.stat().st_size > MOST_BYTES:
            raise PlaybookError(f"an event of Ansible is larger than {MOST_BYTES} bytes")
        data = path.read_bytes()
        path.unlink()
        try:
            event = msgspec.json.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return event if isinstance(event, Mapping) else None
