"""Selectors over what a host's system is: Windows, service pack, build, roles, maker, updates and features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.matching import choose, undecided, version_in
from auditor.analysis.host.outcome import FALSE, TRUE, Outcome, conjoin_tests, unknown
from auditor.model.pattern import compile_pattern
from auditor.model.selector import FeatureSelector, OsSelector, UpdateSelector
from auditor.model.version import VersionRange


def compile_os(selector: OsSelector, setting: Setting) -> Test:
    """The operating system; each part that the selector names must hold."""
    role = setting.role(selector.host)
    parts = _os_parts(selector)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        if facts.system is None and (unseen := facts.unseen("system")):
            return unknown(unseen)
        return conjoin_tests(parts, facts)

    return test


def _os_parts(selector: OsSelector) -> list[Callable[[HostFacts], Outcome]]:
    parts: list[Callable[[HostFacts], Outcome]] = []
    if selector.generation:
        allowed = frozenset(selector.generation)
        parts.append(lambda facts: _system_value(facts, "version", facts.generation, facts.generation in allowed))
    if selector.build is not None:
        parts.append(_build(VersionRange(selector.build)))
    if selector.service_pack is not None:
        pack = version_in("service_pack_text", selector.service_pack)[1]
        parts.append(lambda facts: _service_pack(facts, pack))
    parts += [_one_of(field, frozenset(wanted)) for field in ("product_type", "architecture") if (wanted := getattr(selector, field))]
    if selector.role is not None:
        parts.append(_host_role(selector.role))
    if selector.manufacturer is not None:
        parts.append(_maker(selector.manufacturer))
    return parts


def _maker(pattern: str) -> Callable[[HostFacts], Outcome]:
    fits = compile_pattern(pattern)

    def part(facts: HostFacts) -> Outcome:
        value = facts.system.manufacturer if facts.system else None
        return _system_value(facts, "manufacturer", value, value is not None and fits(value.casefold()))

    return part


def _system_value(facts: HostFacts, field: str, value: object, holds: bool) -> Outcome:
    if value is None:
        return unknown(facts.unseen("system") or facts.why("system", "system", field))
    return _system_holds(facts, field, value) if holds else FALSE


def _system_holds(facts: HostFacts, field: str, value: object) -> Outcome:
    """Many rules ask for the same of a system."""
    key = (field, value)
    known = facts.of_system.get(key)
    if known is None:
        known = facts.of_system[key] = Outcome(True, (facts.evidence("system", "system", field, value),))
    return known


def _one_of(field: str, allowed: frozenset[str]) -> Callable[[HostFacts], Outcome]:
    def part(facts: HostFacts) -> Outcome:
        value = getattr(facts.system, field, None)
        return _system_value(facts, field, value, value in allowed)

    return part


class _Pack:
    """A service pack's number as the text that ranges read."""

    __slots__ = ("service_pack_text",)

    def __init__(self, number: int) -> None:
        self.service_pack_text = str(number)


def _service_pack(facts: HostFacts, fits: Callable[[Any], bool | None]) -> Outcome:
    number = facts.system.service_pack if facts.system else None
    return _system_value(facts, "service_pack", number, number is not None and bool(fits(_Pack(number))))


def _build(span: VersionRange) -> Callable[[HostFacts], Outcome]:
    def part(facts: HostFacts) -> Outcome:
        bounds = facts.build_bounds
        if bounds is None:
            return _system_value(facts, "version", None, False)
        low, high = bounds[0] in span, bounds[1] in span
        value = None if low != high else str(bounds[0])
        return _system_value(facts, "revision", value, low)

    return part


def _host_role(word: str) -> Callable[[HostFacts], Outcome]:
    fits = compile_pattern(word)

    def part(facts: HostFacts) -> Outcome:
        if any(fits(group.casefold()) for group in facts.groups):
            return TRUE
        if facts.system and (found := [r for r in facts.system.roles if fits(r.casefold())]):
            return Outcome(True, (facts.evidence("system", "system", "roles", found),))
        return undecided(facts, "system", [])

    return part


def compile_update(selector: UpdateSelector, setting: Setting) -> Test:
    """An installed update, one of several."""
    role, wanted = setting.role(selector.host), frozenset(kb.casefold() for kb in selector.any_of)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        found = [record for record in facts.sections.updates.records if record.id.casefold() in wanted]
        return choose(facts, "updates", found, (), lambda r: str(r.id), lambda record: record.casefold() in wanted)

    return test


def compile_feature(selector: FeatureSelector, setting: Setting) -> Test:
    """An installed role or feature of Windows."""
    role, fits = setting.role(selector.host), compile_pattern(selector.name)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        found = [record for record in facts.sections.roles.records if fits(record.name.casefold())]
        return choose(facts, "roles", found, (), lambda r: str(r.name), lambda record: fits(record.casefold()))

    return test
