"""Registry exports (`.reg`, versions 4 and 5) to values. Pure: text in, records and faults out, linear in its length.

A record is one value. Keys without values are counted as skipped and named in `empty_keys`; a deletion is a record that says so.
"""

from __future__ import annotations

import re

import msgspec

from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.outcome import Fault, Outcome

TYPES = {
    0: "REG_NONE", 1: "REG_SZ", 2: "REG_EXPAND_SZ", 3: "REG_BINARY", 4: "REG_DWORD", 5: "REG_DWORD_BIG_ENDIAN", 6: "REG_LINK",
    7: "REG_MULTI_SZ", 8: "REG_RESOURCE_LIST", 9: "REG_FULL_RESOURCE_DESCRIPTOR", 10: "REG_RESOURCE_REQUIREMENTS_LIST", 11: "REG_QWORD",
}  # fmt: skip
_VALUE = re.compile(r'\s*(?:@|"((?:[^"\\]|\\.)*)")\s*=\s*(.*)', re.DOTALL)
_STARTS = re.compile(r'\s*(?:@|"(?:[^"\\]|\\.)+")\s*=')
_HEX = re.compile(r"hex(?:\(([0-9a-fA-F]{1,8})\))?:(.*)", re.IGNORECASE | re.DOTALL)
_LONGEST = 2_000_000
"""No line of an export is longer: a value has at most one megabyte, and hex data is wrapped."""


class RegistryValue(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a registry key."""

    key: str
    """Full key, `HKEY_LOCAL_MACHINE\\...`, as written."""
    value_name: str | None
    """Name; empty for the default value, None for a key that is deleted as a whole."""
    type: str | None = None
    """REG_SZ, REG_DWORD, ...; `REG_0x...` for numbers without a name."""
    data: str | int | list[str] | None = None
    """Text, number, list of texts, or lower-case hex for binary types."""
    deleted: bool = False
    """Whether the export removes it."""


class RegistryOutcome(Outcome[RegistryValue], kw_only=True):
    """Values, and the keys that have none."""

    empty_keys: list[str] = msgspec.field(default_factory=list)


def looks_like_reg(text: str) -> bool:
    """Whether a text is an export: its first lines say so, or hold a bracketed key."""
    head = text[:4096].lstrip()
    return head.startswith(("Windows Registry Editor", "REGEDIT4", "REGEDIT")) or bool(re.search(r"^\[-?HK", head, re.MULTILINE))


def read_reg(text: str) -> RegistryOutcome:
    """All values of an export. Broken lines are faults with their number."""
    outcome = RegistryOutcome()
    ansi = text.lstrip()[:8] == "REGEDIT4"
    lines = lines_of(text)
    key, values, at = "", 1, 0
    while at < len(lines):
        line = lines[at].strip()
        start = at + 1
        at += 1
        if line.startswith(("Windows Registry Editor", "REGEDIT")):
            ansi = line.startswith("REGEDIT4")  # an export may stand below another
            continue
        if not line or line.startswith(";"):
            continue
        if len(line) > _LONGEST:
            outcome.faults.append(Fault(place=f"line {start}", message=f"a line of {len(line)} characters"))
            continue
        if line.startswith("["):
            _close_key(outcome, key, values)
            key, values = _key(outcome, line, start)
            continue
        statement, at = _statement(lines, at - 1)
        values += 1
        _value(outcome, key, statement, start, ansi=ansi)
    _close_key(outcome, key, values)
    return outcome


def _close_key(outcome: RegistryOutcome, key: str, values: int) -> None:
    if key and not values:
        outcome.skipped += 1
        outcome.empty_keys.append(key)


def _key(outcome: RegistryOutcome, line: str, number: int) -> tuple[str, int]:
    end = line.rfind("]")
    name = line[1:end] if end > 0 else ""
    if not name.strip("-"):
        outcome.faults.append(Fault(place=f"line {number}", message="a key without its closing bracket or its name"))
        return "", 1
    if name.startswith("-"):
        outcome.records.append(RegistryValue(key=name[1:], value_name=None, deleted=True))
        return name[1:], 1
    return name, 0


def _statement(lines: list[str], at: int) -> tuple[str, int]:
    """A value with the lines that it goes on over: hex data after a backslash, texts with line ends inside their quotes."""
    parts = [lines[at].strip()]
    at += 1
    if re.match(r'\s*(?:@|".*?")\s*=\s*hex', parts[0], re.IGNORECASE):
        while parts[-1].endswith("\\") and at < len(lines) and lines[at].strip():
            parts[-1] = parts[-1][:-1]
            parts.append(lines[at].strip())
            at += 1
        return "".join(parts), at
    while _open_quote(parts[-1], first=len(parts) == 1) and at < len(lines) and len(parts) < 1000:
        if lines[at].startswith("[HKEY_") or _STARTS.match(lines[at]):
            break
        parts.append(lines[at])
        at += 1
        if not _open_quote(parts[-1], first=False):
            break
    return "\n".join(parts), at


def _open_quote(line: str, *, first: bool) -> bool:
    """Whether a text value is still open at the end of a line."""
    quotes = len(re.findall(r'(?<!\\)(?:\\\\)*"', line))
    return quotes % 2 == 1 if first else quotes % 2 == 0


def _value(outcome: RegistryOutcome, key: str, statement: str, number: int, *, ansi: bool) -> None:
    match = _VALUE.fullmatch(statement)
    if not match or not key:
        why = "not a value" if not match else "a value outside of a key"
        outcome.faults.append(Fault(place=f"line {number}", message=f"{why}: {statement[:80]}"))
        return
    name = _unescaped(match.group(1)) if match.group(1) is not None else ""
    try:
        type_, data, deleted = _data(match.group(2).strip(), ansi=ansi)
    except ValueError as error:
        outcome.faults.append(Fault(place=f"line {number}", message=f"{name or '@'}: {error}"))
        return
    outcome.records.append(RegistryValue(key=key, value_name=name, type=type_, data=data, deleted=deleted))


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) if "\\" in text else text


_REMARK = re.compile(
    r'("(?:[^"\\]|\\.)*"|dword:\s*[0-9a-fA-F]{1,8}|hex(?:\([0-9a-fA-F]{1,8}\))?:[0-9a-fA-F,\s]*|-)\s*;.*', re.IGNORECASE | re.DOTALL
)
"""Data with a remark behind it, as people add it by hand."""


def _data(text: str, *, ansi: bool) -> tuple[str | None, str | int | list[str] | None, bool]:
    """Type, data, and whether it is a deletion. Raises ValueError with what is wrong."""
    if remark := _REMARK.fullmatch(text):
        text = remark[1].strip()
    if text == "-":
        return None, None, True
    if text.startswith('"'):
        if len(text) < 2 or not text.endswith('"') or _open_quote(text, first=True):
            raise ValueError("a text whose quotes do not close")
        return "REG_SZ", _unescaped(text[1:-1]), False
    number = re.fullmatch(r"dword:\s*([0-9a-fA-F]{1,8})", text, re.IGNORECASE)
    if number:
        return "REG_DWORD", int(number.group(1), 16), False
    match = _HEX.fullmatch(text)
    if not match:
        raise ValueError(f"data that is neither text, dword nor hex: {text[:40]}")
    kind = int(match.group(1), 16) if match.group(1) else 3
    if match.group(2).rstrip().endswith((",", "\\")):
        raise ValueError("hex data that ends in the middle: cut short")
    try:
        raw = bytes.fromhex(match.group(2).replace(",", " "))
    except ValueError:
        raise ValueError("hex data with something else in it, or cut short") from None
    return TYPES.get(kind, f"REG_0x{kind:x}"), decode_data(kind, raw, ansi=ansi), False


def decode_data(kind: int, raw: bytes, *, ansi: bool = False) -> str | int | list[str]:
    """The data of a value's bytes: texts without their closing NUL, numbers little-endian, all else in lower-case hex."""
    if kind in (1, 2, 6):
        return _wide(raw, ansi=ansi).partition("\0")[0]
    if kind == 7:
        text = _wide(raw, ansi=ansi)
        return [item for item in text.split("\0") if item]
    if kind in (4, 5, 11) and len(raw) in (4, 8):
        return int.from_bytes(raw, "big" if kind == 5 else "little")
    return raw.hex()


def _wide(raw: bytes, *, ansi: bool) -> str:
    return raw.decode("cp1252", errors="replace") if ansi else raw.decode("utf-16-le", errors="replace")
