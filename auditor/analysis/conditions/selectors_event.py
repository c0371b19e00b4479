"""The selector of events; absence is knowledge only as far back as the log reaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.matching import moment, undecided
from auditor.analysis.host.outcome import Outcome
from auditor.model.pattern import compile_pattern
from auditor.model.selector import EventSelector

_DAY = 86_400
_LOGS = ("system", "application")
"""Logs that the events section is read from; the security log is the logons section's."""


def compile_event(selector: EventSelector, setting: Setting) -> Test:
    """Events in the window that was collected, or in its last days."""
    role, fits = setting.role(selector.host), _fits(selector)
    days = selector.within_days

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        start = moment(facts.snapshot.collected_at) - days * _DAY if days is not None else 0
        found = [reading for reading in facts.sections.events.readings if fits(reading) and moment(reading.time) >= start]
        if len(found) >= selector.at_least:
            return Outcome(True, tuple(facts.evidence("events", f"{r.log}/{r.record}", "id", f"{r.source} {r.id} {r.time}") for r in found))
        return undecided(facts, "events", [*_short_logs(facts, selector.log, start), *_unasked(facts, selector)])

    return test


def _fits(selector: EventSelector) -> Callable[[Any], bool]:
    ids = frozenset(selector.id)
    tests = [(f, compile_pattern(p)) for f in ("log", "source") if (p := getattr(selector, f)) is not None]
    string = compile_pattern(selector.string) if selector.string is not None else None

    def fits(reading: Any) -> bool:
        return (
            reading.id in ids
            and all(test(getattr(reading, field).casefold()) for field, test in tests)
            and (string is None or any(string(text.casefold()) for text in reading.strings))
        )

    return fits


def _unasked(facts: HostFacts, selector: EventSelector) -> list[str]:
    if facts.asked is None or not facts.sections.events.usable or facts.asked.events(selector.id, selector.log, selector.source):
        return []
    ids = ", ".join(map(str, selector.id))
    return [
        f"{facts.name}: events: {selector.source or 'any source'} {ids}: was not asked for when the host was collected: collect it again"
    ]


def _short_logs(facts: HostFacts, log: str | None, start: int) -> list[str]:
    """Logs that were overwritten, or cleared, since the start of the window."""
    fits = compile_pattern(log) if log else _LOGS.__contains__
    return [
        f"{facts.name}: events: the log {c.log} reaches back to {c.oldest} only, asked from {c.asked_from}"
        for c in facts.snapshot.log_coverage
        if fits(c.log.casefold()) and c.oldest and c.asked_from and moment(c.oldest) > max(moment(c.asked_from), start)
    ]
