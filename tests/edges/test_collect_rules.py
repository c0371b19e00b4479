"""The collector's rules: who is refused before anything is sent, how often a credential is shown, what a silent probe means, seals."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.collect.assemble import Asked, make_result
from auditor.collect.canary import CredentialCanary, Outcome
from auditor.collect.complaints import no_probe_reason, plain_text
from auditor.collect.fleet import Limits, _Run, bounded
from auditor.collect.logon import binding, standing_header
from auditor.collect.policy import Allowed, refusal
from auditor.collect.sealing import Seal, SealError
from auditor.collect.session import Told
from auditor.model.credential import Credential
from auditor.model.errors import CollectError
from auditor.model.host import HostResult, Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, bundle_digest

CREDSSP = "application/HTTP-CredSSP-session-encrypted"


def target(**changes: Any) -> Target:
    return Target(**{"name": "h", "address": "h.example", "port": 5986, "scheme": "https", "transport": "ntlm", "user": "u", **changes})


REFUSED = [
    ({"scheme": "http", "transport": "basic"}, "basic over http"),
    ({"scheme": "http", "transport": "certificate"}, "certificate over http"),
    ({"scheme": "http", "message_encryption": "never"}, "in the clear"),
    ({"transport": "basic", "validate_certificate": False}, "unchecked certificate"),
    ({"validate_certificate": False}, "not to be checked"),
    ({"transport": "negotiate"}, "changes mechanisms by itself"),
    ({"transport": "credssp"}, "CredSSP"),
    ({"transport": "kerberos", "address": "10.0.0.1"}, "Kerberos"),
    ({"transport": "certificate"}, "ansible_winrm_cert_pem"),
    ({"ca_file": "/nowhere/ca.pem"}, "file of authorities"),
]


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_the_policy_refuses_with_a_way_out(changes: dict[str, Any], words: str) -> None:
    found = refusal(target(**changes), Credential("u", "p"), Allowed())
    assert found is not None
    assert words in found.message
    assert found.next_step
    assert found.status in ("not_asked", "unsupported")


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, Allowed()),
        ({"scheme": "http"}, Allowed()),
        ({"transport": "basic"}, Allowed()),
        ({"validate_certificate": False}, Allowed(unverified=True)),
        ({"transport": "credssp"}, Allowed(credssp=True)),
    ],
)
def test_the_policy_lets_pass(changes: dict[str, Any], allowed: Allowed) -> None:
    assert refusal(target(**changes), Credential("u", "p"), allowed) is None


def test_missing_credentials_are_named(tmp_path: Path) -> None:
    for credential, word in ((Credential("u", None), "no password"), (Credential(None, "p"), "no user")):
        found = refusal(target(), credential, Allowed())
        assert found is not None
        assert word in found.message
    certificate = Credential(None, None, certificate=str(tmp_path / "c.pem"), certificate_key=str(tmp_path / "k.pem"))
    found = refusal(target(transport="certificate"), certificate, Allowed())
    assert found is not None
    assert "can't be read" in found.message


def test_headers_that_stand() -> None:
    assert standing_header(target(transport="basic"), Credential("Ü", "p:w")) == "Basic w5w6cDp3"
    assert standing_header(target(transport="certificate"), Credential(None, None)).endswith("/https/mutual")


def show(canary: CredentialCanary, host: str, outcome: Outcome, key: int = 1, account: str | None = None) -> None:
    with canary.turn(key, host, lambda: 0.05, account) as turn:
        turn.outcome = outcome


def test_two_rejections_end_it_for_that_credential_only() -> None:
    canary = CredentialCanary()
    show(canary, "a", "rejected")
    assert canary.refusal(1, "x") is None
    show(canary, "b", "rejected")
    found = canary.refusal(1, "x")
    assert found is not None
    assert (found.status, found.message) == ("not_asked", "credential rejected elsewhere (a, b)")
    with pytest.raises(CollectError):
        show(canary, "c", "accepted")
    show(canary, "c", "rejected", key=2)
    assert canary.refusal(2, "x") is None


def test_several_wrong_passwords_of_one_account_count_together() -> None:
    passwords = [Credential("CORP\\svc", f"wrong{n}") for n in range(3)] + [Credential("Svc@corp.example", "wrong")]
    canary = CredentialCanary()
    for host, one in zip("ab", passwords, strict=False):
        assert canary.refusal(one.key, host, one.account) is None
        show(canary, host, "rejected", one.key, one.account)
    for one in passwords:
        found = canary.refusal(one.key, "x", one.account)
        assert found is not None
        assert (found.status, found.message) == ("not_asked", "credential rejected elsewhere (a, b)")
        with pytest.raises(CollectError, match="rejected elsewhere"):
            show(canary, "x", "accepted", one.key, one.account)
    other = Credential("CORP\\other", "wrong0")
    show(canary, "c", "accepted", other.key, other.account)


def test_an_account_that_was_accepted_once_is_held_back_by_password_only() -> None:
    good, bad, third = (Credential("CORP\\svc", password) for password in ("good", "bad", "third"))
    canary = CredentialCanary()
    show(canary, "a", "rejected", bad.key, bad.account)
    show(canary, "b", "accepted", good.key, good.account)
    show(canary, "c", "rejected", bad.key, bad.account)
    assert canary.refusal(bad.key, "x", bad.account) is not None
    assert canary.refusal(good.key, "x", good.account) is None
    assert canary.refusal(third.key, "x", third.account) is None


def test_two_passwords_of_one_account_are_not_shown_at_once() -> None:
    one, two = Credential("CORP\\svc", "one"), Credential("CORP\\svc", "two")
    canary = CredentialCanary()

    def over() -> float:
        raise CollectError("b", "time is over", status="timed_out")

    with (
        canary.turn(one.key, "a", lambda: 0.05, one.account),
        pytest.raises(CollectError, match="time is over"),
        canary.turn(two.key, "b", over, two.account),
    ):
        pass


@pytest.mark.parametrize(
    ("user", "account"),
    [
        ("CORP\\Svc", "corp\\svc"),
        ("svc@Corp.Example", "corp\\svc"),
        ("corp.example\\svc", "corp\\svc"),
        (".\\Administrator", None),
        ("Administrator", None),
        ("@corp", None),
        (None, None),
    ],
)
def test_which_account_a_credential_could_lock(user: str | None, account: str | None) -> None:
    assert Credential(user, "p").account == account


def test_an_accepted_credential_is_shown_to_everyone() -> None:
    canary = CredentialCanary()
    show(canary, "a", "rejected")
    show(canary, "b", "unknown")
    show(canary, "c", "accepted")
    for host in "defg":
        show(canary, host, "rejected")
    assert canary.refusal(1, "x") is None


def test_only_one_host_at_a_time_sees_an_unproven_credential() -> None:
    canary, at_once, most = CredentialCanary(), threading.Semaphore(0), [0, 0]
    lock = threading.Lock()

    def attempt(host: str) -> None:
        with canary.turn(1, host, lambda: 0.05) as turn:
            with lock:
                most[0] += 1
                most[1] = max(most)
            time.sleep(0.05)
            with lock:
                most[0] -= 1
            turn.outcome = "unknown"
        at_once.release()

    threads = [threading.Thread(target=attempt, args=(f"h{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert most[1] == 1


def test_a_host_that_hangs_at_the_logon_lets_a_second_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.collect.canary.PATIENCE_SECONDS", 0.2)
    canary = CredentialCanary()
    with canary.turn(1, "hangs", lambda: 0.05):
        show(canary, "second", "accepted")
        show(canary, "third", "accepted")


def test_waiting_for_a_turn_ends_with_the_budget() -> None:
    canary = CredentialCanary()

    def over() -> float:
        raise CollectError("b", "time is over", status="timed_out")

    with canary.turn(1, "a", lambda: 0.05), pytest.raises(CollectError, match="time is over"), canary.turn(1, "b", over):
        pass


CLIXML = (
    '#< CLIXML\r\n<Objs Version="1.1.0.1"><S S="Error">At line:1 char:1_x000D__x000A_</S><S S="Error">'
    "This script contains malicious content &amp; has been blocked_x000D__x000A_</S>"
    '<S S="Error">    + FullyQualifiedErrorId : ScriptContainedMaliciousContent_x000D__x000A_</S></Objs>'
)


@pytest.mark.parametrize(
    ("output", "complaints", "code", "status", "words"),
    [
        ("", CLIXML, 1, "unsupported", "AMSI"),
        ("", "'powershell.exe' is not recognized as an internal or external command", 1, "unsupported", "no PowerShell"),
        ("", 'Der Befehl "powershell.exe" ist entweder falsch', 1, "unsupported", "no PowerShell"),
        ("", '"powershell.exe" non è riconosciuto come comando', 9009, "unsupported", "no PowerShell"),
        ("", "This program is blocked by group policy.", 1, "unsupported", "policy"),
        ("", "", 0, "failed", "printed nothing (exit code 0)"),
        ("hello", "", 0, "failed", "not the probe's answer"),
        ("", "Das System kann den angegebenen Pfad nicht finden.", 1, "unsupported", "no PowerShell that starts (Das System kann"),
        ("", "Out of \x1b[31mmemory\r\nagain", 1, "unsupported", "no PowerShell that starts (Out of [31mmemory again)"),
        ("", "FullyQualifiedErrorId : x", 1, "failed", "could not run the probe: FullyQualifiedErrorId"),
    ],
)
def test_why_there_was_no_probe(output: str, complaints: str, code: int, status: str, words: str) -> None:
    error = no_probe_reason("h", output.encode(), complaints.encode(), code)
    assert error.status == status
    assert words in error.message
    assert error.next_step


def test_error_streams_are_read_as_text() -> None:
    assert plain_text(CLIXML).startswith("At line:1 char:1 This script contains malicious content & has been blocked + Fully")
    assert len(plain_text("x" * 10_000)) == 2000


def test_the_probe_ends_before_its_host_is_given_up() -> None:
    short = bounded(ProbeRequest(), Limits(host_deadline_seconds=30))
    assert (short.host_deadline_seconds, short.section_deadline_seconds) == (20, 6)
    long = bounded(ProbeRequest(), Limits(host_deadline_seconds=600))
    assert (long.host_deadline_seconds, long.section_deadline_seconds) == (472, 157)
    assert bounded(ProbeRequest(), Limits(host_deadline_seconds=600, section_deadline_seconds=5)).section_deadline_seconds == 5
    assert bounded(ProbeRequest(host_deadline_seconds=20), Limits(host_deadline_seconds=600)).host_deadline_seconds == 20
    usual = bounded(ProbeRequest(), Limits())
    assert (usual.host_deadline_seconds, usual.section_deadline_seconds) == (136, 45)
    assert bounded(ProbeRequest(), Limits(answer_bytes=1000)).answer_limit_bytes == 1000


def test_the_bundle_that_is_sent_late_has_shorter_deadlines_and_is_still_the_auditors() -> None:
    limits = Limits(host_deadline_seconds=60)
    run = _Run(limits, bounded(ProbeRequest(), limits), lambda: datetime(2026, 1, 2, tzinfo=UTC), threading.Event())
    soon, late = (framing.unpack_script(run._input(left)) for left in (50, 20))
    asked = [framing.read_parameters(script) for script in (soon, late)]
    assert [(each["host_deadline_seconds"], each["section_deadline_seconds"]) for each in asked] == [(["40"], ["13"]), (["16"], ["5"])]
    assert bundle_digest(soon) == bundle_digest(late)


def told(text: str, failure: CollectError | None = None) -> HostResult:
    asked = Asked(target(), ProbeRequest(sections=("services", "shares")), datetime(2026, 1, 2, tzinfo=UTC), 1_000_000)
    return make_result(asked, Told(output=bytearray(text.encode()), failure=failure), 1.0)


HELLO = framing.pack_hello(framing.Hello(powershell="2.0", elevated=True, utc_time="2026-01-02T00:00:00Z"))
SERVICES = framing.pack_section("services", framing.SectionAnswer(rows=[{"name": "Spooler"}]))
SHARES = framing.pack_section("shares", framing.SectionAnswer())
LATE = CollectError("h", "the time for this host was over while waiting for the answer", status="timed_out", next_step="look")


def test_what_arrived_before_the_deadline_is_kept() -> None:
    result = told(HELLO + SERVICES + SHARES.partition("#AUD1 STOP")[0], LATE)
    assert (result.status, result.next_step) == ("partial", "look")
    assert "the time for this host was over" in result.reason
    assert result.snapshot is not None
    assert [record.name for record in result.snapshot.sections.services.records] == ["Spooler"]
    assert result.snapshot.sections.services.status == "ok"
    assert result.snapshot.sections.shares.status == "failed"
    assert result.snapshot.transport == "powershell 2.0 over https/ntlm"
    missing = told(HELLO + SERVICES, LATE)
    assert missing.snapshot is not None
    assert missing.snapshot.sections.shares.status == "timed_out"
    assert missing.snapshot.sections.tasks.status == "not_asked"


def test_a_host_is_ok_only_where_all_that_was_asked_is() -> None:
    assert told(HELLO + SERVICES + SHARES + framing.pack_end(2)).status == "ok"
    denied = framing.pack_section("shares", framing.SectionAnswer(status="denied", reason="access is denied"))
    result = told(HELLO + SERVICES + denied + framing.pack_end(2))
    assert (result.status, result.reason) == ("partial", "not seen as a whole: shares")
    refused = framing.pack_section("services", framing.SectionAnswer(status="denied", reason="access is denied"))
    assert told(HELLO + refused + denied + framing.pack_end(2)).status == "failed"
    nothing = told(HELLO, LATE)
    assert (nothing.status, nothing.snapshot) == ("timed_out", None)


def contexts(protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    import spnego

    users = tmp_path / "users"
    users.write_text("LAB:user:password\n", encoding="utf-8")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    options = spnego.NegotiateOptions.use_ntlm
    client = spnego.client("LAB\\user", "password", protocol=protocol, hostname="h", service="http", options=options)
    server = spnego.server(protocol=protocol, options=options)
    token = client.step()
    while not (client.complete and server.complete):
        answer = server.step(token)
        token = client.step(answer) if answer and not client.complete else None
    return client, server


@pytest.mark.parametrize(("protocol", "kind"), [("ntlm", "application/HTTP-SPNEGO-session-encrypted"), ("credssp", CREDSSP)])
@pytest.mark.parametrize("size", [1, 1000, 40_000])
def test_seals_hold_both_ways(protocol: str, kind: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = contexts(protocol, tmp_path, monkeypatch)
    ours, theirs = Seal(client, kind), Seal(server, kind)
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    for sender, receiver in ((ours, theirs), (theirs, ours)):
        content_type, body = sender.close(message)
        assert receiver.open(content_type, body) == message
        assert message[:200] not in body or size < 50


def test_a_broken_or_missing_seal_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, server = contexts("ntlm", tmp_path, monkeypatch)
    content_type, body = Seal(server).close(b"<Envelope/>" * 20)
    middle = len(body) - 60
    changed = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    for kind, text in (
        ("application/soap+xml", b"<Envelope/>"),
        (content_type, changed),
        (content_type, b""),
        (content_type, body[: len(body) // 2]),
        (content_type.replace("SPNEGO", "Other"), body),
        (content_type, b"junk" + body),
        (content_type, body.replace(b"Length=220", b"Length=219")),
        (content_type, body.replace(b"\x10\0\0\0", b"\xff\xff\xff\xff", 1)),
    ):
        with pytest.raises(SealError):
            Seal(client).open(kind, text)


def test_the_channel_binding_of_a_certificate() -> None:
    import hashlib
    from datetime import timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "h")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1)).sign(key, hashes.SHA384())
    raw = made.public_bytes(serialization.Encoding.DER)
    assert binding(raw) == b"tls-server-end-point:" + hashlib.sha384(raw).digest()
    assert binding(b"no certificate") == b"tls-server-end-point:" + hashlib.sha256(b"no certificate").digest()
