"""Every change of a machine's registry, files, tasks and Defender, as the operator's programs make it. Owns what `held` means.

What policy or tamper protection holds, does not stick. No command line and no module changes these but through here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from auditor.lab.assemble_files import task_file
from auditor.lab.facts_activity import TaskFacts
from auditor.lab.facts_change import HeldFacts
from auditor.lab.facts_software import DefenderFacts
from auditor.lab.machine import SERVICES, LabFile, Machine
from auditor.lab.operate.drops import watch_drop
from auditor.lab.registry import Key, Value
from auditor.model.errors import AuditorError

_DEFENDER = r"HKLM\SOFTWARE\Microsoft\Windows Defender"
DEFENDER_LISTS = {"paths": "Paths", "extensions": "Extensions", "processes": "Processes"}
"""Defender's lists of exclusions and the registry keys that hold them."""


class Denied(AuditorError):
    """The host refuses a change (ERROR_ACCESS_DENIED)."""


def put_value(machine: Machine, path: str, value: Value) -> None:
    """Sets a registry value, its key made where it is not there. Raises Denied."""
    before = machine.registry.key(path)
    old = before.value(value.name) if before else None

    def back() -> None:
        if old is not None:
            machine.registry.make(path).put(old)
        elif (key := machine.registry.key(path)) is not None:
            key.clear(value.name)

    held_change(machine, _key_holds(machine, path, value.name), lambda: machine.registry.make(path).put(value), back)


def clear_value(machine: Machine, path: str, name: str) -> None:
    """Removes a registry value. Raises Denied."""
    key = machine.registry.key(path)
    old = key.value(name) if key else None
    if key is not None and old is not None:
        held_change(machine, _key_holds(machine, path, name), lambda: key.clear(name), lambda: key.put(old))


def make_key(machine: Machine, path: str) -> None:
    """Makes a registry key. Raises Denied."""
    if machine.registry.key(path) is None:
        held_change(machine, _key_holds(machine, path), lambda: machine.registry.make(path), lambda: _drop_key(machine, path))


def remove_key(machine: Machine, path: str) -> None:
    """Removes a registry key with all below. Raises Denied."""
    parent_path, _, name = path.rpartition("\\")
    parent = machine.registry.key(parent_path)
    old = parent.child(name) if parent else None
    if parent is not None and old is not None:
        held_change(machine, _key_holds(machine, path, below=True), lambda: parent.remove(name), lambda: _put_back(parent, old))


def put_file(machine: Machine, path: str, data: bytes, *, package: str | None = None) -> None:
    """Writes a whole file. Raises Denied."""
    old = machine.files.get(path)
    created = old.created if old else machine.agenda.now
    new = LabFile(old.path if old else path, created=created, modified=machine.agenda.now, data=data)
    new.package = package

    def back() -> None:
        if old is not None:
            machine.files.put(old)
        else:
            machine.files.remove(path)

    held_change(machine, file_holds(machine, path), lambda: machine.files.put(new), back)
    watch_drop(machine, path)


def remove_file(machine: Machine, path: str) -> None:
    """Removes a file. Raises Denied."""
    old = machine.files.get(path)
    if old is not None:
        held_change(machine, file_holds(machine, path), lambda: machine.files.remove(path), lambda: machine.files.put(old))


def remove_folder(machine: Machine, path: str) -> None:
    """Removes a folder with all below, file by file, so that what is held stays. Raises Denied."""
    for file in machine.files.below(path):
        remove_file(machine, file.path)
    if not machine.files.below(path):
        machine.files.remove_folder(path)


def put_task(machine: Machine, name: str, task: TaskFacts) -> None:
    """Makes or replaces a scheduled task: its entry and its file. Raises Denied."""
    old = machine.tasks.get(task_name(machine, name))
    held_change(machine, _task_holds(machine, name), lambda: _set_task(machine, name, task), lambda: _set_task(machine, name, old))


def remove_task(machine: Machine, name: str) -> None:
    """Removes a scheduled task. Raises Denied."""
    old = machine.tasks.get(task_name(machine, name))
    if old is not None:
        held_change(machine, _task_holds(machine, name), lambda: _set_task(machine, name, None), lambda: _set_task(machine, name, old))


def task_name(machine: Machine, name: str) -> str:
    """A task's name as the machine keeps it; `name` itself where there is none."""
    wanted = name.strip("\\").upper()
    for known in machine.tasks:
        plain = known.strip("\\").upper()
        if wanted in (plain, plain.removesuffix(".JOB")):
            return known
    return f"{name.strip(chr(92))}.job" if machine.legacy and not name.lower().endswith(".job") else f"\\{name.strip(chr(92))}"


def _set_task(machine: Machine, name: str, task: TaskFacts | None) -> None:
    key = task_name(machine, name)
    path, data = task_file(machine, key, task or TaskFacts())
    machine.files.remove(path)
    machine.tasks.pop(key, None)
    if task is not None:
        machine.tasks[key] = task
        machine.files.put(LabFile(path, created=machine.agenda.now, modified=machine.agenda.now, data=data, restricted=task.restricted))


def set_defender(machine: Machine, **changes: Any) -> None:
    """Changes what Defender says and does, and what it keeps of that in the registry. Raises Denied."""
    old = machine.defender
    if old is not None:
        new = msgspec.structs.replace(old, **changes)
        holds = [hold for hold in machine.facts.held.values() if hold.defender]
        held_change(machine, holds, lambda: _become(machine, old, new), lambda: _become(machine, new, old))


def _become(machine: Machine, old: DefenderFacts, new: DefenderFacts) -> None:
    machine.defender = new
    for name, key in DEFENDER_LISTS.items():
        was, now = getattr(old, name), getattr(new, name)
        if was == now:
            continue
        kept = machine.registry.make(rf"{_DEFENDER}\Exclusions\{key}")
        for item in (*was, *now):
            if item not in now:
                kept.clear(item)
            elif item not in was:
                kept.put(Value(item, "REG_DWORD", 0))
    if old.real_time != new.real_time:
        machine.registry.make(rf"{_DEFENDER}\Real-Time Protection").put(
            Value("DisableRealtimeMonitoring", "REG_DWORD", int(not new.real_time))
        )


def held_change(machine: Machine, holds: Iterable[HeldFacts], do: Callable[[], Any], undo: Callable[[], Any]) -> None:
    """Does a change, unless it is held: then nothing, for a while, or Denied."""
    hold = next(iter(holds), None)
    if hold is None:
        do()
    elif hold.answer == "denied":
        raise Denied("Access is denied.")
    elif hold.after_seconds:
        do()
        machine.agenda.after(hold.after_seconds, undo)


def service_holds(machine: Machine, name: str) -> list[HeldFacts]:
    """What holds a service or driver."""
    return [hold for hold in machine.facts.held.values() if name.upper() in map(str.upper, hold.services)]


def file_holds(machine: Machine, path: str) -> list[HeldFacts]:
    """What holds a file."""
    return [hold for hold in machine.facts.held.values() if any(_inside(path, folder) for folder in hold.files)]


def _task_holds(machine: Machine, name: str) -> list[HeldFacts]:
    plain = name.strip("\\").upper().removesuffix(".JOB")
    return [h for h in machine.facts.held.values() if plain in (task.strip("\\").upper().removesuffix(".JOB") for task in h.tasks)]


def _key_holds(machine: Machine, path: str, value: str | None = None, *, below: bool = False) -> list[HeldFacts]:
    found = []
    for hold in machine.facts.held.values():
        keys = [*hold.keys, *(rf"{SERVICES}\{name}" for name in hold.services)]
        near = any(_inside(path, key) or (below and _inside(key, path)) for key in keys)
        if near and (not hold.values or value is None or value.upper() in map(str.upper, hold.values)):
            found.append(hold)
    return found


def _inside(path: str, folder: str) -> bool:
    return path.upper() == folder.rstrip("\\").upper() or path.upper().startswith(folder.rstrip("\\").upper() + "\\")


def _drop_key(machine: Machine, path: str) -> None:
    parent, _, name = path.rpartition("\\")
    key = machine.registry.key(parent)
    if key is not None:
        key.remove(name)


def _put_back(parent: Key, old: Key) -> None:
    parent.adopt(old)
