"""Which state of a host is the newest: the one saved last, whatever a clock said once, and whatever else was asked of it."""

from __future__ import annotations

from auditor.store import Store, open_store
from tests.edges.postgres import Place
from tests.edges.store_samples import result_of, snapshot_of, target_of

AHEAD = "2036-01-01T00:00:00Z"
BEFORE, AFTER, LATER = "2026-11-01T01:00:00Z", "2026-11-02T01:00:00Z", "2026-11-03T01:00:00Z"


def _save(store: Store, at: str, kind: str = "audit", version: str = "9.0.0.338") -> None:
    run = store.begin_run(kind, at, "0.1.0")  # type: ignore[arg-type]
    store.save_result(run, target_of("SRVA"), result_of("SRVA", snapshot_of("SRVA", at=at, version=version)))


def test_a_clock_that_was_ahead_once_makes_no_newest_state(place: Place) -> None:
    with open_store(place.where) as store:
        for at in (BEFORE, AHEAD, AFTER, LATER):
            _save(store, at)
        assert [state.collected_at for state in store.latest_states(1)] == [LATER]
        assert [state.collected_at for state in store.states("SRVA")] == [LATER, AFTER, AHEAD, BEFORE]
        assert [state.collected_at for state in store.states("SRVA", AFTER)] == [AFTER, BEFORE]
        newest = store.read_snapshot("SRVA")
        assert newest is not None
        assert newest.collected_at == LATER
        store.prune("2026-12-01T00:00:00Z", 1)
        assert store.latest_states(1)[0].collected_at == LATER


def test_an_investigation_hides_no_state_that_was_asked_for_as_a_whole(place: Place) -> None:
    with open_store(place.where) as store:
        _save(store, BEFORE)
        _save(store, AFTER, "investigate", version="10.0")
        assert [(state.host, state.collected_at) for state in store.latest_states(1)] == [("SRVA", BEFORE)]
        _save(store, LATER)
        assert [state.collected_at for state in store.latest_states(2)] == [LATER, BEFORE]
