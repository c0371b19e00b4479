"""Debugger texts: what is stated, what is not, and the dress that people put them in."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Callable

import pytest

from auditor.analysis.crash.windbg import read_text
from auditor.model.crash import Crash
from tests.small_knowledge import small_knowledge

KNOWLEDGE = small_knowledge()

WIDGET = """\
1: kd> !analyze -v
*******************************************************************************
*                        Bugcheck Analysis                                    *
*******************************************************************************

KERNEL_MODE_EXCEPTION_NOT_HANDLED_M (1000008e)
This is a very common bugcheck.  Usually the exception address pinpoints
the driver/function that caused the problem.
Arguments:
Arg1: c0000005, The exception code that was not handled
Arg2: 90543bd0, The address that the exception occurred at
Arg3: af7bf844, Trap Frame
Arg4: 00000000

Debugging Details:
------------------

EXCEPTION_CODE: (NTSTATUS) 0xc0000005 - The instruction at 0x%08lx referenced memory at 0x%08lx.

FAULTING_IP:
widget+1cbd0
90543bd0 ff36            push    dword ptr [esi]

TRAP_FRAME:  af7bf844 -- (.trap 0xffffffffaf7bf844)
ErrCode = 00000000
eax=af7bf8e4 ebx=8400001f ecx=00000000 edx=c0001378 esi=44444444 edi=879e1138
eip=90543bd0 esp=af7bf8b8 ebp=af7bf8d0 iopl=0         nv up ei pl zr na pe nc
cs=0008  ss=0010  ds=0023  es=0023  fs=0030  gs=0000             efl=00010246
widget+0x1cbd0:
90543bd0 ff36            push    dword ptr [esi]      ds:0023:44444444=????????
Resetting default scope

BUGCHECK_STR:  0x8E

PROCESS_NAME:  trigger_me.exe

STACK_TEXT:
WARNING: Stack unwind information not available. Following frames may be wrong.
af7bf8d0 90544692 87b4e430 00000001 44444444 widget+0x1cbd0
af7bf908 9054258f 85e52030 879e1120 85e52030 widget+0x1d692
af7bf934 82c78324 00000000 879e1120 879e1190 nt!IofCallDriver+0x63
af7bfa44 8ec56910 0000001c 00000000 00000000 nt!NtDeviceIoControlFile+0x2a
af7bfad0 8ed2d05a 0000001c 00000000 00000000 shield+0x1f910
0026eb50 00000000 00000000 00000000 00000000 0x77c070d4

STACK_COMMAND:  kb

SYMBOL_NAME:  widget+1cbd0

MODULE_NAME: widget

IMAGE_NAME:  widget.sys

DEBUG_FLR_IMAGE_TIMESTAMP:  56f0cfc0

FAILURE_BUCKET_ID:  0x8E_widget+1cbd0

Followup: MachineOwner
---------
"""


def read(text: str) -> list[Crash]:
    return list(read_text(text.split("\n"), file="x.txt", knowledge=KNOWLEDGE))


def told(crash: Crash) -> tuple[object, ...]:
    """What must not depend on the dress."""
    suspects = [(s.image, s.confidence) for s in crash.suspects]
    stack = [(frame.module, frame.symbol, frame.offset) for frame in crash.stack or ()]
    names = (crash.module, crash.image, crash.image_timestamp, crash.process, crash.bucket)
    return crash.bugcheck, crash.exception, names, suspects, stack, crash.cause_class


def test_a_whole_text() -> None:
    (crash,) = read(WIDGET)
    assert (crash.bugcheck.code, crash.bugcheck.base_code) == ("0x1000008e", "0x8e")
    assert crash.bugcheck.parameters == ("0xc0000005", "0x90543bd0", "0xaf7bf844", "0x0")
    assert (crash.module, crash.image, crash.offset, crash.symbol) == ("widget", "widget.sys", "0x1cbd0", "widget+1cbd0")
    assert (crash.image_timestamp, crash.image_time) == ("0x56f0cfc0", "2016-03-22T04:53:20Z")
    assert (crash.process, crash.bucket) == ("trigger_me.exe", "0x8E_widget+1cbd0")
    assert crash.os.architecture == "x86"
    assert crash.exception is not None
    assert (crash.exception.name, crash.exception.access, crash.exception.target) == ("STATUS_ACCESS_VIOLATION", "read", "0x44444444")
    assert crash.source.complete
    assert crash.missing == ()
    assert crash.source.line == 1 or crash.source.line == 6


def test_the_suspects_are_ranked_with_reasons() -> None:
    (crash,) = read(WIDGET)
    assert [(s.image, s.confidence) for s in crash.suspects] == [("widget.sys", "confirmed"), ("shield", "suspected")]
    reasons = " | ".join(crash.suspects[0].reasons)
    assert "the exception happened in its code: widget.sys+0x1cbd0" in reasons
    assert "IOCTL" in reasons
    assert "trigger_me.exe" in reasons
    assert crash.cause_class == "driver"


def _wrapped(width: int) -> Callable[[str], str]:
    def wrap(text: str) -> str:
        parts: list[str] = []
        for line in text.split("\n"):
            parts += textwrap.wrap(line, width, break_long_words=False, break_on_hyphens=False) or [""]
        return "\n".join(parts)

    return wrap


def _each(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "\n".join(change(line) for line in text.split("\n"))


DRESSES: dict[str, Callable[[str], str]] = {
    "indented": _each(lambda line: "        " + line),
    "quoted": _each(lambda line: "> > " + line),
    "in a comment": _each(lambda line: " * " + line),
    "with line numbers": lambda text: "\n".join(f"{index:4d}: {line}" for index, line in enumerate(text.split("\n"), 1)),
    "with times": _each(lambda line: "[12:33:01] " + line),
    "double-spaced": lambda text: "\n\n".join(text.split("\n")),
    "single-spaced": lambda text: re.sub(r"[ \t]+", " ", text),
    "wrapped at 72": _wrapped(72),
    "wrapped at 60": _wrapped(60),
    "with carriage returns": _each(lambda line: line + "\r"),
    "in HTML": lambda text: "<pre>" + html.escape(text) + "</pre>",
    "in one line of HTML": lambda text: "<p>" + html.escape(text).replace("\n", "<br>") + "</p>",
    "with escaped underscores": lambda text: text.replace("_", "\\_"),
    "without colons": lambda text: re.sub(r"(?m)^([A-Z][A-Z_0-9]+|Arg\d):", r"\1", text),
    "with full-width colons": lambda text: re.sub(r"(?m)^([A-Z][A-Z_0-9]+):", "\\1\uff1a", text),
    "without underscores": lambda text: re.sub(r"(?m)^([A-Z][A-Z_0-9]+):", lambda match: match.group().replace("_", ""), text),
    "in bold": lambda text: re.sub(r"(?m)^([A-Z][A-Z_0-9]+):", r"**\1:**", text),
    "with full-width blanks": _each(lambda line: "\u3000\u3000" + line),
    "with no-break blanks": lambda text: text.replace("  ", "\xa0 "),
    "with remarks": lambda text: re.sub(r"(?m)^((?:PROCESS|MODULE|IMAGE)_NAME:.*)$", r"\1 // 出错的驱动", text),
    "with arrows": lambda text: re.sub(r"(?m)^((?:SYMBOL|IMAGE)_NAME:.*)$", r"\1 <- 범인", text),
    "with middle dots": lambda text: text.replace("trigger_me.exe", "\u00b7trigger_me.exe\u00b7"),
    "without parentheses": lambda text: text.replace("(1000008e)", "1000008e"),
    "twice": lambda text: text + "\nHere it is once more:\n" + text,
    "with its tail again": lambda text: text + "\nAs I said:\n" + text[text.index("SYMBOL_NAME") :],
    "in fragments": lambda text: text.replace("\n\n", "\n\nThis next part says something about the machine.\n\n"),
}


@pytest.mark.parametrize("dress", DRESSES)
def test_the_dress_of_a_text_changes_nothing(dress: str) -> None:
    crashes = read(DRESSES[dress](WIDGET))
    assert [told(crash) for crash in crashes] == [told(crash) for crash in read(WIDGET)]


def test_dots_that_were_lost_are_restored_and_noted() -> None:
    (crash,) = read(WIDGET.replace(".", ""))
    assert (crash.image, crash.process) == ("widget.sys", "trigger_me.exe")
    assert any("widgetsys" in note for note in crash.notes)
    assert any("trigger_meexe" in note for note in crash.notes)


@pytest.mark.parametrize("line", range(1, WIDGET.count("\n"), 3))
def test_a_part_of_a_text_states_nothing_else_than_the_whole(line: int) -> None:
    (whole,) = read(WIDGET)
    lines = WIDGET.split("\n")
    for part in (lines[:line], lines[line:]):
        for crash in read("\n".join(part)):
            assert crash.bugcheck.base_code in (None, "0x8e")
            for name in ("module", "image", "image_timestamp", "process", "bucket"):
                assert getattr(crash, name) in (None, getattr(whole, name))


def test_every_line_is_optional() -> None:
    lines = WIDGET.split("\n")
    for index in range(len(lines)):
        crashes = read("\n".join(lines[:index] + lines[index + 1 :]))
        assert len(crashes) == 1


def test_prose_is_no_crash() -> None:
    assert read("PROCESS_NAME fields are explained there. IRQL_NOT_LESS_OR_EQUAL (a) is too.\nA stop 0x8E needs a dump.\n") == []
    assert read("IRQL_NOT_LESS_OR_EQUAL (a) means that a driver touched paged memory.\n") == []
    assert read("") == []


def test_a_timestamp_of_zero_is_not_1970() -> None:
    (crash,) = read(WIDGET.replace("56f0cfc0", "0"))
    assert (crash.image_timestamp, crash.image_time) == ("0x0", None)


def test_the_header_wins_over_the_stack() -> None:
    text = "DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1)\nArg1: 0000000000000060, memory\nSTACK_TEXT:\nfffff806`67881838 "
    text += "fffff806`61e09d69     : 00000000`0000000a 00000000`00000060 00000000`00000002 00000000`00000000 : nt!KeBugCheckEx\n"
    (crash,) = read(text)
    assert crash.bugcheck.code == "0xd1"


def test_a_code_that_stands_on_the_stack_only_says_so() -> None:
    frames = WIDGET[WIDGET.index("SYMBOL_NAME") :].replace("0x8E_", "")
    stack = "STACK_TEXT:\nf4c0b720 8085b4b3 0000008e c0000005 f535e785 nt!KeBugCheckEx+0x1b\n"
    stack += "f4c0bae4 808357a4 f4c0bb00 00000000 f4c0bb54 widget+0x1cbd0\n"
    (crash,) = read(stack + frames)
    assert crash.bugcheck.code == "0x8e"
    assert crash.bugcheck.parameters == ("0xc0000005", "0xf535e785", None, None)
    assert any("stack only" in note for note in crash.notes)
