"""Answers of the section tasks, from the files that Task Scheduler keeps and, up to 2003, schtasks. Pure.

Follows `docs/probe.md` field by field.
"""

from __future__ import annotations

import base64

from auditor.lab.jobfile import COLUMNS, csv_text, schtasks_lines
from auditor.lab.machine import LabFile, Machine
from auditor.lab.sheet import Ask, Ended, Sheet
from auditor.lab.texts import decode_text

_LARGEST_XML = 1 << 20
_LARGEST_JOB = 256 << 10


def tasks(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """A row for each task file, and on 2003 one for each task that schtasks prints."""
    folder = machine.task_folder
    if "tasks" in machine.access.denied or not machine.may_open(folder):
        raise Ended("denied", f"Access to the path '{folder}' is denied.")
    limit = ask.number("task_limit")
    if machine.legacy:
        _jobs(machine, sheet, folder, limit)
        _printed(machine, sheet)
    else:
        _xml_files(machine, sheet, folder, limit)


def _readable(machine: Machine, sheet: Sheet, name: str, file: LabFile, largest: int) -> bool:
    if not machine.may_open(file.path):
        sheet.gap(name, "text", f"Access to the path '{file.path}' is denied.")
        return False
    if file.size > largest:
        sheet.gap(name, "text", f"larger than {largest} bytes")
        return False
    return True


def _xml_files(machine: Machine, sheet: Sheet, folder: str, limit: int) -> None:
    for file in machine.files.below(folder)[:limit]:
        name = file.path[len(folder) :]
        readable = _readable(machine, sheet, name, file, _LARGEST_XML)
        sheet.row(path=name, source_format="xml", text=decode_text(file.data(), file.path, machine) if readable else None)


def _jobs(machine: Machine, sheet: Sheet, folder: str, limit: int) -> None:
    for file in [file for file in machine.files.inside(folder) if file.path.lower().endswith(".job")][:limit]:
        name = file.path.rsplit("\\", 1)[-1]
        readable = _readable(machine, sheet, name, file, _LARGEST_JOB)
        sheet.row(path=name, source_format="job", data=base64.b64encode(file.data()).decode("ascii") if readable else None)


def _printed(machine: Machine, sheet: Sheet) -> None:
    header = csv_text([list(COLUMNS)]).rstrip("\r\n")
    lines: dict[str, list[str]] = {}
    visible = {name: task for name, task in machine.tasks.items() if machine.access.elevated or not task.restricted}
    for row in schtasks_lines(machine.facts.network.computer_name, visible, machine.dial):
        lines.setdefault(row[1], []).append(csv_text([row]).rstrip("\r\n"))
    for name, printed in lines.items():
        sheet.row(path=name, source_format="schtasks", text="\n".join([header, *printed]))
