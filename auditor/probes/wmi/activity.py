"""The sections events, logons, tasks and scripts over WMI. Pure.

Tasks of the Task Scheduler and scripts stand in files, which WMI does not read: unsupported, never empty. Jobs of the old `at` service are
shown by Win32_ScheduledJob; it sees no other task.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from auditor.model.errors import CollectError
from auditor.probes.rows import parse_time
from auditor.probes.wmi.logs import APPLICATION, AROUND_RESTART, SYSTEM, cover, last_restart, open_log, read_log
from auditor.probes.wmi.properties import number_of, text_of
from auditor.probes.wmi.questions import Instance, Steps, ask
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import Survey

_PLACES = {4624: (5, 6, 8, 11, 18), 528: (0, 1, 3, 6, 13), 540: (0, 1, 3, 6, 13)}
"""Fields of a logon by position: account, domain, type, workstation, address."""
_NOT_COUNTED = (0, 5)
_NOT_AUDITED = "not one logon was recorded, not even the one that this question came by: logons are not audited here"
_NO_RESTART = "the events section did not end: the last unexpected restart is not known, logons before it were not looked for"
_NO_TASKS = "WMI shows no tasks of the Task Scheduler: their files are not read on this way"
_DAYS = ("M", "T", "W", "Th", "F", "S", "Su")


def events(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Records of the system and application logs that are wanted."""
    now, limit = (yield from survey.now()), survey.request.event_limit
    window = (now - timedelta(days=survey.request.event_days), now)
    records = yield from open_log("System")
    found = yield from read_log(sheet, "System", SYSTEM, window, limit)
    sheet.rows += found
    yield from cover(sheet, "System", records, window[0])
    given = parse_time(survey.request.around)
    survey.restart, survey.restart_known = given or last_restart(found), True
    if survey.restart is not None:
        around = (survey.restart - timedelta(hours=2), survey.restart + timedelta(minutes=10))
        sheet.rows += yield from read_log(sheet, "System", AROUND_RESTART, around, limit)
    records = yield from open_log("Application")
    wanted = (*APPLICATION, *(f"{source}=*" for source in survey.request.event_sources))
    sheet.rows += yield from read_log(sheet, "Application", wanted, window, limit)
    yield from cover(sheet, "Application", records, window[0])


def logons(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Logons of the last hours and of the minutes before the last unexpected restart."""
    now, limit = (yield from survey.now()), survey.request.logon_limit
    records = yield from open_log("Security")
    ids = "=528,540" if (yield from survey.generation()) < 600 else "=4624"
    windows = [(now - timedelta(hours=survey.request.logon_hours), now)]
    if survey.restart is not None:
        windows.append((survey.restart - timedelta(minutes=survey.request.logon_minutes), survey.restart + timedelta(minutes=5)))
    elif not survey.restart_known:
        sheet.gap("", "", _NO_RESTART)
    seen: set[int | None] = set()
    for window in windows:
        # Logons of the system itself and of services are many times the others.
        found = yield from read_log(sheet, "Security", [ids], window, 8 * limit)
        fresh = [row for row in found if row["record"] not in seen]
        logged = [(row["record"], logon_row(row)) for row in fresh]
        kept = [(number, logon) for number, logon in logged if logon["logon_type"] not in _NOT_COUNTED]
        if len(kept) > limit:
            sheet.gap("", "", f"only the newest {limit} logons of a window were kept")
        seen |= {number for number, _ in kept[:limit]}
        sheet.rows += [logon for _, logon in kept[:limit]]
    yield from cover(sheet, "Security", records, min(start for start, _ in windows))
    if not seen:
        sheet.gap("", "", _NOT_AUDITED)


def logon_row(row: dict[str, Any]) -> dict[str, Any]:
    """A record of the Security log as a logon."""
    places, strings = _PLACES.get(row["id"], ()), row["strings"]
    texts = [strings[place] if place < len(strings) else "" for place in places] or [""] * 5
    account, domain, kind, workstation, address = (None if text in ("", "-") else text for text in texts)
    return {
        "time": row["time"],
        "account": account,
        "domain": domain,
        "logon_type": int(kind) if kind and kind.isascii() and kind.isdigit() and len(kind) < 6 else None,
        "workstation": workstation,
        "address": address,
        "event_id": row["id"],
    }


def tasks(survey: Survey, sheet: Sheet) -> Steps[None]:  # noqa: ARG001 (all sections are asked alike)
    """Jobs of the `at` service, as that command lists them; without one the section is unsupported."""
    try:
        jobs = yield from ask("SELECT JobId, Command, DaysOfMonth, DaysOfWeek, RunRepeatedly, StartTime, JobStatus FROM Win32_ScheduledJob")
    except CollectError as error:
        if error.status == "timed_out":
            raise
        jobs = []
    for job in jobs:
        number = number_of(job, "JobId")
        sheet.row(path=f"At{number}", source_format="at", text=at_line(job))
    if not jobs:
        raise CollectError("", _NO_TASKS, status="unsupported")
    sheet.gap("", "", _NO_TASKS)


def at_line(job: Instance) -> str:
    """A job as a line of `at`'s listing: status, id, days, time, command."""
    weekdays, days = number_of(job, "DaysOfWeek") or 0, number_of(job, "DaysOfMonth") or 0
    names = [name for bit, name in enumerate(_DAYS) if weekdays >> bit & 1] + [str(day + 1) for day in range(31) if days >> day & 1]
    every = "Each" if text_of(job, "RunRepeatedly") in ("true", "TRUE") else "Next"
    start = (text_of(job, "StartTime") or "")[8:12]
    clock = f"{start[:2]}:{start[2:]}" if start.isascii() and start.isdigit() and len(start) == 4 else "--:--"
    return (
        f"        {number_of(job, 'JobId') or 0}   {every} {' '.join(names) or 'Today':<18} {clock}         {text_of(job, 'Command') or ''}"
    )


def scripts(survey: Survey, sheet: Sheet) -> Steps[None]:  # noqa: ARG001
    """Unsupported on this way; nothing is asked."""
    yield from ()
    raise CollectError("", "WMI reads no contents of files: scripts are not seen on this way", status="unsupported")
