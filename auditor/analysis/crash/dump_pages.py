"""Virtual memory of a kernel or full dump through the processor's page tables: x86, x86 with PAE, AMD64 (4 and 5 levels), ARM64.

Facts of the entries are those of the processors' manuals; that Windows keeps the page number in an entry "in transition" (bit 11 set,
bit 10 clear, bit 0 clear) while the page is still in memory is what its debugger relies on too. Each step is bounded; pages are
cached up to a fixed number, so memory use does not grow with the file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from auditor.analysis.crash.dump_bytes import Reader, number
from auditor.analysis.crash.dump_physical import PAGE, PageMap

Mode = Literal["x86", "pae", "x64", "x64_5", "arm64"]
_CACHED_PAGES = 256
_ADDRESS = 0x000F_FFFF_FFFF_F000
_ARM_ADDRESS = 0x0000_FFFF_FFFF_F000
_VALID, _LARGE, _PROTOTYPE, _TRANSITION = 1, 0x80, 0x400, 0x800
MAX_READ = 1 << 22


class PhysicalMemory:
    """Physical pages of a dump, the last ones used kept."""

    __slots__ = ("_cache", "_map", "_reader")

    def __init__(self, reader: Reader, pages: PageMap) -> None:
        self._reader = reader
        self._map = pages
        self._cache: OrderedDict[int, bytes] = OrderedDict()

    def page(self, frame: int) -> bytes:
        """The bytes of a page frame; empty where the dump leaves it out, short where the file ends."""
        if frame in self._cache:
            self._cache.move_to_end(frame)
            return self._cache[frame]
        offset = self._map.locate(frame)
        data = self._reader.read(offset, PAGE) if offset is not None else b""
        self._cache[frame] = data
        if len(self._cache) > _CACHED_PAGES:
            self._cache.popitem(last=False)
        return data

    def entry(self, address: int, size: int) -> int | None:
        """The page-table entry at a physical address."""
        return number(self.page(address >> 12), address & 0xFFF, size)


class PagedMemory:
    """Virtual memory as one set of page tables maps it."""

    __slots__ = ("_physical", "_root", "_walk", "mode")

    def __init__(self, physical: PhysicalMemory, root: int, mode: Mode) -> None:
        self._physical = physical
        self._root = root
        self._walk = _WALKS[mode]
        self.mode = mode

    def translate(self, address: int) -> int | None:
        """Physical address of a virtual one; None where it is not mapped or the tables are not in the dump."""
        return self._walk(self._physical, self._root, address)

    def read(self, address: int, size: int) -> bytes:
        """What is mapped and in the dump, from the first byte on, up to the first gap."""
        size = min(size, MAX_READ)
        parts: list[bytes] = []
        while size > 0:
            physical = self.translate(address)
            inside = address & 0xFFF
            part = self._physical.page(physical >> 12)[inside : inside + size] if physical is not None else b""
            if not part:
                break
            parts.append(part)
            address, size = address + len(part), size - len(part)
            if len(part) < PAGE - inside:
                break
        return b"".join(parts)


def _walk_x86(memory: PhysicalMemory, root: int, address: int) -> int | None:
    directory = memory.entry((root & ~0xFFF) + (address >> 22 & 0x3FF) * 4, 4)
    if directory is None or not directory & _VALID:
        return None
    if directory & _LARGE:
        return directory & 0xFFC00000 | address & 0x3FFFFF
    entry = memory.entry((directory & ~0xFFF) + (address >> 12 & 0x3FF) * 4, 4)
    return _leaf(entry, 0xFFFFF000, address)


def _walk_pae(memory: PhysicalMemory, root: int, address: int) -> int | None:
    top = memory.entry((root & ~0x1F) + (address >> 30 & 3) * 8, 8)
    if top is None or not top & _VALID:
        return None
    return _walk_levels(memory, top & _ADDRESS, address, (21, 12))


def _walk_x64(memory: PhysicalMemory, root: int, address: int) -> int | None:
    return _walk_levels(memory, root & _ADDRESS, address, (39, 30, 21, 12))


def _walk_x64_5(memory: PhysicalMemory, root: int, address: int) -> int | None:
    return _walk_levels(memory, root & _ADDRESS, address, (48, 39, 30, 21, 12))


def _walk_levels(memory: PhysicalMemory, table: int, address: int, shifts: tuple[int, ...]) -> int | None:
    for shift in shifts:
        entry = memory.entry(table + (address >> shift & 0x1FF) * 8, 8)
        if shift == 12:
            return _leaf(entry, _ADDRESS, address)
        if entry is None or not entry & _VALID:
            return None
        if entry & _LARGE and shift in (21, 30):
            size = 1 << shift
            return entry & _ADDRESS & ~(size - 1) | address & size - 1
        table = entry & _ADDRESS
    return None


def _leaf(entry: int | None, mask: int, address: int) -> int | None:
    if entry is None:
        return None
    in_transition = entry & (_VALID | _PROTOTYPE | _TRANSITION) == _TRANSITION
    return entry & mask | address & 0xFFF if entry & _VALID or in_transition else None


def _walk_arm64(memory: PhysicalMemory, root: int, address: int) -> int | None:
    """4 KB granule, 48 bits; descriptor bits 1:0 are 3 for a table or page, 1 for a block."""
    table = root & _ARM_ADDRESS
    for shift in (39, 30, 21, 12):
        entry = memory.entry(table + (address >> shift & 0x1FF) * 8, 8)
        if entry is None:
            return None
        if entry & 3 == 1 and shift in (30, 21):
            size = 1 << shift
            return entry & _ARM_ADDRESS & ~(size - 1) | address & size - 1
        if entry & 3 != 3:
            return None
        if shift == 12:
            return entry & _ARM_ADDRESS | address & 0xFFF
        table = entry & _ARM_ADDRESS
    return None


_WALKS: dict[Mode, Callable[[PhysicalMemory, int, int], int | None]] = {
    "x86": _walk_x86,
    "pae": _walk_pae,
    "x64": _walk_x64,
    "x64_5": _walk_x64_5,
    "arm64": _walk_arm64,
}
