"""What failed is taken back where the playbook declares that, verified by reading again, and told to a person where not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from auditor.model.errors import PlaybookError
from auditor.model.plan import RemediationRecord
from auditor.model.remedy import HostReport, RunRequest
from auditor.store import open_store
from tests.edges.remediation_samples import REMEDY, World, remedy_of

KEY = f"{REMEDY} a"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_store(tmp_path / "s.db") as store:
        yield World(store, "a", "b")


def _told(record: RemediationRecord) -> str:
    return record.waves[0].rolled_back[KEY]


def _phases(world: World) -> list[tuple[str, tuple[str, ...]]]:
    return [(request.phase, tuple(one.host for one in request.hosts)) for request in world.requests]


def test_a_change_that_made_it_worse_is_taken_back_and_that_is_read_again(world: World) -> None:
    plan = world.plan()
    world.worse = {"a"}
    record = world.apply(plan)
    assert _phases(world) == [("run", ("a",)), ("rollback", ("a",))]
    assert world.requests[1].hosts[0].before == {"mode": "bad"}
    assert not world.requests[1].check
    assert _told(record) == "taken back: reading again shows the host as before"
    assert world.modes == {"a": "bad", "b": "bad"}
    assert (record.state, record.by_hand) == ("held", ())


def test_a_rollback_that_does_not_put_it_back_is_found_out(world: World) -> None:
    plan = world.plan("a")
    world.worse = {"a"}

    def cheat(request: RunRequest) -> None:
        if request.phase == "rollback":
            world.ignores = {"a"}

    world.on_run = cheat
    told = _told(record := world.apply(plan))
    assert told.startswith("played back, but the host is not as before: services Guard")
    assert record.by_hand == (f"a: {told}",)


def test_a_rollback_that_fails_is_told_with_what_a_person_does(world: World) -> None:
    plan = world.plan("a")
    world.worse = {"a"}

    def broken(request: RunRequest) -> None:
        if request.phase == "rollback":
            raise PlaybookError("there are no collections")

    world.on_run = broken
    record = world.apply(plan)
    assert _told(record) == "failed: not begun: there are no collections; by hand: set it back"
    assert record.by_hand == (f"a: {_told(record)}",)


def test_a_rollback_that_is_killed_is_written_as_begun(world: World) -> None:
    plan = world.plan("a")
    world.worse = {"a"}

    def killed(request: RunRequest) -> None:
        if request.phase == "rollback":
            raise KeyboardInterrupt

    world.on_run = killed
    with pytest.raises(KeyboardInterrupt):
        world.apply(plan)
    record = world.store.remediations()[-1]
    assert (record.state, _told(record)) == ("interrupted", "begun")


def test_a_host_that_is_away_after_its_rollback_is_not_verified(world: World) -> None:
    plan = world.plan("a")
    world.worse = {"a"}

    def vanish(request: RunRequest) -> None:
        if request.phase == "rollback":
            world.away = {"a"}

    world.on_run = vanish
    record = world.apply(plan)
    assert _told(record) == "played back, and not verified: the host could not be read again"
    assert record.by_hand


@pytest.mark.parametrize(("kind", "words"), [("manual", "by hand: set it back"), ("none", "can't be taken back: set it back")])
def test_what_no_play_takes_back_is_told(world: World, kind: str, words: str) -> None:
    plan = world.plan("a", remedy=remedy_of(kind))
    world.worse = {"a"}
    record = world.apply(plan)
    assert _phases(world) == [("run", ("a",))]
    assert _told(record) == words
    assert record.by_hand == (f"a: {words}",)
    assert world.modes["a"] == "good"


def test_a_run_that_told_no_state_before_is_left_to_a_person(world: World) -> None:
    plan = world.plan("a")
    world.plays = {"a": "connection lost"}
    record = world.apply(plan)
    assert _told(record) == "by hand, for the run told no state before it: set it back"
    assert _phases(world) == [("run", ("a",))]


def test_a_run_of_which_nothing_was_heard_left_the_host_as_it_was(world: World) -> None:
    plan = world.plan("a")

    def broken(_request: RunRequest) -> None:
        raise PlaybookError("couldn't resolve module")

    world.on_run = broken
    record = world.apply(plan)
    assert record.waves[0].failed == {KEY: "not begun: couldn't resolve module"}
    assert (record.waves[0].rolled_back, record.by_hand, record.state) == ({}, (), "held")


def test_a_play_that_refused_has_nothing_to_take_back(world: World) -> None:
    plan = world.plan("a", remedy=remedy_of("manual"))
    world.plays = {"a": HostReport(outcome="refused", notes=("too old",))}
    record = world.apply(plan)
    assert _told(record) == "nothing was changed that could be taken back"
    assert record.by_hand == ()


def test_only_what_failed_of_a_wave_is_taken_back(world: World) -> None:
    world.modes = dict.fromkeys([f"h{n:02}" for n in range(30)], "bad")
    plan = world.plan()
    assert [len(wave.items) for wave in plan.waves] == [1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 2]
    world.worse = {"h02"}
    record = world.apply(plan)
    assert record.state == "held"
    assert [w.state for w in record.waves] == ["done", "failed"]
    assert _phases(world)[-1] == ("rollback", ("h02",))
    assert [h for h, mode in world.modes.items() if mode == "good"] == ["h00", "h01", "h03"]


def test_what_comes_after_a_failure_on_one_host_is_not_begun(world: World) -> None:
    first, second = world.plan("a"), world.plan("a")
    other = second.actions[0].__class__(
        **{f: getattr(second.actions[0], f) for f in second.actions[0].__struct_fields__} | {"remedy": "next"}
    )

    item = msgspec.structs.replace(first.waves[0].items[0], remedy="next")
    wave = msgspec.structs.replace(first.waves[0], items=(*first.waves[0].items, item))
    plan = msgspec.structs.replace(first, actions=(*first.actions, other), waves=(wave,))
    world.plays = {"a": "exit code 1603"}
    record = world.apply(plan)
    assert record.waves[0].failed["next a"] == "not begun: what came before it on this host failed"
    assert "next a" not in record.waves[0].rolled_back
    assert len(world.requests) == 1
