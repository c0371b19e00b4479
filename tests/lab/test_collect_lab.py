"""The collector against misbehaving hosts over real WinRM: one clear reason each, nothing lost for the others, every shell closed."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from auditor.collect.fleet import Limits
from auditor.model.credential import Credential
from auditor.model.host import HostResult, Target
from tests.lab.collect_fleet import REQUEST, Running, facts, running

pytestmark = pytest.mark.lab
DEADLINE = 5.0
FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    # name: behaviour, status, what the reason says
    "refuse_connection": ({}, "failed", "nothing listens at 127.0.0.1 port"),
    "reset": ({}, "failed", "closed the connection while logging on"),
    "hang_accept": ({}, "timed_out", "while logging on"),
    "hang_headers": ({}, "timed_out", "while logging on"),
    "hang_body": ({}, "timed_out", "while logging on"),
    "dribble": ({"at": "Receive"}, "timed_out", "while waiting for the answer"),
    "endless_headers": ({}, "failed", "no HTTP"),
    "endless_body": ({}, "failed", "sent a reply of more than 4194304 bytes"),
    "gzip_bomb": ({}, "failed", "compressed body"),
    "redirect": ({"redirect_to": "good"}, "failed", "redirects are not followed"),
    "http_error": ({}, "failed", "status 503"),
    "refuse_logon": ({}, "denied", "rejected the credentials of"),
    "unsealed_reply": ({}, "failed", "unsealed reply inside a sealed session"),
    "tampered_reply": ({}, "failed", "the seal does not hold"),
    "garbage": ({}, "failed", "no SOAP"),
    "wrong_xml": ({}, "failed", "no SOAP"),
    "empty_body": ({}, "failed", "no SOAP"),
    "half_answer": ({}, "failed", "half an answer"),
    "entity_bomb": ({}, "failed", "no SOAP"),
    "wrong_charset": ({}, "failed", "makes no sense"),
    "bad_base64": ({}, "failed", "makes no sense"),
    "create_fault": ({}, "failed", "fault 0x80070008 while opening the shell"),
    "access_denied": ({}, "denied", "denies it WinRM"),
    "quota_fault": ({}, "failed", "too many shells"),
    "hang_command": ({}, "timed_out", "while waiting for the answer"),
    "endless_output": ({}, "failed", "larger than 2097152 bytes"),
}


@pytest.fixture(scope="module")
def fleet() -> Iterator[Running]:
    # What only the shell refuses would be asked over WMI instead, which has tests of its own.
    hosts = {fault: facts(behaviour={"fault": fault, **more}, access={"denied": ["wmi"]}) for fault, (more, _, _) in FAULTS.items()}
    hosts |= {
        "good": facts(),
        "new": facts("windows-2022"),
        "secure": facts(scheme="https"),
        "delete_fault": facts(behaviour={"fault": "delete_fault"}),
        "cut_output": facts(behaviour={"fault": "cut_output", "after_bytes": 4000}),
        "answer_bomb": facts(behaviour={"fault": "answer_bomb"}),
        "hang_tls": facts(scheme="https", behaviour={"fault": "hang_tls"}),
        "other_ca": facts(scheme="https", behaviour={"certificate": "other_ca"}),
        "expired": facts(scheme="https", behaviour={"certificate": "expired"}),
        "wrong_name": facts(scheme="https", behaviour={"certificate": "wrong_name"}),
        "constrained": facts(system={"language_mode": "ConstrainedLanguage"}, access={"denied": ["wmi"]}),
        "without": facts(system={"powershell": "none"}, access={"denied": ["wmi"]}),
    }
    with running(hosts) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def results(fleet: Running) -> dict[str, HostResult]:
    """One run over all hosts at once; no host may cost more than its deadline."""
    started = time.monotonic()
    seen: list[str] = []
    results = fleet.collect(seconds=DEADLINE, on_result=lambda result: seen.append(result.host))
    assert time.monotonic() - started < DEADLINE * 2
    assert list(results) == [t.name for t in fleet.inventory.targets]
    assert sorted(seen) == sorted(results)
    return results


@pytest.mark.parametrize("name", FAULTS)
def test_a_reason_that_a_person_can_act_on(results: dict[str, HostResult], name: str) -> None:
    result = results[name]
    assert (result.status, result.snapshot) == (FAULTS[name][1], None)
    assert FAULTS[name][2] in result.reason
    assert result.next_step
    assert re.fullmatch(r"[^\n\x00-\x1f]{10,400}", result.reason)
    assert "Traceback" not in result.reason
    assert result.seconds < DEADLINE + 2


@pytest.mark.parametrize(
    ("name", "words"),
    [("other_ca", "not trusted"), ("expired", "expired"), ("wrong_name", "another"), ("hang_tls", "while setting up TLS")],
)
def test_certificates_are_checked(results: dict[str, HostResult], name: str, words: str) -> None:
    assert words in results[name].reason
    assert results[name].snapshot is None


@pytest.mark.parametrize(
    ("name", "transport"), [("good", "http/ntlm"), ("new", "http/ntlm"), ("secure", "https/ntlm"), ("delete_fault", "http/ntlm")]
)
def test_the_others_lose_nothing(results: dict[str, HostResult], name: str, transport: str) -> None:
    result = results[name]
    assert (result.status, result.reason) == ("ok", "")
    assert result.snapshot is not None
    assert result.snapshot.transport.endswith(f"over {transport}")
    assert result.snapshot.certificate_checked is (True if name == "secure" else None)
    assert result.snapshot.sections.services.records
    assert result.snapshot.sections.tasks.status == "not_asked"
    assert abs(result.snapshot.clock.skew_seconds or 99) < 5


def test_what_arrived_is_kept(results: dict[str, HostResult]) -> None:
    cut, bomb = results["cut_output"], results["answer_bomb"]
    assert cut.status == "partial"
    assert "its end is missing" in cut.reason
    assert cut.snapshot is not None
    assert bomb.snapshot is not None
    assert bomb.snapshot.sections.programs.status == "failed"
    assert bomb.status == "failed", "no section of it was seen"


def test_hosts_without_a_usable_powershell_are_unsupported(results: dict[str, HostResult]) -> None:
    assert (results["constrained"].status, results["without"].status) == ("unsupported", "unsupported")
    assert "ConstrainedLanguage" in results["constrained"].reason
    assert "no PowerShell" in results["without"].reason
    snapshot = results["constrained"].snapshot
    assert snapshot is not None
    assert snapshot.sections.services.status == "unsupported"


def test_shells_are_closed_and_only_the_probe_was_run(fleet: Running, results: dict[str, HostResult]) -> None:
    assert results
    assert set(fleet.open_shells()) == {"delete_fault"}
    assert fleet.violations() == ""
    for host in results:
        counts = fleet.lab.server.counts(host)
        assert counts.get("Create", 0) <= 1
        assert counts.get("Command", 0) <= 1
    counts = fleet.lab.server.counts("good")
    assert counts.pop("Receive") >= 1
    assert counts == dict.fromkeys(("Connection", "Logon", "Create", "Command", "Send", "Delete"), 1)


def _as(target: Target, **changes: Any) -> list[Target]:
    return [msgspec.structs.replace(target, **changes)]


def test_basic_over_checked_https_only(fleet: Running) -> None:
    secure = fleet.target("secure")
    good = fleet.collect(targets=_as(secure, transport="basic"))["secure"]
    assert good.snapshot is not None
    assert good.snapshot.transport.endswith("https/basic")
    before = fleet.lab.server.counts("secure")
    for changes in ({"validate_certificate": False}, {"scheme": "http", "port": fleet.target("good").port}):
        refused = fleet.collect(targets=_as(secure, transport="basic", **changes), allow_unverified=True)["secure"]
        assert (refused.status, refused.reason[:8]) == ("not_asked", "refused:")
    assert fleet.lab.server.counts("secure") == before


def test_unchecked_certificates_need_a_flag_and_show(fleet: Running) -> None:
    target = _as(fleet.target("other_ca"), validate_certificate=False)
    refused = fleet.collect(targets=target)["other_ca"]
    assert (refused.status, "--allow-unverified-tls" in refused.next_step) == ("not_asked", True)
    allowed = fleet.collect(targets=target, allow_unverified=True)["other_ca"]
    assert allowed.snapshot is not None
    assert allowed.snapshot.certificate_checked is False


def test_messages_sealed_inside_tls_too(fleet: Running) -> None:
    result = fleet.collect(targets=_as(fleet.target("secure"), message_encryption="always"))["secure"]
    assert result.status == "ok"


def test_the_wrong_scheme_at_a_port(fleet: Running) -> None:
    result = fleet.collect(targets=_as(fleet.target("secure"), scheme="http"))["secure"]
    assert (result.status, result.snapshot) == ("failed", None)


def test_a_wrong_path(fleet: Running) -> None:
    assert "no WinRM service at /nowhere" in fleet.collect(targets=_as(fleet.target("good"), path="nowhere"))["good"].reason


def test_a_wrong_password_is_tried_on_two_hosts_at_most() -> None:
    with running({f"h{n}": facts() for n in range(8)}) as many:
        wrong = Credential("auditor", "typing error")
        results = many.collect(credentials=dict.fromkeys((f"h{n}" for n in range(8)), wrong))
        statuses = sorted(result.status for result in results.values())
        assert statuses == ["denied"] * 2 + ["not_asked"] * 6
        assert sum(many.lab.server.counts(host).get("Rejected", 0) for host in results) == 2
        denied = {result.host for result in results.values() if result.status == "denied"}
        for result in results.values():
            if result.status == "not_asked":
                assert "credential rejected elsewhere" in result.reason
                assert any(host in result.reason for host in denied)
        again = many.collect()
        assert {result.status for result in again.values()} == {"ok"}


def test_one_host_that_refuses_an_accepted_credential_holds_nobody_back() -> None:
    hosts = {f"h{n}": facts(behaviour={"fault": "refuse_logon"} if n in (3, 4, 5) else {}) for n in range(8)}
    with running(hosts) as many:
        first = many.collect("h0", "h3", "h4", "h5", "h6", limits=Limits(host_deadline_seconds=5, parallel=1))
        assert [result.status for result in first.values()] == ["ok", "denied", "denied", "denied", "ok"]


def test_a_section_that_no_probe_has_is_a_usage_error(fleet: Running) -> None:
    from auditor.model.errors import UsageError

    with pytest.raises(UsageError):
        fleet.collect("good", request=msgspec.structs.replace(REQUEST, sections=("nonsense",)))
