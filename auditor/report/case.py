"""Observation cases for people: the list, and one with all that is known of it. Pure; values of hosts pass `safe_text`."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.case import Case, CaseCondition, EventPattern
from auditor.report.grid import grid
from auditor.report.text import safe_text

_DAY_SECONDS = 86_400
_OUTCOMES = {"": "observing", "clean": "closed: stayed away", "recurred": "came back", "by_hand": "closed by hand"}


def case_table(cases: Sequence[Case], width: int) -> str:
    """One line a case."""
    rows = [
        [case.id, state_words(case), ", ".join(case.hosts), "; ".join(map(condition_words, case.conditions)), seen_words(case), case.title]
        for case in cases
    ]
    return (
        grid(("Case", "State", "Hosts", "Watched for", "Seen", "Title"), [[safe_text(cell) for cell in row] for row in rows], width=width)
        + "\n"
    )


def state_words(case: Case) -> str:
    """State and outcome in words."""
    if case.outcome == "recurred" and case.state == "closed":
        return "came back, closed by hand"
    return _OUTCOMES[case.outcome]


def condition_words(condition: CaseCondition) -> str:
    """What is watched for."""
    if condition.event is not None:
        return f"event {event_words(condition.event)}"
    return f"stop code {condition.code}" if condition.kind == "bugcheck" else f"failure bucket {condition.bucket}"


def event_words(event: EventPattern) -> str:
    """An event as it is written on the command line."""
    return f"{event.log}/{event.source}/{event.id}" + (f"/{event.text}" if event.text else "")


def seen_words(case: Case) -> str:
    """How much of its time was seen, by the host that was seen least."""
    seconds = min((host.seconds for host in case.watched if host.host in case.hosts), default=0.0)
    return f"{seconds / _DAY_SECONDS:.1f} of {case.days:g} days"


def case_text(case: Case, waits: Sequence[str]) -> str:
    """Everything about a case. `waits` is what it waits for."""
    lines = [f"{case.id}: {case.title}", f"State: {state_words(case)}", f"Hosts: {', '.join(case.hosts)}"]
    lines += [f"Watched for: {'; '.join(map(condition_words, case.conditions))}", f"Since: {case.since}, for {case.days:g} days"]
    lines += [f"Remedy: {case.remedy}"] if case.remedy else []
    if case.trigger is not None:
        where = f" on {', '.join(case.trigger.hosts)}" if case.trigger.hosts else ""
        lines.append(f"Trigger: {event_words(case.trigger.event)}{where}, {case.trigger.times} times")
    if case.contingency is not None:
        how = "run if it comes back" if case.contingency.run else "offered if it comes back"
        lines.append(f"Contingency: {case.contingency.playbook}, {case.contingency_outcome or how}")
    lines += _block("Seen", [_host_line(case, place) for place in range(len(case.watched))])
    lines += _block("It came back", [f"{s.host} at {s.at}: {s.what}" for s in case.sightings])
    lines += _block("Not known what it was", [f"{s.host} at {s.at}: {s.what}" for s in case.doubts])
    lines += _block("Of another kind", [f"{s.host} at {s.at}: {s.what}" for s in case.others])
    lines += _block("Not seen, not counted", [f"{w.host} from {s.start} to {s.end}: {s.reason}" for w in case.watched for s in w.unseen])
    lines += _block("Waits for", waits if case.state == "observing" else ())
    changes = "Changes in that time, none of them taken alone for the reason"
    lines += _block(changes, [f"{change.at} {change.host}: {change.what}" for change in case.changes])
    lines += _block("Journal", [f"{entry.at} {entry.what}" for entry in case.journal])
    return "\n".join(safe_text(line) for line in lines) + "\n"


def _host_line(case: Case, place: int) -> str:
    host = case.watched[place]
    words = f"{host.host}: {host.seconds / _DAY_SECONDS:.1f} days, up to {host.seen_until}"
    if case.trigger is not None:
        words += f", trigger {len(host.triggers)} times"
    return words + (f"; the last time not seen: {host.blind}" if host.blind else "")


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []
