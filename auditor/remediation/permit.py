"""Whether a plan may be applied now: nothing missing, nothing stale, nothing changed, nobody else at it. Asks no host, changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from auditor.model.errors import RemediationError
from auditor.model.plan import Plan
from auditor.remediation.tools import Limits, Tools

AHEAD = timedelta(minutes=5)
"""Evidence may be dated so far in the future: clocks differ."""


def moment(text: str) -> datetime:
    """A time of a plan. Raises RemediationError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise RemediationError(f"{text!r} is no time: expected one as 2026-11-26T01:00:00Z") from error
    if found.tzinfo is None:
        raise RemediationError(f"{text!r} says no time zone: end it with Z")
    return found


def refuse_unready(plan: Plan, tools: Tools, limits: Limits) -> None:
    """Raises RemediationError with the first thing that speaks against applying the plan now."""
    _refuse_missing(plan, tools)
    _refuse_other_playbooks(plan, tools)
    now = tools.now()
    if plan.window and not moment(plan.window.start) <= now <= moment(plan.window.end):
        raise RemediationError(
            f"the plan's maintenance window is {plan.window.start} to {plan.window.end}, and it is {now:%Y-%m-%dT%H:%M:%SZ}",
            next_step="wait for it, or make a plan with another window",
        )
    _refuse_stale(plan, now, limits)


def _refuse_missing(plan: Plan, tools: Tools) -> None:
    missing = [f"{host.host}: {text}" for action in plan.actions for host in action.hosts for text in host.missing]
    if missing:
        raise RemediationError(
            f"values are missing: {'; '.join(missing[:5])}", next_step="make the plan again with --set HOST:NAME=VALUE or --values FILE"
        )
    known = {name for _, name in tools.secrets}
    wanted = {name for action in plan.actions for host in action.hosts for name in host.secrets}
    if unknown := known - wanted:
        raise RemediationError(f"no host of the plan takes the secret {', '.join(sorted(unknown))}")


def _refuse_other_playbooks(plan: Plan, tools: Tools) -> None:
    for action in plan.actions:
        playbook, core, collections = tools.grounds(action.remedy)
        needs = any(host.way == "modules" for host in action.hosts)
        for what, then, now in (
            ("the playbook", action.playbook, playbook),
            ("ansible-core", action.ansible_core, core),
            ("the collections", action.collections if needs else {}, collections if needs else {}),
        ):
            if then != now:
                raise RemediationError(
                    f"{what} of {action.remedy} is not what the plan was made with: {then} then, {now} now", next_step="make the plan again"
                )


def _refuse_stale(plan: Plan, now: datetime, limits: Limits) -> None:
    for action in plan.actions:
        for host in action.hosts:
            age = now - moment(host.evidence.collected_at)
            if age < -AHEAD:
                raise RemediationError(f"{host.host}: its evidence is dated in the future: {host.evidence.collected_at}")
            if age.total_seconds() > limits.max_age_seconds:
                raise RemediationError(
                    f"{host.host}: its evidence is {age.total_seconds() / 3600:.1f} h old, more than {limits.max_age_seconds / 3600:.1f} h",
                    next_step="audit it again and make the plan again, or allow it with --max-age",
                )
