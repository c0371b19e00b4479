"""Small valid PE files with what an inventory reads of one: machine, link timestamp, checksum, version resource, exact size. Pure.

Layout: DOS header, PE header, `.text` with a return instruction, `.rsrc` with one version resource, then bytes made from a seed up to
the size. Sources: the public PE format specification; VS_VERSIONINFO and its children in the Windows SDK documentation.
"""

from __future__ import annotations

import hashlib
import struct

import msgspec

MACHINES = {"x86": 0x14C, "x64": 0x8664}
_FILE_ALIGNMENT = 0x200
_SECTION_ALIGNMENT = 0x1000
_PE_OFFSET = 0x80
_LANGUAGE = 0x0409
_UNICODE = 0x04B0


class Numbers(msgspec.Struct, frozen=True):
    """A fixed version of four 16-bit numbers."""

    parts: tuple[int, int, int, int]

    @classmethod
    def read(cls, text: str) -> Numbers:
        """From text such as 5.2.3790.3959; missing parts are 0. Raises ValueError."""
        pieces = [int(piece) for piece in text.split(".")]
        if len(pieces) > 4 or any(not 0 <= piece <= 0xFFFF for piece in pieces):
            raise ValueError(f"expected up to four numbers from 0 to 65535 with dots, got {text!r}")
        padded = (*pieces, 0, 0, 0)
        return cls((padded[0], padded[1], padded[2], padded[3]))

    def packed(self) -> bytes:
        """The two DWORDs of VS_FIXEDFILEINFO."""
        high1, low1, high2, low2 = self.parts
        return struct.pack("<HHHH", low1, high1, low2, high2)

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """What a PE file is made from."""

    machine: str = "x86"
    link_timestamp: int = 0
    native: bool = True
    """A driver; else a program with a window."""
    library: bool = False
    file_version: Numbers | None = None
    """None leaves the version resource out."""
    product_version: Numbers | None = None
    strings: dict[str, str] = {}
    """StringFileInfo by name, for example CompanyName."""
    size: int | None = None
    """Bytes; smaller than the headers and the resource is not possible, then the file is as small as it can be."""
    seed: str = ""


def size_of(image: Image) -> int:
    """How many bytes `build` makes."""
    return max(image.size or 0, len(_body(image)))


def build(image: Image) -> bytes:
    """The file's bytes; equal for equal images."""
    data = _body(image)
    if image.size is not None and image.size > len(data):
        data += filler(image.seed, image.size - len(data))
    where = _PE_OFFSET + 24 + 64
    data[where : where + 4] = struct.pack("<I", checksum(bytes(data)))
    return bytes(data)


def _body(image: Image) -> bytearray:
    """Headers and sections, the checksum still zero."""
    resource = _resource(image) if image.file_version is not None else b""
    sections = [(b".text", 0x60000020, b"\xc3")]
    if resource:
        sections.append((b".rsrc", 0x40000040, resource))
    data = bytearray(_headers(image, sections))
    for _, _, content in sections:
        data += content.ljust(_aligned(len(content), _FILE_ALIGNMENT), b"\0")
    return data


def filler(seed: str, size: int) -> bytes:
    """`size` bytes that differ by seed."""
    block = b"".join(hashlib.sha256(f"{seed}:{i}".encode()).digest() for i in range(16))
    return (block * (size // len(block) + 1))[:size]


def checksum(data: bytes) -> int:
    """The optional header's CheckSum of a file whose own CheckSum field is zero."""
    # 65536 is 1 modulo 65535: the number that the bytes spell leaves the sum of its words with every carry added again.
    number = int.from_bytes(data, "little")
    return (number % 0xFFFF or (0xFFFF if number else 0)) + len(data)


def _aligned(size: int, alignment: int) -> int:
    return (size + alignment - 1) // alignment * alignment


def _headers(image: Image, sections: list[tuple[bytes, int, bytes]]) -> bytes:
    wide = image.machine == "x64"
    optional_size = 240 if wide else 224
    size = _aligned(_PE_OFFSET + 24 + optional_size + 40 * len(sections), _FILE_ALIGNMENT)
    kind = 0x0102 | (0 if wide else 0x0008) | (0x2000 if image.library else 0)
    coff = struct.pack("<HHIIIHH", MACHINES[image.machine], len(sections), image.link_timestamp, 0, 0, optional_size, kind)
    table, virtual, raw = b"", _SECTION_ALIGNMENT, size
    resource = (0, 0)
    for name, flags, content in sections:
        length = _aligned(len(content), _FILE_ALIGNMENT)
        table += struct.pack("<8sIIIIIIHHI", name, len(content), virtual, length, raw, 0, 0, 0, 0, flags)
        if name == b".rsrc":
            resource = (virtual, len(content))
        virtual, raw = virtual + _aligned(len(content), _SECTION_ALIGNMENT), raw + length
    dos = struct.pack("<2s58xI", b"MZ", _PE_OFFSET).ljust(_PE_OFFSET, b"\0")
    return (dos + b"PE\0\0" + coff + _optional(image, size, virtual, resource) + table).ljust(size, b"\0")


def _optional(image: Image, headers: int, memory: int, resource: tuple[int, int]) -> bytes:
    wide = image.machine == "x64"
    start = struct.pack("<HBBIIIII", 0x20B if wide else 0x10B, 8, 0, _FILE_ALIGNMENT, 0, 0, _SECTION_ALIGNMENT, _SECTION_ALIGNMENT)
    base = struct.pack("<Q", 0x140000000) if wide else struct.pack("<II", 0, 0x10000 if image.native else 0x400000)
    versions = struct.pack("<IIHHHHHHI", _SECTION_ALIGNMENT, _FILE_ALIGNMENT, 5, 2, 5, 2, 5, 2, 0)
    rest = struct.pack("<IIIHH", memory, headers, 0, 1 if image.native else 2, 0)
    stacks = struct.pack("<QQQQ" if wide else "<IIII", 0x40000, 0x1000, 0x100000, 0x1000)
    directories = b"".join(struct.pack("<II", *(resource if i == 2 else (0, 0))) for i in range(16))
    return start + base + versions + rest + stacks + struct.pack("<II", 0, 16) + directories


def _resource(image: Image) -> bytes:
    """The `.rsrc` section, which begins after the one page of `.text`: type RT_VERSION, name 1, one language."""
    version = _version_info(image)
    address = 2 * _SECTION_ALIGNMENT
    directory = struct.pack("<IIHHHH", 0, 0, 0, 0, 0, 1)
    levels = directory + struct.pack("<II", 16, 0x80000018) + directory + struct.pack("<II", 1, 0x80000030)
    levels += directory + struct.pack("<II", _LANGUAGE, 0x48)
    return levels + struct.pack("<IIII", address + 0x58, len(version), 0, 0) + version


def _version_info(image: Image) -> bytes:
    file_version = image.file_version or Numbers((0, 0, 0, 0))
    product = image.product_version or file_version
    fixed = struct.pack("<II", 0xFEEF04BD, 0x10000) + file_version.packed() + product.packed()
    fixed += struct.pack("<IIIIIII", 0x3F, 0, 0x40004, 3 if image.native else 1, 7 if image.native else 0, 0, 0)
    strings = [_block(name, (text + "\0").encode("utf-16-le"), [], text=True) for name, text in image.strings.items()]
    table = _block(f"{_LANGUAGE:04x}{_UNICODE:04x}", b"", strings, text=True)
    translation = _block("Translation", struct.pack("<HH", _LANGUAGE, _UNICODE), [], text=False)
    children = [_block("StringFileInfo", b"", [table], text=True), _block("VarFileInfo", b"", [translation], text=True)]
    return _block("VS_VERSION_INFO", fixed, children, text=False)


def _block(key: str, value: bytes, children: list[bytes], *, text: bool) -> bytes:
    """One node of a version resource: lengths, kind, key, value and children, each at a multiple of four bytes."""
    head = _padded(struct.pack("<HHH", 0, len(value) // 2 if text else len(value), 1 if text else 0) + (key + "\0").encode("utf-16-le"))
    body = head + value
    for child in children:
        body = _padded(body) + child
    return struct.pack("<H", len(body)) + body[2:]


def _padded(data: bytes) -> bytes:
    return data.ljust(_aligned(len(data), 4), b"\0")
