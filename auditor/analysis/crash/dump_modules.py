"""Lists of the kernel read from virtual memory: loaded modules, unloaded modules, the running process. Every walk is bounded.

Offsets are those of KLDR_DATA_TABLE_ENTRY, of the debugger data block (KDDEBUGGER_DATA64 in Microsoft's wdbgexts.h) and of the unloaded
driver table; the stamp comes from the PE header in memory, as the list keeps none before Windows 8.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.analysis.crash.dump_bytes import Memory, base_name, number, pointer, utf16
from auditor.model.crash import LoadedDriver, UnloadedDriver, filetime_time, hex_text, stamp_time

MAX_MODULES = 2048
MAX_UNLOADED = 64
_TAG = b"KDBG"


class _Entry(msgspec.Struct, frozen=True):
    """Offsets inside a module entry, by size of a pointer."""

    debug_info: int
    base: int
    size: int
    full_name: int
    base_name: int
    checksum: int
    length: int


_ENTRIES: dict[int, _Entry] = {4: _Entry(0x14, 0x18, 0x20, 0x24, 0x2C, 0x40, 0x50), 8: _Entry(0x28, 0x30, 0x40, 0x48, 0x58, 0x78, 0xA0)}
_STAMP_IN_ENTRY = 0x9C
"""TimeDateStamp of the 64-bit entry since Windows 8."""


class DebuggerData(msgspec.Struct, frozen=True, kw_only=True):
    """What is used of the debugger data block."""

    kernel_base: int | None = None
    modules: int | None = None
    processor_block: int | None = None
    unloaded: int | None = None
    """Address of the variable MmUnloadedDrivers."""
    thread_kernel_stack: int | None = None
    thread_initial_stack: int | None = None
    thread_process: int | None = None
    prcb_thread: int | None = None


def debugger_data(data: bytes, word: Literal[4, 8]) -> DebuggerData | None:
    """The debugger data block, or None where it is not one (or is still encoded). Its addresses are sign-extended on 32-bit systems."""
    if data[0x10:0x14] != _TAG:
        return None
    mask = (1 << 8 * word) - 1
    addresses = [value & mask if (value := number(data, place, 8)) else None for place in (0x18, 0x48, 0x218, 0x220)]
    return DebuggerData(
        kernel_base=addresses[0],
        modules=addresses[1],
        processor_block=addresses[2],
        unloaded=addresses[3],
        thread_kernel_stack=number(data, 0x29C, 2),
        thread_initial_stack=number(data, 0x29E, 2),
        thread_process=number(data, 0x2A0, 2),
        prcb_thread=number(data, 0x2B4, 2),
    )


def loaded_modules(memory: Memory, head: int, word: Literal[4, 8], missing: list[str]) -> tuple[LoadedDriver, ...] | None:
    """The list at PsLoadedModuleList, in load order; None where not even its first entry can be read."""
    seen: set[int] = set()
    found, end = _along(memory, head, 0, word, seen)
    if end is None:
        rear, _ = _along(memory, head, word, word, seen)
        words = f"{len(found)} entries from its start" + (f" and {len(rear)} from its end" if rear else "")
        missing.append(f"the list of loaded modules breaks off: {words} could be read, the pages between them are not in the dump")
        found += reversed(rear)
    elif found and end != head:
        missing.append(f"the list of loaded modules does not close after {len(found)} entries: it is damaged")
    if not found:
        missing.append("the list of loaded modules is not in this part of the dump")
    return tuple(found) or None


def _along(memory: Memory, head: int, link: int, word: Literal[4, 8], seen: set[int]) -> tuple[list[LoadedDriver], int | None]:
    """The modules along one of the two links of an entry, and where the way ended: the head, an entry seen before, None in a hole."""
    entry = pointer(memory, head + link, word)
    found: list[LoadedDriver] = []
    while entry and entry != head and entry not in seen and len(seen) < MAX_MODULES:
        seen.add(entry)
        data = memory.read(entry, _ENTRIES[word].length)
        module = _module(memory, data, word)
        if module is not None:
            found.append(module)
        entry = number(data, link, word)
    return found, entry


def _module(memory: Memory, data: bytes, word: Literal[4, 8]) -> LoadedDriver | None:
    layout = _ENTRIES[word]
    base = number(data, layout.base, word)
    if not base:
        return None
    path = _unicode(memory, data, layout.full_name, word)
    name = _unicode(memory, data, layout.base_name, word) or base_name(path)
    stamp, checksum = _stamp(memory, data, base, word), number(data, layout.checksum, 4)
    if not name:
        return None
    return LoadedDriver(
        name=name,
        base=hex_text(base),
        size=number(data, layout.size, 4),
        timestamp=None if stamp is None else hex_text(stamp),
        time=stamp_time(stamp),
        checksum=hex_text(checksum) if checksum else None,
        path=path or None,
    )


def _unicode(memory: Memory, entry: bytes, offset: int, word: Literal[4, 8]) -> str:
    """A UNICODE_STRING whose buffer lies elsewhere in memory; empty where it can't be read."""
    length, address = number(entry, offset, 2), number(entry, offset + word, word)
    if not length or not address or length > 2 * 1024:
        return ""
    data = memory.read(address, length)
    return utf16(data) if len(data) == length else ""


def _stamp(memory: Memory, entry: bytes, base: int, word: Literal[4, 8]) -> int | None:
    """Link time stamp: from the image's own header, else from the loader's debug information, else from the entry."""
    head = memory.read(base, 0x40)
    start = number(head, 0x3C, 4)
    if head[:2] == b"MZ" and start and start < 0x1000:
        header = memory.read(base + start, 12)
        if header[:4] == b"PE\0\0":
            return number(header, 8, 4)
    info = number(entry, _ENTRIES[word].debug_info, word)
    block = memory.read(info, 0x20) if info else b""
    if len(block) == 0x20 and number(block, 0x14, 4) == number(entry, _ENTRIES[word].size, 4):
        return number(block, 0x0C, 4)
    stamp = number(entry, _STAMP_IN_ENTRY, 4) if word == 8 else None
    return stamp or None


def unloaded_modules(memory: Memory, variable: int, word: Literal[4, 8]) -> tuple[UnloadedDriver, ...] | None:
    """The table that MmUnloadedDrivers points to: name, start, end, time of unloading; None where it can't be read."""
    table = pointer(memory, variable, word)
    stride = 24 if word == 4 else 40
    if table == 0:
        return ()
    data = memory.read(table, 50 * stride) if table else b""
    if len(data) < stride:
        return None
    found: list[UnloadedDriver] = []
    for place in range(0, len(data) - stride + 1, stride):
        start, end = number(data, place + 2 * word, word), number(data, place + 3 * word, word)
        name = _unicode(memory, data[place : place + stride], 0, word)
        if not name or not start or not end or len(found) >= MAX_UNLOADED:
            continue
        when = number(data, place + 4 * word, 8)
        size = end - start if 0 < end - start < 1 << 32 else None
        found.append(UnloadedDriver(name=name, base=hex_text(start), size=size, unloaded_at=filetime_time(when) if when else None))
    return tuple(found)


def crashing_thread(memory: Memory, known: DebuggerData, processors: int, stack: int, word: Literal[4, 8]) -> tuple[int, int, int] | None:
    """(thread, top of its stack, process) of the processor on whose thread's stack `stack` lies; of the only one, where there is one."""
    needed = (known.processor_block, known.prcb_thread, known.thread_initial_stack, known.thread_process)
    if any(value is None for value in needed):
        return None
    for index in range(min(processors, 256)):
        prcb = pointer(memory, (known.processor_block or 0) + index * word, word)
        thread = pointer(memory, prcb + (known.prcb_thread or 0), word) if prcb else None
        if not thread:
            continue
        top = pointer(memory, thread + (known.thread_initial_stack or 0), word) or 0
        process = pointer(memory, thread + (known.thread_process or 0), word) or 0
        if processors == 1 or top - 0x10000 <= stack < top:
            return thread, top, process
    return None
