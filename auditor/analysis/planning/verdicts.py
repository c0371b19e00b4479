"""What became of the findings that a plan was to cure, from reports before and after. Pure; silence is never taken for a cure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from auditor.model.finding import Finding, Report
from auditor.model.grade import SEVERITIES
from auditor.model.plan import FindingVerdict, PlanFinding


def verdicts(planned: Iterable[PlanFinding], before: Report, after: Report, hosts: Collection[str]) -> tuple[FindingVerdict, ...]:
    """One verdict for each planned finding. `hosts` are those that were changed: a new finding there, as bad or worse, is got_worse."""
    return tuple(_verdict(finding, after, _new(finding, before, after, hosts)) for finding in planned)


def _verdict(finding: PlanFinding, after: Report, new: list[Finding]) -> FindingVerdict:
    if any(found.id == finding.id for found in (*after.findings, *(entry.finding for entry in after.waived))):
        return FindingVerdict(finding=finding.id, verdict="still_there", reason="the rule is violated as before")
    if new:
        reason = "new since: " + ", ".join(f"{found.rule} ({found.severity})" for found in new[:5])
        return FindingVerdict(finding=finding.id, verdict="got_worse", reason=reason)
    if open_ := next((found for found in after.undetermined if found.id == finding.id), None):
        return FindingVerdict(finding=finding.id, verdict="not_checked", reason="; ".join(open_.missing[:3]) or "undetermined")
    unseen = {host.host: host.reason for host in after.coverage if host.status not in ("ok", "partial")}
    seen = {host.host for host in after.coverage}
    for host in finding.hosts:
        if host in unseen or host not in seen:
            return FindingVerdict(finding=finding.id, verdict="not_checked", reason=f"{host}: {unseen.get(host) or 'was not read again'}")
    return FindingVerdict(finding=finding.id, verdict="fixed")


def _new(finding: PlanFinding, before: Report, after: Report, hosts: Collection[str]) -> list[Finding]:
    known = {found.id for found in before.findings}
    least = SEVERITIES.index(finding.severity)
    return [
        found
        for found in after.findings
        if found.id not in known and SEVERITIES.index(found.severity) >= least and any(s.host in hosts for s in found.subjects)
    ]
