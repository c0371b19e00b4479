"""A host's local time and UTC, by the zone rules that the host itself stated. Pure.

A local time is converted with the rules of its own date; the hour that comes twice is taken as standard time, as Windows does. Where
the host stated no rules, its offset at collection is used, and the caller says so.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta

from auditor.analysis.facts import HostFacts
from auditor.model.host import SystemRecord

_RULE_BYTES = 16


def parse_utc(text: str | None) -> datetime | None:
    """An ISO 8601 time with its zone as aware UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.astimezone(UTC) if found is not None and found.tzinfo is not None else None


def stamp(moment: datetime) -> str:
    """An aware time as documents carry it, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def has_rules(host: HostFacts) -> bool:
    """Whether the host stated its zone."""
    return host.system is not None and host.system.bias_minutes is not None


def to_local(host: HostFacts, moment: datetime) -> datetime | None:
    """The host's local time, without offset, at an aware moment; None where neither rules nor an offset are known."""
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    if host.system is not None and host.system.bias_minutes is not None:
        standard = plain - timedelta(minutes=host.system.bias_minutes)
        saved = timedelta(minutes=host.system.daylight_bias_minutes or 0)
        return standard - saved if _is_summer(host.system, standard) else standard
    offset = host.snapshot.clock.utc_offset_minutes
    return None if offset is None else plain + timedelta(minutes=offset)


def to_utc(host: HostFacts, local: datetime) -> datetime | None:
    """Aware UTC from the host's local time; None where neither rules nor an offset are known."""
    if host.system is not None and host.system.bias_minutes is not None:
        bias = host.system.bias_minutes
        if _is_summer(host.system, local):
            bias += host.system.daylight_bias_minutes or 0
        return (local + timedelta(minutes=bias)).replace(tzinfo=UTC)
    offset = host.snapshot.clock.utc_offset_minutes
    return None if offset is None else (local - timedelta(minutes=offset)).replace(tzinfo=UTC)


def _is_summer(system: SystemRecord, local: datetime) -> bool:
    if not system.daylight_bias_minutes:
        return False
    standard, daylight = _change(system.standard_start, local.year), _change(system.daylight_start, local.year)
    if standard is None or daylight is None:
        return False
    # Windows tells the end of summer by the summer clock; the hour that comes twice counts as standard time.
    end = standard + timedelta(minutes=system.daylight_bias_minutes)
    return daylight <= local < end if daylight < end else not end <= local < daylight


def _change(rule: str | None, year: int) -> datetime | None:
    """When a recurring SYSTEMTIME rule (32 hex digits) falls in `year`; None where there is none."""
    try:
        data = bytes.fromhex(rule or "")
    except ValueError:
        return None
    if len(data) != _RULE_BYTES:
        return None
    _, month, weekday, week, hour, minute, _, _ = struct.unpack("<8H", data)
    if not (1 <= month <= 12 and 1 <= week <= 5 and weekday <= 6 and hour <= 23 and minute <= 59):
        return None
    first = datetime(year, month, 1, hour, minute)
    day = first + timedelta(days=(weekday - (first.weekday() + 1)) % 7 + 7 * (week - 1))
    while day.month != month:
        day -= timedelta(days=7)
    return day
