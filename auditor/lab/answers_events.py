"""Answers of the sections events and logons, from the machine's event logs. Pure.

Follows `docs/probe.md`: the same providers, windows, limits and order (newest first) as the probe's scripts.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from auditor.lab.machine import LogRecord, Machine
from auditor.lab.sheet import Ask, Ended, Sheet, moment
from auditor.model.host import LogCoverage
from auditor.model.times import stamp

_SYSTEM = (
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
_APPLICATION = (
    "Chkdsk=1001,26212,26214,26226", "Microsoft-Windows-Chkdsk=1001,26212,26214,26226", "Wininit=1001", "Microsoft-Windows-Wininit=1001",
    "Winlogon=1001", "MsiInstaller=1033,1034,1035,11707,11724", "Application Error=1000",
)  # fmt: skip
_UNEXPECTED = (
    "EventLog=6008", "Microsoft-Windows-Kernel-Power=41", "BugCheck=1001", "Microsoft-Windows-WER-SystemErrorReporting=1001",
    "Save Dump=1001",
)  # fmt: skip
_RESTART_EXTRA = ("Service Control Manager=7035,7036",)
_DEFENDER_LOG = "Microsoft-Windows-Windows Defender/Operational"
_DEFENDER = ("Microsoft-Windows-Windows Defender=2000,2001,2002,2003,2004,2005,2014,5000,5001,5004,5007,5008,5010,5012",)
_PLACES = {4624: (5, 6, 8, 11, 18), 528: (0, 1, 3, 6, 13), 540: (0, 1, 3, 6, 13)}
_UNASKED = (0, 5)
"""Logon types of the system itself and of services."""
_OLD_DENIED = "Requested registry access is not allowed."
_NEW_DENIED = "Attempted to perform an unauthorized operation."
_NOT_AUDITED = "not one logon was recorded, not even the one that this question came by: logons are not audited here"


def _table(wanted: Iterable[str], machine: Machine) -> set[tuple[str, str]]:
    pairs = (item.rpartition("=") for item in wanted)
    return {(_spelling(source, machine), number) for source, _, numbers in pairs for number in numbers.split(",")}


def _spelling(source: str, machine: Machine) -> str:
    """What is compared of a provider's name: XPath, by which Vista and later are asked, tells upper from lower case."""
    return source.lower() if machine.legacy else source


def _fits(table: set[tuple[str, str]], record: LogRecord, machine: Machine) -> bool:
    source = _spelling(record.facts.source, machine)
    return not table.isdisjoint({(source, str(record.facts.id)), (source, "*"), ("", str(record.facts.id))})


def _open(machine: Machine, log: str) -> None:
    words = {"SECURITY": "security_log", "SYSTEM": "system_log", "APPLICATION": "application_log"}
    denied = words.get(log.upper()) in machine.access.denied or (log == "Security" and not machine.access.elevated)
    if denied:
        raise Ended("denied", _OLD_DENIED if machine.legacy else _NEW_DENIED)


def _read(
    machine: Machine, sheet: Sheet, log: str, wanted: Iterable[str], window: tuple[datetime, datetime], limit: int
) -> list[LogRecord]:
    """Records of a log that are wanted and lie in the window, newest first."""
    _open(machine, log)
    table = _table(wanted, machine)
    found = [record for record in reversed(machine.log(log)) if window[0] <= record.time <= window[1] and _fits(table, record, machine)]
    if log == "Security" and not machine.legacy:
        found = [record for record in found if _logon(record)["logon_type"] not in _UNASKED]
    if len(found) >= limit:
        sheet.gap("", "", f"{log}: only the newest {limit} records that are wanted were kept")
    return found[:limit]


def _row(record: LogRecord) -> dict[str, Any]:
    facts = record.facts
    data = [facts.data.replace(" ", "").lower()] if facts.data else []
    return {
        "log": facts.log,
        "source": facts.source,
        "id": facts.id,
        "time": stamp(record.time),
        "record": record.number,
        "level": facts.level,
        "strings": [*record.strings, *data],
        "message": None,
        "category": facts.category,
    }


def _cover(machine: Machine, sheet: Sheet, log: str, start: datetime) -> None:
    sheet.coverage.append(LogCoverage(log=log, oldest=moment(machine.oldest(log)), asked_from=stamp(start)))


def last_restart(machine: Machine, ask: Ask, now: datetime) -> datetime | None:
    """The moment to look round: the one that was given, else when the newest record of an unexpected restart was written."""
    if ask.around:
        return datetime.fromisoformat(ask.around)
    start, table = now - timedelta(days=ask.number("event_days")), _table(_UNEXPECTED, machine)
    times = [record.time for record in machine.log("System") if start <= record.time <= now and _fits(table, record, machine)]
    return max(times, default=None)


def events(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Records of the system and application logs that are wanted."""
    window = (sheet.now - timedelta(days=ask.number("event_days")), sheet.now)
    limit = ask.number("event_limit")
    found = _read(machine, sheet, "System", _SYSTEM, window, limit)
    sheet.rows += [_row(record) for record in found]
    _cover(machine, sheet, "System", window[0])
    restart = last_restart(machine, ask, sheet.now)
    if restart is not None:
        around = (restart - timedelta(hours=2), restart + timedelta(minutes=10))
        sheet.rows += [_row(record) for record in _read(machine, sheet, "System", _RESTART_EXTRA, around, limit)]
    application = (*_APPLICATION, *(f"{source}=*" for source in ask.event_sources))
    sheet.rows += [_row(record) for record in _read(machine, sheet, "Application", application, window, limit)]
    _cover(machine, sheet, "Application", window[0])
    if machine.version >= (6, 2, 0) and (machine.log(_DEFENDER_LOG) or _DEFENDER_LOG.upper() in machine.log_facts):
        sheet.rows += [_row(record) for record in _read(machine, sheet, _DEFENDER_LOG, _DEFENDER, window, limit)]
        _cover(machine, sheet, _DEFENDER_LOG, window[0])


def logons(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Logons of the last hours and of the minutes before the last unexpected restart."""
    limit, ids = ask.number("logon_limit"), "=528,540" if machine.legacy else "=4624"
    windows = [(sheet.now - timedelta(hours=ask.number("logon_hours")), sheet.now)]
    if "events" not in ask.sections or "system_log" in machine.access.denied:
        sheet.gap("", "", "the events section did not end: the last unexpected restart is not known, logons before it were not looked for")
    elif (restart := last_restart(machine, ask, sheet.now)) is not None:
        windows.append((restart - timedelta(minutes=ask.number("logon_minutes")), restart + timedelta(minutes=5)))
    most = 8 * limit if machine.legacy else limit
    seen: set[int] = set()
    for window in windows:
        found = _read(machine, sheet, "Security", [ids], window, most)
        rows = [(record.number, _logon(record)) for record in found if record.number not in seen]
        kept = [(number, row) for number, row in rows if row["logon_type"] not in _UNASKED]
        if len(kept) > limit:
            sheet.gap("", "", f"only the newest {limit} logons of a window were kept")
        seen |= {number for number, _ in kept[:limit]}
        sheet.rows += [row for _, row in kept[:limit]]
    _cover(machine, sheet, "Security", min(start for start, _ in windows))
    if not seen:
        sheet.gap("", "", _NOT_AUDITED)


def _logon(record: LogRecord) -> dict[str, Any]:
    places = _PLACES[record.facts.id]
    texts = [record.strings[place] if place < len(record.strings) else "" for place in places]
    account, domain, kind, workstation, address = (None if text in ("", "-") else text for text in texts)
    return {
        "time": stamp(record.time),
        "account": account,
        "domain": domain,
        "logon_type": int(kind) if kind and kind.isdigit() else None,
        "workstation": workstation,
        "address": address,
        "event_id": record.facts.id,
    }
