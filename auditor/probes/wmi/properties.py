"""Properties of WMI instances as the values of rows: texts, numbers, truth values, times. Pure; nothing here raises."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from auditor.model.times import stamp
from auditor.probes.wmi.questions import Instance

_DMTF = re.compile(r"(\d{14})\.\d{1,6}([+-])(\d{3})")
_LONGEST_NUMBER = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text_of(instance: Instance, name: str) -> str | None:
    """A text as the host gave it; null where it is empty or no text."""
    value = instance.get(name)
    return value if isinstance(value, str) and value else None


def trimmed(instance: Instance, name: str) -> str | None:
    """A text without blanks at its ends; null where nothing is left."""
    text = text_of(instance, name)
    return (text.strip() or None) if text else None


def since_epoch(seconds: int | None) -> str | None:
    """Seconds since 1970 as a time of rows; null where they are none that a 32-bit counter holds."""
    return stamp(_EPOCH + timedelta(seconds=seconds)) if seconds is not None and 0 <= seconds < 1 << 33 else None


def number_of(instance: Instance, name: str) -> int | None:
    """An integer; null where there is none."""
    return whole_number(text_of(instance, name))


def whole_number(text: str | None) -> int | None:
    """The integer that a text is, null where it is none."""
    plain = (text or "").strip()
    digits = plain.removeprefix("-")
    return int(plain) if digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER else None


def truth_of(instance: Instance, name: str) -> bool | None:
    """A truth value; null where there is none."""
    return {"true": True, "1": True, "false": False, "0": False}.get((text_of(instance, name) or "").lower())


def texts_of(instance: Instance, name: str) -> list[str]:
    """The items of an array; a single text is an array of one."""
    value = instance.get(name)
    return [value] if isinstance(value, str) and value else list(value) if isinstance(value, list) else []


def time_of(instance: Instance, name: str) -> str | None:
    """A time in UTC as rows carry it, cut to the second; null where there is none or it can't be told."""
    moment = moment_of(instance, name)
    return stamp(moment) if moment else None


def moment_of(instance: Instance, name: str) -> datetime | None:
    """An aware time. WS-Management gives ISO 8601 with an offset; a text in WMI's own form is taken too."""
    text = (text_of(instance, name) or "").strip()
    try:
        if match := _DMTF.fullmatch(text):
            minutes = int(match.group(3)) * (1 if match.group(2) == "+" else -1)
            local = datetime.strptime(match.group(1), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
            return _sane(local - timedelta(minutes=minutes))
        moment = datetime.fromisoformat(text)
        return _sane(moment.astimezone(UTC)) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _sane(moment: datetime) -> datetime | None:
    """A time that Windows can mean; others are no times, and could not be reckoned with."""
    return moment if 1601 <= moment.year <= 9000 else None


def query_time(moment: datetime) -> str:
    """An aware time as WQL compares times with, in UTC."""
    return moment.astimezone(UTC).strftime("%Y%m%d%H%M%S.000000+000")
