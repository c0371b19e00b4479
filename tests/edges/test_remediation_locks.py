"""Who changes which host: one at a time, over all plans and machines that share a store; a lease ends, and taking it over is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from auditor.model.errors import RemediationError
from auditor.model.plan import Applicant
from auditor.model.remedy import RunRequest
from auditor.remediation.tools import Limits
from auditor.store import Store, open_store
from tests.edges.postgres import Place
from tests.edges.remediation_samples import World, stamp


@pytest.fixture
def stores(place: Place) -> Iterator[tuple[Store, Store]]:
    """One store opened twice, as by two machines; once of each kind."""
    with open_store(place.where) as one, open_store(place.where) as other:
        yield one, other


def test_the_second_is_refused_while_the_first_changes_one_of_its_hosts(stores: tuple[Store, Store]) -> None:
    first, second = World(stores[0], "a", "b"), World(stores[1], "a", "b")
    second.by = Applicant(who="other@elsewhere")
    mine, theirs, free = first.plan("a"), second.plan("a", "b"), second.plan("b")
    refused: list[str] = []

    def meanwhile(_request: RunRequest) -> None:
        second.time = first.time
        with pytest.raises(RemediationError, match="somebody else is changing hosts of the plan: a by op@console") as error:
            second.apply(theirs)
        refused.append(error.value.message)
        assert second.apply(free).state == "finished", "other hosts are free"

    first.on_run = meanwhile
    assert first.apply(mine).state == "finished"
    assert len(refused) == 1
    assert second.requests and [one.host for request in second.requests for one in request.hosts] == ["b"]


def test_a_lease_that_ended_is_taken_over_and_that_is_told(stores: tuple[Store, Store]) -> None:
    world = World(stores[0], "a")
    until = stamp(world.time + timedelta(minutes=5))
    assert stores[1].lock_hosts(["a"], "lost@elsewhere X", stamp(world.time), until).held == ()
    plan = world.plan()
    with pytest.raises(RemediationError, match="lost@elsewhere X until"):
        world.apply(plan)
    world.time += timedelta(minutes=6)
    record = world.apply(plan)
    assert record.state == "finished"
    assert record.notes == (f"a: taken over from lost@elsewhere X, whose lease ended at {until}",)
    assert record.notes[0] in world.told


def test_hosts_are_free_again_when_it_ends_however_it_ends(stores: tuple[Store, Store]) -> None:
    world = World(stores[0], "a", "b")
    world.plays = {"a": "no"}
    assert world.apply(world.plan()).state == "held"
    now, until = stamp(world.time), stamp(world.time + timedelta(minutes=1))
    assert stores[1].lock_hosts(["a", "b"], "next", now, until).taken_over == ()


def test_one_that_lost_its_hosts_does_nothing_more(stores: tuple[Store, Store]) -> None:
    """A machine that slept through its lease finds its hosts taken."""
    world = World(stores[0], "a", "b")
    plan = world.plan()

    def asleep(_request: RunRequest) -> None:
        late = world.time + timedelta(hours=1)
        taken = stores[1].lock_hosts(["a", "b"], "other", stamp(late), stamp(late + timedelta(hours=1)))
        assert [one.host for one in taken.taken_over] == ["a", "b"]
        journal = [thread for thread in threading.enumerate() if thread.name == "remediation-lease"]
        journal[0].join(timeout=10)
        assert not journal[0].is_alive(), "the lease was renewed in vain"

    world.on_run = asleep
    with pytest.raises(RemediationError, match="was taken by other"):
        world.apply(plan, Limits(lease_seconds=0.4))
    assert len(world.requests) == 1
    assert stores[0].remediations()[-1].state == "interrupted"


def test_a_lock_is_all_or_nothing_and_only_its_holder_lets_go(stores: tuple[Store, Store]) -> None:
    one, two = stores
    assert one.lock_hosts(["a", "b"], "first", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z").held == ()
    held = two.lock_hosts(["b", "c"], "second", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z").held
    assert [(h.host, h.holder) for h in held] == [("b", "first")]
    two.unlock_hosts(["a", "b"], "second")
    assert two.lock_hosts(["a"], "second", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z").held
    assert two.lock_hosts(["c"], "second", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z").held == ()
    assert not two.lock_hosts(["a", "b"], "second", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z", dead=["first"]).held


def test_of_many_that_ask_at_once_one_gets_the_hosts(place: Place) -> None:
    """Each from a connection of its own, as machines do."""
    with open_store(place.where):
        pass
    won: list[str] = []
    gate = threading.Barrier(6)

    def ask(name: str) -> None:
        with open_store(place.where) as store:
            gate.wait(timeout=30)
            if not store.lock_hosts(["a", "b"], name, "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z").held:
                won.append(name)

    askers = [threading.Thread(target=ask, args=(f"m{number}",)) for number in range(6)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(timeout=60)
    assert len(won) == 1
