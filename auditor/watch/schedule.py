"""Cron expressions: when the next audit is due, which one was missed. Pure but for reading the machine's own time zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from auditor.model.errors import UsageError

COUNTED = 1000
"""Missed times are counted up to this."""
_LOCAL = Path("/etc/localtime")


class Schedule:
    """A cron expression of five fields in a time zone. Times given and taken are aware; a day of 23 or 25 hours is as cron has it."""

    def __init__(self, expression: str, zone: tzinfo) -> None:
        self.expression = expression
        self._zone = zone
        try:
            if len(expression.split()) != 5:
                raise CronSimError("expected five fields: minute, hour, day, month, weekday")
            next(CronSim(expression, datetime(2026, 1, 1, tzinfo=zone)))
        except (CronSimError, StopIteration) as error:
            step = "For example '0 3 * * *': each day at three."
            raise UsageError(f"--cron {expression!r}: {error or 'there is no such day'}", next_step=step) from error

    def next_after(self, moment: datetime) -> datetime:
        """The first due time after a moment, in UTC."""
        return next(CronSim(self.expression, moment.astimezone(self._zone))).astimezone(UTC)

    def last_until(self, moment: datetime) -> datetime:
        """The last due time not after a moment, in UTC."""
        # times are whole minutes, and the library gives those before
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        return next(CronSim(self.expression, start.astimezone(self._zone), reverse=True)).astimezone(UTC)

    def due_between(self, after: datetime, until: datetime) -> int:
        """How many due times lie after one moment and not after another; at most COUNTED."""
        count, moment = 0, after
        while count < COUNTED and (moment := self.next_after(moment)) <= until:
            count += 1
        return count


def zone_of(name: str | None, environment: Mapping[str, str]) -> tzinfo:
    """The zone of a name, or this machine's own. Raises UsageError for a name that is none."""
    wanted = name or environment.get("TZ", "").lstrip(":") or None
    try:
        if wanted is not None:
            return ZoneInfo(wanted)
        with _LOCAL.open("rb") as stream:
            return ZoneInfo.from_file(stream, key="localtime")
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if name is None:
            return UTC
        raise UsageError(f"there is no time zone {name!r}", next_step="Names are such as Asia/Shanghai or UTC.") from error
