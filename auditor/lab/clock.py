"""Time on a lab host: its zone rules, the notation of times in fleet files, and how Windows prints them. Pure: now is passed in.

Notation of a time: `2005-11-08T11:03:12Z` (UTC), `2005-11-08 19:03:12` or `2005-11-08` (the host's local time), `-1d 19:03:12` (that local
time of the day so many days before now), `-90m`, `-3h`, `-2d`, `-30s` (so long before now). In texts, `{{-1d 19:03:12|time}}` is
replaced by that local time as the host prints it; after the bar stands `date`, `time`, or a picture of %Y %y %m %d %H %M %S.
"""

from __future__ import annotations

import re
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

_BACK = re.compile(r"-(\d{1,5})([dhms])")
_DAYS_BACK = re.compile(r"-(\d{1,5})d (\d{1,2}):(\d{2})(?::(\d{2}))?")
_ABSOLUTE = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{2}):(\d{2})(?::(\d{2}))?(Z)?)?")
_TEMPLATE = re.compile(r"\{\{([^{}|]{1,40})\|([^{}|]{1,40})\}\}")
_PICTURE = re.compile(r"(?:%[YymdHMS]|[^%])+")
_WINDOWS_PICTURE = re.compile(r"yyyy|yy|MM|M|dd|d|HH|H|hh|h|mm|ss|tt|.", re.DOTALL)
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


class Zone(msgspec.Struct, frozen=True, kw_only=True):
    """A time zone as the registry keeps it. Minutes; UTC = local time + bias. The starts are TIME_FIELDS, eight words."""

    bias: int = 0
    daylight_bias: int = 0
    standard_start: bytes = b""
    daylight_start: bytes = b""

    def bias_at(self, local: datetime) -> int:
        """Minutes to add to this local time to get UTC. The hour that comes twice is taken as standard time, as Windows does."""
        changes = self._changes(local.year)
        if changes is None:
            return self.bias
        standard, daylight = changes
        summer = _between(daylight, standard + timedelta(minutes=self.daylight_bias), local)
        return self.bias + (self.daylight_bias if summer else 0)

    def _changes(self, year: int) -> tuple[datetime, datetime] | None:
        """Local times at which standard and daylight time start, each told by the clock that goes before it."""
        standard, daylight = _change(self.standard_start, year), _change(self.daylight_start, year)
        return None if standard is None or daylight is None else (standard, daylight)

    def to_utc(self, local: datetime) -> datetime:
        """An aware UTC time from the host's local time."""
        return (local + timedelta(minutes=self.bias_at(local))).replace(tzinfo=UTC)

    def to_local(self, moment: datetime) -> datetime:
        """The host's local time (naive) at an aware moment."""
        standard_time = moment.astimezone(UTC).replace(tzinfo=None) - timedelta(minutes=self.bias)
        changes = self._changes(standard_time.year)
        if changes is None:
            return standard_time
        standard, daylight = changes
        saved = timedelta(minutes=self.daylight_bias)
        return standard_time - saved if _between(daylight, standard + saved, standard_time) else standard_time


def _between(start: datetime, end: datetime, moment: datetime) -> bool:
    """Whether a moment of the year lies from start to end; in the south that is round the turn of the year."""
    return start <= moment < end if start < end else not end <= moment < start


def _change(rule: bytes, year: int) -> datetime | None:
    """When a recurring rule falls in `year`; None where there is none. TIME_FIELDS: year, month, week, hour, minute, ..., weekday."""
    if len(rule) != 16:
        return None
    _, month, week, hour, minute, _, _, weekday = struct.unpack("<8H", rule)
    if not 1 <= month <= 12 or not 1 <= week <= 5:
        return None
    first = datetime(year, month, 1, hour, minute)
    day = first + timedelta(days=(weekday - (first.weekday() + 1)) % 7 + 7 * (week - 1))
    while day.month != month:
        day -= timedelta(days=7)
    return day


def resolve(text: str, now: datetime, zone: Zone) -> datetime:
    """The aware UTC time that the notation means, whole seconds. Raises ValueError with what was expected."""
    now = now.replace(microsecond=0)
    if match := _BACK.fullmatch(text):
        return now - timedelta(**{_UNITS[match.group(2)]: int(match.group(1))})
    if match := _DAYS_BACK.fullmatch(text):
        day = zone.to_local(now) - timedelta(days=int(match.group(1)))
        return zone.to_utc(day.replace(hour=int(match.group(2)), minute=int(match.group(3)), second=int(match.group(4) or 0)))
    if match := _ABSOLUTE.fullmatch(text):
        parts = [int(part or 0) for part in match.groups()[:6]]
        local = datetime(*parts)  # type: ignore[arg-type]
        return local.replace(tzinfo=UTC) if match.group(7) else zone.to_utc(local)
    raise ValueError(f"expected a time such as -1d 19:03, -90m, 2005-11-08 19:03 or 2005-11-08T11:03:00Z, got {text!r}")


def picture(local: datetime, pattern: str) -> str:
    """A local time in one of Windows' own pictures, for example `yyyy-M-d` or `h:mm:ss tt`."""
    values: dict[str, Any] = {
        "yyyy": f"{local.year:04}", "yy": f"{local.year % 100:02}", "MM": f"{local.month:02}", "M": local.month, "dd": f"{local.day:02}",
        "d": local.day, "HH": f"{local.hour:02}", "H": local.hour, "hh": f"{local.hour % 12 or 12:02}", "h": local.hour % 12 or 12,
        "mm": f"{local.minute:02}", "ss": f"{local.second:02}", "tt": "AM" if local.hour < 12 else "PM",
    }  # fmt: skip
    return "".join(str(values.get(token, token)) for token in _WINDOWS_PICTURE.findall(pattern))


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """All that a host needs to read times in its facts: the moment the lab counts from, the zone, the pictures it prints with."""

    now: datetime
    zone: Zone
    date_picture: str = "M/d/yyyy"
    time_picture: str = "h:mm:ss tt"

    def moment(self, text: str) -> datetime:
        """See `resolve`."""
        return resolve(text, self.now, self.zone)

    def expand(self, text: str) -> str:
        """A text with its `{{time|picture}}` pieces replaced. Raises ValueError."""
        return _TEMPLATE.sub(lambda match: self._piece(match.group(1).strip(), match.group(2).strip()), text)

    def _piece(self, when: str, how: str) -> str:
        local = self.zone.to_local(self.moment(when))
        if how in ("date", "time"):
            return picture(local, self.date_picture if how == "date" else self.time_picture)
        if "%" not in how or not _PICTURE.fullmatch(how):
            raise ValueError(f"expected date, time or a picture of %Y %y %m %d %H %M %S, got {how!r}")
        return local.strftime(how)
