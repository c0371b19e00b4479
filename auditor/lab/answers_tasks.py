"""Answer of the section tasks, from the files that Task Scheduler keeps and, up to 2003, schtasks. Pure.

Follows `docs/probe.md` and `probes/tasks/tasks.ps1`.
"""

from __future__ import annotations

import base64

import msgspec

from auditor.lab.answers_software import DENIED
from auditor.lab.jobfile import COLUMNS, csv_text, schtasks_lines
from auditor.lab.machine import LabFile, Machine
from auditor.lab.sheet import Ask, Ended, Sheet
from auditor.lab.taskcache import TASK_CACHE, last_run
from auditor.lab.texts import decode_text
from auditor.lab.userdrives import user_drives

_LARGEST_XML = 1 << 20
_LARGEST_JOB = 256 << 10


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A task file as read: text of XML or bytes of a .job file; neither where it could not be read."""

    path: str
    text: str | None = None
    data: bytes | None = None
    reason: str = ""


class KeptTasks(msgspec.Struct, frozen=True, kw_only=True):
    """What the scripts section gets from the tasks section."""

    kept: tuple[Kept, ...]
    full: bool
    """Whether there were more than the limit."""


def tasks(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """A row for each task file, and on 2003 one for each task that schtasks prints."""
    found = kept_tasks(machine, ask)
    if found is None:
        raise Ended("denied", f"Access to the path '{machine.task_folder}' is denied.")
    field = "data" if machine.legacy else "text"
    if not machine.legacy and found.kept and not machine.may_read(TASK_CACHE):
        sheet.gap("", "last_run", DENIED)
    closed = machine.legacy
    for task in found.kept:
        data = base64.b64encode(task.data).decode("ascii") if task.data is not None else None
        moving = {} if machine.legacy or not machine.may_read(TASK_CACHE) else last_run(machine, task.path)
        drives, reason = user_drives(machine, task.text)
        if drives is not None and not closed:
            moving["user_drives"] = drives
        if reason and not closed:
            sheet.gap("", "user_drives", reason)
        closed = closed or bool(reason)
        sheet.row(path=task.path, source_format="job" if machine.legacy else "xml", text=task.text, data=data, **moving)
        if task.reason:
            sheet.gap(task.path, field, task.reason)
    if found.full:
        sheet.gap("", "", f"only the first {ask.number('task_limit')} tasks were read")
    if machine.legacy:
        _printed(machine, sheet, len(found.kept))


def kept_tasks(machine: Machine, ask: Ask) -> KeptTasks | None:
    """The task files that the account sees; None where the folder is denied."""
    folder, limit = machine.task_folder, ask.number("task_limit")
    if "tasks" in machine.access.denied or not machine.may_open(folder):
        return None
    if machine.legacy:
        files = [file for file in machine.files.inside(folder) if file.path.lower().endswith(".job")]
    else:
        files = machine.files.below(folder)
    kept = tuple(_kept(machine, file, file.path[len(folder) + machine.legacy :]) for file in files[:limit])
    return KeptTasks(kept=kept, full=len(files) > limit)


def _kept(machine: Machine, file: LabFile, name: str) -> Kept:
    if not machine.may_open(file.path):
        return Kept(path=name, reason=f"Access to the path '{file.path}' is denied.")
    if file.size > (_LARGEST_JOB if machine.legacy else _LARGEST_XML):
        return Kept(path=name, reason=f"larger than {'256 KiB' if machine.legacy else '1 MiB'}: not read")
    if machine.legacy:
        return Kept(path=name, data=file.data())
    return Kept(path=name, text=decode_text(file.data(), "task.xml", machine))


def _printed(machine: Machine, sheet: Sheet, files: int) -> None:
    if machine.files.get(f"{machine.windows}\\System32\\schtasks.exe") is None:
        sheet.gap("", "text", "schtasks.exe is not there: the accounts of the tasks are not known")
        return
    page = f"cp{machine.facts.system.code_page}"
    header = csv_text([list(COLUMNS)]).rstrip("\r\n")
    lines: dict[str, list[str]] = {}
    visible = {name: task for name, task in machine.tasks.items() if machine.access.elevated or not task.restricted}
    for row in schtasks_lines(machine.facts.network.computer_name, visible, machine.dial):
        printed = csv_text([row]).rstrip("\r\n").encode(page, "replace").decode(page)
        lines.setdefault(row[1], []).append(printed)
    if len(lines) < files:
        sheet.gap("", "text", f"schtasks listed {len(lines)} of {files} tasks: the accounts of the others are not known")
    for name, printed_lines in lines.items():
        sheet.row(path=name, source_format="schtasks", text="\n".join([header, *printed_lines]), data=None)
