"""The doctor against lab hosts with each problem: the step that fails is named, so is what to do, and what is lost."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from auditor.cli.program import run
from auditor.collect.canary import CredentialCanary
from auditor.collect.fleet import Limits
from auditor.collect.kerberos import Tickets
from auditor.collect.policy import Allowed
from auditor.collect.tls import TlsContexts
from auditor.collect.transport import Ways
from auditor.collect.trial import candidates, look
from auditor.doctor import Diagnosis, Setting, Step, examine
from auditor.model.credential import Credential
from auditor.probes.bundle import ProbeRequest
from tests.lab.collect_fleet import Running, facts, running

pytestmark = pytest.mark.lab
PROBLEMS: dict[str, tuple[dict[str, Any], str, str, str]] = {
    # host: facts, the step that fails, words, which way works
    "closed": ({"behaviour": {"fault": "refuse_connection"}}, "port", "nothing listens", "none"),
    "web": ({"behaviour": {"fault": "http_error"}}, "identify", "status 503", "none"),
    "other_ca": ({"scheme": "https", "behaviour": {"certificate": "other_ca"}}, "tls", "authority that is not trusted", "none"),
    "expired": ({"scheme": "https", "behaviour": {"certificate": "expired"}}, "tls", "has expired", "none"),
    "password": ({"behaviour": {"fault": "refuse_logon"}}, "logon", "rejected the credentials", "none"),
    "quota": ({"behaviour": {"fault": "quota_fault"}}, "shell", "too many shells", "wmi"),
    "no_right": ({"behaviour": {"fault": "access_denied"}}, "shell", "denies it WinRM", "wmi"),
    "stack11": ({"winrm_stack": "1.1"}, "shell", "without a command shell", "wmi"),
    "none": ({"system": {"powershell": "none"}}, "powershell", "no PowerShell", "wmi"),
    "constrained": ({"system": {"language_mode": "ConstrainedLanguage"}}, "powershell", "ConstrainedLanguage", "wmi"),
    "amsi": ({"system": {"blocked_by": "amsi"}}, "powershell", "AMSI", "wmi"),
    "nothing": ({"system": {"powershell": "none"}, "access": {"denied": ["wmi"]}}, "powershell", "no PowerShell", "none"),
}
WARNINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no_wmi": ({"access": {"denied": ["wmi"]}}, "wmi queries", "WMI denies it to this account"),
    "no_registry": ({"access": {"denied_classes": ["StdRegProv"]}}, "wmi registry", "WMI denies it to this account"),
    "ordinary": ({"access": {"elevated": False}}, "rights", "services"),
}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Running]:
    hosts = {name: facts("windows-2022", **more) for name, (more, _, _, _) in PROBLEMS.items()}
    hosts |= {name: facts("windows-2022", **more) for name, (more, _, _) in WARNINGS.items()}
    hosts |= {"good": facts("windows-2022"), "secure": facts("windows-2022", scheme="https")}
    with running(hosts) as fleet:
        yield fleet
        assert fleet.violations() == ""


def diagnosis(fleet: Running, name: str, allowed: Allowed | None = None, **changes: Any) -> Diagnosis:
    target = msgspec.structs.replace(fleet.target(name), **changes)
    setting = Setting(
        request=ProbeRequest(),
        undecided=lambda _target, result: (result.status,),
        limits=Limits(host_deadline_seconds=60),
        allowed=allowed or Allowed(),
        now=lambda: datetime.now(UTC),
        stop=threading.Event(),
        ports=(),
    )
    return examine(target, fleet.inventory.credentials[name], ways(), setting)


def ways() -> Ways:
    return Ways(TlsContexts(), CredentialCanary(), Tickets(), False, 5.0)


def step(found: Diagnosis, name: str) -> Step:
    return next(step for step in found.steps if step.name == name)


def test_a_host_that_is_well(fleet: Running) -> None:
    for name, port in (("good", "http"), ("secure", "https")):
        found = diagnosis(fleet, name)
        assert found.complete, found
        assert found.way == "powershell"
        assert {s.state for s in found.steps} == {"ok"}
        assert ("tls" in {s.name for s in found.steps}) is (port == "https")
        assert "WinRM stack 3.0" in step(found, "identify").said
        assert "Negotiate" in step(found, "mechanisms").said
        assert "5.1.20348" in step(found, "powershell").said
        assert {section.status for section in found.sections} == {"ok"}


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_is_wrong_is_named_with_what_to_do(fleet: Running, name: str) -> None:
    _, where, words, way = PROBLEMS[name]
    found = diagnosis(fleet, name)
    failed = step(found, where)
    assert (failed.state, found.way, found.complete) == ("problem", way, False)
    assert words in failed.said
    assert failed.next_step
    assert all(s.state != "problem" for s in found.steps[: found.steps.index(failed)])
    if way == "wmi":
        lost = {section.name: section.status for section in found.sections if section.status != "ok"}
        assert lost == {"drivers": "partial", "tasks": "unsupported", "scripts": "unsupported", "firewall": "partial", "jobs": "partial"}
        assert found.undecided == ("partial",)


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_missing_without_harm_is_a_warning(fleet: Running, name: str) -> None:
    _, where, words = WARNINGS[name]
    found = diagnosis(fleet, name)
    assert (step(found, where).state, found.way) == ("warning", "powershell")
    assert words in step(found, where).said
    assert found.complete is (name == "no_registry"), "what the script itself reads from WMI is denied too, the registry is not"


def test_an_ordinary_account_is_told_the_right_of_each_section(fleet: Running) -> None:
    sections = {section.name: section for section in diagnosis(fleet, "ordinary").sections}
    assert sections["services"].status == "partial"
    assert "Administrators" in sections["services"].needs
    assert sections["logons"].status == "denied"
    assert "Event Log Readers" in sections["logons"].next_step
    assert sections["shares"].needs == ""


def test_elevation_is_a_step_of_its_own(fleet: Running) -> None:
    assert step(diagnosis(fleet, "ordinary"), "elevation").state == "warning"
    assert step(diagnosis(fleet, "ordinary", way="wmi"), "elevation").state == "warning"
    assert step(diagnosis(fleet, "good", way="wmi"), "elevation").state == "ok"


def test_policy_and_mechanism_come_before_the_logon(fleet: Running) -> None:
    for name, changes in (
        ("good", {"transport": "basic"}),
        ("secure", {"validate_certificate": False}),
        ("good", {"transport": "credssp"}),
    ):
        refused = diagnosis(fleet, name, **changes)
        assert [(s.name, s.state) for s in refused.steps] == [("policy", "problem")]
        assert refused.steps[0].next_step
    allowed = diagnosis(fleet, "good", Allowed(credssp=True), transport="credssp")
    assert step(allowed, "mechanisms").state == "problem"
    assert "offered: NTLM, Negotiate" in step(allowed, "mechanisms").said
    assert "logon" not in {s.name for s in allowed.steps}


def test_the_inventory_can_choose_wmi_or_forbid_it(fleet: Running) -> None:
    chosen = diagnosis(fleet, "good", way="wmi")
    assert (chosen.way, step(chosen, "shell").state) == ("wmi", "skipped")
    forbidden = diagnosis(fleet, "none", way="powershell")
    assert forbidden.way == "none"


def test_the_usual_ports_are_looked_at_and_the_right_one_is_named(fleet: Running) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
    target = msgspec.structs.replace(fleet.target("good"), port=closed)
    assert candidates(target) == ((closed, "http"), (5985, "http"), (5986, "https"), (80, "http"), (443, "https"))
    assert candidates(msgspec.structs.replace(target, port=5986, scheme="https"))[0] == (5986, "https")
    own, other = fleet.target("good").port, fleet.target("secure").port
    setting = Setting(
        request=ProbeRequest(), undecided=lambda _target, _result: (), limits=Limits(), allowed=Allowed(), now=lambda: datetime.now(UTC),
        stop=threading.Event(), ports=((own, "http"), (other, "https")),
    )  # fmt: skip
    found = examine(target, Credential("x", "y"), ways(), setting)
    assert [s.name for s in found.steps] == ["name", "port"]
    assert f"WinRM answers at http {own} (stack 3.0), https {other} (stack 3.0)" in found.steps[-1].said
    assert found.steps[-1].next_step == f"set ansible_port: {own} and ansible_winrm_scheme: http"


def test_a_stranger_at_the_port_is_no_winrm(fleet: Running) -> None:
    """A TLS port asked in the clear, and the other way round."""
    secure, plain = fleet.target("secure"), fleet.target("good")
    assert look(secure, secure.port, "http", ways()).reason
    found = look(plain, plain.port, "https", ways())
    assert (found.open, found.secured) == (True, False)
    assert "setting up TLS" in found.reason


def test_an_unknown_name(fleet: Running) -> None:
    found = diagnosis(fleet, "good", address="no-such-host.invalid")
    assert [(s.name, s.state) for s in found.steps] == [("name", "problem")]


def test_the_command(fleet: Running, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    inventory = str(fleet.lab.inventory)
    assert run(["doctor", "good", "-i", inventory]) == 0
    assert "good: asked with PowerShell" in capsys.readouterr().out
    assert run(["doctor", "none", "ordinary", "-i", inventory]) == 3
    text = capsys.readouterr().out
    assert "none: asked over WMI only, not everything is seen" in text
    assert "-> " in text
    assert "can't be decided for this host" in text
    assert run(["doctor", "none", "-i", inventory, "--format", "json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["schema_version"] == 1
    assert [host["host"] for host in document["hosts"]] == ["none"]
    assert run(["doctor", "nobody", "-i", inventory]) == 64
    assert run(["doctor", "good"]) == 64
