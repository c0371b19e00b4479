"""Derived facts in the store: made once, found again under what they were made from, and no evidence themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.audit import check, run_of
from auditor.derived import save_into
from auditor.matrix.fragments import HostFragment, snapshot_of
from auditor.model.errors import StoreError
from auditor.model.host import HostResult, Target
from auditor.model.whatif import Precheck
from auditor.precheck import Wanted, precheck
from auditor.store import Store, StoredHost, open_store
from auditor.store.derived import Derived
from auditor.stored_fleet import keep_fleet, stored_fleet
from tests.edges.case_fleets import shipped_matrix

NOW = datetime(2026, 11, 26, 3, tzinfo=UTC)
WEEK = timedelta(days=7)
HOSTS = ("SRVA", "SRVB", "WEB1")
ASK = Wanted(hosts=("SRVB",), changes={"install": ("symantec-antivirus@10.0,role=server,group=Corp",)})


def target(name: str, *groups: str) -> Target:
    return Target(name=name, address=f"{name}.corp.example", port=5985, scheme="http", transport="ntlm", groups=groups)


def result(name: str, *, revision: int = 1, hours: int = 2, **sections: Any) -> HostResult:
    system = {"version": "10.0.17763", "build": 17763, "revision": revision, "product_type": "server", "architecture": "x64"}
    body = {"system": [system], "network": [{"computer_name": name}], **sections}
    snapshot = snapshot_of(name, msgspec.convert(body, HostFragment))
    at = (NOW - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return HostResult(host=name, status="ok", snapshot=msgspec.structs.replace(snapshot, collected_at=at))


def save(store: Store, *results: HostResult, groups: tuple[str, ...] = ("servers",)) -> None:
    run = store.begin_run("collect", "2026-11-26T01:00:00Z", "0.1.0")
    for one in results:
        store.save_result(run, target(one.host, *groups), one)
    store.finish_run(run)


class Counting(Store):
    """A store that notes which results are read whole."""

    read: list[int]

    @classmethod
    def around(cls, store: Store) -> Counting:
        store.__class__ = cls
        assert isinstance(store, Counting)
        store.read = []
        return store

    def results(self, rows: Sequence[int]) -> list[StoredHost]:
        self.read += rows
        return super().results(rows)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    with open_store(tmp_path / "s.db") as store:
        save(store, *(result(name) for name in HOSTS))
    return tmp_path / "s.db"


@pytest.fixture
def store(where: Path) -> Iterator[Counting]:
    with open_store(where) as opened:
        yield Counting.around(opened)


def ask(store: Store, *, kept: bool = True, now: datetime = NOW, max_age: timedelta = WEEK) -> Precheck:
    return precheck(stored_fleet(store, shipped_matrix(), None, now, max_age, store.save_derived if kept else None), ASK, now)


def test_a_second_pre_check_reads_the_changed_host_only(store: Counting) -> None:
    first = ask(store)
    assert len(store.read) == 3 + 1  # each to derive from it, and the host that is changed
    store.read.clear()
    assert ask(store) == first
    assert len(store.read) == 1


def test_without_leave_to_save_nothing_is_kept(store: Counting) -> None:
    first = ask(store, kept=False)
    store.read.clear()
    assert ask(store) == first
    assert len(store.read) == 4


def test_a_host_that_was_collected_again_is_derived_again(store: Counting) -> None:
    ask(store)
    save(store, result("WEB1", revision=2, hours=1, services=[{"name": "Rtvscan"}]))
    store.read.clear()
    told = ask(store)
    assert len(store.read) == 2
    assert told == ask(store, kept=False)


def test_a_host_of_other_groups_is_another_one(store: Counting) -> None:
    ask(store)
    save(store, result("SRVB", hours=1), groups=("databases",))
    found = stored_fleet(store, shipped_matrix(), None, NOW, WEEK, store.save_derived)
    assert {known.name: known.groups for known in found.targets}["SRVB"] == ("databases",)
    assert found.fleet.hosts["SRVB"].groups == ("databases",)
    assert found.fleet.hosts["WEB1"].groups == ("servers",)


def test_another_matrix_derives_anew(store: Counting) -> None:
    ask(store)
    store.read.clear()
    other = msgspec.structs.replace(shipped_matrix(), digest="another")
    stored_fleet(store, other, None, NOW, WEEK, store.save_derived)
    assert len(store.read) == 3


def test_evidence_that_grows_old_does_not_count_any_more(store: Counting) -> None:
    save(store, result("WEB1", hours=100))
    assert ask(store).stale == ()
    later = NOW + timedelta(days=4)
    assert ask(store, now=later).stale == ("WEB1",)
    found = stored_fleet(store, shipped_matrix(), None, later, WEEK, store.save_derived)
    assert not found.fleet.hosts["WEB1"].collected
    assert found.fleet.collected == ("SRVA", "SRVB")


def test_rules_that_look_at_the_day_look_at_that_of_the_question(store: Counting) -> None:
    """Evidence of the last day of support, asked on it and on the day after."""
    last = "2024-12-31T20:00:00Z"
    snapshot = result("SRVB").snapshot
    assert snapshot is not None
    old = msgspec.structs.replace(snapshot, collected_at=last)
    save(store, HostResult(host="SRVB", status="ok", snapshot=old))
    wanted = Wanted(hosts=("SRVB",), changes={"install": ("symantec-endpoint-protection@14.2,role=managed_client",)})
    for hour, expected in ((1, False), (8, True)):
        now = datetime.fromisoformat(last) + timedelta(hours=hour)
        told = precheck(stored_fleet(store, shipped_matrix(), None, now, WEEK, store.save_derived), wanted, now)
        assert ("product-out-of-support" in [delta.finding.rule for delta in told.hosts[0].added]) is expected, now


def test_what_is_kept_and_damaged_is_derived_again(where: Path) -> None:
    with open_store(where) as store:
        first = ask(store)
    with sqlite3.connect(where) as plain:
        assert plain.execute("update derived set data = zeroblob(length(data)) where host is null").rowcount == 1
        assert plain.execute("update derived set digest = '0' where host = 'SRVA'").rowcount == 1
    plain.close()
    with open_store(where) as store:
        counting = Counting.around(store)
        assert ask(counting) == first
        assert len(counting.read) == 2


def test_a_host_without_kept_facts_is_made_from_its_snapshot(where: Path) -> None:
    with open_store(where) as store:
        first = ask(store)
    with sqlite3.connect(where) as plain:
        plain.execute("delete from derived where host is not null")
    plain.close()
    with open_store(where) as store:
        assert ask(store) == first


def test_a_snapshot_that_is_lost_after_keeping_is_said(where: Path) -> None:
    with open_store(where) as store:
        ask(store)
    with sqlite3.connect(where) as plain:
        facts = "select facts from snapshot where host = 'SRVB'"
        plain.execute(f"update blob set data = zeroblob(10) where number in ({facts})")
    plain.close()
    with open_store(where) as store, pytest.raises(StoreError, match="SRVB can't be read any more: unreadable in the store"):
        ask(store)


def test_a_snapshot_that_says_nothing_is_told_as_nothing_known(store: Counting) -> None:
    denied = result("SRVA", hours=1).snapshot
    assert denied is not None
    sections = {name: msgspec.structs.replace(getattr(denied.sections, name), status="denied", records=()) for name in _names(denied)}
    blind = msgspec.structs.replace(denied, sections=type(denied.sections)(**sections))
    save(store, msgspec.structs.replace(result("SRVA", hours=1), snapshot=blind))
    for _ in range(2):
        found = stored_fleet(store, shipped_matrix(), None, NOW, WEEK, store.save_derived)
        assert found.absent == {"SRVA": "no section of it was seen"}
        assert not found.fleet.hosts["SRVA"].collected


def _names(snapshot: Any) -> tuple[str, ...]:
    names: tuple[str, ...] = snapshot.sections.__struct_fields__
    return names


def test_a_store_that_can_not_be_written_is_answered_from(where: Path) -> None:
    def refuse(rows: Sequence[Derived]) -> None:
        raise StoreError("it is read-only")

    with open_store(where, write=False) as store:
        refused = precheck(stored_fleet(store, shipped_matrix(), None, NOW, WEEK, refuse), ASK, NOW)
        saved = precheck(stored_fleet(store, shipped_matrix(), None, NOW, WEEK, save_into(where)), ASK, NOW)
        assert refused == saved
        counting = Counting.around(store)
        assert ask(counting, kept=False) == saved
        assert len(counting.read) == 1


def test_an_audit_leaves_all_that_the_next_pre_check_needs(store: Counting) -> None:
    expected = ask(store, kept=False)
    hosts = [(host.target, host.result) for host in store.latest_results()]
    fleets: list[Any] = []
    check(hosts, shipped_matrix(), run_of("r", "2026-11-26T02:00:00Z", shipped_matrix()), made=fleets.append)
    keep_fleet(store, shipped_matrix(), fleets[0], [host for host, _ in hosts], NOW)
    store.read.clear()
    assert ask(store) == expected
    assert len(store.read) == 1


def test_pruning_drops_what_was_derived_and_old_fleets_make_room(where: Path) -> None:
    with open_store(where) as store:
        for number in range(7):
            stored_fleet(store, msgspec.structs.replace(shipped_matrix(), digest=str(number)), None, NOW, WEEK, store.save_derived)
        assert _counts(where) == {"hosts": 3, "fleets": 4}
        store.prune("2026-01-01", keep=1)
    assert _counts(where) == {"hosts": 0, "fleets": 0}


def _counts(where: Path) -> dict[str, int]:
    plain = sqlite3.connect(where)
    try:
        hosts, fleets = plain.execute("select count(host), count(*) - count(host) from derived").fetchone()
    finally:
        plain.close()
    return {"hosts": hosts, "fleets": fleets}
