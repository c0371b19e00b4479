"""The index of rules changes nothing: what a fleet comes to is the same where every rule is decided on every host."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest

from auditor.analysis.fleet.fleet import Fleet, build_fleet
from auditor.analysis.rules.evaluate import Evaluation, bind, can_play, evaluate_rules, make_finding
from auditor.analysis.rules.ruleset import PairRule, RuleSet
from auditor.matrix.fragments import snapshot_of
from auditor.model.finding import Finding
from tests.edges.case_fleets import cases, fleets, shipped_matrix

PARTS = 8


class EveryHost:
    """Candidates without an index."""

    def of(self, fleet: Fleet, rule: PairRule, role: str) -> Collection[str]:
        return frozenset(name for name in fleet.collected if can_play(fleet, rule, role, name))

    def concerned(self, fleet: Fleet, rule: str) -> Collection[str]:
        return fleet.collected


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
    for case, targets, snapshots in fleets(slice(part, None, PARTS), 1):
        fleet = build_fleet(snapshots, targets, shipped_matrix())
        indexed = evaluate_rules(fleet, rules)
        alone = sorted((f for f in told(indexed) if f.rule in single), key=lambda f: f.id)
        assert alone == sorted(without_index(fleet, rules), key=lambda f: f.id), case
        pairs = [f for f in told(indexed) if f.rule not in single]
        assert pairs == [f for f in told(evaluate_rules(fleet, rules, None, EveryHost())) if f.rule not in single], case
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
