"""A driver's file as an inventory would tell it; and whatever the bytes are, a value or one clear error."""

from __future__ import annotations

import hashlib
import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.analysis.host.pefile import NATIVE, read_image
from auditor.lab.pe import Image, Numbers, build
from auditor.model.errors import DecodeError

STAMP = 0x3F99BC4F
WORDS = {"CompanyName": "Internet Security Systems, Inc.", "OriginalFilename": "RapDrv.sys", "FileDescription": "größe 病毒"}


def driver(**changes: object) -> bytes:
    facts = {
        "machine": "x86",
        "link_timestamp": STAMP,
        "file_version": Numbers((3, 6, 0, 5)),
        "strings": WORDS,
        "size": 68_736,
        "seed": "r",
    }
    return build(Image(**(facts | changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("machine", "number"), [("x86", 0x14C), ("x64", 0x8664)])
def test_what_a_driver_says(machine: str, number: int) -> None:
    data = driver(machine=machine)
    image = read_image(data)
    assert (image.machine, image.architecture, image.subsystem) == (number, machine, NATIVE)
    assert (image.link_timestamp, image.file_version, image.product_version) == (STAMP, "3.6.0.5", "3.6.0.5")
    assert image.strings == WORDS
    assert (image.size_bytes, image.sha256) == (68_736, hashlib.sha256(data).hexdigest())
    assert (image.signed, image.imports) == (False, ())


def test_a_program_is_told_from_a_driver() -> None:
    assert read_image(driver(native=False)).subsystem == 2


def test_without_a_version_resource_its_values_are_not_known() -> None:
    image = read_image(driver(file_version=None))
    assert (image.file_version, image.strings) == (None, {})


def test_a_certificate_table_is_a_signature() -> None:
    data = bytearray(driver())
    security = 0x80 + 24 + 96 + 8 * 4
    data[security : security + 8] = struct.pack("<II", len(data), 0x100)
    assert not read_image(bytes(data)).signed, "it has to lie inside the file"
    data += b"\0" * 0x100
    data[security : security + 8] = struct.pack("<II", len(data) - 0x100, 0x100)
    assert read_image(bytes(data)).signed


def test_imports_tell_a_minifilter() -> None:
    data = bytearray(driver())
    text = 0x200  # file offset of .text, at address 0x1000
    names = {0x1040: b"FLTMGR.SYS\0", 0x1060: b"ntoskrnl.exe\0"}
    for number, address in enumerate(names):
        data[text + 20 * number : text + 20 * number + 20] = struct.pack("<IIIII", 1, 0, 0, address, 1)
    data[text + 40 : text + 60] = b"\0" * 20
    for address, name in names.items():
        data[text + address - 0x1000 : text + address - 0x1000 + len(name)] = name
    imports = 0x80 + 24 + 96 + 8
    data[imports : imports + 8] = struct.pack("<II", 0x1000, 60)
    assert read_image(bytes(data)).imports == ("fltmgr.sys", "ntoskrnl.exe")
    data[imports : imports + 8] = struct.pack("<II", 0x7FFFFFFF, 60)
    assert read_image(bytes(data)).imports is None, "a table that can't be read is not an empty one"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "MZ"),
        (b"#!/bin/sh\n", "MZ"),
        (b"MZ", "ends inside"),
        (b"MZ" + b"\0" * 62, "no PE header"),
        (driver()[:0x90], "ends inside"),
    ],
)
def test_what_is_no_driver_is_told_with_its_place(data: bytes, words: str) -> None:
    with pytest.raises(DecodeError, match=words) as caught:
        read_image(data)
    assert caught.value.place


def test_too_many_sections_are_refused() -> None:
    data = bytearray(driver())
    data[0x86:0x88] = struct.pack("<H", 60_000)
    with pytest.raises(DecodeError, match="sections"):
        read_image(bytes(data))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 0x3000), st.binary(min_size=1, max_size=8)), max_size=12), st.integers(0, 0x4000))
def test_broken_files_give_a_value_or_one_error(pokes: list[tuple[int, bytes]], cut: int) -> None:
    data = bytearray(driver(size=0x3000))
    for place, piece in pokes:
        data[place : place + len(piece)] = piece
    try:
        image = read_image(bytes(data[: max(cut, 64)] if cut < 0x3000 else data))
    except DecodeError:
        return
    assert image.size_bytes > 0
