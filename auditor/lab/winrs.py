"""Windows remote shells of one host ([MS-WSMV] 3.1.4.1): Create, Command, Send, Receive, Signal, Delete, quotas and idle time.

Owns which shells and commands are open. Must not know HTTP, logons or what commands answer (that is the HostShell's).
Every operation takes a `Call` and gives the answer's action and body, or raises Refusal.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from xml.etree import ElementTree as ET

import msgspec

from auditor.lab import wsman
from auditor.lab.endpoint import Account, HostEndpoint
from auditor.lab.hostile import disguise
from auditor.lab.process import HostShell, Output, Refusal, ShellProcess, SignalCode, Stream
from auditor.lab.wsman import SHELL, SHELL_CMD, TRANSFER, Request, attribute, printable

_LOG = logging.getLogger(__name__)
_RSP = f"{{{SHELL}}}"
_LONGEST_LINE = 8191
"""Characters that cmd.exe takes."""
_ENVELOPE_RESERVE = 3072
"""Bytes of a Receive answer that are not base64."""
_STREAM_BYTES = 160
"""Bytes of an answer that one more Stream element takes."""
_MOST_OPERATIONS = {"2.0": 15}
"""MaxConcurrentOperationsPerUser by stack; 1,500 on later ones."""
_SIGNALS: dict[str, SignalCode] = {f"{SHELL}/signal/{name}": name for name in ("terminate", "ctrl_c", "ctrl_break")}


class Call(msgspec.Struct, frozen=True):
    """One request with who sent it."""

    request: Request
    account: Account
    client: str
    """Address of the client."""


class Reply(msgspec.Struct, frozen=True):
    """Action and body of an answer."""

    action: str
    body: str


Route = Callable[[Call], Awaitable[Reply]]


class _Command:
    """A command of a shell: its process, and output that did not fit into the last answer."""

    def __init__(self, process: ShellProcess, opens_at: float) -> None:
        self.process = process
        self.opens_at = opens_at
        self.left: list[tuple[Stream, bytes]] = []
        self.done = False
        self.exit_code = 0
        self.turn = asyncio.Lock()

    async def collect(self, timeout: float, budget: int) -> tuple[list[tuple[Stream, bytes]], bool]:
        """Up to `budget` bytes of output, and whether that was all there will ever be; nothing and False after the time-out."""
        ends = time.monotonic() + timeout
        if (hold := self.opens_at - time.monotonic()) > 0:
            await asyncio.sleep(min(hold, timeout))
            if hold > timeout:
                return [], False
        while not self.left and not self.done:
            output: Output = await self.process.read(max(0.001, ends - time.monotonic()))
            self.left += output.chunks
            self.done, self.exit_code = output.done, output.exit_code
            if time.monotonic() >= ends:
                break
        taken, self.left = _share(self.left, budget)
        return taken, self.done and not self.left


def _share(chunks: list[tuple[Stream, bytes]], budget: int) -> tuple[list[tuple[Stream, bytes]], list[tuple[Stream, bytes]]]:
    """The chunks that fit into `budget` bytes, neighbours of one stream joined, and the rest."""
    taken: list[tuple[Stream, list[bytes]]] = []
    for index, (stream, data) in enumerate(chunks):
        if not taken or taken[-1][0] != stream:
            budget -= _STREAM_BYTES
            taken.append((stream, []))
        if len(data) > budget > 0:
            taken[-1][1].append(data[:budget])
            data = data[budget:]
        if len(data) > budget:
            return [(s, b"".join(parts)) for s, parts in taken if parts], [(stream, data), *chunks[index + 1 :]]
        taken[-1][1].append(data)
        budget -= len(data)
    return [(s, b"".join(parts)) for s, parts in taken], []


class _Shell:
    """One open shell."""

    def __init__(self, account: Account, request: Request, idle_seconds: float) -> None:
        spec = request.body.find(f"{_RSP}Shell") if request.body is not None else None
        self.id = wsman.new_id()
        self.account = account
        self.idle_seconds = idle_seconds
        self.noprofile = request.options.get("WINRS_NOPROFILE", "").upper() in ("TRUE", "1")
        codepage = request.options.get("WINRS_CODEPAGE", "")
        self.codepage = int(codepage) if codepage.isascii() and codepage.isdigit() and len(codepage) < 6 else 437
        self.directory = _find(spec, "WorkingDirectory")
        self.inputs = _find(spec, "InputStreams").split()
        self.outputs = _find(spec, "OutputStreams").split()
        variables = spec.findall(f"{_RSP}Environment/{_RSP}Variable") if spec is not None else []
        self.environment = {v.get("Name", ""): v.text or "" for v in variables}
        self.commands: dict[str, _Command] = {}
        self.timer: asyncio.TimerHandle | None = None


def _find(parent: ET.Element | None, name: str) -> str:
    return (parent.findtext(f"{_RSP}{name}") or "").strip() if parent is not None else ""


class Shells:
    """All shells of one host. `open_ids` and `owners` may be read from any thread."""

    def __init__(self, endpoint: HostEndpoint, host_shell: HostShell, *, quota: int, idle_seconds: float, largest_envelope: int) -> None:
        self._endpoint = endpoint
        self._host_shell = host_shell
        self._quota = quota
        self._most_operations = _MOST_OPERATIONS.get(endpoint.stack, 1500)
        self._idle_seconds = idle_seconds
        self._largest_envelope = largest_envelope
        self._shells: dict[str, _Shell] = {}
        self.open_ids: tuple[str, ...] = ()

    def routes(self) -> dict[str, Route]:
        """Action to operation, for the resource URI of the command shell."""
        return {
            "Create": self.create,
            "Command": self.command,
            "Send": self.send,
            "Receive": self.receive,
            "Signal": self.signal,
            "Delete": self.delete,
        }

    def close(self) -> None:
        """Ends everything."""
        for shell in list(self._shells.values()):
            self._remove(shell)

    async def create(self, call: Call) -> Reply:
        """Opens a shell. Raises Refusal for the quota of shells a user."""
        mine = [s for s in self._shells.values() if s.account.user == call.account.user]
        if len(mine) >= self._quota:
            raise Refusal(f"this user may have {self._quota} shells at a time and has them", code=wsman.QUOTA_SHELLS)
        asked = _find(call.request.body.find(f"{_RSP}Shell") if call.request.body is not None else None, "IdleTimeOut")
        idle = _idle_seconds(asked, self._idle_seconds)
        shell = _Shell(call.account, call.request, idle)
        self._shells[shell.id] = shell
        self._touch(shell)
        self._publish()
        return Reply(f"{TRANSFER}/CreateResponse", self._created(shell, call.client))

    def _created(self, shell: _Shell, client: str) -> str:
        variables = "".join(f"<rsp:Variable Name={attribute(n)}>{printable(v)}</rsp:Variable>" for n, v in shell.environment.items())
        environment = f"<rsp:Environment>{variables}</rsp:Environment>" if variables else ""
        directory = f"<rsp:WorkingDirectory>{printable(shell.directory)}</rsp:WorkingDirectory>" if shell.directory else ""
        address = f"{self._endpoint.scheme}://{printable(self._endpoint.machine)}{printable(self._endpoint.path)}"
        return (
            f"<x:ResourceCreated><a:Address>{address}</a:Address><a:ReferenceParameters><w:ResourceURI>{SHELL_CMD}</w:ResourceURI>"
            f'<w:SelectorSet><w:Selector Name="ShellId">{shell.id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell.id}</rsp:ShellId><rsp:ResourceUri>{SHELL_CMD}</rsp:ResourceUri>"
            f"<rsp:Owner>{printable(shell.account.user)}</rsp:Owner><rsp:ClientIP>{printable(client)}</rsp:ClientIP>{environment}{directory}"
            f"<rsp:IdleTimeOut>PT{shell.idle_seconds:.3f}S</rsp:IdleTimeOut>"
            f"<rsp:InputStreams>{printable(' '.join(shell.inputs))}</rsp:InputStreams>"
            f"<rsp:OutputStreams>{printable(' '.join(shell.outputs))}</rsp:OutputStreams>"
            "<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity></rsp:Shell>"
        )

    async def command(self, call: Call) -> Reply:
        """Starts a command in a shell."""
        shell = self._shell(call)
        line = call.request.body.find(f"{_RSP}CommandLine") if call.request.body is not None else None
        command = _find(line, "Command")
        if line is None or not command:
            raise Refusal("the command is missing", code=wsman.INVALID_PARAMETER)
        arguments = [a.text or "" for a in line.findall(f"{_RSP}Arguments")]
        skip = call.request.options.get("WINRS_SKIP_CMD_SHELL", "").upper() in ("TRUE", "1")
        if not skip and len(" ".join([command, *arguments])) > _LONGEST_LINE:
            raise Refusal(f"the command line has more than {_LONGEST_LINE} characters", code=wsman.LINE_TOO_LONG)
        mine = [c for s in self._shells.values() if s.account.user == shell.account.user for c in s.commands.values()]
        if len(mine) >= self._most_operations:
            raise Refusal(f"this user may run {self._most_operations} operations at a time", code=wsman.QUOTA_OPERATIONS)
        command_id = self._start(shell, command, arguments, skip)
        return Reply(f"{SHELL}/CommandResponse", f"<rsp:CommandResponse><rsp:CommandId>{command_id}</rsp:CommandId></rsp:CommandResponse>")

    def _start(self, shell: _Shell, command: str, arguments: list[str], skip: bool) -> str:
        process = self._host_shell.start(
            command,
            arguments,
            user=shell.account.user,
            role=shell.account.role,
            skip_cmd_shell=skip,
            environment=shell.environment,
            codepage=shell.codepage,
            noprofile=shell.noprofile,
        )
        command_id = wsman.new_id()
        behaviour = self._endpoint.behaviour
        shell.commands[command_id] = _Command(disguise(process, behaviour), time.monotonic() + behaviour.run_ms / 1000)
        return command_id

    async def send(self, call: Call) -> Reply:
        """Feeds standard input."""
        shell = self._shell(call)
        if "stdin" not in shell.inputs:
            raise Refusal("this shell was opened without standard input", code=wsman.INVALID_PARAMETER)
        streams = call.request.body.findall(f"{_RSP}Send/{_RSP}Stream") if call.request.body is not None else []
        if not streams:
            raise Refusal("there is no stream to send", code=wsman.INVALID_BODY)
        for stream in streams:
            command = self._command(shell, stream.get("CommandId", ""))
            if stream.get("Name") != "stdin":
                raise Refusal("the only stream to send is stdin", code=wsman.INVALID_PARAMETER)
            try:
                data = base64.b64decode("".join((stream.text or "").split()), validate=True)
            except (binascii.Error, ValueError) as error:
                raise Refusal("the stream is no base64", code=wsman.INVALID_PARAMETER) from error
            command.process.feed(data, stream.get("End", "").lower() in ("true", "1"))
        return Reply(f"{SHELL}/SendResponse", "<rsp:SendResponse/>")

    async def receive(self, call: Call) -> Reply:
        """Output of a command, as much as the answer may hold. Raises Refusal when none came in time."""
        shell = self._shell(call)
        wanted = call.request.body.find(f"{_RSP}Receive/{_RSP}DesiredStream") if call.request.body is not None else None
        command_id = wanted.get("CommandId", "").upper() if wanted is not None else ""
        command = self._command(shell, command_id)
        budget = min(call.request.max_envelope, self._largest_envelope) - _ENVELOPE_RESERVE
        async with command.turn:
            chunks, done = await command.collect(call.request.timeout_seconds, max(1024, budget * 3 // 4))
        if shell.id in self._shells:
            self._touch(shell)
        if not chunks and not done:
            raise Refusal("the operation did not finish within OperationTimeout", code=wsman.OPERATION_TIMED_OUT)
        return Reply(f"{SHELL}/ReceiveResponse", _received(command_id, chunks, command.exit_code if done else None))

    async def signal(self, call: Call) -> Reply:
        """Passes a signal on; after `terminate`, or once it has ended, the command is forgotten."""
        shell = self._shell(call)
        signal = call.request.body.find(f"{_RSP}Signal") if call.request.body is not None else None
        command_id = signal.get("CommandId", "").upper() if signal is not None else ""
        command = self._command(shell, command_id)
        code = _SIGNALS.get(_find(signal, "Code"))
        if code is None:
            raise Refusal("this signal is not known", code=wsman.INVALID_PARAMETER)
        command.process.signal(code)
        if code == "terminate" or (command.done and not command.left):
            command.process.terminate()
            del shell.commands[command_id]
        return Reply(f"{SHELL}/SignalResponse", "<rsp:SignalResponse/>")

    async def delete(self, call: Call) -> Reply:
        """Closes a shell and ends its commands."""
        self._remove(self._shell(call))
        return Reply(f"{TRANSFER}/DeleteResponse", "")

    def _shell(self, call: Call) -> _Shell:
        shell = self._shells.get(call.request.shell_id)
        if shell is None:
            raise Refusal("there is no shell with this id: it was closed or never opened", code=wsman.INVALID_SELECTORS)
        if shell.account.user != call.account.user:
            raise Refusal("the shell belongs to another user", code=wsman.ACCESS_DENIED)
        self._touch(shell)
        return shell

    def _command(self, shell: _Shell, command_id: str) -> _Command:
        command = shell.commands.get(command_id.upper())
        if not command_id:
            raise Refusal("the command's id is missing", code=wsman.INVALID_PARAMETER)
        if command is None:
            raise Refusal("there is no command with this id: it has ended or was never started", code=wsman.INVALID_SELECTORS)
        return command

    def _touch(self, shell: _Shell) -> None:
        if shell.timer:
            shell.timer.cancel()
        shell.timer = asyncio.get_running_loop().call_later(shell.idle_seconds, functools.partial(self._remove, shell))

    def _remove(self, shell: _Shell) -> None:
        if shell.timer:
            shell.timer.cancel()
        for command in shell.commands.values():
            command.process.terminate()
        shell.commands.clear()
        self._shells.pop(shell.id, None)
        self._publish()

    def _publish(self) -> None:
        self.open_ids = tuple(self._shells)


def _idle_seconds(asked: str, usual: float) -> float:
    seconds = wsman.read_duration(asked) if asked else None
    if asked and seconds is None and asked.isascii() and asked.isdigit() and len(asked) < 10:
        seconds = float(asked)
    if asked and not seconds:
        raise Refusal("IdleTimeOut is no duration", code=wsman.INVALID_PARAMETER)
    return seconds or usual


def _received(command_id: str, chunks: list[tuple[Stream, bytes]], exit_code: int | None) -> str:
    name = attribute(command_id)
    parts = [f'<rsp:Stream Name="{s}" CommandId={name}>{base64.b64encode(data).decode("ascii")}</rsp:Stream>' for s, data in chunks]
    if exit_code is None:
        state = f'<rsp:CommandState CommandId={name} State="{SHELL}/CommandState/Running"/>'
    else:
        parts += [f'<rsp:Stream Name="{s}" CommandId={name} End="true"/>' for s in ("stdout", "stderr")]
        state = (
            f'<rsp:CommandState CommandId={name} State="{SHELL}/CommandState/Done"><rsp:ExitCode>{exit_code}</rsp:ExitCode>'
            "</rsp:CommandState>"
        )
    return f"<rsp:ReceiveResponse>{''.join(parts)}{state}</rsp:ReceiveResponse>"
