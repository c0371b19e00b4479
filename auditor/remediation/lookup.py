"""Finds things inside a plan: the actions and hosts of an item, the findings of a host, how an item is named. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from auditor.model.errors import RemediationError
from auditor.model.plan import Plan, PlanAction, PlanFinding, PlanHost, WaveItem


def key(item: WaveItem) -> str:
    """How a record names an item."""
    return f"{item.remedy} {item.host}"


def action_of(plan: Plan, remedy: str) -> PlanAction:
    """The action of a remedy. Raises RemediationError where the plan contradicts itself."""
    for action in plan.actions:
        if action.remedy == remedy:
            return action
    raise RemediationError(f"the plan's waves name {remedy}, and no action does")


def host_of(plan: Plan, item: WaveItem) -> PlanHost:
    """What is done on the item's host. Raises RemediationError where the plan contradicts itself."""
    for host in action_of(plan, item.remedy).hosts:
        if host.host == item.host:
            return host
    raise RemediationError(f"the plan's waves name {item.remedy} on {item.host}, and no action does")


def findings_of(plan: Plan, items: Iterable[WaveItem]) -> tuple[PlanFinding, ...]:
    """The findings that these items are to cure."""
    wanted = {finding for item in items for finding in host_of(plan, item).findings}
    return tuple(finding for finding in plan.findings if finding.id in wanted)


def hosts_to_read(plan: Plan, items: Iterable[WaveItem]) -> list[str]:
    """The hosts of these items, and the other hosts of their findings."""
    chosen = list(items)
    others = [host for finding in findings_of(plan, chosen) for host in finding.hosts]
    return list(dict.fromkeys([*(item.host for item in chosen), *others]))


def all_items(plan: Plan) -> list[WaveItem]:
    """Every item, in the order of the waves."""
    return [item for wave in plan.waves for item in wave.items]


def items_of(plan: Plan, finding: str, items: Collection[WaveItem]) -> list[WaveItem]:
    """Those of the items that are to cure a finding."""
    return [item for item in items if finding in host_of(plan, item).findings]
