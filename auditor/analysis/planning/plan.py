"""The plan as a whole: tasks, ways, values, waves, and what is left to a person. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from auditor.analysis.planning.choose import Task, tasks_of, way_of
from auditor.analysis.planning.facts import Made, Request
from auditor.analysis.planning.order import left_behind, waves_of
from auditor.analysis.planning.values import values_of
from auditor.model.errors import RemediationError
from auditor.model.finding import Finding
from auditor.model.plan import Plan, PlanAction, PlanFinding, PlanHost, PlanStep, PlanValue
from auditor.model.remedy import Expected, Remedy, Step, Way


def make_plan(request: Request, made: Made, undetermined: tuple[str, ...] = ()) -> Plan:
    """The plan that cures the request's findings. Raises RemediationError where nothing can be planned."""
    tasks, by_hand = tasks_of(request)
    if not tasks:
        raise RemediationError(
            "nothing can be planned: " + "; ".join(by_hand or ["nothing was named"]),
            next_step="A person does it, or a playbook that its rule does not name: --remedy ID with --host and --set; "
            "playbooks/README.md lists them, docs/remediate.md says how.",
        )
    actions = tuple(_action(request, remedy, [task for task in tasks if task.remedy.id == remedy.id]) for remedy in _remedies(tasks))
    hosts = {host.host for action in actions for host in action.hosts}
    cured = [finding for task in tasks for finding in task.findings]
    others = sorted({subject.host for finding in cured for subject in finding.subjects} - hosts)
    steps = [f"{h.host}: {s.title}: {s.by_hand}" for a in actions for h in a.hosts for s in h.steps if s.way == "person" and s.by_hand]
    return Plan(
        made_at=made.at,
        made_by=made.by,
        auditor=made.auditor,
        matrix_digest=made.matrix_digest,
        run=made.run,
        findings=tuple(_finding(finding) for finding in {f.id: f for f in cured}.values()),
        actions=actions,
        waves=waves_of(request, tasks),
        hosts=len(hosts),
        others=tuple(others),
        window=made.window,
        restart_allowed=made.restart_allowed,
        by_hand=(*by_hand, *left_behind(request.edges, tasks), *steps),
        undetermined=undetermined,
    )


def _remedies(tasks: Sequence[Task]) -> list[Remedy]:
    return list({task.remedy.id: task.remedy for task in tasks}.values())


def _finding(finding: Finding) -> PlanFinding:
    return PlanFinding(
        id=finding.id,
        rule=finding.rule,
        title=finding.title,
        severity=finding.severity,
        confidence=finding.confidence,
        hosts=tuple(dict.fromkeys(subject.host for subject in finding.subjects)),
    )


def _action(request: Request, remedy: Remedy, tasks: Sequence[Task]) -> PlanAction:
    ground = request.grounds[remedy.id]
    return PlanAction(
        remedy=remedy.id,
        title=remedy.title,
        playbook=ground.playbook,
        ansible_core=ground.ansible_core,
        collections=ground.collections,
        preconditions=remedy.preconditions,
        verification=remedy.verification,
        rollback=remedy.rollback.kind,
        rollback_how="; ".join(text for text in (remedy.rollback.how, remedy.rollback.reason) if text),
        restart=remedy.restart,
        hosts=tuple(_host(request, task) for task in tasks),
    )


def _host(request: Request, task: Task) -> PlanHost:
    way, why = way_of(request, task.remedy, task.host)
    values = values_of(request, task, way)
    return PlanHost(
        host=task.host,
        way=way,
        why=why,
        findings=tuple(finding.id for finding in task.findings),
        values=values.given,
        secrets=values.secrets,
        required_secrets=values.required_secrets,
        missing=values.missing,
        evidence=request.hosts[task.host].evidence,
        steps=tuple(_step(step, way, values.given) for step in task.remedy.steps),
        expected=tuple(Expected(section=one.section, what=filled(one.what, values.given)) for one in task.remedy.expected),
    )


def _step(step: Step, way: Way, values: Sequence[PlanValue]) -> PlanStep:
    own = step.ways.get(way, way)
    return PlanStep(
        id=step.id,
        title=step.title,
        way=own,
        changes=filled(step.changes, values),
        restart=step.restart,
        rollback=step.rollback.kind if step.rollback else None,
        rollback_how="; ".join(text for text in (step.rollback.how, step.rollback.reason) if text) if step.rollback else "",
        by_hand=filled(step.by_hand, values) if own == "person" else "",
    )


def filled(text: str, values: Sequence[PlanValue]) -> str:
    """A declaration's text with `{variable}` replaced; values are data and are not looked into."""
    shown = {value.name: ", ".join(value.value) if isinstance(value.value, tuple) else str(value.value) for value in values}
    return re.sub(r"\{([a-z_0-9]+)\}", lambda match: shown.get(match[1], match[0]), text)
