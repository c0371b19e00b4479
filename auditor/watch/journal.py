"""The log of the watch: one JSON object a line, for log collectors. Ids, counts and reasons; no payloads, no secrets.

Each line is opened, appended and closed by itself, with one write: a rotated file is left alone, and two writers mix no lines.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Literal

import msgspec

_LOG = logging.getLogger(__name__)
Level = Literal["info", "warning", "error"]
Value = str | int | float | bool | None | list[str]


class Journal:
    """Writes lines to a file, to a stream, or nowhere but the program's own log."""

    def __init__(self, now: Callable[[], datetime], *, file: Path | None = None, stream: IO[str] | None = None) -> None:
        self._now = now
        self._file = file
        self._stream = stream

    def write(self, event: str, level: Level = "info", **values: Value) -> None:
        """One line. A file that can't be written stops no audit: that is said in the program's own log."""
        line = encoded({"time": _time(self._now()), "level": level, "event": event, **values})
        _LOG.log(logging.ERROR if level == "error" else logging.INFO, "%s", line)
        if self._stream is not None:
            self._stream.write(line + "\n")
            self._stream.flush()
        if self._file is not None:
            try:
                _append(self._file, line.encode("ascii") + b"\n")
            except OSError as error:
                _LOG.error("the journal %s can't be written: %s", self._file, error.strerror)


def encoded(values: dict[str, Value]) -> str:
    """The line: ASCII only, so that no host's text commands a display or ends the line."""
    storable = {name: v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for name, v in values.items()}
    text = msgspec.json.encode(storable).decode()
    return "".join(c if " " <= c <= "~" else _escape(c) for c in text)


def _escape(character: str) -> str:
    number = ord(character)
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _append(file: Path, line: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)
