"""A row of a probe's answer with the bytes it was read from, so that what is the same on many hosts is read once. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

LONGEST_KNOWN = 4096
"""Bytes of rows that are remembered: longer ones are rarely the same on two hosts."""
MOST_KNOWN = 8192
"""Rows that are remembered: those of the hosts read last, some 20 MB at most."""


class Row(dict[str, Any]):
    """The fields of a row. Shared by all hosts that sent these bytes: never changed."""

    __slots__ = ("raw",)

    def __init__(self, raw: bytes) -> None:
        """Raises msgspec.MsgspecError for what is no object."""
        super().__init__(msgspec.json.decode(raw, type=dict[str, Any]))
        self.raw = raw if len(raw) <= LONGEST_KNOWN else b""
        """The bytes; empty where they are too many to be remembered."""


def row_of(raw: bytes) -> Row:
    """The row of some JSON. Raises msgspec.MsgspecError, UnicodeDecodeError and RecursionError."""
    return _known(raw) if len(raw) <= LONGEST_KNOWN else Row(raw)


_known = lru_cache(maxsize=MOST_KNOWN)(Row)
