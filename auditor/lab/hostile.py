"""How a misbehaving lab host delivers its answers, and what its commands do: the faults of `misbehave` that need time or a socket."""

from __future__ import annotations

import asyncio
import contextlib

import msgspec

from auditor.lab.http import LARGEST_HEAD, HttpResponse, render, render_head
from auditor.lab.misbehave import Behaviour, Fault, answer_bomb, gzip_bomb
from auditor.lab.process import Output, ShellProcess, SignalCode, Stream

_PIECE = b"Endless as the sea is what this host has to say.\r\n" * 1300
_DRIBBLE_SECONDS = 0.1
_CHATTER_SECONDS = 0.01


async def deliver(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: HttpResponse, fault: Fault | None) -> bool:
    """Sends an answer in the way of `fault`; says whether the connection may go on. A hang lasts until the client or the lab ends it."""
    if fault == "hang_headers":
        writer.write(render_head(response)[:40])
        await _silence(reader, writer)
    elif fault == "hang_body":
        writer.write(render_head(response, max(len(response.body), 1000)))
        await _silence(reader, writer)
    elif fault == "half_answer":
        writer.write(render_head(response, max(len(response.body), 2)) + response.body[: len(response.body) // 2])
    elif fault == "dribble":
        await _dribble(reader, writer, response)
    elif fault == "endless_headers":
        await _endless(writer, render_head(response)[:-2], b"X-More: and more\r\n" * 100)
    elif fault == "endless_body":
        head = render_head(response, extra=(("Transfer-Encoding", "chunked"),))
        await _endless(writer, head, f"{len(_PIECE):x}\r\n".encode() + _PIECE + b"\r\n")
    elif fault == "gzip_bomb":
        await _bomb(writer, response)
    else:
        writer.write(render(response))
        await writer.drain()
        return not response.close
    with contextlib.suppress(OSError):
        await writer.drain()
    return False


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the client gives up."""
    await writer.drain()
    while await reader.read(LARGEST_HEAD):
        pass


async def _dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: HttpResponse) -> None:
    writer.write(render_head(response, max(len(response.body), 100_000)))
    for byte in response.body or b" " * 100_000:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(_DRIBBLE_SECONDS)
    await _silence(reader, writer)


async def _endless(writer: asyncio.StreamWriter, head: bytes, piece: bytes) -> None:
    writer.write(head)
    while not writer.is_closing():
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)


async def _bomb(writer: asyncio.StreamWriter, response: HttpResponse) -> None:
    pieces = list(gzip_bomb())
    headers = (*response.headers, ("Content-Encoding", "gzip"))
    writer.write(render_head(msgspec.structs.replace(response, headers=headers), sum(map(len, pieces))))
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


def disguise(process: ShellProcess, behaviour: Behaviour) -> ShellProcess:
    """The process as a host with this behaviour shows it."""
    if behaviour.fault == "hang_command":
        return _Silent(process)
    if behaviour.fault == "endless_output":
        return _Endless(process)
    if behaviour.fault == "cut_output":
        return _Cut(process, behaviour.after_bytes)
    if behaviour.fault == "answer_bomb":
        return _Bomb(process)
    return process


class _Disguise:
    """Passes everything on but what is read."""

    def __init__(self, process: ShellProcess) -> None:
        self._process = process
        self._ended = asyncio.Event()

    def feed(self, data: bytes, end: bool) -> None:
        self._process.feed(data, end)

    def signal(self, code: SignalCode) -> None:
        self._process.signal(code)
        self._ended.set()

    def terminate(self) -> None:
        self._process.terminate()
        self._ended.set()

    async def _wait(self, seconds: float) -> bool:
        """Whether the process was ended within that time."""
        try:
            await asyncio.wait_for(self._ended.wait(), seconds)
        except TimeoutError:
            return False
        return True


class _Silent(_Disguise):
    """Never says anything."""

    async def read(self, timeout: float) -> Output:
        return Output((), await self._wait(timeout), 1)


class _Endless(_Disguise):
    """Never stops talking."""

    async def read(self, timeout: float) -> Output:
        if await self._wait(min(_CHATTER_SECONDS, timeout)):
            return Output((), True, 1)
        return Output((("stdout", _PIECE),))


class _Cut(_Disguise):
    """Ends well after some bytes, as a process does that was killed from outside without a word."""

    def __init__(self, process: ShellProcess, after_bytes: int) -> None:
        super().__init__(process)
        self._left = after_bytes

    async def read(self, timeout: float) -> Output:
        output = await self._process.read(timeout)
        kept: list[tuple[Stream, bytes]] = []
        for stream, data in output.chunks:
            if self._left > 0:
                kept.append((stream, data[: self._left]))
                self._left -= len(data)
        return Output(tuple(kept), output.done or self._left <= 0, output.exit_code)


class _Bomb(_Disguise):
    """Prints a small block that decodes to a huge one, once its real process has ended."""

    async def read(self, timeout: float) -> Output:
        output = await self._process.read(timeout)
        return Output((("stdout", answer_bomb()),), True, 0) if output.done else Output()
