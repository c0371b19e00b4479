"""Cron expressions: what is due, what was missed, over months, leap days and changes of the clock in summer and winter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.errors import UsageError
from auditor.watch.clockwork import what_is_due
from auditor.watch.schedule import COUNTED, Schedule, zone_of

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_the_next_and_the_last_due_time() -> None:
    daily = Schedule("0 3 * * *", UTC)
    assert daily.next_after(NOON) == _at("2026-11-27T03:00:00+00:00")
    assert daily.last_until(NOON) == _at("2026-11-26T03:00:00+00:00")
    assert daily.last_until(_at("2026-11-26T03:00:00+00:00")) == _at("2026-11-26T03:00:00+00:00")
    assert daily.last_until(_at("2026-11-26T02:59:59+00:00")) == _at("2026-11-25T03:00:00+00:00")
    assert Schedule("0 3 * * *", ZoneInfo("Asia/Shanghai")).next_after(NOON) == _at("2026-11-26T19:00:00+00:00")
    assert Schedule("0 0 29 2 *", UTC).last_until(NOON) == _at("2024-02-29T00:00:00+00:00")


def test_a_missed_time_is_made_up_for_by_the_newest() -> None:
    daily = Schedule("0 3 * * *", UTC)
    due = what_is_due(daily, NOON - timedelta(days=4), NOON)
    assert due is not None
    assert (due.at, due.missed) == (_at("2026-11-26T03:00:00+00:00"), 3)
    assert what_is_due(daily, due.at, NOON) is None
    assert what_is_due(daily, NOON, NOON + timedelta(hours=14)) is None


def test_years_of_missed_minutes_cost_nothing() -> None:
    due = what_is_due(Schedule("* * * * *", UTC), NOON - timedelta(days=3000), NOON)
    assert due is not None
    assert due.at == NOON
    assert due.missed == COUNTED - 1


@pytest.mark.parametrize(
    ("expression", "count"),
    [("30 2 * * *", 365), ("0 * * * *", 365 * 24), ("*/30 * * * *", 365 * 48)],
)
def test_a_year_with_its_changes_of_the_clock(expression: str, count: int) -> None:
    """An hour that is left out or comes twice neither loses nor doubles a daily job; an hourly one runs each hour that passes."""
    schedule = Schedule(expression, BERLIN)
    moment, seen, end = _at("2026-01-01T00:00:00+01:00"), 0, _at("2027-01-01T00:00:00+01:00")
    while (moment := schedule.next_after(moment)) < end:
        seen += 1
    assert abs(seen - count) <= 1


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), st.sampled_from(["0 3 * * *", "*/7 * * * *", "15 2,14 * * 1-5", "0 0 1 * *"])
)
def test_last_and_next_hold_a_moment_between_them(moment: datetime, expression: str) -> None:
    schedule, aware = Schedule(expression, BERLIN), moment.replace(tzinfo=UTC)
    before, after = schedule.last_until(aware), schedule.next_after(aware)
    assert before <= aware < after
    assert schedule.due_between(before, aware) == 0
    assert before.second == after.second == 0


@pytest.mark.parametrize("expression", ["", "@daily", "61 * * * *", "* * * *", "* * * * * *", "0 0 30 2 *", "a b c d e"])
def test_what_is_no_schedule_is_refused_with_an_example(expression: str) -> None:
    with pytest.raises(UsageError) as caught:
        Schedule(expression, UTC)
    assert "0 3 * * *" in caught.value.next_step


def test_zones_by_name_or_of_the_machine() -> None:
    assert zone_of("Asia/Shanghai", {}) == ZoneInfo("Asia/Shanghai")
    assert zone_of(None, {"TZ": ":Europe/Berlin"}) == BERLIN
    assert zone_of(None, {"TZ": "../../etc/passwd"}) == UTC
    assert zone_of(None, {}) is not None
    with pytest.raises(UsageError, match="no time zone"):
        zone_of("Mars/Olympus", {})
