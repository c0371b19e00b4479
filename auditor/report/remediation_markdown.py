"""Plans and records of remediations for a ticket or a change board, in GitHub's dialect of Markdown. Pure; values stand in code spans."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.plan import Plan, PlanAction, PlanHost, PlanStep, RemediationDocument, WaveRecord, missing_values
from auditor.report.markdown import table
from auditor.report.remediation import VERDICT_WORDS, value_text
from auditor.report.text import markdown_code, safe_markdown


def plan_markdown(plan: Plan, digest: str) -> str:
    """The plan as a change board reads it, with the digest that it is approved by. Ends in a line feed."""
    window = f"{plan.window.start} to {plan.window.end}" if plan.window else "any time"
    facts = [
        f"Digest: {markdown_code(digest)}",
        f"Made {safe_markdown(plan.made_at)} by {safe_markdown(plan.made_by)} with auditor {safe_markdown(plan.auditor)}",
        f"Hosts that are changed: {plan.hosts}; window: {safe_markdown(window)}",
        f"Restarts: {'allowed' if plan.restart_allowed else 'not allowed'}",
    ]
    blocks = ["# Plan of a remediation", _list(facts), "## Findings", _findings(plan), "## Waves", _waves(plan)]
    for action in plan.actions:
        blocks += _action(action)
    for title, lines in (
        ("Missing values", missing_values(plan)),
        ("Read before and after, not changed", plan.others),
        ("Left to a person", plan.by_hand),
        ("Not known", plan.undetermined),
    ):
        blocks += [f"## {title}", _list([safe_markdown(line) for line in lines])] if lines else []
    return "\n\n".join(blocks) + "\n"


def record_markdown(document: RemediationDocument) -> str:
    """What was done and what came of it; tasks are left to `show`. Ends in a line feed."""
    record = document.record
    facts = [
        f"State: {record.state}{': ' + safe_markdown(record.reason) if record.reason else ''}",
        f"Plan: {markdown_code(record.plan_digest)}",
        f"By {safe_markdown(record.by.who)}, begun {safe_markdown(record.started_at)}, ended {safe_markdown(record.ended_at or 'not')}",
        *map(safe_markdown, record.notes),
    ]
    titles = {finding.id: f"{finding.title} ({', '.join(finding.hosts)})" for finding in record.plan.findings}
    rows = [
        [
            markdown_code(v.finding, in_table=True),
            safe_markdown(titles.get(v.finding, "")),
            VERDICT_WORDS[v.verdict],
            safe_markdown(v.reason),
        ]
        for v in record.verdicts
    ]
    blocks = [f"# Application {safe_markdown(record.id)}", _list(facts), "## Findings, by reading again"]
    blocks.append(table(("Finding", "", "Verdict", "Why"), rows) if rows else "None was judged.")
    blocks += [block for wave in record.waves for block in (f"## Wave {wave.number}: {wave.state}", _wave(wave))]
    blocks += ["## Left to a person", _list([safe_markdown(line) for line in record.by_hand])] if record.by_hand else []
    return "\n\n".join(blocks) + "\n"


def _findings(plan: Plan) -> str:
    if not plan.findings:
        return "None: a person ordered it."
    rows = [
        [markdown_code(f.id, in_table=True), f.severity, f.confidence, safe_markdown(f.title), safe_markdown(", ".join(f.hosts))]
        for f in plan.findings
    ]
    return table(("Finding", "Severity", "Confidence", "Title", "Hosts"), rows)


def _waves(plan: Plan) -> str:
    rows = [
        [str(wave.number), markdown_code(item.host, in_table=True), safe_markdown(item.remedy), safe_markdown(wave.why)]
        for wave in plan.waves
        for item in wave.items
    ]
    return table(("Wave", "Host", "Remedy", "Why then"), rows)


def _action(action: PlanAction) -> list[str]:
    versions = ", ".join(f"{name} {version}" for name, version in action.collections.items())
    facts = [
        f"Playbook {markdown_code(action.playbook[:16])}, ansible-core {safe_markdown(action.ansible_core)}"
        + (f", {safe_markdown(versions)}" if versions else ""),
        f"Rollback: {action.rollback}{': ' + safe_markdown(action.rollback_how) if action.rollback_how else ''}",
        f"Restart: {action.restart}",
        *(f"Before anything: {safe_markdown(text)}" for text in action.preconditions),
        *(f"Read again at its end: {safe_markdown(text)}" for text in action.verification),
    ]
    blocks = [f"## {safe_markdown(action.remedy)}: {safe_markdown(action.title)}", _list(facts)]
    for host in action.hosts:
        blocks += _host(host)
    return blocks


def _host(host: PlanHost) -> list[str]:
    facts = [f"{safe_markdown(value.name)} = {markdown_code(value_text(value.value))} ({value.origin})" for value in host.values]
    facts += [f"{safe_markdown(name)} is a secret" for name in host.secrets]
    facts += [f"Expected difference, {safe_markdown(one.section)}: {safe_markdown(one.what)}" for one in host.expected]
    facts.append(f"Evidence: {markdown_code(host.evidence.digest[:16])} of {safe_markdown(host.evidence.collected_at)}")
    steps = [f"{number}. {_step(step)}" for number, step in enumerate(host.steps, 1)]
    return [f"### {markdown_code(host.host)} by {host.way}", safe_markdown(host.why), _list(facts), "\n".join(steps)]


def _step(step: PlanStep) -> str:
    parts = [f"{safe_markdown(step.title)} ({step.way})", safe_markdown(step.changes)]
    parts += [f"restart {step.restart}"] if step.restart != "never" else []
    parts += [f"rollback {step.rollback}{': ' + safe_markdown(step.rollback_how) if step.rollback_how else ''}"] if step.rollback else []
    parts += [f"by hand: {safe_markdown(step.by_hand)}"] if step.by_hand else []
    return "; ".join(part for part in parts if part)


def _wave(wave: WaveRecord) -> str:
    rows = []
    for item in wave.items:
        name = f"{item.remedy} {item.host}"
        report = wave.reports.get(name)
        told = wave.failed.get(name) or (report.outcome.replace("_", " ") if report else "no word")
        rows.append(
            [
                markdown_code(item.host, in_table=True),
                safe_markdown(item.remedy),
                safe_markdown(told),
                safe_markdown(wave.rolled_back.get(name, "")),
            ]
        )
    return table(("Host", "Remedy", "What came of it", "Rollback"), rows)


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
