"""The header page of a kernel dump, 32-bit (PAGEDUMP) and 64-bit (PAGEDU64). Owns its offsets; reads nothing behind it.

Offsets are those of DUMP_HEADER32 and DUMP_HEADER64 as Ghidra's `pagedump` module and the symbols of Microsoft's debugger state
them, checked against recorded dumps. Windows fills what it does not write with the letters PAGE: such a field is "not stated".
"""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.analysis.crash.dump_bytes import Reader, number, numbers
from auditor.model.crash import Architecture, ProductType
from auditor.model.errors import DecodeError

_FILL = 0x45474150
_MACHINES: dict[int, Architecture] = {0x14C: "x86", 0x8664: "x64", 0xAA64: "arm64", 0x200: "ia64"}
_PRODUCTS: dict[int, ProductType] = {1: "workstation", 2: "domain_controller", 3: "server"}
DumpType = Literal[1, 2, 3, 4, 5, 6, 7]


class Layout(msgspec.Struct, frozen=True):
    """Where the fields of one kind of header lie."""

    word: Literal[4, 8]
    size: int
    machine: int
    processors: int
    code: int
    parameters: int
    directory: int
    modules: int
    debugger_block: int
    memory_block: int
    context: int
    context_size: int
    exception: int
    dump_type: int
    product: int
    required: int
    time: int
    uptime: int


LAYOUTS: dict[bytes, Layout] = {
    b"PAGEDUMP": Layout(4, 0x1000, 0x20, 0x24, 0x28, 0x2C, 0x10, 0x18, 0x60, 0x64, 0x320, 1200, 0x7D0, 0xF88, 0xF94, 0xFA0, 0xFC0, 0xFB8),
    b"PAGEDU64": Layout(8, 0x2000, 0x30, 0x34, 0x38, 0x40, 0x10, 0x20, 0x80, 0x88, 0x348, 3000, 0xF00, 0xF98, 0x1040, 0xFA0, 0xFA8, 0x1030),
}
_PAE = 0x5C
"""PaeEnabled of the 32-bit header, one byte."""


class Run(msgspec.Struct, frozen=True):
    """Physical pages that follow each other."""

    first: int
    """Page frame number of the first."""
    count: int


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the header states; None where it does not, or where the file ends before it."""

    layout: Layout
    machine: Architecture | None
    build: int | None
    processors: int | None
    code: int | None
    parameters: tuple[int | None, ...]
    directory: int | None
    """Physical address of the top page table (CR3)."""
    modules: int | None
    """Virtual address of PsLoadedModuleList."""
    debugger_block: int | None
    pae: bool
    runs: tuple[Run, ...]
    context: bytes
    exception: bytes
    dump_type: int | None
    product: ProductType | None
    required: int | None
    """Bytes that the whole dump takes."""
    filetime: int | None
    uptime: int | None
    """In 100 ns."""
    missing: tuple[str, ...]


def is_dump(head: bytes) -> bool:
    """Whether a file starts like a kernel dump."""
    return head[:8] in LAYOUTS


def read_header(reader: Reader) -> Header:
    """The header. Raises DecodeError where the file is no kernel dump or ends before the stop code."""
    data = reader.read(0, 0x2000)
    layout = LAYOUTS.get(data[:8])
    if layout is None:
        raise DecodeError("not a kernel dump: it does not start with PAGEDUMP or PAGEDU64", place="0x0")
    data = data[: layout.size]
    word = layout.word
    if len(data) < layout.code + 4:
        raise DecodeError(f"the file ends after {len(data)} bytes, before the stop code", place=f"0x{layout.code:x}")
    missing: list[str] = []
    if len(data) < layout.size:
        missing.append(f"the file ends inside the dump header, after {len(data)} of {layout.size} bytes")
    machine = _MACHINES.get(number(data, layout.machine, 4) or 0)
    if machine is None:
        missing.append("the header names no known processor architecture: it is damaged or made up")
    return Header(
        layout=layout,
        machine=machine,
        build=_build(data),
        processors=_stated(data, layout.processors, 4),
        code=number(data, layout.code, 4),
        parameters=tuple(number(data, layout.parameters + i * word, word) for i in range(4)),
        directory=_stated(data, layout.directory, word),
        modules=_stated(data, layout.modules, word),
        debugger_block=_stated(data, layout.debugger_block, word),
        pae=word == 4 and number(data, _PAE, 1) == 1,
        runs=_runs(data, layout),
        context=data[layout.context : layout.context + layout.context_size],
        exception=data[layout.exception : layout.exception + 0x98],
        dump_type=_stated(data, layout.dump_type, 4),
        product=_PRODUCTS.get(number(data, layout.product, 4) or 0),
        required=_stated(data, layout.required, 8),
        filetime=_stated(data, layout.time, 8),
        uptime=_stated(data, layout.uptime, 8),
        missing=tuple(missing),
    )


def _build(data: bytes) -> int | None:
    """Minor version: the build number, whose upper half checked builds may use for flags."""
    value = _stated(data, 0x0C, 4)
    return value & 0xFFFF if value and value & 0xFFFF else None


def _stated(data: bytes, offset: int, size: int) -> int | None:
    """A number, or None for the fill pattern PAGE (or half of it)."""
    value = number(data, offset, size)
    if value is None or value in (0, _FILL, _FILL << 32 | _FILL):
        return None
    return None if size == 8 and value & 0xFFFFFFFF == _FILL else value


def _runs(data: bytes, layout: Layout) -> tuple[Run, ...]:
    """The physical memory block; empty where it is filled, or states more runs than it has room for."""
    word = layout.word
    count = number(data, layout.memory_block, 4)
    if count is None or not 0 < count <= 700 // (2 * word):
        return ()
    start = layout.memory_block + 2 * word
    block = data[start : start + count * 2 * word]
    values = numbers(block, word)
    pairs = zip(values[::2], values[1::2], strict=False)
    return tuple(Run(first, pages) for first, pages in pairs if 0 < pages < 1 << 40 and first < 1 << 40)
