"""A crash from the pieces of a dump that a host's snapshot holds: bytes at their offsets to what the dump readers take. Pure.

The host says where each piece lies and how large the file is; neither is believed further than the bytes go. What was not sent is a
hole, which the readers tell as missing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec

from auditor.analysis.crash.dump import read_dump
from auditor.model.crash import Crash
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import DecodeError
from auditor.model.host import Snapshot

_LARGEST_FILE = 1 << 42


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What the pieces told."""

    crash: Crash | None = None
    path: str = ""
    told: str = ""
    """How much of the file there was, or why no crash was read."""


class Pieces:
    """Bytes by offset, as the dump readers ask for them."""

    def __init__(self, pieces: Iterable[tuple[int, bytes]]) -> None:
        self._pieces = sorted(pieces)

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer, or none, where a hole begins."""
        parts: list[bytes] = []
        for start, data in self._pieces:
            if size > 0 and start <= offset < start + len(data):
                part = data[offset - start : offset - start + size]
                parts.append(part)
                offset += len(part)
                size -= len(part)
        return b"".join(parts)


def crash_in_pieces(snapshot: Snapshot, knowledge: CrashKnowledge) -> Found:
    """The crash in the dump that the host sent pieces of."""
    section = snapshot.sections.dumpbytes
    if not section.records:
        return Found(told=_why(snapshot))
    path, size = section.records[0].path, section.records[0].size_bytes
    own = [record for record in section.records if record.path == path]
    pieces = [(record.offset, data) for record in own if (data := _decoded(record.data)) is not None and 0 <= record.offset < _LARGEST_FILE]
    have = sum(len(data) for _, data in pieces)
    told = f"{have} of {size if size is not None else 'an unknown number of'} bytes"
    try:
        crash = read_dump(Pieces(pieces), file=path, size=size, knowledge=knowledge)
    except DecodeError as error:
        return Found(path=path, told=f"{path}: {error.message} ({told})")
    if size is not None and have < size:
        crash = msgspec.structs.replace(crash, missing=(*crash.missing, f"{told} of the file were taken from the host"))
    return Found(crash=crash, path=path, told=told)


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
