"""A probe's answer as the sections of a snapshot: statuses, log coverage and the host's clock. Pure; never raises for what a host sent.

Rules of this file:
1. Every asked section comes out, with a status that is never better than what was shown: what did not arrive is failed or timed out,
   what an ordinary account sees shortened is partial, what has gaps is partial.
2. Sections that were not asked stay `not_asked`, whatever the host sends.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from auditor.model.host import SECTION_NAMES, Clock, EventReading, LogCoverage, MemoryRecord, Section, Sections, Status
from auditor.probes.bundle import ProbeRequest
from auditor.probes.framing import Answer, SectionAnswer
from auditor.probes.rows import parse_time, read_rows, short

NEEDS_ELEVATION: dict[str, str] = {
    "memory": "the dirty bit of volumes is shown to administrators only",
    "services": "services whose rights exclude ordinary users are left out of the listing",
    "drivers": "drivers whose rights exclude ordinary users are left out of the listing",
    "filters": "keys of filters can be closed to ordinary users",
    "security": "keys and files of security products can be closed to ordinary users",
    "tasks": "tasks of other accounts are hidden from ordinary users",
    "scripts": "the tasks of other accounts, and what they call, are hidden from ordinary users",
    "dumps": "dump files are closed to ordinary users",
}
"""Sections that Windows shortens without an error for accounts outside the Administrators group, and why."""

NOT_SHOWN = "the account was not shown to be an administrator"
"""How the reason of such a section begins, or goes on."""

_CHECK_SOURCES = {"chkdsk", "microsoft-windows-chkdsk", "wininit", "microsoft-windows-wininit", "winlogon"}
_CHECK_IDS = {1001, 26212, 26214, 26226}
_CHECK_TEXT = 2000
_MOST_LOGS = 50
_MOST_MINUTES = 15 * 60
_AHEAD = timedelta(days=1)


class Decoded(NamedTuple):
    """What an answer says."""

    sections: Sections
    log_coverage: tuple[LogCoverage, ...]
    clock: Clock


def decode_answer(answer: Answer, request: ProbeRequest, *, now: datetime | None = None, timed_out: bool = False) -> Decoded:
    """Sections, log coverage and clock of a host.

    `now` is the collector's aware UTC time when the answer began to arrive (without it the skew is not known); `timed_out` says that the
    collector stopped waiting, so that what is missing was late.
    """
    clock = _clock(answer, now)
    latest = _latest(answer, now)
    sections: dict[str, Section[Any, Any]] = {}
    coverage: list[LogCoverage] = []
    for name in SECTION_NAMES:
        if name not in request.sections:
            continue
        arrived = answer.sections.get(name)
        if arrived is None:
            sections[name] = _absent(name, answer, timed_out)
            continue
        sections[name] = _section(name, arrived, answer, latest)
        coverage += [_coverage(item) for item in arrived.coverage[:_MOST_LOGS]]
    if "memory" in sections and "events" in sections:
        sections["memory"] = _with_checks(sections["memory"], sections["events"].readings)
    return Decoded(Sections(**sections), tuple(coverage), clock)


def _absent(name: str, answer: Answer, timed_out: bool) -> Section[Any, Any]:
    """A section that did not arrive, with the reason."""
    if answer.refused is not None:
        return Section(status="unsupported", reason=f"this host runs PowerShell in {short(answer.refused, 40)} mode")
    if name in answer.broken:
        return Section(status="failed", reason=f"the section's answer is damaged: {short(answer.broken[name])}")
    if timed_out:
        return Section(status="timed_out", reason="the host did not answer within its deadline")
    if answer.complete:
        return Section(status="failed", reason="the host ended its answer without this section")
    if answer.hello is None:
        return Section(status="failed", reason="the host sent no answer of the probe")
    return Section(status="failed", reason="the host's answer ended before this section")


def _section(name: str, arrived: SectionAnswer, answer: Answer, latest: datetime | None) -> Section[Any, Any]:
    read = read_rows(name, arrived.rows, arrived.gaps, latest)
    status, reason = _status(name, arrived, answer, len(read.gaps))
    seconds = arrived.seconds if math.isfinite(arrived.seconds) and 0 <= arrived.seconds < 1e6 else None
    return Section(status=status, reason=reason, seconds=seconds, records=read.records, readings=read.readings, gaps=read.gaps)


def _status(name: str, arrived: SectionAnswer, answer: Answer, gaps: int) -> tuple[Status, str]:
    reason = short(arrived.reason)
    if arrived.status == "not_asked":
        return "failed", "the host says that it was not asked for this section"
    if arrived.status not in ("ok", "partial"):
        return arrived.status, reason or f"the host says {arrived.status} and no more"
    limits: list[str] = []
    if gaps:
        limits.append(reason or f"{gaps} not read, see gaps")
    elif arrived.status == "partial":
        limits.append(reason or "the host says partial and no more")
    if name in NEEDS_ELEVATION and (answer.hello is None or answer.hello.elevated is not True):
        limits.append(f"{NOT_SHOWN}: {NEEDS_ELEVATION[name]}")
    return ("partial", "; ".join(limits)) if limits else ("ok", "")


def _coverage(item: LogCoverage) -> LogCoverage:
    """Log coverage with its texts cut; times that are none are not known."""
    oldest, asked = (text if parse_time(text) else None for text in (item.oldest, item.asked_from))
    return LogCoverage(log=short(item.log, 100), oldest=oldest, asked_from=asked)


def _clock(answer: Answer, now: datetime | None) -> Clock:
    row = _system_row(answer)
    offset = row.get("utc_offset_minutes")
    known = isinstance(offset, int) and not isinstance(offset, bool) and abs(offset) <= _MOST_MINUTES
    host = _host_time(answer)
    skew = None if host is None or now is None else round((host - now).total_seconds(), 3)
    return Clock(utc_offset_minutes=offset if known else None, skew_seconds=skew)


def _system_row(answer: Answer) -> dict[str, Any]:
    system = answer.sections.get("system")
    return system.rows[0] if system and system.rows else {}


def _host_time(answer: Answer) -> datetime | None:
    """The host's UTC: from HELLO, which comes first; else from the system section."""
    stated = parse_time(answer.hello.utc_time) if answer.hello else None
    return stated or parse_time(_system_row(answer).get("utc_time"))


def _latest(answer: Answer, now: datetime | None) -> datetime | None:
    """The latest time that evidence may carry: a day after the later of both clocks."""
    times = [time for time in (_host_time(answer), now) if time is not None]
    try:
        return max(times) + _AHEAD if times else None
    except OverflowError:
        return None


def _with_checks(memory: Section[Any, Any], events: tuple[EventReading, ...]) -> Section[Any, Any]:
    """Volumes with the text of the newest disk check that names them."""
    checks = [event for event in events if event.source.casefold() in _CHECK_SOURCES and event.id in _CHECK_IDS]
    checks.sort(key=lambda event: event.time, reverse=True)
    records = tuple(_with_check(record, checks) for record in memory.records)
    return msgspec.structs.replace(memory, records=records)


def _with_check(record: MemoryRecord, checks: list[EventReading]) -> MemoryRecord:
    if record.kind != "volume" or record.last_chkdsk is not None:
        return record
    for event in checks:
        text = "\n".join(part for part in event.strings if part)
        if record.name.casefold() in text.casefold():
            return msgspec.structs.replace(record, last_chkdsk=text[:_CHECK_TEXT])
    return record
