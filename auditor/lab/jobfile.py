"""A task up to Server 2003: the bytes of its .job file and its lines of `schtasks /query /fo csv /v`. Pure.

Sources: [MS-TSCH] 2.4 (.job file format); the columns of Server 2003's schtasks as public samples show them.
"""

from __future__ import annotations

import csv
import io
import struct
import uuid
from datetime import datetime

from auditor.lab.clock import Dial, picture
from auditor.lab.facts_activity import TaskFacts, TriggerFacts

DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_TYPES = {"once": 0, "daily": 1, "weekly": 2, "monthly": 3, "idle": 5, "boot": 6, "logon": 7}
_DISABLED = 0x4
_BATTERIES = 0xC0
_READY, _NEVER_RUN = 0x41300, 0x41303
_PRODUCT_2003, _FILE_VERSION, _FIXED = 0x0502, 1, 68
_THREE_DAYS_MS = 259_200_000
COLUMNS = (
    "HostName", "TaskName", "Next Run Time", "Status", "Logon Mode", "Last Run Time", "Last Result", "Creator", "Schedule",
    "Task To Run", "Start In", "Comment", "Scheduled Task State", "Scheduled Type", "Start Time", "Start Date", "End Date", "Days",
    "Months", "Run As User", "Delete Task If Not Rescheduled", "Stop Task If Runs X Hours and X Mins", "Repeat: Every",
    "Repeat: Until: Time", "Repeat: Until: Duration", "Repeat: Stop If Still Running", "Idle Time", "Power Management",
)  # fmt: skip


def job_bytes(name: str, task: TaskFacts, dial: Dial) -> bytes:
    """The .job file of a task named `name`."""
    texts = (task.command or "", task.arguments, task.directory, task.author, task.description)
    middle = struct.pack("<H", 0) + b"".join(_counted(text) for text in texts) + struct.pack("<H", 0) + struct.pack("<HII", 8, 0, 0)
    last = dial.zone.to_local(dial.moment(task.last_run)) if task.last_run else None
    flags = _BATTERIES | (0 if task.enabled else _DISABLED)
    fixed = struct.pack("<HH", _PRODUCT_2003, _FILE_VERSION) + uuid.uuid5(uuid.NAMESPACE_OID, name).bytes_le
    fixed += struct.pack("<HHHHHH", _FIXED + 2, _FIXED + len(middle), 0, 0, 60, 10)
    fixed += struct.pack("<IIIII", 0x20, _THREE_DAYS_MS, (task.last_result or 0) & 0xFFFFFFFF, _READY if last else _NEVER_RUN, flags)
    triggers = b"".join(_trigger(trigger, dial) for trigger in task.triggers)
    return fixed + _system_time(last) + middle + struct.pack("<H", len(task.triggers)) + triggers


def _counted(text: str) -> bytes:
    return struct.pack("<H", len(text.encode("utf-16-le")) // 2 + 1) + (text + "\0").encode("utf-16-le") if text else struct.pack("<H", 0)


def _system_time(local: datetime | None) -> bytes:
    if local is None:
        return bytes(16)
    weekday = (local.weekday() + 1) % 7
    return struct.pack("<8H", local.year, local.month, weekday, local.day, local.hour, local.minute, local.second, 0)


def _trigger(trigger: TriggerFacts, dial: Dial) -> bytes:
    start = _start(trigger, dial)
    specific = (0, 0, 0)
    if trigger.kind == "daily":
        specific = (trigger.interval, 0, 0)
    elif trigger.kind == "weekly":
        specific = (trigger.interval, sum(1 << DAYS.index(day) for day in trigger.days), 0)
    elif trigger.kind == "monthly":
        bits = sum(1 << (day - 1) for day in trigger.days_of_month)
        specific = (bits & 0xFFFF, bits >> 16, 0xFFF)
    lasting = _lasting(trigger)
    head = struct.pack("<10H", 48, 0, start.year, start.month, start.day, 0, 0, 0, start.hour, start.minute)
    flags = 0 if trigger.enabled else 4
    return head + struct.pack("<IIII", lasting, trigger.every_minutes, flags, _TYPES[trigger.kind]) + struct.pack("<6H", *specific, 0, 0, 0)


def _start(trigger: TriggerFacts, dial: Dial) -> datetime:
    return dial.zone.to_local(dial.moment(trigger.start))


def _lasting(trigger: TriggerFacts) -> int:
    """Minutes of repetition; without end is one day here, since this Windows always has an end."""
    return (trigger.duration_minutes or 1440) if trigger.every_minutes else 0


def schtasks_lines(computer: str, tasks: dict[str, TaskFacts], dial: Dial) -> list[list[str]]:
    """The rows that schtasks prints, one for each trigger, without the header."""
    rows = []
    for name, task in tasks.items():
        triggers = task.triggers or (TriggerFacts(kind="once", enabled=False),)
        rows += [_row(computer, name.removesuffix(".job"), task, trigger, dial) for trigger in triggers]
    return rows


def csv_text(rows: list[list[str]]) -> str:
    """Rows as schtasks prints them: every field in quotes, CR LF."""
    target = io.StringIO()
    csv.writer(target, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerows(rows)
    return target.getvalue()


def _row(computer: str, name: str, task: TaskFacts, trigger: TriggerFacts, dial: Dial) -> list[str]:
    def shown(moment: str | None, otherwise: str) -> str:
        if moment is None:
            return otherwise
        local = dial.zone.to_local(dial.moment(moment))
        return f"{picture(local, dial.time_picture)}, {picture(local, dial.date_picture)}"

    start = _start(trigger, dial)
    timed = trigger.kind in ("once", "daily", "weekly", "monthly")
    at, day = picture(start, dial.time_picture), picture(start, dial.date_picture)
    kind = _printed_type(trigger)
    every = f"{trigger.every_minutes // 60} Hour(s): {trigger.every_minutes % 60} Minute(s)" if trigger.every_minutes else "Disabled"
    until = f"{_lasting(trigger) // 60} Hour(s): {_lasting(trigger) % 60} Minute(s)" if trigger.every_minutes else "Disabled"
    run = f"{task.command or ''} {task.arguments}"
    account = {"S-1-5-18": "NT AUTHORITY\\SYSTEM"}.get(task.user, task.user)
    return [
        computer, name, shown(task.next_run, "Never") if task.enabled else "Disabled", "Running" if task.state == "Running" else "",
        "Interactive/Background" if "\\" in account and not account.startswith("NT AUTHORITY") else "Background only",
        shown(task.last_run, "Never"), str(task.last_result or 0), task.author or "N/A",
        _schedule(trigger, at, day) if task.enabled else "Disabled", run, task.directory or "N/A", task.description or "N/A",
        "Enabled" if task.enabled else "Disabled", kind,
        at if timed else kind.strip(), day, "N/A", _printed_days(trigger), "N/A", account, "Disabled", "72:0", every,
        "None" if trigger.every_minutes else "Disabled", until, "Disabled", "Disabled", "No Start On Batteries, Stop On Battery Mode",
    ]  # fmt: skip


def _printed_type(trigger: TriggerFacts) -> str:
    if trigger.every_minutes and trigger.kind == "daily":
        return "Hourly " if trigger.every_minutes % 60 == 0 else "Minute "
    words = {"once": "One Time Only", "daily": "Daily ", "weekly": "Weekly", "monthly": "Monthly", "idle": "When idle"}
    return {**words, "boot": "At system start up", "logon": "At logon time"}[trigger.kind]


def _printed_days(trigger: TriggerFacts) -> str:
    if trigger.kind == "daily":
        return "Everyday"
    if trigger.kind == "weekly":
        return ",".join(day.upper() for day in trigger.days)
    return ",".join(map(str, trigger.days_of_month)) or "N/A"


def _schedule(trigger: TriggerFacts, at: str, day: str) -> str:
    if trigger.kind == "daily" and trigger.every_minutes:
        return f"Every {trigger.every_minutes // 60} hour(s) from {at} for {_lasting(trigger) // 60} hour(s) every day, starting {day}"
    if trigger.kind == "daily":
        return f"At {at} every day, starting {day}"
    if trigger.kind == "weekly":
        return f"At {at} every {','.join(name[:3] for name in trigger.days)} of every week, starting {day}"
    return {"boot": "Run at system startup", "logon": "Run at user logon", "once": f"At {at} on {day}"}.get(trigger.kind, f"At {at}")
