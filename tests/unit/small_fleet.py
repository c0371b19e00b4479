"""Small hosts, signatures and rules for the tests of the analysis; values only, no files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from auditor.analysis.fleet.fleet import Fleet, build_fleet
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.rules.evaluate import Evaluation, evaluate
from auditor.matrix.fragments import HostFragment, snapshot_of
from auditor.model.host import Snapshot, Target
from auditor.model.rule import Matrix, Rule
from auditor.model.selector import Condition
from auditor.model.signature import Signature

KEY = "SOFTWARE\\Acme\\Guard"
DENIED = {"status": "denied", "reason": "access denied"}

GUARD: dict[str, Any] = {
    "id": "acme-guard",
    "name": "Guard",
    "vendor": "Acme",
    "kind": "antivirus",
    "installed": [
        {
            "programs": ["Acme Guard*"],
            "services": ["guardsvc"],
            "drivers": ["guard"],
            "confidence": "confirmed",
            "source": "https://acme.example/",
        }
    ],
    "remnant": [{"registry": [{"key": KEY}]}],
    "version": [{"registry": {"key": KEY, "value": "Version"}}, {"program": "Acme Guard*", "confidence": "probable"}],
    "parent": [{"registry": {"key": KEY, "value": "Parent"}}],
    "group": [{"registry": {"key": f"{KEY}\\Group", "value": "Name"}}],
    "roles": [
        {"is": "managed_client", "when": {"setting": {"key": KEY, "value": "Parent", "pattern": "?*"}}},
        {"is": "server", "when": {"setting": {"key": f"{KEY}\\Group", "present": True}}},
        {"is": "unmanaged_client"},
    ],
    "active": {"service": {"name": "guardsvc", "state": "running"}},
    "updates_group": True,
}
OTHER: dict[str, Any] = {
    "id": "other-shield",
    "name": "Shield",
    "vendor": "Other",
    "kind": "antivirus",
    "installed": [{"services": ["shieldsvc"]}],
    "active": {"service": {"name": "shieldsvc", "state": "running"}},
}


def signature(body: Mapping[str, Any], **changes: Any) -> Signature:
    """A signature from plain values."""
    return msgspec.convert({**body, **changes}, Signature)


def condition(**body: Any) -> Condition:
    """A condition as YAML would write it: `condition(driver={"name": "x"})`."""
    return msgspec.convert({name.rstrip("_"): value for name, value in body.items()}, Condition)


def rule(**changes: Any) -> Rule:
    """A rule with one role unless said otherwise."""
    body: dict[str, Any] = {
        "id": "a-rule",
        "title": "A rule",
        "severity": "medium",
        "confidence": "probable",
        "when": {"driver": {"name": "bad"}},
        "subject": "{host} has it.",
        "mechanism": "m",
        "effect": "e",
        "resolution": "r",
        "references": ["https://acme.example/kb"],
    }
    return msgspec.convert({**body, **changes}, Rule)


def snapshot(name: str = "A", **sections: Any) -> Snapshot:
    """A host whose sections are rows, or mappings with a status; sections that are left out are ok and empty."""
    return snapshot_of(name, msgspec.convert(sections, HostFragment))


def facts(name: str = "A", **sections: Any) -> HostFacts:
    """Facts of such a host, without products."""
    return HostFacts(snapshot(name, **sections))


def target(name: str, address: str | None = None, **more: Any) -> Target:
    """An inventory entry."""
    return Target(name=name, address=address or name, port=5985, scheme="http", transport="ntlm", **more)


def matrix(rules: Sequence[Rule] = (), signatures: Sequence[Signature] = ()) -> Matrix:
    """A matrix of these."""
    return Matrix(rules=tuple(rules), signatures=tuple(signatures), digest="0" * 64)


def fleet(hosts: Mapping[str, Mapping[str, Any] | None], found: Matrix | None = None) -> Fleet:
    """A fleet; a host without sections (None) is a target of which nothing was collected."""
    snapshots = {name: snapshot(name, **sections) for name, sections in hosts.items() if sections is not None}
    signatures = matrix((), (signature(GUARD), signature(OTHER)))
    return build_fleet(snapshots, [target(name) for name in hosts], found or signatures)


def evaluated(hosts: Mapping[str, Mapping[str, Any] | None], *rules: Rule) -> Evaluation:
    """Rules over a fleet with the two products of this module."""
    found = matrix(rules, (signature(GUARD), signature(OTHER)))
    return evaluate(fleet(hosts, found), found)


def kept(value: str, data: str | None, key: str = KEY, **more: Any) -> dict[str, Any]:
    """A registry row of the security section."""
    return {"kind": "registry", "path": f"HKLM\\{key}", "name": value, "data": data, **more}
