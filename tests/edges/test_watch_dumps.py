"""What an investigation read of a host's dump moves an observation case on; what the watch remembers moves to another store."""

from __future__ import annotations

import base64
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.model.case import Case, CaseCondition
from auditor.model.host import DumpPieceRecord, HostResult, Section, Sections, Snapshot
from auditor.store import open_store
from auditor.store.lines import Head
from auditor.watch.dumps import stored_crashes
from auditor.watch.memory import case_notes, read_cases, read_pending, read_state
from auditor.watch.round import run_round
from tests.dump_maker import Dump, Module, triage
from tests.edges.watch_samples import START, Readers, World, _event, _target, run_for, stamp, watch_of

_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)


def _case(**more: Any) -> Case:
    given: dict[str, Any] = {
        "id": "restart-of-srva",
        "title": "Server A restarts",
        "opened_at": stamp(START),
        "since": stamp(START),
        "remedy": "managed client on server B",
        "hosts": ("SRVA",),
        "conditions": (CaseCondition(kind="bugcheck", code="0x8e"),),
        "days": 3.0,
    }
    return Case(**given | more)


def _dump(code: int, at: datetime) -> bytes:
    data = bytearray(triage(Dump(mode="x86", build=3790, code=code, modules=[Module("RapDrv.sys", 0xF5355000)], process_offset=0x164)))
    struct.pack_into("<Q", data, 0xFC0, (at - _EPOCH) // timedelta(microseconds=1) * 10)
    return bytes(data)


def _investigated(where: Path, code: int, fell: datetime, asked: datetime) -> None:
    """The store as an investigation leaves it."""
    data = _dump(code, fell)
    piece = DumpPieceRecord(path="C:\\m.dmp", offset=0, size_bytes=len(data), data=base64.b64encode(data).decode("ascii"))
    sections = Sections(dumpbytes=Section(status="ok", records=(piece,)))
    snapshot = Snapshot(host="SRVA", collected_at=stamp(asked), collector="x", transport="powershell over http/ntlm", sections=sections)
    with open_store(where) as store:
        run = store.begin_run("investigate", stamp(asked), "0.1.0")
        store.save_result(run, _target("SRVA"), HostResult(host="SRVA", status="ok", snapshot=snapshot))
        store.finish_run(run)


@pytest.mark.parametrize(("code", "outcome"), [(0x1000008E, "recurred"), (0xD1, "clean")])
def test_a_dump_that_was_investigated_says_whether_it_came_back(tmp_path: Path, code: int, outcome: str) -> None:
    where, world = tmp_path / "store.db", World()
    fell = START + timedelta(days=1)
    with open_store(where) as store:
        store.save_notes(*case_notes([_case()]))
    world.at.append((fell + timedelta(minutes=4), lambda: world.events["SRVA"].append(_event("EventLog", 6008, world.real))))
    world.at.append((fell + timedelta(days=4), lambda: _investigated(where, code, fell, world.real)))
    run_for(world, watch_of(world, Readers("chat"), where), days=3.5, cron="0 */12 * * *")
    with open_store(where, write=False) as store:
        assert read_cases(store)["restart-of-srva"].state == "observing", "the restart may have been it"
    run_for(world, watch_of(world, Readers("chat"), where), days=2.5, cron="0 */12 * * *")
    with open_store(where, write=False) as store:
        assert read_cases(store)["restart-of-srva"].outcome == outcome


def test_only_dumps_of_open_cases_are_read(tmp_path: Path) -> None:
    where = tmp_path / "store.db"
    _investigated(where, 0x8E, START + timedelta(hours=1), START + timedelta(hours=2))
    with open_store(where) as store:
        assert [c.bugcheck.base_code for c in stored_crashes(store, [_case()])["SRVA"]] == ["0x8e"]
        assert stored_crashes(store, [msgspec.structs.replace(_case(), state="closed")]) == {}
        assert stored_crashes(store, [_case(hosts=("SRVB",))]) == {}
        assert stored_crashes(store, [_case(since=stamp(START + timedelta(days=1)))]) == {}
        assert stored_crashes(store, []) == {}


def test_what_the_watch_remembers_moves_into_another_store_and_is_told_there(tmp_path: Path) -> None:
    """Cases, how far it is, and notices that nobody took: what was found is marked as told, so they are all there is of it."""
    where, other, file = tmp_path / "store.db", tmp_path / "other.db", tmp_path / "store.jsonl"
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    readers.down = {"chat"}
    with open_store(where) as store:
        store.save_notes(*case_notes([_case()]))
    run_round(watch_of(world, readers, where), world.stop)
    with open_store(where, write=False) as store:
        store.export(file, Head(auditor="0.1.0", at=stamp(START), redacted=False))
        ids = [pending.notice.id for pending in read_pending(store).values()]
    with open_store(other) as store:
        store.restore(file)
        assert set(read_cases(store)) == {"restart-of-srva"}
        assert read_state(store).told
    readers.down.clear()
    world.pass_time(3600)
    run_round(watch_of(world, readers, other), world.stop)
    assert [notice.id for _, notice in readers.got] == ids
    assert readers.told() == [("new a-rule",)]
