"""HTTP/1.1 framing as http.sys does it: requests with bounded head and body, answers with a length. Knows no SOAP and no accounts."""

from __future__ import annotations

import asyncio
from email.utils import formatdate
from http import HTTPStatus

import msgspec

from auditor.model.errors import AuditorError

LARGEST_HEAD = 64 * 1024
"""Bytes of a request's line and headers; also the limit that the server gives its stream readers."""
_DRAINED = 64 * 1024 * 1024


class BadRequest(AuditorError):
    """A request that is answered with `status` and the end of the connection."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP status {status}")
        self.status = status


class HttpRequest(msgspec.Struct, frozen=True):
    """One request; header names in lower case, a repeated header joined by commas."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """One answer. `Server`, `Date` and `Content-Length` are added on writing."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    close: bool = False
    """Whether the connection ends after it."""
    action: str = ""
    """The WS-Management action that it answers, where it was understood."""


async def read_request(reader: asyncio.StreamReader, largest_body: int) -> HttpRequest | None:
    """The next request, None at the end of the connection. Raises BadRequest; a body that is too large is read and thrown away first."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise BadRequest(400) from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest(400) from error
    method, path, headers = _read_head(head)
    if "transfer-encoding" in headers:
        raise BadRequest(411)
    length = headers.get("content-length", "0")
    if not length.isascii() or not length.isdigit() or len(length) > 12:
        raise BadRequest(400)
    if int(length) > largest_body:
        await _drain(reader, int(length))
        raise BadRequest(413)
    try:
        body = await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise BadRequest(400) from error
    return HttpRequest(method, path, headers, body)


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(400)
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest(400)
        key = name.lower()
        if key == "content-length" and headers.get(key, value.strip()) != value.strip():
            raise BadRequest(400)
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers and key != "content-length" else value.strip()
    return words[0], words[1].partition("?")[0], headers


async def _drain(reader: asyncio.StreamReader, length: int) -> None:
    """Reads what the client is still sending, so that it sees the answer and not a reset."""
    left = min(length, _DRAINED)
    while left > 0:
        data = await reader.read(min(left, LARGEST_HEAD))
        if not data:
            return
        left -= len(data)


def render_head(response: HttpResponse, length: int | None = None, extra: tuple[tuple[str, str], ...] = ()) -> bytes:
    """Status line and headers of an answer; `length` overrides that of its body."""
    reason = HTTPStatus(response.status).phrase
    headers = [
        *response.headers,
        ("Server", "Microsoft-HTTPAPI/2.0"),
        ("Date", formatdate(usegmt=True)),
        *(extra or (("Content-Length", str(len(response.body) if length is None else length)),)),
        *([("Connection", "close")] if response.close else []),
    ]
    return "".join([f"HTTP/1.1 {response.status} {reason}\r\n", *(f"{n}: {v}\r\n" for n, v in headers), "\r\n"]).encode("latin-1")


def render(response: HttpResponse) -> bytes:
    """A whole answer."""
    return render_head(response) + response.body
