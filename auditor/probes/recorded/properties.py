"""`Name : value` of PowerShell's Format-List and `Name=value` of wmic: blocks of properties, whose names are never translated."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from auditor.probes.recorded.layout import lines_of

_COLON = re.compile(r"([A-Za-z_]\w{0,80})\s*:(?:\s(.*))?|([A-Za-z_]\w{2,80}):((?!//|\\).+)")
_EQUAL = re.compile(r"([A-Za-z_]\w{0,80})=(.*)")
_NAME_ONLY = re.compile(r"[A-Za-z_]\w{2,80}\s*")


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a listing."""

    line: int
    """Line of its first property, from 1."""
    values: dict[str, str]
    cut: tuple[int, str] | None = None
    """Line and text of a last line that has a name but no value's mark: the listing was cut there."""


def read_blocks(text: str) -> Iterator[Block]:
    """The objects of a listing: a blank line, or a name that comes again, starts another one. Wrapped values are joined."""
    values: dict[str, str] = {}
    start, last = 0, ""
    lines = lines_of(text)
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip()
        match = _EQUAL.fullmatch(line) or _COLON.fullmatch(line)
        if match and not raw.startswith((" ", "\t")):
            tight = match.re is _COLON and match.group(1) is None
            name, value = match.group(3, 4) if tight else match.group(1, 2)
            if name in values:
                yield Block(line=start, values=values)
                values = {}
            start = start if values else number
            values[name] = (value or "").strip()
            last = name
        elif not line.strip():
            if values:
                yield Block(line=start, values=values)
                values = {}
        elif values and raw.startswith(" ") and len(values[last]) < 100_000:
            values[last] += line.strip()
        elif values and number >= len(lines) - 1 and _NAME_ONLY.fullmatch(line):
            yield Block(line=start, values=values, cut=(number, line.strip()))
            values = {}
    if values:
        yield Block(line=start, values=values)


def typed(text: str) -> str | int | bool | None:
    """A printed value: True and False, whole numbers, nothing for an empty one; all else stays text."""
    word = text.strip()
    if word in ("True", "TRUE", "true"):
        return True
    if word in ("False", "FALSE", "false"):
        return False
    if not word:
        return None
    return int(word) if re.fullmatch(r"-?(?:0|[1-9]\d{0,18})", word) else word
