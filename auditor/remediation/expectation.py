"""Tells drift what a plan is about to change, so that it counts as expected. Written before the change, narrowed after it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from auditor.model.change import Explanation
from auditor.model.plan import Plan, RemediationRecord, WaveItem
from auditor.model.times import stamp
from auditor.store import Store


def expect(store: Store, record: RemediationRecord, wave: int, items: Sequence[WaveItem], begin: datetime, end: datetime) -> None:
    """Notes the differences that the plan declares for these hosts, in this time. Called again, it replaces what was noted."""
    for remedy in dict.fromkeys(item.remedy for item in items):
        hosts = tuple(item.host for item in items if item.remedy == remedy)
        sections = _sections(record.plan, remedy, hosts)
        if sections:
            store.explain(
                Explanation(
                    id=f"{record.id}-{wave}-{remedy}",
                    kind="remediation",
                    reason=f"{remedy}, plan {record.plan_digest[:12]}",
                    by=record.by.who,
                    hosts=hosts,
                    from_=stamp(begin),
                    until=stamp(end),
                    sections=sections,
                )
            )


def _sections(plan: Plan, remedy: str, hosts: Sequence[str]) -> tuple[str, ...]:
    chosen = [host for action in plan.actions if action.remedy == remedy for host in action.hosts if host.host in hosts]
    return tuple(dict.fromkeys(one.section for host in chosen for one in host.expected))
