"""win_powershell of ansible.windows: a script with its parameters, `$Ansible`, check mode, and what it gives as objects.

The script is read by the lab's PowerShell, which knows a small part of the language; besides statements there are `param`, `if` without
`else`, and assignments to members of `$Ansible` here. What it does not know is an error that names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate.cmdlets import CmdletError, as_text, flat
from auditor.lab.operate.module import Failed, Job, ModuleSpec, Option
from auditor.lab.operate.powershell import Exits, PowerShell
from auditor.lab.operate.ps_parse import ParseError, bracket_end, pipeline, statements
from auditor.lab.operate.said import Context

_HEAD = re.compile(r"(?is)\s*(?P<binding>\[CmdletBinding\([^)]*\)\])?\s*param\s*(?=\()")
_PARAMETER = re.compile(r"(?:\[(?P<type>[A-Za-z.]+(?:\[\])?)\]\s*)?\$(?P<name>\w+)")
_MEMBER = re.compile(r"(?is)\$Ansible\.(\w+)\s*=\s*(.+)")
_IF = re.compile(r"(?i)if\s*(?=\()")
_NOT = re.compile(r"(?is)-not\s+(.+)")


class _Script(PowerShell):
    """One run of a script inside the module."""

    def __init__(self, machine: Machine, context: Context, ansible: dict[str, Any], *, stops: bool) -> None:
        super().__init__(machine, context)
        self.ansible = self.values.names["ansible"] = ansible
        self.output: list[Any] = []
        self.errors: list[str] = []
        self._stops = stops

    def emit(self, found: Any) -> None:
        """The module hands objects on."""
        self.output += flat(found)

    def _fail(self, text: str) -> None:
        self.errors.append(text)
        self.good = False
        if self._stops:
            raise Exits(1)

    def _statement(self, text: str, commands: list[str]) -> Steps[None]:
        if match := _MEMBER.fullmatch(text):
            name = next((name for name in self.ansible if name.lower() == match.group(1).lower()), match.group(1))
            try:
                self.ansible[name] = self.values.expression(match.group(2))
            except CmdletError as error:
                self._fail(str(error))
        elif _IF.match(text):
            yield from self._conditional(text)
        else:
            yield from super()._statement(text, commands)

    def _conditional(self, text: str) -> Steps[None]:
        start = text.index("(")
        end = bracket_end(text, start)
        block = text[end + 1 :].strip()
        if not block.startswith("{") or bracket_end(block, 0) != len(block) - 1:
            self._fail(f"the lab's PowerShell carries out `if` with one block only: {text[:80]}")
            return
        if self._true(text[start + 1 : end].strip()):
            for inner in statements(block[1:-1]):
                yield from self._statement(inner, pipeline(inner))

    def _true(self, condition: str) -> bool:
        turned = _NOT.fullmatch(condition)
        try:
            value = self.values.expression(turned.group(1) if turned else condition)
        except CmdletError as error:
            self._fail(str(error))
            return False
        members = flat(value)
        truth = any(members) if len(members) < 2 else True
        return not truth if turned else truth


def _powershell(job: Job) -> Steps[None]:
    script: str = job["script"]
    head = _HEAD.match(script)
    binds = bool(head and head.group("binding") and "SupportsShouldProcess" in head.group("binding"))
    if job.check and not binds:
        job.result |= {"changed": True, "msg": "skipped, running in check mode"}
        return
    ansible: dict[str, Any] = {"CheckMode": job.check, "Verbosity": 0, "Result": {}, "Diff": {}, "Changed": True, "Failed": False}
    shell = _Script(job.machine, job.context, ansible, stops=job["error_action"] == "stop")
    body = script
    try:
        if head:
            end = bracket_end(script, head.end())
            _bind(shell, script[head.end() : end + 1], job["parameters"] or {})
            body = script[end + 1 :]
        yield from shell.run(body)
    except ParseError as error:
        shell.errors.append(str(error))
        ansible["Failed"] = True
    _tell(job, shell)


def _bind(shell: _Script, block: str, given: Mapping[str, Any]) -> None:
    """Parameters as variables, in the types that the script declares. Raises Failed for those that it does not have."""
    declared = {match.group("name").lower(): (match.group("type") or "").lower() for match in _PARAMETER.finditer(block)}
    for name in given:
        if name.lower() not in declared:
            raise Failed("", error=[_error(f"A parameter cannot be found that matches parameter name '{name}'.")])
    values = {name.lower(): value for name, value in given.items()}
    for name, kind in declared.items():
        value = values.get(name)
        if kind.endswith("[]"):
            value = flat(value)
        elif kind == "string":
            value = as_text(value)
        shell.values.names[name] = value


def _tell(job: Job, shell: _Script) -> None:
    ansible = shell.ansible
    stopped = bool(shell.errors) and job["error_action"] == "stop"
    if isinstance(ansible["Diff"], Mapping):
        job.diff |= ansible["Diff"]
    job.result |= {
        "changed": bool(ansible["Changed"]),
        "failed": bool(ansible["Failed"]) or stopped,
        "result": ansible["Result"],
        "output": shell.output,
        "error": [_error(text) for text in shell.errors],
        "host_out": shell.stdout,
        "host_err": shell.stderr,
        "warning": [],
        "verbose": [],
        "debug": [],
        "information": [],
    }


def _error(text: str) -> dict[str, Any]:
    return {"output": f"{text}\r\n", "exception": {"message": text, "type": "System.Management.Automation.RuntimeException"}}


MODULES: Mapping[str, ModuleSpec] = {
    "win_powershell": ModuleSpec(
        options={
            "script": Option(required=True),
            "parameters": Option(type="dict"),
            "error_action": Option(default="continue", choices=("silently_continue", "continue", "stop")),
            "depth": Option(type="int", default=2),
        },
        body=_powershell,
    ),
}
