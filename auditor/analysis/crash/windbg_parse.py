"""The single forms in a debugger's text: a number, a frame of the stack, an instruction, a module line, a date. Pure functions of a line.

Regular expressions here have no nested repetition over one alphabet: their cost is linear in a line of bounded length.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import msgspec

HEX = r"[0-9a-fA-F]{8}(?:`?[0-9a-fA-F]{8})?"
_NUMBER = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8}(?:`?[0-9a-fA-F]{8})?)(?![0-9a-zA-Z])")
_WHOLE_64 = re.compile(rf"(?:[0-9a-f]{{2}}\s+)?({HEX})\s+({HEX})\s*:((?:\s{HEX}){{4}})\s*:\s*([A-Za-z_].*)")
_WHOLE_32 = re.compile(r"([0-9a-f]{8}) ([0-9a-f]{8}) ([0-9a-f]{8} [0-9a-f]{8} [0-9a-f]{8}) ([A-Za-z_].*)")
_FRAME_HEAD = re.compile(rf"(?:#\s*)?(?:[0-9a-fA-F]{{2,3}}\s+)?({HEX})(?:\s+({HEX}))?")
_ARGUMENT = re.compile(r"[\s:]*([0-9a-fA-F]{8}(?:`[0-9a-fA-F]{8}|[0-9a-fA-F]{8}(?=[\s:]|$))?)")
_INLINE = re.compile(r"(?:[0-9a-fA-F]{2,3}\s+)?\(Inline(?: Function)?\)\s+[-`]+\s*:?\s*(?:[-`]+\s*:\s*)?(.*)")
_SYMBOL = re.compile(r"([A-Za-z_][\w.~$-]{0,80}|[0-9][\w]{0,80})(?:!([^\[]{1,400}?))?(?:\+(?:0x)?([0-9a-fA-F]{1,16}))?\s*(?:\[.*)?$")
_INSTRUCTION = re.compile(rf"({HEX})\s+([0-9a-f?]{{2,40}})\s+([a-z?][a-z0-9.]{{1,12}})(?:\s+(.*))?$")
_OPERAND_ADDRESS = re.compile(rf"[a-z]s:(?:[0-9a-f]{{4}}:)?({HEX})\s*=")
_WIDE_REGISTER = re.compile(r"\b(?:(r(?:[a-d]x|[sd]i|[sb]p|ip|\d{1,2}))|([xw]\d{1,2}))\b")
_DATE = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,7})? (\d{4})"
    r"(?: \((?:UTC|GMT)\s*([+-])\s*(\d{1,2}):(\d{2})\))?"
)
_MONTH_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: index for index, name in enumerate(_MONTH_NAMES, 1)}
_UPTIME = re.compile(r"(\d{1,5}) days? (\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?")
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.\d{1,9})?Z")
_WORDS_OF_EIGHT = (8, 16)


class Frame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A frame as printed."""

    stack: int | None = None
    """First column: stack or frame pointer."""
    ret: int | None = None
    """Return address: the place in the next frame."""
    arguments: tuple[int, ...] = ()
    module: str | None = None
    function: str | None = None
    offset: int | None = None
    """Offset from the function, or from the image where there is no function."""
    wide: bool = False
    """64-bit addresses."""


def number(text: str) -> int | None:
    """The hex number at the start of a text, with or without 0x and the debugger's backtick."""
    match = _NUMBER.match(text.lstrip())
    return int(match.group(1).replace("`", ""), 16) if match else None


def frame(line: str) -> Frame | None:
    """A frame of `k`, `kb`, `kv` or STACK_TEXT; with `module` None where its symbol is not on this line. None for other lines."""
    whole = _WHOLE_32.match(line) or _WHOLE_64.match(line)
    if whole is not None:
        first = whole.group(1)
        printed = tuple(int(word, 16) for word in whole.group(3).replace("`", "").split())
        return _with_symbol(whole.group(4), _int(first), _int(whole.group(2)), printed, wide=len(first) > 8)
    inline = _INLINE.match(line) if "(Inline" in line else None
    if inline:
        return _with_symbol(inline.group(1), None, None, (), wide="`" in line)
    head = _FRAME_HEAD.match(line)
    if head is None or len(head.group(1).replace("`", "")) not in _WORDS_OF_EIGHT:
        return None
    first, second = head.group(1), head.group(2)
    place = head.end()
    if second is None and not line[place:].lstrip().startswith(":"):
        return None
    arguments: list[int] = []
    while len(arguments) < 6 and (match := _ARGUMENT.match(line, place)):
        arguments.append(int(match.group(1).replace("`", ""), 16))
        place = match.end()
    wide = len(first.replace("`", "")) == 16
    stack, ret = (None, int(first.replace("`", ""), 16)) if second is None else (_int(first), _int(second))
    return _with_symbol(line[place:].strip(" \t:"), stack, ret, tuple(arguments), wide=wide)


def _int(text: str) -> int:
    return int(text.replace("`", ""), 16)


def _with_symbol(text: str, stack: int | None, ret: int | None, arguments: tuple[int, ...], *, wide: bool) -> Frame | None:
    if not text:
        return Frame(stack=stack, ret=ret, arguments=arguments, wide=wide)
    if text.startswith("0x") and number(text) is not None:
        return Frame(stack=stack, ret=ret, arguments=arguments, module="", wide=wide)
    place = symbol(text)
    if place is None:
        return None
    module, function, offset = place
    return Frame(stack=stack, ret=ret, arguments=arguments, module=module, function=function, offset=offset, wide=wide)


def symbol(text: str) -> tuple[str, str | None, int | None] | None:
    """`module!function+0x10`, `module+0x10`, `module+10` or `module!function` as (module, function, offset)."""
    match = _SYMBOL.match(text.rstrip(" \t:"))
    if match is None or (match.group(2) is None and match.group(3) is None):
        return None
    offset = int(match.group(3), 16) if match.group(3) else None
    return match.group(1), match.group(2), offset


class Instruction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A disassembled instruction."""

    address: int
    writes: bool
    """Whether its first operand is memory that it changes."""
    target: int | None
    """Address of its memory operand, where the debugger worked it out."""
    machine: str | None = None
    """x64 or arm64, where a register's name tells."""


_ONLY_READ = ("cmp", "test", "push", "call", "jmp", "bt", "mul", "div", "fld", "prefetch", "ldr", "ldp", "ldur")


def instruction(line: str) -> Instruction | None:
    """A line of disassembly."""
    match = _INSTRUCTION.match(line)
    if match is None:
        return None
    operands = match.group(4) or ""
    first = operands.split(",", 1)[0]
    writes = ("[" in first and not match.group(3).startswith(_ONLY_READ)) or match.group(3).startswith(("str", "stp", "stur"))
    target = _OPERAND_ADDRESS.search(operands)
    register = _WIDE_REGISTER.search(operands)
    machine = None if register is None else "x64" if register.group(1) else "arm64"
    return Instruction(address=_int(match.group(1)), writes=writes, target=_int(target.group(1)) if target else None, machine=machine)


def operand(line: str) -> int | None:
    """The address at the start of `ds:0023:44444444=????????`, an operand that was wrapped onto a line of its own."""
    match = _OPERAND_ADDRESS.match(line)
    return _int(match.group(1)) if match else None


def local_date(text: str) -> tuple[str | None, str | None]:
    """A debugger's date as (UTC in ISO 8601, local text): UTC only where the text gives its offset."""
    match = _DATE.search(text)
    if match is None:
        return None, None
    month, day, hour, minute, second, year, sign, hours, minutes = match.groups()
    try:
        moment = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        if sign is None:
            return None, match.group(0)
        offset = timedelta(hours=int(hours), minutes=int(minutes)) * (1 if sign == "+" else -1)
        moment = moment.replace(tzinfo=timezone(offset)).astimezone(UTC)
    except (ValueError, KeyError, OverflowError):
        return None, None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ"), match.group(0)


def iso_date(text: str) -> str | None:
    """A time that ends in Z, to the second."""
    match = _ISO.search(text)
    try:
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if match else None  # type: ignore[misc,arg-type]
    except ValueError:
        return None


def uptime(text: str) -> float | None:
    """`0 days 0:02:09.764` in seconds."""
    match = _UPTIME.search(text)
    if match is None:
        return None
    days, hours, minutes, seconds = (int(part) for part in match.groups()[:4])
    fraction = float(f"0.{match.group(5)}") if match.group(5) else 0.0
    return round(((days * 24 + hours) * 60 + minutes) * 60 + seconds + fraction, 3)
