"""Debugger texts in the dress of forums, loggers and other encodings, and texts that stop early: the same crash, or less of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.test_windbg import WIDGET
from tests.unit.test_windbg_kinds import PROGRAM, read


def _upper(text: str) -> str:
    return "\n".join(line[:8].upper() + line[8:] if line[8:9] == " " else line for line in text.split("\n"))


@pytest.mark.parametrize(
    "dress",
    [
        lambda text: f"Помогите, синий экран!\n[code]{text[text.index('KERNEL_MODE') :]}[/code]\nСпасибо",
        lambda text: f'[SPOILER="dump"][CODE]{text}[/CODE][/SPOILER]',
        lambda text: "\n".join(f"[2021-03-04 12:11:10] {line}" for line in text.split("\n")),
        lambda text: "\n".join(f"2021-03-04 12:11:10,123 {line}" for line in text.split("\n")),
        lambda text: "\n".join(f"\xa1\xa1\xa1\xa1{line}" for line in text.split("\n")),
        lambda text: "\n".join(f"????{line}" for line in text.split("\n")),
        lambda text: "\n".join(f"\ufffd\ufffd{line}" for line in text.split("\n")),
        _upper,
    ],
    ids=["bbcode", "spoiler", "bracketed_time", "time", "latin_1_of_gbk", "question_marks", "replaced", "capitals"],
)
def test_the_dress_of_a_text_changes_nothing(dress: Callable[[str], str]) -> None:
    (whole,), (crash,) = read(WIDGET), read(dress(WIDGET))
    assert (crash.bugcheck, crash.module, crash.image, crash.offset) == (whole.bugcheck, whole.module, whole.image, whole.offset)
    assert (crash.process, crash.bucket, crash.cause_class) == (whole.process, whole.bucket, whole.cause_class)
    assert crash.suspects == whole.suspects


@pytest.mark.parametrize("lines", range(7, 18))
def test_the_first_lines_of_a_program_s_crash_blame_no_driver(lines: int) -> None:
    text = "\n".join(PROGRAM.split("\n")[1:lines])
    for crash in read(text):
        assert crash.cause_class == "user_mode"
        assert crash.bugcheck.code is None


def test_a_kernel_s_address_without_a_stop_code_is_no_program_s() -> None:
    text = "ExceptionAddress: f535e785 (widget+0x00009785)\n   ExceptionCode: c0000005 (Access violation)\nMODULE_NAME: widget\n"
    (crash,) = read(text)
    assert crash.cause_class == "driver"


def test_a_module_that_debuggers_put_there_without_symbols_is_not_the_faulting_one() -> None:
    (crash,) = read(PROGRAM.replace("MODULE_NAME: gui\n", "FAULTING_MODULE: 755b0000 kernel32\n"))
    assert crash.module is None


def test_a_rule_with_words_parts_two_crashes() -> None:
    first, second = read(WIDGET + "--- Debug Logs ---\n" + PROGRAM[PROGRAM.index("FAULTING_IP") :])
    assert (first.image, second.image, second.cause_class) == ("widget.sys", "gui.ppl", "user_mode")


def test_a_high_irql_in_a_file_system_s_code_is_no_damaged_volume() -> None:
    text = """\
DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1)
Arg1: ffff80091002ac08, memory referenced
Arg2: 0000000000000002, IRQL
Arg3: 0000000000000001, value 0 = read operation, 1 = write operation
Arg4: fffff802084d9062, address which referenced memory
STACK_TEXT:
ffffed0e`e77dcd48 fffff802`0442bfa9 : 00000000`0000000a ffff8009`1002ac08 00000000`00000002 00000000`00000001 : nt!KeBugCheckEx
ffffed0e`e77dce90 fffff802`084d9062 : 00000000`00000000 00000000`0fb6b000 ffffb507`00000400 ffff8009`1002ac88 : nt!KiPageFault+0x474
ffffed0e`e77dd020 fffff802`0848980c : 00000000`00000000 ffffb507`00000000 00000000`00000000 ffff8009`1002aca8 : Ntfs!NtfsWriteLog+0x392
"""
    (crash,) = read(text)
    assert crash.cause_class == "unknown"
    assert all(suspect.confidence == "suspected" for suspect in crash.suspects)
