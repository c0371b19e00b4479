"""The lab's kernel dumps: what a reader without symbols finds in them, and where in the file it lies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from auditor.analysis.crash.dump import read_dump
from auditor.analysis.crash.dump_bytes import Bytes
from auditor.lab.dumpfile import Contents, Driver
from auditor.lab.dumpkernel import kernel_dump
from tests.small_knowledge import small_knowledge

SIZE = 3 * 1024 * 1024


@pytest.mark.parametrize("bits", [32, 64])
def test_a_kernel_dump_of_the_lab_is_read_whole_and_its_first_part_names_no_driver(bits: Literal[32, 64]) -> None:
    base = 0xF5355000 if bits == 32 else 0xFFFFF80055000000
    drivers = tuple(Driver(name=f"driver{n}.sys", base=base + n * 0x20000, size=0x11000, stamp=0x3F99BC4F + n) for n in range(30))
    contents = Contents(
        bits=bits,
        build=3790 if bits == 32 else 17763,
        service_pack=2,
        code=0xD1,
        parameters=(0x10, 2, 1, base + 0x785),
        drivers=drivers,
        process="server.exe",
        stack=(0, base + 0x24B94),
        stack_start=0xF4C00000 if bits == 32 else 0xFFFFF88012340000,
        exception=None,
        time=datetime(2026, 11, 18, 16, 3, 12, tzinfo=UTC),
        uptime=timedelta(hours=3),
        product=3,
        size=SIZE,
    )
    data = kernel_dump(contents)
    assert SIZE <= len(data) < SIZE + 0x40000
    crash = read_dump(Bytes(data), file="MEMORY.DMP", size=len(data), knowledge=small_knowledge())
    assert crash.missing == ()
    assert crash.source.kind == ("kernel_dump" if bits == 32 else "bitmap_dump")
    assert [(d.name, int(d.base, 16), d.size, int(d.timestamp or "0", 16)) for d in crash.drivers or ()] == [
        (d.name, d.base, d.size, d.stamp) for d in drivers
    ]
    assert (crash.image, crash.offset, crash.process, crash.crash_time) == ("driver0.sys", "0x785", "server.exe", "2026-11-18T16:03:12Z")
    part = read_dump(Bytes(data[: 2 * 1024 * 1024]), file="MEMORY.DMP", size=len(data), knowledge=small_knowledge())
    assert (part.bugcheck.code, part.bugcheck.parameters) == ("0xd1", crash.bugcheck.parameters)
    assert part.drivers is None
