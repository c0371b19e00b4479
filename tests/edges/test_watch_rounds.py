"""The watch over simulated days: when it audits, whatever clocks do; whom it tells what, whoever is down; what a kill leaves."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from auditor.model.errors import InventoryError, StoreError
from auditor.store import open_store
from auditor.store.holding import hold
from auditor.watch import round as rounds
from auditor.watch.journal import Journal
from auditor.watch.memory import read_pending, read_state
from auditor.watch.round import run_round
from tests.edges.postgres import Place
from tests.edges.watch_samples import START, Readers, World, run_for, stamp, watch_of

HOUR = timedelta(hours=1)


@pytest.fixture
def where(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


def _times(world: World) -> list[str]:
    return [moment.strftime("%d %H:%M") for moment in world.audits]


def test_it_audits_when_it_is_due_and_tells_only_what_is_new(place: Place) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    world.at += [
        (START + 2 * HOUR, lambda: world.findings.update({"b-rule": "SRVB"})),
        (START + 4 * HOUR, lambda: world.findings.pop("a-rule")),
    ]
    world.at += [(START + 6 * HOUR, lambda: world.findings.update({"a-rule": "SRVA"}))]
    run_for(world, watch_of(world, readers, place.where), days=0.4)
    assert _times(world) == [f"26 {hour:02}:00" for hour in range(1, 11)]
    assert readers.told() == [("new a-rule",), ("new b-rule",), ("fixed a-rule",), ("back a-rule",)]
    assert len({notice.id for _, notice in readers.got}) == 4


def test_a_first_start_waits_and_missed_times_are_made_up_for_once(where: Path) -> None:
    world, readers = World(), Readers("chat")
    run_for(world, watch_of(world, readers, where), days=0.1)
    assert _times(world) == ["26 01:00", "26 02:00"]
    world.pass_time(3 * 86_400)
    world.audits.clear()
    run_for(world, watch_of(world, readers, where), days=0.05)
    assert _times(world) == ["29 02:54", "29 03:00", "29 04:00"]
    with open_store(where) as store:
        assert read_state(store).last_due == "2026-11-29T04:00:00Z"


def test_an_audit_that_takes_longer_than_the_pause_is_followed_by_one_and_not_by_all(where: Path) -> None:
    world, readers = World(), Readers("chat")
    world.audit_seconds = 2.5 * 3600
    run_for(world, watch_of(world, readers, where), days=0.4)
    assert _times(world) == ["26 01:00", "26 03:30", "26 06:00", "26 08:30"]


def _jump(world: World, by: timedelta) -> None:
    world.error += by


@pytest.mark.parametrize("hours", [-400 * 24, -26, -2, -0.25, 0.25, 2, 26, 400 * 24])
def test_a_clock_that_is_changed_stops_no_audits_and_starts_no_storm(where: Path, hours: float) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    world.at.append((START + timedelta(hours=5.1), lambda: _jump(world, timedelta(hours=hours))))
    run_for(world, watch_of(world, readers, where), days=1)
    gaps = [(later - earlier).total_seconds() / 3600 for earlier, later in zip(world.audits, world.audits[1:], strict=False)]
    assert 22 <= len(world.audits) <= 27
    assert max(gaps) <= 2
    assert min(gaps) >= 300 / 3600
    assert readers.told() == [("new a-rule",)]


def test_a_clock_that_is_changed_while_the_watch_is_down(where: Path) -> None:
    """It was far ahead when the last audit was made, and is right again: nothing is waited for in vain."""
    world, readers = World(), Readers("chat")
    world.error = timedelta(days=3000)
    run_for(world, watch_of(world, readers, where), days=0.1)
    world.error = timedelta(0)
    world.audits.clear()
    run_for(world, watch_of(world, readers, where), days=0.1)
    assert len(world.audits) == 3


def test_a_finding_that_is_fixed_is_told_although_the_clock_was_once_ahead(where: Path) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    world.error = timedelta(days=3000)
    run_for(world, watch_of(world, readers, where), days=0.1)
    world.error, world.findings = timedelta(0), {}
    run_for(world, watch_of(world, readers, where), days=0.1)
    assert readers.told() == [("new a-rule",), ("fixed a-rule",)]


def test_a_host_that_is_lost_is_told_once(where: Path) -> None:
    world, readers = World(), Readers("chat")
    world.at += [(START + 2 * HOUR, lambda: world.unseen.add("SRVB")), (START + 5 * HOUR, world.unseen.clear)]
    run_for(world, watch_of(world, readers, where), days=0.3)
    assert readers.told() == [("unseen SRVB can't be seen",), ("seen_again SRVB is seen again",)]


def test_an_audit_that_fails_is_told_once_and_when_it_works_again(where: Path) -> None:
    world, readers = World(), Readers("chat")

    def fail(words: str) -> None:
        world.fails = InventoryError(words, next_step="Look at it.") if words else None

    world.at += [(START + 2 * HOUR, lambda: fail("no such file")), (START + 5 * HOUR, lambda: fail("no such group"))]
    world.at += [(START + 7 * HOUR, lambda: fail(""))]
    run_for(world, watch_of(world, readers, where), days=0.4)
    assert readers.told() == [("trouble An audit failed",), ("trouble An audit failed",), ("recovered Audits work again",)]
    assert [notice.items[0].text for _, notice in readers.got] == [("no such file",), ("no such group",), ("Before: no such group",)]


def test_a_notice_waits_for_a_reader_that_is_down_and_goes_to_the_others_once(where: Path) -> None:
    world, readers = World(), Readers("chat", "mail")
    world.findings = {"a-rule": "SRVA"}
    readers.down = {"mail"}
    world.at += [(START + 3 * HOUR, lambda: world.findings.clear()), (START + 5 * HOUR, readers.down.clear)]
    done = run_for(world, watch_of(world, readers, where), days=0.4)
    assert [(name, notice.items[0].kind) for name, notice in readers.got] == [
        ("chat", "new"),
        ("chat", "fixed"),
        ("mail", "new"),
        ("mail", "fixed"),
    ]
    assert readers.got[0][1] == readers.got[2][1], "the same notice, with the same id"
    assert done is not None
    assert done.pending == 0


def test_a_reader_that_is_no_more_holds_nothing_up(where: Path) -> None:
    world, readers = World(), Readers("chat", "mail")
    world.findings = {"a-rule": "SRVA"}
    readers.down = {"mail"}
    run_for(world, watch_of(world, readers, where), days=0.1)
    readers.channels.pop()
    done = run_for(world, watch_of(world, readers, where), days=0.1)
    assert done is not None
    assert done.pending == 0


def test_notices_that_nobody_takes_are_not_kept_for_ever(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("auditor.watch.telling.MOST_PENDING", 4)
    world, readers = World(), Readers("chat")
    readers.down = {"chat"}
    watch = watch_of(world, readers, where)
    for number in range(9):
        world.findings = {"a-rule": "SRVA"} if number % 2 == 0 else {}
        world.pass_time(60)
        run_round(watch, world.stop)
    with open_store(where) as store:
        kept = [pending.notice.id for pending in read_pending(store).values()]
    assert [name.rpartition("-")[2] for name in kept] == ["6", "7", "8", "9"], "the oldest are given up"


def test_a_kill_between_saving_and_sending_sends_twice_at_worst(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    watch = watch_of(world, readers, where)

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "deliver_pending", killed)
    with pytest.raises(KeyboardInterrupt):
        run_round(watch, world.stop)
    monkeypatch.undo()
    assert readers.got == []
    run_round(watch, world.stop)
    assert readers.told() == [("new a-rule",)]


def test_a_kill_between_the_audit_and_saving_what_is_new_loses_nothing(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    watch = watch_of(world, readers, where)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(rounds, "finding_news", killed)
    with pytest.raises(KeyboardInterrupt):
        run_round(watch, world.stop)
    monkeypatch.undo()
    run_round(watch, world.stop)
    assert readers.told() == [("new a-rule",)]


def test_a_round_that_is_stopped_tells_nothing_and_is_made_again(where: Path) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    world.at.append((START + timedelta(hours=0.55), world.stop.set))
    done = run_for(world, watch_of(world, readers, where), days=0.0222)
    assert done is not None
    assert done.interrupted
    assert readers.got == []
    world.audits.clear()
    run_for(world, watch_of(world, readers, where), days=0.01)
    assert len(world.audits) == 1, "the time that it stood for is made up for"
    assert readers.told() == [("new a-rule",)]


def test_a_second_watch_on_one_store_is_refused(where: Path) -> None:
    world, readers = World(), Readers("chat")
    with hold(where, "watch"), pytest.raises(StoreError, match="another process"):
        run_round(watch_of(world, readers, where), world.stop)
    assert world.audits == []


def test_a_store_that_can_not_be_used_ends_no_watch(where: Path, tmp_path: Path) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    file = tmp_path / "journal"
    watch = watch_of(world, readers, where, journal=Journal(world.now, file=file))
    held = hold(where, "watch")
    world.at += [(START + timedelta(minutes=20), lambda: held.__enter__()), (START + 2 * HOUR, lambda: held.__exit__(None, None, None))]
    run_for(world, watch, days=0.2)
    assert readers.told() == [("new a-rule",)]
    assert world.audits[0] < START + timedelta(hours=2.2), "it is tried again before the next time is due"
    tried = [json.loads(line)["time"] for line in file.read_text().splitlines() if "round_failed" in line]
    assert 5 <= len(tried) <= 10


def test_the_journal_and_the_figures_of_a_round(where: Path, tmp_path: Path) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    file, metrics = tmp_path / "journal", tmp_path / "auditor.prom"
    watch = watch_of(world, readers, where, journal=Journal(world.now, file=file), metrics=metrics)
    run_for(world, watch, days=0.05)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["round_started", "new", "notice_sent", "round_finished"]
    assert lines[1] | {"time": ""} == {
        "time": "",
        "level": "warning",
        "event": "new",
        "title": "Trouble a-rule",
        "severity": "high",
        "ref": "a-rule0000000000",
        "rule": "a-rule",
        "hosts": ["SRVA"],
    }
    assert lines[3]["findings"] == 1
    assert datetime.fromisoformat(lines[0]["time"]) == START + timedelta(minutes=30)
    text = metrics.read_text()
    assert 'auditor_findings{severity="high"} 1' in text
    assert f"auditor_watch_next_round_timestamp_seconds {int((START + timedelta(hours=1.5)).timestamp())}" in text
    assert metrics.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_journal_or_figures_that_can_not_be_written_stop_no_audit(where: Path, tmp_path: Path) -> None:
    world, readers = World(), Readers("chat")
    world.findings = {"a-rule": "SRVA"}
    nowhere = tmp_path / "no" / "such"
    watch = watch_of(world, readers, where, journal=Journal(world.now, file=nowhere / "journal"), metrics=nowhere / "auditor.prom")
    run_for(world, watch, days=0.1)
    assert readers.told() == [("new a-rule",)]


def test_a_journal_that_is_rotated_goes_on_in_a_new_file(tmp_path: Path) -> None:
    world, file = World(), tmp_path / "journal"
    journal = Journal(world.now, file=file)
    journal.write("one")
    file.rename(tmp_path / "journal.1")
    journal.write("two")
    assert [json.loads(f.read_text())["event"] for f in (tmp_path / "journal.1", file)] == ["one", "two"]
    assert stamp(START) in file.read_text().replace(".000Z", "Z")
