"""The store, the same on every database: what was saved comes back whole, what is damaged is found."""

from __future__ import annotations

import hashlib
import threading

import msgspec
import pytest

from auditor.model.errors import StoreError
from auditor.model.host import HostResult
from auditor.store import Store, open_store
from auditor.store.chains import let_stand_alone
from auditor.store.notes import Note, NoteKind
from auditor.store.tables import STEPS
from tests.edges.postgres import Place
from tests.edges.store_samples import AT, fill, result_of, sample_report, snapshot_of, target_of

DAYS = tuple(f"2026-11-{day:02}T01:00:00Z" for day in range(1, 31))


def _save_days(store: Store, host: str, days: tuple[str, ...]) -> None:
    for at in days:
        run = store.begin_run("collect", at, "0.1.0")
        store.save_result(run, target_of(host), result_of(host, snapshot_of(host, at=at)))


def test_what_is_saved_comes_back(place: Place) -> None:
    with open_store(place.where) as store:
        run = fill(store, "SRVA", "SRVB")
        store.save_result(run, target_of("BKP06"), result_of("BKP06"))
        store.finish_run(run, sample_report())
    with open_store(place.where, write=False) as store:
        results = {stored.target.name: stored for stored in store.latest_results()}
        assert results["SRVA"].result == result_of("SRVA", snapshot_of("SRVA"))
        assert results["SRVA"].target == target_of("SRVA")
        assert results["BKP06"].result == result_of("BKP06")
        assert store.read_report() == store.read_report(run) == sample_report()
        assert store.read_snapshot("SRVB") == snapshot_of("SRVB")
        assert store.read_snapshot("NONE") is None
        assert [(r.id, r.state, r.hosts, r.findings) for r in store.runs()] == [(run, "finished", 3, 3)]


def test_the_latest_result_counts_even_when_it_is_a_failure(place: Place) -> None:
    with open_store(place.where) as store:
        fill(store, "SRVA", "SRVB")
        second = store.begin_run("collect", "2026-11-27T01:00:00Z", "0.1.0")
        store.save_result(second, target_of("SRVA"), result_of("SRVA"))
        assert {s.target.name: s.result.status for s in store.latest_results()} == {"SRVA": "timed_out", "SRVB": "ok"}
        assert [s.target.name for s in store.latest_results(["SRVB", "NEVER"])] == ["SRVB"]


def test_a_second_result_of_a_host_in_one_run_replaces_the_first(place: Place) -> None:
    with open_store(place.where) as store:
        run = fill(store, "SRVA")
        store.save_result(run, target_of("SRVA"), result_of("SRVA", snapshot_of("SRVA", version="10.0")))
        assert [s.result.snapshot for s in store.results_of(run)] == [snapshot_of("SRVA", version="10.0")]


def test_a_check_rests_on_stored_results_and_is_no_newer_collection(place: Place) -> None:
    with open_store(place.where) as store:
        fill(store, "SRVA")
        before = store.latest_results()
        check = store.begin_run("check", "2026-11-28T01:00:00Z", "0.1.0")
        store.link_results(check, before)
        store.finish_run(check, sample_report())
        assert store.latest_results() == before
        assert [s.result for s in store.results_of(check)] == [s.result for s in before]


def test_a_snapshot_of_the_past_is_found_by_time(place: Place) -> None:
    with open_store(place.where) as store:
        for at, version in (("2026-11-26T01:00:00Z", "9.0"), ("2026-11-27T01:00:00Z", "10.0")):
            run = store.begin_run("collect", at, "0.1.0")
            store.save_result(run, target_of("SRVA"), result_of("SRVA", snapshot_of("SRVA", at=at, version=version)))
        old = store.read_snapshot("SRVA", "2026-11-26T23:00:00Z")
        assert old is not None
        assert old.sections.drivers.records[0].file_version == "9.0"
        assert store.read_snapshot("SRVA", "2026-11-25T00:00:00Z") is None


def test_two_runs_of_one_second_have_two_ids(place: Place) -> None:
    with open_store(place.where) as store:
        assert [store.begin_run("audit", AT, "0.1.0") for _ in range(3)] == ["20261126T010000Z", "20261126T010000Z-2", "20261126T010000Z-3"]


def test_an_unchanged_host_is_stored_once(place: Place) -> None:
    with open_store(place.where) as store:
        _save_days(store, "SRVA", DAYS[:5])
    assert place.execute("SELECT count(DISTINCT facts), count(*) FROM snapshot") == [(1, 5)]
    assert place.execute("SELECT count(*) FROM blob") == [(6,)], "target, facts, and four different lists of records"


def test_readings_that_rest_on_one_another_come_back_as_they_were(place: Place) -> None:
    with open_store(place.where) as store:
        _save_days(store, "SRVA", DAYS)
        assert place.execute("SELECT count(*) FROM snapshot WHERE base IS NOT NULL") != [(0,)]
        for at in DAYS:
            assert store.read_snapshot("SRVA", at) == snapshot_of("SRVA", at=at)


def test_a_snapshot_can_stand_alone_before_what_it_rests_on_is_deleted(place: Place) -> None:
    with open_store(place.where) as store:
        _save_days(store, "SRVA", DAYS[:6])
        with store._transaction() as connection:
            let_stand_alone(connection, 4)
    place.execute("DELETE FROM result WHERE snapshot < 4")
    place.execute("DELETE FROM snapshot WHERE number < 4")
    with open_store(place.where, write=False) as store:
        assert [store.read_snapshot("SRVA", at) for at in DAYS[2:6]] == [None, *(snapshot_of("SRVA", at=at) for at in DAYS[3:6])]


def test_a_text_that_a_database_cannot_hold_loses_no_host(place: Place) -> None:
    odd = HostResult(host="SRVA", status="failed", reason="it said \0 and \udcff", seconds=1.0)
    with open_store(place.where) as store:
        run = fill(store)
        store.save_result(run, target_of("SRVA"), odd)
        assert store.latest_results()[0].result.reason == "it said \ufffd and \\udcff"


def _flip(place: Place, table: str, column: str, where: str) -> None:
    """Changes one bit in the middle of a column of bytes."""
    shown = "encode({0}, 'hex')" if place.kind == "postgresql" else "hex({0})"
    data = bytearray.fromhex(place.execute(f"SELECT {shown.format(column)} FROM {table} WHERE {where}")[0][0])
    data[len(data) // 2] ^= 4
    literal = f"'\\x{data.hex()}'::bytea" if place.kind == "postgresql" else f"x'{data.hex()}'"
    place.execute(f"UPDATE {table} SET {column} = {literal} WHERE {where}")


def test_a_flipped_bit_in_records_is_unreadable_and_never_empty(place: Place) -> None:
    with open_store(place.where) as store:
        fill(store, "SRVA")
    records = msgspec.json.encode(snapshot_of("SRVA").sections.drivers.records)
    _flip(place, "blob", "data", f"digest = '{hashlib.sha256(records).hexdigest()}'")
    with open_store(place.where, write=False) as store:
        snapshot = store.read_snapshot("SRVA")
    assert snapshot is not None
    assert snapshot.sections.drivers.status == "failed"
    assert "damaged" in snapshot.sections.drivers.reason
    assert snapshot.sections.services == snapshot_of("SRVA").sections.services


@pytest.mark.parametrize("damaged", [1, 3])
def test_damaged_readings_leave_the_records_and_say_so(place: Place, damaged: int) -> None:
    """Also where the damage is in a snapshot that the one that is read rests on."""
    with open_store(place.where) as store:
        _save_days(store, "SRVA", DAYS[:3])
    _flip(place, "snapshot", "readings", f"number = {damaged}")
    with open_store(place.where, write=False) as store:
        snapshot = store.read_snapshot("SRVA")
    assert snapshot is not None
    assert (snapshot.sections.services.status, len(snapshot.sections.services.records)) == ("partial", 1)
    assert (snapshot.sections.events.status, snapshot.sections.drivers.status) == ("failed", "partial")


def test_a_host_whose_last_readings_are_damaged_is_saved_whole_again(place: Place) -> None:
    with open_store(place.where) as store:
        _save_days(store, "SRVA", DAYS[:3])
    _flip(place, "snapshot", "readings", "number = 1")
    with open_store(place.where) as store:
        _save_days(store, "SRVA", DAYS[3:4])
        assert store.read_snapshot("SRVA") == snapshot_of("SRVA", at=DAYS[3])


def test_a_damaged_snapshot_fails_its_host_and_no_other(place: Place) -> None:
    with open_store(place.where) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        store.save_result(run, target_of("SRVA"), result_of("SRVA", snapshot_of("SRVA")))
        store.save_result(run, target_of("SRVB"), result_of("SRVB", snapshot_of("SRVB", version="10.0")))
    _flip(place, "blob", "data", "number = (SELECT facts FROM snapshot WHERE number = 1)")
    with open_store(place.where, write=False) as store:
        statuses = {s.target.name: (s.result.status, s.result.reason[:10]) for s in store.latest_results()}
    assert statuses == {"SRVA": ("failed", "unreadable"), "SRVB": ("ok", "")}


def test_a_saved_host_puts_a_damaged_copy_right(place: Place) -> None:
    with open_store(place.where) as store:
        fill(store, "SRVA")
    _flip(place, "blob", "data", "number = (SELECT facts FROM snapshot WHERE number = 1)")
    with open_store(place.where) as store:
        fill(store, "SRVA")
        assert store.read_snapshot("SRVA") == snapshot_of("SRVA")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE result SET status = 'ok'",
        "UPDATE result SET host = 'SRVC' WHERE host = 'SRVA'",
        "UPDATE run SET state = 'finished'",
        "UPDATE result SET seconds = 2",
        "UPDATE result SET target = (SELECT facts FROM snapshot)",
        "UPDATE result SET snapshot = NULL WHERE host = 'SRVB'",
    ],
)
def test_a_row_that_was_changed_is_noticed(place: Place, statement: str) -> None:
    with open_store(place.where) as store:
        run = fill(store, "SRVB")
        store.save_result(run, target_of("SRVA"), result_of("SRVA"))
    place.execute(statement)
    with open_store(place.where, write=False) as store, pytest.raises(StoreError, match="damaged"):
        store.latest_results()
        store.runs()


@pytest.mark.parametrize("change", ["facts = (SELECT target FROM result WHERE host = 'SRVA')", "collected_at = '2026'", "size = size + 1"])
def test_a_snapshot_row_that_was_changed_is_no_snapshot(place: Place, change: str) -> None:
    with open_store(place.where) as store:
        fill(store, "SRVA", "SRVB")
    place.execute(f"UPDATE snapshot SET {change} WHERE host = 'SRVA'")
    with open_store(place.where, write=False) as store:
        assert {s.target.name: s.result.status for s in store.latest_results()} == {"SRVA": "failed", "SRVB": "ok"}


def test_a_report_with_a_lost_part_is_an_error(place: Place) -> None:
    with open_store(place.where) as store:
        store.finish_run(fill(store, "SRVA"), sample_report())
    place.execute("DELETE FROM part WHERE name = 'findings'")
    with open_store(place.where, write=False) as store, pytest.raises(StoreError, match="lost"):
        store.read_report()


def test_many_threads_save_at_once(place: Place) -> None:
    with open_store(place.where) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        names = [f"H{i:02d}" for i in range(24)]
        threads = [threading.Thread(target=store.save_result, args=(run, target_of(n), result_of(n, snapshot_of(n)))) for n in names]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(s.target.name for s in store.latest_results()) == names


def test_a_store_opened_for_reading_refuses_to_write(place: Place) -> None:
    with open_store(place.where):
        pass
    with open_store(place.where, write=False) as store, pytest.raises(StoreError, match="read-only"):
        store.begin_run("audit", AT, "0.1.0")


def test_a_store_of_another_version_is_refused(place: Place) -> None:
    with open_store(place.where):
        pass
    for version, words in ((99, "newer"), (1, "before the first release")):
        place.execute(f"UPDATE auditor_schema SET version = {version}")
        for write in (True, False):
            with pytest.raises(StoreError, match=words), open_store(place.where, write=write):
                pass


class _Remembered(msgspec.Struct, frozen=True):
    text: str


def test_what_the_watch_remembers_is_kept_changed_and_dropped_at_once(place: Place) -> None:
    def note(name: str, text: str | None, kind: NoteKind = "case") -> Note:
        return Note(kind=kind, id=name, value=None if text is None else _Remembered(text))

    with open_store(place.where) as store:
        store.save_notes(note("b", "größe \0"), note("a", "1"), note("a", "other", "notice"))
        store.save_notes(note("a", "2"), note("b", None), note("never", None))
        assert store.notes("case", _Remembered) == {"a": _Remembered("2")}
        assert store.notes("notice", _Remembered) == {"a": _Remembered("other")}
    place.execute("UPDATE note SET data = '{\"text\":\"3\"}' WHERE kind = 'case'")
    with open_store(place.where, write=False) as store, pytest.raises(StoreError, match="damaged"):
        store.notes("case", _Remembered)


def test_a_store_of_an_earlier_version_is_led_to_this_one(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what it holds; until then it is not read."""
    monkeypatch.setattr("auditor.store.opening.STEPS", STEPS[:1])
    with open_store(place.where) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        store.save_result(run, target_of("SRVA"), result_of("SRVA", snapshot_of("SRVA")))
    monkeypatch.undo()
    with pytest.raises(StoreError, match="older version"), open_store(place.where, write=False):
        pass
    with open_store(place.where) as store:
        store.finish_run(run, sample_report())
        assert store.read_snapshot("SRVA") == snapshot_of("SRVA")
        assert store.notes("case", _Remembered) == {}


def test_a_reader_keeps_no_writer_waiting_and_sees_one_state(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that may write: an audit can save while a report of ten thousand hosts is read."""
    monkeypatch.setattr("auditor.store.opening.BUSY_MILLISECONDS", 300)
    with open_store(place.where) as reader, open_store(place.where) as writer:
        run = fill(writer, "SRVA")
        with reader._transaction(write=False) as connection:
            before = connection.exec_driver_sql("SELECT count(*) FROM result").scalar_one()
            writer.save_result(run, target_of("SRVB"), result_of("SRVB"))
            assert connection.exec_driver_sql("SELECT count(*) FROM result").scalar_one() == before
        assert len(reader.latest_results()) == 2
        with reader._transaction(), pytest.raises(StoreError, match="does not let go"):
            writer.save_result(run, target_of("SRVC"), result_of("SRVC"))
