"""Crashes and unexpected restarts as a host's event log tells them: which records belong to one restart, and which stop code they name.

Sources of the forms: Save Dump and BugCheck 1001 (`0x0000008e (0xc0000005, ...)`), System Error 1003 (hex digits with the marker bit of
dump writers), Kernel-Power 41 (decimal; 0 where there was none), EventLog 6008 (no code). All are written at the next start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from auditor.analysis.host.matching import seconds
from auditor.model.crash import base_code, hex_text
from auditor.model.host import EventReading

ONE_RESTART_SECONDS = 900
"""Records of one start are written within so many seconds."""
_HEX = re.compile(r"\s*0x([0-9a-fA-F]{1,16})\b")
_DUMP_SOURCES = ("bugcheck", "save dump", "microsoft-windows-wer-systemerrorreporting")
REPORTING = "Windows Error Reporting"
"""Provider of the Application log that notes the bucket of a crash."""


class Restart(msgspec.Struct, frozen=True, kw_only=True):
    """One unexpected restart."""

    at: str
    """Time of its first record, by the host's clock."""
    codes: tuple[str, ...]
    """Stop codes that its records name, as `0x8e`; empty where none does."""


def moment(text: str | None) -> float | None:
    """Seconds since 1970 of a time that a host gave; None where it is none."""
    try:
        return seconds(text) if text else None
    except ValueError:
        return None


def restarts(events: Iterable[EventReading]) -> tuple[Restart, ...]:
    """The unexpected restarts that these records tell of, by time."""
    told = [(time, event) for event in events if _tells(event) and (time := moment(event.time)) is not None]
    groups: list[list[tuple[float, EventReading]]] = []
    for time, event in sorted(told, key=lambda pair: pair[0]):
        if groups and time - groups[-1][0][0] <= ONE_RESTART_SECONDS:
            groups[-1].append((time, event))
        else:
            groups.append([(time, event)])
    return tuple(_restart([event for _, event in group]) for group in groups)


def _restart(records: list[EventReading]) -> Restart:
    codes = dict.fromkeys(code for event in records if (code := stop_code(event)) is not None)
    return Restart(at=records[0].time, codes=tuple(codes))


def _tells(event: EventReading) -> bool:
    source = event.source.casefold()
    if (source, event.id) in {("eventlog", 6008), ("microsoft-windows-kernel-power", 41), ("system error", 1003)}:
        return True
    return source in _DUMP_SOURCES and event.id == 1001


def reported_buckets(events: Iterable[EventReading]) -> tuple[tuple[str, str], ...]:
    """Time and failure bucket of each kernel crash that Windows Error Reporting noted.

    Its event 1001 holds bucket, type, then the event's name, which is not translated.
    """
    reports = (e for e in events if e.source.casefold() == REPORTING.casefold() and e.id == 1001)
    return tuple((e.time, e.strings[0]) for e in reports if len(e.strings) > 2 and e.strings[2] == "BlueScreen")


def stop_code(event: EventReading) -> str | None:
    """The stop code that a record names, or None."""
    source, text = event.source.casefold(), event.strings[0] if event.strings else ""
    if event.id == 1001 and source in _DUMP_SOURCES:
        match = _HEX.match(text)
        return hex_text(base_code(int(match.group(1), 16))) if match else None
    if (source, event.id) == ("system error", 1003) and re.fullmatch(r"[0-9a-fA-F]{1,16}", text):
        return hex_text(base_code(int(text, 16)))
    if (source, event.id) == ("microsoft-windows-kernel-power", 41) and re.fullmatch(r"[0-9]{1,10}", text) and int(text):
        return hex_text(base_code(int(text)))
    return None


def seconds_down(events: Iterable[EventReading], start: float, end: float) -> float:
    """For how long, between two moments, a host was shut down in order: from the log's end (6006, 13) to its next start (6005, 12)."""
    marks: list[tuple[float, bool]] = []
    for event in events:
        time, place = moment(event.time), (event.source.casefold(), event.id)
        if time is not None and place in _MARKS:
            marks.append((time, _MARKS[place]))
    down, stopped = 0.0, None
    for time, is_start in sorted(marks):
        if is_start and stopped is not None:
            down += max(0.0, min(time, end) - max(stopped, start))
            stopped = None
        elif not is_start and stopped is None:
            stopped = time
    return down


_MARKS = {
    ("eventlog", 6005): True,
    ("microsoft-windows-kernel-general", 12): True,
    ("eventlog", 6006): False,
    ("microsoft-windows-kernel-general", 13): False,
}
