"""Which host each finding has changed, by which remedy, and which way. Pure.

A host is changed only for a finding that rests on what was read from itself: what another host says of it alone starts nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from auditor.analysis.planning.facts import HostState, Request
from auditor.model.errors import RemediationError
from auditor.model.finding import Finding
from auditor.model.remedy import Remedy, Way

PACKAGES = frozenset({"convert", "install", "remove", "upgrade", "repoint"})
"""Operations of which one host takes one at a time."""


class Task(NamedTuple):
    """One remedy on one host, with the findings that ask for it."""

    remedy: Remedy
    host: str
    findings: tuple[Finding, ...]


def tasks_of(request: Request) -> tuple[list[Task], list[str]]:
    """What is to be done, and what is left to a person because nothing can be planned for it."""
    found: dict[tuple[str, str], list[Finding]] = {}
    by_hand: list[str] = []
    for finding in request.findings:
        rule = request.rules.get(finding.rule)
        name = request.remedy or (rule.remedy if rule else None)
        if name is None:
            by_hand.append(f"{finding.rule} on {_hosts(finding)}: {finding.resolution or 'no remedy is known'}")
            continue
        if name not in request.remedies:
            raise RemediationError(f"there is no playbook {name!r}", next_step=f"known: {', '.join(sorted(request.remedies))}")
        target = target_of(request, finding)
        if request.only and target not in request.only:
            continue
        if reason := _not_its_own(finding, target, request):
            by_hand.append(f"{finding.rule} on {target}: {reason}")
            continue
        found.setdefault((name, target), []).append(finding)
    for host in request.ordered:
        name = _ordered(request, host)
        found.setdefault((name, host), [])
    tasks = [Task(request.remedies[name], host, tuple(findings)) for (name, host), findings in found.items()]
    _refuse_contradictions(tasks)
    return tasks, by_hand


def _ordered(request: Request, host: str) -> str:
    """The remedy that a person orders on a host without a finding. Raises RemediationError."""
    if request.remedy is None:
        raise RemediationError(f"{host}: which remedy?", next_step="name it with --remedy")
    if request.remedy not in request.remedies:
        raise RemediationError(f"there is no playbook {request.remedy!r}", next_step=f"known: {', '.join(sorted(request.remedies))}")
    state = request.hosts.get(host)
    if state is None:
        raise RemediationError(f"{host}: the store holds nothing that was read from it", next_step="audit it first")
    if not state.reachable:
        raise RemediationError(f"{host}: the inventory for changes does not reach it", next_step="add it there")
    return request.remedy


def target_of(request: Request, finding: Finding) -> str:
    """The host that the remedy of a finding changes. Raises RemediationError where the rule does not say."""
    hosts = {subject.role: subject.host for subject in finding.subjects}
    rule = request.rules.get(finding.rule)
    role = rule.remedy_for.target if rule and rule.remedy_for else None
    if role is None and len(hosts) == 1:
        return next(iter(hosts.values()))
    if role is None or role not in hosts:
        raise RemediationError(
            f"the rule {finding.rule} does not say which of {', '.join(hosts.values())} its remedy changes",
            next_step="add remedy_for.target to the rule",
        )
    return hosts[role]


def _hosts(finding: Finding) -> str:
    return ", ".join(dict.fromkeys(subject.host for subject in finding.subjects))


def _not_its_own(finding: Finding, target: str, request: Request) -> str:
    """Why the host may not be changed for this finding; empty where it may."""
    state = request.hosts.get(target)
    if state is None:
        return "the store holds nothing that was read from it: audit it first"
    if not any(evidence.host == target for evidence in finding.evidence):
        return "the finding rests on what other hosts say of it only"
    return "" if state.reachable else "the inventory for changes does not reach it"


def _refuse_contradictions(tasks: Iterable[Task]) -> None:
    """Two remedies on one host that install, remove or convert, or are about one product, undo or disturb each other."""
    seen: dict[str, list[Task]] = {}
    for task in tasks:
        for other in seen.get(task.host, ()):
            packages = {task.remedy.operation, other.remedy.operation} <= PACKAGES
            same = task.remedy.product is not None and task.remedy.product == other.remedy.product
            if packages or same:
                why = f"are both about {task.remedy.product}" if same else "both change what is installed"
                raise RemediationError(
                    f"{task.host}: {other.remedy.id} and {task.remedy.id} {why}",
                    next_step="plan them one after the other: choose with --finding, --rule or --remedy",
                )
        seen.setdefault(task.host, []).append(task)


def way_of(request: Request, remedy: Remedy, host: str) -> tuple[Way, str]:
    """How a host is reached, and why so."""
    state = request.hosts[host]
    if chosen := request.ways.get(host) or request.ways.get("*"):
        way = next((way for way in remedy.ways if way == chosen), None)
        if way is None:
            raise RemediationError(f"{remedy.id} knows no way {chosen!r}", next_step=f"it knows {', '.join(remedy.ways)}")
        return way, "the operator chose it"
    needed = request.grounds[remedy.id].minimum_powershell
    for way in remedy.ways:
        if way == "modules" and state.powershell is not None and state.powershell >= needed:
            return way, f"PowerShell {state.powershell} is at least {needed}, which Ansible's modules need"
        if way == "raw":
            return way, _why_raw(state, str(needed))
    return "person", "no unattended way is known for this host"


def _why_raw(state: HostState, needed: str) -> str:
    if state.has_powershell is False:
        return "it has no PowerShell: command lines with guards of their own"
    if state.powershell is None:
        return "its PowerShell was not seen: command lines with guards of their own need none"
    return f"PowerShell {state.powershell} is older than {needed}, which Ansible's modules need: command lines with guards of their own"
