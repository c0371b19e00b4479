"""What is derived from one snapshot under one matrix, in a form that can be kept, and a host as rules see it made from that.

Rules of this file:
1. What is kept is all that the fleet needs of a host that is not looked at itself; its snapshot is read only where a rule looks into it.
2. A host made from what was kept says the same as one made from its snapshot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from auditor.analysis.conditions.binding import Binding
from auditor.analysis.host.claims import Claims
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.rules.ruleset import RolePlan, RuleSet
from auditor.model.finding import Product
from auditor.model.host import SECTION_NAMES, Snapshot
from auditor.model.signature import Signature

FORMAT = 2
"""Raised where what is kept, or what it is made by, changes."""
Read = Callable[[], Snapshot]


class KeptHost(msgspec.Struct, frozen=True, array_like=True):
    """Derived facts of a host that was collected."""

    products: tuple[Product, ...]
    unsure: dict[str, tuple[str, ...]]
    doubts: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Product, field, and what is missing to know it."""
    unseen: dict[str, str]
    """Sections whose listing is not complete, with why."""
    claims: Claims
    plays: tuple[str, ...] = ()
    """What roles ask (`RolePlan.asks`) that the host meets or may meet, where the host alone decides."""
    concerned: tuple[str, ...] = ()
    """Rules with one role, looking at the ties of the whole fleet, that can concern it."""


def keep(facts: HostFacts, rules: RuleSet) -> KeptHost:
    """What is to be kept of a host whose products were detected."""
    concern = rules.concerning(facts)
    unseen = {name: why for name in SECTION_NAMES if (why := facts.unseen(name)) is not None}
    doubts = tuple((id_, field, reasons) for (id_, field), reasons in facts.doubts.items())
    return KeptHost(
        products=facts.products,
        unsure=dict(facts.unsure),
        doubts=doubts,
        unseen=unseen,
        claims=facts.claims,
        plays=tuple(dict.fromkeys(plan.asks for plan in concern.plans if plan.alone and _plays(plan, facts))),
        concerned=tuple(compiled.rule.id for compiled in concern.single if compiled.ties),
    )


def _plays(plan: RolePlan, facts: HostFacts) -> bool:
    return plan.test(Binding({plan.key[1]: facts})).value is not False


class KeptFacts(HostFacts):
    """A host made from what was kept. Its snapshot is read on first use."""

    def __init__(self, name: str, groups: tuple[str, ...], kept: KeptHost, signatures: Mapping[str, Signature], read: Read) -> None:
        self._begin(name, groups)
        self._read = read
        self._unseen = {section: kept.unseen.get(section) for section in SECTION_NAMES}
        self.products, self.unsure, self.signatures = kept.products, kept.unsure, signatures
        self.doubts = {(id_, field): reasons for id_, field, reasons in kept.doubts}
        self.claims = kept.claims

    def __getattr__(self, name: str) -> Any:
        """`snapshot` and `sections`, while the snapshot was not read."""
        if name not in ("snapshot", "sections"):
            raise AttributeError(name)
        self.snapshot = self._read()
        self.sections = self.snapshot.sections
        return getattr(self, name)
