"""Every way in which a lab host can misbehave, seen from an unmodified pywinrm client that has no defence of its own."""

from __future__ import annotations

import binascii
import socket
import ssl
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree as ET

import msgspec
import pytest
import requests
from winrm.exceptions import InvalidCredentialsError, WinRMError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError

from auditor.lab import wsman
from auditor.lab.misbehave import BOMB_BYTES, Behaviour, Fault, answer_bomb, gzip_bomb
from auditor.lab.server import LabServer
from auditor.probes.framing import read_answer
from tests.lab.server_fixtures import big, client, host, run, running

pytestmark = pytest.mark.lab
ENDLESS = ["dribble", "endless_headers", "endless_body"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """One host for every fault, named after it, and some variants."""
    hosts = [host(fault, fault) for fault in get_args(Fault) if fault not in ("hang_tls", "redirect")]
    hosts += [
        host("hang_tls", "hang_tls", scheme="https"),
        host("redirect", "redirect", redirect_to="good"),
        host("good"),
        host("no_winrm", "garbage", at="any"),
        host("half_create", "half_answer", at="Create"),
        host("reset_receive", "reset", at="Receive"),
        host("denied_command", "access_denied", at="Command"),
        host("hang_receive", "hang_body", at="Receive"),
        host("plain_bomb", "gzip_bomb", at="any"),
    ]
    with running(tmp_path_factory.mktemp("lab"), *hosts) as server:
        yield server


def _try(
    lab: LabServer, name: str, error: type[BaseException] | tuple[type[BaseException], ...], **options: Any
) -> pytest.ExceptionInfo[BaseException]:
    with client(lab, name, **options) as protocol, pytest.raises(error) as caught:
        run(protocol, "big", "3000")
    return caught


def test_the_good_neighbour_is_not_disturbed(lab: LabServer) -> None:
    with client(lab, "good") as protocol:
        assert run(protocol, "big", "3000") == (big(3000), b"", 0)


def test_every_fault_is_tried_somewhere_in_this_file() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [fault for fault in get_args(Fault) if f'"{fault}"' not in text] == []


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("refuse_connection", requests.ConnectionError),
        ("reset", requests.ConnectionError),
        ("reset_receive", requests.ConnectionError),
        ("refuse_logon", InvalidCredentialsError),
        ("http_error", WinRMTransportError),
        ("half_answer", requests.exceptions.ChunkedEncodingError),
        ("half_create", requests.exceptions.ChunkedEncodingError),
        ("garbage", ET.ParseError),
        ("entity_bomb", ET.ParseError),
        ("wrong_charset", ET.ParseError),
        ("bad_base64", binascii.Error),
        ("no_winrm", Exception),
        ("tampered_reply", Exception),
    ],
)
def test_what_a_client_without_defence_makes_of_it(lab: LabServer, name: str, error: type[BaseException]) -> None:
    _try(lab, name, error)


@pytest.mark.parametrize(("name", "said"), [("hang_accept", 0), ("hang_headers", 40), ("hang_body", 100)])
def test_a_host_that_hangs_says_so_much_and_no_more(lab: LabServer, name: str, said: int) -> None:
    with socket.create_connection(("127.0.0.1", lab.port(name)), timeout=0.4) as raw:
        raw.sendall(b"POST /wsman HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        got = b""
        with pytest.raises(TimeoutError):
            while True:
                piece = raw.recv(65536)
                assert piece, "the host closed the connection"
                got += piece
    assert (len(got) == said) if said < 100 else (said < len(got) < 1000 and got.endswith(b"\r\n\r\n")), got


def test_a_host_that_hangs_in_tls(lab: LabServer) -> None:
    with socket.create_connection(("127.0.0.1", lab.port("hang_tls")), timeout=0.4) as raw, pytest.raises(TimeoutError):
        ssl.create_default_context().wrap_socket(raw, server_hostname="localhost")


def test_a_shell_can_be_closed_after_a_hang(lab: LabServer) -> None:
    _try(lab, "hang_receive", requests.exceptions.RequestException, operation_timeout_sec=1, read_timeout_sec=2)
    assert lab.open_shells("hang_receive") == ()


@pytest.mark.parametrize("name", ENDLESS)
def test_some_hosts_never_come_to_an_end(lab: LabServer, name: str) -> None:
    """Each read brings something, so the client's read time-out never strikes: only a deadline or a limit of its own ends it."""
    with socket.create_connection(("127.0.0.1", lab.port(name)), timeout=5) as raw:
        raw.sendall(b"POST /wsman HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        ends, got = time.monotonic() + 0.6, []
        while time.monotonic() < ends:
            got.append(len(raw.recv(65536)))
        assert 0 not in got
        assert len(got) >= 4
        assert sum(got) > (2_000_000 if name != "dribble" else 4)


def test_a_redirect_leads_an_unwary_client_to_another_host(lab: LabServer) -> None:
    answer = requests.post(lab.url("redirect"), data=b"", allow_redirects=False, timeout=5)
    assert (answer.status_code, answer.headers["Location"]) == (302, lab.url("good"))


def test_a_reply_in_the_clear_is_taken_by_pywinrm(lab: LabServer) -> None:
    """The client does not notice, which is why the collector has to."""
    with client(lab, "unsealed_reply") as protocol:
        assert run(protocol, "big", "3000")[0] == big(3000)


@pytest.mark.parametrize("name", ["wrong_xml", "empty_body"])
def test_answers_that_say_nothing(lab: LabServer, name: str) -> None:
    with client(lab, name, operation_timeout_sec=1, read_timeout_sec=2) as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "echo", ["x"])
        try:
            assert protocol.get_command_output_raw(shell, command) == (b"", b"", -1, False)
        except (ET.ParseError, WinRMError):
            assert name == "empty_body"
        protocol.close_shell(shell)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("create_fault", 0x80070008),
        ("access_denied", wsman.ACCESS_DENIED),
        ("denied_command", wsman.ACCESS_DENIED),
        ("quota_fault", wsman.QUOTA_SHELLS),
        ("delete_fault", 0x80070008),
    ],
)
def test_faults_of_the_shell(lab: LabServer, name: str, code: int) -> None:
    caught = _try(lab, name, WSManFaultError)
    assert isinstance(caught.value, WSManFaultError)
    assert caught.value.wsman_fault_code == code
    assert len(lab.open_shells(name)) == (name == "delete_fault")


def test_a_command_that_hangs_answers_time_outs_for_ever(lab: LabServer) -> None:
    with client(lab, "hang_command", operation_timeout_sec=1) as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "echo", ["x"])
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)
        protocol.close_shell(shell)
    assert lab.open_shells("hang_command") == ()


def test_output_cut_endless_and_bombed(lab: LabServer) -> None:
    with client(lab, "cut_output") as protocol:
        assert run(protocol, "big", "3000") == (big(1000), b"", 0)
    with client(lab, "endless_output") as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "echo", ["x"])
        got = [protocol.get_command_output_raw(shell, command) for _ in range(20)]
        assert sum(len(out) for out, _, _, _ in got) > 1_000_000
        assert not any(done for _, _, _, done in got)
        protocol.close_shell(shell)
    with client(lab, "answer_bomb") as protocol:
        answer = read_answer(run(protocol, "echo", "x")[0])
        assert list(answer.broken) == ["programs"]
        assert "more than" in answer.broken["programs"]


def test_a_gzip_bomb_comes_as_content_encoding(lab: LabServer) -> None:
    with requests.post(lab.url("plain_bomb"), data=b"", stream=True, timeout=5) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert int(answer.headers["Content-Length"]) < BOMB_BYTES / 500
        assert len(next(answer.iter_content(1 << 20))) == 1 << 20


def test_an_unwary_client_unpacks_the_bomb_inside_a_sealed_session(lab: LabServer) -> None:
    with client(lab, "gzip_bomb") as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "echo", ["x"])
        with pytest.raises(IndexError):  # 256 MiB later, no MIME part is found in them
            protocol.get_command_output_raw(shell, command)


def test_the_bombs_are_what_they_say() -> None:
    decoder, total = zlib.decompressobj(31), 0
    for piece in gzip_bomb():
        data = decoder.decompress(piece)
        assert not data.strip(b"\0")
        total += len(data)
    assert total + len(decoder.flush()) == BOMB_BYTES
    assert decoder.eof
    assert len(answer_bomb()) < BOMB_BYTES // 500


def test_latency_and_run_time_are_kept(tmp_path: Path) -> None:
    with running(tmp_path, host(latency_ms=50, run_ms=400)) as server, client(server) as protocol:
        shell = protocol.open_shell()
        started = time.monotonic()
        command = protocol.run_command(shell, "echo", ["x"])
        assert time.monotonic() - started < 0.3
        assert protocol.get_command_output(shell, command)[0] == b"x"
        assert 0.4 <= time.monotonic() - started < 1.5
        protocol.close_shell(shell)


def test_the_place_of_a_fault() -> None:
    assert Behaviour().place is None
    assert Behaviour(fault="garbage").place == "Receive"
    assert Behaviour(fault="garbage", at="Create").place == "Create"
    assert Behaviour(fault="reset").place == "any"


@pytest.mark.parametrize(
    "bad", [{"latency_ms": -1}, {"run_ms": 1 << 40}, {"redirect_to": "http://a\r\nX: y"}, {"fault": "dance"}, {"more": 1}]
)
def test_behaviour_is_checked_when_it_is_read(bad: dict[str, object]) -> None:
    assert msgspec.convert({"fault": "redirect", "at": "any", "redirect_to": "http://b/", "run_ms": 5}, Behaviour).place == "any"
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, Behaviour)
