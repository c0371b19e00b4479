"""Bounded reading of a dump's bytes: little-endian fields that may lie beyond what is there. Owns no layout; opens no file."""

from __future__ import annotations

import struct
from typing import Protocol

_FORMATS = {1: struct.Struct("<B"), 2: struct.Struct("<H"), 4: struct.Struct("<I"), 8: struct.Struct("<Q")}


class Reader(Protocol):
    """Random access to a file. `read` gives what is there, possibly less than asked for, and nothing outside the file."""

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        ...


class Memory(Protocol):
    """Virtual memory of the crashed system, as far as the dump holds it."""

    def read(self, address: int, size: int) -> bytes:
        """`size` bytes from `address` on, or fewer, or none, where the dump holds no more."""
        ...


class Bytes:
    """A block of bytes as a Reader."""

    __slots__ = ("_data",)

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, offset: int, size: int) -> bytes:
        """At most `size` bytes from `offset` on."""
        return self._data[offset : offset + size] if offset >= 0 and size > 0 else b""


def number(data: bytes, offset: int, size: int) -> int | None:
    """The unsigned number of `size` bytes (1, 2, 4, 8) at `offset`; None where the block ends before it."""
    if offset < 0 or offset + size > len(data):
        return None
    value: int = _FORMATS[size].unpack_from(data, offset)[0]
    return value


def numbers(data: bytes, size: int) -> tuple[int, ...]:
    """The whole block as unsigned numbers of `size` bytes; a rest at the end is left out."""
    count = len(data) // size
    letter = {4: "I", 8: "Q"}[size]
    return struct.unpack_from(f"<{count}{letter}", data)


def pointer(memory: Memory, address: int, size: int) -> int | None:
    """The number of `size` bytes at a virtual address; None where the dump does not hold it."""
    data = memory.read(address, size)
    return number(data, 0, size) if len(data) == size else None


def utf16(data: bytes) -> str:
    """Text of UTF-16LE bytes up to the first zero; broken characters become U+FFFD."""
    return data[: len(data) & ~1].decode("utf-16-le", "replace").split("\0", 1)[0]


def base_name(path: str) -> str:
    """File name at the end of a Windows path."""
    return path.replace("/", "\\").rsplit("\\", 1)[-1]
