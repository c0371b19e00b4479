"""Time on a lab host: its own rules against the world's, the notation of fleet files, Windows' pictures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.lab.clock import Dial, Zone, picture, resolve
from auditor.model.times import stamp

NOW = datetime(2026, 11, 26, 1, 30, 5, 999, tzinfo=UTC)
CHINA = Zone(bias=-480)
BERLIN = Zone(
    bias=-60,
    daylight_bias=-60,
    standard_start=bytes.fromhex("00000a00050003000000000000000000"),
    daylight_start=bytes.fromhex("00000300050002000000000000000000"),
)
PACIFIC = Zone(
    bias=480,
    daylight_bias=-60,
    standard_start=bytes.fromhex("00000b00010002000000000000000000"),
    daylight_start=bytes.fromhex("00000300020002000000000000000000"),
)
SYDNEY = Zone(
    bias=-600,
    daylight_bias=-60,
    standard_start=bytes.fromhex("00000400010003000000000000000000"),
    daylight_start=bytes.fromhex("00000a00010002000000000000000000"),
)
REAL_DAYLIGHT = bytes.fromhex("00,00,03,00,05,00,02,00,00,00,00,00,00,00,00,00".replace(",", ""))
REAL_STANDARD = bytes.fromhex("00,00,0a,00,05,00,03,00,00,00,00,00,00,00,00,00".replace(",", ""))
"""As regedit exports them on a host in W. Europe."""
HOURS = st.integers(0, 24 * 365 * 15).map(lambda hours: datetime(2010, 1, 1, 0, 30, tzinfo=UTC) + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("zone", "name"), [(CHINA, "Asia/Shanghai"), (BERLIN, "Europe/Berlin"), (PACIFIC, "America/Los_Angeles"), (SYDNEY, "Australia/Sydney")]
)
def test_registry_rules_give_the_worlds_local_times(zone: Zone, name: str) -> None:
    try:
        world = ZoneInfo(name)
    except ZoneInfoNotFoundError:
        pytest.skip("this machine has no time-zone data")

    @given(HOURS)
    def check(moment: datetime) -> None:
        assert zone.to_local(moment) == moment.astimezone(world).replace(tzinfo=None)

    check()


def test_an_exported_rule_changes_the_clock_on_the_last_sundays() -> None:
    zone = Zone(bias=-60, daylight_bias=-60, standard_start=REAL_STANDARD, daylight_start=REAL_DAYLIGHT)
    for change, before, after in (
        (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 1, 59, 59), datetime(2026, 3, 29, 3)),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2026, 10, 25, 2, 59, 59), datetime(2026, 10, 25, 2)),
    ):
        assert zone.to_local(change - timedelta(seconds=1)) == before
        assert zone.to_local(change) == after


@given(HOURS)
def test_local_times_lead_back_but_for_the_hour_that_comes_twice(moment: datetime) -> None:
    for zone in (CHINA, BERLIN, PACIFIC, SYDNEY):
        assert abs(zone.to_utc(zone.to_local(moment)) - moment) in (timedelta(0), timedelta(hours=1))
    assert CHINA.to_utc(CHINA.to_local(moment)) == moment


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2005-11-08T11:03:12Z", "2005-11-08T11:03:12Z"),
        ("2005-11-08 19:03:12", "2005-11-08T11:03:12Z"),
        ("2005-11-08", "2005-11-07T16:00:00Z"),
        ("-1d 19:03", "2026-11-25T11:03:00Z"),
        ("-1d 9:03:07", "2026-11-25T01:03:07Z"),
        ("-90m", "2026-11-26T00:00:05Z"),
        ("-2d", "2026-11-24T01:30:05Z"),
        ("-0s", "2026-11-26T01:30:05Z"),
    ],
)
def test_the_notation_of_times(text: str, expected: str) -> None:
    assert stamp(resolve(text, NOW, CHINA)) == expected


@pytest.mark.parametrize("text", ["yesterday", "+1d", "2005-02-31", "19:03", "", "-1d 25:00"])
def test_other_words_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected a time|day is out of range|hour must be"):
        resolve(text, NOW, CHINA)


def test_texts_hold_times_as_the_host_prints_them() -> None:
    dial = Dial(now=NOW, zone=CHINA, date_picture="yyyy-M-d", time_picture="H:mm:ss")
    assert dial.expand("at {{-1d 09:03:02|time}} on {{-1d 09:03|date}}.") == "at 9:03:02 on 2026-11-25."
    assert dial.expand("Mini{{-1d|%m%d%y}}-01.dmp {x} {{}}") == "Mini112526-01.dmp {x} {{}}"
    with pytest.raises(ValueError, match="expected date, time or a picture"):
        dial.expand("{{-1d|week}}")


def test_windows_pictures() -> None:
    local = datetime(2005, 3, 8, 0, 7, 9)
    assert picture(local, "M/d/yyyy h:mm:ss tt") == "3/8/2005 12:07:09 AM"
    assert picture(local, "dd.MM.yy HH:mm") == "08.03.05 00:07"
