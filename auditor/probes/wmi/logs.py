"""Event logs through Win32_NTLogEvent: which records are asked for, and how they become rows of `events`. Pure.

Rules of this file:
1. A query names its log and its time window: the provider walks a log from the newest record back, and stops at the window's start.
2. Levels come from EventType, which knows no `critical`: such records are errors on this way.
3. Security is shown to accounts that hold the right to manage it. Without that right WMI shows nothing and no error, so the log has to
   be in the list of logs (Win32_NTEventlogFile), which hides it likewise.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from auditor.model.errors import CollectError
from auditor.model.host import LogCoverage
from auditor.model.times import stamp
from auditor.probes.wmi.properties import moment_of, number_of, query_time, text_of, texts_of, time_of, whole_number
from auditor.probes.wmi.questions import Found, Instance, Query, Steps, ask, quoted
from auditor.probes.wmi.sheet import Sheet

SYSTEM = (
    "EventLog=6005,6006,6008,6009", "Microsoft-Windows-Kernel-Power=41,109", "Microsoft-Windows-Kernel-General=12,13",
    "BugCheck=1001", "Microsoft-Windows-WER-SystemErrorReporting=1001", "Save Dump=1001", "System Error=1003",
    "USER32=1074,1076", "User32=1074,1076",
    "Service Control Manager=7000,7001,7022,7023,7024,7026,7031,7034,7045", "disk=7,11,15,51,52,153,154,157",
    "Ntfs=50,55,57,98,137,140", "Microsoft-Windows-Ntfs=50,55,57,98,137,140", "volsnap=24,25,33,36", "Volsnap=24,25,33,36",
    "Srv=2011,2019,2020", "srv=2011,2019,2020",
    "Microsoft-Windows-WHEA-Logger=1,17,18,19,20,46,47", "Microsoft-Windows-Kernel-IO=1205",
    "Microsoft-Windows-Resource-Exhaustion-Detector=2004", "Application Popup=26,333", "SAVRT=1005",
    "volmgr=45,46,49,161", "Microsoft-Windows-WindowsUpdateClient=19,20", "Windows Update Agent=19,20",
)  # fmt: skip
"""Records of the System log that are wanted: provider and event ids. The same as in `events.ps1`; a test holds them together."""
APPLICATION = (
    "Chkdsk=1001,26212,26214,26226", "Microsoft-Windows-Chkdsk=1001,26212,26214,26226", "Wininit=1001", "Microsoft-Windows-Wininit=1001",
    "Winlogon=1001", "MsiInstaller=1033,1034,1035,11707,11724", "Application Error=1000",
)  # fmt: skip
DEFENDER = ("Microsoft-Windows-Windows Defender=2000,2001,2002,2003,2004,2005,2014,5000,5001,5004,5007,5008,5010,5012",)
"""Records of Defender's own log, which only the script reads: WMI has the classic logs alone."""
UNEXPECTED = (
    "EventLog=6008", "Microsoft-Windows-Kernel-Power=41", "BugCheck=1001", "Microsoft-Windows-WER-SystemErrorReporting=1001",
    "Save Dump=1001",
)  # fmt: skip
AROUND_RESTART = ("Service Control Manager=7035,7036",)
_COLUMNS = "Logfile, SourceName, EventCode, EventType, TimeGenerated, RecordNumber, Category, InsertionStrings, Data"
_LEVELS = {0: "information", 1: "error", 2: "warning", 3: "information", 4: "audit_success", 5: "audit_failure"}
_PROVIDERS_A_QUERY = 8
"""WQL refuses conditions that are too long; so many providers are asked for at once."""


def table(wanted: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of provider (lower case) and id of a list such as SYSTEM; `*` stands for every id."""
    pairs = (item.rpartition("=") for item in wanted)
    return {(source.lower(), number) for source, _, numbers in pairs for number in numbers.split(",")}


def read_log(sheet: Sheet, log: str, wanted: Iterable[str], window: tuple[datetime, datetime], limit: int) -> Steps[list[dict[str, Any]]]:
    """Rows of the records that are wanted and lie in the window, newest first, at most `limit`."""
    rows: dict[int, dict[str, Any]] = {}
    extra: list[dict[str, Any]] = []
    whole = True
    for condition in _conditions(wanted):
        query = f"{_bounds(log, window)} AND ({condition})"
        found: Found = yield Query(query, limit=limit)
        whole &= found.whole
        for instance in found.instances:
            row = event_row(instance, log)
            if row is not None and (number := row["record"]) is not None:
                rows[number] = row
            elif row is not None:
                extra.append(row)
    kept = sorted([*rows.values(), *extra], key=lambda row: (row["time"], row["record"] or 0), reverse=True)
    if not whole or len(kept) >= limit:
        sheet.gap("", "", f"{log}: only the newest {limit} records that are wanted were kept")
    return kept[:limit]


def _bounds(log: str, window: tuple[datetime, datetime]) -> str:
    start, end = (query_time(moment) for moment in window)
    times = f"TimeGenerated>='{start}' AND TimeGenerated<='{end}'"
    return f"SELECT {_COLUMNS} FROM Win32_NTLogEvent WHERE Logfile={quoted(log)} AND {times}"  # noqa: S608 (of constants, quoted)


def _conditions(wanted: Iterable[str]) -> Iterator[str]:
    items = [_condition(item) for item in wanted]
    for start in range(0, len(items), _PROVIDERS_A_QUERY):
        yield " OR ".join(items[start : start + _PROVIDERS_A_QUERY])


def _condition(item: str) -> str:
    source, _, numbers = item.rpartition("=")
    provider = f"SourceName={quoted(source)}" if source else ""
    ids = " OR ".join(f"EventCode={number}" for number in numbers.split(",")) if numbers != "*" else ""
    return "(" + " AND ".join([part for part in (provider, f"({ids})" if ids else "") if part]) + ")"


def event_row(found: Instance, log: str) -> dict[str, Any] | None:
    """A record as a row of events; None where it has no time."""
    time = time_of(found, "TimeGenerated")
    if time is None:
        return None
    data = bytes(number & 0xFF for number in (whole_number(item) for item in texts_of(found, "Data")) if number is not None)
    strings = found.get("InsertionStrings")
    listed = list(strings) if isinstance(strings, list) else [strings] if isinstance(strings, str) else []
    return {
        "log": log,
        "source": text_of(found, "SourceName"),
        "id": number_of(found, "EventCode"),
        "time": time,
        "record": number_of(found, "RecordNumber"),
        "level": _LEVELS.get(-1 if (kind := number_of(found, "EventType")) is None else kind, "unknown"),
        "strings": [*listed, *([data.hex()] if data else [])],
        "message": None,
        "category": number_of(found, "Category"),
    }


def open_log(log: str) -> Steps[int]:
    """How many records a log holds. Raises CollectError (denied) where the account is shown no such log."""
    query = f"SELECT LogfileName, NumberOfRecords FROM Win32_NTEventlogFile WHERE LogfileName={quoted(log)}"  # noqa: S608 (quoted)
    found = yield from ask(query)
    if not found:
        raise CollectError("", f"the event log {log} is not shown to this account", status="denied")
    return number_of(found[0], "NumberOfRecords") or 0


def cover(sheet: Sheet, log: str, records: int, start: datetime) -> Steps[None]:
    """Notes how far back a log reaches: record numbers follow each other, so the oldest is the newest less their count."""
    oldest = None
    if records:
        base = f"SELECT RecordNumber, TimeGenerated FROM Win32_NTLogEvent WHERE Logfile={quoted(log)}"  # noqa: S608 (quoted)
        newest = yield from ask(base, limit=1)
        number = number_of(newest[0], "RecordNumber") if newest else None
        if number is not None:
            first = yield from ask(f"{base} AND RecordNumber={number - records + 1}", limit=1)
            moment = moment_of(first[0], "TimeGenerated") if first else None
            oldest = stamp(moment) if moment else None
    sheet.coverage.append(LogCoverage(log=log, oldest=oldest, asked_from=stamp(start)))


def last_restart(rows: Iterable[dict[str, Any]]) -> datetime | None:
    """When the newest record that tells of an unexpected restart was written."""
    wanted = table(UNEXPECTED)
    times = [row["time"] for row in rows if ((row["source"] or "").lower(), str(row["id"])) in wanted]
    return datetime.fromisoformat(max(times)) if times else None
