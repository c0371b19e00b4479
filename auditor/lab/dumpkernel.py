"""Kernel dumps from facts: the kernel's memory with page tables, as a bitmap dump (type 5 on 64 bits) or summary dump (type 2 on 32). Pure.

Layouts: DUMP_HEADER32/64, SUMMARY_DUMP, KLDR_DATA_TABLE_ENTRY and KDDEBUGGER_DATA64 as the headers of Windows' debugger document them,
page tables as the processors' manuals do. The pages that lead to the list of modules lie at the end of the file, behind others.
"""

from __future__ import annotations

import struct

import msgspec

from auditor.lab.dumpfile import LAYOUTS, Contents, Driver, Layout, header, name_place, word

_PAGE = 0x1000
_SPACE = {32: 0x81000000, 64: 0xFFFFF80020000000}
_SHIFTS = {32: (22, 12), 64: (39, 30, 21, 12)}
_FIRST_FRAME = 0x10


class _Entry(msgspec.Struct, frozen=True):
    """Offsets in an entry of the list of modules."""

    base: int
    size: int
    full_name: int
    name: int
    length: int


_ENTRIES = {32: _Entry(0x18, 0x20, 0x24, 0x2C, 0x60), 64: _Entry(0x30, 0x40, 0x48, 0x58, 0xC0)}
_DIRECTORY, _MODULES, _DEBUGGER = {32: 0x10, 64: 0x10}, {32: 0x18, 64: 0x20}, {32: 0x60, 64: 0x80}
_STRIDE = 0x800
"""Bytes from one entry of the list to the next: entries lie apart, as in the kernel's pool."""


class _Memory:
    """Pages by their virtual number."""

    def __init__(self) -> None:
        self.pages: dict[int, bytearray] = {}

    def write(self, address: int, data: bytes) -> None:
        while data:
            page, inside = self.pages.setdefault(address >> 12, bytearray(_PAGE)), address & 0xFFF
            part = data[: _PAGE - inside]
            page[inside : inside + len(part)] = part
            address, data = address + len(part), data[len(part) :]


def kernel_dump(contents: Contents) -> bytes:
    """The bytes of the file, `contents.size` of them or more."""
    layout, bits = LAYOUTS[contents.bits], contents.bits
    memory, space = _Memory(), _SPACE[bits]
    _add_modules(memory, contents, layout, space)
    _add_debugger_data(memory, contents, layout, space)
    memory.write(contents.stack_start, b"".join(word(layout, value) for value in contents.stack).ljust(_PAGE, b"\0"))
    filler = max(0, contents.size - (2 * len(memory.pages) + 64) * _PAGE) // _PAGE
    frames, root = _frames(memory, bits, _FIRST_FRAME + filler)
    out = bytearray(header(contents, layout, 5 if bits == 64 else 2))
    for place, value in ((_DIRECTORY[bits], root << 12), (_MODULES[bits], space), (_DEBUGGER[bits], space + 0x1000)):
        out[place : place + layout.word] = word(layout, value)
    out += _bitmap(bits, len(out), _FIRST_FRAME, filler + len(frames))
    out += b"\xcc" * (filler * _PAGE) + b"".join(frames)
    out += b"\xcc" * max(0, contents.size - len(out))
    struct.pack_into("<Q", out, layout.required, len(out))
    return bytes(out)


def _add_modules(memory: _Memory, contents: Contents, layout: Layout, space: int) -> None:
    """PsLoadedModuleList at `space`, its entries, and the headers of the images."""
    entry = _ENTRIES[contents.bits]
    places = [space + 0x10000 + index * _STRIDE for index in range(len(contents.drivers))]
    ring = [space, *places]
    for index, place in enumerate(ring):
        memory.write(place, word(layout, ring[(index + 1) % len(ring)]) + word(layout, ring[index - 1]))
    for driver, place in zip(contents.drivers, places, strict=True):
        memory.write(place + entry.base, word(layout, driver.base))
        memory.write(place + entry.size, struct.pack("<I", driver.size))
        path = f"\\SystemRoot\\System32\\drivers\\{driver.name}"
        for offset, text, at in ((entry.full_name, path, entry.length), (entry.name, driver.name, 0x400)):
            data = text.encode("utf-16-le")
            memory.write(place + offset, struct.pack("<HH", len(data), len(data)))
            memory.write(place + offset + layout.word, word(layout, place + at))
            memory.write(place + at, data)
        memory.write(driver.base, _image_head(driver))


def _image_head(driver: Driver) -> bytes:
    head = bytearray(0x100)
    head[0:2], head[0x80:0x84] = b"MZ", b"PE\0\0"
    struct.pack_into("<I", head, 0x3C, 0x80)
    struct.pack_into("<I", head, 0x88, driver.stamp)
    return bytes(head)


def _add_debugger_data(memory: _Memory, contents: Contents, layout: Layout, space: int) -> None:
    """KDDEBUGGER_DATA64 behind the list's head, one processor, its thread and process, no unloaded modules."""
    processors, processor, thread, process, unloaded = (space + page for page in (0x2000, 0x3000, 0x4000, 0x5000, 0x7000))
    data = bytearray(0x340)
    data[0x10:0x14] = b"KDBG"
    sign = 0 if contents.bits == 64 else 0xFFFFFFFF00000000
    for offset, value in ((0x48, space), (0x218, processors), (0x220, unloaded)):
        struct.pack_into("<Q", data, offset, value | sign)
    for offset, value in ((0x29C, 0x58), (0x29E, 0x28), (0x2A0, 0xB8), (0x2B4, 0x8)):
        struct.pack_into("<H", data, offset, value)
    memory.write(space + 0x1000, bytes(data))
    memory.write(processors, word(layout, processor))
    memory.write(processor + 8, word(layout, thread))
    memory.write(thread + 0x28, word(layout, contents.stack_start + _PAGE))
    memory.write(thread + 0xB8, word(layout, process))
    memory.write(process + name_place(contents), contents.process.encode("ascii", "replace")[:15] + b"\0")
    memory.write(unloaded, word(layout, 0))


def _frames(memory: _Memory, bits: int, first: int) -> tuple[list[bytearray], int]:
    """The page frames from `first` on: the memory's pages, and the tables that map them; the top table's number."""
    frames: list[bytearray] = []

    def new(data: bytearray) -> int:
        frames.append(data)
        return first + len(frames) - 1

    mapped = {page: new(data) for page, data in memory.pages.items()}
    root = new(bytearray(_PAGE))
    tables: dict[tuple[int, ...], int] = {(): root}
    size, mask = (4, 0x3FF) if bits == 32 else (8, 0x1FF)
    for page, frame in mapped.items():
        path: tuple[int, ...] = ()
        for shift in _SHIFTS[bits]:
            table, index = frames[tables[path] - first], (page << 12) >> shift & mask
            path = (*path, index)
            if shift > 12 and path not in tables:
                tables[path] = new(bytearray(_PAGE))
            table[index * size : (index + 1) * size] = ((frame if shift == 12 else tables[path]) << 12 | 1).to_bytes(size, "little")
    return frames, root


def _bitmap(bits: int, start: int, first: int, count: int) -> bytes:
    """The block that says which frames follow: `count` of them from `first` on, one after the other."""
    limit = (first + count + 7) // 8 * 8
    marks = ((1 << count) - 1 << first).to_bytes(limit // 8, "little")
    block = bytearray(0x38 if bits == 64 else 0x20)
    block[0:8] = b"SDMPDUMP"
    end = start + len(block) + len(marks)
    pages_at = end + -end % _PAGE
    if bits == 64:
        struct.pack_into("<QQQ", block, 0x20, pages_at, count, limit)
    else:
        struct.pack_into("<5I", block, 8, 0, pages_at, limit, count, limit)
    return bytes(block + marks).ljust(pages_at - start, b"\0")
