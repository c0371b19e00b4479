"""A fleet made from kept facts says what the fleet says that was made from the snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest

from auditor.analysis.fleet.fleet import Fleet, answered, build_fleet, fleet_of, unknown_host
from auditor.analysis.fleet.impact import host_impact, product_holders, product_impact, unsure_of_product
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.kept.kept import KeptFacts, KeptHost, keep
from auditor.analysis.kept.kept_fleet import FleetIndex, index_of, open_fleet
from auditor.analysis.precheck.run import check_waves
from auditor.analysis.precheck.spec import read_change
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.evaluate import Candidates, evaluate_rules
from auditor.analysis.rules.ruleset import RuleSet
from auditor.model.host import Snapshot, Target
from auditor.model.whatif import Change, ChangeKind, Wave
from tests.edges.case_fleets import fleets, shipped_matrix

PARTS = 8
NOW = datetime(2026, 1, 3, tzinfo=UTC)
ASKED: tuple[tuple[ChangeKind, str], ...] = (
    ("install", "symantec-antivirus@10.0,role=server,group=Corp"),
    ("install", "symantec-endpoint-protection@14.3"),
    ("remove", "symantec-antivirus"),
    ("os_upgrade", "2019"),
)


def again(value: object, kind: type) -> object:
    return msgspec.json.decode(msgspec.json.encode(value, order="deterministic"), type=kind)


class Keeper:
    """What would lie in a store."""

    def __init__(self, snapshots: Mapping[str, Snapshot], targets: list[Target], rules: RuleSet, detector: Detector) -> None:
        self.snapshots, self.rules, self.detector = snapshots, rules, detector
        self.groups = {target.name: target.groups for target in targets}
        self.kept: dict[str, KeptHost] = {}
        for name, snapshot in snapshots.items():
            if answered(snapshot):
                facts = HostFacts(snapshot, self.groups.get(name, ()))
                detector.detect(facts)
                self.kept[name] = again(keep(facts, rules), KeptHost)  # type: ignore[assignment]
        whole = fleet_of({name: self.make(name) for name in sorted({*self.groups, *snapshots})}, targets)
        self.index: FleetIndex = again(index_of(whole, rules, self.kept, {}), FleetIndex)  # type: ignore[assignment]
        self.whole = whole

    def make(self, name: str) -> HostFacts:
        groups = self.groups.get(name, ())
        if name not in self.kept:
            return unknown_host(name, groups, "", self.detector)
        return KeptFacts(name, groups, self.kept[name], self.detector.signatures, lambda: self.snapshots[name])

    def open(self) -> tuple[Fleet, Candidates]:
        return open_fleet(self.index, self.make, self.rules)


@pytest.mark.parametrize("part", range(PARTS))
def test_rules_say_the_same(part: int) -> None:
    rules, detector = RuleSet(shipped_matrix()), Detector(shipped_matrix().signatures)
    for case, targets, snapshots in fleets(slice(part, None, PARTS), 2):
        fleet = build_fleet(snapshots, targets, shipped_matrix())
        keeper = Keeper(snapshots, targets, rules, detector)
        expected = evaluate_rules(fleet, rules)
        assert evaluate_rules(keeper.whole, rules) == expected, case
        opened, candidates = keeper.open()
        assert evaluate_rules(opened, rules, None, candidates) == expected, case
        assert opened.collected == fleet.collected
        assert {e for e in fleet.graph.edges if e.kind != "updates"} == set(opened.graph.edges), case
        assert opened.graph.unresolved == fleet.graph.unresolved


@pytest.mark.parametrize("part", range(PARTS))
def test_pre_checks_say_the_same(part: int) -> None:
    rules, detector = RuleSet(shipped_matrix()), Detector(shipped_matrix().signatures)
    asked = [read_change(kind, text, f"{kind} {text}", detector.signatures, ()) for kind, text in ASKED]
    for case, targets, snapshots in fleets(slice(part, None, 2 * PARTS), 3):
        fleet = build_fleet(snapshots, targets, shipped_matrix())
        keeper = Keeper(snapshots, targets, rules, detector)
        for number, host in enumerate(fleet.collected[:2]):
            opened, candidates = keeper.open()
            waves = [wave("one", host, asked[number]), wave("two", host, asked[(part + number) % len(asked)])]
            expected = check_waves(fleet, waves, rules, detector, NOW)
            assert check_waves(opened, waves, rules, detector, NOW, candidates) == expected, (case, host)


def wave(name: str, host: str, change: Change) -> Wave:
    return Wave(name=name, hosts=(host,), changes=(change,))


def test_impact_says_the_same() -> None:
    rules, detector = RuleSet(shipped_matrix()), Detector(shipped_matrix().signatures)
    for case, targets, snapshots in fleets(slice(0, None, 5), 4):
        fleet = build_fleet(snapshots, targets, shipped_matrix())
        opened, _ = Keeper(snapshots, targets, rules, detector).open()
        for host in fleet.hosts:
            assert host_impact(opened, host) == host_impact(fleet, host), (case, host)
        for id_ in {product.id for products in fleet.products.values() for product in products}:
            found = [product_impact(one, id_, product_holders(one, id_), unsure_of_product(one, id_)) for one in (fleet, opened)]
            assert found[0] == found[1], (case, id_)
