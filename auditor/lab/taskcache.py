"""What Task Scheduler keeps of each task in the registry from Vista on: its id, and when and how it last ran. Pure.

Layout of DynamicInfo: version 3, FILETIMEs of registration and last run, state, result of the last run (later Windows adds the
last run that succeeded). Source: https://cyber.wtf/2022/06/01/windows-registry-analysis-todays-episode-tasks/
"""

from __future__ import annotations

import struct
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.lab.machine import Machine

TASK_CACHE = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache"
_DYNAMIC = struct.Struct("<IqqII")
_VERSION = 3
_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def put_task_cache(machine: Machine) -> None:
    """Id and DynamicInfo of each task; the last run is 0 where it never ran."""
    if machine.legacy:
        return
    made = _filetime(machine.dial.moment(machine.facts.system.installed))
    for name, task in machine.tasks.items():
        number = "{" + str(uuid.uuid5(uuid.NAMESPACE_OID, f"{machine.name}{name}")).upper() + "}"
        last = _filetime(machine.dial.moment(task.last_run)) if task.last_run is not None else 0
        data = _DYNAMIC.pack(_VERSION, made, last, 0, (task.last_result or 0) & 0xFFFFFFFF)
        machine.registry.put(rf"{TASK_CACHE}\Tree\{name.lstrip(chr(92))}", "Id", number)
        machine.registry.put(rf"{TASK_CACHE}\Tasks\{number}", "DynamicInfo", data)


def last_run(machine: Machine, path: str) -> dict[str, Any]:
    """Last run in UTC and result of a task, as a row's fields, or that it never ran; none where that is not known."""
    number = machine.registry.text(rf"{TASK_CACHE}\Tree{path}", "Id")
    data = machine.registry.data(rf"{TASK_CACHE}\Tasks\{number}", "DynamicInfo") if number else None
    if not isinstance(data, bytes) or len(data) < _DYNAMIC.size:
        return {}
    version, _, last, _, result = _DYNAMIC.unpack_from(data)
    if version != _VERSION or last < 0:
        return {}
    if last == 0:
        return {"state": "never run"}
    return {"last_run": (_EPOCH + timedelta(seconds=last // 10_000_000)).strftime("%Y-%m-%dT%H:%M:%SZ"), "last_result": result}


def _filetime(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds()) * 10_000_000
