"""The store: what was saved comes back whole, what is damaged is found, what can't be opened says why."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import msgspec
import pytest

from auditor.model.errors import StoreError
from auditor.model.finding import Report
from auditor.model.host import (
    Clock,
    DriverRecord,
    EventReading,
    Gap,
    HostResult,
    Section,
    Sections,
    ServiceReading,
    ServiceRecord,
    Snapshot,
    SystemReading,
    SystemRecord,
    Target,
)
from auditor.store import Store, open_store

SAMPLE = Path(__file__).parents[1] / "samples" / "report_incident.json"
AT = "2026-11-26T01:00:00Z"


def _target(name: str) -> Target:
    return Target(name=name, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", user="audit", groups=("windows",))


def _snapshot(host: str, *, at: str = AT, pid: int = 4, version: str = "9.0.0.338") -> Snapshot:
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(version="5.2.3790"),), readings=(SystemReading(boot_time=at),)),
        services=Section(
            status="ok", seconds=0.5, records=(ServiceRecord(name="Rtvscan"),), readings=(ServiceReading(name="Rtvscan", pid=pid),)
        ),
        drivers=Section(
            status="partial",
            records=(DriverRecord(name="RapDrv", file_version=version),),
            gaps=(Gap(record="RapDrv", field="sha256", reason="in use"),),
        ),
        events=Section(
            status="ok", readings=(EventReading(log="System", source="EventLog", id=6008, time=at, strings=("größe", "病毒", "\x1b")),)
        ),
        logons=Section(status="denied", reason="access denied"),
    )
    return Snapshot(
        host=host,
        collected_at=at,
        collector="auditor 0.1.0",
        transport="powershell over http/ntlm",
        clock=Clock(skew_seconds=1.5),
        sections=sections,
    )


def _result(host: str, snapshot: Snapshot | None = None) -> HostResult:
    if snapshot is None:
        return HostResult(host=host, status="timed_out", reason="no answer", next_step="look", seconds=30.0)
    return HostResult(host=host, status="ok", snapshot=snapshot, seconds=1.25)


def _report() -> Report:
    return msgspec.json.decode(SAMPLE.read_bytes(), type=Report)


def _fill(store: Store, *hosts: str) -> str:
    run = store.begin_run("audit", AT, "0.1.0")
    for host in hosts:
        store.save_result(run, _target(host), _result(host, _snapshot(host)))
    return run


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        run = _fill(store, "SRVA", "SRVB")
        store.save_result(run, _target("BKP06"), _result("BKP06"))
        store.finish_run(run, _report())
    with open_store(path, write=False) as store:
        results = {stored.target.name: stored for stored in store.latest_results()}
        assert results["SRVA"].result == _result("SRVA", _snapshot("SRVA"))
        assert results["SRVA"].target == _target("SRVA")
        assert results["BKP06"].result == _result("BKP06")
        assert store.read_report() == store.read_report(run) == _report()
        assert store.read_snapshot("SRVB") == _snapshot("SRVB")
        assert store.read_snapshot("NONE") is None
        assert [(r.id, r.state, r.hosts, r.findings) for r in store.runs()] == [(run, "finished", 3, 3)]


def test_the_latest_result_counts_even_when_it_is_a_failure(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        _fill(store, "SRVA", "SRVB")
        second = store.begin_run("collect", "2026-11-27T01:00:00Z", "0.1.0")
        store.save_result(second, _target("SRVA"), _result("SRVA"))
        assert {s.target.name: s.result.status for s in store.latest_results()} == {"SRVA": "timed_out", "SRVB": "ok"}
        assert [s.target.name for s in store.latest_results(["SRVB", "NEVER"])] == ["SRVB"]


def test_a_check_rests_on_stored_results_and_is_no_newer_collection(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        _fill(store, "SRVA")
        before = store.latest_results()
        check = store.begin_run("check", "2026-11-28T01:00:00Z", "0.1.0")
        store.link_results(check, before)
        store.finish_run(check, _report())
        assert store.latest_results() == before
        assert [s.result for s in store.results_of(check)] == [s.result for s in before]


def test_a_snapshot_of_the_past_is_found_by_time(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        for at, version in (("2026-11-26T01:00:00Z", "9.0"), ("2026-11-27T01:00:00Z", "10.0")):
            run = store.begin_run("collect", at, "0.1.0")
            store.save_result(run, _target("SRVA"), _result("SRVA", _snapshot("SRVA", at=at, version=version)))
        old = store.read_snapshot("SRVA", "2026-11-26T23:00:00Z")
        assert old is not None
        assert old.sections.drivers.records[0].file_version == "9.0"
        assert store.read_snapshot("SRVA", "2026-11-25T00:00:00Z") is None


def test_two_runs_of_one_second_have_two_ids(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        assert [store.begin_run("audit", AT, "0.1.0") for _ in range(3)] == ["20261126T010000Z", "20261126T010000Z-2", "20261126T010000Z-3"]


def test_an_unchanged_host_is_stored_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        for day in range(5):
            run = store.begin_run("collect", f"2026-11-2{day}T01:00:00Z", "0.1.0")
            store.save_result(run, _target("SRVA"), _result("SRVA", _snapshot("SRVA", at=f"2026-11-2{day}T01:00:00Z")))
    with sqlite3.connect(path) as connection:
        facts = connection.execute("SELECT count(DISTINCT facts), count(DISTINCT moving) FROM snapshot").fetchone()
    assert facts == (1, 5)


def test_only_the_owner_may_read_the_store(tmp_path: Path) -> None:
    path = tmp_path / "made" / "store.db"
    before = os.umask(0)
    try:
        with open_store(path) as store:
            _fill(store, "SRVA")
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in path.parent.iterdir()}
            folder = stat.S_IMODE(path.parent.stat().st_mode)
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert {"store.db", "store.db-wal"} <= set(modes)
    assert folder == 0o700


def _change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)


def _digest_of(path: Path, column: str) -> str:
    with sqlite3.connect(path) as connection:
        return str(connection.execute(f"SELECT {column} FROM snapshot").fetchone()[0])


def _flip(path: Path, digest: str) -> None:
    with sqlite3.connect(path) as connection:
        data = bytearray(connection.execute("SELECT data FROM blob WHERE digest = ?", (digest,)).fetchone()[0])
        data[len(data) // 2] ^= 4
        connection.execute("UPDATE blob SET data = ? WHERE digest = ?", (bytes(data), digest))


def test_a_flipped_bit_in_records_is_unreadable_and_never_empty(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        _fill(store, "SRVA")
    records = msgspec.json.encode(_snapshot("SRVA").sections.drivers.records)
    import hashlib

    _flip(path, hashlib.sha256(records).hexdigest())
    with open_store(path, write=False) as store:
        snapshot = store.read_snapshot("SRVA")
    assert snapshot is not None
    assert snapshot.sections.drivers.status == "failed"
    assert "damaged" in snapshot.sections.drivers.reason
    assert snapshot.sections.services == _snapshot("SRVA").sections.services


def test_damaged_readings_leave_the_records_and_say_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        _fill(store, "SRVA")
    _flip(path, _digest_of(path, "moving"))
    with open_store(path, write=False) as store:
        snapshot = store.read_snapshot("SRVA")
    assert snapshot is not None
    assert (snapshot.sections.services.status, len(snapshot.sections.services.records)) == ("partial", 1)
    assert (snapshot.sections.events.status, snapshot.sections.drivers.status) == ("failed", "partial")


def test_a_damaged_snapshot_fails_its_host_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        store.save_result(run, _target("SRVA"), _result("SRVA", _snapshot("SRVA")))
        store.save_result(run, _target("SRVB"), _result("SRVB", _snapshot("SRVB", version="10.0")))
    _flip(path, _digest_of(path, "facts"))
    with open_store(path, write=False) as store:
        statuses = {s.target.name: (s.result.status, s.result.reason[:10]) for s in store.latest_results()}
    assert statuses == {"SRVA": ("failed", "unreadable"), "SRVB": ("ok", "")}


def test_a_saved_host_puts_a_damaged_copy_right(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        _fill(store, "SRVA")
    _flip(path, _digest_of(path, "facts"))
    with open_store(path) as store:
        _fill(store, "SRVA")
        assert store.read_snapshot("SRVA") == _snapshot("SRVA")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE result SET status = 'ok'",
        "UPDATE result SET host = 'SRVC'",
        "UPDATE run SET state = 'finished'",
        "UPDATE result SET seconds = 2",
    ],
)
def test_a_row_that_was_changed_is_noticed(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        store.save_result(run, _target("SRVA"), _result("SRVA"))
    _change(path, statement)
    with open_store(path, write=False) as store, pytest.raises(StoreError, match="damaged"):
        store.latest_results()
        store.runs()


def _read_all(path: Path) -> tuple[object, ...]:
    with open_store(path, write=False) as store:
        return store.latest_results(), store.read_report(), store.runs()


def test_no_flipped_bit_of_the_file_goes_unnoticed(tmp_path: Path) -> None:
    """What is read is what was saved, or an error, or a host or section that says it is unreadable."""
    path, damaged = tmp_path / "store.db", tmp_path / "damaged.db"
    with open_store(path) as store:
        store.finish_run(_fill(store, "SRVA", "SRVB"), _report())
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


def test_a_report_with_a_lost_part_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        store.finish_run(_fill(store, "SRVA"), _report())
    _change(path, "DELETE FROM part WHERE name = 'findings'")
    with open_store(path, write=False) as store, pytest.raises(StoreError, match="lost"):
        store.read_report()


def test_a_full_disk_is_a_clear_error_and_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    """SQLite's page limit gives the very error of a full disk."""
    path = tmp_path / "store.db"
    with open_store(path) as store:
        run = _fill(store, "SRVA")
        with store._transaction() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="disk is full"):
            for number in range(500):
                store.save_result(run, _target(f"H{number}"), _result(f"H{number}", _snapshot(f"H{number}", version=os.urandom(400).hex())))
    with open_store(path, write=False) as store:
        assert "SRVA" in {s.target.name for s in store.latest_results()}


def test_many_threads_save_at_once(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        run = store.begin_run("audit", AT, "0.1.0")
        names = [f"H{i:02d}" for i in range(24)]
        threads = [threading.Thread(target=store.save_result, args=(run, _target(n), _result(n, _snapshot(n)))) for n in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(s.target.name for s in store.latest_results()) == names


def test_a_killed_run_loses_no_finished_host(tmp_path: Path) -> None:
    script = textwrap.dedent(
        f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parents[2])!r})
        from tests.edges.test_store import _target, _result, _snapshot, AT
        from auditor.store import open_store
        with open_store({str(tmp_path / "store.db")!r}) as store:
            run = store.begin_run("audit", AT, "0.1.0")
            for i in range(10_000):
                store.save_result(run, _target(f"H{{i}}"), _result(f"H{{i}}", _snapshot(f"H{{i}}")))
                print(i, flush=True)
        """
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        finished = 0
        for line in child.stdout:
            finished = int(line)
            if finished >= 20:
                child.send_signal(signal.SIGKILL)
                break
    with open_store(tmp_path / "store.db") as store:
        saved = {s.target.name: s.result for s in store.latest_results()}
        assert {f"H{i}" for i in range(finished + 1)} <= set(saved)
        assert all(result.snapshot == _snapshot(name) for name, result in saved.items())
        assert [r.state for r in store.runs()] == ["running"]
