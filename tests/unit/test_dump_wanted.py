"""The walk through a large dump in rounds: what is asked for, what is kept, and that no host makes it endless."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Sequence

import msgspec
import pytest

from auditor.analysis.crash.crash_pieces import Pieces, crash_in_pieces
from auditor.analysis.crash.dump_wanted import MOST_RANGES, PAGE, Range, wanted_ranges
from auditor.collect.dumpwalk import WalkLimits, complete_dump
from auditor.model.crash import Crash
from auditor.model.host import DumpPieceRecord, Gap, HostResult, Nothing, Section, Sections, Snapshot
from auditor.probes.bundle import ProbeRequest
from tests.dump_maker import Mode, Module, paged
from tests.small_knowledge import small_knowledge
from tests.unit.test_dump_paged import sample

KNOWLEDGE = small_knowledge()
FIRST = 0x8000
REQUEST = ProbeRequest(sections=("dumps", "dumpbytes"), dump_limit_bytes=FIRST)
Serve = Callable[[int, int], bytes]


def large(mode: Mode = "x64", kind: str = "bitmap") -> tuple[bytes, list[str]]:
    """A dump whose list of modules lies behind its first part, with the names in their order."""
    start = 0xF5400000 if mode in ("x86", "pae") else 0xFFFFF80056000000
    dump = sample(mode)
    dump.modules += [Module(f"driver{n}.sys", start + n * 0x10000) for n in range(40)]
    return paged(dump, kind), [module.name for module in dump.modules]  # type: ignore[arg-type]


def result(pieces: Sequence[tuple[int, bytes]], size: int, path: str = "C:\\Windows\\MEMORY.DMP") -> HostResult:
    records = tuple(
        DumpPieceRecord(path=path, offset=start, size_bytes=size, modified_at="2005-11-08T11:05:00Z", data=base64.b64encode(data).decode())
        for start, data in pieces
    )
    gaps = (Gap(record=path, field="data", reason="1 of 2 bytes were taken"),)
    section: Section[DumpPieceRecord, Nothing] = Section(status="partial", reason="1 not read, see gaps", records=records, gaps=gaps)
    snapshot = Snapshot(
        host="a", collected_at="2005-11-08T12:00:00Z", collector="x", transport="http/ntlm", sections=Sections(dumpbytes=section)
    )
    return HostResult(host="a", status="partial", reason="not seen as a whole: dumpbytes", snapshot=snapshot)


class Host:
    """A host that serves parts of a file, and keeps what it was asked."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[ProbeRequest] = []

    def first(self, size: int = FIRST) -> HostResult:
        return result([(0, self.data[:size])], len(self.data))

    def ask(self, request: ProbeRequest, answer_bytes: int, seconds: float) -> HostResult:
        assert seconds > 0
        self.asked.append(request)
        parts = [tuple(map(int, text.split(":"))) for text in request.dump_ranges]
        assert sum(size for _, size in parts) <= request.dump_limit_bytes < answer_bytes
        return result([(start, self.data[start : start + size]) for start, size in parts], len(self.data))


def walk(host: Host, first: HostResult | None = None, **limits: int) -> HostResult:
    wanted = WalkLimits(**limits) if limits else WalkLimits()
    return complete_dump(first or host.first(), REQUEST, host.ask, KNOWLEDGE, limits=wanted, now=lambda: 0.0)


def crash_of(found: HostResult) -> Crash:
    assert found.snapshot is not None
    crash = crash_in_pieces(found.snapshot, KNOWLEDGE).crash
    assert crash is not None
    return crash


@pytest.mark.parametrize("kind", ["full", "summary", "bitmap"])
@pytest.mark.parametrize("mode", ["x86", "pae", "x64", "x64_5", "arm64"])
def test_the_whole_list_of_drivers_arrives(mode: Mode, kind: str) -> None:
    data, names = large(mode, kind)
    assert crash_of(Host(data).first()).missing
    host = Host(data)
    found = walk(host)
    crash = crash_of(found)
    assert [driver.name for driver in crash.drivers or ()] == names
    assert crash.missing == ()
    assert (crash.image, crash.process, found.status) == ("widget.sys", "server.exe", "ok")
    assert 0 < len(host.asked) <= 16


def test_never_more_than_the_limit_is_taken_and_that_is_told() -> None:
    data, _ = large()
    host = Host(data)
    found = walk(host, dump_bytes=FIRST + 0x4000, rounds=8)
    assert found.snapshot is not None
    section = found.snapshot.sections.dumpbytes
    assert sum(len(base64.b64decode(record.data or "")) for record in section.records) <= FIRST + 0x4000
    assert "--dump-bytes" in section.gaps[0].reason
    assert (section.status, found.status) == ("partial", "partial")


def test_nothing_is_asked_of_a_dump_that_is_whole_or_of_a_host_without_one() -> None:
    data, _ = large()
    host = Host(data)
    walk(host, host.first(len(data)))
    bare = HostResult(host="a", status="failed", reason="it was away")
    assert walk(host, bare) is bare
    assert host.asked == []


@pytest.mark.parametrize("answer", ["nothing", "the same", "zeros", "another file", "a reason", "all of it", "loops"])
def test_a_host_that_lies_ends_it_and_harms_nothing(answer: str) -> None:
    data, _ = large()

    class Liar(Host):
        def ask(self, request: ProbeRequest, answer_bytes: int, seconds: float) -> HostResult:
            honest = super().ask(request, answer_bytes, seconds)
            starts = [(int(text.split(":")[0]), int(text.split(":")[1])) for text in request.dump_ranges]
            lies = {
                "nothing": result([], len(data)),
                "the same": self.first(),
                "zeros": result([(start, bytes(size)) for start, size in starts], len(data)),
                "another file": result([(start, b"x" * size) for start, size in starts], len(data) + 1),
                "a reason": HostResult(host="a", status="timed_out", reason="no answer"),
                "all of it": result([(0, data * 2)], len(data)),
                "loops": result([(start, data[0x6000:0x7000] * (size // PAGE)) for start, size in starts], len(data)),
            }
            return lies.get(answer, honest)

    host = Liar(data)
    found = walk(host, dump_bytes=0x40000)
    assert len(host.asked) <= 32
    crash = crash_of(found)
    assert crash.bugcheck.code == "0xd1"
    assert found.snapshot is not None
    kept = sum(len(base64.b64decode(record.data or "")) for record in found.snapshot.sections.dumpbytes.records)
    assert kept <= 0x40000


def test_time_ends_it() -> None:
    data, _ = large()
    host = Host(data)
    clock = iter(range(0, 100_000, 100))
    found = complete_dump(host.first(), REQUEST, host.ask, KNOWLEDGE, limits=WalkLimits(seconds=150), now=lambda: float(next(clock)))
    assert len(host.asked) == 1
    assert found.snapshot is not None
    assert "the time for it was over" in found.snapshot.sections.dumpbytes.gaps[0].reason


def test_ranges_are_disjoint_new_and_within_the_round() -> None:
    data, _ = large()
    pieces = Pieces([(0, data[:FIRST]), (0xA000, data[0xA000:0xB000])])
    for round_bytes in (PAGE, 0x10000, 1 << 20):
        found = wanted_ranges(pieces, len(data), KNOWLEDGE, round_bytes=round_bytes)
        assert found
        assert sum(item.size for item in found) <= round_bytes
        assert len(found) <= MOST_RANGES
        assert all(pieces.holes(item.offset, item.size) == [(item.offset, item.size)] for item in found)
        assert all(a.offset + a.size < b.offset for a, b in itertools.pairwise(found))


def test_pieces_overlap_without_harm() -> None:
    pieces = Pieces([(4, b"efgh"), (0, b"abcdXX"), (10, b"kl"), (11, b"Z"), (0, b"q")])
    assert pieces.read(0, 100) == b"abcdXXgh"
    assert pieces.read(10, 5) == b"kl"
    assert pieces.read(9, 2) == b""
    assert pieces.holes(0, 20) == [(8, 2), (12, 8)]
    assert pieces.taken == 10
    assert msgspec.structs.astuple(Range(1, 2)) == (1, 2)
    assert str(Range(4096, 8)) == "4096:8"
