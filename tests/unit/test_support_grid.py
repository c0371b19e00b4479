"""The grid and the coverage of rules: the worst that is said, nothing said is unknown, and words that hosts chose are escaped."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from auditor.analysis.rules.rule_coverage import rule_coverage
from auditor.analysis.rules.support_grid import GENERATIONS, products_grid, systems_grid
from auditor.model.rule import Matrix, Rule
from auditor.model.support import Grid, GridCell, SupportFile, answer_of
from auditor.report.grid_matrix import grids_html, grids_table
from tests.unit.small_fleet import DENIED, GUARD, OTHER, evaluated, matrix, rule, signature

ADDRESS = "https://acme.example/kb"


def knowledge(*statements: dict[str, Any], rules: tuple[Rule, ...] = ()) -> Matrix:
    plain = [{"confidence": "confirmed", "source": ADDRESS, **statement} for statement in statements]
    supports = (msgspec.convert({"product": "acme-guard", "statements": plain}, SupportFile),) if plain else ()
    return msgspec.structs.replace(matrix(rules, (signature(GUARD), signature(OTHER))), supports=supports)


def cell(grid: Grid, row: str, column: str) -> GridCell:
    return next(r for r in grid.rows if r.product == row).cells[grid.columns.index(column)]


@given(st.lists(st.sampled_from(["supported", "unsupported", "conflicts"])))
def test_the_worst_that_is_said_is_the_answer(says: list[Any]) -> None:
    answer = answer_of(tuple(says))
    assert (answer == "unknown") == (not says)
    assert answer != "supported" or set(says) == {"supported"}


def test_what_nobody_says_is_unknown() -> None:
    grid = systems_grid(knowledge({"says": "supported", "on": ["2019"]}))
    assert [row.product for row in grid.rows] == ["acme-guard"]
    assert cell(grid, "acme-guard", "2019").answer == "supported"
    assert {cell(grid, "acme-guard", name).answer for name in GENERATIONS if name != "2019"} == {"unknown"}


def test_different_versions_may_get_different_answers() -> None:
    says = (
        {"says": "supported", "on": ["2003"], "version": "vers:windows/<10"},
        {"says": "unsupported", "on": ["2003"], "version": "vers:windows/>=10"},
    )
    found = cell(systems_grid(knowledge(*says)), "acme-guard", "2003")
    assert (found.answer, found.depends, len(found.statements)) == ("unsupported", True, 2)


def test_products_are_beside_each_other_both_ways() -> None:
    grid = products_grid(knowledge({"says": "conflicts", "beside": "other-shield", "note": "hangs"}))
    assert cell(grid, "acme-guard", "other-shield") == cell(grid, "other-shield", "acme-guard")
    assert cell(grid, "acme-guard", "other-shield").statements[0].text == "every version: hangs"


def test_a_rule_about_two_products_is_a_conflict_unless_it_needs_more_than_them() -> None:
    pair = [{"product": {"id": "acme-guard"}}, {"product": {"id": "other-shield"}}]
    plain, narrow = rule(when={"all": pair}), rule(when={"all": [*pair, {"driver": {"name": "bad"}}]})
    assert cell(products_grid(knowledge(rules=(plain,))), "acme-guard", "other-shield").statements[0].rule == "a-rule"
    assert products_grid(knowledge(rules=(narrow,))).rows == ()
    counted = rule(when={"count": {"product": {"kind": "antivirus"}, "at_least": 2}})
    assert cell(products_grid(knowledge(rules=(counted,))), "other-shield", "acme-guard").answer == "conflicts"
    assert products_grid(knowledge(rules=(rule(when={"all": pair}, severity="informational"),))).rows == ()


def test_a_rule_about_a_product_on_a_system() -> None:
    old = rule(applies_to={"os": {"generation": ["xp"]}}, when={"product": {"id": "acme-guard"}})
    assert cell(systems_grid(knowledge(rules=(old,))), "acme-guard", "xp").answer == "conflicts"


def test_a_rule_about_some_versions_makes_the_answer_depend_on_the_version() -> None:
    for version, depends in (({}, False), ({"version": "vers:windows/<9"}, True)):
        old = rule(applies_to={"os": {"generation": ["xp"]}}, when={"product": {"id": "acme-guard", **version}})
        assert cell(systems_grid(knowledge(rules=(old,))), "acme-guard", "xp").depends is depends


def test_named_products_have_rows_even_where_nothing_is_said() -> None:
    assert [row.product for row in systems_grid(knowledge(), ["other-shield"]).rows] == ["other-shield"]


def test_both_forms_tell_answers_and_sources_and_escape() -> None:
    evil = knowledge({"says": "unsupported", "on": ["2003"], "note": "<script>\x1b[31m"})
    grids = [systems_grid(evil), products_grid(evil)]
    text, page = grids_table(grids, 100), grids_html(grids, "d" * 64)
    assert "acme-guard" in text and ADDRESS in text and "\x1b" not in text
    assert "<script>" not in page and "&lt;script&gt;" in page and "\x1b" not in page
    assert page.count("<h1>") == 1 and f'href="{ADDRESS}"' in page and page.endswith("</html>\n")


def test_coverage_says_where_a_rule_was_decided_and_what_was_missing() -> None:
    rules = (rule(), rule(id="other-rule", applies_to={"product": {"id": "acme-guard"}}, when={"driver": {"name": "bad"}}))
    lines = {
        line.rule: line
        for line in rule_coverage(evaluated({"A": {"drivers": DENIED}, "B": {}, "C": {"drivers": DENIED}}, *rules), matrix(rules))
    }
    found = lines["a-rule"]
    assert (found.decided, found.hosts, found.undetermined, found.reasons) == ("partly", 1, 2, (("drivers: access denied", 2),))
    nothing = rule_coverage(evaluated({"B": {}}, *rules), matrix(rules))
    assert {line.rule: line.decided for line in nothing} == {"a-rule": "everywhere", "other-rule": "not_applicable"}
