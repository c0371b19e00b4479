"""Which parts of a dump its readers still need, as byte ranges to ask a host for. Pure; asks nobody.

The readers run over what is there and every hole that they run into is noted. A dump's lists are chains, so that one walk shows the next
step of each only: the ranges are rounded up to blocks, the larger the more bytes are left for each round.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from auditor.analysis.crash.crash_pieces import LARGEST_FILE, Pieces
from auditor.analysis.crash.dump import read_dump
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import DecodeError

PAGE = 0x1000
LARGEST_BLOCK = 0x80000
MOST_RANGES = 256
"""Ranges of one round."""
_MOST_HOLES = 4096


class Range(msgspec.Struct, frozen=True, order=True):
    """A part of a file."""

    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.offset}:{self.size}"


class _Noting:
    """Pieces that note where they end too early, in the order in which that was met."""

    def __init__(self, pieces: Pieces, size: int) -> None:
        self._pieces = pieces
        self._size = size
        self.holes: dict[int, None] = {}
        """Offsets of pages that are not there, or not whole."""

    def read(self, offset: int, size: int) -> bytes:
        data = self._pieces.read(offset, size)
        end = min(offset + size, self._size)
        place = offset + len(data)
        while 0 <= place < end and len(self.holes) < _MOST_HOLES:
            self.holes[place // PAGE * PAGE] = None
            place = (place // PAGE + 1) * PAGE
        return data


def wanted_ranges(pieces: Pieces, size: int, knowledge: CrashKnowledge, *, round_bytes: int) -> tuple[Range, ...]:
    """What to ask for next of a dump of `size` bytes, at most `round_bytes` together; empty where the readers need nothing more.

    Ranges are disjoint, hold nothing that is there, and stand in the order of the file.
    """
    size = min(size, LARGEST_FILE)
    noting = _Noting(pieces, size)
    try:
        read_dump(noting, file="", size=size, knowledge=knowledge)
    except DecodeError:
        return ()
    pages = list(noting.holes)
    block = _block(pages, round_bytes)
    found: list[Range] = []
    left = round_bytes
    for start in dict.fromkeys(page // block * block for page in pages):
        for offset, length in pieces.holes(start, min(block, size - start)):
            if left <= 0 or len(found) >= MOST_RANGES:
                return _joined(found)
            found.append(Range(offset, min(length, left)))
            left -= length
    return _joined(found)


def _block(pages: Iterable[int], round_bytes: int) -> int:
    """The largest block of which all that are needed fit into a round."""
    block = PAGE
    while block < LARGEST_BLOCK:
        larger = block * 2
        if len({page // larger for page in pages}) * larger > round_bytes:
            break
        block = larger
    return block


def _joined(ranges: list[Range]) -> tuple[Range, ...]:
    """The ranges in order, neighbours put together."""
    joined: list[Range] = []
    for item in sorted(ranges):
        if joined and joined[-1].offset + joined[-1].size == item.offset:
            joined[-1] = Range(joined[-1].offset, joined[-1].size + item.size)
        else:
            joined.append(item)
    return tuple(joined)
