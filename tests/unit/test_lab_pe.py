"""Made PE files, read by the fields' offsets in the format's specification, not by the code that wrote them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.lab.pe import Image, Numbers, build, filler

PARTS = st.tuples(*[st.integers(0, 0xFFFF)] * 4)


def _headers(data: bytes) -> tuple[int, int, int, int, int]:
    """Offset of the PE header, machine, time stamp, magic, checksum."""
    assert data[:2] == b"MZ"
    at = struct.unpack_from("<I", data, 0x3C)[0]
    assert data[at : at + 4] == b"PE\0\0"
    machine, _, stamp = struct.unpack_from("<HHI", data, at + 4)
    return at, machine, stamp, struct.unpack_from("<H", data, at + 24)[0], struct.unpack_from("<I", data, at + 88)[0]


def _sections(data: bytes) -> dict[bytes, tuple[int, int, int, int]]:
    """Section name -> virtual size, virtual address, raw size, raw offset."""
    at = struct.unpack_from("<I", data, 0x3C)[0]
    count, optional = struct.unpack_from("<H", data, at + 6)[0], struct.unpack_from("<H", data, at + 20)[0]
    found = {}
    for i in range(count):
        entry = struct.unpack_from("<8sIIII", data, at + 24 + optional + 40 * i)
        found[entry[0].rstrip(b"\0")] = entry[1:]
    return found


def _version(data: bytes) -> bytes:
    """The version resource, found through the directory of resources."""
    _, virtual, _, raw = _sections(data)[b".rsrc"]
    here = raw
    for wanted in (16, 1, 0x0409):
        name, offset = struct.unpack_from("<II", data, here + 16)
        assert name == wanted
        here = raw + (offset & 0x7FFFFFFF)
    address, size, _, _ = struct.unpack_from("<IIII", data, here)
    return data[raw + address - virtual : raw + address - virtual + size]


def _strings(version: bytes) -> dict[str, str]:
    """Texts of StringFileInfo by walking the tree of length-prefixed blocks."""
    found: dict[str, str] = {}

    def walk(at: int, depth: int) -> int:
        length, value_length = (int(number) for number in struct.unpack_from("<HH", version, at))
        end, key_end = at + length, version.index(b"\0\0\0", at + 6) // 2 * 2
        key_end += 0 if version[key_end : key_end + 2] == b"\0\0" else 2
        key = version[at + 6 : key_end].decode("utf-16-le")
        body = (key_end + 2 + 3) & ~3
        if depth == 3:
            found[key] = version[body : body + 2 * value_length].decode("utf-16-le").rstrip("\0")
            return end
        here = (body + (value_length if depth == 0 else 0) + 3) & ~3
        while here < end and key != "VarFileInfo":
            here = (walk(here, depth + 1) + 3) & ~3
        return end

    walk(0, 0)
    return found


def _sum(data: bytes, at: int) -> int:
    """The checksum as the loader computes it: word by word with carry, the field itself as zero."""
    total = 0
    for i in range(0, len(data), 2):
        word = 0 if at + 88 <= i < at + 92 else int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "little")
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total + len(data)


@pytest.mark.parametrize(("machine", "code", "magic"), [("x86", 0x14C, 0x10B), ("x64", 0x8664, 0x20B)])
@given(stamp=st.integers(0, 0xFFFFFFFF), parts=PARTS, size=st.integers(3000, 60_000), company=st.text("aäß服\u2019 x", max_size=40))
def test_every_fact_stands_at_its_place(
    machine: str, code: int, magic: int, stamp: int, parts: tuple[int, int, int, int], size: int, company: str
) -> None:
    strings = {"CompanyName": company, "FileVersion": "3.6.cbz"}
    data = build(
        Image(
            machine=machine,
            link_timestamp=stamp,
            file_version=Numbers(parts),
            product_version=Numbers((1, 2, 3, 4)),
            strings=strings,
            size=size,
        )
    )
    at, found_machine, found_stamp, found_magic, checksum = _headers(data)
    assert (found_machine, found_stamp, found_magic, len(data)) == (code, stamp, magic, size)
    assert checksum == _sum(data, at)
    version = _version(data)
    high1, low1 = struct.unpack_from("<HH", version, version.index(struct.pack("<I", 0xFEEF04BD)) + 8)[::-1]
    assert (high1, low1) == parts[:2]
    assert _strings(version) == {"CompanyName": company, "FileVersion": "3.6.cbz"}


def test_equal_facts_give_equal_bytes_and_other_seeds_others() -> None:
    image = Image(link_timestamp=0x3F99BC4F, size=40_000, seed="a")
    assert build(image) == build(image)
    assert build(image) != build(Image(link_timestamp=0x3F99BC4F, size=40_000, seed="b"))
    assert filler("a", 10_001)[:10] == filler("a", 10)


def test_a_file_without_version_has_no_resource() -> None:
    assert set(_sections(build(Image()))) == {b".text"}


@pytest.mark.parametrize("text", ["1.2.3.4.5", "70000.1", "1.x", "", "-1.2"])
def test_what_is_no_fixed_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected up to four numbers|invalid literal"):
        Numbers.read(text)
