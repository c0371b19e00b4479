"""Small memory dumps (type 4): the triage block behind the header page, its driver list, unloaded drivers, stack and data blocks.

Offsets are those of TRIAGE_DUMP32/64, DUMP_DRIVER_ENTRY32/64 and DUMP_UNLOADED_DRIVERS32/64, checked against recorded dumps of
builds 19041 to 26100. Every offset and count is a claim of the file: each is held against bounds before it is followed.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

import msgspec

from auditor.analysis.crash.dump_bytes import Reader, base_name, number, utf16
from auditor.analysis.crash.dump_header import Header
from auditor.model.crash import LoadedDriver, UnloadedDriver, hex_text, stamp_time

MAX_DRIVERS = 4096
MAX_UNLOADED = 64
MAX_BLOCKS = 65536
MAX_STACK = 1 << 20
_MAX_NAME = 520
_BLOCK = 16
_VALID = b"TRGD"


class TriageLayout(msgspec.Struct, frozen=True):
    """Where the fields of the triage block and its lists lie, from the start of each."""

    debugger_data: int
    data_blocks: int
    top_word: Literal[4, 8]
    strides: tuple[int, ...]
    driver_base: int
    driver_size: int
    driver_checksum: int
    driver_stamp: int
    unloaded_first: int
    unloaded_stride: int
    unloaded_name: int
    unloaded_start: int


_LAYOUTS = {
    4: TriageLayout(0x58, 0x60, 4, (0x4C, 0x50, 0x54, 0x58, 0x5C, 0x60), 0x1C, 0x24, 0x44, 0x48, 4, 40, 8, 32),
    8: TriageLayout(0x70, 0x78, 8, (0x90, 0x98, 0xA0, 0xA8), 0x38, 0x48, 0x80, 0x88, 8, 56, 16, 40),
}


class Triage(msgspec.Struct, frozen=True, kw_only=True):
    """What the triage block holds. None where a part is not there."""

    drivers: tuple[LoadedDriver, ...] | None
    unloaded: tuple[UnloadedDriver, ...] | None
    process: bytes
    """Bytes of the EPROCESS; empty where there are none."""
    debugger_data: bytes
    """KDDEBUGGER_DATA64; empty where there is none."""
    stack_start: int | None
    stack: bytes
    memory: RegionMemory
    missing: tuple[str, ...]


class RegionMemory:
    """Virtual memory made of the regions that a small dump holds. Regions are (address, size, file offset)."""

    __slots__ = ("_reader", "_regions", "_starts")

    def __init__(self, reader: Reader, regions: list[tuple[int, int, int]]) -> None:
        self._reader = reader
        self._regions = sorted(regions)
        self._starts = [region[0] for region in self._regions]

    def read(self, address: int, size: int) -> bytes:
        """What one region holds of the range, from its first byte on."""
        place = bisect_right(self._starts, address) - 1
        for index in range(place, max(place - 4, -1), -1):
            start, length, offset = self._regions[index]
            if address < start + length:
                return self._reader.read(offset + address - start, min(size, start + length - address))
        return b""


def read_triage(reader: Reader, header: Header) -> Triage:
    """The triage block. Never raises: what can't be read is named in `missing`."""
    layout = _LAYOUTS[header.layout.word]
    head = reader.read(header.layout.size, 0x90)
    missing: list[str] = []
    if reader.read(number(head, 8, 4) or 0, 4) != _VALID:
        missing.append("the mark at the end of the triage data is not there: the file is cut short or damaged")
    stack_start = number(head, 0x48, layout.top_word)
    stack = reader.read(number(head, 0x28, 4) or 0, min(number(head, 0x2C, 4) or 0, MAX_STACK))
    drivers = _drivers(reader, head, layout, missing)
    process_offset, thread_offset = number(head, 0x20, 4) or 0, number(head, 0x24, 4) or 0
    size = thread_offset - process_offset if 0 < process_offset < thread_offset else 0x400
    data_offset, data_size = number(head, layout.debugger_data, 4) or 0, number(head, layout.debugger_data + 4, 4) or 0
    return Triage(
        drivers=drivers,
        unloaded=_unloaded(reader, number(head, 0x18, 4) or 0, layout, missing),
        process=reader.read(process_offset, min(size, 0x4000)) if process_offset else b"",
        debugger_data=reader.read(data_offset, min(data_size, 0x1000)) if data_offset else b"",
        stack_start=stack_start if stack and stack_start else None,
        stack=stack,
        memory=_memory(reader, head, layout, stack_start, len(stack)),
        missing=tuple(missing),
    )


def _memory(reader: Reader, head: bytes, layout: TriageLayout, stack_start: int | None, stack_size: int) -> RegionMemory:
    offset, count = number(head, layout.data_blocks, 4) or 0, number(head, layout.data_blocks + 4, 4) or 0
    table = reader.read(offset, min(count, MAX_BLOCKS) * _BLOCK) if offset else b""
    regions: list[tuple[int, int, int]] = []
    for place in range(0, len(table) - _BLOCK + 1, _BLOCK):
        address, where, size = number(table, place, 8), number(table, place + 8, 4), number(table, place + 12, 4)
        if address and where and size and size < 1 << 28:
            regions.append((address & (1 << 8 * layout.top_word) - 1, size, where))
    if stack_start and stack_size:
        regions.append((stack_start, stack_size, number(head, 0x28, 4) or 0))
    return RegionMemory(reader, regions)


def _drivers(reader: Reader, head: bytes, layout: TriageLayout, missing: list[str]) -> tuple[LoadedDriver, ...] | None:
    offset, count = number(head, 0x30, 4) or 0, number(head, 0x34, 4)
    if not offset or not count:
        missing.append("no list of loaded drivers")
        return None
    if count > MAX_DRIVERS:
        missing.append(f"the list of loaded drivers claims {count} entries; {MAX_DRIVERS} at most are read")
    stride = _stride(offset, count, number(head, 0x38, 4) or 0, layout)
    wanted = min(count, MAX_DRIVERS)
    table = reader.read(offset, wanted * stride)
    drivers = []
    for place in range(0, len(table) - stride + 1, stride):
        driver = _driver(reader, table[place : place + stride], layout)
        if driver is not None:
            drivers.append(driver)
    if len(drivers) < wanted:
        missing.append(f"{len(drivers)} of {count} loaded drivers could be read: the file is cut short or damaged")
    return tuple(drivers) if drivers else None


def _stride(offset: int, count: int, pool: int, layout: TriageLayout) -> int:
    """Bytes of one driver entry: the string pool follows the list, so the distance tells it; the usual size where it does not."""
    for stride in layout.strides:
        if 0 <= pool - (offset + count * stride) < 8:
            return stride
    return layout.strides[0]


def _driver(reader: Reader, entry: bytes, layout: TriageLayout) -> LoadedDriver | None:
    base = number(entry, layout.driver_base, layout.top_word)
    path = _text(reader, number(entry, 0, 4) or 0)
    if not base or not path:
        return None
    stamp, checksum = number(entry, layout.driver_stamp, 4), number(entry, layout.driver_checksum, 4)
    return LoadedDriver(
        name=base_name(path),
        base=hex_text(base),
        size=number(entry, layout.driver_size, 4),
        timestamp=None if stamp is None else hex_text(stamp),
        time=stamp_time(stamp),
        checksum=hex_text(checksum) if checksum else None,
        path=path if "\\" in path else None,
    )


def _text(reader: Reader, offset: int) -> str:
    """A DUMP_STRING: number of characters, then UTF-16. Empty where it is absurdly long, or not there as a whole."""
    if not offset:
        return ""
    data = reader.read(offset, 4 + 2 * _MAX_NAME)
    length = number(data, 0, 4)
    if not length or length > _MAX_NAME or len(data) < 4 + 2 * length:
        return ""
    return utf16(data[4 : 4 + 2 * length])


def _unloaded(reader: Reader, offset: int, layout: TriageLayout, missing: list[str]) -> tuple[UnloadedDriver, ...] | None:
    count = number(reader.read(offset, 4), 0, 4) if offset else None
    if count is None:
        missing.append("no list of unloaded drivers")
        return None
    if count > MAX_UNLOADED:
        missing.append(f"the list of unloaded drivers claims {count} entries, more than Windows keeps: it is not read")
        return None
    stride = layout.unloaded_stride
    table = reader.read(offset + layout.unloaded_first, count * stride)
    if len(table) < count * stride:
        missing.append(f"{len(table) // stride} of {count} unloaded drivers could be read")
    found = (_unloaded_driver(table[place : place + stride], layout) for place in range(0, len(table) - stride + 1, stride))
    return tuple(driver for driver in found if driver is not None)


def _unloaded_driver(entry: bytes, layout: TriageLayout) -> UnloadedDriver | None:
    """An entry; its name is kept to 12 characters, the length of the whole name stands in the UNICODE_STRING before it."""
    name = utf16(entry[layout.unloaded_name : layout.unloaded_name + 24])
    start = number(entry, layout.unloaded_start, layout.top_word)
    end = number(entry, layout.unloaded_start + layout.top_word, layout.top_word)
    if not name or start is None or end is None:
        return None
    return UnloadedDriver(
        name=name,
        base=hex_text(start),
        size=end - start if 0 < end - start < 1 << 32 else None,
        truncated=len(name) == 12,
    )
