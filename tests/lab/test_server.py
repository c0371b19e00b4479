"""The lab's server, spoken to by unmodified pywinrm over loopback: actions, logons, quotas, faults of the protocol, robustness."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import xmltodict
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError, WSManFaultError
from winrm.protocol import Protocol

from auditor.lab import wsman
from auditor.lab.process import CONTROL_C_EXIT
from auditor.lab.server import Account, Call, HostEndpoint, LabServer, Reply
from tests.lab.server_fixtures import AUDITOR, CHINESE, OPERATOR, SmallShell, big, client, host, run, running, send

pytestmark = pytest.mark.lab
SOAP = {"Content-Type": "application/soap+xml;charset=UTF-8"}
IDENTIFY = f'<s:Envelope xmlns:s="{wsman.SOAP}"><s:Body><i:Identify xmlns:i="{wsman.IDENTITY}"/></s:Body></s:Envelope>'.encode()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A 2003 host over http and a 2022 host over https."""
    new = host("srvb", scheme="https", hostname="srvb.lab.example", os_version="10.0.20348")
    with running(tmp_path_factory.mktemp("lab"), host("srva", service_pack="2.0"), new) as server:
        yield server


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@pytest.fixture
def web() -> Iterator[requests.Session]:
    """A plain HTTP client."""
    with _session() as session:
        yield session


WAYS = [
    pytest.param("srva", {}, id="http-ntlm-sealed"),
    pytest.param("srvb", {}, id="https-ntlm"),
    pytest.param("srvb", {"message_encryption": "always"}, id="https-ntlm-sealed"),
    pytest.param("srvb", {"transport": "basic"}, id="https-basic"),
]


@pytest.mark.parametrize(("name", "options"), WAYS)
def test_a_command_runs_over_every_way_in(lab: LabServer, name: str, options: dict[str, Any]) -> None:
    with client(lab, name, **options) as protocol:
        assert run(protocol, "echo", CHINESE) == (CHINESE.encode(), b"", 0)
        assert run(protocol, "nothing") == (b"", b"no such command", 3)
        assert run(protocol, "count", stdin=bytes(range(250)) * 800) == (b"200000 24900000", b"", 0)
    assert lab.open_shells(name) == ()


@pytest.mark.parametrize(("name", "options"), WAYS[:2])
def test_five_megabytes_come_in_pieces_below_the_envelope(lab: LabServer, name: str, options: dict[str, Any]) -> None:
    before = lab.counts(name).get("Receive", 0)
    with client(lab, name, **options) as protocol:
        assert run(protocol, "big", "5000000")[0] == big(5_000_000)
    assert lab.counts(name)["Receive"] - before >= 5_000_000 * 4 / 3 / protocol.max_env_sz


def test_every_action_is_counted_and_streams_stay_apart(tmp_path: Path) -> None:
    with running(tmp_path, host()) as server, client(server) as protocol:
        out, err, code = run(protocol, "mixed")
        assert (out, err, code) == (
            b"".join(b"%d\n" % n for n in range(1, 500, 2)),
            b"".join(b"%d\n" % n for n in range(0, 500, 2)),
            0,
        )
        run(protocol, "count", stdin=b"")
    counts = server.counts("srva")
    assert counts == {
        "Connection": 1,
        "Logon": 1,
        "Create": 2,
        "Command": 2,
        "Receive": counts["Receive"],
        "Signal": 2,
        "Delete": 2,
        "Send": 1,
    }


def test_the_host_shell_sees_who_asks_and_how(lab: LabServer) -> None:
    with client(lab, account=OPERATOR) as protocol:
        shell = protocol.open_shell(
            noprofile=True, codepage=936, env_vars={"NAME": "Größe <&>"}, working_directory="C:\\Temp", idle_timeout=60
        )
        command = protocol.run_command(shell, "facts", ["a b", "c"], skip_cmd_shell=True)
        out = protocol.get_command_output(shell, command)[0].decode()
        protocol.close_shell(shell, close_session=False)
    assert out == str(
        sorted(
            {"user": OPERATOR.user, "role": "operator", "skip": True, "env": {"NAME": "Größe <&>"}, "cp": 936, "noprofile": True}.items()
        )
    )


def test_output_that_comes_late_is_waited_for_and_a_silent_command_times_out(lab: LabServer) -> None:
    with client(lab, operation_timeout_sec=1) as protocol:
        assert run(protocol, "late", "0.2") == (b"late", b"", 7)
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "sleep")
        assert protocol.get_command_output_raw(shell, command) == (b"sleeping", b"", -1, False)
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)
        protocol.close_shell(shell)


def test_signals_end_a_command(lab: LabServer) -> None:
    with client(lab) as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "sleep")
        message = protocol.build_wsman_header(f"{wsman.SHELL}/Signal", wsman.SHELL_CMD, shell)
        signal = {"@CommandId": command, "rsp:Code": f"{wsman.SHELL}/signal/ctrl_c"}
        protocol.send_message(_unparse({"env:Envelope": message | {"env:Body": {"rsp:Signal": signal}}}))
        assert protocol.get_command_output(shell, command) == (b"sleeping", b"", CONTROL_C_EXIT)
        protocol.cleanup_command(shell, command)
        with pytest.raises(WSManFaultError) as caught:
            protocol.get_command_output_raw(shell, command)
        assert caught.value.wsman_fault_code == wsman.INVALID_SELECTORS
        other = protocol.run_command(shell, "sleep")
        protocol.cleanup_command(shell, other)
        protocol.close_shell(shell)


def _unparse(envelope: Mapping[str, object]) -> str:
    return str(xmltodict.unparse(envelope))


def _fault(protocol: Protocol, action: str, resource: str, body: object, shell: str | None = None) -> WSManFaultError:
    message = protocol.build_wsman_header(action, resource, shell)
    with pytest.raises(WSManFaultError) as caught:
        protocol.send_message(_unparse({"env:Envelope": message | {"env:Body": body}}))
    return caught.value


def test_faults_have_the_codes_of_windows(lab: LabServer) -> None:
    cimv2 = f"{wsman.WMI}/root/cimv2/Win32_Service"
    with client(lab) as protocol:
        shell = protocol.open_shell()
        cases = [
            (
                _fault(protocol, f"{wsman.SHELL}/Receive", wsman.SHELL_CMD, {}, "no-such-shell"),
                wsman.INVALID_SELECTORS,
                "w:InvalidSelectors",
            ),
            (_fault(protocol, f"{wsman.ENUMERATION}/Enumerate", cimv2, {}), wsman.RESOURCE_NOT_FOUND, "a:DestinationUnreachable"),
            (_fault(protocol, f"{wsman.TRANSFER}/Put", wsman.SHELL_CMD, {}), wsman.ACTION_NOT_SUPPORTED, "a:ActionNotSupported"),
            (_fault(protocol, f"{cimv2}/StopService", cimv2, {}), wsman.RESOURCE_NOT_FOUND, "a:DestinationUnreachable"),
            (_fault(protocol, f"{wsman.SHELL}/Command", wsman.SHELL_CMD, {}, shell), wsman.INVALID_PARAMETER, "w:InvalidParameter"),
            (_fault(protocol, f"{wsman.SHELL}/Send", wsman.SHELL_CMD, {}, shell), wsman.INVALID_BODY, "w:InvalidBody"),
        ]
        protocol.close_shell(shell)
    assert [(f.wsman_fault_code, f.fault_subcode, f.code) for f, _, _ in cases] == [(code, word, 500) for _, code, word in cases]


def test_a_refusal_of_the_host_shell_is_a_fault_and_its_crash_ends_one_request_only(
    lab: LabServer, caplog: pytest.LogCaptureFixture
) -> None:
    with client(lab) as protocol:
        with pytest.raises(WSManFaultError) as caught:
            run(protocol, "forbidden")
        assert (caught.value.wsman_fault_code, caught.value.fault_subcode) == (wsman.ACCESS_DENIED, "w:AccessDenied")
        with pytest.raises(WSManFaultError) as caught:
            run(protocol, "echo", "x" * 8200)
        assert caught.value.wsman_fault_code == wsman.LINE_TOO_LONG
    with client(lab) as protocol, pytest.raises(WinRMTransportError):
        run(protocol, "crash")
    assert "could not be answered" in caplog.text
    with client(lab) as protocol:
        assert run(protocol, "echo", "still here")[0] == b"still here"


@pytest.mark.parametrize(("version", "quota"), [("5.2.3790", 5), ("6.1.7601", 5), ("10.0.17763", 30)])
def test_a_user_has_so_many_shells_and_no_more(tmp_path: Path, version: str, quota: int) -> None:
    with running(tmp_path, host(os_version=version)) as server, client(server) as protocol, client(server, account=OPERATOR) as other:
        shells = [protocol.open_shell() for _ in range(quota)]
        assert set(server.open_shells("srva")) == set(shells)
        with pytest.raises(WSManFaultError) as caught:
            protocol.open_shell()
        assert caught.value.wsman_fault_code == wsman.QUOTA_SHELLS
        theirs = other.open_shell()
        with pytest.raises(WSManFaultError) as caught:
            protocol.run_command(theirs, "echo")
        assert caught.value.wsman_fault_code == wsman.ACCESS_DENIED
        for shell in shells:
            protocol.close_shell(shell, close_session=False)
        assert server.open_shells("srva") == (theirs,)


def test_an_idle_shell_is_closed(tmp_path: Path) -> None:
    with running(tmp_path, host()) as server, client(server) as protocol:
        protocol.open_shell(idle_timeout="PT0.3S")
        assert len(server.open_shells("srva")) == 1
        ends = time.monotonic() + 5
        while server.open_shells("srva") and time.monotonic() < ends:
            time.sleep(0.05)
        assert server.open_shells("srva") == ()


def test_a_request_larger_than_the_envelope_is_refused_with_413(lab: LabServer) -> None:
    with client(lab) as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "count")
        with pytest.raises(WinRMTransportError) as caught:
            protocol.send_command_input(shell, command, b"x" * 200_000, end=True)
        assert caught.value.code == 413
        protocol.transport.close_session()
        protocol.close_shell(shell)
    with client(lab, "srvb") as protocol:
        shell = protocol.open_shell()
        command = protocol.run_command(shell, "count")
        protocol.send_command_input(shell, command, b"x" * 200_000, end=True)
        assert protocol.get_command_output(shell, command)[0] == b"200000 24000000"
        protocol.close_shell(shell)


def test_wrong_passwords_and_strangers_are_rejected_and_counted(tmp_path: Path) -> None:
    elsewhere = Account(user="auditor", password="another")
    hosts = (host(), HostEndpoint(name="srvb", accounts=(elsewhere,), scheme="https"))
    with running(tmp_path, *hosts) as server:
        attempts: list[tuple[str, dict[str, Any]]] = [
            ("srva", {"password": "wrong"}),
            ("srva", {"user": "nobody"}),
            ("srva", {"account": elsewhere}),
            ("srvb", {}),
            ("srvb", {"account": OPERATOR}),
            ("srvb", {"transport": "basic"}),
        ]
        for name, options in attempts:
            with client(server, name, **options) as protocol, pytest.raises(InvalidCredentialsError):
                protocol.open_shell()
        with client(server, "srvb", elsewhere) as protocol:
            assert run(protocol, "echo", "in")[0] == b"in"
        for user in ("AUDITOR", "srva\\auditor"):
            with client(server, user=user) as protocol:
                assert run(protocol, "echo", "in")[0] == b"in"
        assert (server.counts("srva")["Rejected"], server.counts("srvb")["Rejected"]) == (3, 3)
        assert server.counts("srva")["Create"] == 2


def test_basic_and_unsealed_bodies_are_refused_over_http(lab: LabServer, web: requests.Session) -> None:
    with client(lab, transport="basic") as protocol, pytest.raises(InvalidCredentialsError):
        protocol.open_shell()
    with client(lab, message_encryption="never") as protocol:
        with pytest.raises(WinRMTransportError) as caught:
            protocol.open_shell()
        assert (caught.value.code, caught.value.response_text) == (500, "")
    answer = web.post(lab.url("srva"), data=b"")
    assert (answer.status_code, answer.content, answer.headers["Server"]) == (401, b"", "Microsoft-HTTPAPI/2.0")
    assert answer.headers["WWW-Authenticate"] == "Negotiate, NTLM"


def test_spnego_wrapped_ntlm_logs_on_too(lab: LabServer, web: requests.Session) -> None:
    import base64

    import spnego

    options = spnego.NegotiateOptions.use_negotiate
    context = spnego.client(AUDITOR.user, AUDITOR.password, "127.0.0.1", protocol="negotiate", options=options)
    token, answer = context.step(), None
    while not context.complete or token:
        answer = web.post(lab.url("srva"), headers={"Authorization": f"Negotiate {base64.b64encode(token or b'').decode()}"})
        back = answer.headers.get("WWW-Authenticate", "").removeprefix("Negotiate ")
        token = context.step(base64.b64decode(back)) if back and not context.complete else None
    assert answer is not None
    assert answer.status_code == 200


def test_identify_tells_strangers_less(lab: LabServer, web: requests.Session) -> None:
    answer = web.post(lab.url("srva"), data=IDENTIFY, headers={**SOAP, "WSMANIDENTIFY": "unauthenticated"})
    assert "<wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 2.0</wsmid:ProductVersion>" in answer.text
    with client(lab) as protocol:
        assert b"OS: 5.2.3790 SP: 2.0 Stack: 2.0<" in send(protocol, IDENTIFY)
    with client(lab, "srvb") as protocol:
        assert b"OS: 10.0.20348 SP: 0.0 Stack: 3.0<" in send(protocol, IDENTIFY)


@pytest.mark.parametrize("kind", ["other_ca", "expired", "wrong_name"])
def test_a_wrong_certificate_is_not_trusted(tmp_path: Path, kind: str) -> None:
    with running(tmp_path, host(scheme="https", certificate=kind)) as server, client(server) as protocol:
        with pytest.raises(requests.exceptions.SSLError):
            protocol.open_shell()
        assert server.counts("srva") == {}


def test_another_runs_authority_is_not_trusted(lab: LabServer, tmp_path: Path) -> None:
    with (
        running(tmp_path) as other,
        client(lab, "srvb", ca_trust_path=str(other.ca_file)) as protocol,
        pytest.raises(requests.exceptions.SSLError),
    ):
        protocol.open_shell()


def test_a_host_with_winrm_1_has_no_shell_resource(tmp_path: Path) -> None:
    with running(tmp_path, host(winrm_stack="1.1")) as server, client(server) as protocol:
        with pytest.raises(WSManFaultError) as caught:
            protocol.open_shell()
        assert caught.value.wsman_fault_code == wsman.RESOURCE_NOT_FOUND


def test_further_resources_have_their_own_operations(tmp_path: Path) -> None:
    async def enumerate_services(call: Call) -> Reply:
        return Reply(f"{wsman.ENUMERATION}/EnumerateResponse", f"<n:EnumerateResponse>{call.account.role}</n:EnumerateResponse>")

    routes = {"srva": {("Enumerate", f"{wsman.WMI}/root/cimv2/*"): enumerate_services}}
    hosts = [host(), host("srvb")]
    shells = {name: SmallShell() for name in ("srva", "srvb")}
    uri = f"{wsman.WMI}/root/cimv2/Win32_Service"
    with LabServer(hosts, shells, tmp_path, routes=routes) as server, client(server) as protocol, client(server, "srvb") as other:
        message = {"env:Envelope": protocol.build_wsman_header(f"{wsman.ENUMERATION}/Enumerate", uri) | {"env:Body": {}}}
        assert b"<n:EnumerateResponse>auditor<" in protocol.send_message(_unparse(message))
        assert _fault(protocol, f"{wsman.ENUMERATION}/Pull", uri, {}).wsman_fault_code == wsman.ACTION_NOT_SUPPORTED
        assert _fault(other, f"{wsman.ENUMERATION}/Enumerate", uri, {}).wsman_fault_code == wsman.RESOURCE_NOT_FOUND
        assert run(protocol, "echo", "x")[0] == b"x"
    assert (server.counts("srva")["Enumerate"], server.counts("srva")["Pull"]) == (1, 1)
