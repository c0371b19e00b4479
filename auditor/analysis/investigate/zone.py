"""A host's local time and UTC, by the zone rules that the host itself stated. Pure.

A local time is converted with the rules of its own date; the hour that comes twice is taken as standard time, as Windows does. Where
the host stated no rules, its offset at collection is used, and the caller says so.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from auditor.analysis.host.facts import HostFacts
from auditor.model.host import SystemRecord

_RULE_BYTES = 16
FIRST_YEAR, LAST_YEAR = 1980, 2200
MOST_MINUTES = 16 * 60
"""No zone is further from UTC."""


def parse_utc(text: str | None) -> datetime | None:
    """An ISO 8601 time with its zone as aware UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None and is_sane(found) else None


def is_sane(moment: datetime) -> bool:
    """Whether a time can be one of Windows': outside these years arithmetic with it means nothing, and may fail."""
    return FIRST_YEAR <= moment.year <= LAST_YEAR


def has_rules(host: HostFacts) -> bool:
    """Whether the host stated its zone, and one that can be."""
    return _rules(host) is not None


def _rules(host: HostFacts) -> tuple[SystemRecord, int, int] | None:
    """The system record, its bias and what daylight time adds, in minutes."""
    system = host.system
    if system is None or system.bias_minutes is None:
        return None
    bias, extra = system.bias_minutes, system.daylight_bias_minutes or 0
    return (system, bias, extra) if max(abs(bias), abs(extra)) <= MOST_MINUTES else None


def _offset(host: HostFacts) -> int | None:
    offset = host.snapshot.clock.utc_offset_minutes
    return offset if offset is not None and abs(offset) <= MOST_MINUTES else None


def to_local(host: HostFacts, moment: datetime) -> datetime | None:
    """The host's local time, without offset, at an aware moment; None where neither rules nor an offset are known."""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    rules = _rules(host)
    if rules is not None:
        system, bias, extra = rules
        standard = plain - timedelta(minutes=bias)
        return standard - timedelta(minutes=extra) if _is_summer(system, standard) else standard
    offset = _offset(host)
    return None if offset is None else plain + timedelta(minutes=offset)


def to_utc(host: HostFacts, local: datetime) -> datetime | None:
    """Aware UTC from the host's local time; None where neither rules nor an offset are known."""
    rules = _rules(host)
    if rules is not None:
        system, bias, extra = rules
        summer = _is_summer(system, local)
        return (local + timedelta(minutes=bias + (extra if summer else 0))).replace(tzinfo=UTC)
    offset = _offset(host)
    return None if offset is None else (local - timedelta(minutes=offset)).replace(tzinfo=UTC)


def _is_summer(system: SystemRecord, local: datetime) -> bool:
    """Whether daylight time holds at a local time; both clocks agree outside the hour that comes twice."""
    if not system.daylight_bias_minutes:
        return False
    standard, daylight = _change(system.standard_start, local.year), _change(system.daylight_start, local.year)
    if standard is None or daylight is None:
        return False
    # Each change is told by the clock that goes before it: the end of summer by the summer clock. By the standard clock that is an hour
    # earlier; on the wall the hour from there on comes twice and counts as standard time.
    saved = timedelta(minutes=system.daylight_bias_minutes)
    end = standard + saved
    return daylight <= local < end if daylight < end else not end <= local < daylight


def _change(rule: str | None, year: int) -> datetime | None:
    """When a recurring rule (TIME_FIELDS as 32 hex digits: the weekday comes last) falls in `year`; None where there is none."""
    try:
        data = bytes.fromhex(rule or "")
    except ValueError:
        return None
    if len(data) != _RULE_BYTES:
        return None
    _, month, week, hour, minute, _, _, weekday = struct.unpack("<8H", data)
    if not (1 <= month <= 12 and 1 <= week <= 5 and weekday <= 6 and hour <= 23 and minute <= 59):
        return None
    first = datetime(year, month, 1, hour, minute)
    day = first + timedelta(days=(weekday - (first.weekday() + 1)) % 7 + 7 * (week - 1))
    while day.month != month:
        day -= timedelta(days=7)
    return day
