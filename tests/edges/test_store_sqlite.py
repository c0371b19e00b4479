"""What is special about the store in one SQLite file: who may read it, a flipped bit anywhere in it, a disk that is full."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest

from auditor.model.errors import StoreError
from auditor.model.host import Sections
from auditor.store import open_store
from tests.edges.store_samples import fill, result_of, sample_report, snapshot_of, target_of


def test_only_the_owner_may_read_the_store(tmp_path: Path) -> None:
    path = tmp_path / "made" / "store.db"
    before = os.umask(0)
    try:
        with open_store(path) as store:
            fill(store, "SRVA")
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
            folder = stat.S_IMODE(path.parent.stat().st_mode)
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {"store.db", "store.db-wal"} <= set(modes)
    assert folder == 0o700


def _read_all(path: Path) -> tuple[object, ...]:
    with open_store(path, write=False) as store:
        return store.latest_results(), store.read_report(), store.runs()


def test_no_flipped_bit_of_the_file_goes_unnoticed(tmp_path: Path) -> None:
    """What is read is what was saved, or an error, or a host or section that says it is unreadable."""
    path, damaged = tmp_path / "store.db", tmp_path / "damaged.db"
    with open_store(path) as store:
        fill(store, "SRVA", "SRVB")
        store.finish_run(fill(store, "SRVA", "SRVB"), sample_report())
    whole, data, chance = _read_all(path), path.read_bytes(), random.Random(2003)
    for _ in range(250):
        changed = bytearray(data)
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        damaged.write_bytes(changed)
        try:
            results, report, runs = _read_all(damaged)
        except StoreError:
            continue
        assert (report, runs) == whole[1:]
        assert isinstance(results, list)
        for got in (stored for stored in results if stored not in whole[0]):  # type: ignore[operator]
            seen = got.result.snapshot.sections if got.result.snapshot else None
            told = [getattr(seen, name).status for name in Sections.__struct_fields__] if seen else [got.result.status]
            assert "failed" in told


def test_a_full_disk_is_a_clear_error_and_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    """SQLite's page limit gives the very error of a full disk."""
    path = tmp_path / "store.db"
    with open_store(path) as store:
        run = fill(store, "SRVA")
        with store._transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="disk is full"):
            for number in range(500):
                store.save_result(
                    run, target_of(f"H{number}"), result_of(f"H{number}", snapshot_of(f"H{number}", version=os.urandom(400).hex()))
                )
    with open_store(path, write=False) as store:
        assert "SRVA" in {s.target.name for s in store.latest_results()}
