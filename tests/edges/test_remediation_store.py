"""What the store keeps of remediations: whole, found when damaged, exported and restored, its events pruned and its records not."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.model.errors import StoreError
from auditor.store import open_store
from auditor.store.lines import Head
from tests.edges.postgres import Place
from tests.edges.remediation_samples import World, stamp


def test_a_record_comes_back_whole(place: Place) -> None:
    with open_store(place.where) as store:
        world = World(store, "a", "b")
        record = world.apply(world.plan())
    with open_store(place.where, write=False) as store:
        assert store.remediations() == [record]
        assert len(store.remediation_events(record.id)) == 6


@pytest.mark.parametrize(("table", "column"), [("remediation", "data"), ("remediation_event", "data")])
def test_a_changed_byte_is_found(place: Place, table: str, column: str) -> None:
    with open_store(place.where) as store:
        world = World(store, "a")
        record = world.apply(world.plan())
    place.execute(f"UPDATE {table} SET {column} = replace({column}, 'set_mode', 'set_code')")
    place.execute(f"UPDATE {table} SET {column} = replace({column}, 'Look', 'Took')")
    with open_store(place.where, write=False) as store, pytest.raises(StoreError, match="has changed since it was written"):
        store.remediations()
        store.remediation_events(record.id)


def test_it_is_exported_and_restored_with_its_events_but_never_without_names(place: Place, tmp_path: Path) -> None:
    with open_store(place.where) as store:
        world = World(store, "a")
        record = world.apply(world.plan())
        events = store.remediation_events(record.id)
        head = Head(auditor="0.1.0", at="2026-11-26T01:00:00Z", redacted=False)
        store.export(tmp_path / "whole.jsonl", head)
        store.export(tmp_path / "part.jsonl", head, lambda host, groups: True)
        store.export(tmp_path / "nameless.jsonl", Head(auditor="0.1.0", at=head.at, redacted=True))
    with open_store(tmp_path / "other.db") as other:
        other.restore(tmp_path / "whole.jsonl")
        assert other.remediations() == [record]
        assert other.remediation_events(record.id) == events
    for name in ("part.jsonl", "nameless.jsonl"):
        assert '"line":"remediation"' not in (tmp_path / name).read_text()


def test_pruning_takes_old_events_and_leaves_the_record(place: Place) -> None:
    with open_store(place.where) as store:
        world = World(store, "a")
        record = world.apply(world.plan())
        assert store.prune(record.started_at, 1).events == 0
        assert store.prune("2027-01-01T00:00:00Z", 1, rehearse=True).events == 3
        assert len(store.remediation_events(record.id)) == 3
        assert store.prune("2027-01-01T00:00:00Z", 1).events == 3
        assert store.remediation_events(record.id) == []
        assert store.remediations() == [record]
        assert store.states("a"), stamp(world.time)
