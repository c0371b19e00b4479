"""What a machine answers to the probe: the sections that were asked for, one after the other. Pure; now is passed in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from auditor.lab import (
    answers_dumps,
    answers_events,
    answers_firewall,
    answers_jobs,
    answers_protection,
    answers_scripts,
    answers_security,
    answers_software,
    answers_system,
    answers_tasks,
)
from auditor.lab.machine import Machine
from auditor.lab.sheet import Ask, Ended, Sheet
from auditor.probes.framing import SectionAnswer

Answerer = Callable[[Machine, Ask, Sheet], None]
ANSWERERS: dict[str, Answerer] = {
    "system": answers_system.system,
    "network": answers_system.network,
    "memory": answers_system.memory,
    "fragmentation": answers_system.fragmentation,
    "shares": answers_system.shares,
    "updates": answers_system.updates,
    "roles": answers_system.roles,
    "programs": answers_software.programs,
    "services": answers_software.services,
    "drivers": answers_software.drivers,
    "filters": answers_software.filters,
    "dumps": answers_software.dumps,
    "dumpbytes": answers_dumps.dumpbytes,
    "security": answers_security.security,
    "tasks": answers_tasks.tasks,
    "scripts": answers_scripts.scripts,
    "events": answers_events.events,
    "logons": answers_events.logons,
    "defender": answers_protection.defender,
    "firewall": answers_firewall.firewall,
    "sessions": answers_jobs.sessions,
    "replication": answers_jobs.replication,
    "jobs": answers_jobs.jobs,
}


def answer_section(machine: Machine, name: str, ask: Ask, now: datetime) -> SectionAnswer:
    """One section's answer, with the status that the probe would give it."""
    sheet = Sheet(now)
    answerer = ANSWERERS.get(name)
    if answerer is None:
        return SectionAnswer(status="failed", reason=f"the lab's hosts don't know a section {name}")
    try:
        answerer(machine, ask, sheet)
    except Ended as error:
        sheet.status, sheet.reason = error.status, error.reason
    return sheet.answer()
