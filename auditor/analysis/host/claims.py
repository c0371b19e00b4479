"""What a host says of itself and of its ties, read from its snapshot once: enough to draw the fleet's graph without the snapshot.

Rules of this file:
1. Names stay as they were written: who they mean depends on the whole fleet and is decided later (see naming).
2. Logons are told by where they came from: the newest of each source, and how many there were.
3. What was not seen that could state a tie is told here, by kind of tie.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from auditor.analysis.copying.copyrecord import CopyJob
from auditor.model.host import LogonReading, NetworkRecord, Snapshot

if TYPE_CHECKING:
    from auditor.analysis.host.facts import HostFacts

TOLD_LOGONS = 5
"""Logons kept of one source, newest first."""


SECTIONS = ("network", "tasks", "scripts", "jobs", "logons", "memory", "system")
"""Sections that claims are read from."""


class LogonSource(msgspec.Struct, frozen=True, array_like=True):
    """Logons from one place, as they name it."""

    workstation: str | None
    address: str | None
    count: int
    newest: tuple[LogonReading, ...]
    """At least one."""


class Claims(msgspec.Struct, frozen=True, array_like=True):
    """What one snapshot states."""

    named: bool
    """Whether it was seen what the host calls itself."""
    networks: tuple[NetworkRecord, ...] = ()
    copies: tuple[CopyJob, ...] = ()
    logons: tuple[LogonSource, ...] = ()
    copy_doubts: tuple[str, ...] = ()
    """What was not seen that may hold a copy (`host: section: reason`)."""
    logon_doubts: tuple[str, ...] = ()


def claims_of(facts: HostFacts) -> Claims:
    """The claims of a host."""
    sections = facts.sections
    return Claims(
        named=sections.network.usable,
        networks=sections.network.records,
        copies=_copies(facts.snapshot),
        logons=_logons(sections.logons.readings),
        copy_doubts=tuple(dict.fromkeys(_copy_doubts(facts))),
        logon_doubts=tuple(dict.fromkeys(_logon_doubts(facts))),
    )


def _copies(snapshot: Snapshot) -> tuple[CopyJob, ...]:
    # readers of scripts in four languages, which kept claims do without
    from auditor.analysis.copying.copyjobs import copy_jobs

    sections = snapshot.sections
    return copy_jobs(snapshot) if sections.tasks.usable or sections.scripts.usable or sections.jobs.usable else ()


def _logons(readings: Iterable[LogonReading]) -> tuple[LogonSource, ...]:
    by_source: dict[tuple[str | None, str | None], list[LogonReading]] = {}
    for logon in readings:
        by_source.setdefault((logon.workstation, logon.address), []).append(logon)
    return tuple(LogonSource(*place, len(found), newest(found)) for place, found in by_source.items())


def newest(logons: Iterable[LogonReading]) -> tuple[LogonReading, ...]:
    """Those that are told."""
    return tuple(sorted(logons, key=lambda logon: logon.time, reverse=True)[:TOLD_LOGONS])


def _copy_doubts(facts: HostFacts) -> Iterator[str]:
    """Tasks and scripts that were not seen or can't be read: each may hold a copy."""
    yield from (unseen for section in ("tasks", "scripts") if (unseen := facts.unseen(section)))
    for section in ("tasks", "scripts"):
        yield from (f"{facts.name}: {section}: {gap.record}: {gap.reason}" for gap in facts.lost(section))
    if facts.sections.tasks.records:
        yield from (f"{facts.name}: tasks: {fault.place}: {fault.message}" for fault in facts.unread_tasks)
    for script in facts.sections.scripts.records:
        if script.text is None:
            yield facts.why("scripts", script.path, "text")


def _logon_doubts(facts: HostFacts) -> Iterator[str]:
    if (unseen := facts.unseen("logons")) is not None:
        yield unseen
    for log in facts.snapshot.log_coverage:
        if log.log.casefold() == "security" and log.oldest and log.asked_from and log.oldest > log.asked_from:
            yield f"{facts.name}: logons: the log reaches back to {log.oldest} only, asked from {log.asked_from}"
