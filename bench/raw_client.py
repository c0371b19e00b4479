"""The least a client can do: the auditor's own messages over asyncio streams, sealed by pyspnego, nothing checked and nothing kept.

It takes the messages from pywinrm's Protocol as the auditor drives it, so that both send the same ones. The auditor is held against it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import uuid
from collections.abc import Mapping
from typing import Any

import spnego

from auditor.collect.sealing import Seal
from auditor.collect.session import CODE_PAGE, IDLE_SECONDS, ShellProtocol
from auditor.probes import framing

_SEALED = "application/HTTP-SPNEGO-session-encrypted"
_IDS = re.compile(r"uuid:[0-9A-Fa-f-]{36}")
_STREAM = re.compile(rb'<rsp:Stream [^>]*Name="stdout"[^>]*>([A-Za-z0-9+/=]+)<')
_SHELL = re.compile(rb'<w:Selector Name="ShellId">([^<]+)<|<rsp:ShellId>([^<]+)<')
_COMMAND = re.compile(rb"<rsp:CommandId>([^<]+)<")
_SHELL_HERE, _COMMAND_HERE = "11111111-AAAA-4AAA-8AAA-111111111111", "22222222-BBBB-4BBB-8BBB-222222222222"


class _Caught(Exception):
    """Carries the message that would have been sent."""


class _Catcher:
    def __init__(self) -> None:
        self.budget: Any = type("NoLimit", (), {"seconds_left": 60.0})()

    def send_message(self, message: str) -> bytes:
        raise _Caught(message)


def messages(script: bytes) -> dict[str, str]:
    """The auditor's messages for one host, by action, with placeholders for the ids of shell and command."""
    protocol = ShellProtocol(_Catcher())  # type: ignore[arg-type]
    calls: dict[str, Any] = {
        "create": lambda: protocol.open_shell(noprofile=True, codepage=CODE_PAGE, idle_timeout=f"PT{IDLE_SECONDS}S"),
        "command": lambda: protocol.run_command(_SHELL_HERE, framing.command_line(), console_mode_stdin=False, skip_cmd_shell=False),
        "send": lambda: protocol.send_command_input(_SHELL_HERE, _COMMAND_HERE, script, end=True),
        "receive": lambda: protocol.get_command_output_raw(_SHELL_HERE, _COMMAND_HERE),
        "delete": lambda: protocol.close_shell(_SHELL_HERE, close_session=False),
    }
    found: dict[str, str] = {}
    for name, call in calls.items():
        try:
            call()
        except _Caught as caught:
            found[name] = str(caught.args[0])
    return found


class RawHost:
    """One host over one connection."""

    def __init__(self, port: int, user: str, password: str, texts: Mapping[str, str]) -> None:
        self._port, self._texts = port, texts
        self._context = spnego.client(
            user, password, hostname="127.0.0.1", service="http", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm
        )
        self._seal = Seal(self._context)
        self._ids = {_SHELL_HERE: "", _COMMAND_HERE: ""}

    async def ask(self) -> bytes:
        """What the command printed."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await self._log_on()
            created = await self._say("create")
            shell = _SHELL.search(created)
            self._ids[_SHELL_HERE] = (shell.group(1) or shell.group(2)).decode() if shell else ""
            command = _COMMAND.search(await self._say("command"))
            self._ids[_COMMAND_HERE] = command.group(1).decode() if command else ""
            await self._say("send")
            output = b""
            while b"#AUD1 END " not in output[-200:]:
                output += b"".join(base64.b64decode(text) for text in _STREAM.findall(await self._say("receive")))
            await self._say("delete")
            return output
        finally:
            self._writer.close()

    async def _log_on(self) -> None:
        token = self._context.step()
        while token:
            headers, _ = await self._exchange(b"", "application/soap+xml;charset=UTF-8", f"Negotiate {base64.b64encode(token).decode()}")
            match = re.search(rb"WWW-Authenticate: Negotiate ([A-Za-z0-9+/=]+)", headers)
            token = self._context.step(base64.b64decode(match.group(1))) if match and not self._context.complete else None

    async def _say(self, action: str) -> bytes:
        text = _IDS.sub(lambda _: f"uuid:{uuid.uuid4()}", self._texts[action])
        for here, value in self._ids.items():
            text = text.replace(here, value)
        kind, body = self._seal.close(text.encode("utf-8"))
        headers, reply = await self._exchange(body, kind, None)
        match = re.search(rb"Content-Type: ([^\r]+)", headers, re.IGNORECASE)
        return self._seal.open(match.group(1).decode() if match else "", reply)

    async def _exchange(self, body: bytes, kind: str, authorization: str | None) -> tuple[bytes, bytes]:
        head = f"POST /wsman HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        head += f"Authorization: {authorization}\r\n\r\n" if authorization else "\r\n"
        self._writer.write(head.encode("latin-1") + body)
        headers = await self._reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"Content-Length: (\d+)", headers, re.IGNORECASE)
        return headers, await self._reader.readexactly(int(length.group(1)) if length else 0)


async def ask_all(ports: Mapping[str, int], user: str, password: str, script: bytes, parallel: int) -> dict[str, int]:
    """Bytes printed by each host."""
    texts, gate = messages(script), asyncio.Semaphore(parallel)

    async def one(name: str, port: int) -> tuple[str, int]:
        async with gate:
            return name, len(await RawHost(port, user, password, texts).ask())

    return dict(await asyncio.gather(*(one(name, port) for name, port in ports.items())))
