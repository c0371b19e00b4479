"""Bytes of a Windows driver file to what an inventory would say of it: version, link time, machine, company, signature, imports. Pure.

Rules of this file:
1. Whatever the bytes are, only DecodeError comes out; every offset is checked, every loop is bounded.
2. A signature is told as present or not; whether it is valid needs certificates and catalogs that are not here.

Sources: the PE format specification (https://learn.microsoft.com/windows/win32/debug/pe-format); VS_VERSIONINFO and its children.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from auditor.model.errors import DecodeError

LIMIT_BYTES = 256 * 1024 * 1024
NATIVE = 1
_SECTIONS_AT_MOST = 96
_IMPORTS_AT_MOST = 512
_NODES_AT_MOST = 2000
_DEEPEST = 8
_TEXT_AT_MOST = 1024
_RT_VERSION = 16
_FIXED = 0xFEEF04BD
_MACHINES = {0x14C: "x86", 0x8664: "x64", 0xAA64: "arm64", 0x200: "ia64"}


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What a PE file says of itself."""

    machine: int
    architecture: str | None
    link_timestamp: int
    """TimeDateStamp, seconds since 1970."""
    checksum: int
    subsystem: int
    """1: native, as drivers have it."""
    size_bytes: int
    sha256: str
    signed: bool
    """Whether it carries a certificate table."""
    file_version: str | None = None
    product_version: str | None = None
    strings: dict[str, str] = {}
    """Of the version resource: CompanyName, ProductName, FileDescription, OriginalFilename, ..."""
    imports: tuple[str, ...] | None = None
    """Modules that it imports from, lower case; None where the table can't be read."""


class _Section(NamedTuple):
    address: int
    size: int
    offset: int
    length: int


class _Reader:
    """Bounded reads over the file, by offset and by address in memory."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.sections: list[_Section] = []

    def unpack(self, form: str, offset: int, what: str) -> tuple[int, ...]:
        size = struct.calcsize(form)
        if offset < 0 or offset + size > len(self.data):
            raise DecodeError(f"the file ends inside {what}", place=f"byte {offset}")
        return struct.unpack_from(form, self.data, offset)

    def offset(self, address: int) -> int | None:
        """Where an address in memory stands in the file."""
        for section in self.sections:
            if section.address <= address < section.address + max(section.size, section.length):
                inside = address - section.address
                return section.offset + inside if inside < section.length else None
        return None

    def text(self, offset: int, limit: int = 260) -> str:
        """An ASCII text that ends in a zero byte."""
        raw = self.data[offset : offset + limit]
        return raw.partition(b"\0")[0].decode("ascii", "replace")


def read_image(data: bytes) -> Image:
    """The image in a file's bytes. Raises DecodeError with the place for what is no PE file or is broken."""
    if len(data) > LIMIT_BYTES:
        raise DecodeError(f"larger than {LIMIT_BYTES // (1024 * 1024)} MB: no driver is", place="file")
    if data[:2] != b"MZ":
        raise DecodeError("it does not begin with MZ: it is no Windows program or driver", place="byte 0")
    reader = _Reader(data)
    (start,) = reader.unpack("<I", 0x3C, "the DOS header")
    if data[start : start + 4] != b"PE\0\0":
        raise DecodeError("it has no PE header: it is a program for DOS or 16-bit Windows, or damaged", place=f"byte {start}")
    machine, count, stamp, _, _, optional_size, _ = reader.unpack("<HHIIIHH", start + 4, "the file header")
    optional = start + 24
    (magic,) = reader.unpack("<H", optional, "the optional header")
    if magic not in (0x10B, 0x20B):
        raise DecodeError(f"its optional header has the unknown kind 0x{magic:x}", place=f"byte {optional}")
    reader.sections = list(_sections(reader, optional + optional_size, count))
    checksum, subsystem = reader.unpack("<IH", optional + 64, "the optional header")
    directories = _directories(reader, optional, magic)
    certificates = directories.get(4, (0, 0))
    version = _version(reader, directories.get(2, (0, 0))[0])
    return Image(
        machine=machine,
        architecture=_MACHINES.get(machine),
        link_timestamp=stamp,
        checksum=checksum,
        subsystem=subsystem,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        signed=0 < certificates[0] < len(data) and certificates[1] > 8,
        file_version=version.file,
        product_version=version.product,
        strings=dict(version.strings),
        imports=_imports(reader, directories.get(1, (0, 0))[0]),
    )


def _sections(reader: _Reader, table: int, count: int) -> Iterator[_Section]:
    if count > _SECTIONS_AT_MOST:
        raise DecodeError(f"{count} sections: Windows loads {_SECTIONS_AT_MOST} at most", place=f"byte {table}")
    for number in range(count):
        size, address, length, offset = reader.unpack("<IIII", table + 40 * number + 8, "the section table")
        yield _Section(address, size, offset, length)


def _directories(reader: _Reader, optional: int, magic: int) -> dict[int, tuple[int, int]]:
    where = optional + (92 if magic == 0x10B else 108)
    (count,) = reader.unpack("<I", where, "the optional header")
    found: dict[int, tuple[int, int]] = {}
    for number in range(min(count, 16)):
        address, size = reader.unpack("<II", where + 4 + 8 * number, "the data directories")
        found[number] = (address, size)
    return found


def _imports(reader: _Reader, address: int) -> tuple[str, ...] | None:
    """Names of the modules in the import table."""
    if address == 0:
        return ()
    start = reader.offset(address)
    if start is None:
        return None
    names: list[str] = []
    for number in range(_IMPORTS_AT_MOST):
        try:
            row = reader.unpack("<IIIII", start + 20 * number, "the import table")
        except DecodeError:
            return None
        if not any(row):
            return tuple(dict.fromkeys(names))
        place = reader.offset(row[3])
        if place is None:
            return None
        names.append(reader.text(place).casefold())
    return None


class _Version(NamedTuple):
    file: str | None = None
    product: str | None = None
    strings: Mapping[str, str] = MappingProxyType({})


def _version(reader: _Reader, address: int) -> _Version:
    """The version resource; nothing where there is none or it can't be read: then its values are not known."""
    root = reader.offset(address) if address else None
    if root is None:
        return _Version()
    try:
        place = _leaf(reader, root)
    except DecodeError:
        return _Version()
    return _version_info(reader.data[place[0] : place[0] + min(place[1], 65_536)]) if place is not None else _Version()


def _leaf(reader: _Reader, root: int) -> tuple[int, int] | None:
    """Offset and size of the first version resource: type, name, language."""
    entry = next((child for id_, child in _entries(reader, root) if id_ == _RT_VERSION), None)
    for _ in range(2):
        if entry is None or not entry & 0x80000000:
            return None
        entry = next((child for _, child in _entries(reader, root + (entry & 0x7FFFFFFF))), None)
    if entry is None or entry & 0x80000000:
        return None
    address, size = reader.unpack("<II", root + entry, "the resource table")
    offset = reader.offset(address)
    return (offset, size) if offset is not None else None


def _entries(reader: _Reader, offset: int) -> Iterator[tuple[int, int]]:
    named, numbered = reader.unpack("<HH", offset + 12, "the resource table")
    for number in range(min(named + numbered, _NODES_AT_MOST)):
        id_, child = reader.unpack("<II", offset + 16 + 8 * number, "the resource table")
        yield id_, child


def _version_info(data: bytes) -> _Version:
    """A VS_VERSIONINFO: the numbers of its fixed part and the texts of its tables."""
    fixed = data.find(struct.pack("<I", _FIXED))
    if fixed < 0 or fixed + 52 > len(data):
        return _Version(strings=dict(_strings(data, 0, len(data), 0, [0])))
    numbers = struct.unpack_from("<HHHHHHHH", data, fixed + 8)
    file, product = (".".join(map(str, (n[1], n[0], n[3], n[2]))) for n in (numbers[:4], numbers[4:]))
    return _Version(file, product, dict(_strings(data, 0, len(data), 0, [0])))


def _strings(data: bytes, start: int, end: int, depth: int, count: list[int]) -> Iterator[tuple[str, str]]:
    """Texts of the String nodes below one node, at any depth."""
    place = start
    while place + 6 <= end and count[0] < _NODES_AT_MOST and depth < _DEEPEST:
        count[0] += 1
        length, value_length, kind = struct.unpack_from("<HHH", data, place)
        stop = min(place + length, end)
        key, after = _wide_text(data, place + 6, stop)
        if length < 6 or after is None:
            return
        value = _aligned(after)
        if kind == 1 and value_length and depth >= 3:
            text, _ = _wide_text(data, value, min(stop, value + 2 * value_length + 2))
            yield key[:64], text[:_TEXT_AT_MOST].strip()
        else:
            yield from _strings(data, _aligned(value + value_length * (2 if kind == 1 else 1)), stop, depth + 1, count)
        place = _aligned(place + length)


def _wide_text(data: bytes, start: int, end: int) -> tuple[str, int | None]:
    """A UTF-16 text up to its zero, and where it ends; None where it has no end."""
    for place in range(start, min(end, start + 2 * _TEXT_AT_MOST) - 1, 2):
        if data[place : place + 2] == b"\0\0":
            return data[start:place].decode("utf-16-le", "replace"), place + 2
    return data[start:end].decode("utf-16-le", "replace"), (end if end > start else None)


def _aligned(offset: int) -> int:
    return (offset + 3) // 4 * 4
