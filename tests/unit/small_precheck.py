"""A small world for the tests of the pre-check: a product with roles, groups and a driver, rules over it, and a way to ask. Values only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from auditor.analysis.fleet.fleet import Fleet, build_fleet
from auditor.analysis.precheck.run import Outcome, check_waves
from auditor.analysis.precheck.spec import read_change
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.ruleset import RuleSet
from auditor.model.host import Snapshot
from auditor.model.rule import Matrix, Rule
from auditor.model.signature import Signature
from auditor.model.whatif import Change, ChangeKind, HostAnswer, Wave
from tests.unit.small_fleet import GUARD, KEY, OTHER, kept, matrix, rule, signature, snapshot, target

NOW = datetime(2026, 1, 2, 15, 4, 5, tzinfo=UTC)
SYSTEM = [{"version": "10.0.17763", "build": 17763, "product_type": "server", "architecture": "x64", "pending_reboot": []}]
INSTALLS = [
    {"roles": ["server"], "programs": ["Acme Guard Server"]},
    {"roles": ["managed_client", "unmanaged_client"], "programs": ["Acme Guard"]},
    {
        "services": [{"name": "guardsvc"}],
        "drivers": [{"name": "guard", "altitudes": ["321000"], "company": "Acme"}],
        "disk_mb": 100,
        "restart": True,
        "source": "https://acme.example/install",
    },
    {"part": "Alerts", "services": [{"name": "guardalert"}]},
    {"versions": "vers:windows/>=10", "drivers": [{"name": "guardnet", "altitudes": []}]},
]
GUARD_INSTALLED: dict[str, Any] = {**GUARD, "installs": INSTALLS, "releases": ["9", "10.0", "10.1"], "drivers": ["guard", "guardold"]}

OLD_SERVER: dict[str, Any] = {
    "system": SYSTEM,
    "programs": [{"key": "g", "view": "native", "name": "Acme Guard Server", "version": "9.0"}],
    "services": [{"name": "guardsvc", "state": "running", "start": "auto"}],
    "drivers": [{"name": "guard", "state": "running", "file_exists": True}, {"name": "bad", "state": "running", "file_exists": True}],
    "security": [kept("Version", "9.0"), kept("Name", "One", f"{KEY}\\Group")],
}
PLAIN: dict[str, Any] = {"system": SYSTEM}

PAIR = {
    "id": "newer-updates-older",
    "severity": "high",
    "confidence": "suspected",
    "roles": ["old", "new"],
    "subject": "{new} and {old}",
    "applies_to": {
        "all": [
            {"product": {"host": "old", "id": "acme-guard", "role": "server"}},
            {"product": {"host": "new", "id": "acme-guard", "role": "server"}},
        ]
    },
    "when": {
        "all": [
            {
                "compare": {
                    "left": {"host": "old", "id": "acme-guard"},
                    "relation": "older",
                    "right": {"host": "new", "id": "acme-guard"},
                    "by": "major",
                }
            },
            {"driver": {"host": "old", "name": "bad", "state": "running"}},
            {
                "any": [
                    {"edge": {"source": "new", "target": "old", "kinds": ["logs-on-to"], "either_way": True}},
                    {"edge": {"source": "new", "target": "old", "kinds": ["copies-to"], "either_way": True}},
                    {"edge": {"source": "new", "target": "old", "kinds": ["same-group"], "product": "acme-guard"}},
                ]
            },
        ]
    },
}
TWO = {
    "id": "two-at-once",
    "severity": "high",
    "when": {"count": {"product": {"kind": "antivirus", "active": True}, "at_least": 2}},
}
LOW = {"id": "guard-is-there", "severity": "low", "when": {"product": {"id": "acme-guard"}}}
LONELY = {
    "id": "server-without-clients",
    "severity": "low",
    "applies_to": {"product": {"id": "acme-guard", "role": "server"}},
    "when": {"ties": {"direction": "out", "kinds": ["manages"], "product": "acme-guard", "at_most": 0}},
}


def world(*rules: Mapping[str, Any], guard: Mapping[str, Any] | None = None, others: Sequence[Signature] = ()) -> Matrix:
    """A matrix of these rules with the two products."""
    return matrix([rule(**body) for body in rules], (signature(guard or GUARD_INSTALLED), signature(OTHER), *others))


def fleet_of(hosts: Mapping[str, Mapping[str, Any] | None], found: Matrix, groups: Mapping[str, tuple[str, ...]] | None = None) -> Fleet:
    """A fleet of fragments."""
    snapshots: dict[str, Snapshot] = {name: snapshot(name, **sections) for name, sections in hosts.items() if sections is not None}
    return build_fleet(snapshots, [target(name, groups=(groups or {}).get(name, ())) for name in hosts], found)


def change(kind: ChangeKind, text: str, found: Matrix) -> Change:
    """A change as the command line would write it."""
    return read_change(kind, text, f"--{kind.replace('_', '-')} {text}", {s.id: s for s in found.signatures})


def check(
    hosts: Mapping[str, Mapping[str, Any] | None], found: Matrix, changes: Sequence[tuple[ChangeKind, str]], on: Sequence[str] = ("B",)
) -> Outcome:
    """The outcome of one wave."""
    wave = Wave(name="all", hosts=tuple(on), changes=tuple(change(kind, text, found) for kind, text in changes))
    return check_waves(fleet_of(hosts, found), [wave], RuleSet(found), Detector(found.signatures), NOW)


def answer(hosts: Mapping[str, Mapping[str, Any] | None], found: Matrix, *changes: tuple[ChangeKind, str], on: str = "B") -> HostAnswer:
    """What is said of one host."""
    (said,) = check(hosts, found, changes, (on,)).hosts
    return said


def rules_in(deltas: Sequence[Any]) -> list[str]:
    """Ids of the rules of some deltas."""
    return [delta.finding.rule for delta in deltas]


def bytes_of(fleet: Fleet) -> bytes:
    """Everything that the snapshots of a fleet hold."""
    return msgspec.json.encode({name: facts.snapshot for name, facts in fleet.hosts.items()})


__all__ = ["KEY", "LONELY", "LOW", "NOW", "OLD_SERVER", "PAIR", "PLAIN", "TWO", "Rule", "answer", "change", "check", "fleet_of", "world"]
