"""Plans, checks and records of remediations for people. Pure; every text of a host or a person passes `safe_text`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.model.plan import (
    CheckDocument,
    CheckedHost,
    CheckedStep,
    Plan,
    PlanAction,
    PlanHost,
    RemediationDocument,
    RemediationRecord,
    WaveRecord,
    missing_values,
)
from auditor.model.remedy import TaskEvent
from auditor.report.grid import grid
from auditor.report.text import clip, safe_text

LONGEST = 400
"""Characters of a message or difference that are shown."""
VERDICT_WORDS = {"fixed": "fixed", "still_there": "still there", "got_worse": "got worse", "not_checked": "not checked"}


def plan_text(plan: Plan, width: int) -> str:
    """What is done where, in which order, and what is not known. Ends in a line feed."""
    rows = [
        [
            str(wave.number),
            item.host,
            item.remedy,
            _host(plan, item.remedy, item.host).way,
            _values(_host(plan, item.remedy, item.host)),
            wave.why,
        ]
        for wave in plan.waves
        for item in wave.items
    ]
    parts = [grid(("Wave", "Host", "Remedy", "Way", "Values", "Why then"), _safe(rows), width=width)]
    parts += map(_action, plan.actions)
    parts += _block("Findings", [f"{f.id} {f.severity}, {f.confidence}: {f.title} ({', '.join(f.hosts)})" for f in plan.findings])
    parts += _block("Missing values: the plan can't be applied before they are set", missing_values(plan))
    parts += _block("Read before and after, not changed", list(plan.others))
    parts += _block("Left to a person", list(plan.by_hand))
    parts += _block("Not known", list(plan.undetermined))
    window = f"from {plan.window.start} to {plan.window.end}" if plan.window else "at any time"
    restart = (
        "Restarts are allowed." if plan.restart_allowed else "No restart is allowed: what needs one stays open until a person does it."
    )
    parts.append(f"{plan.hosts} {'host is' if plan.hosts == 1 else 'hosts are'} changed, {window}. {restart}")
    return "\n\n".join(parts) + "\n"


def _host(plan: Plan, remedy: str, host: str) -> PlanHost:
    return next(h for action in plan.actions if action.remedy == remedy for h in action.hosts if h.host == host)


def _values(host: PlanHost) -> str:
    lines = [f"{value.name}={value_text(value.value)} ({value.origin})" for value in host.values]
    return "; ".join([*lines, *(f"{name}=? (secret)" for name in host.secrets)])


def value_text(value: object) -> str:
    """A value on one line."""
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _action(action: PlanAction) -> str:
    lines = [safe_text(f"{action.remedy}: {action.title}")]
    lines += [safe_text(f"  before anything: {text}") for text in action.preconditions]
    for way in dict.fromkeys(host.way for host in action.hosts):
        host = next(host for host in action.hosts if host.way == way)
        lines.append(safe_text(f"  {way} ({host.why}):"))
        for number, step in enumerate(host.steps, 1):
            what = f"    {number}. {step.title}" + (f" [{step.way}]" if step.way != way else "")
            what += f": {step.changes}" if step.changes else ""
            what += f"; restart {step.restart}" if step.restart != "never" else ""
            what += f"; rollback {step.rollback}" if step.rollback else ""
            what += f"; by hand: {step.by_hand}" if step.by_hand else ""
            lines.append(safe_text(what))
        lines += [safe_text(f"  expected difference, {one.section}: {one.what}") for one in host.expected]
    lines += [safe_text(f"  read again at its end: {text}") for text in action.verification]
    lines.append(safe_text(f"  rollback: {action.rollback}{': ' + action.rollback_how if action.rollback_how else ''}"))
    return "\n".join(lines)


def check_text(document: CheckDocument) -> str:
    """What check mode told, host by host and step by step."""
    parts = [_checked(host) for host in document.hosts]
    parts += _block("Left to a person", list(document.by_hand))
    count = sum(1 for host in document.hosts if host.outcome == "would_change")
    parts.append(f"Check mode: {count} of {len(document.hosts)} would change. Nothing was changed. Plan {document.plan_digest}")
    return "\n\n".join(parts) + "\n"


def _checked(host: CheckedHost) -> str:
    why = f": {host.reason}" if host.reason else ""
    lines = [safe_text(f"{host.host}: {host.remedy} by {host.way}: {host.outcome.replace('_', ' ')}{why}")]
    lines += [safe_text(f"  note: {note}") for note in host.notes]
    for step in host.steps:
        lines.append(safe_text(f"  {step.title}: {_mark(step)}"))
        lines += [f"    {line}" for task in step.tasks for line in _task(task)]
    return "\n".join(lines)


def _mark(step: CheckedStep) -> str:
    if step.would_change:
        return f"would change: {step.changes or 'see below'}"
    if step.by_hand:
        return f"left to a person: {step.by_hand}"
    return "nothing to change" if step.played else "not reached"


def _task(task: TaskEvent) -> list[str]:
    said = f": {clip(task.message, LONGEST)}" if task.message and task.status in ("failed", "unreachable", "ignored") else ""
    lines = [safe_text(f"{task.task} [{task.status}]{said}")]
    return lines + [safe_text(f"  {line}") for line in clip(task.difference, LONGEST).splitlines()]


def history_table(records: Sequence[RemediationRecord], width: int) -> str:
    """One line an application, the latest first."""
    rows = [
        [
            record.id,
            record.state,
            record.started_at,
            record.by.who,
            ", ".join(dict.fromkeys(action.remedy for action in record.plan.actions)),
            f"{len({item.host for wave in record.waves for item in wave.items})} of {record.plan.hosts}",
            verdict_words(record) or record.reason,
        ]
        for record in reversed(records)
    ]
    return grid(("Application", "State", "Begun", "By", "Remedies", "Hosts begun", "What came of it"), _safe(rows), width=width) + "\n"


def verdict_words(record: RemediationRecord) -> str:
    """How many findings of each verdict."""
    counts = {name: sum(1 for verdict in record.verdicts if verdict.verdict == name) for name in VERDICT_WORDS}
    return ", ".join(f"{count} {VERDICT_WORDS[name]}" for name, count in counts.items() if count)


def record_text(document: RemediationDocument, *, events: bool = True) -> str:
    """All that is known of an application, for a ticket or a screen."""
    record = document.record
    head = [f"Application {record.id}: {record.state}{': ' + record.reason if record.reason else ''}"]
    head += [f"Plan {record.plan_digest}", f"By {record.by.who}, begun {record.started_at}, ended {record.ended_at or 'not'}"]
    head += [f"Goes on with {record.continues}"] if record.continues else []
    head += list(record.notes)
    parts = ["\n".join(map(safe_text, head))]
    parts += [_wave(wave) for wave in record.waves]
    titles = {finding.id: f"{finding.id} {finding.title} ({', '.join(finding.hosts)})" for finding in record.plan.findings}
    told = [f"{titles.get(v.finding, v.finding)}: {VERDICT_WORDS[v.verdict]}{': ' + v.reason if v.reason else ''}" for v in record.verdicts]
    parts += _block("Findings, by reading again", told)
    parts += _block("Left to a person", list(record.by_hand))
    if events:
        parts += _block("Tasks", [_event(event) for event in document.events])
    return "\n\n".join(parts) + "\n"


def _wave(wave: WaveRecord) -> str:
    lines = [f"Wave {wave.number}: {wave.state}"]
    for item in wave.items:
        name = f"{item.remedy} {item.host}"
        report = wave.reports.get(name)
        told = wave.failed.get(name) or (report.outcome.replace("_", " ") if report else "no word")
        lines.append(f"  {item.host}: {item.remedy}: {told}")
        lines += [f"    note: {note}" for note in report.notes] if report else []
        lines += [f"    rollback: {wave.rolled_back[name]}"] if name in wave.rolled_back else []
    return "\n".join(map(safe_text, lines))


def _event(event: TaskEvent) -> str:
    said = f": {clip(event.message, LONGEST)}" if event.message else ""
    return f"{event.number} {event.time} {event.host} {event.task} [{event.status}]{said}"


def _block(title: str, lines: Sequence[str]) -> list[str]:
    return ["\n".join([f"{title}:", *(f"  {safe_text(line)}" for line in lines)])] if lines else []


def _safe(rows: Iterable[Sequence[str]]) -> list[list[str]]:
    return [[safe_text(cell) for cell in row] for row in rows]
