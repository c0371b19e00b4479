"""Selectors over the products of a host: one product, and the order of two products' versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.outcome import FALSE, Outcome, disjoin
from auditor.model.finding import Product
from auditor.model.pattern import compile_pattern, is_glob
from auditor.model.selector import CompareSelector, ProductSelector
from auditor.model.signature import Signature
from auditor.model.version import Version, VersionRange, parse_version

_TOLD = ("version", "role", "edition", "parent", "group", "engine", "definitions", "active")
_TOLD_BY = {"definitions_older_than_days": "definitions"}
ProductTest = tuple[str, Callable[[Product], bool | None]]


class Matches(NamedTuple):
    """Products that fit, products that may fit with what is missing, and what else is missing (presence of products)."""

    sure: list[Product]
    open: list[tuple[Product, tuple[str, ...]]]
    unsure: dict[str, tuple[str, ...]]

    @property
    def none(self) -> bool:
        """Whether no product that was seen can fit."""
        return not self.sure and not self.open

    def candidates(self) -> list[tuple[Product, tuple[str, ...]]]:
        """Products that fit, with nothing missing, then those that may."""
        return [*((product, ()) for product in self.sure), *self.open]


def compile_product(selector: ProductSelector, setting: Setting) -> Test:
    """An installed product (or a remnant where asked for) that fits everything said."""
    role, match = setting.role(selector.host), compile_matches(selector, setting)
    asked = asked_fields(selector)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        matches = match(facts)
        if matches.sure:
            return Outcome(True, tuple(e for product in matches.sure for e in facts.told(product, asked)))
        missing = [m for _, reasons in matches.open for m in reasons] + [m for reasons in matches.unsure.values() for m in reasons]
        return Outcome(None, missing=tuple(dict.fromkeys(missing))) if missing else FALSE

    return test


def asked_fields(selector: ProductSelector) -> frozenset[str]:
    """Fields of a product that a selector names, whose evidence bears on it."""
    return frozenset(field for field in _TOLD if getattr(selector, field) is not None)


def compile_matches(selector: ProductSelector, setting: Setting | None = None) -> Callable[[HostFacts], Matches]:
    """The products of a host against a selector, with what is in doubt. `setting` is needed where days are counted."""
    identity = _Identity(selector)
    tests = tuple(_tests(selector))
    aged = selector.definitions_older_than_days is not None
    exact = selector.id if selector.id and not is_glob(selector.id) else None

    def match(facts: HostFacts) -> Matches:
        sure: list[Product] = []
        open_: list[tuple[Product, tuple[str, ...]]] = []
        meant = identity.of(facts)
        products = facts.products_by_id.get(exact, ()) if exact else facts.products
        for product in products:
            if product.id not in meant:
                continue
            verdict, fields = _fits((*tests, *_aged(selector, setting, facts)) if aged else tests, product)
            if verdict:
                sure.append(product)
            elif verdict is None:
                open_.append((product, tuple(m for field in fields for m in facts.doubts_of(product.id, field))))
        unsure = {id_: facts.unsure[id_] for id_ in facts.unsure.keys() & meant} if facts.unsure else {}
        if selector.remnant:
            unsure |= {id_: reasons for id_, reasons in facts.unsure_remnants.items() if id_ not in unsure and id_ in meant}
        return Matches(sure, open_, dict(sorted(unsure.items())) if unsure else unsure)

    return match


class _Identity:
    """Signature ids that a selector means, by id, vendor and kind; the same for all hosts that were held against the same signatures."""

    def __init__(self, selector: ProductSelector) -> None:
        self._selector = selector
        self._by_id = compile_pattern(selector.id) if selector.id is not None else None
        self._by_vendor = compile_pattern(selector.vendor) if selector.vendor is not None else None
        self._left_out = frozenset(selector.except_ids)
        self._known: tuple[Mapping[str, Signature], frozenset[str]] | None = None

    def of(self, facts: HostFacts) -> frozenset[str]:
        """The ids, among the signatures that were looked for and the products of the host."""
        if self._known is None or self._known[0] is not facts.signatures:
            ids = frozenset(id_ for id_, signature in facts.signatures.items() if self._meant(id_, signature))
            self._known = (facts.signatures, ids)
        ids = self._known[1]
        if not facts.strange_products:
            return ids
        return ids.union(p.id for p in facts.strange_products if self._meant(p.id, None))

    def _meant(self, id_: str, signature: Signature | None) -> bool:
        if id_ in self._left_out or (self._by_id and not self._by_id(id_.casefold())):
            return False
        if signature is None:
            return self._by_vendor is None and self._selector.kind is None
        by_vendor = self._by_vendor is None or self._by_vendor(signature.vendor.casefold())
        return by_vendor and self._selector.kind in (None, signature.kind)


def _tests(selector: ProductSelector) -> Iterable[ProductTest]:
    wanted_remnant = bool(selector.remnant)
    yield "remnant", lambda p: None if "remnant" in p.unknown else p.remnant is wanted_remnant
    for field in ("edition", "parent", "group", "definitions"):
        if (pattern := getattr(selector, field)) is not None:
            yield field, _optional_text(field, pattern)
    if selector.role is not None:
        yield "role", lambda p: None if p.role == "unknown" else p.role == selector.role
    for field in ("version", "engine"):
        if (span := getattr(selector, field)) is not None:
            yield field, _range(field, VersionRange(span))
    if selector.active is not None:
        yield "active", lambda p: None if p.active is None else p.active is selector.active


def _aged(selector: ProductSelector, setting: Setting | None, facts: HostFacts) -> tuple[ProductTest, ...]:
    """The test for old definitions, as of the day on which a host is judged."""
    days = selector.definitions_older_than_days
    if days is None or setting is None:
        return ()
    today = day_number(setting.day(facts))

    def test(product: Product) -> bool | None:
        made = day_number(product.definitions)
        return None if made is None or today is None else today - made > days

    return (("definitions", test),)


def day_number(text: str | None) -> int | None:
    """Days since year 1 of a text that begins with `YYYY-MM-DD`; None where it does not."""
    try:
        return date.fromisoformat((text or "")[:10]).toordinal()
    except ValueError:
        return None


def _optional_text(field: str, pattern: str) -> Callable[[Product], bool | None]:
    fits = compile_pattern(pattern)

    def test(product: Product) -> bool | None:
        value = getattr(product, field)
        if value is None and field in product.unknown:
            return None
        return fits((value or "").casefold())

    return test


def _range(field: str, span: VersionRange) -> Callable[[Product], bool | None]:
    def test(product: Product) -> bool | None:
        version = parse_version(getattr(product, field), span.scheme)
        return None if version is None else version in span

    return test


def _fits(tests: tuple[ProductTest, ...], product: Product) -> tuple[bool | None, list[str]]:
    unknown: list[str] = []
    for field, test in tests:
        fits = test(product)
        if fits is False:
            return False, []
        if fits is None:
            unknown.append(field)
    return (None if unknown else True), unknown


def compile_compare(selector: CompareSelector, setting: Setting) -> Test:
    """Whether one product's version is older, newer, the same or different; true where a pair of fitting products is so."""
    left, right = compile_matches(selector.left), compile_matches(selector.right)
    roles = setting.role(selector.left.host), setting.role(selector.right.host)

    def test(binding: Binding) -> Outcome:
        hosts = binding.hosts[roles[0]], binding.hosts[roles[1]]
        ours, theirs = left(hosts[0]), right(hosts[1])
        if any(side.none and not side.unsure for side in (ours, theirs)):
            return FALSE
        pairs = [_pair(selector, hosts, one, other) for one in ours.candidates() for other in theirs.candidates()]
        absent = [Outcome(None, missing=reasons) for side in (ours, theirs) for reasons in side.unsure.values()]
        return disjoin([*pairs, *absent])

    return test


Candidate = tuple[Product, tuple[str, ...]]
"""A product and what is missing to be sure that it fits."""


def _pair(selector: CompareSelector, hosts: tuple[HostFacts, HostFacts], one: Candidate, other: Candidate) -> Outcome:
    ours, theirs = _version(hosts[0], one[0]), _version(hosts[1], other[0])
    missing = [*one[1], *other[1]]
    missing += hosts[0].doubts_of(one[0].id, "version") if ours is None else ()
    missing += hosts[1].doubts_of(other[0].id, "version") if theirs is None else ()
    if ours is not None and theirs is not None and not _ordered(ours, selector.relation, theirs, selector.by):
        return FALSE
    return Outcome(None, missing=tuple(missing)) if missing else Outcome(True, _versions_told(one[0]) + _versions_told(other[0]))


def _versions_told(product: Product) -> tuple[Any, ...]:
    return tuple(e for e in product.evidence if e.about == "version")


def _version(facts: HostFacts, product: Product) -> Version | None:
    signature = facts.signatures.get(product.id)
    return parse_version(product.version, signature.scheme if signature else "windows")


def _ordered(left: Version, relation: str, right: Version, by: str) -> bool:
    if by == "full":
        sign = (left > right) - (left < right)
    else:
        depth = 1 if by == "major" else 2
        ours, theirs = ([*v.parts, 0][:depth] for v in (left, right))
        sign = (ours > theirs) - (ours < theirs)
    return {"older": sign < 0, "newer": sign > 0, "same": sign == 0, "different": sign != 0}[relation]
