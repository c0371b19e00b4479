"""From records and signatures to products. Knows no product by name: everything is in the signatures.

Rules of this file:
1. One sign is enough, unless its group says that another product uses the same name (`unless`).
2. A driver whose file is gone, and signs that outlive an uninstallation, make a remnant.
3. A product is absent only where a section was fully seen that a running product can't be missing from: services or drivers where the
   signature has such signs, else any section with signs. Otherwise its presence is not known, with the reasons.
4. Values are tried in order of trust; a role or an edition is open as soon as an earlier sign is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, cast

import msgspec

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.conditions.condition import compile_condition
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.products.signs import SignIndex
from auditor.analysis.products.values import read_value
from auditor.model.finding import Evidence, Product, ProductRole
from auditor.model.grade import CONFIDENCES, Confidence
from auditor.model.host import Snapshot
from auditor.model.selector import Condition
from auditor.model.signature import RoleSign, Signature, Signs

_VALUES = ("version", "engine", "definitions", "parent", "group")
_HOST = "host"


class Detection(NamedTuple):
    """What was recognised on a host, and what could not be."""

    products: tuple[Product, ...]
    unsure: Mapping[str, tuple[str, ...]]
    """Signature id to what is missing, where the presence is not known."""
    doubts: Mapping[tuple[str, str], tuple[str, ...]]
    """Signature id and field to what is missing, where a value is not known."""


class _Plan:
    """A signature with its conditions compiled."""

    def __init__(self, signature: Signature, setting: Setting) -> None:
        self.signature = signature
        groups = [*((signs, True) for signs in signature.installed), *((signs, False) for signs in signature.remnant)]
        self.groups = tuple((signs, _compiled(signs.unless, setting), installed) for signs, installed in groups)
        self.roles = tuple((sign, _compiled(sign.when, setting)) for sign in signature.roles)
        self.editions = tuple((sign, _compiled(sign.when, setting)) for sign in signature.editions)
        self.active = _compiled(signature.active, setting)
        self.telling = telling_sections(signature)
        self.kept = tuple(
            dict.fromkeys(
                [("key", source.key) for signs in signature.installed for source in signs.registry]
                + [("file", source.path) for signs in signature.installed for source in signs.files]
            )
        )
        """Registry keys and files among its signs."""


def _compiled(condition: Condition | None, setting: Setting) -> Test | None:
    return compile_condition(condition, setting) if condition is not None else None


class _Presence:
    """Evidence for a product as it is gathered."""

    def __init__(self) -> None:
        self.installed: list[Evidence] = []
        self.leftovers: list[Evidence] = []
        self.doubts: list[str] = []


class Detector:
    """Signatures made ready once, to be held against many hosts."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        setting = Setting((_HOST,), {})
        self.signatures: Mapping[str, Signature] = {signature.id: signature for signature in signatures}
        self._plans = tuple(_Plan(signature, setting) for signature in signatures)
        self._index = SignIndex([[signs for signs, _, _ in plan.groups] for plan in self._plans])

    def detect(self, facts: HostFacts) -> Detection:
        """Products of a host in the order of their ids; fills `products`, `unsure`, `doubts` and `signatures` of the facts."""
        binding = Binding({_HOST: facts})
        products: list[Product] = []
        unsure: dict[str, tuple[str, ...]] = {}
        doubts: dict[tuple[str, str], tuple[str, ...]] = {}
        hits = self._index.hits(facts)
        for number, plan in enumerate(self._plans):
            unseen = _undecided(facts, plan)
            if number not in hits and not unseen:
                continue
            presence = _presence(plan, hits.get(number, {}), binding)
            if presence.installed or (presence.leftovers and not presence.doubts and not unseen):
                products.append(_product(plan, presence, binding, doubts))
            elif presence.doubts or unseen:
                unsure[plan.signature.id] = tuple(dict.fromkeys([*presence.doubts, *unseen]))
        facts.products = tuple(sorted(products, key=lambda p: p.id))
        facts.unsure, facts.doubts, facts.signatures = unsure, doubts, self.signatures
        return Detection(facts.products, unsure, doubts)


def detect_products(snapshot: Snapshot, signatures: Sequence[Signature]) -> tuple[Product, ...]:
    """The products of one snapshot. For many hosts make one `Detector`."""
    return Detector(signatures).detect(HostFacts(snapshot)).products


def detection_gaps(snapshot: Snapshot, signature: Signature) -> tuple[str, ...]:
    """Why the presence of a product can't be decided on this snapshot (`host: section: reason`); empty where it can."""
    return Detector((signature,)).detect(HostFacts(snapshot)).unsure.get(signature.id, ())


def telling_sections(signature: Signature) -> tuple[str, ...]:
    """Sections one of which must be fully seen before the product counts as absent."""
    with_signs = {section for signs in signature.installed for section in sections_of(signs)}
    strong = tuple(section for section in ("services", "drivers") if section in with_signs)
    return strong or tuple(sorted(with_signs))


def sections_of(signs: Signs) -> Iterable[str]:
    """Sections that hold signs of a group."""
    named = {"programs": signs.programs, "services": signs.services, "drivers": signs.drivers, "security": signs.registry or signs.files}
    return [section for section, there in named.items() if there]


def _undecided(facts: HostFacts, plan: _Plan) -> tuple[str, ...]:
    reasons: list[str] = []
    for section in plan.telling:
        unseen = facts.unseen(section)
        if unseen is not None:
            reasons.append(unseen)
        elif section != "security" or not (unasked := _unasked(facts, plan.kept)):
            return ()
        else:
            reasons += unasked
    return tuple(reasons)


def _unasked(facts: HostFacts, kept: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(reason for kind, name in kept for reason in facts.unasked(kind, name)) if facts.asked is not None else ()


def _presence(plan: _Plan, hits: Mapping[int, Mapping[tuple[Evidence, bool], None]], binding: Binding) -> _Presence:
    presence = _Presence()
    for number, found in hits.items():
        signs, unless, installed = plan.groups[number]
        outcome = unless(binding) if unless else None
        if outcome is not None and outcome.value:
            continue
        if outcome is not None and outcome.value is None:
            presence.doubts += outcome.missing
            continue
        for evidence, alive in found:
            told = msgspec.structs.replace(evidence, about="presence", confidence=signs.confidence, source=signs.source)
            (presence.installed if installed and alive else presence.leftovers).append(told)
    return presence


def _product(plan: _Plan, presence: _Presence, binding: Binding, doubts: dict[tuple[str, str], tuple[str, ...]]) -> Product:
    signature, facts = plan.signature, binding.hosts[_HOST]
    evidence = [*presence.installed, *presence.leftovers]
    texts: dict[str, str | None] = {}
    open_: dict[str, tuple[str, ...]] = {}
    for field in _VALUES:
        value = read_value(facts, getattr(signature, field), field)
        texts[field] = value.text
        evidence += value.evidence
        if value.text is None and value.missing:
            open_[field] = value.missing
    for field, signs in (("role", plan.roles), ("edition", plan.editions)):
        texts[field] = _decide(signs, field, binding, evidence, open_)
    active = plan.active(binding) if plan.active else None
    if active is not None and active.value is None:
        open_["active"] = active.missing
    doubts.update({(signature.id, field): missing for field, missing in open_.items()})
    return Product(
        host=facts.name,
        id=signature.id,
        name=signature.name,
        vendor=signature.vendor,
        edition=texts["edition"],
        role=cast("ProductRole", texts["role"] or "unknown"),
        version=texts["version"],
        engine=texts["engine"],
        definitions=texts["definitions"],
        parent=texts["parent"],
        group=texts["group"],
        active=active.value if active else None,
        remnant=not presence.installed,
        confidence=_best(evidence),
        evidence=tuple(evidence) + _about("active", active.evidence if active and active.value else ()),
        unknown=tuple(open_),
    )


def _decide(
    signs: tuple[tuple[RoleSign, Test | None], ...],
    field: str,
    binding: Binding,
    evidence: list[Evidence],
    open_: dict[str, tuple[str, ...]],
) -> str | None:
    """The first sign that holds; an unknown one leaves the field open."""
    for sign, test in signs:
        outcome = test(binding) if test else None
        if outcome is not None and outcome.value is None:
            open_[field] = outcome.missing
            return None
        if outcome is None or outcome.value:
            found = outcome.evidence if outcome else ()
            told = _about(field, found)
            evidence += [msgspec.structs.replace(e, confidence=sign.confidence, source=sign.source) for e in told]
            return sign.is_
    return None


def _about(field: str, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(msgspec.structs.replace(e, about=field) for e in evidence)


def _best(evidence: list[Evidence]) -> Confidence:
    """The highest confidence among the signs of presence."""
    ranks = [CONFIDENCES.index(e.confidence) for e in evidence if e.about == "presence" and e.confidence]
    return CONFIDENCES[max(ranks, default=0)]
