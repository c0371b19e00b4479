"""The shipped matrix: every rule and signature loads, has its cases, names its sources, and comes out as its cases say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from auditor.analysis.condition import selectors_of
from auditor.matrix import load_matrix, requested_keys, run_cases
from auditor.matrix.cases import CaseResult
from auditor.matrix.load import CASES, playbook_ids
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
    assert len(IDS) >= 15


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
    assert found.remedy is None or found.remedy in playbook_ids()
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
    keys, files = requested_keys(matrix.signatures, matrix.rules)
    assert all(key.count("\\") >= 1 and not key.upper().startswith("HK") for key in keys)
    assert all(path.startswith("%") for path in files)
    assert len(keys) < 200


def test_the_incident_rule_is_what_the_article_supports(matrix: Matrix) -> None:
    found = rule(matrix, INCIDENT)
    assert (found.severity, found.confidence, found.roles) == ("high", "suspected", ("old", "new"))
    assert "incident" in found.references


def test_the_readme_lists_every_selector() -> None:
    from auditor.analysis.condition import SELECTORS

    text = Path(ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in SELECTORS if f"| `{name}` |" not in text] == []
