"""win_service and win_service_info of ansible.windows."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from auditor.lab.machine import Machine
from auditor.lab.operate import services
from auditor.lab.operate.module import Failed, Job, ModuleSpec, Option
from auditor.lab.operate.services import Entry, ServiceError
from auditor.lab.paths import expand
from auditor.lab.registry import Value

_TYPES = {
    1: "kernel_driver", 2: "file_system_driver", 4: "adapter", 8: "recognizer_driver", 0x10: "win32_own_process",
    0x20: "win32_share_process", 0x50: "user_own_process", 0x60: "user_share_process",
}  # fmt: skip
_MODES = {0: "boot", 1: "system", 2: "auto", 3: "manual", 4: "disabled"}
_STARTS = {"auto": 2, "delayed": 2, "manual": 3, "disabled": 4}
_ERRORS = {0: "ignore", 1: "normal", 2: "severe", 3: "critical"}
_ACCOUNTS = {"localsystem": "NT AUTHORITY\\SYSTEM", "system": "NT AUTHORITY\\SYSTEM"}


def described(machine: Machine, entry: Entry) -> dict[str, Any]:
    """A service as both modules describe it."""
    account = entry.text("ObjectName")
    found: dict[str, Any] = {
        "dependencies": entry.depends,
        "description": entry.text("Description"),
        "desktop_interact": bool(entry.kind & 0x100),
        "display_name": entry.display,
        "error_control": _ERRORS.get(entry.number("ErrorControl", 1), "normal"),
        "failure_actions": [],
        "failure_actions_on_non_crash_failure": False,
        "failure_command": None,
        "failure_reboot_msg": None,
        "failure_reset_period_sec": 0,
        "load_order_group": entry.text("Group") or "",
        "name": entry.name,
        "path": expand(entry.text("ImagePath") or "", machine),
        "pre_shutdown_timeout_ms": 180000,
        "required_privileges": [],
        "service_type": _TYPES.get(entry.kind & ~0x180, "win32_own_process"),
        "sid_info": "none",
        "start_mode": _mode(entry),
        "state": {"running": "started"}.get(entry.state.state, entry.state.state),
    }
    if not entry.driver:
        found |= {"username": _ACCOUNTS.get((account or "").lower(), account), "password": "REDACTED"}
    return found


def _mode(entry: Entry) -> str:
    return "delayed" if entry.start == 2 and entry.number("DelayedAutostart", 0) else _MODES.get(entry.start, "manual")


def _service(job: Job) -> None:
    machine, name = job.machine, job["name"]
    entry = services.find_shown(machine, name)
    job.result["exists"] = False
    job.diff["before"] = described(machine, entry) if entry else ""
    if job["state"] == "absent":
        _remove(job, entry)
        return
    wanted = [option for option, value in job.options.items() if value is not None and option not in ("name", "dependency_action")]
    if entry is None and set(wanted) <= {"desktop_interact", "force_dependent_services"}:
        job.diff["after"] = job.diff["before"]
        return
    if entry is None:
        entry = _create(job, name)
    if entry is None:
        job.diff["after"] = {"name": name}
        return
    after = described(machine, entry)
    job.diff["after"] = after
    _configure(job, entry, after)
    _set_state(job, entry, after)
    _tell(job, entry, after)


def _remove(job: Job, entry: Entry | None) -> None:
    if entry is not None:
        if entry.running and not job.check:
            _act(
                entry, "stopped", functools.partial(services.stop, job.machine, entry.name, with_dependents=job["force_dependent_services"])
            )
        _act(entry, "deleted", lambda: job.change(lambda: services.remove(job.machine, entry.name)))
    job.diff["after"] = ""


def _create(job: Job, name: str) -> Entry | None:
    if job["path"] is None:
        raise Failed(f"Service '{name}' is not installed, need to set 'path' to create a new service")
    image = expand(job["path"], job.machine)
    values: tuple[Value, ...] = (Value("Type", "REG_DWORD", 0x10), Value("Start", "REG_DWORD", 2), Value("ErrorControl", "REG_DWORD", 1))
    values += (
        Value("ImagePath", "REG_EXPAND_SZ", image),
        Value("DisplayName", "REG_SZ", name),
        Value("ObjectName", "REG_SZ", "LocalSystem"),
    )
    job.change(lambda: services.create(job.machine, name, *values))
    return services.find(job.machine, name)


def _configure(job: Job, entry: Entry, after: dict[str, Any]) -> None:
    changes: list[Value] = []
    texts = {"display_name": "DisplayName", "description": "Description", "load_order_group": "Group", "path": "ImagePath"}
    for option, value_name in texts.items():
        wanted = expand(job[option], job.machine) if option == "path" and job[option] else job[option]
        if wanted is not None and wanted != (after[option] or ""):
            changes.append(Value(value_name, "REG_EXPAND_SZ" if option == "path" else "REG_SZ", wanted))
            after[option] = wanted
    if job["start_mode"] is not None and job["start_mode"] != after["start_mode"]:
        changes.append(Value("Start", "REG_DWORD", _STARTS[job["start_mode"]]))
        changes.append(Value("DelayedAutostart", "REG_DWORD", int(job["start_mode"] == "delayed")))
        after["start_mode"] = job["start_mode"]
    wanted_names = _dependencies(job, after["dependencies"])
    if wanted_names != after["dependencies"]:
        changes.append(Value("DependOnService", "REG_MULTI_SZ", tuple(wanted_names)))
        after["dependencies"] = wanted_names
    if job["username"] is not None and not entry.driver:
        wanted = _ACCOUNTS.get(job["username"].lower(), job["username"])
        if wanted.lower() != str(after["username"] or "").lower():
            changes.append(Value("ObjectName", "REG_SZ", "LocalSystem" if wanted == _ACCOUNTS["system"] else wanted))
            after["username"] = wanted
    if changes:
        _act(entry, "configured", lambda: job.change(lambda: services.configure(job.machine, entry.name, *changes)))


def _dependencies(job: Job, now: list[str]) -> list[str]:
    wanted = job["dependencies"]
    if wanted is None:
        return now
    upper = [name.upper() for name in wanted]
    if job["dependency_action"] == "remove":
        return [name for name in now if name.upper() not in upper]
    added = [name for name in wanted if name.upper() not in map(str.upper, now)]
    kept = now if job["dependency_action"] == "add" else [name for name in now if name.upper() in upper]
    return [*kept, *added]


def _set_state(job: Job, entry: Entry, after: dict[str, Any]) -> None:
    state, machine, force = job["state"], job.machine, job["force_dependent_services"]
    if state == "paused":
        raise Failed("the lab does not carry out the state `paused` of win_service")
    was = entry.running
    if state in ("stopped", "restarted") and was:
        _act(entry, "stopped", lambda: job.change(lambda: services.stop(machine, entry.name, with_dependents=force)))
    if (state == "started" and not was) or state == "restarted":
        _act(entry, "started", lambda: job.change(lambda: services.start(machine, entry.name)))
    if state is not None:
        after["state"] = {"restarted": "started"}.get(state, state)


def _act(entry: Entry, word: str, act: Any) -> None:
    """Does something with a service; its refusal becomes the failure that PowerShell's cmdlets give."""
    try:
        act()
    except ServiceError as error:
        verb = {"stopped": "stop", "started": "start", "deleted": "delete", "configured": "configure"}[word]
        reason = f"Cannot {verb} {entry.name} service on computer '.'."
        if error.code == services.DEPENDENTS_RUN:
            reason = "This service has dependent services. It can only be stopped if the Force flag is set."
        raise Failed(
            f"Unhandled exception while executing module: Service '{entry.display} ({entry.name})' cannot be {word} due to the following "
            f"error: {reason} (Win32 error {error.code})"
        ) from error


def _tell(job: Job, entry: Entry, after: dict[str, Any]) -> None:
    fields = ("dependencies", "description", "desktop_interact", "display_name", "name", "path", "start_mode")
    job.result |= {field: after[field] for field in fields}
    account = after.get("username")
    state = after["state"].replace("_", "")
    job.result |= {
        "exists": True,
        "username": "LocalSystem" if account == _ACCOUNTS["system"] else account,
        "state": {"started": "running"}.get(state, state),
        "can_pause_and_continue": False,
        "depended_by": [below.name for below in services.dependents(job.machine, entry.name)],
    }


def _service_info(job: Job) -> None:
    machine, name = job.machine, job["name"]
    found = services.entries(machine) if name is None or "*" in name else [e for e in [services.find_shown(machine, name)] if e]
    if name is None or "*" in name:
        found = [entry for entry in found if not entry.driver]
    if name is not None and "*" in name:
        start = name.partition("*")[0].lower()
        found = [entry for entry in found if entry.name.lower().startswith(start)]
    processes = machine.process_ids()
    job.result |= {"exists": bool(found), "services": [_info(machine, entry, processes) for entry in found]}


def _info(machine: Machine, entry: Entry, processes: dict[str, int]) -> dict[str, Any]:
    facts = described(machine, entry)
    facts.pop("password", None)
    facts.setdefault("username", None)
    more: dict[str, Any] = {
        "checkpoint": 0,
        "controls_accepted": ["stop", "shutdown"] if entry.running and entry.state.stoppable else [],
        "dependency_of": [below.name for below in services.dependents(machine, entry.name)],
        "launch_protection": "none",
        "preferred_node": None,
        "process_id": processes.get(entry.name.upper(), 0),
        "service_exit_code": 0,
        "service_flags": [],
        "triggers": [],
        "wait_hint_ms": 0,
        "win32_exit_code": 0 if entry.running else 1077,
    }
    return facts | more


_OPTIONS = {
    "name": Option(required=True),
    "dependencies": Option(type="list"),
    "dependency_action": Option(default="set", choices=("add", "remove", "set")),
    "description": Option(),
    "desktop_interact": Option(type="bool", default=False),
    "display_name": Option(),
    "force_dependent_services": Option(type="bool", default=False),
    "load_order_group": Option(),
    "path": Option(),
    "start_mode": Option(choices=("auto", "manual", "disabled", "delayed")),
    "state": Option(choices=("started", "stopped", "restarted", "absent", "paused")),
    "username": Option(),
}
MODULES: Mapping[str, ModuleSpec] = {
    "win_service": ModuleSpec(options=_OPTIONS, body=_service),
    "win_service_info": ModuleSpec(options={"name": Option()}, body=_service_info),
}
