"""The lab's server against bytes that no client sends, and its way of starting and stopping."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import xmltodict
from winrm.exceptions import WSManFaultError

from auditor.lab import wsman
from auditor.lab.server import Account, HostEndpoint, LabServer
from auditor.model.errors import LabError
from tests.lab.server_fixtures import AUDITOR, OPERATOR, SmallShell, client, host, run, running, send

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One host over http, one over https."""
    with running(tmp_path_factory.mktemp("lab"), host(), host("srvb", scheme="https", os_version="10.0.20348")) as server:
        yield server


GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /elsewhere HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    b"POST /wsman HTTP/1.1\r\nContent-Length: 5\r\n\r\nab",
    b"POST /wsman HTTP/1.1\r\nAuthorization: NTLM !!!\r\nContent-Length: 0\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nAuthorization: NTLM TlRMTVNTUAABAAAA\r\nContent-Length: 0\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nAuthorization: NTLM TlRMTVNTUAADAAAA\r\nContent-Length: 0\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nAuthorization: Negotiate YIIB\r\nContent-Length: 0\r\n\r\n",
    b"POST /wsman HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    b"\r\n\r\n\r\n",
    bytes(range(256)) * 300,
]


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_no_bytes_on_the_wire_end_the_server(lab: LabServer, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_connection(("127.0.0.1", lab.port("srva")), timeout=5) as raw:
        raw.sendall(data)
        raw.shutdown(socket.SHUT_WR)
        while raw.recv(65536):
            pass
    assert "could not be answered" not in caplog.text


DEEP = b"<a>" * 40_000 + b"</a>" * 40_000
HEAD = f'<s:Envelope xmlns:s="{wsman.SOAP}" xmlns:a="{wsman.ADDRESSING}" xmlns:w="{wsman.WSMAN}"><s:Header>'.encode()
BAD_XML = [
    (b"not xml", wsman.SCHEMA_INVALID),
    (b"<a/>", wsman.SCHEMA_INVALID),
    (b"\xff\xfe\x00\x00", wsman.SCHEMA_INVALID),
    (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', wsman.SCHEMA_INVALID),
    (DEEP, wsman.SCHEMA_INVALID),
    (f'<s:Envelope xmlns:s="{wsman.SOAP}"/>'.encode(), wsman.HEADER_REQUIRED),
    (HEAD + b"</s:Header></s:Envelope>", wsman.HEADER_REQUIRED),
    (HEAD + b"<a:Action>x</a:Action><a:MessageID>1</a:MessageID></s:Header></s:Envelope>", wsman.RESOURCE_NOT_FOUND),
    (
        HEAD + b"<a:Action>x</a:Action><a:MessageID>1</a:MessageID><w:OperationTimeout>soon</w:OperationTimeout></s:Header></s:Envelope>",
        wsman.INVALID_HEADER,
    ),
    (
        HEAD + b"<a:Action>x</a:Action><a:MessageID>1</a:MessageID><w:MaxEnvelopeSize>10</w:MaxEnvelopeSize></s:Header></s:Envelope>",
        wsman.ENCODING_LIMIT,
    ),
]


@pytest.mark.parametrize(("data", "code"), BAD_XML, ids=range(len(BAD_XML)))
def test_bad_envelopes_are_answered_with_faults(lab: LabServer, data: bytes, code: int) -> None:
    with client(lab, "srvb", transport="basic") as protocol:
        with pytest.raises(WSManFaultError) as caught:
            send(protocol, data)
        assert caught.value.wsman_fault_code == code


def test_a_stopped_lab_leaves_nothing_behind(tmp_path: Path) -> None:
    threads = threading.active_count()
    with running(tmp_path, host(), host("srvb", scheme="https")) as server, client(server) as protocol:
        private = next(tmp_path.glob("private-*"))
        assert [oct(p.stat().st_mode & 0o777) for p in [private, *private.iterdir()]] == ["0o700", "0o600", "0o600"]
        assert AUDITOR.password not in "".join(p.read_text(encoding="utf-8") for p in private.iterdir())
        protocol.open_shell()
        port = server.port("srva")
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert threading.active_count() == threads
    assert [p.name for p in tmp_path.iterdir()] == ["ca.pem"]
    assert "NTLM_USER_FILE" not in os.environ
    assert server.open_shells("srva") == ()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=2)
    server.stop()


def test_a_lab_that_cannot_start_says_why(tmp_path: Path) -> None:
    with running(tmp_path / "one", host()) as server:
        taken = LabServer([host(port=server.port("srva"))], {"srva": SmallShell()}, tmp_path / "two")
        with pytest.raises(LabError, match="already in use"):
            taken.start()
    with pytest.raises(LabError, match="one name"):
        LabServer([host(), host()], {}, tmp_path)
    twice = HostEndpoint(name="a", accounts=(Account(user="x", password="1"), Account(user="X", password="2")))
    with pytest.raises(LabError, match="two accounts"):
        LabServer([twice], {"a": SmallShell()}, tmp_path).start()
    colon = HostEndpoint(name="a", accounts=(Account(user="x:y", password="1"),))
    with pytest.raises(LabError, match="colon"):
        LabServer([colon], {"a": SmallShell()}, tmp_path).start()


def test_changed_requests_of_a_logged_on_client_never_reach_an_error_of_ours(lab: LabServer, caplog: pytest.LogCaptureFixture) -> None:
    """Requests of a good session with bytes changed, doubled and cut: answered with faults or statuses, whatever they say."""
    dice = random.Random(20261126)
    sent: list[bytes] = []
    with client(lab, "srvb", transport="basic") as protocol:
        real = protocol.transport.send_message

        def remember(message: str | bytes) -> bytes:
            sent.append(message.encode() if isinstance(message, str) else message)
            return real(message)

        protocol.transport.send_message = remember  # type: ignore[method-assign]
        run(protocol, "count", stdin=b"abc")
        for _ in range(300):
            message = bytearray(dice.choice(sent[:6]))
            for _ in range(dice.randint(1, 4)):
                place = dice.randrange(len(message))
                message[place : place + dice.randint(0, 40)] = dice.choice([b"", b"<", b"&#0;", b"\xff", b'"', b"9" * 30, message[:50]])
            with contextlib.suppress(Exception):
                real(bytes(message))
    with client(lab, "srvb", OPERATOR) as protocol:
        assert run(protocol, "echo", "x")[0] == b"x"
    assert "could not be answered" not in caplog.text


def test_clients_that_go_away_leave_nothing_running(tmp_path: Path) -> None:
    with running(tmp_path, host(), host("srvb", scheme="https")) as server:
        sockets = [socket.create_connection(("127.0.0.1", server.port(name)), timeout=5) for name in ("srva", "srvb") for _ in range(20)]
        for number, raw in enumerate(sockets):
            raw.sendall(b"POST /wsman HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc"[: number * 3])
            raw.close()
        ends = time.monotonic() + 5
        while (server.counts("srva").get("Connection", 0) < 20 or server.connections) and time.monotonic() < ends:
            time.sleep(0.02)
        assert (server.counts("srva")["Connection"], server.connections) == (20, 0)


SEALED = {"Content-Type": 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'}
PART = b"--Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
LENGTH = b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=4\r\n"
OCTETS = b"--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
END = b"--Encrypted Boundary--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"x",
        END,
        PART + LENGTH + OCTETS + END,
        PART + OCTETS + b"\x10\0\0\0" + bytes(20) + END,
        PART + LENGTH + OCTETS + b"\x10\0\0\0" + bytes(20) + END,
        PART + LENGTH + OCTETS + b"\xff\xff\xff\xff" + bytes(20) + END,
        PART + LENGTH + OCTETS + b"\x10\0\0\0" + bytes(20),
    ],
    ids=range(7),
)
def test_a_seal_that_does_not_hold_ends_the_connection(lab: LabServer, body: bytes) -> None:
    with client(lab) as protocol:
        session = protocol.transport.build_session()
        answer = session.post(lab.url("srva"), data=body, headers=SEALED, timeout=5)
        assert (answer.status_code, answer.content, answer.headers["Connection"]) == (400, b"", "close")


def test_a_sealed_request_is_not_taken_twice(lab: LabServer) -> None:
    with client(lab) as protocol:
        protocol.close_shell(protocol.open_shell(), close_session=False)
        transport = protocol.transport
        session = transport.build_session()
        assert transport.encryption is not None
        before = lab.counts("srva")["Create"]
        message = protocol.build_wsman_header(f"{wsman.TRANSFER}/Create", wsman.SHELL_CMD)
        body = {"rsp:Shell": {"rsp:InputStreams": "stdin", "rsp:OutputStreams": "stdout stderr"}}
        text = xmltodict.unparse({"env:Envelope": message | {"env:Body": body}}).encode()
        request = transport.encryption.prepare_encrypted_request(session, lab.url("srva"), text)
        assert [session.send(request, timeout=5).status_code for _ in range(2)] == [200, 400]
        assert lab.counts("srva")["Create"] == before + 1
