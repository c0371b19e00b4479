"""Kinds of debugger texts: two crashes in one, programs, other processors, lists of modules, announcements without an analysis."""

from __future__ import annotations

from random import Random

import pytest

from auditor.analysis.crash.windbg import MAX_CRASHES, read_text
from auditor.analysis.crash.windbg_lines import MAX_LINE, clean
from auditor.analysis.crash.windbg_parse import frame, instruction, iso_date, local_date, symbol, uptime
from auditor.model.crash import Crash
from tests.small_knowledge import small_knowledge
from tests.unit.test_windbg import WIDGET

KNOWLEDGE = small_knowledge()


def read(text: str) -> list[Crash]:
    return list(read_text(text.split("\n"), file="x.txt", knowledge=KNOWLEDGE))


OTHER = """\
BUGCHECK_STR:  0x3B
PROCESS_NAME:  sqlservr.exe
STACK_TEXT:
fffff880`0a1b2c30 fffff880`05c01f10 : fffffa80`08123450 00000000`00000001 00000000`00000000 00000000`00000000 : nt!ObfReferenceObject+0x23
fffff880`0a1b2c60 fffff880`05c03333 : fffffa80`08123450 00000000`00000001 00000000`00000000 00000000`00000000 : shield+0x1f10
MODULE_NAME: shield
IMAGE_NAME:  shield.sys
FAILURE_BUCKET_ID:  X64_0x3B_shield+1f10
"""

PROGRAM = """\
0:005> !analyze -v
FAULTING_IP:
gui+79bed
6ddf9bed 8b11            mov     edx,dword ptr [ecx]

EXCEPTION_RECORD:  ffffffff -- (.exr 0xffffffffffffffff)
ExceptionAddress: 6ddf9bed (gui+0x00079bed)
   ExceptionCode: c0000005 (Access violation)
Attempt to read from address 9699eef0

PROCESS_NAME:  viewer.exe
MODULE_NAME: gui
BUGCHECK_STR:  APPLICATION_FAULT_INVALID_POINTER_READ
STACK_TEXT:
0331f9b8 6ddf9bfd 0331fa54 02485068 00000001 gui+0x79bed
0331fb30 754c6238 00000000 00000200 00000000 user32!DispatchMessageW+0x270
IMAGE_NAME:  gui.ppl
FAILURE_BUCKET_ID:  INVALID_POINTER_READ_c0000005_gui.ppl!Unknown
"""


@pytest.mark.parametrize("between", ["\n\nAnd the other one:\n\n", "\n\n\nDann kam dieser hier\n"])
def test_two_crashes_stay_apart(between: str) -> None:
    first, second = read(WIDGET + between + OTHER)
    assert (first.bugcheck.code, first.image, first.process) == ("0x1000008e", "widget.sys", "trigger_me.exe")
    assert (second.bugcheck.code, second.image, second.process) == ("0x3b", "shield.sys", "sqlservr.exe")
    again = read(OTHER + between + WIDGET)
    assert [crash.image for crash in again] == ["shield.sys", "widget.sys"]


def test_the_same_code_with_other_parameters_is_another_crash() -> None:
    second = WIDGET.replace("90543bd0", "90543bd4").replace("Arg3: af7bf844", "Arg3: af7bf800")
    assert len(read(WIDGET + "\nA week later:\n" + second)) == 2


def test_a_crash_of_a_program_has_no_stop_code() -> None:
    (crash,) = read(PROGRAM)
    assert crash.bugcheck.code is None
    assert crash.bugcheck.parameters == (None, None, None, None)
    assert crash.cause_class == "user_mode"
    assert (crash.module, crash.image, crash.process) == ("gui", "gui.ppl", "viewer.exe")
    assert crash.suspects[0].image == "gui.ppl"


def test_a_program_behind_a_crash_of_windows_stays_apart() -> None:
    header = WIDGET[: WIDGET.index("Debugging Details")]
    first, second = read(header + "\nThis one is my viewer:\n" + PROGRAM)
    assert (first.bugcheck.code, first.process) == ("0x1000008e", None)
    assert second.cause_class == "user_mode"


def test_a_list_of_modules_tells_the_driver_that_a_text_does_not_name() -> None:
    text = """\
DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1)
Arg1: 0000000000000018, memory referenced
Arg2: 0000000000000002, IRQL
Arg3: 0000000000000000, value 0 = read operation, 1 = write operation
Arg4: fffff88004321abc, address which referenced memory
MODULE_NAME: nt
IMAGE_NAME:  ntoskrnl.exe
BUCKET_ID:  WRONG_SYMBOLS
Followup: MachineOwner
1: kd> lmtn
start             end                 module name
fffff800`02a10000 fffff800`02ff8000   nt       ntoskrnl.exe Fri Mar 25 21:46:42 2016 (56F5A3B2)
fffff880`04310000 fffff880`04342000   netshield netshield.sys Wed Oct 05 09:00:00 2011 (4E8C1F90)
Unloaded modules:
fffff880`06000000 fffff880`0600e000   crashdmp.sys
"""
    (crash,) = read(text)
    assert crash.drivers is not None
    assert [(d.name, d.base, d.size, d.timestamp) for d in crash.drivers] == [
        ("ntoskrnl.exe", "0xfffff80002a10000", 0x5E8000, "0x56f5a3b2"),
        ("netshield.sys", "0xfffff88004310000", 0x32000, "0x4e8c1f90"),
    ]
    assert crash.unloaded_drivers is not None
    assert crash.unloaded_drivers[0].name == "crashdmp.sys"
    assert (crash.module, crash.image) == ("nt", "ntoskrnl.exe")
    assert (crash.suspects[0].image, crash.offset) == ("netshield.sys", "0x11abc")
    assert any("ntoskrnl.exe" in note for note in crash.notes)


@pytest.mark.parametrize(
    ("text", "code", "first"),
    [
        ("*** STOP: 0x0000007A (0xC03E14B8, 0xC000009C, 0x7C900000, 0x12345860)", "0x7a", "0xc03e14b8"),
        (
            "Der Computer wurde nach einem Fehler neu gestartet. Der Fehlercode war: 0x0000009f (0x00000003, 0x8a, 0x8b, 0x8c).",
            "0x9f",
            "0x3",
        ),
        ("BugCheck 3B, {c0000005, fffff88005a0bfd2, fffff8800653a9c0, 0}", "0x3b", "0xc0000005"),
        ("*** Fatal System Error: 0x000000d1\n                       (0xE1147008,0x0000001C,0x00000000,0xFBE93403)", "0xd1", "0xe1147008"),
        ("BCCode:\t1000008e\n  BCP1:\tC0000005\n  BCP2:\t929EF938", "0x1000008e", "0xc0000005"),
        ("Unknown bugcheck code (c0000218)\nArguments:\nArg1: e144c418", "0xc0000218", "0xe144c418"),
    ],
)
def test_announcements(text: str, code: str, first: str) -> None:
    (crash,) = read(text)
    assert (crash.bugcheck.code, crash.bugcheck.parameters[0]) == (code, first)
    assert not crash.source.complete


def test_an_announcement_and_its_analysis_are_one_crash() -> None:
    text = "BugCheck 1000008E, {c0000005, 90543bd0, af7bf844, 0}\n\nProbably caused by : widget.sys ( widget+1cbd0 )\n\n"
    text += "Followup: MachineOwner\n---------\n\n"
    (crash,) = read(text + WIDGET)
    assert crash.image == "widget.sys"
    (alone,) = read(text)
    assert (alone.module, alone.image, alone.symbol) == ("widget", "widget.sys", "widget+1cbd0")
    assert alone.cause_class == "driver"
    assert alone.suspects[0].confidence == "suspected"


def test_corruption_that_is_the_loader_s_own_is_not_bad_memory() -> None:
    head = "SYSTEM_SERVICE_EXCEPTION (3b)\nArg1: 00000000c0000005, code\nArg2: fffff1e056dc1000, at\nFAULTING_IP:\nwin32kbase!Fn+99\n"
    head += "fffff1e0`56dc1000 48394108        cmp     qword ptr [rcx+8],rax\n"
    tail = "MODULE_NAME: memory_corruption\nIMAGE_NAME:  memory_corruption\nMEMORY_CORRUPTOR:  LARGE\n"
    tail += "FAILURE_BUCKET_ID:  MEMORY_CORRUPTION_LARGE\n"
    loader = "    fffff1e056a1fccf - win32kfull!A+10f\n\t[ 00:90 ]\n\t[ 48 ff:4c 8b ]\n\t[ 0f 1f 44 00:e8 d8 16 37 ]\n"
    assert read(head + loader + tail)[0].cause_class == "driver"
    assert read(head + "\t[ 8b 51 0c 8b:00 00 00 00 ]\n" + tail)[0].cause_class in ("driver", "memory")
    assert read(head + "\t[ 00:90 ]\n" + tail)[0].cause_class != "hardware"
    bit = tail.replace("LARGE", "ONE_BIT")
    assert read(head + "\t[ 20:28 ]\n" + bit)[0].cause_class == "hardware"
    kernel = head.replace("win32kbase!Fn+99", "nt!Fn+99")
    assert read(kernel + "\t[ 8b 51 0c 8b:00 00 00 00 ]\n" + tail)[0].cause_class == "memory"
    assert read(kernel + loader + tail)[0].cause_class == "unknown"


def test_the_system_is_told_as_stated() -> None:
    text = "Windows Server 2003 Kernel Version 3790 (Service Pack 2) MP (2 procs) Free x86 compatible\n"
    text += "Product: Server, suite: TerminalServer\n"
    text += "Debug session time: Thu Oct  1 14:13:42.872 2026 (UTC - 5:00)\n"
    text += "System Uptime: 0 days 0:02:09.764\n" + WIDGET
    (crash,) = read(text)
    assert (crash.os.generation, crash.os.build, crash.os.service_pack, crash.os.product_type) == ("2003", 3790, 2, "server")
    assert (crash.crash_time, crash.uptime_seconds) == ("2026-10-01T19:13:42Z", 129.764)
    (unknown,) = read(text.replace(" (UTC - 5:00)", ""))
    assert unknown.crash_time is None
    assert any("time zone" in note for note in unknown.notes)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f4c0b720 8085b4b3 0000008e c0000005 f535e785 nt!KeBugCheckEx+0x1b", ("nt", "KeBugCheckEx", 0x1B)),
        ("f9357734 804f880d 00000003 f9357a9000000000nt!RtlpBreak", ("nt", "RtlpBreak", None)),
        ("00 fffffb84`28138f18 fffff801`441d1e69 nt!KeBugCheckEx", ("nt", "KeBugCheckEx", None)),
        ("0a fffff805`057bb53f     : 00000000`00000124 00000000`00000010 : widget+0x1a", ("widget", None, 0x1A)),
        ("04 (Inline Function) --------`-------- raidport!Pop+0x10", ("raidport", "Pop", 0x10)),
        ("a6723790 98e95328 98e953b4 98e953be 98e95442 0x400000", ("", None, None)),
    ],
)
def test_frames(line: str, expected: tuple[str, str | None, int | None]) -> None:
    found = frame(line)
    assert found is not None
    assert (found.module, found.function, found.offset) == expected


@pytest.mark.parametrize(
    "line", ["82a40fd3 f3a5 rep movs dword ptr es:[edi],dword ptr [esi]", "some words", "80800000 80a51000   nt   (pdb symbols)", ""]
)
def test_other_lines_are_no_frames(line: str) -> None:
    assert frame(line) is None


def test_small_forms() -> None:
    code = instruction("f535e785 894104 mov dword ptr [ecx+4],eax ds:0023:00000004=????????")
    assert code is not None
    assert (code.address, code.writes, code.target) == (0xF535E785, True, 4)
    assert symbol("nt!IofCallDriver+0x63") == ("nt", "IofCallDriver", 0x63)
    assert symbol("RapDrv+9785") == ("RapDrv", None, 0x9785)
    assert symbol("just words") is None
    assert iso_date("2019-01-10T15:55:49.000Z") == "2019-01-10T15:55:49Z"
    assert iso_date("2019-13-10T15:55:49Z") is None
    assert local_date("Fri Jun 11 10:22:46 2004") == (None, "Fri Jun 11 10:22:46 2004")
    assert local_date("Xxx Foo 41 10:22:46 2004 (UTC + 2:00)") == (None, None)
    assert uptime("System Uptime: 3 days 4:05:06.789") == 273906.789
    assert len(clean("x" * 100_000)) == MAX_LINE


def test_the_number_of_crashes_is_bounded() -> None:
    lines = (f"BugCheck D1, {{{index:x}, 2, 0, {index + 0x80000000:x}}}" for index in range(1, MAX_CRASHES * 2))
    assert len(list(read_text(lines, file="x", knowledge=KNOWLEDGE))) == MAX_CRASHES


@pytest.mark.parametrize("seed", range(40))
def test_remarks_anywhere_neither_split_nor_change_a_crash(seed: int) -> None:
    random = Random(seed)
    remarks = ("Then I looked at this and wondered.", "我觉得这里很奇怪", "Danach sieht man das hier:", "", "```", "------")
    lines = WIDGET.split("\n")
    for _ in range(random.choice((1, 3, 8))):
        lines.insert(random.randrange(len(lines) + 1), random.choice(remarks))
    (crash,) = read("\n".join(lines))
    (whole,) = read(WIDGET)
    assert (crash.bugcheck, crash.image, crash.process, crash.bucket) == (whole.bugcheck, whole.image, whole.process, whole.bucket)
    assert crash.suspects[0].image == "widget.sys"


@pytest.mark.parametrize("between", ["\n\nAnd here:\n\n", "\n\n------\n\n", "\n\n下一个：\n\n"])
def test_a_headless_crash_behind_an_unfinished_one_of_the_same_code_stays_apart(between: str) -> None:
    unfinished = "KERNEL_MODE_EXCEPTION_NOT_HANDLED (8e)\nArg1: c0000005, code\nArg2: 81815974, at\nArg3: 80795644, frame\nArg4: 00000000\n"
    headless = "BUGCHECK_STR:  0x8E\nPROCESS_NAME:  other.exe\nSTACK_TEXT:\n"
    headless += (
        "f4c0b720 8085b4b3 0000008e c0000005 f535e785 nt!KeBugCheckEx+0x1b\nf4c0bae4 808357a4 f4c0bb00 00000000 f4c0bb54 rest+0x3a2\n"
    )
    headless += "MODULE_NAME: rest\nIMAGE_NAME:  rest.sys\n"
    first, second = read(unfinished + between + headless)
    assert (first.bugcheck.parameters[1], first.image) == ("0x81815974", None)
    assert (second.bugcheck.parameters[1], second.image) == ("0xf535e785", "rest.sys")
