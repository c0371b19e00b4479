"""A crash from the pieces of a dump that a host's snapshot holds: bytes at their offsets to what the dump readers take. Pure.

The host says where each piece lies and how large the file is; neither is believed further than the bytes go. What was not sent is a
hole, which the readers tell as missing.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from auditor.analysis.crash.dump import read_dump
from auditor.model.crash import Crash
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import DecodeError
from auditor.model.host import DumpPieceRecord, Snapshot

LARGEST_FILE = 1 << 42


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the pieces told."""

    crash: Crash | None = None
    path: str = ""
    told: str = ""
    """How much of the file there was, or why no crash was read."""


class Pieces:
    """Bytes by offset, as the dump readers ask for them. Of bytes that were sent twice the first count."""

    def __init__(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        self._starts: list[int] = []
        self._pieces: list[bytes] = []
        end = -1
        for start, data in sorted(pieces, key=lambda piece: piece[0]):
            fresh = data[max(0, end - start) :] if start < end else data
            if fresh:
                start = max(start, end)
                self._starts.append(start)
                self._pieces.append(fresh)
                end = start + len(fresh)

    @property
    def taken(self) -> int:
        """How many there are."""
        return sum(map(len, self._pieces))

    def all(self) -> list[tuple[int, bytes]]:
        """The pieces in order, disjoint."""
        return list(zip(self._starts, self._pieces, strict=True))

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer, or none, where a hole begins."""
        parts: list[bytes] = []
        place = bisect_right(self._starts, offset) - 1
        while size > 0 and 0 <= place < len(self._starts):
            inside = offset - self._starts[place]
            part = self._pieces[place][inside : inside + size] if inside >= 0 else b""
            if not part:
                break
            parts.append(part)
            offset, size, place = offset + len(part), size - len(part), place + 1
        return b"".join(parts)

    def holes(self, offset: int, size: int) -> list[tuple[int, int]]:
        """The parts (offset, size) of a range that are not there."""
        found: list[tuple[int, int]] = []
        end = offset + size
        place = max(0, bisect_right(self._starts, offset) - 1)
        for start, data in zip(self._starts[place:], self._pieces[place:], strict=False):
            if start >= end:
                break
            if start > offset:
                found.append((offset, start - offset))
            offset = max(offset, start + len(data))
        if offset < end:
            found.append((offset, end - offset))
        return found


class DumpParts(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of one dump file in a snapshot."""

    path: str
    size: int | None
    pieces: tuple[tuple[int, bytes], ...]


def parts_of(records: Sequence[DumpPieceRecord]) -> DumpParts | None:
    """The parts of the first file that is named; None where there are none."""
    if not records:
        return None
    first = records[0]
    own = [record for record in records if record.path == first.path]
    pieces = [(record.offset, data) for record in own if (data := _decoded(record.data)) is not None and 0 <= record.offset < LARGEST_FILE]
    return DumpParts(path=first.path, size=first.size_bytes, pieces=tuple(pieces))


def crash_in_pieces(snapshot: Snapshot, knowledge: CrashKnowledge) -> Found:
    """The crash in the dump that the host sent pieces of."""
    parts = parts_of(snapshot.sections.dumpbytes.records)
    if parts is None:
        return Found(told=_why(snapshot))
    pieces = Pieces(parts.pieces)
    told = f"{pieces.taken} of {parts.size if parts.size is not None else 'an unknown number of'} bytes"
    try:
        crash = read_dump(pieces, file=parts.path, size=parts.size, knowledge=knowledge)
    except DecodeError as error:
        return Found(path=parts.path, told=f"{parts.path}: {error.message} ({told})")
    if parts.size is not None and pieces.taken < parts.size:
        crash = _with_words(crash, f"{told} of the file were taken from the host")
    return Found(crash=crash, path=parts.path, told=told)


def _with_words(crash: Crash, words: str) -> Crash:
    """Of a dump whose needed parts are all there it is a remark that the rest was left on the host; else it is what is missing."""
    if crash.missing:
        return msgspec.structs.replace(crash, missing=(*crash.missing, words))
    return msgspec.structs.replace(crash, notes=(*crash.notes, f"{words}: all that was needed of it"))


def _decoded(text: str | None) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True) if text else None
    except (binascii.Error, ValueError):
        return None


def _why(snapshot: Snapshot) -> str:
    """Why there are no pieces."""
    section = snapshot.sections.dumpbytes
    listed = [record for record in snapshot.sections.dumps.records if record.kind != "settings"]
    if section.status == "not_asked":
        named = f"; its dumps are {', '.join(record.path for record in listed[:3])}" if listed else ""
        return f"the host was not asked for its dump{named}"
    if section.reason:
        return section.reason
    return "the host keeps no dump of that time" if not listed else "the host sent nothing of its dump"
