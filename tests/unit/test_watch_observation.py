"""Observation cases by simulated time: what counts as seen, as come back, as doubtful; and what no clock can do to a case."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.observing.observation import Look, needed_events, observe, settled, time_is_up, waits_for
from auditor.analysis.observing.restarts import reported_buckets, restarts, seconds_down, stop_code
from auditor.model.case import Case, CaseCondition, CaseTrigger, EventPattern
from auditor.model.crash import Bugcheck, Crash, CrashSource
from auditor.model.host import Clock, DumpRecord, EventReading, Gap, LogCoverage, Question, Section, Sections, Snapshot, Status

START = datetime(2026, 11, 26, 1, 0, tzinfo=UTC)
UPDATE = EventPattern(log="Application", source="An AntiVirus", id=16)


def at(days: float) -> str:
    return (START + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def event(days: float, source: str, number: int, *strings: str, log: str = "System") -> EventReading:
    return EventReading(log=log, source=source, id=number, time=at(days), record=int(days * 1000), strings=strings)


def crash(days: float, code: str = "0x0000008e") -> list[EventReading]:
    return [event(days, "EventLog", 6008), event(days + 0.001, "Save Dump", 1001, f"{code} (0xc0000005, 0xf535e785, 0x0, 0x0)")]


def look(days: float, *events: EventReading, oldest: float = -100, skew_days: float = 0.0, status: Status = "ok", **more: Any) -> Look:
    """A host that was collected so many days after the remedy; its log reaches back to `oldest`, 30 days are asked for."""
    logs = tuple(LogCoverage(log=log, oldest=at(oldest), asked_from=at(days + skew_days - 30)) for log in ("System", "Application"))
    section: Section[Any, EventReading] = Section(status=status, reason="", readings=events, gaps=more.pop("gaps", ()))
    dumps: Section[DumpRecord, Any] = Section(status="ok", records=more.pop("dumps", ()))
    snapshot = Snapshot(
        host="SRVA",
        collected_at=at(days),
        collector="auditor",
        transport="powershell over http/ntlm",
        clock=Clock(skew_seconds=skew_days * 86_400),
        log_coverage=more.pop("logs", logs),
        sections=Sections(events=section, dumps=dumps),
        **more,
    )
    return Look(snapshot)


def case(**more: Any) -> Case:
    conditions = (CaseCondition(kind="bugcheck", code="0x8e"),)
    given: dict[str, Any] = {"id": "c1", "title": "it", "opened_at": at(0), "since": at(0), "hosts": ("SRVA",), "days": 7}
    return Case(**{**given, "conditions": conditions, **more})


def step(one: Case, days: float, found: Look, host: str = "SRVA", **more: Any) -> Case:
    now = START + timedelta(days=days)
    return settled(observe(one, {host: found}, now, **more), now)


def test_it_closes_when_it_stayed_away_for_days_that_were_seen() -> None:
    one = case()
    for day in range(1, 7):
        one = step(one, day, look(day))
        assert one.state == "observing"
    one = step(one, 7, look(7))
    assert (one.state, one.outcome, one.closed_at) == ("closed", "clean", at(7))
    assert one.watched[0].seconds == 7 * 86_400


def test_it_escalates_when_it_comes_back() -> None:
    one = step(case(), 1, look(1))
    one = step(one, 2, look(2, *crash(1.5)))
    assert (one.state, one.outcome) == ("escalated", "recurred")
    assert [(s.host, s.at, s.what) for s in one.sightings] == [("SRVA", at(1.5), "stop code 0x8e")]
    assert step(one, 3, look(3)) == one, "an ended case stays as it is"


def test_what_happened_before_the_remedy_does_not_count() -> None:
    assert step(case(), 7, look(7, *crash(-0.5))).state == "closed"


def test_another_stop_code_is_told_and_does_not_count() -> None:
    one = step(case(), 7, look(7, *crash(3, "0x000000d1")))
    assert one.outcome == "clean"
    assert [other.what for other in one.others] == ["stop code 0xd1"]


@pytest.mark.parametrize(
    "signs",
    [
        [event(3, "EventLog", 6008)],
        [event(3, "Microsoft-Windows-Kernel-Power", 41, "0", "0x0")],
        [event(3, "EventLog", 6008), event(3, "Save Dump", 1001, "unreadable")],
    ],
)
def test_a_restart_without_a_stop_code_is_a_doubt_and_keeps_the_case_open(signs: list[EventReading]) -> None:
    one = step(case(), 7, look(7, *signs))
    assert one.state == "observing"
    assert len(one.doubts) == 1
    assert "not known" in waits_for(one)[0]
    later = step(one, 8, look(8, *signs, event(3.001, "System Error", 1003, "1000008e", "c0000005")))
    assert later.state == "escalated", "the code came later"
    assert step(one, 8, look(8, *signs, event(3.001, "System Error", 1003, "100000d1"))).outcome == "clean"


def test_a_new_dump_without_an_event_is_a_doubt() -> None:
    dump = DumpRecord(kind="minidump", path="C:\\WINDOWS\\Minidump\\Mini112926-01.dmp", modified_at=at(3))
    one = step(case(), 7, look(7, dumps=(dump,)))
    assert [doubt.what for doubt in one.doubts] == [f"a dump was written: {dump.path}"]
    old = msgspec.structs.replace(dump, modified_at=at(-1))
    assert step(case(), 7, look(7, dumps=(old,))).outcome == "clean"


def test_time_in_which_the_host_answered_nothing_does_not_count() -> None:
    one = step(case(), 1, look(1))
    for day in range(2, 10):
        one = step(one, day, Look(None, "no answer"))
    assert one.state == "observing"
    assert time_is_up(one, START + timedelta(days=9))
    assert "SRVA was not seen: no answer" in waits_for(one)
    gone = step(one, 10, Look(None, ""), host="OTHER")
    assert "not among the hosts" in waits_for(gone)[0]


def test_time_that_the_log_still_shows_counts_when_the_host_is_back() -> None:
    one = step(case(), 1, look(1))
    one = step(one, 6, Look(None, "no answer"))
    assert step(one, 7, look(7)).outcome == "clean"
    assert step(one, 7, look(7, *crash(4))).outcome == "recurred"


def test_time_that_the_log_no_longer_shows_is_kept_as_unseen() -> None:
    one = step(case(), 1, look(1))
    one = step(one, 7, look(7, oldest=5))
    assert one.state == "observing"
    assert [(span.start, span.end) for span in one.watched[0].unseen] == [(at(1), at(5))]
    assert one.watched[0].seconds == 3 * 86_400
    assert step(one, 11, look(11, oldest=5)).outcome == "clean"


def test_a_log_that_was_cleared_right_before_the_look_shows_nothing() -> None:
    one = case()
    for day in range(1, 20):
        one = step(one, day, look(day, oldest=day - 0.001))
    assert one.state == "observing"
    assert one.watched[0].seconds < 3600


def test_what_was_not_kept_for_its_number_was_not_seen() -> None:
    gap = Gap(record="", field="", reason="System: only the newest 2000 records that are wanted were kept")
    one = step(case(), 7, look(7, event(5, "disk", 153), status="partial", gaps=(gap,)))
    assert one.watched[0].seconds == 2 * 86_400
    other = Gap(record="", field="", reason="Application: only the newest 2000 records that are wanted were kept")
    assert step(case(), 7, look(7, status="partial", gaps=(other,))).outcome == "clean", "that log does not matter here"
    assert "not all was read" in waits_for(step(case(), 7, look(7, status="partial", gaps=(gap,))))[0]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (look(7, status="denied"), "denied"),
        (look(7, logs=()), "was not read"),
        (look(7, logs=(LogCoverage(log="System"),)), "how far back"),
        (look(7, asked=Question(events=("System/EventLog=6005",))), "was not asked for"),
    ],
)
def test_a_host_whose_log_is_not_shown_is_blind(found: Look, why: str) -> None:
    one = step(case(), 7, found)
    assert one.state == "observing"
    assert why in one.watched[0].blind


def test_time_in_which_a_host_was_shut_down_does_not_count() -> None:
    down = [event(2, "EventLog", 6006), event(5, "EventLog", 6005)]
    one = step(case(), 7, look(7, *down))
    assert one.watched[0].seconds == 4 * 86_400
    assert seconds_down(down, 0, 1e10) == 3 * 86_400


def test_a_trigger_has_to_come_so_often_on_each_host() -> None:
    one = case(trigger=CaseTrigger(event=UPDATE, times=3))
    updates = [event(day, "An AntiVirus", 16, "Download succeeded.", log="application") for day in (-2, 1, 3)]
    one = step(one, 8, look(8, *updates))
    assert one.state == "observing"
    assert "came 2 of 3 times" in waits_for(one)[0]
    assert step(one, 9, look(9, event(8.5, "an antivirus", 16, log="Application"))).outcome == "clean"


def test_a_trigger_may_be_logged_elsewhere() -> None:
    one = case(trigger=CaseTrigger(event=UPDATE, times=1, hosts=("SRVB",)))
    assert needed_events(one)[-1] == ("Application", "An AntiVirus", 16)
    now = START + timedelta(days=8)
    other = look(8, event(4, "An AntiVirus", 16, log="Application"))
    one = settled(observe(one, {"SRVA": look(8), "SRVB": other}, now), now)
    assert one.outcome == "clean"
    assert {watch.host: len(watch.triggers) for watch in one.watched} == {"SRVA": 0, "SRVB": 1}


def test_any_event_can_be_observed() -> None:
    wanted = CaseCondition(kind="event", event=EventPattern(log="System", source="Srv", id=2019, text="NONPAGED"))
    one = case(conditions=(wanted,))
    assert step(one, 7, look(7, event(3, "srv", 2019, "the server could not allocate nonpaged pool"))).outcome == "recurred"
    assert step(one, 7, look(7, event(3, "Srv", 2019, "something else"), event(4, "EventLog", 6008))).outcome == "clean"


def _report(days: float, bucket: str) -> EventReading:
    return event(days, "Windows Error Reporting", 1001, bucket, "0", "BlueScreen", "Not available", log="Application")


def test_a_bucket_is_known_from_error_reporting_or_from_a_read_dump() -> None:
    one = case(conditions=(CaseCondition(kind="bucket", bucket="NULL_DEREFERENCE_RapDrv+9785"),))
    assert step(one, 7, look(7, *crash(3), _report(3.2, "null_dereference_RAPDRV+9785"))).outcome == "recurred"
    assert step(one, 7, look(7, *crash(3), _report(3.2, "0xD1_other"))).outcome == "clean"
    unknown = step(one, 7, look(7, *crash(3)))
    assert unknown.state == "observing", "nobody knows that crash's bucket"
    read = Crash(source=CrashSource(file="m.dmp", kind="analyze_text"), crash_time=at(3), bucket="NULL_DEREFERENCE_RapDrv+9785")
    assert step(unknown, 8, look(8, *crash(3)), crashes={"SRVA": [read]}).outcome == "recurred"


def test_a_read_dump_tells_the_stop_code() -> None:
    read = Crash(
        source=CrashSource(file="m.dmp", kind="triage_dump"), crash_time=at(3), bugcheck=Bugcheck(code="0x1000008e", base_code="0x8e")
    )
    assert step(case(), 7, look(7), crashes={"SRVA": [read]}).outcome == "recurred"


def _dumped(days: float, code: str) -> Crash:
    return Crash(source=CrashSource(file="m.dmp", kind="triage_dump"), crash_time=at(days), bugcheck=Bugcheck(code=code, base_code=code))


def test_a_read_dump_settles_the_doubt_about_a_restart_without_a_stop_code() -> None:
    found = look(7, event(3, "EventLog", 6008))
    assert step(case(), 7, found).doubts
    assert step(case(), 7, found, crashes={"SRVA": [_dumped(2.99, "0x8e")]}).outcome == "recurred"
    other = step(case(), 7, found, crashes={"SRVA": [_dumped(2.99, "0xd1")]})
    assert (other.outcome, [o.what for o in other.others]) == ("clean", ["stop code 0xd1"])


def test_a_read_dump_settles_the_doubt_about_a_dump_without_an_event() -> None:
    written = DumpRecord(kind="minidump", path="C:\\WINDOWS\\Minidump\\Mini112926-01.dmp", modified_at=at(3))
    assert step(case(), 7, look(7, dumps=(written,)), crashes={"SRVA": [_dumped(2.99, "0xd1")]}).outcome == "clean"


def test_a_crash_is_counted_once_and_one_from_the_future_or_before_the_remedy_not_at_all() -> None:
    found = step(case(), 7, look(7, *crash(3)), crashes={"SRVA": [_dumped(2.99, "0x8e")]})
    assert len(found.sightings) == 1
    for days in (400, -1):
        assert step(case(), 7, look(7), crashes={"SRVA": [_dumped(days, "0x8e")]}).outcome == "clean"


def test_a_clock_of_the_collector_that_jumps_closes_nothing() -> None:
    """It shows ten days later than it is; the host's clock does not go along."""
    one = step(case(), 1, look(1))
    one = step(one, 11.1, look(11.1, skew_days=-10))
    assert one.watched[0].seconds == pytest.approx(1.1 * 86_400, abs=2)
    one = step(one, 1.2, look(1.2))
    assert one.watched[0].seconds < 1.3 * 86_400
    assert step(one, 7.5, look(7.5)).outcome == "clean"


def test_a_clock_of_a_host_that_jumps_closes_nothing() -> None:
    one = step(case(), 1, look(1))
    one = step(one, 1.1, look(1.1, skew_days=300, oldest=-100))
    assert one.watched[0].seconds <= 1.2 * 86_400
    for day in range(2, 9):
        one = step(one, day, look(day))
    assert one.outcome == "clean", "it goes on when the clock is right again"


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(-400, 400), st.floats(-400, 400)), max_size=30))
def test_whatever_clocks_do_no_more_counts_than_both_agree_on(looks: list[tuple[float, float, float]]) -> None:
    """`looks`: real days since the last look, error of the collector's clock, error of the host's clock."""
    one, real = case(days=1e6), 0.0
    for passed, ours, theirs in looks:
        real += passed
        one = step(one, real + ours, look(real + ours, skew_days=theirs - ours, oldest=-2000))
    one_is_right = all(theirs == 0 for _, _, theirs in looks) or all(ours == 0 for _, ours, _ in looks)
    if one_is_right and one.watched:
        assert one.watched[0].seconds <= real * 86_400 + 2 * len(looks)


@pytest.mark.parametrize(
    ("source", "number", "text", "code"),
    [
        ("Save Dump", 1001, "0x0000008e (0xc0000005, 0xf535e785, 0xf4c0bb54, 0x00000000)", "0x8e"),
        ("BugCheck", 1001, "0x1000008e (0xc0000005)", "0x8e"),
        ("Microsoft-Windows-WER-SystemErrorReporting", 1001, "0x0000009f (0x0000000000000003, 0x0)", "0x9f"),
        ("System Error", 1003, "1000008e", "0x8e"),
        ("Microsoft-Windows-Kernel-Power", 41, "142", "0x8e"),
        ("Microsoft-Windows-Kernel-Power", 41, "0", None),
        ("Microsoft-Windows-Kernel-Power", 41, "٣", None),
        ("Save Dump", 1001, "no code", None),
        ("BugCheck", 1005, "0x8e", None),
    ],
)
def test_the_stop_code_of_a_record(source: str, number: int, text: str, code: str | None) -> None:
    assert stop_code(event(1, source, number, text)) == code


def test_records_of_one_start_are_one_restart() -> None:
    told = restarts([*crash(1), event(1.002, "System Error", 1003, "1000008e"), *crash(2, "0x000000d1"), event(3, "EventLog", 6005)])
    assert [(restart.at, restart.codes) for restart in told] == [(at(1), ("0x8e",)), (at(2), ("0xd1",))]
    assert reported_buckets([_report(1, "b"), event(1, "Windows Error Reporting", 1001, "x", "0", "APPCRASH", log="Application")]) == (
        (at(1), "b"),
    )
