"""The values that a host's run gets, each with where it comes from: a person, the rule, the finding, the playbook's default. Pure."""

from __future__ import annotations

from typing import NamedTuple

from auditor.analysis.planning.choose import Task
from auditor.analysis.planning.facts import Request
from auditor.model.errors import RemediationError
from auditor.model.finding import Evidence, Finding
from auditor.model.plan import Origin, PlanValue
from auditor.model.remedy import GivenBy, Value, Variable, Way

_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


class Values(NamedTuple):
    """What is known of a host's values."""

    given: tuple[PlanValue, ...]
    secrets: tuple[str, ...]
    """Names of secrets that the run takes."""
    required_secrets: tuple[str, ...]
    missing: tuple[str, ...]
    """Required values that nobody has set: `name: meaning`."""


def values_of(request: Request, task: Task, way: Way) -> Values:
    """The values of a task on its host. Raises RemediationError where one does not fit."""
    given: list[PlanValue] = []
    missing: list[str] = []
    wanted = [variable for variable in task.remedy.variables if way == "person" or way in variable.ways]
    for variable in wanted:
        if variable.type == "secret":
            continue
        told = _told(request, task, variable)
        if told is not None:
            given.append(PlanValue(name=variable.name, value=_checked(told[0], variable, task.host), origin=told[1]))
        elif variable.required:
            missing.append(f"{variable.name}: {variable.meaning}")
    secrets = [variable for variable in wanted if variable.type == "secret" and way != "person"]
    required = tuple(variable.name for variable in secrets if variable.required)
    return Values(tuple(given), tuple(variable.name for variable in secrets), required, tuple(missing))


def _told(request: Request, task: Task, variable: Variable) -> tuple[Value, Origin] | None:
    for host in (task.host, "*"):
        if (host, variable.name) in request.values:
            return request.values[host, variable.name], "operator"
    told = [found for finding in task.findings if (found := _from_finding(request, finding, task, variable)) is not None]
    if not told:
        return None if variable.default is None else (variable.default, "default")
    return _joined(told, variable, task)


def _from_finding(request: Request, finding: Finding, task: Task, variable: Variable) -> tuple[Value, Origin] | None:
    rule = request.rules.get(finding.rule)
    if rule is None or rule.remedy_for is None or rule.remedy != task.remedy.id:
        return None
    given = rule.remedy_for.values.get(variable.name)
    return _given(request, finding, task.host, given, variable) if given is not None else None


def _joined(told: list[tuple[Value, Origin]], variable: Variable, task: Task) -> tuple[Value, Origin]:
    """One value of several findings: lists are joined, and single values must agree."""
    if variable.type == "texts":
        texts = [text for value, _ in told for text in (value if isinstance(value, tuple) else (str(value),))]
        return tuple(dict.fromkeys(texts)), told[0][1]
    if len({repr(value) for value, _ in told}) > 1:
        raise RemediationError(
            f"{task.host}: the findings want different values of {variable.name}: {', '.join(sorted({str(v) for v, _ in told}))}",
            next_step="plan them one after the other with --finding, or set the value with --set",
        )
    return told[0]


def _given(request: Request, finding: Finding, target: str, given: GivenBy, variable: Variable) -> tuple[Value, Origin] | None:
    hosts = {subject.role: subject.host for subject in finding.subjects}
    if given.literal is not None:
        return given.literal, "rule"
    if given.host is not None:
        name = hosts.get(given.host)
        state = request.hosts.get(name or "")
        return (None if name is None else (state.computer_name or name, "finding")) if state else None
    whose = hosts.get(given.role, target) if given.role else target
    records = tuple(dict.fromkeys(text for e in finding.evidence if e.host == whose and (text := _named(e, given))))
    if variable.type == "texts":
        return (records, "finding") if records else None
    return (records[0], "finding") if len(records) == 1 else None


def _named(evidence: Evidence, given: GivenBy) -> str:
    """What an evidence names for a value: its record, or the text of one of its fields; empty where it is about something else."""
    if evidence.section != given.evidence or given.field not in (None, evidence.field):
        return ""
    return evidence.value if given.field else evidence.record


def _checked(value: Value, variable: Variable, host: str) -> Value:
    """The value in its variable's type; a person's words are read as such. Raises RemediationError."""
    fits = {"text": str, "whole": int, "truth": bool, "texts": tuple}.get(variable.type, str)
    if isinstance(value, str):
        value = _read(value, variable)
    if not isinstance(value, fits) or (variable.type == "whole" and isinstance(value, bool)):
        raise RemediationError(f"{host}: {variable.name} is {variable.type}, and {value!r} is not", next_step=variable.meaning)
    wrong = [one for one in (value if isinstance(value, tuple) else (value,)) if variable.choices and str(one) not in variable.choices]
    if wrong:
        raise RemediationError(f"{host}: {variable.name} is one of {', '.join(variable.choices)}, not {wrong[0]!r}")
    return value


def _read(text: str, variable: Variable) -> Value:
    if variable.type == "texts":
        return (text,)
    if variable.type == "whole" and text.strip().isascii() and text.strip().isdigit():
        return int(text)
    return _TRUTHS.get(text.strip().casefold(), text) if variable.type == "truth" else text
