"""Whether a plan may be applied now: nothing missing, nothing stale, nothing changed, nobody else at it. Asks no host, changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from auditor.model.errors import RemediationError
from auditor.model.plan import Plan, PlanHost, missing_values
from auditor.model.times import stamp
from auditor.remediation.tools import Limits, Playing, Tools

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
    refuse_unfit(plan, tools)
    refuse_outside(plan, tools.now())
    _refuse_stale(plan, tools.now(), limits)


def refuse_unfit(plan: Plan, tools: Playing) -> None:
    """Raises RemediationError where the plan can't be run at all, not even in check mode: values are missing, playbooks are others."""
    _refuse_missing(plan, tools)
    _refuse_other_playbooks(plan, tools)


def refuse_outside(plan: Plan, now: datetime) -> None:
    """Raises RemediationError outside the plan's maintenance window."""
    if plan.window and not moment(plan.window.start) <= now <= moment(plan.window.end):
        raise RemediationError(
            f"the plan's maintenance window is {plan.window.start} to {plan.window.end}, and it is {stamp(now)}",
            next_step="wait for it, or make a plan with another window",
        )


def _refuse_missing(plan: Plan, tools: Playing) -> None:
    if missing := missing_values(plan):
        raise RemediationError(
            f"values are missing: {'; '.join(missing[:5])}", next_step="make the plan again with --set HOST:NAME=VALUE or --values FILE"
        )
    for action in plan.actions:
        for host in action.hosts:
            given = secrets_for(host, tools)
            if absent := [name for name in host.required_secrets if name not in given]:
                raise RemediationError(
                    f"{host.host}: {action.remedy} needs the secret {', '.join(absent)}",
                    next_step=f"set AUDITOR_SECRET_{absent[0].upper()} in the environment, or name a file with --secrets",
                )


def secrets_for(host: PlanHost, tools: Playing) -> dict[str, str]:
    """The secrets that a host's run takes, as far as they are known: the host's own before those for every host."""
    found = {name: tools.secrets.get((host.host, name), tools.secrets.get(("*", name))) for name in host.secrets}
    return {name: text for name, text in found.items() if text is not None}


def _refuse_other_playbooks(plan: Plan, tools: Playing) -> None:
    for action in plan.actions:
        ground = tools.grounds(action.remedy)
        needs = any(host.way == "modules" for host in action.hosts)
        for what, then, now in (
            ("the playbook", action.playbook, ground.playbook),
            ("ansible-core", action.ansible_core, ground.ansible_core),
            ("the collections", action.collections if needs else {}, ground.collections if needs else {}),
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
