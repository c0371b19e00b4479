"""When tasks were due: the full hour, repetitions, days, offsets, what waits for an event."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.investigate.schedule import due_between
from auditor.model.task import ScheduledTask

AT = datetime(2005, 11, 8, 19, 3, 12)
"""A Tuesday."""


def task(**trigger: Any) -> ScheduledTask:
    body = {"type": "CalendarTrigger", "schedule": "ScheduleByDay", "start": "2005-09-20T19:00:00", **trigger}
    return msgspec.convert({"path": "\\t", "enabled": True, "source_format": "xml", "triggers": [body]}, ScheduledTask)


def due(found: ScheduledTask, before: int = 60, offset: int | None = 480) -> list[str]:
    return [d.at.strftime("%d %H:%M") + ("" if d.certain else "?") for d in due_between(found, AT - timedelta(minutes=before), AT, offset)]


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ({}, ["08 19:00"]),
        ({"start": "2005-09-20T19:10:00"}, []),
        ({"start": "2005-11-09T19:00:00"}, []),
        ({"days_interval": 2, "start": "2005-11-07T19:00:00"}, []),
        ({"days_interval": 2, "start": "2005-11-06T19:00:00"}, ["08 19:00"]),
        ({"start": "2005-09-20T07:00:00", "repetition": {"interval": "PT1H", "duration": "PT14H"}}, ["08 19:00"]),
        ({"start": "2005-09-20T07:00:00", "repetition": {"interval": "PT1H", "duration": "PT4H"}}, []),
        ({"schedule": "ScheduleByWeek", "days_of_week": ["Tuesday"]}, ["08 19:00"]),
        ({"schedule": "ScheduleByWeek", "days_of_week": ["Sunday"]}, []),
        ({"schedule": "ScheduleByWeek"}, ["08 19:00?"]),
        ({"schedule": "ScheduleByMonth", "days_of_month": ["8"]}, ["08 19:00"]),
        ({"schedule": "ScheduleByMonthDayOfWeek"}, ["08 19:00?"]),
        ({"type": "TimeTrigger", "schedule": None, "start": "2005-11-08T19:00:00"}, ["08 19:00"]),
        ({"type": "TimeTrigger", "schedule": None, "start": "2005-11-07T19:00:00"}, []),
        ({"type": "BootTrigger"}, []),
        ({"enabled": False}, []),
        ({"start": "2005-09-20T11:00:00Z"}, ["08 19:00"]),
        ({"start": None, "start_time": "19:00:00"}, ["08 19:00"]),
        ({"start": None}, []),
    ],
)
def test_starts_before_the_moment(trigger: dict[str, Any], expected: list[str]) -> None:
    assert due(task(**trigger)) == expected


def test_a_start_in_utc_needs_the_hosts_offset_and_a_disabled_task_has_none() -> None:
    assert due(task(start="2005-09-20T11:00:00Z"), offset=None) == []
    assert due(msgspec.structs.replace(task(), enabled=False)) == []


def test_a_repetition_that_crosses_midnight_is_found_the_day_after() -> None:
    found = task(start="2005-09-20T22:00:00", repetition={"interval": "PT30M", "duration": "PT10H"})
    after = datetime(2005, 11, 8, 1, 3)
    starts = [d.at for d in due_between(found, after - timedelta(minutes=20), after, 480)]
    assert starts == [datetime(2005, 11, 8, 1, 0)]


@given(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from([None, "CalendarTrigger", "TimeTrigger", "X"]),
            "schedule": st.sampled_from([None, "ScheduleByDay", "ScheduleByWeek", "ScheduleByMonth"]),
            "start": st.sampled_from(
                [None, "", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2005-99-99T99:99", "2005-11-08T19:00"]
            ),
            "days_interval": st.one_of(st.none(), st.integers(0, 10**9)),
            "days_of_month": st.one_of(st.none(), st.lists(st.text(max_size=4), max_size=3)),
            "repetition": st.sampled_from([None, {"interval": "PT0S"}, {"interval": "PT1M"}, {"interval": "P9999D", "duration": "PT1S"}]),
        }
    )
)
def test_no_trigger_raises_and_every_start_lies_in_the_window(trigger: dict[str, Any]) -> None:
    for found in due_between(task(**trigger), AT - timedelta(minutes=70), AT, 480):
        assert AT - timedelta(minutes=70) <= found.at <= AT
