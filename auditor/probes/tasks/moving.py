"""Takes out of a task what each run changes (next and last run, result, state), so that a task that only runs is the same twice. Pure.

Columns of a listing are told by their place and shape, never by their names: they are translated. What can't be told stays where it is.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import re
import struct
from collections.abc import Sequence
from typing import NamedTuple

_NEXT, _STATUS, _LAST, _RESULT = 2, 3, 5, 6
_COLUMNS = 28
"""Of the verbose listing, on 2003 as on later Windows."""
_NUMBER = re.compile(r"-?\d{1,10}")
_FIXED = struct.Struct("<HH16sHHHHHHIIIII8HH")
"""Fixed part of a .job file ([MS-TSCH] 2.4.1) and the count of running instances that follows it."""
_EXIT, _STATE, _RUN = 11, 12, 14
_READY = 0x41300


class Moved(NamedTuple):
    """A record's piece without what moves, and the fields of its reading."""

    kept: str
    reading: dict[str, str | int]


def settle_listing(text: str) -> Moved:
    """A task's lines of `schtasks /query /fo csv /v`, moving columns emptied. A next run that is a word (disabled, never) stays."""
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error:
        return Moved(text, {})
    data = rows[1:]
    if not data or any(len(row) != _COLUMNS for row in rows) or not all(_NUMBER.fullmatch(row[_RESULT]) for row in data):
        return Moved(text, {})
    first = data[0]
    reading: dict[str, str | int] = {
        name: first[place].strip() for name, place in (("next_run", _NEXT), ("last_run", _LAST), ("state", _STATUS)) if first[place].strip()
    }
    return Moved(_printed([rows[0], *map(_emptied, data)]), {**reading, "last_result": int(first[_RESULT])})


def _emptied(row: list[str]) -> list[str]:
    moving = {_STATUS, _LAST, _RESULT} | ({_NEXT} if re.search(r"\d", row[_NEXT]) else set())
    return ["" if place in moving else value for place, value in enumerate(row)]


def _printed(rows: Sequence[Sequence[str]]) -> str:
    target = io.StringIO()
    csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return target.getvalue().removesuffix("\n")


def settle_job(data: str) -> Moved:
    """A .job file in base64: exit code, last run and running instances become zero, its status ready."""
    try:
        raw = base64.b64decode(data, validate=True)
        fixed = list(_FIXED.unpack_from(raw))
    except (binascii.Error, ValueError, struct.error):
        return Moved(data, {})
    year, month, _, day, hour, minute, second, _ = fixed[_RUN : _RUN + 8]
    reading: dict[str, str | int] = {}
    if year:
        reading = {"last_run": f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}", "last_result": fixed[_EXIT]}
    fixed[_EXIT], fixed[_STATE] = 0, _READY
    fixed[_RUN:] = [0] * 9
    return Moved(base64.b64encode(_FIXED.pack(*fixed) + raw[_FIXED.size :]).decode("ascii"), reading)
