"""A small fleet for the tests of planning: hosts with their PowerShell, findings on them, remedies, ties."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from auditor.analysis.planning.facts import Ground, HostState, Made, Request
from auditor.analysis.planning.plan import make_plan
from auditor.model.finding import Edge, EdgeKind, Evidence, Finding, Report, Run, Subject, finding_id
from auditor.model.plan import Plan, PlanEvidence
from auditor.model.remedy import Expected, Remedy, RemedyFor, Rollback, Step, Variable
from auditor.model.rule import Rule
from auditor.model.selector import Condition
from auditor.model.version import Version, parse_version

AT = "2026-11-26T01:00:00Z"
MADE = Made(at=AT, by="op@console", auditor="0.1.0", matrix_digest="m", run="r1")


def version(text: str) -> Version:
    """A version."""
    found = parse_version(text)
    assert found is not None
    return found


def remedy(name: str = "fix", **more: Any) -> Remedy:
    """A remedy that sets something."""
    values: dict[str, Any] = {
        "title": "Fix it",
        "summary": "It fixes it.",
        "operation": "set",
        "steps": (
            Step(id="fix-it", title="Fix it", changes="sets {mode}", rollback=Rollback(kind="automatic"), by_hand="Set {mode} there."),
        ),
        "expected": (Expected(section="services", what="mode is {mode}"),),
        "rollback": Rollback(kind="automatic", how="put back"),
        "sources": ("incident",),
    }
    return Remedy(id=name, **{**values, **more})


def rule(name: str, roles: tuple[str, ...] = ("host",), remedy_id: str | None = "fix", given: RemedyFor | None = None) -> Rule:
    """A rule with a remedy."""
    texts = dict.fromkeys(("title", "subject", "mechanism", "effect", "resolution"), "text")
    condition = Condition()
    return Rule(
        id=name,
        severity="high",
        confidence="confirmed",
        roles=roles,
        when=condition,
        remedy=remedy_id,
        remedy_for=given,
        references=("incident",),
        **texts,  # type: ignore[arg-type]
    )


def finding(
    name: str, *hosts: str, roles: Sequence[str] = ("host",), evidence: Sequence[tuple[str, str, str]] | None = None, **more: Any
) -> Finding:
    """A violation; its evidence is one service of each host unless given as (host, section, record)."""
    subjects = tuple(Subject(role=role, host=host) for role, host in zip(roles, hosts, strict=True))
    told = evidence if evidence is not None else [(host, "services", "Guard") for host in hosts]
    values: dict[str, Any] = {"severity": "high", "verdict": "violated"} | more
    return Finding(
        id=finding_id(name, subjects, ()),
        rule=name,
        title=name,
        confidence="confirmed",
        subjects=subjects,
        evidence=tuple(Evidence(host=h, section=s, record=r) for h, s, r in told),
        resolution="Do it by hand.",
        **values,
    )


def state(host: str, powershell: str | None = "5.1", **more: Any) -> HostState:
    """What is known of a host."""
    shell = None if powershell is None else version(powershell)
    values: dict[str, Any] = {"evidence": PlanEvidence(collected_at=AT, digest=f"d-{host}"), "powershell": shell}
    return HostState(**{**values, "computer_name": host.upper(), **more})


def edge(kind: EdgeKind, source: str, target: str) -> Edge:
    """A tie of two hosts, or of a host to a group."""
    end = target if target.startswith("group:") else f"host:{target}"
    return Edge(kind=kind, source=f"host:{source}", target=end, claimant=source)


def request(findings: Sequence[Finding], *, remedies: Sequence[Remedy] = (), rules: Sequence[Rule] = (), **more: Any) -> Request:
    """A request; every host of the findings is known."""
    known = remedies or (remedy(),)
    names = {subject.host for found in findings for subject in found.subjects}
    values: dict[str, Any] = {
        "findings": tuple(findings),
        "rules": {one.id: one for one in rules or [rule(found.rule) for found in findings]},
        "remedies": {one.id: one for one in known},
        "grounds": {
            one.id: Ground(playbook="p", ansible_core="2.19.0", collections={}, minimum_powershell=version("5.1")) for one in known
        },
        "hosts": {name: state(name) for name in names},
        "edges": (),
    }
    return Request(**{**values, **more})


def planned(findings: Sequence[Finding], **more: Any) -> Plan:
    """The plan of a request."""
    return make_plan(request(findings, **more), MADE)


def waves(plan: Plan) -> list[list[str]]:
    """The hosts of each wave."""
    return [[item.host for item in wave.items] for wave in plan.waves]


def report(*findings: Finding, undetermined: Sequence[Finding] = (), coverage: Sequence[Any] = ()) -> Report:
    """A report."""
    run = Run(id="r1", started_at=AT, auditor="0.1.0", matrix_digest="m", rules=1)
    return Report(run=run, coverage=tuple(coverage), findings=findings, undetermined=tuple(undetermined))


def with_variables(*variables: Variable, **more: Any) -> Remedy:
    """The remedy with these variables."""
    return msgspec.structs.replace(remedy(**more), variables=variables)
