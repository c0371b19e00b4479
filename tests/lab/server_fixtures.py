"""What the tests of the lab's server need: a small host shell, hosts, and clients on top of unmodified pywinrm."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from winrm.protocol import Protocol

from auditor.lab.misbehave import Behaviour
from auditor.lab.process import BufferedProcess, Refusal, Role
from auditor.lab.server import Account, HostEndpoint, LabServer

AUDITOR = Account(user="auditor", password="Prüf:Geheim1", role="auditor")
OPERATOR = Account(user="LAB\\operator", password="Betrieb!2", role="operator")
CHINESE = "计划任务 复制 Größe"


class _Counter(BufferedProcess):
    """Says how many bytes of standard input it got, and their sum."""

    def on_input_end(self, data: bytes) -> None:
        self.write("stdout", f"{len(data)} {sum(data) & 0xFFFFFFFF}".encode())
        self.finish()


class _Stubborn(BufferedProcess):
    """Says something now, the rest when it is signalled."""

    def __init__(self) -> None:
        super().__init__()
        self.write("stdout", b"sleeping")


def _process(command: str, arguments: list[str], facts: Mapping[str, Any]) -> BufferedProcess:
    if command == "count" or (command, *arguments) == ("powershell.exe", "-"):
        return _Counter()
    if command == "sleep":
        return _Stubborn()
    process = BufferedProcess()
    if command == "echo":
        process.write("stdout", " ".join(arguments).encode())
    elif command == "facts":
        process.write("stdout", repr(sorted(facts.items())).encode())
    elif command == "big":
        process.write("stdout", big(int(arguments[0])))
    elif command == "mixed":
        for number in range(500):
            process.write("stdout" if number % 2 else "stderr", b"%d\n" % number)
    elif command == "late":
        asyncio.get_running_loop().call_later(float(arguments[0]), _end, process)
        return process
    elif command.lower().rpartition("\\")[2].startswith("powershell"):
        process.write("stdout", CHINESE.encode())
    else:
        process.write("stderr", b"no such command")
        process.finish(3)
    process.finish()
    return process


def _end(process: BufferedProcess) -> None:
    process.write("stdout", b"late")
    process.finish(7)


def big(size: int) -> bytes:
    """Bytes that show a lost or doubled piece."""
    return b"".join(b"%08d\n" % n for n in range(size // 9 + 1))[:size]


class SmallShell:
    """echo, count (standard input), sleep (until signalled), late, big N, mixed, facts; forbidden is refused; anything else fails."""

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
    ) -> BufferedProcess:
        """See HostShell."""
        if command == "forbidden":
            raise Refusal("this account may not do that")
        if skip_cmd_shell and command.endswith(".exe") and "\\" not in command:
            raise Refusal("without cmd.exe nobody looks the file up in PATH", code=0x80070002)
        if command == "crash":
            raise ZeroDivisionError("a fault of the host shell")
        facts = {"user": user, "role": role, "skip": skip_cmd_shell, "env": dict(environment), "cp": codepage, "noprofile": noprofile}
        return _process(command, arguments, facts)


def host(name: str = "srva", fault: str | None = None, **more: Any) -> HostEndpoint:
    """A host with both accounts; `fault`, `at`, `latency_ms` ... go into its behaviour."""
    behaviour = {key: more.pop(key) for key in list(more) if key in Behaviour.__struct_fields__}
    made = Behaviour(fault=fault, **behaviour)  # type: ignore[arg-type]
    return HostEndpoint(name=name, accounts=(AUDITOR, OPERATOR), behaviour=made, **more)


@contextlib.contextmanager
def running(state: Path, *hosts: HostEndpoint) -> Iterator[LabServer]:
    """A server with these hosts, each with a SmallShell."""
    with LabServer(hosts, {h.name: SmallShell() for h in hosts}, state) as server:
        yield server


@contextlib.contextmanager
def client(server: LabServer, name: str = "srva", account: Account = AUDITOR, **options: Any) -> Iterator[Protocol]:
    """An unmodified pywinrm client of a host, by NTLM unless told otherwise; its connections are closed at the end."""
    settings: dict[str, Any] = {"transport": "ntlm", "proxy": None, "ca_trust_path": str(server.ca_file), **options}
    settings.setdefault("read_timeout_sec", 10)
    settings.setdefault("operation_timeout_sec", 5)
    user, password = settings.pop("user", account.user), settings.pop("password", account.password)
    protocol = Protocol(server.url(name), username=user, password=password, **settings)
    try:
        yield protocol
    finally:
        protocol.transport.close_session()


def run(protocol: Protocol, command: str, *arguments: str, stdin: bytes | None = None, **options: Any) -> tuple[bytes, bytes, int]:
    """One command in a shell of its own: standard output, standard error, exit code."""
    shell = protocol.open_shell(codepage=65001)
    try:
        result = _run_in(protocol, shell, command, arguments, stdin, options)
    except BaseException:
        protocol.transport.close_session()  # a connection that broke can't seal any more; the next message sets up a new one
        with contextlib.suppress(Exception):
            protocol.close_shell(shell)
        raise
    protocol.close_shell(shell, close_session=False)
    return result


def _run_in(
    protocol: Protocol, shell: str, command: str, arguments: tuple[str, ...], stdin: bytes | None, options: dict[str, Any]
) -> tuple[bytes, bytes, int]:
    command_id = protocol.run_command(shell, command, arguments, **options)
    if stdin is not None:
        pieces = [stdin[start : start + 90_000] for start in range(0, len(stdin), 90_000)] or [b""]
        for number, piece in enumerate(pieces, 1):
            protocol.send_command_input(shell, command_id, piece, end=number == len(pieces))
    result: tuple[bytes, bytes, int] = protocol.get_command_output(shell, command_id)
    protocol.cleanup_command(shell, command_id)
    return result


def send(protocol: Protocol, message: bytes) -> bytes:
    """Sends bytes as they are; pywinrm takes them, its annotation doesn't say so."""
    return protocol.send_message(cast("str", message))
