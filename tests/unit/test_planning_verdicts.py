"""What became of a finding, by reports before and after: silence, darkness and doubt are never a cure."""

from __future__ import annotations

import msgspec
import pytest

from auditor.analysis.planning.verdicts import order_verdict, verdicts
from auditor.model.finding import HostCoverage, Report, Waived
from auditor.model.host import Status
from auditor.model.plan import FindingVerdict, PlanFinding
from tests.unit.small_plan import finding, report

BAD = finding("bad", "a")
PLANNED = PlanFinding(id=BAD.id, rule="bad", title="bad", severity="high", confidence="confirmed", hosts=("a",))


def _seen(status: Status = "ok", reason: str = "") -> tuple[HostCoverage, ...]:
    return (HostCoverage(host="a", status=status, reason=reason),)


def _one(after: Report, before: Report | None = None, seen: tuple[str, ...] = ("a",), restart: tuple[str, ...] = ()) -> FindingVerdict:
    return verdicts([PLANNED], before or report(BAD, coverage=_seen()), after, seen, restart)[0]


def test_gone_on_a_host_that_was_read_is_fixed() -> None:
    assert _one(report(coverage=_seen())).verdict == "fixed"
    assert _one(report(coverage=_seen("partial"))).verdict == "fixed"


def test_there_as_before_is_still_there_also_when_it_is_waived() -> None:
    assert _one(report(BAD, coverage=_seen())).verdict == "still_there"
    waived = Waived(finding=BAD, waiver="w", reason="r", owner="o", until="2027-01-01")
    assert _one(msgspec.structs.replace(report(coverage=_seen()), waived=(waived,))).verdict == "still_there"


@pytest.mark.parametrize("status", ["denied", "timed_out", "failed", "not_asked"])
def test_a_host_that_could_not_be_read_is_not_checked(status: Status) -> None:
    found = _one(report(coverage=_seen(status, "no answer")))
    assert (found.verdict, found.reason) == ("not_checked", "a: no answer")


def test_a_host_that_nobody_asked_again_is_not_checked_although_the_store_knows_it() -> None:
    assert _one(report(coverage=_seen()), seen=()).reason == "a: was not read again"
    assert _one(report()).verdict == "not_checked"


def test_what_can_not_be_decided_any_more_is_not_checked() -> None:
    open_ = msgspec.structs.replace(BAD, verdict="undetermined", missing=("a: services: denied",))
    found = _one(report(undetermined=[open_], coverage=_seen()))
    assert (found.verdict, found.reason) == ("not_checked", "a: services: denied")


@pytest.mark.parametrize(("severity", "verdict"), [("medium", "fixed"), ("high", "got_worse"), ("critical", "got_worse")])
def test_a_new_finding_as_bad_or_worse_on_its_host_is_worse(severity: str, verdict: str) -> None:
    new = finding("new", "a", severity=severity)
    assert _one(report(new, coverage=_seen())).verdict == verdict
    assert _one(report(new, coverage=_seen()), before=report(BAD, new, coverage=_seen())).verdict == "fixed", "it was there before"
    assert _one(report(finding("new", "b", severity=severity), coverage=_seen())).verdict == "fixed", "it is another host's"


def test_worse_hides_not_that_it_is_still_there() -> None:
    found = _one(report(BAD, finding("new", "a"), coverage=_seen()))
    assert found.verdict == "got_worse"
    assert "violated as before" in found.reason


def test_a_restart_that_is_due_leaves_it_open() -> None:
    assert _one(report(BAD, coverage=_seen()), restart=("a",)).verdict == "not_checked"
    assert _one(report(coverage=_seen()), restart=("a",)).verdict == "fixed"


def test_an_order_without_a_finding_is_judged_by_what_is_new() -> None:
    before = report(coverage=_seen())
    assert order_verdict("fix", "a", before, report(coverage=_seen()), ("a",)).verdict == "fixed"
    assert (
        order_verdict("fix", "a", before, report(finding("new", "a", severity="medium"), coverage=_seen()), ("a",)).verdict == "got_worse"
    )
    assert order_verdict("fix", "a", before, report(finding("new", "a", severity="low"), coverage=_seen()), ("a",)).verdict == "fixed"
    assert order_verdict("fix", "a", before, report(coverage=_seen("failed")), ("a",)).verdict == "not_checked"
