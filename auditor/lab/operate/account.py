"""What a lab host does with the operator's commands as they come over WinRM: Ansible's wrapper on standard input, scripts, command lines.

Owns one running command, from its line to its exit code. The machine's agenda runs it; the server's loop looks after it until it has ended.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate import wrapper
from auditor.lab.operate.commands import run_line
from auditor.lab.operate.journal import Journal, safe_arguments
from auditor.lab.operate.modules import run_module, short_name
from auditor.lab.operate.powershell import PowerShell
from auditor.lab.operate.said import Context, Said
from auditor.lab.operate.transfer import run_action
from auditor.lab.operate.words import not_recognized
from auditor.lab.process import BufferedProcess

_POWERSHELL = re.compile(r"(?i)\s*(?:\S*\\)?powershell(?:\.exe)?\s(.*)$", re.DOTALL)
_ENCODED = re.compile(r"(?i)(?:^|\s)-e(?:c|nc|ncodedcommand)?\s+(\S+)")
_COMMAND = re.compile(r"(?i)(?:^|\s)-c(?:ommand)?\s+(.*)$", re.DOTALL)
_LOOK_SECONDS = 0.05
"""How often a running command is looked at, so that it ends when its time has come."""
BAD_ENCODING = "Cannot process the command because the value specified with -EncodedCommand is not properly encoded.\r\n"


class OperatorProcess(BufferedProcess):
    """One command of the operator's account."""

    def __init__(self, machine: Machine, line: str, user: str, codepage: int, clock: Callable[[], datetime], journal: Journal) -> None:
        super().__init__()
        self._machine = machine
        self._clock = clock
        self._journal = journal
        self._context = Context(user=user)
        self._encoding = "utf-8" if codepage == 65001 else f"cp{machine.facts.system.code_page}"
        self._process: Any = None
        self._older = False
        script = powershell_script(line)
        machine.agenda.settle(clock())
        if script is None:
            self._journal.add(machine.name, "line", line)
            self._run("cmd.exe", run_line(machine, line, self._context))
        elif machine.facts.system.powershell == "none":
            self._end(not_recognized(machine, "PowerShell"))
        elif isinstance(script, Said):
            self._end(script)
        elif wrapper.is_bootstrap(script) or wrapper.is_older_bootstrap(script):
            self._older = wrapper.is_older_bootstrap(script)  # everything else stands on standard input
        else:
            self._journal.add(machine.name, "powershell", script)
            self._run("powershell.exe", PowerShell(machine, self._context).run(script))

    def on_input_end(self, data: bytes) -> None:
        """Standard input of the wrapper."""
        if self._process is None and not self.done:
            self._machine.agenda.settle(self._clock())
            self._run("powershell.exe", self._wrapped(data))

    def _wrapped(self, data: bytes) -> Steps[Said]:
        machine = self._machine
        numbers = tuple(int(part) for part in machine.facts.system.powershell.split(".")[:2])
        if numbers < wrapper.LOWEST:
            self._journal.add(machine.name, "wrapper", "refused", powershell=machine.facts.system.powershell)
            return Said(stdout=wrapper.TOO_OLD, code=1)
        if self._older:
            return _failed("this lab understands the exec wrapper of ansible-core 2.19 and later, not that of older ones")
        try:
            sent = wrapper.read_sent(data)
        except wrapper.WrapperError as error:
            return _failed(str(error))
        if sent.action != wrapper.MODULE_WRAPPER:
            self._journal.add(machine.name, "file", sent.action, arguments=safe_arguments(sent.parameters))
            yield 0.0
            return run_action(machine, sent, self._context)
        further = [action for action in sent.actions[:-1] if action != "coverage_wrapper.ps1"]
        if further:
            return _failed(f"the lab does not carry out {further[0]} (become and async need a real host)")
        arguments = sent.arguments or {}
        check = bool(arguments.get("_ansible_check_mode"))
        said = yield from run_module(machine, sent.script, arguments, self._context)
        what = {"arguments": safe_arguments(arguments), "check": check, "code": said.code}
        self._journal.add(machine.name, "module", short_name(sent.script), **what)
        return said

    def _run(self, name: str, steps: Steps[Said]) -> None:
        self._process = self._machine.agenda.run(name, self._context.user, steps)
        self._look()

    def _look(self) -> None:
        """Hands the result out once there is one; a process that was ended by a restart ends with its host's connections."""
        if self.done:
            return
        self._machine.agenda.settle(self._clock())
        if self._process.ended:
            self._end(self._process.result if isinstance(self._process.result, Said) else Said(code=1))
        else:
            asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look)

    def _end(self, said: Said) -> None:
        self.write("stdout", said.stdout.encode(self._encoding, "replace"))
        self.write("stderr", said.stderr.encode(self._encoding, "replace"))
        self.finish(said.code)

    def terminate(self) -> None:
        """Ends the command with its shell: nothing of it goes on in the background."""
        if self._process is not None and not self._process.ended:
            self._machine.agenda.end(self._process)
        super().terminate()


def _failed(reason: str) -> Said:
    text = reason.replace("\\", "\\\\").replace('"', '\\"')
    return Said(stdout=f'{{"failed":true,"msg":"{text}"}}\r\n', code=1)


def powershell_script(line: str) -> str | Said | None:
    """The script that a line hands to powershell.exe, or what powershell.exe says of the line; None for other lines."""
    match = _POWERSHELL.match(line)
    if match is None:
        return "" if re.fullmatch(r"(?i)\s*(\S*\\)?powershell(\.exe)?\s*", line) else None
    if encoded := _ENCODED.search(match.group(1)):
        try:
            return base64.b64decode(encoded.group(1), validate=True).decode("utf-16-le")
        except (binascii.Error, ValueError):
            return Said(stderr=BAD_ENCODING, code=1)
    command = _COMMAND.search(match.group(1))
    return command.group(1).strip().strip('"') if command else ""
