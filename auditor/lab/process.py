"""What stands behind a lab host's WinRM service: the contract between the server and the shells, and a buffer to build on.

Owns: `HostShell`, `ShellProcess`, `Output`, `Refusal`, `BufferedProcess`. Must not know SOAP, HTTP or what a host answers.
Every method is called on the server's event loop thread, so none may block; work of more than a few milliseconds belongs
into pieces (`asyncio.get_running_loop().call_later`) or is made ready before the server starts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from auditor.model.errors import AuditorError

Stream = Literal["stdout", "stderr"]
Role = Literal["auditor", "operator"]
SignalCode = Literal["terminate", "ctrl_c", "ctrl_break"]

CONTROL_C_EXIT = 0xC000013A
"""Exit code of a Windows process that ended by Ctrl-C (STATUS_CONTROL_C_EXIT)."""


class Refusal(AuditorError):
    """A host refuses what was asked; becomes a SOAP fault. `code` is a Win32, HRESULT or WS-Management code (0x5 is access denied)."""

    def __init__(self, reason: str, *, code: int = 5) -> None:
        super().__init__(reason)
        self.code = code


class Output(msgspec.Struct, frozen=True):
    """What a process has written since it was last read."""

    chunks: tuple[tuple[Stream, bytes], ...] = ()
    done: bool = False
    """Whether it has ended and nothing more will come."""
    exit_code: int = 0
    """Holds once done; 0 to 0xFFFFFFFF."""


class ShellProcess(Protocol):
    """One running command of a host."""

    def feed(self, data: bytes, end: bool) -> None:
        """Bytes for standard input; `end` closes it. Raises Refusal."""

    async def read(self, timeout: float) -> Output:
        """What was written since the last call; waits up to `timeout` seconds for something, then gives an empty Output."""

    def signal(self, code: SignalCode) -> None:
        """What the client asked for by Signal; a process that ignores Ctrl-C is allowed."""

    def terminate(self) -> None:
        """End now: the shell is being deleted or the server stops. Nothing is read afterwards."""


class HostShell(Protocol):
    """What a host does with the commands it is sent; one object a host, used by all its clients."""

    def start(
        self,
        command: str,
        arguments: list[str],
        *,
        user: str,
        role: Role,
        skip_cmd_shell: bool,
        environment: Mapping[str, str],
        codepage: int,
        noprofile: bool,
    ) -> ShellProcess:
        """Start a command. `user` is the account's name as configured. Raises Refusal."""


class BufferedProcess:
    """A ShellProcess to build on: collects standard input, hands out what `write` was given, ends with `finish`.

    Override `on_input_end` (called once, with all of standard input) or `feed`; call `write` and `finish` from there, from the
    constructor or from a timer of the loop. `limit_bytes` bounds standard input; more is refused.
    """

    def __init__(self, *, limit_bytes: int = 64 * 1024 * 1024) -> None:
        self._limit = limit_bytes
        self._input = bytearray()
        self._input_ended = False
        self._chunks: list[tuple[Stream, bytes]] = []
        self._done = False
        self._exit_code = 0
        self._ready = asyncio.Event()

    @property
    def done(self) -> bool:
        """Whether `finish` was called."""
        return self._done

    def write(self, stream: Stream, data: bytes) -> None:
        """Give bytes to the client; after `finish` they are dropped."""
        if data and not self._done:
            self._chunks.append((stream, data))
            self._ready.set()

    def finish(self, exit_code: int = 0) -> None:
        """End the process; the first exit code counts."""
        if not self._done:
            self._done = True
            self._exit_code = exit_code & 0xFFFFFFFF
            self._ready.set()

    def on_input_end(self, data: bytes) -> None:
        """All of standard input has arrived. Does nothing here."""

    def feed(self, data: bytes, end: bool) -> None:
        """See ShellProcess. Raises Refusal after the end of input and beyond the limit."""
        if self._input_ended or self._done:
            raise Refusal("standard input of this command is closed", code=0xE8)
        if len(self._input) + len(data) > self._limit:
            raise Refusal("standard input is larger than this host takes", code=0x8)
        self._input += data
        if end:
            self._input_ended = True
            self.on_input_end(bytes(self._input))

    async def read(self, timeout: float) -> Output:
        """See ShellProcess."""
        if not self._ready.is_set():
            try:
                await asyncio.wait_for(self._ready.wait(), timeout)
            except TimeoutError:
                return Output()
        chunks, self._chunks = tuple(self._chunks), []
        if not self._done:
            self._ready.clear()
        return Output(chunks, self._done, self._exit_code)

    def signal(self, code: SignalCode) -> None:
        """Ends the process, as Windows does with one that handles no Ctrl-C."""
        self.finish(1 if code == "terminate" else CONTROL_C_EXIT)

    def terminate(self) -> None:
        """Ends the process."""
        self.finish(1)
