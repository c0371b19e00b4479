"""What a scheduled task says, whichever of Windows' formats it was read from. No reading here, and no clock.

The vocabulary of trigger types is that of the Task Scheduler schema (`CalendarTrigger`, `BootTrigger`, ...), into which the older
formats are translated. What a format does not say is `None`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

SourceFormat = Literal["xml", "gpp_xml", "job", "schtasks_csv", "schtasks_list", "schtasks_table", "json", "at"]
ActionKind = Literal["exec", "com", "email", "message", "unknown"]


class Repetition(msgspec.Struct, frozen=True, kw_only=True):
    """How a trigger fires again after its start."""

    interval: str | None = None
    """ISO 8601 duration between two starts, for example PT10M."""
    duration: str | None = None
    """ISO 8601 duration after which it stops repeating; None is without end or not known."""
    stop_at_duration_end: bool | None = None


class TaskTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a task starts."""

    type: str | None = None
    """CalendarTrigger, TimeTrigger, BootTrigger, LogonTrigger, IdleTrigger, EventTrigger, ...; None where the words could not be known."""
    enabled: bool | None = None
    start: str | None = None
    """Start boundary, ISO 8601, local unless it carries an offset; None where a printed date could be read in two ways."""
    start_time: str | None = None
    """Local time of day `HH:MM:SS`, where that alone is known."""
    end: str | None = None
    schedule: str | None = None
    """ScheduleByDay, ScheduleByWeek, ScheduleByMonth, ScheduleByMonthDayOfWeek."""
    days_interval: int | None = None
    weeks_interval: int | None = None
    days_of_week: tuple[str, ...] | None = None
    """English day names."""
    days_of_month: tuple[str, ...] | None = None
    """Numbers, or `Last`."""
    months: tuple[str, ...] | None = None
    """English month names."""
    weeks: tuple[str, ...] | None = None
    """Which weeks of a month: 1 to 4, or `Last`."""
    delay: str | None = None
    """ISO 8601 duration, fixed or random."""
    user_id: str | None = None
    """Logon and session triggers: whose."""
    subscription: str | None = None
    """Event triggers: the query."""
    repetition: Repetition | None = None
    text: str | None = None
    """The schedule as the host printed it, in its own language."""


class TaskPrincipal(msgspec.Struct, frozen=True, kw_only=True):
    """As whom a task runs."""

    user_id: str | None = None
    """Account name or SID as written."""
    group_id: str | None = None
    logon_type: str | None = None
    """Password, S4U, InteractiveToken, ... as in the schema."""
    run_level: str | None = None
    """LeastPrivilege or HighestAvailable."""


class TaskAction(msgspec.Struct, frozen=True, kw_only=True):
    """What a task does."""

    kind: ActionKind = "exec"
    command: str | None = None
    """Program as written."""
    arguments: str | None = None
    working_directory: str | None = None
    class_id: str | None = None
    """COM handlers: the class."""
    line: str | None = None
    """The command line as one text, where the format does not part program and arguments."""


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a listing said of a task's runs at one moment."""

    status: str | None = None
    """As printed, in the host's language."""
    last_run: str | None = None
    """Local ISO 8601 where the printed text can be read in one way only, else as printed."""
    next_run: str | None = None
    last_result: int | None = None


class ScheduledTask(msgspec.Struct, frozen=True, kw_only=True):
    """One scheduled task."""

    name: str | None = None
    """Last part of the path; None where the source does not say it."""
    path: str | None = None
    """Full path with folders, `\\Microsoft\\Windows\\...`; None where only the name is known."""
    name_truncated: bool = False
    """Whether the listing cut the name at the width of its column."""
    host: str | None = None
    """Machine that the listing says it is of."""
    enabled: bool | None = None
    hidden: bool | None = None
    author: str | None = None
    description: str | None = None
    registered: str | None = None
    """When it was registered, as written."""
    version: str | None = None
    """Version of the task schema."""
    triggers: tuple[TaskTrigger, ...] | None = None
    """None where the format does not show them."""
    principal: TaskPrincipal | None = None
    actions: tuple[TaskAction, ...] | None = None
    """None where the format does not show them."""
    runs: tuple[TaskRun, ...] = ()
    """Each moment that the listing shows, in order, without repetitions."""
    settings: dict[str, str] = {}
    """Simple settings of the schema by element name, as written."""
    policy: dict[str, str] = {}
    """Group Policy Preferences: attributes of the item (action, disabled, runAs, ...)."""
    source_format: SourceFormat
