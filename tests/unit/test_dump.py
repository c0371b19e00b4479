"""Kernel dumps that the tests build: header, small dumps, what is told of them."""

from __future__ import annotations

import struct

import pytest

from auditor.analysis.crash.dump import read_dump
from auditor.analysis.crash.dump_bytes import Bytes
from auditor.analysis.crash.dump_header import read_header
from auditor.model.crash import Crash
from auditor.model.errors import DecodeError
from tests.dump_maker import Dump, Module, triage
from tests.small_knowledge import small_knowledge

KERNEL = Module("ntoskrnl.exe", 0xFFFFF80010000000, 0x1000000, 0xA03D2496, "\\SystemRoot\\system32\\ntoskrnl.exe")
DRIVER = Module("widget.sys", 0xFFFFF80055000000, 0x20000, 0x5284EAC3)
OTHER = Module("shield.sys", 0xFFFFF80056000000, 0x20000, 0x5F000001)


KNOWLEDGE = small_knowledge()


def read(data: bytes) -> Crash:
    return read_dump(Bytes(data), file="x.dmp", size=len(data), knowledge=KNOWLEDGE)


def wide(**changes: object) -> Dump:
    values: dict[str, object] = {
        "parameters": (0x10, 2, 1, DRIVER.base + 0x1234),
        "modules": [KERNEL, DRIVER, OTHER],
        "unloaded": [Module("monitor.sys", 0xFFFFF80057000000, 0xF000), Module("dump_storport.sys", 0xFFFFF80058000000)],
        "stack": [0, KERNEL.base + 0x5000, 7, OTHER.base + 0x4444],
    }
    return Dump(**{**values, **changes})  # type: ignore[arg-type]


def test_a_small_dump_gives_all_that_it_holds() -> None:
    crash = read(triage(wide()))
    assert crash.source.kind == "triage_dump"
    assert crash.source.complete
    assert crash.missing == ()
    assert (crash.bugcheck.code, crash.bugcheck.name) == ("0xd1", "DRIVER_IRQL_NOT_LESS_OR_EQUAL")
    assert crash.bugcheck.parameters == ("0x10", "0x2", "0x1", "0xfffff80055001234")
    assert crash.bugcheck.places == (None, None, None, "widget.sys+0x1234")
    assert (crash.module, crash.image, crash.offset) == ("widget", "widget.sys", "0x1234")
    assert (crash.image_timestamp, crash.image_time) == ("0x5284eac3", "2013-11-14T15:22:43Z")
    assert crash.process == "System"
    assert (crash.os.generation, crash.os.build, crash.os.architecture, crash.os.product_type) == ("2019", 19041, "x64", "server")
    assert (crash.crash_time, crash.uptime_seconds) == ("2024-11-18T16:00:00Z", 3600.0)


def test_drivers_and_unloaded_drivers_are_complete() -> None:
    crash = read(triage(wide()))
    assert crash.drivers is not None
    assert crash.unloaded_drivers is not None
    assert [(d.name, d.base, d.size, d.timestamp) for d in crash.drivers] == [
        ("ntoskrnl.exe", "0xfffff80010000000", 0x1000000, "0xa03d2496"),
        ("widget.sys", "0xfffff80055000000", 0x20000, "0x5284eac3"),
        ("shield.sys", "0xfffff80056000000", 0x20000, "0x5f000001"),
    ]
    assert crash.drivers[0].path == "\\SystemRoot\\system32\\ntoskrnl.exe"
    assert [(d.name, d.truncated) for d in crash.unloaded_drivers] == [("monitor.sys", False), ("dump_storpor", True)]


def test_the_faulting_module_comes_from_the_address() -> None:
    crash = read(triage(wide()))
    assert crash.suspects[0].image == "widget.sys"
    assert crash.suspects[0].confidence == "probable"
    assert "widget.sys+0x1234" in crash.suspects[0].reasons[0]
    assert crash.cause_class == "driver"


def test_an_address_in_the_kernel_accuses_nobody() -> None:
    crash = read(triage(wide(parameters=(0x10, 2, 1, KERNEL.base + 0x1234), stack=[0, KERNEL.base + 0x5000])))
    assert (crash.module, crash.image) == ("nt", "ntoskrnl.exe")
    assert crash.suspects == ()
    assert crash.cause_class == "unknown"


def test_a_driver_found_on_the_raw_stack_is_only_suspected() -> None:
    crash = read(triage(wide(parameters=(0x10, 2, 1, KERNEL.base + 0x1234))))
    assert [(s.image, s.confidence) for s in crash.suspects] == [("shield.sys", "suspected")]
    assert "left-over" in crash.suspects[0].reasons[0]
    assert crash.cause_class == "unknown"


def test_the_machine_frame_tells_where_the_stack_of_the_fault_begins() -> None:
    dump = wide(stack=[])
    fault = DRIVER.base + 0x1234
    after = dump.stack_start + 8 * 8
    dump.stack = [OTHER.base + 0x7777, 0, fault, 0x10, 0x10246, after, 0x18, 0, KERNEL.base + 0x5000, OTHER.base + 0x4444]
    crash = read(triage(dump))
    assert crash.stack is not None
    assert [frame.offset for frame in crash.stack] == ["0x1234", "0x5000", "0x4444"]


def test_a_fault_without_a_parameter_for_it_is_found_by_its_machine_frame() -> None:
    dump = wide(code=0xBE, parameters=(0xFFFFF80001000000, 0x121, 0, 0xA), stack=[])
    dump.stack = [1, DRIVER.base + 0x2222, 0x10, 0x10246, dump.stack_start + 0x28, 0x18]
    crash = read(triage(dump))
    assert (crash.image, crash.offset) == ("widget.sys", "0x2222")


def test_a_context_record_in_a_data_block_is_followed() -> None:
    dump = wide(code=0x3B, stack=[1, 2, 3, KERNEL.base + 0x5000])
    context = bytearray(0x4D0)
    struct.pack_into("<Q", context, 0xF8, DRIVER.base + 0x3333)
    struct.pack_into("<Q", context, 0x98, dump.stack_start + 0x18)
    dump.blocks = [(0xFFFFF80099990000, bytes(context))]
    dump.parameters = (0xC0000005, DRIVER.base + 0x3333, 0xFFFFF80099990000, 0)
    crash = read(triage(dump))
    assert crash.exception is not None
    assert (crash.exception.name, crash.exception.address) == ("STATUS_ACCESS_VIOLATION", "0xfffff80055003333")
    assert crash.stack is not None
    assert [frame.offset for frame in crash.stack] == ["0x3333", "0x5000"]


def test_an_exception_record_tells_a_null_pointer() -> None:
    record = struct.pack("<IIQQIIQQ", 0xC0000005, 0, 0, DRIVER.base + 0x10, 2, 0, 1, 4)
    dump = wide(code=0x1000007E, blocks=[(0xFFFFF80099990000, record.ljust(0x98, b"\0"))])
    dump.parameters = (0xFFFFFFFFC0000005, DRIVER.base + 0x10, 0xFFFFF80099990000, 0)
    crash = read(triage(dump))
    assert (crash.bugcheck.code, crash.bugcheck.base_code) == ("0x1000007e", "0x7e")
    assert crash.exception is not None
    assert (crash.exception.access, crash.exception.target) == ("write", "0x4")
    assert any("null pointer" in reason for reason in crash.suspects[0].reasons)


def test_one_flipped_bit_in_a_page_table_entry_is_hardware() -> None:
    crash = read(triage(wide(code=0x1A, parameters=(0x41792, 0xFFFF800000000000, 0x2000000000, 0))))
    assert crash.cause_class == "hardware"
    crash = read(triage(wide(code=0x1A, parameters=(0x41792, 0xFFFF800000000000, 0x2400000001, 0), stack=[])))
    assert crash.cause_class == "memory"


def test_a_machine_check_is_hardware_whoever_is_on_the_stack() -> None:
    crash = read(triage(wide(code=0x124, parameters=(0, 0xFFFF800000000000, 0xBE000000, 0x1234))))
    assert crash.cause_class == "hardware"
    assert crash.suspects == ()


def test_a_stuck_power_request_leads_to_the_driver_that_holds_it() -> None:
    request, location, device, driver = (0xFFFF800000010000 + index * 0x1000 for index in range(4))
    blocks = [(request, bytearray(0xD0)), (location, bytearray(0x48)), (device, bytearray(0x20)), (driver, bytearray(0x40))]
    for (_, data), offset, value in zip(blocks, (0xB8, 0x28, 0x08, 0x18), (location, device, driver, OTHER.base), strict=True):
        struct.pack_into("<Q", data, offset, value)
    dump = wide(code=0x9F, parameters=(3, 0xFFFF800000090000, 0, request), blocks=[(at, bytes(data)) for at, data in blocks])
    crash = read(triage(dump))
    assert crash.suspects[0].image == "shield.sys"
    assert crash.cause_class == "driver"


def test_a_driver_that_the_stop_code_itself_names() -> None:
    crash = read(triage(wide(code=0x116, parameters=(0xFFFF800000000000, DRIVER.base + 0x4321, 0xC000009A, 4))))
    assert (crash.module, crash.image, crash.offset) == ("widget", "widget.sys", "0x4321")
    assert [(s.image, s.confidence) for s in crash.suspects] == [("widget.sys", "probable")]
    assert "parameter 2" in crash.suspects[0].reasons[0]
    assert crash.cause_class == "driver"


def test_the_process_whose_end_stopped_windows_is_named() -> None:
    process = bytearray(0xC00)
    process[0x5A8:0x5B1] = b"csrss.exe"
    dump = wide(code=0xEF, parameters=(0xFFFF800000010000, 0, 0, 0), blocks=[(0xFFFF800000010000, bytes(process))])
    crash = read(triage(dump))
    assert "the process that ended is csrss.exe" in crash.notes
    assert crash.suspects == ()
    assert crash.cause_class == "unknown"


def test_the_header_s_own_exception_is_used_where_nothing_else_tells_the_place() -> None:
    data = bytearray(triage(wide(code=0xF7, parameters=(1, 2, 3, 0), stack=[])))
    struct.pack_into("<IIQQII", data, 0xF00, 0xC0000005, 0, 0, DRIVER.base + 0x99, 0, 0)
    crash = read(bytes(data))
    assert (crash.image, crash.offset) == ("widget.sys", "0x99")
    struct.pack_into("<I", data, 0xF00, 0x80000003)
    assert read(bytes(data)).image is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0xC000009A, "memory"), (0xC000009C, "hardware"), (0xC0000185, "hardware"), (0xC0000032, "filesystem"), (0x1, "unknown")],
)
def test_in_page_errors_depend_on_their_status(status: int, expected: str) -> None:
    dump = wide(code=0x7A, parameters=(0xFFFF800000000000, status, 0, 0xFFFFF80001000000), stack=[])
    assert read(triage(dump)).cause_class == expected


def test_a_32_bit_dump_of_server_2003() -> None:
    kernel = Module("ntkrnlpa.exe", 0x80800000, 0x280000, 0x42435E60)
    driver = Module("widget.sys", 0xF5355000, 0x20000, 0x3F99BC4F)
    trap = bytearray(0x8C)
    struct.pack_into("<I", trap, 0x68, driver.base + 0x9785)
    dump = Dump(
        mode="x86",
        build=3790,
        code=0x1000008E,
        parameters=(0xC0000005, driver.base + 0x9785, 0xF0FFF000, 0),
        modules=[kernel, driver],
        unloaded=[Module("flpydisk.sys", 0xF6000000)],
        process="tray.exe",
        process_offset=0x164,
        stack=[0, driver.base + 0xB93],
        blocks=[(0xFFFFFFFFF0FFF000, bytes(trap))],
    )
    crash = read(triage(dump))
    assert (crash.os.generation, crash.os.architecture, crash.process) == ("2003", "x86", "tray.exe")
    assert (crash.bugcheck.base_code, crash.image, crash.offset) == ("0x8e", "widget.sys", "0x9785")
    assert crash.drivers is not None
    assert [(d.name, d.base) for d in crash.drivers] == [("ntkrnlpa.exe", "0x80800000"), ("widget.sys", "0xf5355000")]
    assert crash.unloaded_drivers is not None
    assert crash.unloaded_drivers[0].size == 0x8000


def test_an_arm64_dump() -> None:
    crash = read(triage(wide(mode="arm64", build=22000, product=1)))
    assert (crash.os.generation, crash.os.architecture, crash.image) == ("11", "arm64", "widget.sys")


def test_a_dump_that_is_cut_short_tells_what_is_there() -> None:
    data = triage(wide())
    for size in (0x60, 0x1000, 0x2000, 0x2100, len(data) - 200):
        crash = read(data[:size])
        assert crash.bugcheck.code == "0xd1"
        assert not crash.source.complete
        assert crash.missing


@pytest.mark.parametrize("data", [b"", b"PAGE", b"PAGEDU65" * 100, b"PAGEDU64", b"PAGEDUMP" + b"\0" * 16, b"MZ" * 4000])
def test_what_is_no_dump_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        read_header(Bytes(data))


def test_lying_counts_are_not_followed() -> None:
    data = bytearray(triage(wide()))
    struct.pack_into("<I", data, 0x2034, 0xFFFFFFFF)
    struct.pack_into("<I", data, 0x2078 + 4, 0xFFFFFFFF)
    struct.pack_into("<I", data, struct.unpack_from("<I", data, 0x2018)[0], 0x7FFFFFFF)
    crash = read(bytes(data))
    assert any("claims 4294967295" in text for text in crash.missing)
    assert any("unloaded" in text for text in crash.missing)
    assert crash.unloaded_drivers is None
