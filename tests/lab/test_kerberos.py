"""Kerberos against the lab with a real KDC: sealed over http, bound to TLS over https, and clear words for everything that goes wrong."""

from __future__ import annotations

import http.client
import importlib.util
import os
import ssl
import struct
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from auditor.collect.canary import CredentialCanary
from auditor.collect.fleet import Limits
from auditor.collect.kerberos import Tickets
from auditor.collect.policy import Allowed
from auditor.collect.tls import TlsContexts
from auditor.collect.transport import Ways
from auditor.doctor import Setting, examine
from auditor.model.credential import Credential
from auditor.model.host import HostResult, Target
from auditor.probes.bundle import ProbeRequest
from tests.kerberos.kdc import REALM, Kdc, missing_programs, running_kdc
from tests.lab.collect_fleet import Running, facts, running

MISSING = missing_programs() or ("" if importlib.util.find_spec("gssapi") else "needs pyspnego[kerberos]")
pytestmark = [pytest.mark.lab, pytest.mark.skipif(bool(MISSING), reason=MISSING)]
PASSWORD = "Geheim.1"
REQUEST = ProbeRequest(sections=("system", "shares"))


class Domain(NamedTuple):
    """A KDC and a fleet that trusts it."""

    kdc: Kdc
    fleet: Running

    def ask(self, host: str, credential: Credential, seconds: float = 15.0, **changes: Any) -> HostResult:
        """One host, asked with this credential."""
        target = msgspec.structs.replace(self.fleet.target(host), user=credential.user, **changes)
        return self.ask_all([target], credential, seconds)[0]

    def ask_all(self, targets: list[Target], credential: Credential, seconds: float = 15.0) -> list[HostResult]:
        """Several hosts in one run."""
        found = self.fleet.collect(targets=targets, credentials={t.name: credential for t in targets}, request=REQUEST, seconds=seconds)
        return list(found.values())


@pytest.fixture(scope="module")
def domain() -> Iterator[Domain]:
    with running_kdc() as kdc, pytest.MonkeyPatch.context() as environment:
        for name, value in kdc.environment.items():
            environment.setenv(name, value)
        kdc.add_user("svc-audit", PASSWORD)
        kdc.add_user("locked", PASSWORD)
        hosts: dict[str, Any] = {}
        for name, scheme in (("sealed", "http"), ("bound", "https"), ("third", "http"), ("fourth", "http")):
            spn = f"HTTP/{name}.lab.example"
            service = {"keytab": str(kdc.add_service(spn)), "realm": REALM, "spn": spn}
            hosts[name] = facts("windows-2022", scheme=scheme, kerberos=service)
        with running(hosts) as fleet:
            yield Domain(kdc, fleet)


def credential(user: str = f"svc-audit@{REALM}", password: str | None = PASSWORD, **more: Any) -> Credential:
    return Credential(user, password, **more)


@pytest.mark.parametrize(("host", "scheme"), [("sealed", "http"), ("bound", "https")])
def test_a_host_is_asked_with_a_ticket(domain: Domain, host: str, scheme: str) -> None:
    result = domain.ask(host, credential())
    assert (result.status, result.reason) == ("ok", "")
    assert result.snapshot is not None
    assert result.snapshot.transport.endswith(f"over {scheme}/kerberos")
    assert domain.fleet.lab.server.counts(host)["Logon"] == 1


def test_the_inventory_of_the_lab_names_kerberos(domain: Domain) -> None:
    target = domain.fleet.target("sealed")
    assert (target.transport, target.kerberos_host, target.user) == ("kerberos", "sealed.lab.example", f"svc-audit@{REALM}")


def test_over_https_a_ticket_that_is_not_bound_to_the_connection_is_refused(domain: Domain) -> None:
    import spnego

    domain.kdc.ticket(f"svc-audit@{REALM}", PASSWORD)
    target = domain.fleet.target("bound")
    context = spnego.client(spnego.CredentialCache(f"svc-audit@{REALM}"), hostname="bound.lab.example", service="HTTP", protocol="kerberos")
    token = context.step() or b""
    trusted = ssl.create_default_context(cafile=target.ca_file)
    connection = http.client.HTTPSConnection("127.0.0.1", target.port, context=trusted, timeout=10)
    connection.request("POST", "/wsman", headers={"Authorization": f"Negotiate {b64encode(token).decode()}"})
    assert connection.getresponse().status == 401
    connection.close()


def test_a_keytab_and_a_ticket_of_kinit_do_as_well(domain: Domain) -> None:
    keytab = domain.kdc.user_keytab("svc-audit")
    assert domain.ask("sealed", credential(password=None, keytab=str(keytab))).status == "ok"
    domain.kdc.ticket(f"svc-audit@{REALM}", PASSWORD)
    assert domain.ask("sealed", credential(password=None)).status == "ok"


def test_a_wrong_password_is_shown_to_the_kdc_once(domain: Domain) -> None:
    log = domain.kdc.folder / "kdc.log"
    before = log.read_text().count("PREAUTH_FAILED")
    targets = [domain.fleet.target(name) for name in ("sealed", "third", "fourth")]
    results = domain.ask_all(targets, credential(password="wrong"))
    words = sorted(f"{r.status}: {r.reason}" for r in results)
    assert words[0].startswith(f"denied: the KDC rejects the password of svc-audit@{REALM}")
    assert all(word.startswith("not_asked: credential rejected elsewhere") for word in words[1:])
    assert log.read_text().count("PREAUTH_FAILED") - before == 1, log.read_text()


SPOILED: list[tuple[dict[str, Any], dict[str, Any], str, str]] = [
    # changes of the target, of the credential, status, words
    ({"kerberos_host": "unknown.lab.example"}, {}, "failed", "the KDC knows no service HTTP/unknown.lab.example"),
    ({"kerberos_host": None}, {}, "not_asked", "Kerberos needs the host's name, and the inventory gives an address"),
    ({}, {"user": f"nobody@{REALM}"}, "denied", f"the KDC knows no account nobody@{REALM}"),
    ({}, {"user": "svc-audit@ELSEWHERE.EXAMPLE"}, "failed", "the KDC of the realm can't be reached or found"),
    ({}, {"user": f"locked@{REALM}"}, "denied", f"the account locked@{REALM} is locked, disabled or expired"),
    ({}, {"password": None, "keytab": "/nowhere/keytab"}, "not_asked", "the file of ansible_winrm_keytab can't be read"),
    ({"kerberos_host": "third.lab.example"}, {}, "failed", "the ticket is for another service than the host's"),
]


@pytest.mark.parametrize(("target", "who", "status", "words"), SPOILED)
def test_what_goes_wrong_is_said_in_words(domain: Domain, target: dict[str, Any], who: dict[str, Any], status: str, words: str) -> None:
    domain.kdc.admin(f"modprinc -allow_tix locked@{REALM}")
    result = domain.ask("sealed", credential(**who), **target)
    assert (result.status, result.snapshot) == (status, None)
    assert words in result.reason
    assert result.next_step


def test_without_ticket_password_and_keytab(domain: Domain) -> None:
    (domain.kdc.folder / "ticket").unlink(missing_ok=True)
    result = domain.ask("sealed", credential(password=None))
    assert (result.status, result.reason) == (
        "not_asked",
        "there is no Kerberos ticket, and the inventory gives neither password nor keytab",
    )


def test_a_clock_that_is_wrong_against_the_kdc(domain: Domain) -> None:
    _turn_clock(domain.kdc.ticket(f"svc-audit@{REALM}", PASSWORD), 3600)
    result = domain.ask("sealed", credential(password=None))
    assert result.status == "failed"
    assert "KRB_AP_ERR_SKEW" in result.reason
    assert "clocks" in result.next_step


def test_a_clock_that_is_wrong_against_the_host(domain: Domain) -> None:
    ticket = domain.kdc.ticket(f"svc-audit@{REALM}", PASSWORD)
    assert domain.ask("sealed", credential(password=None)).status == "ok", "the host's ticket is in the cache now"
    _turn_clock(ticket, 3600)
    result = domain.ask("sealed", credential(password=None))
    assert result.status == "failed"
    assert "KRB_AP_ERR_SKEW" in result.reason


def test_a_key_that_has_changed(domain: Domain, tmp_path: Path) -> None:
    domain.kdc.admin(f"ktadd -k {tmp_path / 'new'} HTTP/fourth.lab.example@{REALM}")
    result = domain.ask("fourth", credential())
    assert result.status in ("failed", "denied")
    assert "another account or its key has changed" in result.reason


def test_a_kdc_that_is_not_there(domain: Domain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    conf = (domain.kdc.folder / "krb5.conf").read_text().replace(str(domain.kdc.port), "1")
    (tmp_path / "krb5.conf").write_text(conf)
    monkeypatch.setenv("KRB5_CONFIG", str(tmp_path / "krb5.conf"))
    result = domain.ask("sealed", credential())
    assert (result.status, result.reason) == ("failed", "the KDC of the realm can't be reached or found")
    assert os.environ["KRB5_CONFIG"] == str(tmp_path / "krb5.conf")


def test_the_doctor_says_the_same_words(domain: Domain) -> None:
    setting = Setting(
        request=REQUEST,
        undecided=lambda _target, _result: (),
        limits=Limits(host_deadline_seconds=30),
        allowed=Allowed(),
        now=lambda: datetime.now(UTC),
        stop=threading.Event(),
        ports=(),
    )
    for name, state in (("sealed.lab.example", "ok"), ("unknown.lab.example", "problem")):
        target = msgspec.structs.replace(domain.fleet.target("sealed"), kerberos_host=name)
        ways = Ways(TlsContexts(), CredentialCanary(), Tickets())
        found = examine(target, credential(), ways, setting)
        steps = {step.name: step for step in found.steps}
        assert "Kerberos" in steps["mechanisms"].said
        assert steps["logon"].state == state
    assert "the KDC knows no service HTTP/unknown.lab.example" in steps["logon"].said


def _turn_clock(ticket: Path, seconds: int) -> None:
    """Makes the Kerberos library believe that the KDC's clock is ahead: the time offset in the head of a ticket file (format 5.4)."""
    data = ticket.read_bytes()
    length = int.from_bytes(data[2:4], "big")
    offset = struct.pack(">HHii", 1, 8, seconds, 0)
    ticket.write_bytes(data[:2] + len(offset).to_bytes(2, "big") + offset + data[4 + length :])
