"""Which physical page of a kernel or full dump lies where in its file: memory runs (type 1) and page bitmaps (types 2, 5, 6, 7).

The layouts: full dumps list their pages by the header's memory block, one after the other behind it; summary dumps of Windows 2000
to 7 (SUMMARY_DUMP32/64) and bitmap dumps since Windows 8 have a block SDMP/FDMP + DUMP with one bit a page, and the pages whose bit is
set follow in order. Memory use stays flat: of a bitmap, one count a 4 KB piece is kept.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol

import msgspec

from auditor.analysis.crash.dump_bytes import Reader, number
from auditor.analysis.crash.dump_header import Header

PAGE = 0x1000
_PIECE = 0x1000
MAX_BITS = 1 << 32
"""16 TB of memory; a bitmap that claims more is not believed."""
_CHECKED_BITS = 1 << 26
"""Bitmaps up to this size (256 GB of memory) are counted to tell the layouts apart."""


class PageMap(Protocol):
    """Where physical pages lie in the file."""

    def locate(self, page: int) -> int | None:
        """File offset of a page frame; None where the dump leaves it out."""
        ...


class RunMap:
    """Pages by the header's runs."""

    __slots__ = ("_counts", "_firsts", "_offsets")

    def __init__(self, header: Header) -> None:
        runs = sorted(header.runs, key=lambda run: run.first)
        self._firsts = [run.first for run in runs]
        self._counts = [run.count for run in runs]
        offsets, place = {}, header.layout.size
        for run in header.runs:
            offsets[run.first] = place
            place += run.count * PAGE
        self._offsets = offsets

    def locate(self, page: int) -> int | None:
        """File offset of a page frame."""
        place = bisect_right(self._firsts, page) - 1
        if place < 0 or page >= self._firsts[place] + self._counts[place]:
            return None
        first = self._firsts[place]
        return self._offsets[first] + (page - first) * PAGE


class BitmapBlock(msgspec.Struct, frozen=True):
    """The block that describes a bitmap."""

    bitmap: int
    """File offset of the bits."""
    bits: int
    pages: int
    """Pages that the file holds."""
    first_page: int
    """File offset of the first page."""


class BitmapMap:
    """Pages by their rank in the bitmap."""

    __slots__ = ("_block", "_cache", "_ranks", "_reader")

    def __init__(self, reader: Reader, block: BitmapBlock) -> None:
        self._reader = reader
        self._block = block
        self._ranks = [0]
        self._cache: tuple[int, bytes] = (-1, b"")

    def locate(self, page: int) -> int | None:
        """File offset of a page frame."""
        block = self._block
        if not 0 <= page < block.bits:
            return None
        piece, inside = divmod(page, _PIECE * 8)
        data = self._piece(piece)
        byte, bit = divmod(inside, 8)
        if byte >= len(data) or not data[byte] >> bit & 1:
            return None
        self._count_to(piece)
        if piece >= len(self._ranks):
            return None
        before = int.from_bytes(data[:byte], "little").bit_count() + (data[byte] & (1 << bit) - 1).bit_count()
        return block.first_page + (self._ranks[piece] + before) * PAGE

    def _piece(self, piece: int) -> bytes:
        if self._cache[0] != piece:
            start = piece * _PIECE
            size = min(_PIECE, (self._block.bits + 7) // 8 - start)
            self._cache = (piece, self._reader.read(self._block.bitmap + start, size))
        return self._cache[1]

    def _count_to(self, piece: int) -> None:
        while len(self._ranks) <= piece:
            data = self._reader.read(self._block.bitmap + (len(self._ranks) - 1) * _PIECE, _PIECE)
            if len(data) < _PIECE:
                return
            self._ranks.append(self._ranks[-1] + int.from_bytes(data, "little").bit_count())


def page_map(reader: Reader, header: Header, missing: list[str]) -> PageMap | None:
    """The map of a dump that holds pages, or None with the reason in `missing`."""
    mark = reader.read(header.layout.size, 8)
    if mark in (b"SDMPDUMP", b"FDMPDUMP"):
        block = _bitmap_block(reader, header)
        if block is None:
            missing.append("the description of the dump's page bitmap contradicts itself or is cut short: no memory can be read")
            return None
        return BitmapMap(reader, block)
    if header.dump_type in (1, None) and header.runs:
        return RunMap(header)
    missing.append("the dump does not say which pages of memory it holds: no memory can be read")
    return None


def _bitmap_block(reader: Reader, header: Header) -> BitmapBlock | None:
    """The first layout that does not contradict itself: that of Windows 8 and later, then the older summary dumps'."""
    start = header.layout.size
    head = reader.read(start, 0x38)
    old_bitmap = 0x28 if header.layout.word == 8 else 0x20
    candidates = (
        (start + 0x38, number(head, 0x30, 8), number(head, 0x28, 8), number(head, 0x20, 8)),
        (start + old_bitmap, number(head, 0x18, 4), number(head, 0x14, 4), number(head, 0x0C, 4)),
        (start + old_bitmap, number(head, 0x10, 4), number(head, 0x14, 4), number(head, 0x0C, 4)),
    )
    for bitmap, bits, pages, first in candidates:
        if bits and pages and first:
            block = BitmapBlock(bitmap, bits, pages, first)
            if _consistent(reader, block):
                return block
    return None


def _consistent(reader: Reader, block: BitmapBlock) -> bool:
    if not (block.pages <= block.bits <= MAX_BITS and block.bitmap + (block.bits + 7) // 8 <= block.first_page < 1 << 40):
        return False
    if block.bits > _CHECKED_BITS:
        return True
    size = (block.bits + 7) // 8
    count, place = 0, 0
    while place < size:
        data = reader.read(block.bitmap + place, min(_PIECE * 16, size - place))
        if not data:
            return count <= block.pages
        if place + len(data) >= size and block.bits % 8:
            data = data[:-1] + bytes([data[-1] & (1 << block.bits % 8) - 1])
        count += int.from_bytes(data, "little").bit_count()
        place += len(data)
    return count == block.pages
