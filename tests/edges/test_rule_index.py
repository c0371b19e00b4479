"""The index of rules changes nothing: what a fleet comes to is the same where every rule is decided on every host."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from functools import cache

import msgspec
import pytest

from auditor.analysis.evaluate import Evaluation, bind, can_play, evaluate_rules, make_finding
from auditor.analysis.fleet import Fleet, build_fleet
from auditor.analysis.ruleset import PairRule, RuleSet
from auditor.matrix import load_matrix
from auditor.matrix.cases import RuleCase, grown
from auditor.matrix.convert import convert
from auditor.matrix.fragments import snapshot_of
from auditor.matrix.load import CASES
from auditor.matrix.strict_yaml import read_yaml
from auditor.model.finding import Finding
from auditor.model.host import SECTION_NAMES, Gap, LogCoverage, Question, Section, Sections, Snapshot, Target
from auditor.model.places import shipped
from auditor.model.rule import Matrix

PARTS = 8


class EveryHost:
    """Candidates without an index."""

    def of(self, fleet: Fleet, rule: PairRule, role: str) -> Collection[str]:
        return frozenset(name for name in fleet.collected if can_play(fleet, rule, role, name))


@cache
def shipped_matrix() -> Matrix:
    return load_matrix([shipped("compat_matrix")])


@cache
def cases() -> tuple[RuleCase, ...]:
    """The cases of all shipped rules."""
    found: list[RuleCase] = []
    for path in sorted((shipped("compat_matrix") / "rules").rglob("*" + CASES)):
        document, _ = read_yaml(path)
        assert document is not None
        earlier: dict[str | None, RuleCase] = {}
        for number, value in enumerate(document.value):
            case, _ = convert(document, value, RuleCase, (number,), path.name)
            assert case is not None
            earlier[case.name] = grown(case, earlier.get(case.like))
        found += earlier.values()
    return tuple(found)


def fleet_of(case: RuleCase, chance: random.Random) -> Fleet:
    """The case's hosts, with what was not seen of them now and then."""
    hosts = {name: host for name, host in case.hosts.items() if host is not None}
    targets = [
        Target(name=name, address=host.address or name, port=5985, scheme="http", transport="ntlm", groups=host.groups)
        for name, host in hosts.items()
    ]
    snapshots = {name: damaged(snapshot_of(name, host), chance) for name, host in hosts.items() if host.collected}
    return build_fleet(snapshots, targets, shipped_matrix())


def damaged(snapshot: Snapshot, chance: random.Random) -> Snapshot:
    """A snapshot some of whose sections were refused, cut short, have lost records, or were asked for in part."""
    sections = {name: getattr(snapshot.sections, name) for name in SECTION_NAMES}
    for name in chance.sample(SECTION_NAMES, chance.choice((0, 0, 1, 1, 2, 5))):
        sections[name] = hurt(sections[name], chance)
    asked = chance.choice((snapshot.asked, snapshot.asked, Question(), Question(security_keys=("SOFTWARE\\*",))))
    short = LogCoverage(log="System", asked_from="2025-12-01T00:00:00Z", oldest="2026-01-01T00:00:00Z")
    coverage = chance.choice((snapshot.log_coverage, (short,)))
    return msgspec.structs.replace(snapshot, sections=Sections(**sections), asked=asked, log_coverage=coverage)


def hurt(section: Section, chance: random.Random) -> Section:  # type: ignore[type-arg]
    way = chance.randrange(5)
    if way == 0:
        return Section(status="denied", reason="access is denied")
    if way == 1:
        return msgspec.structs.replace(section, status="partial", reason="the time was up")
    if way == 2:
        return Section(status="not_asked")
    gap = Gap(record="SOFTWARE\\Policies" if way == 3 else "something", field="", reason="access is denied")
    return msgspec.structs.replace(section, status="partial", reason="1 not read, see gaps", gaps=(*section.gaps, gap))


def without_index(fleet: Fleet, rules: RuleSet) -> Iterator[Finding]:
    for compiled in rules.single:
        for name in fleet.collected:
            verdict, outcome = compiled.decide(bind(fleet, compiled.rule, (name,)))
            if verdict in ("violated", "undetermined"):
                yield make_finding(compiled.rule, verdict, (name,), outcome)


def told(evaluation: Evaluation) -> list[Finding]:
    return [*evaluation.findings, *evaluation.undetermined]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_rule_on_every_host_says_the_same(part: int) -> None:
    rules = RuleSet(shipped_matrix())
    single = {compiled.rule.id for compiled in rules.single}
    compared = 0
    for number, case in list(enumerate(cases()))[part::PARTS]:
        fleet = fleet_of(case, random.Random(number))
        indexed = evaluate_rules(fleet, rules)
        alone = sorted((f for f in told(indexed) if f.rule in single), key=lambda f: f.id)
        assert alone == sorted(without_index(fleet, rules), key=lambda f: f.id), case.name
        pairs = [f for f in told(indexed) if f.rule not in single]
        assert pairs == [f for f in told(evaluate_rules(fleet, rules, None, EveryHost())) if f.rule not in single], case.name
        compared += len(alone) + len(pairs)
    assert compared > 100


def test_hosts_without_any_damage_say_the_same() -> None:
    rules = RuleSet(shipped_matrix())
    single = {compiled.rule.id for compiled in rules.single}
    for case in cases()[::5]:
        hosts = {name: snapshot_of(name, host) for name, host in case.hosts.items() if host is not None and host.collected}
        fleet = build_fleet(hosts, [], shipped_matrix())
        indexed = sorted((f for f in told(evaluate_rules(fleet, rules)) if f.rule in single), key=lambda f: f.id)
        assert indexed == sorted(without_index(fleet, rules), key=lambda f: f.id), case.name
