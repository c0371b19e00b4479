"""Answer of the section scripts: what tasks call, directly or through other scripts, to a depth of three. Pure.

Follows `probes/scripts/scripts.ps1`: the same places, refusals and limits.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from auditor.lab.answers_software import refusal
from auditor.lab.answers_tasks import Kept, kept_tasks
from auditor.lab.machine import LabFile, Machine
from auditor.lab.paths import expand, full_path
from auditor.lab.script_names import Named, action_names, expanded, job_actions, script_names, variables, xml_actions
from auditor.lab.sheet import Ask, Ended, Sheet, moment
from auditor.lab.texts import decode_text

DEPTH = 3
_UNKNOWN_VARIABLE = re.compile(r"%|!\w+!|\$\w")
_NO_NAME = re.compile(r"[*?<>|\"\x00-\x1f]")
_DRIVE = re.compile(r"[A-Za-z]:\\")
_SCHEME = re.compile(r"[A-Za-z]+:")


def scripts(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """A row for each script that is named as a command, and for each mentioned one that is there."""
    if "tasks" not in ask.sections or (tasks := kept_tasks(machine, ask)) is None:
        raise Ended("failed", "the tasks could not be listed, so it is not known which scripts they call")
    search = _Search(machine, ask, sheet)
    for task in tasks.kept:
        search.add_task(task)
    search.follow()
    if tasks.full:
        sheet.gap("", "", "not all tasks were read: they may call further scripts")


class _Search:
    """Rows found so far, and scripts that are still to be looked through."""

    def __init__(self, machine: Machine, ask: Ask, sheet: Sheet) -> None:
        self._machine = machine
        self._sheet = sheet
        self._limit = ask.number("script_limit")
        self._largest = ask.number("script_limit_bytes")
        self._rows: dict[str, dict[str, Any]] = {}
        self._queue: list[tuple[dict[str, Any], str, int]] = []
        self._environment = functools.partial(expand, machine=machine)
        self._system = [f"{machine.windows}\\System32", machine.windows]

    def add_task(self, task: Kept) -> None:
        """Scripts in the actions of a task."""
        actions = job_actions(task.data) if task.data is not None else xml_actions(task.text or "")
        for action in actions:
            start = expanded(action.folder, {}, "", self._environment).strip('"')
            for found in action_names(action):
                name = expanded(found.name, {}, "", self._environment)
                self._add(Named(name, True), task.path, [start, *self._system], 1)

    def follow(self) -> None:
        """Scripts in the scripts that were read."""
        for row, start, depth in self._queue:
            own = row["path"].rsplit("\\", 1)[0]
            known = variables(row["text"], self._environment)
            for found in script_names(row["text"]):
                name = expanded(found.name, known, own, self._environment)
                self._add(Named(name, found.run), row["path"], [start, own, *self._system], depth + 1)

    def _add(self, named: Named, caller: str, folders: list[str], depth: int) -> None:
        path, reason = self._resolved(named.name, folders)
        if reason is not None and not named.run:
            return
        path = path or named.name
        if path.upper() in self._rows:
            callers = self._rows[path.upper()]["called_by"]
            callers += [] if caller in callers else [caller]
        elif depth > DEPTH:
            self._sheet.gap(path, "", f"called by {caller}, more than {DEPTH} scripts deep: not read")
        elif len(self._rows) >= self._limit:
            if "" not in self._rows:
                self._sheet.gap("", "", f"only the first {self._limit} scripts were read")
            self._rows[""] = {"called_by": []}
        else:
            self._add_row(path, reason, caller, folders[0], depth)

    def _add_row(self, path: str, reason: str | None, caller: str, start: str, depth: int) -> None:
        row = self._sheet.row(path=path, called_by=[caller], text=None, size_bytes=None, modified_at=None)
        self._rows[path.upper()] = row
        file = self._machine.files.get(path)
        if reason is not None or file is None:
            self._sheet.gap(path, "text", reason or "not there")
            return
        self._read(row, file)
        if row["text"] is not None:
            self._queue.append((row, start, depth))

    def _read(self, row: dict[str, Any], file: LabFile) -> None:
        path = row["path"]
        row |= {"size_bytes": file.size, "modified_at": moment(file.modified)}
        if file.size > self._largest:
            self._sheet.gap(path, "text", f"of {file.size} bytes, larger than {self._largest}: not read")
        elif not self._machine.may_open(path):
            self._sheet.gap(path, "text", f"Access to the path '{path}' is denied.")
        else:
            row["text"] = decode_text(file.data(), path, self._machine)

    def _resolved(self, name: str, folders: list[str]) -> tuple[str | None, str | None]:
        """Full path, and why it is not read; the path is None where the name can't be tied to a place."""
        if _UNKNOWN_VARIABLE.search(name):
            return None, "names a variable whose value is not known here"
        if _NO_NAME.search(name):
            return None, "is no file name"
        if name.startswith("\\\\"):
            return None, "on the network or a device: not looked at"
        if not _DRIVE.match(name) and _SCHEME.match(name):
            return None, "not a path on a drive"
        places = _places(name, folders)
        for place in places:
            if (reason := refusal(self._machine, place)) is not None:
                return place, reason
            if self._machine.files.get(place) is not None:
                return place, None
        return (places[0], "not there") if len(places) == 1 else (None, "not found in the places where it would be looked for")


def _places(name: str, folders: list[str]) -> list[str]:
    if _DRIVE.match(name):
        return [full_path(name)]
    on_drives = [folder for folder in folders if _DRIVE.match(folder)]
    if name.startswith("\\"):
        return [full_path(folder[:2] + name) for folder in on_drives]
    return [full_path(f"{folder.rstrip(chr(92))}\\{name}") for folder in on_drives]
