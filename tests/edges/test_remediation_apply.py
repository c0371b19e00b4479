"""A plan applied to a simulated fleet: what is refused, what is asked, what is verified, what holds, and what drift knows of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from auditor.analysis.drift.classify import Judge
from auditor.model.change import Difference
from auditor.model.errors import RemediationError, StoreError
from auditor.model.plan import PlanValue, Window
from auditor.model.remedy import HostReport
from auditor.playbooks import Foundation
from auditor.remediation.apply import apply_plan
from auditor.remediation.check import check_plan
from auditor.remediation.planfile import read_plan
from auditor.remediation.process import applicant
from auditor.remediation.tools import Limits
from auditor.store import open_store
from tests.edges.remediation_samples import REMEDY, START, World, finding_of, plan_of, remedy_of, stamp, written


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Three hosts whose mode is bad, in a store of their own."""
    with open_store(tmp_path / "s.db") as store:
        yield World(store, "a", "b", "c")


def test_it_ends_with_every_finding_fixed_and_all_of_it_written_down(world: World) -> None:
    plan = world.plan()
    record = world.apply(plan)
    assert (record.state, {v.verdict for v in record.verdicts}) == ("finished", {"fixed"})
    assert set(world.modes.values()) == {"good"}
    assert [len(wave.items) for wave in record.waves] == [1, 1, 1], "one first, then a tenth of the hosts, at least one"
    assert world.asked == [1, 2, 3]
    assert all(wave.before[i.host] != wave.after[i.host] for wave in record.waves for i in wave.items)
    assert world.store.remediations() == [record]
    events = world.store.remediation_events(record.id)
    assert [event.number for event in events] == list(range(1, 10))
    assert not any(request.check for request in world.requests)


def test_it_is_read_before_and_after_each_wave_and_as_a_whole_at_the_end(world: World) -> None:
    plan = world.plan()
    world.readings.clear()
    world.apply(plan)
    assert world.readings == [["a", "b", "c"], ["a"], ["b"], ["b"], ["c"], ["c"], ["a", "b", "c"]]


def test_check_mode_changes_nothing_and_says_what_each_step_would_do(world: World) -> None:
    plan = world.plan()
    document = check_plan(plan, "d", world.tools, Limits())
    assert [host.outcome for host in document.hosts] == ["would_change"] * 3
    assert [step.would_change for step in document.hosts[0].steps] == [True]
    assert all(request.check for request in world.requests)
    assert set(world.modes.values()) == {"bad"}
    assert world.store.remediations() == []


def test_check_mode_tries_an_account_that_is_not_let_in_on_two_hosts_at_most(world: World) -> None:
    plan = world.plan()
    world.refuses = {"a", "b", "c"}
    document = check_plan(plan, "d", world.tools, Limits())
    assert [[one.host for one in request.hosts] for request in world.requests] == [["a"], ["b"]]
    assert [host.reason for host in document.hosts] == ["no logon", "no logon", "not tried: 2 hosts before it could not be reached"]
    world.requests.clear()
    world.refuses = {"a"}
    document = check_plan(plan, "d", world.tools, Limits())
    assert [[one.host for one in request.hosts] for request in world.requests] == [["a"], ["b"], ["c"]]
    assert [host.outcome for host in document.hosts] == ["failed", "would_change", "would_change"]


def test_a_plan_that_differs_in_one_byte_is_refused(world: World, tmp_path: Path) -> None:
    file = written(tmp_path, world.plan())
    assert file.stat().st_mode & 0o777 == 0o600
    plan, digest = read_plan(file)
    assert read_plan(file, digest.upper()) == (plan, digest)
    data = file.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 60)):
        file.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(RemediationError, match="is not the plan with the digest"):
            read_plan(file, digest)


def test_what_looks_like_a_template_or_a_tag_stays_a_text_in_the_file(world: World, tmp_path: Path) -> None:
    odd = "{{ lookup('pipe','id') }} !!python/object %s \x1b[2J : - # 'x' \"y\""
    plan = world.plan()
    host = msgspec.structs.replace(plan.actions[0].hosts[0], values=(PlanValue(name="mode", value=odd, origin="operator"),))
    action = msgspec.structs.replace(plan.actions[0], hosts=(host, *plan.actions[0].hosts[1:]))
    plan = msgspec.structs.replace(plan, actions=(action,))
    assert read_plan(written(tmp_path, plan))[0] == plan


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is no plan"), ("a: [", "is no plan"), ("a: 1", "is no plan"), ("&a [*a]", "is no plan"), ("[" * 5000, "is no plan")],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "plan.yml"
    file.write_text(text)
    with pytest.raises(RemediationError, match=words):
        read_plan(file)


def test_stale_evidence_is_refused(world: World) -> None:
    plan = world.plan()
    world.time += timedelta(hours=25)
    with pytest.raises(RemediationError, match=r"its evidence is 25\.0 h old"):
        world.apply(plan)
    assert world.apply(plan, Limits(max_age_seconds=26 * 3600, lease_seconds=40)).state == "finished"


def test_evidence_of_the_future_is_refused(world: World) -> None:
    plan = world.plan()
    world.time -= timedelta(hours=1)
    with pytest.raises(RemediationError, match="dated in the future"):
        world.apply(plan)


def test_outside_its_window_it_is_refused_and_a_later_wave_is_held(world: World) -> None:
    plan = world.plan(window=Window(start=stamp(START + timedelta(hours=1)), end=stamp(START + timedelta(hours=2))))
    with pytest.raises(RemediationError, match="maintenance window"):
        world.apply(plan)
    world.time = START + timedelta(hours=1, minutes=30)

    def late(_request: object) -> None:
        world.time += timedelta(hours=1)

    world.on_run = late
    record = world.apply(plan)
    assert (record.state, len(record.waves), len(world.requests)) == ("held", 1, 1)
    assert "maintenance window" in record.reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"playbook": "q" * 64}, "the playbook of set_mode is not what the plan was made with"),
        ({"ansible_core": "2.20.0"}, "ansible-core of set_mode is not"),
        ({"collections": {}}, "the collections of set_mode is not"),
    ],
)
def test_other_playbooks_or_collections_than_planned_are_refused(world: World, change: dict[str, object], words: str) -> None:
    plan = world.plan()
    world.ground = Foundation(**{**msgspec.structs.asdict(world.ground), **change})
    with pytest.raises(RemediationError, match=words):
        world.apply(plan)
    with pytest.raises(RemediationError, match=words):
        check_plan(plan, "d", world.tools, Limits())


def test_a_plan_with_missing_values_is_refused(world: World) -> None:
    plan = world.plan()
    host = msgspec.structs.replace(plan.actions[0].hosts[0], missing=("parent: who manages it",))
    plan = msgspec.structs.replace(plan, actions=(msgspec.structs.replace(plan.actions[0], hosts=(host,)),))
    with pytest.raises(RemediationError, match="values are missing: a: parent"):
        world.apply(plan)


def test_a_host_that_has_changed_since_the_plan_is_refused_before_anything_is_done(world: World) -> None:
    plan = world.plan()
    world.modes["c"] = "other"
    record = world.apply(plan)
    assert record.state == "refused"
    assert record.reason.startswith("c has changed since the plan was made: services Guard")
    assert world.requests == []
    assert world.apply(world.plan("a", "b")).state == "finished", "a refused application is no obstacle to another plan"


def test_a_host_that_changes_between_two_waves_holds(world: World) -> None:
    plan = world.plan()
    world.on_run = lambda request: world.modes.update(c="other")
    record = world.apply(plan)
    assert record.state == "held"
    assert "c has changed" in record.reason
    assert {wave.number for wave in record.waves} == {1, 2}


def test_a_host_that_cannot_be_read_or_decided_any_more_is_refused(world: World) -> None:
    plan = world.plan()
    world.away = {"b"}
    assert world.apply(plan).reason == "b could not be read again"
    world.away, world.unknown = set(), {"b"}
    assert "can't be told now" in world.apply(plan).reason
    world.unknown, world.matrix_digest = set(), "n"
    assert "the rules are not those" in world.apply(plan).reason
    assert world.requests == []


def test_a_person_who_says_no_holds_it(world: World) -> None:
    plan = world.plan()
    world.answer = lambda wave: wave.number == 1
    record = world.apply(plan)
    assert (record.state, record.reason) == ("held", "wave 2 was not let begin")
    assert world.modes == {"a": "good", "b": "bad", "c": "bad"}
    assert [v.verdict for v in record.verdicts] == ["fixed", "not_checked", "not_checked"]


def test_a_finding_that_is_gone_already_is_left_alone(world: World) -> None:
    plan = world.plan("a")
    world.unknown = set()
    reading = world.read
    hidden = finding_of("a").id

    def without(hosts: object) -> object:
        found = reading(hosts)  # type: ignore[arg-type]
        findings = tuple(f for f in found.report.findings if f.id != hidden)
        return msgspec.structs.replace(found, report=msgspec.structs.replace(found.report, findings=findings))

    world.read = without  # type: ignore[method-assign,assignment]
    record = world.apply(plan)
    assert world.requests == []
    assert [(v.verdict, v.reason) for v in record.verdicts] == [("fixed", "it was gone before anything was done")]


def test_a_failure_stops_and_holds_and_the_failure_limit_lets_it_go_on(world: World) -> None:
    plan = world.plan()
    world.plays = {"a": "exit code 1603"}
    record = world.apply(plan)
    assert (record.state, record.reason, len(record.waves)) == ("held", "a: exit code 1603", 1)
    assert record.waves[0].state == "failed"
    world.plays = {"a": HostReport(outcome="failed", notes=("1603",))}
    record = world.apply(world.plan(), Limits(max_failures=1, lease_seconds=40))
    assert (record.state, [w.state for w in record.waves]) == ("finished", ["failed", "done", "done"])
    assert [v.verdict for v in record.verdicts] == ["still_there", "fixed", "fixed"]


def test_an_account_that_is_not_let_in_is_tried_on_the_first_host_only(world: World) -> None:
    plan = world.plan()
    world.refuses = {"a", "b", "c"}
    record = world.apply(plan, Limits(max_failures=3, lease_seconds=40))
    assert (record.state, len(world.requests)) == ("held", 1)
    assert record.reason == "no play got to its end so far: a: no logon"


@pytest.mark.parametrize("outcome", ["managed_elsewhere", "refused", "failed"])
def test_a_play_that_reports_no_success_is_told_as_such(world: World, outcome: str) -> None:
    plan = world.plan("a")
    world.plays = {"a": HostReport(outcome=outcome, notes=("why so",))}  # type: ignore[arg-type]
    record = world.apply(plan)
    assert record.state == "held"
    assert "why so" in record.waves[0].failed[f"{REMEDY} a"]
    if outcome == "managed_elsewhere":
        assert "managed elsewhere" in record.reason


def test_a_play_that_says_done_is_not_believed(world: World) -> None:
    plan = world.plan("a")
    world.ignores = {"a"}
    record = world.apply(plan)
    assert [v.verdict for v in record.verdicts] == ["still_there"]
    assert record.state == "held"


def test_a_new_finding_on_the_host_is_worse(world: World) -> None:
    plan = world.plan("a")
    world.worse = {"a"}
    record = world.apply(plan)
    assert [v.verdict for v in record.verdicts] == ["got_worse"]
    assert "new-trouble (high)" in record.verdicts[0].reason


def test_a_host_that_vanishes_is_not_checked(world: World) -> None:
    plan = world.plan("a")
    world.on_run = lambda request: world.away.add("a")
    record = world.apply(plan)
    assert [v.verdict for v in record.verdicts] == ["not_checked"]
    assert record.state == "held"


def test_a_restart_that_is_needed_first_is_not_taken_for_a_failure_to_be_taken_back(world: World) -> None:
    plan = world.plan("a")
    world.restarts, world.ignores = {"a"}, {"a"}
    world.plays = {"a": HostReport(outcome="done", restart_needed=True, before={"mode": "bad"})}
    record = world.apply(plan)
    assert [(v.verdict, v.reason) for v in record.verdicts] == [("not_checked", "a: a restart is needed before it counts")]
    assert record.waves[0].rolled_back == {}


def test_what_is_left_to_a_person_is_not_run(world: World) -> None:
    remedy = remedy_of(ways=("person",))
    step = msgspec.structs.replace(remedy.steps[0], by_hand="Set it at the machine.")
    plan = world.plan("a", remedy=msgspec.structs.replace(remedy, steps=(step,)))
    record = world.apply(plan)
    assert world.requests == []
    assert record.state == "finished"
    assert [(v.verdict, v.reason) for v in record.verdicts] == [("not_checked", "a: left to a person")]
    assert record.by_hand == ("a: Set the mode: Set it at the machine.",)


def test_a_secret_that_is_needed_is_asked_for_and_never_written(world: World, tmp_path: Path) -> None:
    remedy = remedy_of()
    variables = tuple(msgspec.structs.replace(v, required=True) if v.type == "secret" else v for v in remedy.variables)
    plan = world.plan("a", remedy=msgspec.structs.replace(remedy, variables=variables))
    with pytest.raises(RemediationError, match="needs the secret key"):
        world.apply(plan)
    tools = msgspec.structs.replace(world.tools, secrets={("*", "key"): "hunter-two-2", ("b", "key"): "other"})
    assert apply_plan(plan, "d", tools, Limits(lease_seconds=40)).state == "finished"
    assert world.requests[-1].hosts[0].secrets == {"key": "hunter-two-2"}
    for file in tmp_path.iterdir():
        assert b"hunter-two-2" not in file.read_bytes()


def test_drift_knows_the_change_as_expected_in_its_time_only(world: World) -> None:
    plan = world.plan("a")
    record = world.apply(plan)
    begun, after = (state.collected_at for state in reversed(world.store.states("a")[:2]))
    change = Difference(
        host="a", section="services", key="Guard", field="image_path", kind="changed", baseline="previous", since=after, not_before=begun
    )
    judge = Judge(host="a", explanations=world.store.explanations())
    found = judge.judge(change)
    assert (found.class_, record.id in found.reason) == ("expected", True)
    assert judge._replace(host="b").judge(change).class_ == "unexplained"
    assert judge.judge(msgspec.structs.replace(change, section="drivers")).class_ == "unexplained"
    late = msgspec.structs.replace(change, not_before=stamp(world.time + timedelta(hours=1)), since=stamp(world.time + timedelta(hours=2)))
    assert judge.judge(late).class_ == "unexplained"


def test_a_store_that_fails_in_the_middle_stops_the_run(world: World) -> None:
    plan = world.plan()

    def full(_request: object) -> None:
        raise StoreError("the disk is full")

    world.on_run = full
    record = world.apply(plan)
    assert record.state == "held"
    assert "the disk is full" in record.reason


def test_an_order_without_a_finding_is_verified_too(world: World) -> None:
    world.modes = dict.fromkeys(world.modes, "fine")
    plan = plan_of(world.read(["a", "b", "c"]), world.store, ("a",), remedy_of(), "good", ordered=("a",))
    record = world.apply(plan)
    assert (record.state, [(v.finding, v.verdict) for v in record.verdicts]) == ("finished", [(f"{REMEDY} a", "fixed")])
    plan = plan_of(world.read(["a", "b", "c"]), world.store, ("b",), remedy_of(), "good", ordered=("b",))
    world.on_run = lambda request: world.worse.add("b")
    assert [v.verdict for v in world.apply(plan).verdicts] == ["got_worse"]
    plan = plan_of(world.read(["a", "b", "c"]), world.store, ("c",), remedy_of(), "good", ordered=("c",))
    world.plays = {"c": "exit code 1603"}
    assert [(v.verdict, v.reason) for v in world.apply(plan).verdicts] == [("not_checked", "the play failed: exit code 1603")]


def test_the_record_names_who_did_it(world: World) -> None:
    me = applicant()
    assert me.process.startswith(f"{os.getpid()} ")
    world.by = me
    assert world.apply(world.plan("a")).by == me
