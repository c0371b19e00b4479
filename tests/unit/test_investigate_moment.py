"""When it happened: printed and binary times, zones, summer time, skew, and what can't be told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.investigate.moment import find_moment, restarts, told_time
from auditor.analysis.investigate.zone import parse_utc, to_local, to_utc
from tests.unit.small_case import CHINA, crashed, facts_with_clock

# Last Sunday of March 02:00 and of October 03:00, as Windows keeps them.
EUROPE = {
    "bias_minutes": -60,
    "daylight_bias_minutes": -60,
    "daylight_start": "00000300050002000000000000000000",
    "standard_start": "00000a00050003000000000000000000",
}


def test_an_exported_rule_changes_the_clock_on_the_last_sundays() -> None:
    host = facts_with_clock(system=[EUROPE])
    for change, before, after in (
        (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, 59, 59), datetime(2026, 3, 29, 3)),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 10, 25, 2, 59, 59), datetime(2026, 10, 25, 2)),
    ):
        assert to_local(host, change - timedelta(seconds=1)) == before
        assert to_local(host, change) == after


def shutdown(clock: str, date: str, *more: str, time: str = "2005-11-08T11:06:31Z") -> dict[str, Any]:
    return {"log": "System", "source": "EventLog", "id": 6008, "time": time, "record": 7, "strings": [clock, date, *more]}


@pytest.mark.parametrize(
    ("clock", "date"),
    [
        ("19:03:12", "2005-11-8"),
        ("7:03:12 PM", "11/8/2005"),
        ("19:03:12", "08.11.2005"),
        ("下午 7:03:12", "2005/11/8"),
        ("19.03.12", "8-11-05"),
    ],
)
def test_a_printed_time_is_read_in_any_order_of_its_parts(clock: str, date: str) -> None:
    host = facts_with_clock(system=[CHINA], events=[shutdown(clock, date)])
    moment = find_moment(host)
    assert moment is not None
    assert (moment.time, moment.local, moment.source) == ("2005-11-08T11:03:12Z", "2005-11-08T19:03:12", "event_text")


def test_of_two_readings_of_a_date_the_closest_before_the_record_counts_and_says_so() -> None:
    host = facts_with_clock(system=[CHINA], events=[shutdown("19:03:12", "11/12/2005", time="2005-12-11T11:06:31Z")])
    moment = find_moment(host)
    assert moment is not None
    assert moment.time == "2005-12-11T11:03:12Z"


def test_the_binary_time_needs_no_words() -> None:
    data = "d5070b000200080013000300" + "0c000000"
    host = facts_with_clock(system=[CHINA], events=[shutdown("?", "?", "", data)])
    assert find_moment(host).time == "2005-11-08T11:03:12Z"  # type: ignore[union-attr]


def test_without_a_zone_the_records_own_time_is_left() -> None:
    host = facts_with_clock(events=[shutdown("19:03:12", "2005-11-08")])
    moment = find_moment(host)
    assert moment is not None
    assert (moment.source, moment.local) == ("event_time", None)
    assert any("time zone is not known" in note for note in moment.notes)


def test_skew_is_taken_out_where_it_is_more_than_the_answers_way() -> None:
    events = [shutdown("19:03:12", "2005-11-08")]
    late = find_moment(facts_with_clock(skew=-120.0, system=[CHINA], events=events))
    near = find_moment(facts_with_clock(skew=2.0, system=[CHINA], events=events))
    assert late is not None
    assert near is not None
    assert (late.time, late.local) == ("2005-11-08T11:05:12Z", "2005-11-08T19:03:12")
    assert near.time == "2005-11-08T11:03:12Z"
    assert any("behind" in note for note in late.notes)


def test_the_dumps_time_comes_first_unless_it_is_of_another_crash() -> None:
    host = facts_with_clock(system=[CHINA], events=[shutdown("19:03:12", "2005-11-08")])
    assert find_moment(host, crash=crashed(crash_time="2005-11-08T11:03:10Z")).source == "dump"  # type: ignore[union-attr]
    assert find_moment(host, crash=crashed(crash_time="2004-01-01T00:00:00Z")).source == "event_text"  # type: ignore[union-attr]


def test_records_of_one_restart_stay_together() -> None:
    others = [
        {"log": "System", "source": "Save Dump", "id": 1001, "time": f"2005-{month}-08T11:06:36Z", "strings": []} for month in ("11", "10")
    ]
    host = facts_with_clock(events=[shutdown("", ""), *others])
    assert [len(group) for group in restarts(host)] == [2, 1]
    assert find_moment(facts_with_clock(events=[])) is None


@pytest.mark.parametrize(
    ("local", "expected"),
    [("2026-07-01T12:00:00", "10"), ("2026-12-01T12:00:00", "11"), ("2026-03-29T01:59:00", "00"), ("2026-03-29T03:00:00", "01")],
)
def test_a_local_time_is_converted_with_the_rules_of_its_own_date(local: str, expected: str) -> None:
    host = facts_with_clock(system=[EUROPE])
    found = to_utc(host, datetime.fromisoformat(local))
    assert found is not None
    assert found.strftime("%H") == expected


@given(st.datetimes(min_value=datetime(1985, 1, 2), max_value=datetime(2099, 12, 30)))
def test_there_and_back_is_the_same_outside_the_hour_that_comes_twice(moment: datetime) -> None:
    host = facts_with_clock(system=[EUROPE])
    aware = moment.replace(tzinfo=UTC, microsecond=0)
    local = to_local(host, aware)
    assert local is not None
    back = to_utc(host, local)
    assert back is not None
    assert abs(back - aware) in (timedelta(0), timedelta(hours=1))
    if moment.month not in (3, 10):
        assert back == aware


@given(
    st.lists(st.text(max_size=40), max_size=6),
    st.sampled_from(["2005-11-08T11:06:31Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "x"]),
)
def test_no_text_of_an_event_raises(strings: list[str], time: str) -> None:
    event = {**shutdown("", "", time=time), "strings": strings}
    host = facts_with_clock(system=[{"bias_minutes": 2**40}], offset=10**6, events=[event])
    find_moment(host)
    told_time(host, host.sections.events.readings[0])


def test_times_beyond_sense_are_none() -> None:
    assert parse_utc("0001-01-01T00:00:00Z") is None
    assert parse_utc("2005-11-08T11:06:31") is None
    assert parse_utc(None) is None
