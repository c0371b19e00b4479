"""Small kernel dumps (type 4) from facts: what Windows writes to its Minidump folder, as far as a reader without symbols looks. Pure.

Layouts: DUMP_HEADER32/64, TRIAGE_DUMP32/64, DUMP_DRIVER_ENTRY32/64, as documented by the headers of Windows' debugger. What is not
stated is filled with PAGE, as Windows does it. x86 and x64.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)
_ACCESS = {"read": 0, "write": 1, "execute": 8}
_ACCESS_VIOLATION = 0xC0000005
_PROCESS = 0xC00
_NAMES = {
    32: ((10240, 0x174), (9200, 0x170), (7600, 0x16C), (6000, 0x14C), (0, 0x164)),
    64: ((26100, 0x338), (19041, 0x5A8), (10586, 0x450), (9200, 0x438), (7600, 0x2E0), (6000, 0x238), (0, 0x268)),
}
"""First build and offset of ImageFileName in EPROCESS, by bits, the newest first."""


class Driver(msgspec.Struct, frozen=True, kw_only=True):
    """A module of the list of loaded drivers."""

    name: str
    base: int
    size: int
    stamp: int


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a dump is to hold."""

    bits: Literal[32, 64]
    build: int
    service_pack: int
    code: int
    parameters: tuple[int, int, int, int]
    drivers: tuple[Driver, ...]
    process: str
    stack: tuple[int, ...]
    """Words of the stack, newest first."""
    stack_start: int
    exception: tuple[int, int, str, int] | None
    """Code, address, access, address touched."""
    time: datetime
    uptime: timedelta
    product: int
    size: int
    """The file is filled up to this."""


class Layout(msgspec.Struct, frozen=True):
    """Where the fields of a header lie, by bits."""

    word: int
    magic: bytes
    header: int
    machine: int
    machine_at: int
    code: int
    parameters: int
    context_stack: int
    exception: int
    kind: int
    product: int
    required: int
    time: int
    uptime: int
    stride: int
    entry: tuple[int, int, int]
    """Base, size and time stamp in a driver's entry."""
    top: int
    blocks: int


LAYOUTS = {
    32: Layout(4, b"PAGEDUMP", 0x1000, 0x14C, 0x20, 0x28, 0x2C, 0x320 + 0xC4, 0x7D0, 0xF88, 0xF94, 0xFA0, 0xFC0, 0xFB8, 0x4C,
                (0x1C, 0x24, 0x48), 0x48, 0x60),
    64: Layout(8, b"PAGEDU64", 0x2000, 0x8664, 0x30, 0x38, 0x40, 0x348 + 0x98, 0xF00, 0xF98, 0x1040, 0xFA0, 0xFA8, 0x1030, 0x90,
                (0x38, 0x48, 0x88), 0x48, 0x78),
}  # fmt: skip


def small_dump(contents: Contents) -> bytes:
    """The bytes of the file."""
    layout = LAYOUTS[contents.bits]
    out = bytearray(header(contents, layout, 4))
    start = len(out)
    out += b"\0" * 0x100
    places = {"unloaded": _add(out, bytes(layout.word))}
    process = bytearray(_PROCESS)
    name = contents.process.encode("ascii", "replace")[:15]
    place = name_place(contents)
    process[place : place + len(name)] = name
    places["process"] = _add(out, bytes(process))
    places["thread"] = _add(out, b"\0" * 0x100)
    stack = b"".join(word(layout, value) for value in contents.stack)
    places["stack"] = _add(out, stack)
    places["drivers"], places["pool"], pool = _add_drivers(out, contents, layout)
    places["valid"] = _add(out, b"TRGD")
    service_pack = contents.service_pack << 8
    front = (service_pack, len(out), places["valid"], 0x348, 0xF00, 0, places["unloaded"], 0, places["process"], places["thread"])
    rear = (places["stack"], len(stack), places["drivers"], len(contents.drivers), places["pool"], pool, 0, 0x41)
    struct.pack_into("<18I", out, start, *front, *rear)
    out[start + layout.top : start + layout.top + layout.word] = word(layout, contents.stack_start)
    struct.pack_into("<II", out, start + layout.blocks, len(out), 0)
    out += b"\0" * max(0, contents.size - len(out))
    return bytes(out)


def name_place(contents: Contents) -> int:
    """Where EPROCESS keeps the name of its image."""
    places = _NAMES[contents.bits]
    return next((place for first, place in places if contents.build >= first), places[-1][1])


def word(layout: Layout, value: int) -> bytes:
    """A pointer's bytes."""
    return (value & ((1 << layout.word * 8) - 1)).to_bytes(layout.word, "little")


def _add(out: bytearray, data: bytes) -> int:
    out += b"\0" * (-len(out) % 8)
    place = len(out)
    out += data
    return place


def header(contents: Contents, layout: Layout, kind: int) -> bytes:
    """The header page of a dump of this type."""
    data = bytearray(b"PAGE" * (layout.header // 4))

    def put(offset: int, kind: str, *values: int) -> None:
        struct.pack_into("<" + kind, data, offset, *values)

    data[0:8] = layout.magic
    put(8, "II", 15, contents.build)
    put(layout.machine_at, "II", layout.machine, 1)
    put(layout.code, "I", contents.code)
    for number, value in enumerate(contents.parameters):
        place = layout.parameters + number * layout.word
        data[place : place + layout.word] = word(layout, value)
    data[layout.context_stack : layout.context_stack + layout.word] = word(layout, contents.stack_start)
    if contents.exception is not None:
        record = _record(contents.exception, layout)
        data[layout.exception : layout.exception + len(record)] = record
    put(layout.kind, "I", kind)
    put(layout.required, "Q", contents.size)
    put(layout.time, "Q", (contents.time - _EPOCH) // timedelta(microseconds=1) * 10)
    put(layout.uptime, "Q", contents.uptime // timedelta(microseconds=1) * 10)
    put(layout.product, "I", contents.product)
    return bytes(data)


def _record(exception: tuple[int, int, str, int], layout: Layout) -> bytes:
    """EXCEPTION_RECORD: code, flags, next record, address, number of parameters, parameters."""
    code, address, access, target = exception
    extra = (_ACCESS[access], target) if code == _ACCESS_VIOLATION else ()
    head = struct.pack("<II", code, 0) + word(layout, 0) + word(layout, address) + struct.pack("<I", len(extra))
    head += b"\0" * (-len(head) % layout.word)
    return (head + b"".join(word(layout, value) for value in extra)).ljust(0x98 if layout.word == 8 else 0x50, b"\0")


def _add_drivers(out: bytearray, contents: Contents, layout: Layout) -> tuple[int, int, int]:
    """The list of drivers and the pool of their names: places of both, and the pool's length."""
    first = len(out) + (-len(out) % 8)
    pool_at = first + layout.stride * len(contents.drivers)
    entries, pool = bytearray(), bytearray()
    for driver in contents.drivers:
        entry = bytearray(layout.stride)
        struct.pack_into("<I", entry, 0, pool_at + len(pool))
        base, size, stamp = layout.entry
        entry[base : base + layout.word] = word(layout, driver.base)
        struct.pack_into("<I", entry, size, driver.size)
        struct.pack_into("<I", entry, stamp, driver.stamp)
        entries += entry
        text = driver.name.encode("utf-16-le")
        pool += struct.pack("<I", len(text) // 2) + text + b"\0\0"
        pool += b"\0" * (-len(pool) % 4)
    _add(out, bytes(entries))
    out += pool
    return first, pool_at, len(pool)
