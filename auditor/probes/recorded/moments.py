"""Dates and times as Windows prints them in any regional format, read only where they can be read in one way.

Order of day and month: a year in front decides it, points and hyphens mean day first (no Windows locale writes month first with
them), and with slashes the other dates of the same text decide: one day above 12 is enough. Otherwise the date stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from auditor.probes.recorded.words import half_of_day

_DATE = re.compile(r"(?<!\d)(\d{1,4})([./-])\s?(\d{1,2})\2\s?(\d{1,4})(?!\d)")
_TIME = re.compile(r"(?<![\d./-])(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?![\d./-])[\s\u00a0\u202f]*([^\W\d_][^\s\d,]{0,5}(?:\s?[mM]\.)?)?")
_NEUTRAL = frozenset({"uhr", "h", "ч", "val", "and", "for", "every"})
_LEADING_HALF = re.compile(r"(上午|下午|午前|午後|오전|오후)\s*$")


class Calendar:
    """The order of day and month in one text."""

    def __init__(self, texts: Iterable[str] = ()) -> None:
        self._day_first: bool | None = None
        votes = {True: 0, False: 0}
        for text in texts:
            for match in _DATE.finditer(text[:200]):
                first, separator, second, third = match.groups()
                if separator == "/" and len(third) == 4:
                    votes[True] += int(first) > 12
                    votes[False] += int(second) > 12
        if bool(votes[True]) != bool(votes[False]):
            self._day_first = bool(votes[True])

    def date(self, text: str) -> str | None:
        """`YYYY-MM-DD`, or None where there is no date or it could be two."""
        match = _DATE.search(text[:200])
        if not match:
            return None
        first, separator, second, third = match.groups()
        if len(first) == 4:
            return _valid(int(first), int(second), int(third))
        if len(third) != 4:
            return None
        day_first = True if separator != "/" or first == second else self._day_first
        if day_first is None:
            return None
        day, month = (first, second) if day_first else (second, first)
        return _valid(int(third), int(month), int(day))

    def moment(self, text: str) -> str | None:
        """`YYYY-MM-DDTHH:MM:SS`, or None where either part is not sure."""
        date = self.date(text)
        clock = time_of_day(_DATE.sub(" ", text[:200], count=1)) if date else None
        return f"{date}T{clock}" if clock else None


def has_date(text: str) -> bool:
    """Whether a text holds a date of any form."""
    return bool(_DATE.search(text[:200]))


def time_of_day(text: str) -> str | None:
    """`HH:MM:SS` of a printed time, or None where a half-of-day marker is not known."""
    match = _TIME.search(text[:100])
    if not match:
        return None
    hour, minute, second, marker = int(match[1]), int(match[2]), int(match[3] or 0), match[4]
    before = _LEADING_HALF.search(text[: match.start()])
    marker = before.group(1) if before else marker if marker and marker.casefold() not in _NEUTRAL else None
    half = half_of_day(marker) if marker else -1
    if half is None and hour <= 12:
        return None
    if half in (0, 12) and hour <= 12:
        hour = hour % 12 + half
    return f"{hour:02d}:{minute:02d}:{second:02d}" if hour < 24 and minute < 60 and second < 60 else None


def json_moment(value: object) -> object:
    """ISO 8601 of the form that older PowerShell gives a date in JSON (`/Date(milliseconds)/`, UTC); all else as it is."""
    match = re.fullmatch(r"/Date\((-?\d{1,14})\)/", value) if isinstance(value, str) else None
    if not match:
        return value
    try:
        return datetime.fromtimestamp(int(match[1]) / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, OSError, ValueError):
        return value


def _valid(year: int, month: int, day: int) -> str | None:
    return f"{year:04d}-{month:02d}-{day:02d}" if 1 <= month <= 12 and 1 <= day <= 31 else None
