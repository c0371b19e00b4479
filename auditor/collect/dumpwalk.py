"""Takes the needed parts of a host's dump in rounds: what the readers lack is asked for, merged, and read again, until nothing is lacking.

Owns the rounds and their limits: bytes together, rounds, time. A host decides neither where it ends nor how much of it is kept: only
bytes that were asked for count, a round without any new ones is the last, and a file that changes meanwhile ends it too.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import msgspec

from auditor.analysis.crash.crash_pieces import DumpParts, Pieces, parts_of
from auditor.analysis.crash.dump_wanted import Range, wanted_ranges
from auditor.collect.assemble import seen_after_all
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.host import DumpPieceRecord, Gap, HostResult
from auditor.probes.bundle import ProbeRequest

MOST_ROUNDS = 32
_ROUND_BYTES = 64 * 1024
_FRAME_BYTES = 1 << 20
"""What an answer may hold beside the bytes: the list of dumps, frames."""
_PIECES = "data"
_ONE_GAP = "1 not read, see gaps"
"""What `decode` says of a section with one gap: here that the file was not taken whole."""


class WalkLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one dump may cost."""

    dump_bytes: int = 16 * 1024 * 1024
    """Bytes of the file, the first collection's among them."""
    rounds: int = MOST_ROUNDS
    seconds: float = 360.0
    """All rounds together."""


Ask = Callable[[ProbeRequest, int, float], HostResult]
"""Asks the host once more: request, bytes that the answer may have, seconds that are left."""


def complete_dump(
    first: HostResult, request: ProbeRequest, ask: Ask, knowledge: CrashKnowledge, *, limits: WalkLimits, now: Callable[[], float]
) -> HostResult:
    """The result with the parts of its dump that were still needed; unchanged where it has no dump or nothing is needed.

    `now` is a clock that only goes forward, in seconds.
    """
    parts = _parts(first)
    if parts is None or parts.size is None:
        return first
    walk = _Walk(parts, request, limits)
    started = now()
    ended = ""
    for number in range(limits.rounds):
        left = limits.seconds - (now() - started)
        wanted = walk.wanted(knowledge, limits.rounds - number)
        if not wanted:
            break
        if left <= 0:
            ended = "the time for it was over"
            break
        answer = ask(walk.request(wanted), walk.answer_bytes(wanted), left)
        ended = walk.take(answer, wanted)
        if ended:
            break
    else:
        ended = f"{limits.rounds} rounds were asked"
    return _merged(first, walk, ended or walk.why_not_all(knowledge))


class _Walk:
    """The parts so far, and what may still be taken."""

    def __init__(self, parts: DumpParts, request: ProbeRequest, limits: WalkLimits) -> None:
        self.path, self.size = parts.path, parts.size or 0
        self.new: list[tuple[int, bytes]] = []
        self._pieces = Pieces(parts.pieces)
        self._request = request
        self._most = limits.dump_bytes

    @property
    def taken(self) -> int:
        """Bytes that are there."""
        return self._pieces.taken

    def wanted(self, knowledge: CrashKnowledge, rounds_left: int) -> tuple[Range, ...]:
        """The ranges of the next round."""
        left = self._most - self.taken
        share = min(left, max(left // rounds_left, _ROUND_BYTES))
        return wanted_ranges(self._pieces, self.size, knowledge, round_bytes=share) if share > 0 else ()

    def request(self, wanted: Sequence[Range]) -> ProbeRequest:
        """The same dump of the same moment again, these ranges only."""
        ranges, most = tuple(map(str, wanted)), sum(item.size for item in wanted)
        return msgspec.structs.replace(self._request, sections=("dumps", "dumpbytes"), dump_ranges=ranges, dump_limit_bytes=most)

    def answer_bytes(self, wanted: Sequence[Range]) -> int:
        """What the answer to that may have: base64, and the frames round it."""
        return sum(item.size for item in wanted) * 3 // 2 + _FRAME_BYTES

    def take(self, answer: HostResult, wanted: Sequence[Range]) -> str:
        """Keep what was asked for. Why this was the last round; empty where another may follow."""
        parts = _parts(answer)
        if parts is None:
            return f"a further round brought nothing of it ({answer.reason or 'no bytes came'})"
        if (parts.path, parts.size) != (self.path, self.size):
            return "the host's dump was another one in the next round"
        fresh = [piece for item in wanted for piece in _inside(parts.pieces, item)]
        before = self.taken
        self._pieces = Pieces([*self._pieces.all(), *fresh])
        self.new += fresh
        return "" if self.taken > before else "a further round brought nothing new of it"

    def why_not_all(self, knowledge: CrashKnowledge) -> str:
        """What is said where the limit of bytes ended it."""
        if self.taken < self._most or not wanted_ranges(self._pieces, self.size, knowledge, round_bytes=_ROUND_BYTES):
            return ""
        return f"no more than {self._most} bytes were to be taken (--dump-bytes)"


def _parts(result: HostResult) -> DumpParts | None:
    return parts_of(result.snapshot.sections.dumpbytes.records) if result.snapshot is not None else None


def _inside(pieces: Sequence[tuple[int, bytes]], wanted: Range) -> list[tuple[int, bytes]]:
    """What of the pieces lies in a range."""
    end = wanted.offset + wanted.size
    cut = ((max(start, wanted.offset), data[max(0, wanted.offset - start) : max(0, end - start)]) for start, data in pieces if start < end)
    return [(start, data) for start, data in cut if data]


def _merged(first: HostResult, walk: _Walk, ended: str) -> HostResult:
    """The first result with the new pieces in its section, and one word on how much of the file there is."""
    if first.snapshot is None:
        return first
    sections = first.snapshot.sections
    section = sections.dumpbytes
    size, modified = walk.size, section.records[0].modified_at
    rows = tuple(
        DumpPieceRecord(path=walk.path, offset=start, size_bytes=size, modified_at=modified, data=base64.b64encode(data).decode("ascii"))
        for start, data in walk.new
    )
    kept = tuple(gap for gap in section.gaps if (gap.record, gap.field) != (walk.path, _PIECES))
    told = f"{walk.taken} of {size} bytes were taken: {ended}"
    gaps = (*kept, Gap(record=walk.path, field=_PIECES, reason=told)) if ended else kept
    whole = not gaps and section.status == "partial" and section.reason == _ONE_GAP
    status, reason = ("ok", "") if whole else (section.status, section.reason)
    changed = msgspec.structs.replace(section, records=(*section.records, *rows), gaps=gaps, status=status, reason=reason)
    snapshot = msgspec.structs.replace(first.snapshot, sections=msgspec.structs.replace(sections, dumpbytes=changed))
    merged = msgspec.structs.replace(first, snapshot=snapshot)
    return seen_after_all(merged, "dumpbytes") if whole else merged
