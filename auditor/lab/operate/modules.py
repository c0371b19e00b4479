"""Runs a module of Ansible on a lab host: finds it by its name, reads its options, answers with its JSON. Owns the list of modules."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate import module_command, module_powershell, module_registry, module_service, module_system
from auditor.lab.operate.module import Failed, Job, ModuleSpec, read_options
from auditor.lab.operate.said import Context, Said
from auditor.lab.operate.writes import Denied

MODULES: Mapping[str, ModuleSpec] = {
    **module_system.MODULES,
    **module_service.MODULES,
    **module_registry.MODULES,
    **module_powershell.MODULES,
    **module_command.MODULES,
}


def short_name(script: str) -> str:
    """`ansible_collections.ansible.windows.plugins.modules.win_ping.ps1` -> `win_ping`."""
    return script.removesuffix(".ps1").rsplit(".", 1)[-1]


def run_module(machine: Machine, script: str, arguments: Mapping[str, Any], context: Context) -> Steps[Said]:
    """One module; its JSON is what it says, and its exit code 1 is a failure."""
    name = short_name(script)
    spec = MODULES.get(name)
    if spec is None:
        return _answer({"failed": True, "changed": False, "msg": f"the lab has no module {name} (it has {', '.join(sorted(MODULES))})"}, {})
    check = bool(arguments.get("_ansible_check_mode"))
    if check and not spec.check_mode:
        return _answer({"skipped": True, "changed": False, "msg": f"remote module ({name}) does not support check mode"}, arguments)
    job = Job(machine=machine, name=name, options={}, check=check, wants_diff=bool(arguments.get("_ansible_diff")), context=context)
    try:
        job.options = read_options(name, spec, arguments)
        running = spec.body(job)
        if isinstance(running, types.GeneratorType):
            yield from running
    except Failed as error:
        return _answer({**job.result, "failed": True, "msg": error.msg, **error.fields}, arguments)
    except Denied as error:
        return _answer({**job.result, "failed": True, "msg": f"Unhandled exception while executing module: {error}"}, arguments)
    result = dict(job.result)
    if job.wants_diff and job.diff:
        result["diff"] = job.diff
    if job.warnings:
        result["warnings"] = job.warnings
    return _answer(result, arguments)


def _answer(result: dict[str, Any], arguments: Mapping[str, Any]) -> Said:
    own = {key: value for key, value in arguments.items() if not key.startswith("_ansible")}
    if own:
        result.setdefault("invocation", {"module_args": own})
    text = msgspec.json.encode(result).decode("utf-8")
    return Said(stdout=f"{text}\r\n", code=1 if result.get("failed") else 0)
