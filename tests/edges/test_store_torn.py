"""The store when something is torn away: the process at any moment, the end of the write-ahead log at any frame, the disk, the rights.

No finished host is lost, none is half saved, the store opens, and what can't be written says so.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from auditor.model.errors import StoreError
from auditor.store import open_store
from tests.edges.postgres import Place
from tests.edges.store_samples import AT, ROOT, fill, result_of, sample_report, saving, snapshot_of, target_of

WAL_HEAD, FRAME_HEAD = 32, 24


def _whole(where: str | Path) -> dict[str, int]:
    """Hosts that are there, each as it was saved; the store opens for writing, and takes more."""
    with open_store(where) as store:
        results = store.latest_results()
        assert all(stored.result.snapshot == snapshot_of(stored.target.name) for stored in results)
        fill(store, "LATER")
        return {stored.target.name: stored.row for stored in results if stored.target.name != "LATER"}


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.3, 0.5, 0.7, 0.9])
def test_a_process_that_is_killed_at_any_moment(tmp_path: Path, delay: float) -> None:
    """From before the first table is made to between two bytes of a commit."""
    where = str(tmp_path / "store.db")
    chance = random.Random(delay)
    with saving(where) as child:
        time.sleep(delay + chance.random() / 10)
        child.send_signal(signal.SIGKILL)
        assert child.stdout is not None
        told = [int(line) for line in child.stdout.read().splitlines() if line.isdigit()]
    assert {f"H{number}" for number in told} <= set(_whole(where))


def test_processes_that_are_killed_one_after_the_other_on_one_store(place: Place) -> None:
    told: set[str] = set()
    for number in range(4):
        with saving(place.where, stem=f"K{number}-") as child:
            assert child.stdout is not None
            for line in child.stdout:
                told.add(f"K{number}-{line.strip()}")
                if int(line) >= 3 + number:
                    child.send_signal(signal.SIGKILL)
                    break
    assert told <= set(_whole(place.where))


def _logged(folder: Path) -> tuple[Path, list[tuple[int, str]]]:
    """A store whose write-ahead log holds everything, copied as a power cut would leave it, and the length of the log after each host."""
    path, copy = folder / "store.db", folder / "cut" / "store.db"
    copy.parent.mkdir()
    saved: list[tuple[int, str]] = []
    with open_store(path) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        for name in ("SRVA", "SRVB", "SRVC", "SRVA"):
            store.save_result(run, target_of(name), result_of(name, snapshot_of(name)))
            saved.append((path.with_name("store.db-wal").stat().st_size, name))
        store.finish_run(run, sample_report())
        for name in ("store.db", "store.db-wal"):
            shutil.copy(folder / name, copy.parent / name)
    return copy, saved


def _cut(copy: Path, folder: Path, log: bytes) -> Path:
    folder.mkdir()
    shutil.copy(copy, folder / "store.db")
    (folder / "store.db-wal").write_bytes(log)
    return folder / "store.db"


def test_a_write_ahead_log_that_is_cut_at_any_frame(tmp_path: Path) -> None:
    """At each end of a frame and inside each: every host whose commit was on the disk is there, the others are not there at all."""
    copy, saved = _logged(tmp_path)
    log = copy.with_name("store.db-wal").read_bytes()
    frame = FRAME_HEAD + struct.unpack(">I", log[8:12])[0]
    ends = [0, 1, *range(WAL_HEAD, len(log) + 1, frame)]
    assert len(ends) > 40
    chance = random.Random(2003)
    for number, end in enumerate(ends):
        for length in {end, min(len(log), end + chance.randrange(1, frame))}:
            path = _cut(copy, tmp_path / f"{number}-{length}", log[:length])
            on_disk = {name for size, name in saved if size <= length}
            assert set(_whole(path)) == on_disk
            shutil.rmtree(path.parent)


def test_a_write_ahead_log_whose_end_is_torn(tmp_path: Path) -> None:
    """A frame that was written in part, or holds what lay on the disk before: it and what follows count as never written."""
    copy, saved = _logged(tmp_path)
    log = copy.with_name("store.db-wal").read_bytes()
    chance = random.Random(8)
    for number in range(12):
        place = chance.randrange(WAL_HEAD, len(log))
        torn = log[:place] + chance.randbytes(min(512, len(log) - place)) + log[place + 512 :]
        path = _cut(copy, tmp_path / str(number), torn)
        found = set(_whole(path))
        assert {name for size, name in saved if size <= place} <= found


def test_two_runs_at_once_do_not_spoil_each_other(place: Place) -> None:
    children = [saving(place.where, stem=f"R{number}-", count=15) for number in range(3)]
    said = [child.communicate(timeout=100) for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], said
    with open_store(place.where, write=False) as store:
        runs = store.runs()
        assert [(run.state, run.hosts) for run in runs] == [("finished", 15)] * 3
        assert len({run.id for run in runs}) == 3
        for run in runs:
            stems = {stored.target.name.partition("-")[0] for stored in store.results_of(run.id)}
            assert len(stems) == 1
    assert len(_whole(place.where)) == 45


_FILL = textwrap.dedent(
    f"""
    import os, resource, sys
    sys.path.insert(0, {str(ROOT)!r})
    from auditor.model.errors import StoreError
    from auditor.store import open_store
    from tests.edges.store_samples import AT, result_of, snapshot_of, target_of
    limit = int(sys.argv[2])
    with open_store(sys.argv[1]) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            for number in range(3000):
                name = f"H{{number}}"
                store.save_result(run, target_of(name), result_of(name, snapshot_of(name)))
                print(number, flush=True)
        except StoreError as error:
            print(error.message, "|", error.next_step, file=sys.stderr)
    """
)


def _fill_up(where: Path, limit: int = 0) -> tuple[list[int], str]:
    done = subprocess.run([sys.executable, "-c", _FILL, str(where), str(limit)], capture_output=True, text=True, timeout=200, check=True)
    return [int(line) for line in done.stdout.split()], done.stderr


def test_a_file_that_may_not_grow_is_a_clear_error(tmp_path: Path) -> None:
    """The limit that a shell's `ulimit -f` or a quota sets."""
    where = tmp_path / "store.db"
    told, said = _fill_up(where, limit=600_000)
    assert len(told) > 3
    assert "can't be written: the disk is full or failing" in said
    assert "Free some space" in said
    assert {f"H{number}" for number in told} <= set(_whole(where))


def test_a_disk_that_is_full_is_a_clear_error(tmp_path: Path) -> None:
    disk = tmp_path / "small"
    disk.mkdir()
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], check=False).returncode:
        pytest.skip("a small disk can't be mounted here")
    try:
        told, said = _fill_up(disk / "store.db")
        assert len(told) > 3
        assert "disk is full" in said
        moved = tmp_path / "moved"
        shutil.copytree(disk, moved)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    assert {f"H{number}" for number in told} <= set(_whole(moved / "store.db"))


_READ_ONLY = textwrap.dedent(
    f"""
    import os, sys
    sys.path.insert(0, {str(ROOT)!r})
    from auditor.model.errors import StoreError
    from auditor.store import open_store
    import sqlalchemy.dialects.sqlite.pysqlite
    import auditor.store.readings
    if os.geteuid() == 0:
        os.setgid(65534), os.setuid(65534)
    for write in (False, True):
        try:
            with open_store(sys.argv[1], write=write) as store:
                print(len(store.latest_results()), flush=True)
                if write:
                    store.begin_run("audit", "2026-11-26T01:00:00Z", "0.1.0")
        except StoreError as error:
            print(error.message, "|", error.next_step, flush=True)
    """
)


def test_a_read_only_file_can_be_read_and_says_so_when_written() -> None:
    """As a user without rights on it: the folder of pytest is closed to others."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_store(folder / "store.db") as store:
            fill(store, "SRVA")
        folder.chmod(0o555)
        (folder / "store.db").chmod(0o444)
        done = subprocess.run([sys.executable, "-c", _READ_ONLY, str(folder / "store.db")], capture_output=True, text=True, check=True)
        folder.chmod(0o755)
    read, written = done.stdout.splitlines()
    assert read == "1"
    assert "is read-only" in written
    assert "writable" in written


def test_a_log_that_was_left_behind_is_read_without_writing(tmp_path: Path) -> None:
    """After a kill the newest hosts are in the log only; a report reads them too."""
    copy, saved = _logged(tmp_path)
    with open_store(copy, write=False) as store:
        assert {stored.target.name for stored in store.latest_results()} == {name for _, name in saved}


def test_a_damaged_page_is_an_error_and_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        store.finish_run(fill(store, *(f"H{number}" for number in range(30))), sample_report())
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 6] = os.urandom(4096 * 3)
    path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged"), open_store(path) as store:
        store.latest_results()
        store.read_report()
