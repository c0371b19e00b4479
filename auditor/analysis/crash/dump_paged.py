"""Kernel, full and bitmap dumps: from the header to virtual memory, and from there to modules, process and stack."""

from __future__ import annotations

import msgspec

from auditor.analysis.crash.dump_bytes import Reader, pointer
from auditor.analysis.crash.dump_header import Header
from auditor.analysis.crash.dump_modules import DebuggerData, crashing_thread, debugger_data, loaded_modules, unloaded_modules
from auditor.analysis.crash.dump_pages import Mode, PagedMemory, PhysicalMemory
from auditor.analysis.crash.dump_physical import page_map
from auditor.analysis.crash.dump_stack import pointers
from auditor.model.crash import Architecture, LoadedDriver, UnloadedDriver

_MODES: dict[Architecture, tuple[Mode, ...]] = {"x86": ("x86", "pae"), "x64": ("x64", "x64_5"), "arm64": ("arm64",)}
_STACK = 0x6000
_MAX_STACK = 0x18000
_PROCESS = 0xC00


class Paged(msgspec.Struct, kw_only=True):
    """What virtual memory holds."""

    memory: PagedMemory | None = None
    drivers: tuple[LoadedDriver, ...] | None = None
    unloaded: tuple[UnloadedDriver, ...] | None = None
    process: bytes = b""
    stack: bytes = b""
    stack_start: int | None = None
    missing: tuple[str, ...] = ()


def read_paged(reader: Reader, header: Header) -> Paged:
    """The parts of a dump with pages. Never raises: what can't be read is named in `missing`."""
    missing: list[str] = []
    if header.machine not in _MODES:
        missing.append(f"memory of the architecture {header.machine} can't be read")
        return Paged(missing=tuple(missing))
    if not header.directory or not header.modules:
        missing.append("the header does not say where page tables and module list are")
        return Paged(missing=tuple(missing))
    pages = page_map(reader, header, missing)
    if pages is None:
        return Paged(missing=tuple(missing))
    memory = _memory(PhysicalMemory(reader, pages), header)
    if memory is None:
        missing.append("the page tables or the list of loaded modules are not in this part of the dump: no driver can be named")
        return Paged(missing=tuple(missing))
    drivers = loaded_modules(memory, header.modules, header.layout.word, missing)
    known = debugger_data(memory.read(header.debugger_block, 0x400), header.layout.word) if header.debugger_block else None
    unloaded = unloaded_modules(memory, known.unloaded, header.layout.word) if known and known.unloaded else None
    start, stack, process = _thread(memory, header, known)
    return Paged(
        memory=memory,
        drivers=drivers,
        unloaded=unloaded,
        process=process,
        stack=stack,
        stack_start=start,
        missing=tuple(missing),
    )


def _memory(physical: PhysicalMemory, header: Header) -> PagedMemory | None:
    """The way of paging under which the list of loaded modules is a list: its first entry points back to its head."""
    word, head = header.layout.word, header.modules or 0
    modes = _MODES[header.machine or "x64"]
    for mode in reversed(modes) if header.pae else modes:
        memory = PagedMemory(physical, header.directory or 0, mode)
        first = pointer(memory, head, word)
        if first and pointer(memory, first + word, word) == head:
            return memory
    return None


def _thread(memory: PagedMemory, header: Header, known: DebuggerData | None) -> tuple[int | None, bytes, bytes]:
    """Stack pointer, the stack from there on, and the bytes of the process."""
    _, stack = pointers(header.context, header.machine or "x64")
    if not stack:
        return None, b"", b""
    thread = crashing_thread(memory, known, header.processors or 1, stack, header.layout.word) if known else None
    size = min(thread[1] - stack, _MAX_STACK) if thread and thread[1] > stack else _STACK
    process = memory.read(thread[2], _PROCESS) if thread and thread[2] else b""
    return stack, memory.read(stack, size), process
