"""Signs from the matrix: which violated rules speak of this host, and what kind of trouble each describes. Pure.

A rule's kind is read from its conditions, never from its name: products of two hosts make a conflict across hosts, several security
products or drivers of one host a conflict on it, a driver that is the one that fell a known defect, copies between hosts a job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from auditor.analysis.investigate.case import Case
from auditor.model.crash_knowledge import stem
from auditor.model.finding import Finding
from auditor.model.grade import CONFIDENCES, SEVERITIES
from auditor.model.hypothesis import Sign
from auditor.model.rule import Rule, Signature
from auditor.model.selector import Condition, CountSelector, ProductSelector

Kind = Literal["conflict_fleet", "conflict_host", "driver_bug", "copies", "other"]
_SECURITY = ("antivirus", "edr", "firewall", "hips", "dlp")
_WORDS: Mapping[str, str] = {
    "conflict_fleet": "a conflict of security products across hosts",
    "conflict_host": "a conflict of security products on this host",
    "driver_bug": "a known defect of a driver",
    "copies": "copies between hosts",
}


class Shape(msgspec.Struct):
    """What the conditions of a rule speak of."""

    product_hosts: set[str] = msgspec.field(default_factory=set)
    """Roles with a security product."""
    products: set[str] = msgspec.field(default_factory=set)
    several: bool = False
    """Counts several products or filters."""
    drivers: set[str] = msgspec.field(default_factory=set)
    """Drivers by stem of their name; globs are left out."""
    own_drivers: set[str] = msgspec.field(default_factory=set)
    """Drivers of the products that it asks for: a product and its own driver are one thing, not two."""
    filters: bool = False
    copies: bool = False
    jobs: bool = False


def rule_signs(case: Case) -> Iterator[Sign]:
    """For each kind the weightiest violated rule, and the weightiest of those that name the image that fell."""
    rules = {rule.id: rule for rule in case.known.matrix.rules}
    signatures = {signature.id: signature for signature in case.known.matrix.signatures}
    shapes = {id_: shape_of(rule, signatures) for id_, rule in rules.items()}
    for kind, words in _WORDS.items():
        for about in (False, True):
            yield _sign(case, kind, words, about, rules, shapes)


def _sign(case: Case, kind: str, words: str, about: bool, rules: Mapping[str, Rule], shapes: Mapping[str, Shape]) -> Sign:
    name = f"rule_{kind}{'_about_driver' if about else ''}"
    if about and not case.image:
        return Sign(id=name, state=None, text=f"whether a rule ties {words} to what fell can't be said: no driver is suspected")

    def fits(finding: Finding) -> bool:
        rule = rules.get(finding.rule)
        if rule is None or kind_of(rule, shapes[finding.rule]) != kind:
            return False
        return not about or names_image(case, rule, shapes[finding.rule])

    found = [finding for finding in case.seen.findings if fits(finding)]
    if kind == "driver_bug" and not about:
        found = [finding for finding in found if shapes[finding.rule].drivers]
    if found:
        return _held(name, max(found, key=_weight), words)
    undecided = [finding for finding in case.seen.undecided if fits(finding)]
    if undecided:
        why = "; ".join(undecided[0].missing[:3])
        text = f"the rule “{undecided[0].title}” could not be decided: {why}"
        return Sign(id=name, state=None, text=text, finding=undecided[0].id)
    if not case.host.collected:
        return Sign(id=name, state=None, text=f"{case.name} was not collected: no rule was held against it")
    tail = f" that has to do with {case.image}" if about else ""
    return Sign(id=name, state=False, text=f"no rule about {words}{tail} is violated here")


def _held(name: str, finding: Finding, words: str) -> Sign:
    others = ", ".join(subject.host for subject in finding.subjects)
    return Sign(
        id=name,
        state=True,
        text=f"{finding.summary or finding.title} ({words}; rule {finding.rule}, {finding.confidence})",
        evidence=finding.evidence,
        finding=finding.id,
        cap=finding.confidence,
        subject=others,
    )


def _weight(finding: Finding) -> tuple[int, int]:
    return SEVERITIES.index(finding.severity), CONFIDENCES.index(finding.confidence)


def kind_of(rule: Rule, shape: Shape) -> Kind:
    """What kind of trouble a rule describes."""
    if len(rule.roles) > 1:
        if len(shape.product_hosts) > 1:
            return "conflict_fleet"
        return "copies" if shape.copies else "other"
    if shape.several or len(shape.products) > 1 or (shape.products and (shape.drivers - shape.own_drivers or shape.filters)):
        return "conflict_host"
    if shape.drivers:
        return "driver_bug"
    return "copies" if shape.copies or shape.jobs else "other"


def names_image(case: Case, rule: Rule, shape: Shape) -> bool:
    """Whether a rule speaks of the image that fell: by a driver it asks for, or by its declared subject keys."""
    image = stem(case.image)
    return image in shape.drivers or image in {stem(key) for key in rule.subject_keys}


def shape_of(rule: Rule, signatures: Mapping[str, Signature]) -> Shape:
    """What a rule's conditions speak of."""
    shape = Shape()
    for condition in (rule.applies_to, rule.when):
        if condition is not None:
            _walk(condition, rule.roles, signatures, shape)
    return shape


def _walk(condition: Condition, roles: Sequence[str], signatures: Mapping[str, Signature], shape: Shape) -> None:
    for part in (*(condition.all_ or ()), *(condition.any_ or ())):
        _walk(part, roles, signatures, shape)
    if condition.product is not None:
        _product(condition.product, roles, signatures, shape)
    if condition.compare is not None:
        _product(condition.compare.left, roles, signatures, shape)
        _product(condition.compare.right, roles, signatures, shape)
    if condition.driver is not None and condition.driver.name:
        shape.drivers.add(stem(condition.driver.name))
    if condition.filter is not None:
        shape.filters = True
    if condition.count is not None:
        _count(condition.count, shape)
    if condition.edge is not None and "copies-to" in condition.edge.kinds:
        shape.copies = True
    if condition.ties is not None and "copies-to" in condition.ties.kinds:
        shape.copies = True
    if condition.task is not None:
        shape.jobs = True


def _product(selector: ProductSelector, roles: Sequence[str], signatures: Mapping[str, Signature], shape: Shape) -> None:
    signature = signatures.get(selector.id or "")
    kind = selector.kind or (signature.kind if signature else None)
    if signature is not None:
        own = (*signature.drivers, *(name for signs in signature.installed for name in signs.drivers))
        shape.own_drivers |= {stem(name) for name in own}
    if kind is None or kind in _SECURITY or kind == "management":
        shape.product_hosts.add(selector.host or roles[0])
        shape.products.add(selector.id or selector.kind or selector.vendor or "any")


def _count(selector: CountSelector, shape: Shape) -> None:
    if (selector.product is not None or selector.filter is not None) and (selector.at_least or 0) > 1:
        shape.several = True
