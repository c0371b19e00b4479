"""The collector against what lies below WinRM: silence, dribbles, floods and strangers at every layer; the deadline always holds."""

from __future__ import annotations

import base64
import socket
import threading
import time
from datetime import UTC, datetime

import pytest

from auditor.collect.canary import CredentialCanary
from auditor.collect.kerberos import Tickets
from auditor.collect.session import HostSession, Told
from auditor.collect.tls import TlsContexts
from auditor.collect.transport import Ways
from auditor.model.credential import Credential
from auditor.model.host import Scheme, Target
from tests.edges.tar_pits import Behaviour, dribbles, says, serving, silent

DEADLINE = 1.2
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n"


def ask(
    port: int,
    *,
    scheme: Scheme = "http",
    address: str = "127.0.0.1",
    stop: threading.Event | None = None,
    use_proxy: bool = False,
    seconds: float = DEADLINE,
) -> Told:
    target = Target(name="h", address=address, port=port, scheme=scheme, transport="ntlm", user="u")
    session = HostSession(
        target,
        Credential("u", "p"),
        Ways(TlsContexts(), CredentialCanary(), Tickets(), use_proxy, seconds),
        stop or threading.Event(),
        deadline_seconds=seconds,
        answer_bytes=100_000,
        now=lambda: datetime.now(UTC),
    )
    return session.ask("command", lambda _left: b"input")


@pytest.mark.parametrize(
    ("behaviour", "scheme", "step"),
    [
        (silent, "http", "logging on"),
        (silent, "https", "setting up TLS"),
        (says(b"\x16\x03\x03\x00\x40", stay=True), "https", "setting up TLS"),
        (dribbles(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc"), "https", "setting up TLS"),
        (dribbles(b"HTTP/1.1 200 OK"), "http", "logging on"),
        (dribbles(OK + b"Content-Length: 9000\r\n\r\nx"), "http", "logging on"),
        (dribbles(OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0"), "http", "logging on"),
        (says(OK, stay=True), "http", "logging on"),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02, repeat=True), "http", "logging on"),
    ],
)
def test_the_deadline_holds_at_every_layer(behaviour: Behaviour, scheme: Scheme, step: str) -> None:
    with serving(behaviour) as port:
        started = time.monotonic()
        told = ask(port, scheme=scheme)
        assert time.monotonic() - started < DEADLINE + 0.3
    assert told.failure is not None
    assert told.failure.status == "timed_out"
    assert told.failure.message.endswith(f"while {step}")


@pytest.mark.parametrize(
    ("behaviour", "scheme", "words"),
    [
        (says(b"SSH-2.0-OpenSSH_9\r\n"), "http", "is no HTTP"),
        (says(b"\x15\x03\x01\x00\x02\x02\x46"), "http", "speaks TLS"),
        (says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "https", "no TLS at port"),
        (says(b""), "http", "closed the connection while logging on"),
        (says(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nWWW-Authenticate: Basic realm=x\r\n\r\n"), "http", "it offers Basic"),
        (says(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"), "http", "it offers nothing"),
        (says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Negotiate !!!\r\n\r\n"), "http", "does not take NTLM"),
        (says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Negotiate AAAA\r\n\r\n"), "http", "weak sealing"),
        (says(OK + b"Content-Length: 2\r\n\r\nok"), "http", "HTTP status 200"),
        (says(b"HTTP/1.1 100 Continue\r\n\r\n" * 2000, repeat=True), "http", "sent more than"),
        (says(OK + b"X: " + b"y" * 70_000), "http", "is no HTTP"),
        (says(OK + b"Content-Length: 500\r\n\r\nhalf"), "http", "half an answer"),
        (says(OK + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n"), "http", "half an answer"),
        (says(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"), "http", "redirects are not followed"),
        (says(b"HTTP/1.1 407 Proxy\r\nContent-Length: 0\r\nProxy-Authenticate: NTLM\r\n\r\n"), "http", "HTTP status 407"),
    ],
)
def test_strangers_at_the_port(behaviour: Behaviour, scheme: Scheme, words: str) -> None:
    with serving(behaviour) as port:
        told = ask(port, scheme=scheme)
    assert told.failure is not None
    assert words in told.failure.message
    assert told.failure.next_step


def test_a_challenge_that_makes_no_sense() -> None:
    flags = (0xFFFFFFFF).to_bytes(4, "little")
    token = base64.b64encode(b"NTLMSSP\0\x02\0\0\0" + b"\xff" * 8 + flags)
    with serving(says(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nWWW-Authenticate: Negotiate " + token + b"\r\n\r\n")) as port:
        told = ask(port)
    assert told.failure is not None
    assert "makes no sense" in told.failure.message


def test_names_and_ports_that_lead_nowhere() -> None:
    unknown = ask(5985, address="nosuch.invalid")
    assert unknown.failure is not None
    assert "can't be resolved" in unknown.failure.message
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        refused = ask(bound.getsockname()[1])
    assert refused.failure is not None
    assert "nothing listens" in refused.failure.message


def test_an_unanswered_resolver_does_not_hold_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: (over.wait(10), [])[1])
    started = time.monotonic()
    told = ask(5985, address="slow.example", seconds=0.6)
    over.set()
    assert time.monotonic() - started < 1.0
    assert told.failure is not None
    assert told.failure.status == "timed_out"


def test_a_stop_is_seen_at_once() -> None:
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    with serving(silent) as port:
        started = time.monotonic()
        told = ask(port, stop=stop, seconds=20)
        assert time.monotonic() - started < 1.0
    assert told.failure is not None
    assert (told.failure.status, told.failure.message) == ("not_asked", "interrupted")


def test_proxies_of_the_environment_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []

    def proxy(connection: socket.socket, _over: threading.Event) -> None:
        requests.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        requests.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    for name in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(proxy) as port, socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://me:pw@127.0.0.1:{port}")
        direct = ask(closed)
        assert direct.failure is not None
        assert "nothing listens" in direct.failure.message
        assert requests == []
        through = ask(closed, use_proxy=True)
    assert through.failure is not None
    assert "no WinRM service at /wsman" in through.failure.message
    assert requests[0].startswith(f"CONNECT 127.0.0.1:{closed} HTTP/1.1".encode())
    assert base64.b64encode(b"me:pw") in requests[0]
    assert requests[1].startswith(b"POST /wsman HTTP/1.1")
    with serving(says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        refused = ask(closed, use_proxy=True)
    assert refused.failure is not None
    assert "gives no tunnel" in refused.failure.message
