"""One host over pywinrm: one connection, one shell, one command, its input sent, its output taken, the shell closed.

It owns the order of these and that the shell is always closed. It interprets nothing of what the host printed. A command that
may have started is never sent again. Where a second way to ask is given, that goes over the same connection, shell or none.
"""

from __future__ import annotations

import base64
import contextlib
import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from typing import Protocol as Shape

import msgspec
from defusedxml.ElementTree import fromstring
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from auditor.collect.budget import SUSPICIOUS, Budget
from auditor.collect.messages import ENVELOPE_BYTES, message
from auditor.collect.pace import close_seconds
from auditor.collect.reasons import reason_for
from auditor.collect.transport import Ways, WinrmTransport
from auditor.model.credential import Credential
from auditor.model.errors import CollectError
from auditor.model.host import Target

_log = logging.getLogger(__name__)
OPERATION_SECONDS = 20
"""The time after which a host is to answer a Receive with nothing; `transport.REPLY_SECONDS` is longer."""
IDLE_SECONDS = 180
"""The host ends a shell that nobody asks for so long: what is left when our side dies."""
PIECE_BYTES = 90_000
"""Input a Send: below the 150 KB of the smallest default envelope after base64 and sealing."""
CODE_PAGE = 437
"""Of the shell; input and output are ASCII, and no Windows lacks this one."""
_ENDED = re.compile(rb"#AUD1 END \d{1,3}\r?\n\s*$")


class Told(msgspec.Struct):
    """What a host printed, as far as it arrived, and what ended it."""

    output: bytearray = msgspec.field(default_factory=bytearray)
    complaints: bytearray = msgspec.field(default_factory=bytearray)
    exit_code: int | None = None
    failure: CollectError | None = None
    """Why it is not whole; None where the command ended by itself."""
    first_output_at: datetime | None = None
    """The collector's clock (UTC) when the first output arrived."""
    step: str = ""
    """What was being done when it failed."""
    clean: bool = True
    """Whether the connection can go on: every reply was read to its end."""


class SecondWay(Shape):
    """Another way to ask than a command in a shell."""

    only: bool
    """Whether no command is to be tried."""

    def wanted(self, told: Told) -> bool:
        """Whether what the command brought makes it worth trying."""

    def ask(self, protocol: Protocol) -> None:
        """Ask over an open connection. Keeps what it learns; raises whatever goes wrong."""

    def fail(self, reason: CollectError) -> None:
        """Take note of why it ended early."""


class ShellProtocol(Protocol):
    """pywinrm's messages over our transport. Its own constructor would make a transport of its own and change warning filters."""

    def __init__(self, transport: WinrmTransport) -> None:
        self.transport: Any = transport
        self.max_env_sz = ENVELOPE_BYTES
        self.locale = Protocol.DEFAULT_LOCALE

    @property
    def operation_timeout_sec(self) -> int:  # type: ignore[override]
        """Never longer than what is left of the host's time."""
        return max(1, min(OPERATION_SECONDS, int(self.transport.budget.seconds_left) - 1))

    def open_shell(self, **options: Any) -> str:  # type: ignore[override]
        """See pywinrm."""
        root, _ = self._say("create", **options)
        return next(node.text for node in root.iter() if node.get("Name") == "ShellId") or ""

    def run_command(self, shell_id: str, command: str, **options: Any) -> str:  # type: ignore[override]
        """See pywinrm."""
        root, _ = self._say("command", shell_id=shell_id, command=command, **options)
        return next(node.text for node in root.iter() if node.tag.endswith("CommandId")) or ""

    def send_command_input(self, shell_id: str, command_id: str, stdin_input: str | bytes, end: bool = False) -> None:
        """See pywinrm."""
        given = stdin_input.encode("ascii") if isinstance(stdin_input, str) else stdin_input
        text, _ = message("send", self.operation_timeout_sec, shell_id=shell_id, command_id=command_id, given=given, end=end)
        self.send_message(text)

    def get_command_output_raw(self, shell_id: str, command_id: str) -> tuple[bytes, bytes, int, bool]:
        """See pywinrm."""
        root, _ = self._say("receive", shell_id=shell_id, command_id=command_id)
        found: dict[str | None, list[bytes]] = {"stdout": [], "stderr": []}
        code, done = -1, False
        for node in root.iter():
            if node.tag.endswith("Stream") and node.text and node.get("Name") in found:
                found[node.get("Name")].append(base64.b64decode(node.text.encode("ascii")))
            done = done or (node.get("State") or "").endswith("CommandState/Done")
            code = int(node.text or -1) if node.tag.endswith("ExitCode") else code
        return b"".join(found["stdout"]), b"".join(found["stderr"]), code if done else -1, done

    def close_shell(self, shell_id: str, close_session: bool = True) -> None:
        """See pywinrm. Raises ValueError for a reply to something else."""
        root, number = self._say("delete", shell_id=shell_id)
        related = next(node.text for node in root.iter() if node.tag.endswith("RelatesTo")) or ""
        if close_session:
            self.transport.close_session()
        if related.replace("uuid:", "").lower() != number:
            raise ValueError("the reply is to another message")

    def _say(self, name: str, **options: Any) -> tuple[Any, str]:
        """The reply to one message, and the message's id."""
        text, number = message(name, self.operation_timeout_sec, **options)
        return fromstring(self.send_message(text), forbid_dtd=True), number


class HostSession:
    """Asks one host once."""

    def __init__(
        self,
        target: Target,
        credential: Credential,
        ways: Ways,
        stop: threading.Event,
        *,
        deadline_seconds: float,
        answer_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._target = target
        self._credential = credential
        self._ways = ways
        self._answer_bytes = answer_bytes
        self._close_seconds = close_seconds(deadline_seconds)
        self._now = now
        self._budget = Budget(target.name, deadline_seconds - self._close_seconds, 2 * answer_bytes + 1024 * 1024, stop)

    def ask(self, command: str, standard_input: Callable[[float], bytes], second: SecondWay | None = None) -> Told:
        """Run the command with the input that suits the seconds left when it is sent. Never raises for what the host does.

        `failure` says what went wrong.

        Where it brought nothing that the second way could not better, that is tried too, before the shell is closed.
        """
        told = Told()
        transport = WinrmTransport(self._target, self._credential, self._budget, self._ways)
        shell: str | None = None
        try:
            transport.open()
            if second is None or not second.only:
                shell = self._open_shell(transport)
                self._run(ShellProtocol(transport), shell, command, standard_input, told)
        except Exception as error:  # noqa: BLE001  (whatever a hostile answer makes a library raise ends here)
            told.step = self._budget.step
            told.clean = isinstance(error, WSManFaultError)
            told.failure = self._reason(error)
        try:
            if second is not None and told.clean and second.wanted(told):
                told.clean = self._ask_second(transport, second)
        finally:
            if shell is not None:
                self._close(transport, shell, healthy=told.clean)
            transport.close_session()
        return told

    def _ask_second(self, transport: WinrmTransport, second: SecondWay) -> bool:
        """Whether the connection can go on afterwards."""
        try:
            with self._budget.phase("asking over WMI", self._budget.seconds_left):
                second.ask(ShellProtocol(transport))
        except Exception as error:  # noqa: BLE001  (as above)
            second.fail(self._reason(error))
            return isinstance(error, WSManFaultError) or (isinstance(error, CollectError) and not error.host)
        return True

    def _reason(self, error: Exception) -> CollectError:
        reason = reason_for(error, self._target, self._budget.step)
        _log.info("host %s: %s after %s while %s", self._target.name, reason.status, type(error).__name__, self._budget.step)
        return reason

    def _open_shell(self, transport: WinrmTransport) -> str:
        with self._budget.phase("opening the shell", self._budget.seconds_left):
            shell = ShellProtocol(transport).open_shell(noprofile=True, codepage=CODE_PAGE, idle_timeout=f"PT{IDLE_SECONDS}S")
        if not shell:
            raise ValueError("no shell id")
        return shell

    def _run(self, protocol: ShellProtocol, shell: str, command: str, standard_input: Callable[[float], bytes], told: Told) -> None:
        left = self._budget.seconds_left
        with self._budget.phase("starting the probe", left):
            # Standard input is a pipe, not a console, and cmd.exe starts the command as it does for everyone.
            command_id = protocol.run_command(shell, command, console_mode_stdin=False, skip_cmd_shell=False)
        with self._budget.phase("sending the probe", left), contextlib.suppress(WSManFaultError):
            # A command that ended at once takes no more input; what it printed says why, so that is read next.
            self._send(protocol, shell, command_id, standard_input(self._budget.seconds_left))
        with self._budget.phase("waiting for the answer", left):
            self._receive(protocol, shell, command_id, told)

    def _send(self, protocol: ShellProtocol, shell: str, command_id: str, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            # A host under load may say that the time of the operation is over; the input has arrived all the same.
            with contextlib.suppress(WinRMOperationTimeoutError):
                protocol.send_command_input(shell, command_id, data[start : start + PIECE_BYTES], end=start + PIECE_BYTES >= len(data))

    def _receive(self, protocol: ShellProtocol, shell: str, command_id: str, told: Told) -> None:
        quiet = 0.05
        done = False
        while not done:
            started = time.monotonic()
            try:
                output, complaints, code, done = protocol.get_command_output_raw(shell, command_id)
            except WinRMOperationTimeoutError:
                output, complaints, code = b"", b"", -1
            if output and told.first_output_at is None:
                told.first_output_at = self._now().astimezone(UTC)
            told.output += output
            told.complaints += complaints
            if len(told.output) + len(told.complaints) > self._answer_bytes:
                raise CollectError(
                    self._target.name, f"the answer is larger than {self._answer_bytes} bytes; given up", next_step=SUSPICIOUS
                )
            told.exit_code = code if done else None
            # The END line says that all is there; waiting for the process to end would be a round trip for nothing.
            done = done or bool(_ENDED.search(told.output, max(0, len(told.output) - 100)))
            if output or complaints:
                quiet = 0.05
            elif not done and time.monotonic() - started < 1:
                self._budget.pause(quiet)
                quiet = min(2.0, quiet * 2)

    def _close(self, transport: WinrmTransport, shell: str, *, healthy: bool) -> None:
        """Delete the shell, over the same connection or, where that is not to be trusted any more, over a new one. Bounded in time."""
        budget = Budget(self._target.name, self._close_seconds, 1024 * 1024, threading.Event())
        fresh = WinrmTransport(self._target, self._credential, budget, self._ways)
        try:
            if healthy:
                self._budget.tidy(self._close_seconds)
                with self._budget.phase("closing the shell", self._close_seconds):
                    ShellProtocol(transport).close_shell(shell, close_session=False)
                return
            transport.close_session()
            fresh.open()
            ShellProtocol(fresh).close_shell(shell, close_session=False)
        except Exception as error:  # noqa: BLE001  (the answer is there already; the host's idle time-out closes what we could not)
            _log.warning(
                "host %s: shell not closed (%s); it ends by itself after %d s", self._target.name, type(error).__name__, IDLE_SECONDS
            )
        finally:
            fresh.close_session()
