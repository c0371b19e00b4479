"""Since when, expected or not, and the life of findings."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.classify import Judge
from auditor.analysis.drift.compare import compare_snapshots, side_of
from auditor.analysis.drift.host import Asked, Before, Found, Rules, host_drift
from auditor.analysis.drift.peers import Peers
from auditor.analysis.drift.since import Moment, Since, since_when
from auditor.analysis.rules.lives import RunView, advance
from auditor.model.baseline import Baseline
from auditor.model.change import Accepted, Difference, Explanation, FindingLife, HostDrift
from auditor.model.finding import Finding, Subject
from auditor.model.host import SECTION_NAMES, Snapshot
from tests.unit.small_drift import GUARD, normaliser, state
from tests.unit.small_fleet import signature

A: dict[str, Any] = {"name": "Spooler", "start": "auto", "state": "running"}


def day(number: int) -> str:
    return f"2026-11-{number:02d}T01:00:00Z"


def on(number: int, start: str | None = "auto", **sections: Any) -> Snapshot:
    """The host on a day; its service's start type, or no service."""
    services = sections.pop("services", [] if start is None else [A | {"start": start}])
    return state(at=day(number), services=services, **sections)


def moments(*snapshots: Snapshot, section: str = "services") -> list[Moment]:
    return [Moment(s.collected_at, s.collected_at, side_of(s, section)) for s in reversed(snapshots)]


def since(*snapshots: Snapshot) -> list[Since]:
    found = compare_snapshots(snapshots[0], snapshots[-1], normaliser())
    return since_when("services", found.deltas, moments(*snapshots), normaliser())


# --- since when


def test_a_change_is_as_old_as_the_first_snapshot_that_shows_it() -> None:
    assert since(on(1), on(2), on(3, "disabled"), on(4, "disabled"), on(5, "disabled")) == [Since(day(3), day(2))]


def test_a_change_that_came_back_counts_from_the_last_time() -> None:
    assert since(on(1), on(2, "disabled"), on(3), on(4, "disabled")) == [Since(day(4), day(3))]


def test_what_was_so_at_first_has_no_time_before() -> None:
    found = compare_snapshots(on(1), on(9, "disabled"), normaliser())
    assert since_when("services", found.deltas, moments(on(5, "disabled"), on(9, "disabled")), normaliser()) == [Since(day(5), None)]


def test_removed_and_added_records_have_their_times() -> None:
    assert since(on(1), on(2), on(3, None), on(4, None)) == [Since(day(3), day(2))]
    assert since(on(1, None), on(2), on(3)) == [Since(day(2), day(1))]


def test_what_was_not_seen_in_between_breaks_nothing() -> None:
    blind = on(3, services={"status": "denied", "reason": "no"})
    assert since(on(1), on(2, "disabled"), blind, on(4, "disabled")) == [Since(day(2), day(1))]


# --- classes


def difference(**values: Any) -> Difference:
    usual: dict[str, Any] = {
        "host": "A",
        "section": "services",
        "key": "Spooler",
        "field": "start",
        "kind": "changed",
        "before": "auto",
        "after": "disabled",
        "baseline": "previous",
        "since": day(5),
        "not_before": day(4),
    }
    return Difference(**(usual | values))


def explanation(kind: str = "maintenance", **values: Any) -> Explanation:
    usual = {"id": "w1", "kind": kind, "reason": "patch day", "from_": "2026-11-04T20:00:00Z", "until": "2026-11-05"}
    return Explanation(**(usual | values))


def judged(found: Difference, *entries: Explanation, **more: Any) -> Difference:
    return Judge(host="A", groups=("web",), now=day(6), explanations=entries, **more).judge(found)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (explanation(), "expected"),
        (explanation(from_="2026-11-01", until="2026-11-03"), "unexplained"),
        (explanation(from_="2026-11-06", until="2026-11-07"), "unexplained"),
        (explanation(until="2026-11-04"), "expected"),
        (explanation(hosts=("web",)), "expected"),
        (explanation(hosts=("B", "file*")), "unexplained"),
        (explanation(sections=("drivers",)), "unexplained"),
        (explanation(sections=("services",), key="spool*", field="start", value="DISABLED"), "expected"),
        (explanation(value="demand"), "unexplained"),
        (explanation("remediation"), "expected"),
        (explanation("accepted", from_=None, until=None), "expected"),
        (explanation("accepted", from_=None, until="2026-11-06"), "expected"),
        (explanation("accepted", from_=None, until="2026-11-05"), "unexplained"),
    ],
)
def test_an_explanation_must_fit_in_everything_it_states(entry: Explanation, expected: str) -> None:
    found = judged(difference(), entry)
    assert found.class_ == expected
    assert (entry.reason in found.reason) is (expected == "expected")


def test_a_window_explains_nothing_that_nobody_saw_change() -> None:
    assert judged(difference(not_before=None), explanation()).class_ == "unexplained"


def test_a_frozen_state_explains_what_it_holds_and_calls_back_what_left_it() -> None:
    later = Accepted(host="A", collected_at=day(6), at=day(6), by="me", reason="as it should be")
    assert judged(difference(), accepted=later, is_accepted=lambda _: True).class_ == "expected"
    earlier = msgspec.structs.replace(later, collected_at=day(1))
    assert judged(difference(), accepted=earlier, is_accepted=lambda _: True).class_ == "back_to_baseline"
    assert judged(difference(baseline="peers"), accepted=earlier, is_accepted=lambda _: True).class_ == "expected"
    assert judged(difference(), accepted=later, is_accepted=lambda _: False).class_ == "unexplained"


# --- one host against everything


def rules() -> Rules:
    return Rules(normaliser(), normaliser(between_hosts=True), (signature(GUARD),))


def drift(*snapshots: Snapshot, **question: Any) -> HostDrift:
    last = snapshots[-2]
    before = {name: Before(last.collected_at, side_of(last, name)) for name in SECTION_NAMES}
    found = [Found(group, "", outlier) for group, peers in question.get("peers", {}).items() for outlier in peers.outliers("A")]
    asked = Asked(now=snapshots[-1], previous=last.collected_at, before=before, groups=("web",), outliers=found, **question)
    return host_drift(asked, rules(), lambda section: moments(*snapshots, section=section))


def shown(found: HostDrift) -> list[tuple[str, str, str, str | None, str | None]]:
    return [(d.baseline, d.key, d.class_, d.since, d.not_before) for d in found.differences]


ROLE = msgspec.convert({"role": "web", "sections": {"services": {"records": {"Spooler": {"start": "disabled"}}}}}, Baseline)


def test_three_baselines_at_once() -> None:
    peers = Peers(normaliser(between_hosts=True))
    for number in range(3):
        peers.add(state(f"P{number}", services=[A | {"start": "disabled"}]))
    peers.add(on(3, "demand"))
    found = drift(on(1), on(2), on(3, "demand"), roles=(ROLE,), peers={"web": peers})
    assert shown(found) == [
        ("previous", "Spooler", "unexplained", day(3), day(2)),
        ("role", "Spooler", "unexplained", day(3), day(2)),
        ("peers", "Spooler", "unexplained", day(3), day(2)),
    ]
    assert [(d.before, d.after, d.against) for d in found.differences] == [
        ("auto", "demand", day(2)),
        ("disabled", "demand", "web"),
        ("disabled", "demand", "web"),
    ]


def test_a_change_to_what_the_role_wants_is_back_to_baseline() -> None:
    found = drift(on(1), on(2, "disabled"), roles=(ROLE,))
    assert [(d.class_, d.reason) for d in found.differences] == [("back_to_baseline", "as the role web should be")]


def test_a_change_to_what_most_peers_have_is_back_to_baseline() -> None:
    peers = Peers(normaliser(between_hosts=True))
    for number in range(3):
        peers.add(state(f"P{number}", services=[A | {"start": "disabled"}]))
    peers.add(on(2, "disabled"))
    assert [d.class_ for d in drift(on(1), on(2, "disabled"), peers={"web": peers}).differences] == ["back_to_baseline"]


def test_a_frozen_state_is_a_baseline_of_its_own() -> None:
    accepted = Accepted(host="A", collected_at=day(1), at=day(2))
    found = drift(on(1), on(2, "disabled"), accepted=accepted, accepted_state=on(1))
    assert [(d.baseline, d.class_) for d in found.differences] == [("previous", "unexplained"), ("accepted", "unexplained")]
    same = drift(on(2, "disabled"), on(3), accepted=accepted, accepted_state=on(1))
    assert [(d.baseline, d.class_) for d in same.differences] == [("previous", "back_to_baseline")]


def test_what_concerns_a_security_product_is_marked() -> None:
    guard = {"name": "GuardSvc", "start": "auto"}
    found = drift(on(1, services=[A, guard]), on(2, services=[A | {"start": "demand"}, guard | {"start": "disabled"}]))
    assert {d.key: d.concern for d in found.differences} == {"Spooler": "", "GuardSvc": "protection"}


# --- lives


def finding(*hosts: str, rule: str = "r") -> Finding:
    return Finding(
        id="f1",
        rule=rule,
        title="t",
        verdict="violated",
        severity="high",
        confidence="probable",
        subjects=tuple(Subject(role="host", host=host) for host in hosts or ("A",)),
    )


def view(number: int, *found: Finding, seen: tuple[str, ...] = ("A", "B"), undetermined: tuple[str, ...] = (), **more: Any) -> RunView:
    return RunView(day(number), "m", {f.id: f for f in found}, frozenset(undetermined), frozenset(seen), **more)


def lived(*views: RunView) -> FindingLife:
    lives: dict[str, FindingLife] = {}
    for one in views:
        lives |= {life.id: life for life in advance(lives, one)}
    return lives["f1"]


def test_a_finding_is_seen_fixed_and_back() -> None:
    life = lived(view(1, finding()), view(2, finding()))
    assert (life.state, life.first_seen, life.last_seen, life.runs) == ("open", day(1), day(2), 2)
    life = lived(view(1, finding()), view(2), view(3))
    assert (life.state, life.last_seen, life.fixed_at) == ("fixed", day(1), day(2))
    life = lived(view(1, finding()), view(2), view(3, finding()), view(4, finding()))
    assert (life.state, life.first_seen, life.last_seen, life.returned_at, life.times_back) == ("back", day(1), day(4), day(3), 1)


@pytest.mark.parametrize(
    "blind",
    [
        view(2, undetermined=("f1",)),
        view(2, rules=frozenset({"other"})),
        RunView(day(2), "another matrix", {}, frozenset(), frozenset({"A", "B"})),
    ],
)
def test_a_run_that_could_not_tell_fixes_nothing(blind: RunView) -> None:
    assert lived(view(1, finding()), blind).state == "unchecked"
    assert lived(view(1, finding()), blind, view(3, finding())).state == "open"
    assert lived(view(1, finding()), blind, view(3)).state == "fixed"


def test_a_run_over_other_hosts_says_nothing() -> None:
    assert lived(view(1, finding()), view(2, seen=("B",))).state == "open"
    both = finding("A", "B")
    assert lived(view(1, both), view(2, seen=("B",))).state == "unchecked"


def test_a_waived_finding_is_no_open_one() -> None:
    life = lived(view(1, finding()), view(2, finding(), waived=frozenset({"f1"})))
    assert life.state == "waived"
    assert lived(view(1, finding(), waived=frozenset({"f1"})), view(2, finding())).state == "open"


def test_a_run_that_ends_late_changes_no_newer_knowledge() -> None:
    life = lived(view(2, finding()), view(3), view(1, finding()))
    assert (life.state, life.first_seen, life.last_seen, life.runs) == ("fixed", day(1), day(2), 2)
    assert lived(view(3, finding()), view(2)).state == "open"
