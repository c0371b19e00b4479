"""Full, summary and bitmap dumps: physical maps, page tables of every kind, the lists behind them."""

from __future__ import annotations

import random
import struct

import pytest

from auditor.analysis.crash.dump import read_dump
from auditor.analysis.crash.dump_bytes import Bytes
from auditor.analysis.crash.dump_header import read_header
from auditor.analysis.crash.dump_physical import BitmapBlock, BitmapMap, RunMap
from auditor.model.crash import Crash
from tests.dump_maker import PAGE, Dump, Mode, Module, header, paged
from tests.small_knowledge import small_knowledge

KNOWLEDGE = small_knowledge()


def read(data: bytes, size: int | None = None) -> Crash:
    return read_dump(Bytes(data), file="MEMORY.DMP", size=size or len(data), knowledge=KNOWLEDGE)


def sample(mode: Mode, **changes: object) -> Dump:
    small = mode in ("x86", "pae")
    base = 0x80800000 if small else 0xFFFFF80010000000
    driver = Module("widget.sys", 0xF5355000 if small else 0xFFFFF80055000000, 0x20000, 0x3F99BC4F)
    values: dict[str, object] = {
        "mode": mode,
        "build": 3790 if small else 19041,
        "process": "server.exe",
        "process_offset": 0x164 if small else 0x5A8,
        "parameters": (0, 2, 1, driver.base + 0x785),
        "modules": [Module("ntoskrnl.exe", base, 0x280000, 0x42435E60), driver],
        "unloaded": [Module("old_driver_with_a_long_name.sys", driver.base + 0x100000)],
        "stack": [0, driver.base + 0x4B94, base + 0x5000],
    }
    return Dump(**{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["full", "summary", "bitmap"])
@pytest.mark.parametrize("mode", ["x86", "pae", "x64", "x64_5", "arm64"])
def test_every_kind_of_paging_leads_to_the_modules(mode: Mode, kind: str) -> None:
    dump = sample(mode)
    crash = read(paged(dump, kind))  # type: ignore[arg-type]
    assert crash.missing == ()
    assert crash.source.kind == {"full": "full_dump", "summary": "kernel_dump", "bitmap": "bitmap_dump"}[kind]
    assert crash.drivers is not None
    assert [(d.name, int(d.base, 16), d.size, d.timestamp) for d in crash.drivers] == [
        (module.name, module.base, module.size, hex(module.stamp)) for module in dump.modules
    ]
    assert crash.drivers[1].path == "\\SystemRoot\\System32\\drivers\\widget.sys"
    assert (crash.image, crash.offset) == ("widget.sys", "0x785")
    assert crash.process == "server.exe"
    assert crash.unloaded_drivers is not None
    assert [(d.name, d.truncated, d.unloaded_at) for d in crash.unloaded_drivers] == [
        ("old_driver_with_a_long_name.sys", False, "2024-11-18T16:00:00Z")
    ]
    assert crash.stack is not None
    assert [frame.offset for frame in crash.stack][:2] == ["0x785", "0x4b94"]


def test_pages_in_transition_are_still_there() -> None:
    crash = read(paged(sample("x64"), "bitmap", transition=True))
    assert crash.drivers is not None
    assert len(crash.drivers) == 2


def test_the_first_part_of_a_file_gives_the_stop_code_and_says_what_is_missing() -> None:
    data = paged(sample("x64"), "bitmap")
    crash = read(data[:0x3000], size=0x3000)
    assert crash.bugcheck.code == "0xd1"
    assert crash.drivers is None
    assert not crash.source.complete
    assert any("no driver can be named" in text for text in crash.missing)
    assert any("promises" in text for text in crash.missing)


def test_a_list_that_breaks_off_is_told_as_far_as_it_goes() -> None:
    dump = sample("x64")
    dump.modules += [Module(f"more{index}.sys", 0xFFFFF80060000000 + index * 0x10000) for index in range(40)]
    whole = paged(dump, "bitmap")
    found = set()
    for size in range(len(whole) // 2, len(whole), PAGE * 7):
        crash = read(whole[:size])
        found.add(len(crash.drivers or ()))
        assert crash.missing
    assert max(found) <= 42


def test_a_list_that_runs_in_a_circle_ends() -> None:
    dump = sample("x64")
    data = bytearray(paged(dump, "full"))
    entry = struct.pack("<Q", 0xFFFFF80020004000)
    place = data.find(struct.pack("<QQ", 0xFFFFF80020004400, 0xFFFFF80020000000))
    assert place > 0
    data[place : place + 8] = entry
    crash = read(bytes(data))
    assert crash.drivers is not None
    assert len(crash.drivers) == 1
    assert any("does not close" in text for text in crash.missing)


def test_a_bitmap_map_agrees_with_counting() -> None:
    random.seed(7)
    bits = 4096 * 8 * 3 + 77
    bitmap = bytearray(random.randbytes((bits + 7) // 8))
    first = 0x100000
    block = BitmapBlock(0x2038, bits, sum(byte.bit_count() for byte in bitmap), first)
    pages = BitmapMap(Bytes(bytes(0x2038) + bytes(bitmap)), block)
    rank = 0
    expected = {}
    for page in range(bits):
        there = bitmap[page >> 3] >> (page & 7) & 1
        expected[page] = first + rank * PAGE if there else None
        rank += there
    for page in random.sample(range(bits), 3000):
        assert pages.locate(page) == expected[page]
    assert pages.locate(bits) is None
    assert pages.locate(-1) is None


def test_runs_lie_one_behind_the_other_in_the_order_of_the_header() -> None:
    head = read_header(Bytes(header(Dump(), 1, runs=[(0x100, 4), (0x10, 2)])))
    pages = RunMap(head)
    assert pages.locate(0x100) == 0x2000
    assert pages.locate(0x103) == 0x2000 + 3 * PAGE
    assert pages.locate(0x104) is None
    assert pages.locate(0x11) == 0x2000 + 5 * PAGE
    assert pages.locate(0) is None


@pytest.mark.parametrize(("offset", "value"), [(0x20, 0), (0x20, 1 << 60), (0x28, 1 << 40), (0x30, 1 << 50), (0x30, 0)])
def test_a_bitmap_block_that_contradicts_itself_is_not_believed(offset: int, value: int) -> None:
    data = bytearray(paged(sample("x64"), "bitmap"))
    struct.pack_into("<Q", data, 0x2000 + offset, value)
    crash = read(bytes(data))
    assert crash.drivers is None
    assert any("bitmap" in text for text in crash.missing)


def test_a_driver_without_a_readable_image_has_no_stamp() -> None:
    dump = sample("x64", modules=[Module("ntoskrnl.exe", 0xFFFFF80010000000, 0x280000, 0)])
    crash = read(paged(dump))
    assert crash.drivers is not None
    assert (crash.drivers[0].timestamp, crash.drivers[0].time) == ("0x0", None)


@pytest.mark.parametrize(
    ("code", "counts"), [(b"\x90\x90\xe8\x01\x02\x03\x04", True), (b"\x90\x90\x90\x90\x90\xff\xd0", True), (b"\x90" * 7, False)]
)
def test_a_return_address_stands_behind_a_call_where_the_code_is_there(code: bytes, counts: bool) -> None:
    dump = sample("x64")
    driver = dump.modules[1]
    dump.stack = [0, driver.base + 0x9007]
    dump.blocks = [(driver.base + 0x9000, code)]
    crash = read(paged(dump))
    assert crash.stack is not None
    assert ("0x9007" in [frame.offset for frame in crash.stack]) is counts
