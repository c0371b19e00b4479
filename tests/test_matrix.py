"""The shipped matrix: every rule and signature loads, has its cases, names its sources, and comes out as its cases say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.analysis.conditions.condition import selectors_of
from auditor.analysis.fleet.fleet import build_fleet
from auditor.analysis.rules.evaluate import evaluate_rules
from auditor.analysis.rules.ruleset import RuleSet
from auditor.matrix import load_matrix, requested_keys, run_cases
from auditor.matrix.cases import CaseResult
from auditor.matrix.fragments import HostFragment, snapshot_of
from auditor.matrix.load import CASES
from auditor.matrix.remedies import load_remedies
from auditor.matrix.schema import schemas
from auditor.model.places import shipped
from auditor.model.rule import Matrix, Rule

ROOT = shipped("compat_matrix")
INCIDENT = "symantec-server-updates-older-server-beside-rapdrv"
IDS = sorted(path.stem for path in (ROOT / "rules").rglob("*.yml") if not path.name.endswith(CASES))
PRODUCTS = sorted(path.stem for path in (ROOT / "products").glob("*.yml") if not path.name.endswith(CASES))


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return load_matrix([ROOT])


@pytest.fixture(scope="module")
def results(matrix: Matrix) -> tuple[CaseResult, ...]:
    return run_cases([ROOT], matrix)


def rule(matrix: Matrix, id_: str) -> Rule:
    return next(rule for rule in matrix.rules if rule.id == id_)


def test_everything_loads(matrix: Matrix) -> None:
    assert [r.id for r in matrix.rules] == IDS
    assert [s.id for s in matrix.signatures] == PRODUCTS
    assert len(IDS) >= 100, "a hundred mechanisms; long lists are tables under one rule each"


@pytest.mark.parametrize("id_", IDS)
def test_a_rule_has_its_cases_and_they_hold(id_: str, results: tuple[CaseResult, ...]) -> None:
    own = [result for result in results if result.subject == id_]
    assert {"violated", "satisfied", "undetermined"} <= {result.expect for result in own}
    assert [f"{r.case}: {r.message}" for r in own if not r.passed] == []


@pytest.mark.parametrize("id_", PRODUCTS)
def test_a_product_has_its_cases_and_they_hold(id_: str, results: tuple[CaseResult, ...]) -> None:
    own = [result for result in results if result.subject == id_]
    assert own, "a cases file lies beside each signature"
    assert [f"{r.case}: {r.message}" for r in own if not r.passed] == []


@pytest.mark.parametrize("id_", IDS)
def test_a_rule_is_fit_to_be_printed(id_: str, matrix: Matrix) -> None:
    found = rule(matrix, id_)
    assert found.remedy is None or found.remedy in load_remedies()
    assert all(text == "incident" or re.match(r"https?://", text) for text in found.references)
    for text in (found.title, found.subject, found.mechanism, found.effect, found.resolution):
        assert text == text.strip() and "\n" not in text and len(text) < 600
    assert not found.title.endswith(".")
    assert found.subject.endswith(".")


def test_sources_are_given_for_what_is_called_confirmed(matrix: Matrix) -> None:
    """Confirmed means that a vendor or primary text says so: then the signature names one."""
    for found in matrix.signatures:
        groups = [*found.installed, *found.remnant]
        if any(signs.confidence == "confirmed" for signs in groups):
            assert found.references or all(signs.source for signs in groups if signs.confidence == "confirmed"), found.id


def test_drivers_are_never_called_bad_by_name_alone_without_running(matrix: Matrix) -> None:
    """A name in a service key is no proof: rules ask for a running or existing driver, a version, or a product beside it."""
    for found in matrix.rules:
        for name, selector in selectors_of(found.when):
            if name == "driver" and selector.name and found.applies_to is None:
                proofs = (selector.version, selector.state, selector.file_exists, selector.linked_from, selector.linked_to)
                named_only = all(proof is None for proof in proofs) and not selector.start
                assert not named_only or any(kind in ("product", "program") for kind, _ in selectors_of(found.when)), found.id


def test_the_schemas_are_those_of_the_types() -> None:
    """`python -m auditor.matrix.schema` writes them anew."""
    for name, text in schemas().items():
        assert (ROOT / "schema" / name).read_text(encoding="utf-8") == text, name


def test_no_signature_asks_for_whole_hives(matrix: Matrix) -> None:
    keys, files = requested_keys(matrix.signatures, matrix.rules, matrix.lists)
    assert all(key.count("\\") >= 1 and not key.upper().startswith("HK") for key in keys)
    assert all(path.startswith("%") for path in files)
    assert len(keys) < 250


def test_every_table_says_where_it_comes_from_and_is_used(matrix: Matrix) -> None:
    used = {name for found in matrix.rules for name in _tables_of(found)}
    for id_, table in matrix.lists.items():
        assert table.source and table.licence and re.fullmatch(r"\d{4}-\d\d-\d\d", table.date), id_
        assert "facts" in table.licence or table.attribution, f"{id_}: a list of others names its authors"
        assert id_ in used, f"{id_}: no rule stands on it"


def _tables_of(found: Rule) -> set[str]:
    conditions = [part for part in (found.applies_to, found.when) if part is not None]
    selectors = [selector for condition in conditions for _, selector in selectors_of(condition)]
    fields = ("table", "resembles", "altitudes")
    return {name for selector in selectors for field in fields if (name := getattr(selector, field, None))}


def test_no_two_rules_ask_for_the_same(matrix: Matrix) -> None:
    asked = [(found.roles, found.applies_to, found.when) for found in matrix.rules]
    assert [found.id for number, found in enumerate(matrix.rules) if asked[number] in asked[:number]] == []


def test_support_statements_of_a_product_do_not_contradict_each_other(matrix: Matrix) -> None:
    """One version on one system is supported or it is not."""
    for file in matrix.supports:
        said = [(s.says, s.version, system) for s in file.statements if s.beside is None for system in s.on]
        both = {(version, system) for _, version, system in said}
        assert len(both) == len({(says, version, system) for says, version, system in said}), file.product


QUIET_19: dict[str, Any] = {
    "system": [
        {
            "version": "10.0.17763",
            "build": 17763,
            "revision": 6414,
            "product_type": "server",
            "architecture": "x64",
            "manufacturer": "VMware, Inc.",
        }
    ],
    "services": [{"name": "WinDefend", "state": "running", "start": "auto"}],
    "drivers": [
        {
            "name": "WdFilter",
            "state": "running",
            "company": "Microsoft Corporation",
            "signature": "valid",
            "sha256": "0" * 64,
            "file_exists": True,
        }
    ],
    "filters": [{"name": "WdFilter", "instance": "WdFilter Instance", "altitude": "328010"}],
    "defender": [
        {
            "source": "defender",
            "name": "Microsoft Defender Antivirus",
            "running_mode": "Normal",
            "enabled": True,
            "real_time": True,
            "up_to_date": True,
            "tamper_protected": True,
            "definitions_version": "1.419.530.0",
            "product_version": "4.18.24090.11",
            "exclusions": [],
        }
    ],
}
ONBOARDED = [
    {
        "kind": "registry",
        "path": "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Advanced Threat Protection",
        "name": "ForceDefenderPassiveMode",
        "data": "1",
    },
    {
        "kind": "registry",
        "path": "HKLM\\SOFTWARE\\Microsoft\\Windows Advanced Threat Protection\\Status",
        "name": "OnboardingState",
        "data": "1",
    },
]
QUIET_22: dict[str, Any] = {
    "system": [{"version": "10.0.20348", "build": 20348, "revision": 2762, "product_type": "server", "architecture": "x64"}],
    "programs": [{"key": "c", "view": "native", "name": "CrowdStrike Windows Sensor", "version": "7.18.18904.0"}],
    "services": [{"name": name, "state": "running", "start": "auto"} for name in ("WinDefend", "Sense", "CSFalconService")],
    "drivers": [
        {
            "name": "WdFilter",
            "state": "running",
            "company": "Microsoft Corporation",
            "signature": "valid",
            "sha256": "0" * 64,
            "file_exists": True,
        },
        {
            "name": "csagent",
            "state": "running",
            "company": "CrowdStrike, Inc.",
            "signature": "valid",
            "sha256": "1" * 64,
            "file_exists": True,
        },
    ],
    "filters": [{"name": "WdFilter", "altitude": "328010"}, {"name": "csagent", "altitude": "321410"}],
    "security": ONBOARDED,
    "defender": [{**QUIET_19["defender"][0], "running_mode": "Passive Mode", "real_time": False}],
}
ROLES = ["domain_controller", "dns", "dhcp", "hyperv", "iis", "cluster", "file_replication"]
QUIET_ROLES = {**QUIET_19, "system": [{**QUIET_19["system"][0], "roles": ROLES, "product_type": "domain_controller"}]}


@pytest.mark.parametrize(
    "host", [QUIET_19, QUIET_22, QUIET_ROLES], ids=["Defender", "a passive Defender beside an EDR", "roles with automatic exclusions"]
)
def test_all_rules_are_quiet_and_decided_on_clean_hosts(host: dict[str, Any], matrix: Matrix) -> None:
    snapshot = snapshot_of("A", msgspec.convert(host, HostFragment))
    evaluation = evaluate_rules(build_fleet({"A": snapshot}, [], matrix), RuleSet(matrix, "2026-11-26"))
    assert [(found.rule, found.missing) for found in (*evaluation.findings, *evaluation.undetermined)] == []


def test_the_day_of_the_run_decides_what_is_out_of_support(matrix: Matrix) -> None:
    snapshot = snapshot_of(
        "A", msgspec.convert({"system": [{"version": "10.0.14393", "build": 14393, "product_type": "server"}]}, HostFragment)
    )
    fleet = build_fleet({"A": snapshot}, [], matrix)
    for today, expected in (("2027-01-12", False), ("2027-01-13", True)):
        found = evaluate_rules(fleet, RuleSet(matrix, today)).findings
        assert ("windows-out-of-support" in {finding.rule for finding in found}) is expected


def test_the_incident_rule_is_what_the_article_supports(matrix: Matrix) -> None:
    found = rule(matrix, INCIDENT)
    assert (found.severity, found.confidence, found.roles) == ("high", "suspected", ("old", "new"))
    assert "incident" in found.references


def test_the_readme_lists_every_selector() -> None:
    from auditor.analysis.conditions.condition import SELECTORS

    text = Path(ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in SELECTORS if f"| `{name}` |" not in text] == []
