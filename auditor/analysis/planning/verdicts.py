"""What became of the findings that a plan was to cure, from reports before and after. Pure; silence is never taken for a cure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from auditor.model.finding import Finding, Report
from auditor.model.grade import SEVERITIES, Severity
from auditor.model.plan import FindingVerdict, PlanFinding

ORDER_LEAST: Severity = "medium"
"""A host that was changed by order, without a finding, got worse with a new finding of this severity."""


def verdicts(
    planned: Iterable[PlanFinding], before: Report, after: Report, seen: Collection[str], restart: Collection[str] = ()
) -> tuple[FindingVerdict, ...]:
    """One verdict for each planned finding. A new finding on one of its hosts, as bad or worse, makes it worse.

    `seen` are hosts that were read again, `restart` those that said that they need a restart before the change counts.
    """
    return tuple(_verdict(finding, before, after, seen, restart) for finding in planned)


def order_verdict(remedy: str, host: str, before: Report, after: Report, seen: Collection[str]) -> FindingVerdict:
    """The verdict on a host that was changed without a finding: whether something new is wrong there."""
    name = f"{remedy} {host}"
    if new := _new((host,), ORDER_LEAST, before, after):
        return FindingVerdict(finding=name, verdict="got_worse", reason=_words(new))
    if reason := _unseen((host,), after, seen):
        return FindingVerdict(finding=name, verdict="not_checked", reason=reason)
    return FindingVerdict(
        finding=name, verdict="fixed", reason="ordered without a finding; the play read it again, and nothing new is wrong"
    )


def present(finding: str, report: Report) -> bool:
    """Whether the report has the finding, accepted or not."""
    return any(found.id == finding for found in (*report.findings, *(entry.finding for entry in report.waived)))


def _verdict(finding: PlanFinding, before: Report, after: Report, seen: Collection[str], restart: Collection[str]) -> FindingVerdict:
    there = present(finding.id, after)
    if new := _new(finding.hosts, finding.severity, before, after):
        words = _words(new) + ("; and the rule is violated as before" if there else "")
        return FindingVerdict(finding=finding.id, verdict="got_worse", reason=words)
    waiting = [host for host in finding.hosts if host in restart]
    if there and waiting:
        return FindingVerdict(
            finding=finding.id, verdict="not_checked", reason=f"{', '.join(waiting)}: a restart is needed before it counts"
        )
    if there:
        return FindingVerdict(finding=finding.id, verdict="still_there", reason="the rule is violated as before")
    if open_ := next((found for found in after.undetermined if found.id == finding.id), None):
        return FindingVerdict(finding=finding.id, verdict="not_checked", reason="; ".join(open_.missing[:3]) or "undetermined")
    if reason := _unseen(finding.hosts, after, seen):
        return FindingVerdict(finding=finding.id, verdict="not_checked", reason=reason)
    return FindingVerdict(finding=finding.id, verdict="fixed")


def _unseen(hosts: Iterable[str], after: Report, seen: Collection[str]) -> str:
    """Why one of the hosts was not read again; empty where all were."""
    coverage = {host.host: host for host in after.coverage}
    for host in hosts:
        if host in coverage and coverage[host].status not in ("ok", "partial"):
            return f"{host}: {coverage[host].reason or coverage[host].status}"
        if host not in coverage or host not in seen:
            return f"{host}: was not read again"
    return ""


def _words(new: list[Finding]) -> str:
    return "new since: " + ", ".join(f"{found.rule} ({found.severity})" for found in new[:5])


def _new(hosts: Collection[str], least: Severity, before: Report, after: Report) -> list[Finding]:
    known = {found.id for found in before.findings} | {entry.finding.id for entry in before.waived}
    bar = SEVERITIES.index(least)
    return [
        found
        for found in after.findings
        if found.id not in known and SEVERITIES.index(found.severity) >= bar and any(s.host in hosts for s in found.subjects)
    ]
