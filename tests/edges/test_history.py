"""A store's memory, the same on every database: states for comparing, lives of findings, what is frozen, pruned, exported, restored."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from auditor.analysis.drift.compare import compare_snapshots
from auditor.history import Comparer, Known, fleet_drift, load_known
from auditor.model.change import Accepted, Explanation, HostDrift
from auditor.model.errors import StoreError
from auditor.model.host import Section
from auditor.model.places import shipped
from auditor.store import Store, open_store
from auditor.trends import fleet_history, host_history
from tests.edges.history_samples import collect, day, finding, host, report
from tests.edges.postgres import Place
from tests.edges.store_samples import result_of, target_of


@pytest.fixture(scope="module")
def known() -> Known:
    return load_known([shipped("compat_matrix")], ())


def drift(store: Store, known: Known, name: str) -> HostDrift:
    return Comparer(store, known, ("previous", "role", "accepted")).host(store.states(name), None)


# --- states


def test_states_hold_the_records_and_nothing_that_moves(place: Place) -> None:
    with open_store(place.where) as store:
        run = collect(store, 1, host("A", 1), host("B", 1))
        collect(store, 2, host("A", 2, "10.0"))
        states = store.states("A")
        assert [(s.host, s.collected_at, s.groups) for s in states] == [("A", day(2), ("windows",)), ("A", day(1), ("windows",))]
        assert states[1].run == run
        whole, read = store.read_snapshot("A", day(1)), store.read_state(states[1])
        assert whole is not None
        assert read.sections.drivers == whole.sections.drivers
        assert read.sections.services == msgspec.structs.replace(whole.sections.services, readings=(), seconds=None)
        assert (read.sections.events.status, read.sections.events.readings) == ("ok", ())
        assert [s.collected_at for s in store.states("A", day(1))] == [day(1)]
        assert {(s.host, s.collected_at) for s in store.latest_states(1)} == {("A", day(2)), ("B", day(1))}
        assert [s.host for s in store.latest_states(2, ["A", "NONE"])] == ["A", "A"]
        assert store.states("NONE") == []


def test_an_unchanged_host_has_one_content(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        for number in range(1, 6):
            collect(store, number, host("A", number))
        assert len({state.content for state in store.states("A")}) == 1
        assert drift(store, known, "A").differences == ()
        one, other = (store.read_state(state) for state in store.states("A")[:2])
        assert one.sections.drivers.records is other.sections.drivers.records
        assert compare_snapshots(one, other, known.rules.own) == ((), ())


def test_what_an_investigation_asks_for_is_no_state(place: Place) -> None:
    with open_store(place.where) as store:
        collect(store, 1, host("A", 1))
        collect(store, 2, host("A", 2, "10"), kind="investigate")
        assert [s.collected_at for s in store.states("A")] == [day(1)]


def test_a_damaged_state_fails_its_section(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        collect(store, 1, host("A", 1))
        collect(store, 2, host("A", 2, "10.0"))
    place.execute("UPDATE blob SET size = size + 1 WHERE number = (SELECT max(number) FROM blob WHERE size < 900)")
    with open_store(place.where) as store:
        found = [getattr(store.read_state(s).sections, n).status for s in store.states("A") for n in ("system", "services", "drivers")]
        assert "failed" in found
        assert all(d.kind == "changed" for d in drift(store, known, "A").differences)


def test_a_changed_row_is_noticed(place: Place) -> None:
    with open_store(place.where) as store:
        collect(store, 1, host("A", 1))
    place.execute("UPDATE snapshot SET host = 'B'")
    with open_store(place.where) as store, pytest.raises(StoreError, match="damaged"):
        store.states("B")


# --- since when, over the store


def test_a_difference_knows_since_when(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        for number, version in ((1, "9.0"), (2, "9.0"), (3, "10.0"), (4, "10.0"), (5, "10.0")):
            collect(store, number, host("A", number, version))
        store.accept(store.states("A")[4], Accepted(host="A", collected_at=day(1), at=day(1), by="me"))
        found = drift(store, known, "A").differences
        assert [(d.baseline, d.key, d.field, d.before, d.after, d.since, d.not_before) for d in found] == [
            ("accepted", "RapDrv", "file_version", "9.0", "10.0", day(3), day(2))
        ]


def test_a_section_that_was_not_seen_yesterday_is_compared_with_the_day_before(place: Place, known: Known) -> None:
    blind = host("A", 2)
    denied: Section[Any, Any] = Section(status="denied", reason="no")
    blind = msgspec.structs.replace(blind, sections=msgspec.structs.replace(blind.sections, drivers=denied))
    with open_store(place.where) as store:
        collect(store, 1, host("A", 1))
        collect(store, 2, blind)
        collect(store, 3, host("A", 3, "10.0"))
        found = drift(store, known, "A")
        assert [(d.against, d.field, d.after, d.since, d.not_before) for d in found.differences] == [
            (day(1), "file_version", "10.0", day(3), day(1))
        ]
        assert found.previous == day(2)


def test_explanations_come_from_the_store_too(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        collect(store, 1, host("A", 1))
        collect(store, 2, host("A", 2, "10.0"))
        assert [d.class_ for d in drift(store, known, "A").differences] == ["unexplained"]
        store.explain(Explanation(id="plan-7", kind="remediation", reason="upgrade", hosts=("A",), from_=day(1), until=day(2)))
        assert [(d.class_, d.reason) for d in drift(store, known, "A").differences] == [("expected", "own remediation plan-7: upgrade")]


def test_a_fleet_is_compared_host_by_host(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        collect(store, 1, *(host(name, 1) for name in "ABCDE"))
        collect(store, 2, *(host(name, 2, "10.0" if name == "E" else "9.0") for name in "ABCDE"))
        found = {d.host: d for d in fleet_drift(store, known)}
        assert list(found) == list("ABCDE")
        assert [(d.baseline, d.field) for d in found["E"].differences] == [("previous", "file_version")]
        assert all(found[name].differences == () for name in "ABCD")
        assert [d.host for d in fleet_drift(store, known, ["C"])] == ["C"]


# --- lives, frozen states


def test_findings_have_lives(place: Place) -> None:
    with open_store(place.where) as store:
        for number, found in enumerate([(finding("A"),), (finding("A"), finding("B")), (finding("B"),), (finding("A"), finding("B"))], 1):
            run = collect(store, number, host("A", number), host("B", number))
            store.finish_run(run, report(run, number, *found), rules=["a-rule"])
        lives = {life.hosts[0]: life for life in store.lives().values()}
        assert (lives["A"].state, lives["A"].first_seen, lives["A"].returned_at, lives["A"].times_back) == ("back", day(1), day(4), 1)
        assert (lives["B"].state, lives["B"].first_seen, lives["B"].runs) == ("open", day(2), 3)
        run = collect(store, 5, host("A", 5), host("B", 5))
        store.finish_run(run, report(run, 5, finding("A"), finding("B")), rules=["a-rule"], waived=["a-rule-A"])
        assert {life.hosts[0]: life.state for life in store.lives().values()} == {"A": "waived", "B": "open"}


def test_what_is_kept_is_sealed(place: Place) -> None:
    with open_store(place.where) as store:
        run = collect(store, 1, host("A", 1))
        store.finish_run(run, report(run, 1, finding("A")))
        store.accept(store.states("A")[0], Accepted(host="A", collected_at=day(1), at=day(1)))
        store.explain(Explanation(id="x", kind="accepted", reason="y"))
        assert [e.id for e in store.explanations()] == ["x"]
        assert list(store.accepted()) == ["A"]
    for table in ("life", "accepted", "explanation"):
        place.execute(f"UPDATE {table} SET data = replace(data, ':', ': ')")
    with open_store(place.where) as store:
        for read in (store.lives, store.accepted, store.explanations):
            with pytest.raises(StoreError, match="damaged"):
                read()
        assert store.withdraw("A")
        assert not store.withdraw("A")


def test_a_damaged_life_costs_no_run_its_report(place: Place) -> None:
    with open_store(place.where) as store:
        run = collect(store, 1, host("A", 1))
        store.finish_run(run, report(run, 1, finding("A"), finding("B")))
    place.execute("UPDATE life SET data = replace(data, 'open', 'oPen') WHERE id = 'a-rule-A'")
    with open_store(place.where) as store:
        run = collect(store, 2, host("A", 2))
        store.finish_run(run, report(run, 2, finding("A"), finding("B")))
        assert store.read_report().run.started_at == day(2)
        with pytest.raises(StoreError, match="damaged"):
            store.lives()


# --- history


def test_one_host_over_time(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        for number, version in ((1, "9.0"), (2, "9.0"), (3, "10.0")):
            run = collect(store, number, host("A", number, version))
            store.finish_run(run, report(run, number, finding("A"), hosts=("A",)), rules=["a-rule"])
        found = host_history(store, known, "A")
    assert [(s.at, s.differences, s.unexplained) for s in found.states] == [(day(1), 0, 0), (day(2), 0, 0), (day(3), 1, 1)]
    assert [(d.since, d.field) for d in found.differences] == [(day(3), "file_version")]
    assert [life.runs for life in found.findings] == [3]


def test_the_fleet_over_time(place: Place, known: Known) -> None:
    with open_store(place.where) as store:
        for number, version in ((1, "9.0"), (2, "9.0"), (3, "10.0"), (4, "10.0")):
            run = collect(store, number, host("A", number, version), host("B", number), groups=("web", "windows"), kind="audit")
            findings = (finding("A"),) if number != 3 else ()
            store.finish_run(run, report(run, number, *findings), rules=["a-rule"])
        found = fleet_history(store, known)
        short = fleet_history(store, known, 2)
    assert [(p.at, p.findings["high"], p.seen) for p in found.runs] == [(day(1), 1, 2), (day(2), 1, 2), (day(3), 0, 2), (day(4), 1, 2)]
    assert [(r.rule, r.counts) for r in found.rules] == [("a-rule", (1, 1, 0, 1))]
    roles = {role.role: [(p.at, p.hosts, p.unexplained) for p in role.points] for role in found.roles}
    assert roles["web"] == [(day(1), 2, 0), (day(2), 2, 0), (day(3), 2, 1), (day(4), 2, 0)]
    assert [p.at for p in short.runs] == [day(3), day(4)]
    assert [p.unexplained for p in short.roles[0].points] == [1, 0]


# --- retention


def test_old_snapshots_go_and_what_is_needed_stays(place: Place) -> None:
    with open_store(place.where) as store:
        for number in range(1, 11):
            run = collect(store, number, host("A", number, f"{number}.0"), *([host("GONE", number)] if number < 3 else []))
            store.save_result(run, target_of("F"), result_of("F"))
            store.finish_run(run, report(run, number, finding("A")))
        store.accept(store.states("A", day(4))[0], Accepted(host="A", collected_at=day(4), at=day(4)))
        rehearsed = store.prune(day(9), 1, rehearse=True)
        assert len(store.states("A")) == 10
        pruned = store.prune(day(9), 1)
        assert rehearsed == pruned
        assert pruned.snapshots == 8
        assert pruned.contents > 0
        assert [s.collected_at for s in store.states("A")] == [day(10), day(9), day(4)]
        assert [s.collected_at for s in store.states("GONE")] == [day(2)]
        for number in (10, 9, 4):
            assert store.read_snapshot("A", day(number)) == host("A", number, f"{number}.0")
        assert store.read_snapshot("GONE") == host("GONE", 2)
        assert {s.target.name: s.result.status for s in store.latest_results()} == {"A": "ok", "GONE": "ok", "F": "timed_out"}
        assert [life.first_seen for life in store.lives().values()] == [day(1)]
        assert [r.started_at for r in store.runs()] == [day(10), day(9), day(4), day(2)]
        assert store.read_report().run.started_at == day(10)
        assert store.prune(day(9), 1).snapshots == 0


def test_pruning_frees_what_nothing_refers_to(place: Place) -> None:
    with open_store(place.where) as store:
        for number in range(1, 9):
            collect(store, number, host("A", number, f"{number}.0"))
        before = place.execute("SELECT count(*) FROM blob")[0][0]
        store.prune(day(30), 1)
        assert place.execute("SELECT count(*) FROM blob")[0][0] < before
        fresh = collect(store, 20, host("A", 20, "8.0"))
        assert store.states("A")[0].run == fresh
