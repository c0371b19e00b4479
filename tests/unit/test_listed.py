"""Selectors over tables: rows with dates, altitudes, names that resemble, exclusions; and jobs that collide."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.conditions.selectors_exclusions import normal
from auditor.analysis.rules.evaluate import Evaluation, evaluate_rules
from auditor.analysis.rules.ruleset import RuleSet
from auditor.model.rule import Matrix
from auditor.model.support import SupportFile
from auditor.model.table import AltitudesTable, DriversTable, ExclusionsTable, ProductsTable, Table
from tests.unit.small_fleet import DENIED, GUARD, KEY, OTHER, fleet, kept, matrix, rule, signature

ABOUT = {"source": "s", "licence": "l", "date": "2026-01-01"}
ADDRESS = "https://acme.example/kb"
DEFENDER = {"id": "microsoft-defender", "name": "D", "vendor": "M", "kind": "antivirus", "installed": [{"services": ["WinDefend"]}]}
GUARD_RUNS = {
    "programs": [{"key": "g", "view": "native", "name": "Acme Guard", "version": "9.0"}],
    "services": [{"name": "guardsvc", "state": "running"}],
}


def products(*rows: dict[str, Any]) -> ProductsTable:
    return msgspec.convert(
        {"kind": "products", "id": "ends", **ABOUT, "rows": [{"note": "n", "source": ADDRESS, **row} for row in rows]}, ProductsTable
    )


def decided(when: dict[str, Any], host: dict[str, Any], *tables: Table, today: str | None = None, **more: Any) -> Evaluation:
    found = matrix([rule(when=when)], [signature(GUARD), signature(OTHER), signature(DEFENDER)])
    hashes = {table.id: table.hashes for table in tables if isinstance(table, DriversTable)}
    found = msgspec.structs.replace(found, lists={table.id: table for table in tables}, tables=hashes, **more)
    return evaluate_rules(fleet({"A": host}, found), RuleSet(found, today))


def verdict(evaluation: Evaluation) -> str:
    return "violated" if evaluation.findings else "undetermined" if evaluation.undetermined else "satisfied"


LISTED = {"listed": {"table": "ends"}}


@pytest.mark.parametrize(("today", "expected"), [("2020-01-14", "satisfied"), ("2020-01-15", "violated"), (None, "violated")])
def test_a_row_counts_from_its_day_on_and_without_a_day_the_collection_decides(today: str | None, expected: str) -> None:
    table = products({"product": "acme-guard", "since": "2020-01-15"})
    assert verdict(decided(LISTED, GUARD_RUNS, table, today=today)) == expected


def test_what_a_row_says_is_evidence_with_its_source() -> None:
    found = decided(LISTED, GUARD_RUNS, products({"product": "acme-guard", "version": "vers:windows/<10", "note": "too old"})).findings[0]
    assert [(e.value, e.source) for e in found.evidence if e.field == "listed"] == [("too old", ADDRESS)]


def test_a_row_of_systems_and_a_row_beside_another_product() -> None:
    old = {"system": [{"version": "5.2.3790", "product_type": "server"}]}
    assert verdict(decided(LISTED, old, products({"generation": ["2003"]}))) == "violated"
    assert verdict(decided(LISTED, {"system": DENIED}, products({"generation": ["2003"]}))) == "undetermined"
    pair = products({"product": "acme-guard", "beside": "other-shield"})
    both = {**GUARD_RUNS, "services": [{"name": "guardsvc", "state": "running"}, {"name": "shieldsvc", "state": "running"}]}
    assert [verdict(decided(LISTED, host, pair)) for host in (both, GUARD_RUNS)] == ["violated", "satisfied"]


def test_support_statements_that_say_no_are_a_table_but_suspected_ones_are_not() -> None:
    for confidence, expected in (("confirmed", "violated"), ("suspected", "satisfied")):
        says = {"says": "unsupported", "on": ["2003"], "confidence": confidence, "source": ADDRESS}
        supports = (msgspec.convert({"product": "acme-guard", "statements": [says]}, SupportFile),)
        host = {**GUARD_RUNS, "system": [{"version": "5.2.3790", "product_type": "server"}]}
        assert verdict(decided({"listed": {"table": "unsupported"}}, host, supports=supports)) == expected


def test_definitions_have_an_age_as_of_the_day() -> None:
    dated = {**GUARD, "definitions": [{"registry": {"key": KEY, "value": "Defs"}}]}
    found = matrix([rule(when={"product": {"id": "acme-guard", "definitions_older_than_days": 30}})], [signature(dated)])
    host = {**GUARD_RUNS, "security": [kept("Defs", "2026-03-01")]}
    for today, expected in (("2026-03-31", "satisfied"), ("2026-04-01", "violated")):
        assert verdict(evaluate_rules(fleet({"A": host}, found), RuleSet(found, today))) == expected
    undated = {**GUARD_RUNS, "security": [kept("Defs", "1.2.3")]}
    assert verdict(evaluate_rules(fleet({"A": undated}, found), RuleSet(found, "2026-04-01"))) == "undetermined"


ALTITUDES = AltitudesTable(id="alts", owners={"320000": frozenset({"good"}), "328010": frozenset({"wdfilter"})}, **ABOUT)


@pytest.mark.parametrize(
    ("name", "altitude", "nobody", "another"),
    [
        ("odd", "333333", True, False),
        ("odd", "320000", False, True),
        ("odd", "320000.25", False, True),
        ("good", "328010", False, False),
        ("good", "320000", False, False),
        ("odd", "x", False, False),
    ],
)
def test_altitudes_are_given_to_someone_or_not(name: str, altitude: str, nobody: bool, another: bool) -> None:
    host = {"filters": [{"name": name, "altitude": altitude}], "drivers": [{"name": name, "state": "running", "company": "X"}]}
    for allocated, expected in (("to_nobody", nobody), ("to_another", another)):
        when = {"filter": {"altitudes": "alts", "allocated": allocated, "loaded": True}}
        assert verdict(decided(when, host, ALTITUDES)) == ("violated" if expected else "satisfied")


BAD = DriversTable(id="bad", hashes=frozenset({"f" * 64}), names=frozenset({("rotten", "1.2")}), **ABOUT)


def test_a_hash_decides_and_a_name_never_does() -> None:
    when = {"driver": {"table": "bad"}}
    assert verdict(decided(when, {"drivers": [{"name": "x", "sha256": "f" * 64}]}, BAD)) == "violated"
    assert verdict(decided(when, {"drivers": [{"name": "rotten", "file_version": "1.2", "sha256": "e" * 64}]}, BAD)) == "satisfied"
    blind = decided(when, {"drivers": [{"name": "rotten"}, {"name": "other"}]}, BAD).undetermined[0]
    assert blind.missing == ("A: drivers: sha256: no driver's hash was collected: collect with hashes of drivers",)


def test_a_driver_resembles_only_while_its_hash_is_not_known() -> None:
    when = {"driver": {"resembles": "bad"}}
    rows = {"name": "rotten", "file_version": "1.2"}
    assert verdict(decided(when, {"drivers": [rows]}, BAD)) == "violated"
    assert verdict(decided(when, {"drivers": [{**rows, "sha256": "e" * 64}]}, BAD)) == "satisfied"
    assert verdict(decided(when, {"drivers": [{"name": "rotten", "file_version": "1.3"}, {"name": "rotten"}]}, BAD)) == "satisfied"


EXCLUSIONS = msgspec.convert(
    {
        "kind": "exclusions",
        "id": "ex",
        **ABOUT,
        "places": [{"product": "acme-guard", "kind": "path", "key": f"{KEY}\\Exclusions"}],
        "rows": [
            {"role": "sql", "what": "data", "any_of": ["extension mdf", "path *\\mssql*"]},
            {"role": "dns", "what": "zones", "any_of": ["path %SystemRoot%\\System32\\dns"], "automatic": {"microsoft-defender": ["2019"]}},
        ],
    },
    ExclusionsTable,
)
NINETEEN = {
    "system": [{"version": "10.0.17763", "build": 17763, "product_type": "server"}],
    "services": [{"name": "WinDefend", "state": "running"}],
}
ELDER = {**NINETEEN, "system": [{"version": "6.3.9600", "product_type": "server"}]}
OFF = {
    "kind": "registry",
    "path": "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\Exclusions",
    "name": "DisableAutoExclusions",
    "data": "1",
}


def lacks(role: str, host: dict[str, Any], exclusions: list[str] | None, product: str = "microsoft-defender") -> str:
    body = {"defender": [{"source": "defender", "name": "Defender", "exclusions": exclusions}]}
    return verdict(decided({"exclusions": {"product": product, "table": "ex", "lacks": role}}, {**host, **body}, EXCLUSIONS))


def test_what_is_not_excluded_is_lacking_and_what_is_hidden_is_unknown() -> None:
    assert lacks("sql", NINETEEN, []) == "violated"
    assert lacks("sql", NINETEEN, ["extension .MDF"]) == "satisfied"
    assert lacks("sql", NINETEEN, ["path D:\\MSSQL15\\Data"]) == "satisfied"
    assert lacks("sql", NINETEEN, None) == "undetermined"


def test_what_a_product_excludes_by_itself_is_never_lacking_even_where_the_rest_is_hidden() -> None:
    assert lacks("dns", NINETEEN, None) == "satisfied"
    assert lacks("dns", ELDER, []) == "violated"
    assert lacks("dns", {**NINETEEN, "security": [OFF]}, []) == "violated"
    assert lacks("dns", {**NINETEEN, "system": DENIED}, []) == "undetermined"
    for text in ("path C:\\Windows\\System32\\dns\\", "path %windir%\\system32", "path C:\\Windows", "path c:\\windows\\system32\\dns\\*"):
        assert lacks("dns", ELDER, [text]) == "satisfied", text


def test_exclusions_of_other_products_stand_where_the_table_says() -> None:
    assert lacks("dns", GUARD_RUNS, [], "acme-guard") == "violated"
    kept_there = {"kind": "registry", "path": f"HKLM\\{KEY}\\Exclusions", "name": "C:\\Windows\\System32\\dns", "data": "0"}
    assert lacks("dns", {**GUARD_RUNS, "security": [kept_there]}, [], "acme-guard") == "satisfied"
    assert lacks("dns", {**GUARD_RUNS, "security": DENIED}, [], "acme-guard") == "undetermined"
    assert lacks("dns", {}, [], "acme-guard") == "satisfied", "where the product is not, nothing lacks"


@given(st.text(max_size=60))
def test_writing_an_exclusion_in_one_form_is_done_once(text: str) -> None:
    assert normal(normal(text)) == normal(text)


def jobs(*rows: tuple[str, str]) -> dict[str, Any]:
    return {"tasks": [{"path": f"\\T{number}", "run": run, "at": at} for number, (run, at) in enumerate(rows)]}


def test_two_jobs_in_one_hour_collide_and_one_task_never_with_itself() -> None:
    when = {"collision": {"one": {"commands": ["*defrag*"]}, "other": {"commands": ["*robocopy*"], "copies": True}}}
    assert verdict(decided(when, jobs(("defrag C:", "01:10"), ("robocopy a b", "01:50")))) == "violated"
    assert verdict(decided(when, jobs(("defrag C:", "01:10"), ("robocopy a b", "02:10")))) == "satisfied"
    assert verdict(decided(when, jobs(("cmd /c defrag C: & robocopy a b", "01:00")))) == "satisfied"
    assert verdict(decided(when, {"tasks": DENIED})) == "undetermined"


def test_a_copy_that_a_script_makes_is_a_job_too() -> None:
    when = {"collision": {"one": {"commands": ["*defrag*"]}, "other": {"copies": True}}}
    found = matrix([rule(when=when)])
    hosts = {"A": jobs(("defrag C:", "01:00"), ("xcopy D:\\a \\\\B\\in", "01:30")), "B": {}}
    evaluation = evaluate_rules(fleet(hosts, found), RuleSet(found))
    assert [(f.subjects[0].host, len(f.edges)) for f in evaluation.findings] == [("A", 1)]


def test_an_empty_matrix_has_the_table_of_what_is_unsupported() -> None:
    assert verdict(decided({"listed": {"table": "unsupported"}}, GUARD_RUNS)) == "satisfied"
    assert Matrix(rules=(), signatures=(), digest="").lists == {}
