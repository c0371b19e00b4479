"""A baseline proposed from hosts that exist: what they have in common. A person keeps what is meant and strikes the rest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from auditor.analysis.drift.compare import system_of
from auditor.analysis.drift.items import Item, plain
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.own import OwnNames, own_names
from auditor.model.baseline import Allowed, Baseline, FieldRule, Learned, RecordRule, SectionBaseline, SectionPlan
from auditor.model.host import SECTION_NAMES, Snapshot

_MOST_VALUES = 3
"""A field with more values than this says nothing of the role."""


def learn_baseline(role: str, snapshots: Sequence[Snapshot], normaliser: Normaliser, *, at: str, share: int = 100) -> Baseline:
    """What at least `share` percent have of the hosts whose section was seen in full. `normaliser` is one between hosts."""
    sections: dict[str, SectionBaseline] = {}
    for name in SECTION_NAMES:
        plan = normaliser.plan(name)
        if not normaliser.compared(name) or plan.learn is None:
            continue
        seen = [s for s in snapshots if getattr(s.sections, name).seen]
        records = _records(name, plan, seen, normaliser, share)
        if records:
            sections[name] = SectionBaseline(records=records)
    hosts = tuple(sorted(snapshot.host for snapshot in snapshots))
    return Baseline(
        role=role, title=f"What a host of {role} looks like", learned=Learned(at=at, hosts=hosts, share=share), sections=sections
    )


def _records(name: str, plan: SectionPlan, seen: Sequence[Snapshot], normaliser: Normaliser, share: int) -> dict[str, RecordRule]:
    found: dict[str, list[tuple[Item, OwnNames]]] = {}
    for snapshot in seen:
        names = own_names(snapshot)
        items = {item.identity: item for item in normaliser.items(name, getattr(snapshot.sections, name).records, system_of(snapshot))}
        for identity, item in items.items():
            found.setdefault(identity, []).append((item, names))
    usual = [owned for owned in found.values() if 100 * len(owned) >= share * len(seen)]
    return {owned[0][0].key: _record(plan, owned, share) for owned in sorted(usual, key=lambda owned: owned[0][0].identity)}


def _record(plan: SectionPlan, owned: Sequence[tuple[Item, OwnNames]], share: int) -> RecordRule:
    fields: dict[str, FieldRule] = {}
    for field in plan.learn or ():
        if any(field in item.skip for item, _ in owned):
            continue
        rule = _field([names.mask(item.get(field)) for item, names in owned], share)
        if rule is not None:
            fields[field] = rule
    return fields or "present"


def _field(values: Sequence[Any], share: int) -> FieldRule:
    """The one value, or the few, that enough hosts have; None where too many differ or one is not known."""
    if any(not isinstance(value, str | int | bool | tuple) for value in values):
        return None
    counts = Counter(values)
    value, count = counts.most_common(1)[0]
    if 100 * count >= share * len(values):
        rule: FieldRule = value if not isinstance(value, tuple) else tuple(plain(value))
        return rule
    few = [value for value, _ in counts.most_common(_MOST_VALUES)]
    if len(counts) <= _MOST_VALUES and 2 * len(counts) <= len(values):
        return Allowed(any_of=tuple(few))
    return None
