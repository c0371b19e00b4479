"""Servers for the tests of notices: mail with STARTTLS, TLS from the start or none, and AUTH PLAIN; a web server that records POSTs."""

from __future__ import annotations

import base64
import contextlib
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast


class Posted(NamedTuple):
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes


class WebServer(ThreadingHTTPServer):
    """Answers every POST with `status`; `location` makes it a redirect."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None, status: int = 200, location: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Recorder)
        self.posted: list[Posted] = []
        self.status = status
        self.location = location
        self.context = context

    def get_request(self) -> tuple[Any, Any]:
        """The connection, under TLS where that is wanted."""
        connection, address = super().get_request()
        return (self.context.wrap_socket(connection, server_side=True) if self.context else connection), address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us goes away."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.server_address[1]}/hook/t0ken-in-the-path"


class _Recorder(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server = cast("WebServer", self.server)
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        server.posted.append(Posted(self.path, dict(self.headers), body))
        self.send_response(server.status)
        if server.location:
            self.send_header("Location", server.location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


class MailServer(socketserver.ThreadingTCPServer):
    """`offer`: what EHLO offers (STARTTLS, AUTH); `password` lets in; readers that begin with `no` are refused."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, context: ssl.SSLContext | None, *, implicit: bool = False, offer: tuple[str, ...] = ("STARTTLS", "AUTH PLAIN")
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context = context
        self.implicit = implicit
        self.offer = offer
        self.password = "M4il-Secret"
        self.mails: list[EmailMessage] = []
        self.lines: list[str] = []
        """Commands, as they came, with whether they came over TLS."""
        self.port = int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that does not trust us goes away."""


class _Session(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = cast("MailServer", self.server)
        self._secure = False
        if server.implicit:
            self._upgrade(server)
        self._say("220 mail.example ready")
        while line := self._line():
            server.lines.append(f"{'tls' if self._secure else 'plain'} {line}")
            if self._answer(server, line):
                return

    def _upgrade(self, server: MailServer) -> None:
        assert server.context is not None
        self.request = server.context.wrap_socket(self.request, server_side=True)
        self._secure = True

    def _line(self) -> str:
        data = b""
        while not data.endswith(b"\r\n"):
            piece = self.request.recv(1)
            if not piece:
                return ""
            data += piece
        return data.decode("utf-8", "replace").rstrip("\r\n")

    def _say(self, *lines: str) -> None:
        self.request.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _answer(self, server: MailServer, line: str) -> bool:
        word, _, rest = line.partition(" ")
        word = word.upper()
        if word == "EHLO":
            offers = [offer for offer in server.offer if not (offer == "STARTTLS" and self._secure)]
            self._say("250-mail.example", *(f"250-{offer}" for offer in offers), "250 OK")
        elif word == "STARTTLS":
            self._say("220 go ahead")
            self._upgrade(server)
        elif word == "AUTH":
            given = base64.b64decode(rest.rpartition(" ")[2]).decode().split("\0")
            self._say("235 ok" if given[-1] == server.password else f"535 wrong: {given[-1]}")
        elif word == "RCPT" and "<no" in rest:
            self._say("550 nobody of that name")
        elif word == "DATA":
            self._say("354 go ahead")
            self._take(server)
            self._say("250 taken")
        elif word == "QUIT":
            self._say("221 bye")
            return True
        else:
            self._say("250 OK")
        return False

    def _take(self, server: MailServer) -> None:
        lines: list[str] = []
        while (line := self._line()) != ".":
            lines.append(line.removeprefix(".") if line.startswith("..") else line)
        server.mails.append(message_from_bytes("\r\n".join(lines).encode(), policy=default))


@contextlib.contextmanager
def serving(server: Any) -> Iterator[Any]:
    """Runs a server in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def silent_port() -> socket.socket:
    """A socket that takes connections and says nothing; close it at the end."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    return bound
