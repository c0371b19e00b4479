"""Observation cases: after a remedy, whether the trouble comes back. Types only; `analysis.observing.observation` moves a case on.

Rules of this file:
1. Times are ISO 8601 in UTC. Times of a host are by its own clock, for its event log is; times of the case are by the collector's.
2. Only time in which a host's log was seen counts. Time that was not seen is kept as such, with the reason: unknown is not absent.
3. Changes made in the time of a case are listed side by side. None of them is credited.
"""

from __future__ import annotations

from typing import Literal

import msgspec

CASE_SCHEMA_VERSION = 1

CaseState = Literal["observing", "escalated", "closed"]
"""`escalated`: it came back."""
CaseOutcome = Literal["", "clean", "recurred", "by_hand"]
ConditionKind = Literal["bugcheck", "bucket", "event"]


class EventPattern(msgspec.Struct, frozen=True, kw_only=True):
    """Events of a log."""

    log: str
    """System or Application."""
    source: str
    """Provider, without case."""
    id: int
    text: str = ""
    """What one of its strings has to contain, without case."""


class CaseCondition(msgspec.Struct, frozen=True, kw_only=True):
    """What is observed: a stop code, a failure bucket, or an event."""

    kind: ConditionKind
    code: str = ""
    """Stop code as `0x8e`, without the marker bit of dump writers."""
    bucket: str = ""
    """Failure bucket, as a debugger or Windows Error Reporting names it; without case."""
    event: EventPattern | None = None


class CaseTrigger(msgspec.Struct, frozen=True, kw_only=True):
    """What has to happen again before silence means something, for example the update that set the trouble off."""

    event: EventPattern
    times: int
    """How often, on each host."""
    hosts: tuple[str, ...] = ()
    """Where; the hosts of the case unless some are named."""


class Contingency(msgspec.Struct, frozen=True, kw_only=True):
    """What to do if it comes back."""

    playbook: str
    """Name of a playbook."""
    run: bool = False
    """Whether to run it without asking; otherwise it is offered."""


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a host's log shows."""

    host: str
    at: str
    """By the host's clock; for a crash, when it was written down at the next start."""
    what: str
    """In words; values of the host, to be escaped by every report."""


class UnseenSpan(msgspec.Struct, frozen=True, kw_only=True):
    """Time of a host that was not seen."""

    start: str
    end: str
    reason: str


class HostWatch(msgspec.Struct, frozen=True, kw_only=True):
    """How far one host was observed."""

    host: str
    seen_until: str
    """Up to here, by the host's clock, its log was looked at."""
    looked_at: str
    """When it was last looked at, by the collector's clock."""
    seconds: float = 0.0
    """Time that was seen and counts."""
    unseen: tuple[UnseenSpan, ...] = ()
    blind: str = ""
    """Why it could not be seen the last time; empty where it was seen."""
    triggers: tuple[str, ...] = ()
    """Times of the trigger's events, each once."""


class CaseChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change made in the time of a case."""

    host: str
    at: str
    """When it was first seen, or done."""
    what: str
    kind: Literal["drift", "remediation", "other"] = "drift"


class CaseEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the case's journal."""

    at: str
    what: str


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One observation."""

    schema_version: int = CASE_SCHEMA_VERSION
    id: str
    title: str
    opened_at: str
    since: str
    """When the remedy was done; what happened before does not count."""
    remedy: str = ""
    """What was done, in words, or the name of a plan."""
    hosts: tuple[str, ...]
    conditions: tuple[CaseCondition, ...]
    """Any of them."""
    days: float
    """How long it has to stay away, of time that was seen, on each host."""
    trigger: CaseTrigger | None = None
    contingency: Contingency | None = None
    state: CaseState = "observing"
    outcome: CaseOutcome = ""
    closed_at: str | None = None
    watched: tuple[HostWatch, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    """It, come back."""
    doubts: tuple[Sighting, ...] = ()
    """What may have been it: a restart without a stop code, a dump without an event. A case with doubts does not close itself."""
    others: tuple[Sighting, ...] = ()
    """Crashes of another kind in that time: not it, but worth knowing."""
    changes: tuple[CaseChange, ...] = ()
    """Filled when it ends."""
    told_waiting: bool = False
    """Whether it was told that the time is up and the case can't close."""
    contingency_outcome: str = ""
    """What became of the playbook: offered, or run and how."""
    journal: tuple[CaseEntry, ...] = ()
