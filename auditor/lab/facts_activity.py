"""Facts of what a host does: scheduled tasks, event records, logons. Types only; the rules stand at the head of `facts`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from auditor.lab.facts_types import Facts, Hex, LongText, Name, Text, Time


class TriggerFacts(Facts, frozen=True, kw_only=True):
    """When a task runs."""

    kind: Literal["once", "daily", "weekly", "monthly", "boot", "logon", "idle"] = "daily"
    start: Time = "2012-01-01 02:00:00"
    """First start, local time."""
    days: tuple[Literal["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"], ...] = ()
    """Weekly: on these days."""
    days_of_month: tuple[Annotated[int, Meta(ge=1, le=31)], ...] = ()
    interval: Annotated[int, Meta(ge=1, le=365)] = 1
    """Daily, weekly: every so many days or weeks."""
    every_minutes: Annotated[int, Meta(ge=0, le=44640)] = 0
    """Repetition; 0 is none."""
    duration_minutes: Annotated[int, Meta(ge=0, le=44640)] = 0
    """How long it repeats; 0 is without end."""
    enabled: bool = True


class TaskFacts(Facts, frozen=True, kw_only=True):
    """A scheduled task: as XML text, or as a plan that is written as XML or, up to Server 2003, as .job file and schtasks line."""

    xml: LongText | None = None
    command: Text | None = None
    arguments: Text = ""
    directory: Text = ""
    author: Text = ""
    description: Text = ""
    user: Text = "S-1-5-18"
    """Run-as account; well-known accounts as SID."""
    highest: bool = False
    enabled: bool = True
    hidden: bool = False
    triggers: tuple[TriggerFacts, ...] = ()
    restricted: bool = False
    """Ordinary users can't open its file."""
    last_run: Time | None = None
    next_run: Time | None = None
    last_result: int | None = None
    state: Literal["Ready", "Running", "Disabled", "Queued", "Unknown"] = "Ready"


class EventFacts(Facts, frozen=True, kw_only=True):
    """A record of an event log."""

    log: Name = "System"
    source: Name
    id: Annotated[int, Meta(ge=0, le=65535)]
    qualifiers: Annotated[int, Meta(ge=0, le=65535)] = 0
    time: Time
    level: Literal["critical", "error", "warning", "information", "audit_success", "audit_failure"] = "information"
    category: Annotated[int, Meta(ge=0, le=65535)] = 0
    strings: tuple[Text, ...] = ()
    """Insertion strings; may hold `{{time|picture}}`."""
    data: Hex = ""
    """Binary data of the record."""


class LogonFacts(Facts, frozen=True, kw_only=True):
    """A logon, shorthand for its record in the Security log: 528 or 540 up to Server 2003, else 4624."""

    time: Time
    user: Text
    domain: Text = ""
    type: Literal[0, 2, 3, 4, 5, 7, 8, 10, 11] = 3
    """2 interactive, 3 network, 4 batch, 5 service, 10 remote desktop."""
    workstation: Text = ""
    """Name that the client gave."""
    address: Text = ""
    process: Text = "NtLmSsp "
    package: Text = "NTLM"


class AgentStepFacts(Facts, frozen=True, kw_only=True):
    """A step of a job of SQL Agent."""

    command: LongText
    subsystem: Literal["CmdExec", "PowerShell", "TSQL", "SSIS", "ActiveScripting"] = "CmdExec"
    name: Text = "step"


class AgentJobFacts(Facts, frozen=True, kw_only=True):
    """A job of SQL Agent."""

    enabled: bool = True
    steps: tuple[AgentStepFacts, ...] = ()


class LogFacts(Facts, frozen=True, kw_only=True):
    """An event log as a whole."""

    oldest: Time | None = None
    """Time of its oldest record; null is that of the oldest event here."""
    first_record: Annotated[int, Meta(ge=1)] = 1
    """Number of the oldest event here; the others follow by time."""
