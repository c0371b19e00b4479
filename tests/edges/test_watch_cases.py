"""Observation cases over simulated days in a real store: come back, stayed away, can't tell; what is told, offered, run, and listed."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.model.case import Case, CaseCondition, CaseTrigger, Contingency, EventPattern
from auditor.model.change import Explanation
from auditor.model.errors import RemediationError, StoreError
from auditor.model.places import shipped
from auditor.store import open_store
from auditor.watch import round as rounds
from auditor.watch.changes import stored_changes
from auditor.watch.memory import case_notes, read_cases
from auditor.watch.round import run_round
from tests.edges.watch_samples import START, Readers, World, run_for, stamp, watch_of

HALF_DAYLY = "0 */12 * * *"


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def _open(where: Path, **more: Any) -> Case:
    given: dict[str, Any] = {
        "id": "restart-of-srva",
        "title": "Server A restarts",
        "opened_at": stamp(START),
        "since": stamp(START),
        "remedy": "managed client on server B",
        "hosts": ("SRVA",),
        "conditions": (CaseCondition(kind="bugcheck", code="0x8e"),),
        "days": 3.0,
        "contingency": Contingency(playbook="switch-off-protection"),
    }
    case = Case(**given | more)
    with open_store(where) as store:
        store.save_notes(*case_notes([case]))
    return case


def _case(where: Path) -> Case:
    with open_store(where, write=False) as store:
        return read_cases(store)["restart-of-srva"]


def test_a_case_that_stays_quiet_closes_itself_and_credits_no_change(where: Path) -> None:
    """The changes come from the store: what differs from snapshot to snapshot, and what was noted as done."""
    world, readers = World(), Readers("chat")
    _open(where)
    world.at.append((START + timedelta(days=1), lambda: world.versions.update(SRVA="5.2.3791")))
    world.at.append((START + timedelta(days=2), lambda: world.versions.update(SRVA="5.2.3790")))
    with open_store(where) as store:
        at = stamp(START + timedelta(hours=1))
        end = stamp(START + timedelta(hours=2))
        store.explain(Explanation(id="plan-1", kind="remediation", reason="plan 1 was applied", hosts=("SRV*",), from_=at, until=end))
        folders = [shipped("compat_matrix")]
    watch = watch_of(world, readers, where, changes=lambda store: lambda case, now: stored_changes(store, folders, case, now))
    run_for(world, watch, days=4.5, cron=HALF_DAYLY)
    case = _case(where)
    assert (case.state, case.outcome) == ("closed", "clean")
    assert [(change.kind, change.what) for change in case.changes] == [
        ("remediation", "remediation: plan 1 was applied"),
        ("drift", "system: version 5.2.3790 -> 5.2.3791"),
        ("drift", "system: version 5.2.3791 -> 5.2.3790"),
    ]
    assert readers.told() == [("case_clean restart-of-srva",)]
    text = readers.got[0][1].items[0].text
    assert text[0].startswith("It stayed away for 3 days that were seen on each host")
    assert "none of them alone is taken for the reason" in " ".join(text)


def test_a_case_that_comes_back_escalates_and_offers_its_playbook(where: Path) -> None:
    world, readers = World(), Readers("chat")
    _open(where)
    world.at.append((START + timedelta(days=1.3), lambda: world.crash("SRVA")))
    ran: list[Case] = []

    def runner(case: Case) -> str:
        ran.append(case)
        return "done"

    run_for(world, watch_of(world, readers, where, runner=runner), days=4, cron=HALF_DAYLY)
    case = _case(where)
    assert (case.state, case.contingency_outcome) == ("escalated", "offered")
    assert readers.told() == [("case_recurred restart-of-srva",)]
    item = readers.got[0][1].items[0]
    assert item.next_step == "Offered: the contingency playbook switch-off-protection for SRVA. It is not run by itself."
    assert item.text[0].startswith("stop code 0x8e on SRVA at ")
    assert ran == [], "an offer runs nothing"


def test_a_playbook_is_run_only_where_the_case_says_so_and_only_once(where: Path) -> None:
    world, readers = World(), Readers("chat")
    _open(where, contingency=Contingency(playbook="switch-off-protection", run=True))
    world.at.append((START + timedelta(days=1.3), lambda: world.crash("SRVA")))
    world.at.append((START + timedelta(days=2.3), lambda: world.crash("SRVA")))
    ran: list[str] = []

    def runner(case: Case) -> str:
        ran.append(case.id)
        assert case.contingency_outcome == "begun"
        assert _case(where).contingency_outcome == "begun", "it is noted before it is begun"
        return "switched off on SRVA"

    run_for(world, watch_of(world, readers, where, runner=runner), days=4, cron=HALF_DAYLY)
    assert ran == ["restart-of-srva"]
    assert _case(where).contingency_outcome == "switched off on SRVA"
    assert readers.told() == [("case_recurred restart-of-srva",), ("contingency restart-of-srva",)]


def test_a_kill_while_the_playbook_runs_does_not_run_it_again(where: Path) -> None:
    world, readers = World(), Readers("chat")
    _open(where, contingency=Contingency(playbook="switch-off-protection", run=True))
    world.pass_time(86_400)
    world.crash("SRVA")

    def killed(case: Case) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_round(watch_of(world, readers, where, runner=killed), world.stop)
    run_round(watch_of(world, readers, where, runner=killed), world.stop)
    assert _case(where).contingency_outcome == "begun"


@pytest.mark.parametrize("configured", [False, True])
def test_a_playbook_that_can_not_be_run_says_why(where: Path, configured: bool) -> None:
    """Without a runner, and with one that refuses."""
    world, readers = World(), Readers("chat")
    _open(where, contingency=Contingency(playbook="switch-off-protection", run=True))
    world.pass_time(86_400)
    world.crash("SRVA")

    def refuses(case: Case) -> str:
        raise RemediationError("the host is in a freeze")

    more: dict[str, Any] = {"runner": refuses} if configured else {}
    run_round(watch_of(world, readers, where, **more), world.stop)
    why = "the host is in a freeze" if configured else "this watch was not started with --run-contingencies"
    assert why in _case(where).contingency_outcome
    assert [notice.items[0].kind for _, notice in readers.got] == ["case_recurred", "contingency"]
    assert why in readers.got[1][1].items[0].text[0]


def test_a_host_that_is_not_seen_keeps_its_case_open_and_that_is_told_once(where: Path) -> None:
    world, readers = World(), Readers("chat")
    _open(where)
    world.at.append((START + timedelta(days=1), lambda: world.unseen.add("SRVA")))
    run_for(world, watch_of(world, readers, where), days=6, cron=HALF_DAYLY)
    assert _case(where).state == "observing"
    assert readers.told() == [("unseen SRVA can't be seen",), ("case_waits restart-of-srva",)]
    assert "SRVA was not seen: no answer" in readers.got[1][1].items[0].text
    world.unseen.clear()
    run_for(world, watch_of(world, readers, where), days=1, cron=HALF_DAYLY)
    assert _case(where).outcome == "clean", "its log shows the whole time"


def test_a_crash_while_the_host_was_not_seen_is_found_when_it_is_back(where: Path) -> None:
    world, readers = World(), Readers("chat")
    _open(where)
    world.unseen.add("SRVA")
    world.at.append((START + timedelta(days=1), lambda: world.crash("SRVA")))
    world.at.append((START + timedelta(days=2), world.unseen.clear))
    run_for(world, watch_of(world, readers, where), days=3, cron=HALF_DAYLY)
    assert _case(where).outcome == "recurred"


def test_a_case_waits_for_its_trigger(where: Path) -> None:
    update = EventPattern(log="Application", source="An AntiVirus", id=16)
    world, readers = World(), Readers("chat")
    _open(where, trigger=CaseTrigger(event=update, times=2))
    run_for(world, watch_of(world, readers, where), days=4, cron=HALF_DAYLY)
    assert _case(where).state == "observing"
    assert ("Application", "An AntiVirus", 16) in world.needed, "each round asks for it"
    assert readers.told() == [("case_waits restart-of-srva",)]
    fresh = msgspec.structs.replace(world.events["SRVB"][0] if world.events["SRVB"] else _update(world.real), log="Application")
    world.events["SRVA"] += [fresh, msgspec.structs.replace(fresh, record=2)]
    run_for(world, watch_of(world, readers, where), days=1, cron=HALF_DAYLY)
    assert _case(where).outcome == "clean"


def _update(at: datetime) -> Any:
    from auditor.model.host import EventReading

    return EventReading(log="Application", source="An AntiVirus", id=16, time=stamp(at), record=1)


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_closes_no_case(where: Path, days: int) -> None:
    world, readers = World(), Readers("chat")
    _open(where)

    def jump() -> None:
        world.error += timedelta(days=days)

    world.at.append((START + timedelta(days=1), jump))
    run_for(world, watch_of(world, readers, where), days=1.6, cron=HALF_DAYLY)
    assert _case(where).state == "observing"
    world.error = timedelta(0)
    run_for(world, watch_of(world, readers, where), days=3, cron=HALF_DAYLY)
    assert _case(where).outcome == "clean"


def test_changes_that_can_not_be_listed_end_a_case_all_the_same(where: Path) -> None:
    world, readers = World(), Readers("chat")
    _open(where)

    def damaged(case: Case, now: datetime) -> list[Any]:
        raise StoreError("stored bytes are damaged")

    run_for(world, watch_of(world, readers, where, changes=lambda store: damaged), days=4, cron=HALF_DAYLY)
    case = _case(where)
    assert case.outcome == "clean"
    assert any("can't be listed: stored bytes are damaged" in entry.what for entry in case.journal)


def test_a_kill_before_a_moved_case_is_saved_moves_it_the_next_time(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, readers = World(), Readers("chat")
    _open(where)
    world.pass_time(86_400)
    world.crash("SRVA")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "make_notice", killed)
    with pytest.raises(KeyboardInterrupt):
        run_round(watch_of(world, readers, where), world.stop)
    monkeypatch.undo()
    assert _case(where).state == "observing"
    run_round(watch_of(world, readers, where), world.stop)
    assert readers.told() == [("case_recurred restart-of-srva",)]
