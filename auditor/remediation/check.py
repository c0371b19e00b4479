"""Ansible's check mode over a plan: what each step would change on each host. Changes nothing, writes no record, takes no lock."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.errors import AuditorError
from auditor.model.plan import CheckDocument, CheckedHost, CheckedStep, Plan, PlanStep, WaveItem
from auditor.model.remedy import HostReport, RunResult, TaskEvent
from auditor.model.times import stamp
from auditor.remediation.lookup import all_items, host_of, key
from auditor.remediation.outcome import outcomes
from auditor.remediation.permit import refuse_unfit
from auditor.remediation.runs import request_of
from auditor.remediation.tools import Limits, Playing

MOST_UNREACHED = 2
"""After so many hosts that could not be reached, none is tried with the same account."""


def check_plan(plan: Plan, digest: str, tools: Playing, limits: Limits) -> CheckDocument:
    """Play everything in check mode, in the plan's order. Raises RemediationError where the plan can't be run at all."""
    refuse_unfit(plan, tools)
    found: dict[str, CheckedHost] = {}
    for action in plan.actions:
        items = [item for item in all_items(plan) if item.remedy == action.remedy]
        played = [item for item in items if host_of(plan, item).way != "person"]
        events: list[TaskEvent] = []
        result = _played(plan, played, tools, limits, events)
        reports, failed = outcomes(result, played, {event.host for event in events})
        for item in items:
            found[key(item)] = _host(plan, item, reports.get(key(item)), failed.get(key(item), ""), result, events)
    hosts = tuple(found[key(item)] for item in all_items(plan))
    return CheckDocument(plan_digest=digest, at=stamp(tools.now()), hosts=hosts, by_hand=plan.by_hand)


def _played(plan: Plan, items: Sequence[WaveItem], tools: Playing, limits: Limits, events: list[TaskEvent]) -> RunResult:
    """One host after another until one is reached, then the rest at once: a wrong password is tried on two hosts, not on all."""
    whole, rest, unreached = RunResult(status="successful"), list(items), 0
    while rest and unreached < MOST_UNREACHED:
        first = rest.pop(0)
        whole = _joined(whole, _run(plan, [first], tools, limits, events))
        if not any(event.host == first.host and event.status == "unreachable" for event in events):
            break
        unreached += 1
    if rest and unreached == MOST_UNREACHED:
        why = f"not tried: {unreached} hosts before it could not be reached"
        return _joined(whole, RunResult(status="failed", failed={item.host: why for item in rest}))
    return _joined(whole, _run(plan, rest, tools, limits, events)) if rest else whole


def _run(plan: Plan, items: Sequence[WaveItem], tools: Playing, limits: Limits, events: list[TaskEvent]) -> RunResult:
    tools.tell(f"check mode: {items[0].remedy} on {', '.join(item.host for item in items)}")
    try:
        return tools.run(request_of(plan, items, tools, limits, check=True), events.append)
    except AuditorError as error:
        return RunResult(status="refused", failed={item.host: error.message for item in items})


def _joined(one: RunResult, other: RunResult) -> RunResult:
    """Two runs over different hosts as one; a run that failed as a whole failed on its hosts."""
    return RunResult(
        status=other.status if one.status == "successful" else one.status,
        reason=other.reason or one.reason,
        reports={**one.reports, **other.reports},
        failed={**one.failed, **other.failed},
        changed={**one.changed, **other.changed},
    )


def _host(
    plan: Plan, item: WaveItem, report: HostReport | None, failed: str, result: RunResult, events: Sequence[TaskEvent]
) -> CheckedHost:
    planned = host_of(plan, item)
    mine = [event for event in events if event.host == item.host]
    outcome = "person_needed" if planned.way == "person" else report.outcome if report else "failed"
    return CheckedHost(
        remedy=item.remedy,
        host=item.host,
        way=planned.way,
        outcome=outcome,
        reason=failed,
        notes=report.notes if report else (),
        would_change=result.changed.get(item.host, 0),
        steps=tuple(_step(step, mine, outcome) for step in planned.steps),
    )


def _step(step: PlanStep, events: Sequence[TaskEvent], outcome: str) -> CheckedStep:
    """Command lines are left out in check mode: where the play says that it would change something, those steps are what it means."""
    tasks = tuple(event for event in events if event.step == step.id)
    left_out = step.way == "raw" and bool(step.changes) and any(event.status == "skipped" for event in tasks)
    return CheckedStep(
        id=step.id,
        title=step.title,
        way=step.way,
        played=bool(tasks),
        would_change=any(event.status == "changed" for event in tasks) or (left_out and outcome == "would_change"),
        changes=step.changes,
        tasks=tuple(event for event in tasks if event.status not in ("ok", "skipped") or event.difference),
        by_hand=step.by_hand,
    )
