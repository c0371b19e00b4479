"""What became of a host, as coverage of the report. Pure; renders nothing."""

from __future__ import annotations

from auditor.model.errors import Problem
from auditor.model.finding import HostCoverage, SectionCoverage
from auditor.model.host import SECTION_NAMES, HostResult, Snapshot


def host_coverage(result: HostResult) -> HostCoverage:
    """How much of a host was seen."""
    snapshot = result.snapshot
    return HostCoverage(
        host=result.host,
        status=result.status,
        reason=result.reason,
        next_step=result.next_step,
        collected_at=snapshot.collected_at if snapshot else None,
        transport=snapshot.transport if snapshot else "",
        sections=_sections(snapshot) if snapshot else (),
    )


def _sections(snapshot: Snapshot) -> tuple[SectionCoverage, ...]:
    named = ((name, getattr(snapshot.sections, name)) for name in SECTION_NAMES)
    return tuple(
        SectionCoverage(name=name, status=s.status, reason=s.reason, records=len(s.records) or len(s.readings), gaps=len(s.gaps))
        for name, s in named
    )


def refused_coverage(problem: Problem) -> HostCoverage:
    """A host of the inventory that can't be asked."""
    return HostCoverage(host=problem.subject, status="not_asked", reason=str(problem), next_step="Correct the inventory.")
