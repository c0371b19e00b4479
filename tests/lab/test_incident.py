"""The incident's fleet over real WinRM with unmodified pywinrm: the probe runs, everything else is refused and written down."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import winrm
import yaml
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from auditor.lab.serve import Lab, serve
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle, default_sections
from auditor.probes.decode import decode_answer
from auditor.probes.framing import Answer
from tests.lab.conftest import own_digest

pytestmark = pytest.mark.lab
SEEN = ("srv-a", "srv-b", "dc-1", "print-1", "file-1", "de-1", "quiet-19", "quiet-22")
REQUEST = ProbeRequest(hash_drivers="all")
SMALL = """\
title: small
accounts: {auditor: {user: look, password: Looking-1}, operator: {user: act, password: Acting-22}}
hosts:
  one: {base: windows-2016, network: {computer_name: ONE}, access: {audits_logons: false}}
  none: {base: windows-2003, network: {computer_name: NONE}, system: {powershell: none}}
  locked: {base: windows-2022, network: {computer_name: LOCKED}, system: {language_mode: ConstrainedLanguage}}
  german: {base: [windows-2016, german], network: {computer_name: GERMAN}, system: {powershell: none}}
"""


def _protocol(lab: Lab, host: str, user: str, password: str) -> Protocol:
    return Protocol(
        lab.server.url(host),
        transport="ntlm",
        username=user,
        password=password,
        ca_trust_path=str(lab.server.ca_file),
        read_timeout_sec=20,
        operation_timeout_sec=10,
    )


@contextmanager
def _shell(protocol: Protocol) -> Iterator[str]:
    shell = protocol.open_shell()
    try:
        yield shell
    finally:
        protocol.close_shell(shell)


def _probe(protocol: Protocol, script: str) -> tuple[Answer, bytes, int]:
    with _shell(protocol) as shell:
        command = protocol.run_command(shell, framing.command_line())
        protocol.send_command_input(shell, command, framing.pack_script(script), end=True)
        out, err, code = protocol.get_command_output(shell, command)
        protocol.cleanup_command(shell, command)
    return framing.read_answer(out), err, code


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("small")
    (folder / "fleet.yml").write_text(SMALL, encoding="utf-8")
    with serve(folder / "fleet.yml", folder / "state", probe_digest_of=own_digest) as lab:
        yield lab


def _violations(lab: Lab) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.violations.read_text().splitlines()]


@pytest.mark.parametrize("host", SEEN)
def test_the_real_bundle_is_answered_whole_by_every_host_that_can(incident: Lab, incident_login: tuple[str, str], host: str) -> None:
    answer, errors, code = _probe(_protocol(incident, host, *incident_login), build_bundle(REQUEST))
    assert (errors, code, answer.complete, answer.foreign_lines) == (b"", 0, True, 0)
    assert tuple(answer.sections) == default_sections()
    decoded = decode_answer(answer, REQUEST)
    assert decoded.sections.system.records[0].version == incident.machines[host].facts.system.version
    assert answer.hello is not None
    assert (answer.hello.account or "").endswith("\\svc-audit")
    own = [logon for logon in decoded.sections.logons.readings if logon.account == "svc-audit"]
    assert bool(own) == (host != "print-1"), "a logon over WinRM leaves its record"
    assert incident.server.open_shells(host) == ()


def test_one_host_refuses_the_logon(incident: Lab, incident_login: tuple[str, str]) -> None:
    with pytest.raises(InvalidCredentialsError):
        _protocol(incident, "web-1", *incident_login).open_shell()


def test_one_host_takes_the_command_and_says_nothing_more(incident: Lab, incident_login: tuple[str, str]) -> None:
    protocol = _protocol(incident, "sql-1", *incident_login)
    protocol.operation_timeout_sec = 1
    with _shell(protocol) as shell:
        command = protocol.run_command(shell, framing.command_line())
        protocol.send_command_input(shell, command, framing.pack_script(build_bundle(ProbeRequest())), end=True)
        with pytest.raises(WinRMOperationTimeoutError):
            protocol.get_command_output_raw(shell, command)


def test_the_inventory_is_private_and_says_how_to_reach_every_host(incident: Lab) -> None:
    assert stat.S_IMODE(incident.inventory.stat().st_mode) == 0o600
    inventory = yaml.safe_load(incident.inventory.read_text())["all"]["children"]
    windows = inventory["windows"]
    assert list(windows["hosts"]) == [host.name for host in incident.fleet.hosts]
    assert windows["vars"]["ansible_connection"] == "winrm"
    assert windows["vars"]["ansible_winrm_server_cert_validation"] == "validate"
    assert windows["hosts"]["quiet-19"]["ansible_winrm_scheme"] == "https"
    assert set(inventory["antivirus_servers"]["hosts"]) == {"srv-a", "srv-b"}
    ready = incident.ready()
    assert (ready["ready"], ready["hosts"], ready["inventory"]) == (True, 10, str(incident.inventory))
    assert json.dumps(ready)
    assert windows["vars"]["ansible_password"] not in json.dumps(ready)


def test_anything_but_the_probe_is_refused_to_the_auditor_and_written_down(small: Lab) -> None:
    protocol = _protocol(small, "one", "look", "Looking-1")
    before = len(_violations(small))
    with _shell(protocol) as shell:
        for command in ("whoami", framing.command_line() + " -x", framing.command_line().replace("-NoLogo ", "")):
            with pytest.raises(WSManFaultError):
                protocol.run_command(shell, command)
    for script in ("'hello'\n", framing.parameter_line({"sections": ["system"]}) + "'other'\n", build_bundle(REQUEST) + "'more'\n"):
        with pytest.raises(WSManFaultError):
            _probe(protocol, script)
    found = _violations(small)[before:]
    assert [entry["host"] for entry in found] == ["one"] * 6
    assert {entry["user"] for entry in found} == {"look"}
    assert found[0]["what"] == "command line: whoami"
    assert all(len(entry["what"]) <= 200 for entry in found)
    assert "not the auditor's bundle" in found[-1]["what"]


def test_a_host_without_powershell_and_one_in_constrained_language(small: Lab) -> None:
    answer, errors, code = _probe_without_input(_protocol(small, "none", "look", "Looking-1"))
    assert (answer.hello, code) == (None, 1)
    assert b"cannot find the path" in errors
    answer, _, code = _probe_without_input(_protocol(small, "locked", "look", "Looking-1"))
    assert (answer.refused, code) == ("ConstrainedLanguage", 0)
    _, errors, _ = _probe_without_input(_protocol(small, "german", "look", "Looking-1"))
    assert "Pfad nicht finden" in errors.decode("cp850")


def _probe_without_input(protocol: Protocol) -> tuple[Answer, bytes, int]:
    with _shell(protocol) as shell:
        command = protocol.run_command(shell, framing.command_line())
        out, err, code = protocol.get_command_output(shell, command)
    return framing.read_answer(out), err, code


def test_a_host_that_audits_no_logons_says_so(small: Lab) -> None:
    answer, _, _ = _probe(_protocol(small, "one", "look", "Looking-1"), build_bundle(ProbeRequest()))
    assert answer.sections["logons"].status == "partial"
    assert "logons are not audited here" in answer.sections["logons"].gaps[0].reason


@pytest.fixture(scope="module")
def operator(small: Lab) -> winrm.Session:
    return winrm.Session(small.server.url("one"), auth=("act", "Acting-22"), transport="ntlm")


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ("hostname", 0, "one\r\n"),
        ("whoami", 0, "one\\act\r\n"),
        ("ver", 0, "\r\nMicrosoft Windows [Version 10.0.14393.7428]\r\n"),
        ("echo hello there", 0, "hello there\r\n"),
        ("cmd /c echo hello", 0, "hello\r\n"),
        ("exit /b 3", 3, ""),
        ("sc query nothing", 1060, "FAILED 1060"),
        ("sc query Spooler", 0, "STATE              : 4  RUNNING"),
        ("sc query WdBoot", 0, "TYPE               : 1  KERNEL_DRIVER"),
        ('reg query "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion" /v EditionID', 0, "    EditionID    REG_SZ    ServerStandard"),
        (
            "reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\WdFilter",
            0,
            "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\WdFilter",
        ),
        ("reg query HKLM\\SOFTWARE\\Nothing", 1, ""),
        ("format c:", 1, ""),
        ("sc frobnicate Spooler", 1, ""),
    ],
)
def test_the_operator_has_a_few_honest_commands(operator: winrm.Session, line: str, code: int, out: str) -> None:
    done = operator.run_cmd(line)
    assert done.status_code == code
    assert out in done.std_out.decode()
    if code == 1:
        assert b"not recognized" in done.std_err or b"unable to find" in done.std_err


def test_the_operators_powershell_runs_statements(operator: winrm.Session) -> None:
    done = operator.run_ps("Write-Output 'one two'\nhostname; echo x")
    assert (done.status_code, done.std_out) == (0, b"one two\r\none\r\nx\r\n")
    assert operator.run_ps("sc.exe query nothing").status_code == 1
    unknown = operator.run_ps("Remove-Item C:\\x")
    assert unknown.status_code == 1
    assert unknown.std_out == b""


def test_the_operators_inventory_reaches_every_host_with_his_account(small: Lab) -> None:
    named = Path(small.ready()["operator_inventory"])
    assert named.stat().st_mode & 0o777 == 0o600
    windows = yaml.safe_load(named.read_text())["all"]["children"]["windows"]
    ours = yaml.safe_load(small.inventory.read_text())["all"]["children"]["windows"]
    assert windows["hosts"] == ours["hosts"]
    user, password = windows["vars"]["ansible_user"], windows["vars"]["ansible_password"]
    assert (user, ours["vars"]["ansible_user"]) == ("act", "look")
    assert "Acting-22" not in small.inventory.read_text()
    done = winrm.Session(small.server.url("one"), auth=(user, password), transport="ntlm").run_cmd("whoami")
    assert done.std_out == b"one\\act\r\n"


def test_the_operators_commands_are_no_violations(small: Lab) -> None:
    assert {entry["user"] for entry in _violations(small)} <= {"look"}


def test_a_state_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    from auditor.model.errors import LabError

    (tmp_path / "taken").write_text("a file")
    with pytest.raises(LabError, match="state folder"):
        serve("incident", tmp_path / "taken")


def test_a_restart_in_the_same_folder_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "violations.jsonl").write_text("{}\n")
    with serve("incident", tmp_path) as lab:
        assert lab.violations.read_text() == ""
