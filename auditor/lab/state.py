"""The whole lasting state of a lab host as text, for comparing before and after. Clocks, logs, processes and sessions are no part of it."""

from __future__ import annotations

import msgspec

from auditor.lab.facts_activity import TaskFacts
from auditor.lab.machine import LabFile, Machine
from auditor.lab.registry import Value


def state_of(machine: Machine) -> dict[str, str]:
    """Everything that lasts: a name such as `registry HKLM\\...\\Start` to its value as text."""
    found: dict[str, str] = {}
    for path, key in machine.registry.walk(""):
        found[f"key {path}"] = ""
        found |= {f"value {path}\\{value.name}": _data(value) for value in key.values()}
    found |= {f"file {file.path}": _file(file) for file in machine.files}
    found |= {f"folder {folder}": "" for folder in machine.files.folders if not machine.files.below(folder)}
    found |= {f"service {state.name}": state.state for state in machine.services.values()}
    found |= {f"task {name}": _task(task) for name, task in machine.tasks.items()}
    found |= {f"share {name}": repr(share) for name, share in machine.shares.items()}
    found |= {f"feature {name}": text for name, text in machine.features.items()}
    found["defender"] = repr(machine.defender)
    found["restarts"] = f"{machine.restarts}{' vanished' if machine.vanished else ''}{' pending' if machine.shutdown_at else ''}"
    return found


def _task(task: TaskFacts) -> str:
    """The task without what running it changes."""
    state = "Disabled" if task.state == "Disabled" else "Ready"
    return repr(msgspec.structs.replace(task, last_run=None, next_run=None, last_result=None, state=state))


def _data(value: Value) -> str:
    return f"{value.type} {value.data!r}"


def _file(file: LabFile) -> str:
    return f"{file.size} {file.sha256() if not file.filled else file.seed}"


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What was added, removed or changed between two states, one line each."""
    names = sorted(before.keys() | after.keys())
    changed = [name for name in names if before.get(name) != after.get(name)]
    return [f"{name}: {before.get(name, 'not there')} -> {after.get(name, 'not there')}" for name in changed]
