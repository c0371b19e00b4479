"""The matrix as files: every mistake is told with its place, all at once, and nothing is half loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.matrix import load_matrix, run_cases
from auditor.matrix.strict_yaml import parse_yaml
from auditor.model.errors import MatrixError

PRODUCT = """id: acme-guard
name: Guard
vendor: Acme
kind: antivirus
installed:
  - services: [guardsvc]
roles:
  - is: server
    when: {service: {name: guardsvc}}
active: {service: {name: guardsvc, state: running}}
"""
RULE = """id: {id}
title: A title
severity: {severity}
confidence: probable
{more}when: {when}
subject: '{subject}'
mechanism: m
effect: e
resolution: r
references: [{reference}]
"""


def rule(id_: str = "a-rule", when: str = "{driver: {name: bad}}", **changes: str) -> str:
    values = {"severity": "low", "more": "", "subject": "{host} has it.", "reference": "https://acme.example/", **changes}
    return RULE.format(id=id_, when=when, **values)


def folder(root: Path, **files: str) -> Path:
    """A matrix folder; names are `area__stem`, products are `products__stem`."""
    for name, text in files.items():
        area, _, stem = name.replace("_dash_", "-").partition("__")
        path = root / ("products" if area == "products" else f"rules/{area}") / f"{stem.replace('_', '-')}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def problems(root: Path, *more: Path) -> list[str]:
    with pytest.raises(MatrixError) as caught:
        load_matrix([root, *more], playbooks={"fix-it"})
    return [str(p).replace(str(root) + "/", "") for p in caught.value.problems]


def only(root: Path) -> str:
    (problem,) = problems(root)
    return problem


def test_a_folder_loads(tmp_path: Path) -> None:
    found = load_matrix([folder(tmp_path, products__acme_guard=PRODUCT, area__a_rule=rule())])
    assert [r.id for r in found.rules] == ["a-rule"]
    assert [s.id for s in found.signatures] == ["acme-guard"]
    assert len(found.digest) == 64


def test_the_digest_is_over_every_byte_and_not_over_the_place(tmp_path: Path) -> None:
    first = load_matrix([folder(tmp_path / "one", area__a_rule=rule())]).digest
    assert load_matrix([folder(tmp_path / "two", area__a_rule=rule())]).digest == first
    assert load_matrix([folder(tmp_path / "three", area__a_rule=rule() + "# a comment\n")]).digest != first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (rule(severity="hihg"), "rules/x/a-rule.yml:3:1: a-rule: invalid enum value 'hihg': did you mean high?"),
        (rule(severity="worst"), "invalid enum value 'worst': expected one of "),
        (rule(when="{driver: {nmae: bad}}"), "rules/x/a-rule.yml:5:17: a-rule: object contains unknown field `nmae`: did you mean `name`?"),
        (rule(when="{}"), "rules/x/a-rule.yml:5:1: a-rule: expected exactly one of all, any, not, product"),
        (rule(when="{driver: {name: a}, service: {name: b}}"), "expected exactly one of all, any, not, product"),
        (rule(when="{all: []}"), "a-rule: expected at least one condition"),
        (rule(when="{driver: {name: a, version: '>=1'}}"), "a-rule.yml:5:26: a-rule: expected vers:SCHEME/CONSTRAINTS"),
        (rule(when="{driver: {name: a, version: 'vers:windows/>=2|<1'}}"), "its ends contradict each other"),
        (rule(when="{driver: {name: a, linked_from: yesterday}}"), "expected a time such as 2003-10-24T23:57:03Z"),
        (rule(when="{driver: {name: a, table: nothing}}"), "unknown table 'nothing': expected one of none"),
        (rule(when="{driver: {sha256: [abc]}}"), "expected 64 hex digits in lower case"),
        (rule(when="{driver: {name: a, host: server}}"), "unknown role 'server': expected one of host"),
        (rule(when="{product: {id: acme-gard}}"), "unknown product 'acme-gard': did you mean acme-guard?"),
        (rule(when="{product: {id: acme-guard, role: manager}}"), "no such product has the role 'manager': expected one of server"),
        (
            rule(when="{product: {id: acme-guard, version: 'vers:blackice/<3.6.ccb'}}"),
            "the versions of acme-guard follow the scheme windows",
        ),
        (rule(when="{product: {vendor: Nobody}}"), "no product fits this selector"),
        (rule(when="{filter: {altitude_from: high}}"), "expected an altitude such as 320000"),
        (rule(when="{filter: {altitude_from: '400', altitude_to: '300'}}"), "nothing lies from 400 to 300: the ends contradict each other"),
        (
            rule(when="{driver: {name: a, linked_from: '2004-01-01T00:00:00Z', linked_to: '2003-01-01T00:00:00Z'}}"),
            "nothing lies from 2004-01-01T00:00:00Z to 2003-01-01T00:00:00Z",
        ),
        (rule(when="{setting: {key: X, at_least: 3, at_most: 2}}"), "no number is at least 3 and at most 2"),
        (rule(when="{os: {}}"), "says nothing of the operating system"),
        (rule(when="{os: {generation: ['2004']}}"), "invalid enum value '2004'"),
        (rule(when="{update: {any_of: [4474419]}}"), "expected `str`, got `int`: put it in quotes"),
        (rule(when="{update: {any_of: ['4474419']}}"), "expected a KB number such as KB4474419"),
        (rule(when="{task: {path: x, hours: [24]}}"), "expected an hour from 0 to 23, got 24"),
        (rule(when="{setting: {key: 'HKLM\\X', present: true}}"), "expected a key below HKLM"),
        (rule(when="{setting: {key: '*\\X', present: true}}"), "the first level of a key has no wildcard"),
        (rule(when="{setting: {key: X}}"), "expected equals, pattern, at_least, at_most or present"),
        (rule(when="{file: {path: '*'}}"), "would ask for nearly everything"),
        (rule(when="{count: {at_least: 1}}"), "expected exactly one of product, driver, filter, got none"),
        (rule(when="{count: {driver: {name: a}, at_least: 2, at_most: 1}}"), "no number is at least 2 and at most 1"),
        (rule(when="{count: {driver: {name: a}}}"), "expected at_least, at_most, or both"),
        (rule(when="{ties: {direction: out, kinds: [manages]}}"), "expected at_least, at_most, or both"),
        (rule(when="{edge: {source: host, target: host, kinds: [manages]}}"), "an edge ties two roles"),
        (rule(more="remedy: break-it\n"), "unknown playbook 'break-it': expected null or one of fix-it"),
        (rule(subject="It has it."), "the sentence does not name the role 'host': write {host}"),
        (rule(subject="{host} and {other}."), "unknown role 'other' in braces"),
        (rule(reference="ftp://acme.example/x"), "expected an http or https address or incident"),
        (rule(reference="javascript:alert(1)"), "expected an http or https address or incident"),
        (rule(more="roles: [one, two, three]\n"), "expected one or two different names"),
        (rule(more="symmetric: true\n"), "only a rule with two roles can be symmetric"),
        (rule("other-rule"), "the id 'other-rule' and the file's name 'a-rule' differ"),
        (rule("../a-rule"), "expected words of lower-case letters and digits joined by hyphens"),
        ("id: a-rule\n", "object missing required fields `title`, `severity`, `confidence`, `when`, `subject`, `mechanism`, `effect`, "),
        ("- a list\n", "expected `object`, got `array`"),
        ("", "expected `object`, got `null`"),
        ("id: a\nid: b\n", "rules/x/a-rule.yml:2:1: not allowed: the key 'id' for a second time"),
        ("a: &x [1]\nb: *x\n", "rules/x/a-rule.yml:2:1: not allowed: an alias"),
        ("a: !!python/object/apply:os.system [x]\n", "not allowed: a tag"),
        ("1: x\n", "not allowed: a key that is no text"),
        ("a: b: c\n", "rules/x/a-rule.yml:1:5: not YAML: mapping values are not allowed"),
        ("a: 1\n---\nb: 2\n", "not YAML: but found another document"),
        ("a: " + "[" * 60 + "]" * 60, "nested deeper than 40 levels"),
    ],
)
def test_each_mistake_has_its_words_and_place(tmp_path: Path, text: str, message: str) -> None:
    assert message in " | ".join(problems(folder(tmp_path, products__acme_guard=PRODUCT, x__a_rule=text)))


TWO = "roles: [one, two]\n"
OWN = "{driver: {host: one, name: a}}, {driver: {host: two, name: b}}"
EDGE = "{edge: {source: one, target: two, kinds: [copies-to]}}"


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (f"{{all: [{OWN}]}}", "a rule with two roles needs an edge between them"),
        (f"{{all: [{OWN}, {{not: {EDGE}}}]}}", "a rule with two roles needs an edge between them"),
        (f"{{all: [{OWN}, {{any: [{EDGE}, {{driver: {{host: one, name: c}}}}]}}]}}", "a rule with two roles needs an edge between them"),
        (f"{{all: [{{driver: {{host: one, name: a}}}}, {EDGE}]}}", "the role 'two' needs a condition of its own"),
        (f"{{all: [{{driver: {{name: a}}}}, {OWN}, {EDGE}]}}", "a rule with two roles says whom it means"),
        (f"{{all: [{OWN}, {{edge: {{source: one, target: two, kinds: [copies]}}}}]}}", "invalid enum value 'copies'"),
    ],
)
def test_two_roles_must_be_tied(tmp_path: Path, when: str, message: str) -> None:
    text = rule(when=when, more=TWO, subject="{one} {two}")
    assert message in only(folder(tmp_path, x__a_rule=text))


def test_two_roles_that_are_tied_load(tmp_path: Path) -> None:
    text = rule(when=f"{{all: [{OWN}, {EDGE}]}}", more=TWO, subject="{one} {two}")
    assert load_matrix([folder(tmp_path, x__a_rule=text)]).rules[0].roles == ("one", "two")


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    broken = rule(severity="hihg", when="{driver: {nmae: bad}}", more="color: red\n")
    found = problems(
        folder(tmp_path, products__acme_guard=PRODUCT.replace("kind: antivirus", "kind: virus"), x__a_rule=broken, y__b_rule="a: b: c\n")
    )
    assert len(found) == 5
    assert {line.partition(":")[0] for line in found} == {"products/acme-guard.yml", "rules/x/a-rule.yml", "rules/y/b-rule.yml"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("installed:\n  - services: [guardsvc]\n", "installed: []\n"), "expected at least one group of signs"),
        (("services: [guardsvc]", "confidence: confirmed"), "expected programs, services, drivers, registry or files"),
        (("services: [guardsvc]", "services: ['*']"), "'*' would fit nearly everything"),
        (("services: [guardsvc]", "services: [guardsvc]\n    source: a book"), "expected an http or https address, got 'a book'"),
        (("is: server", "is: boss"), "expected one of server, managed_client"),
        (("    when: {service: {name: guardsvc}}\n", "  - is: client\n"), "only the last sign can do without `when`"),
        (("active: {service", "active: {product: {id: acme-guard}}\nx: {service"), "unknown field `x`"),
        (
            ("active: {service: {name: guardsvc, state: running}}", "active: {product: {id: acme-guard}}"),
            "a signature can't ask for product",
        ),
        (("kind: antivirus", "kind: antivirus\nversion: [{program: a, driver: b}]"), "expected exactly one of registry, file, program"),
        (("kind: antivirus", "kind: antivirus\nversion: [{registry: {key: 'HKLM\\X'}}]"), "expected a key below HKLM"),
        (("kind: antivirus", "kind: antivirus\nscheme: semver"), "invalid enum value 'semver'"),
    ],
)
def test_each_mistake_of_a_signature(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert message in " | ".join(problems(folder(tmp_path, products__acme_guard=PRODUCT.replace(*change))))


def test_an_id_that_is_taken_is_an_error_across_folders(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "one", x__a_rule=rule()), folder(tmp_path / "two", y__a_rule=rule())
    (problem,) = problems(one, two)
    assert problem.endswith("a-rule: the id is taken by rules/x/a-rule.yml")


def test_rules_of_one_folder_may_name_products_of_another(tmp_path: Path) -> None:
    one = folder(tmp_path / "one", products__acme_guard=PRODUCT)
    two = folder(tmp_path / "two", x__a_rule=rule(when="{product: {id: acme-guard}}"))
    assert load_matrix([one, two]).rules


def test_folders_and_files_that_are_none(tmp_path: Path) -> None:
    assert problems(tmp_path / "nowhere") == [
        f"{tmp_path}/nowhere: no such folder: expected one with products/, rules/, supports/, tables/ or drivers/"
    ]
    root = folder(tmp_path / "one", x__a_rule=rule())
    (root / "rules/x/notes.yaml").write_text("x: 1")
    (root / "rules/x/latin.yml").write_bytes(b"id: \xff\n")
    (root / "rules/x/large.yml").write_text("# " + "x" * 1024 * 1024)
    found = problems(root)
    assert [line.rpartition(": ")[2] for line in found] == ["the file is larger than 1048576 bytes", "byte 4", "expected the ending .yml"]


def test_a_table_is_a_set_of_hashes(tmp_path: Path) -> None:
    root = folder(tmp_path, x__a_rule=rule(when="{driver: {table: bad-drivers}}"))
    (root / "drivers").mkdir()
    (root / "drivers/bad-drivers.tsv").write_text(f"filename\tsha256\nx.sys\t{'A' * 64}\ny.sys\t\n")
    assert load_matrix([root]).tables == {"bad-drivers": frozenset({"a" * 64})}
    (root / "drivers/bad-drivers.tsv").write_text("filename\n")
    assert problems(root) == ["drivers/bad-drivers.tsv:1:1: bad-drivers: expected a column sha256"]


CASES = """- name: it is there
  expect: {expect}
  hosts:
    A: {{drivers: [{{name: bad}}]}}
- name: it is not
  like: it is there
  expect: satisfied
  hosts:
    A: {{drivers: []}}
"""


def with_cases(root: Path, text: str) -> Path:
    folder(root, x__a_rule=rule())
    (root / "rules/x/a-rule.cases.yml").write_text(text)
    return root


def test_cases_tell_what_differs(tmp_path: Path) -> None:
    root = with_cases(tmp_path, CASES.format(expect="satisfied"))
    results = run_cases([root], load_matrix([root]))
    assert [(r.case, r.passed) for r in results] == [("it is there", False), ("it is not", True)]
    assert results[0].message == "expected satisfied, came out violated: A has it."
    assert results[0].line == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {name: x, expect: violated, hosts: {A: {drvers: []}}}\n", "unknown field `drvers`"),
        ("- {name: x, expect: violated, hosts: {A: {drivers: [{nmae: x}]}}}\n", "unknown field 'nmae' in a row of drivers"),
        ("- {name: x, expect: violated, hosts: {A: {drivers: [{name: x, start: never}]}}}\n", "Invalid enum value 'never'"),
        ("- {name: x, expect: violated, like: y}\n", "no earlier case is called 'y'"),
        ("- {name: x, expect: broken}\n", "invalid enum value 'broken'"),
        ("name: x\n", "expected a list of cases"),
    ],
)
def test_cases_that_are_wrong_are_told_with_their_place(tmp_path: Path, text: str, message: str) -> None:
    root = with_cases(tmp_path, text)
    with pytest.raises(MatrixError) as caught:
        run_cases([root], load_matrix([root]))
    assert message in " | ".join(map(str, caught.value.problems))
    assert all(problem.line for problem in caught.value.problems)


def test_cases_of_nothing_are_told(tmp_path: Path) -> None:
    root = with_cases(tmp_path, CASES.format(expect="violated"))
    (root / "rules/x/a-rule.cases.yml").rename(root / "rules/x/other.cases.yml")
    with pytest.raises(MatrixError) as caught:
        run_cases([root], load_matrix([root]))
    assert "a rule or product 'other' beside it" in str(caught.value.problems[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10.10", "10.10"),
        ("no", "no"),
        ("12:30", "12:30"),
        ("0x10", "0x10"),
        ("012", "012"),
        ("1e3", "1e3"),
        ("2026-01-01", "2026-01-01"),
        ("7", 7),
        ("-7", -7),
        ("true", True),
        ("null", None),
        ("~", None),
        ("'7'", "7"),
    ],
)
def test_yaml_means_what_it_says(text: str, value: Any) -> None:
    document, wrong = parse_yaml(f"a: {text}\n", "f.yml")
    assert wrong == []
    assert document is not None
    assert document.value == {"a": value}


@given(st.text(alphabet="ab:-[]{}&*!|>'\"\n #,?%@`0\t", max_size=60))
def test_any_text_is_read_or_told(text: str) -> None:
    document, wrong = parse_yaml(text, "f.yml")
    assert (document is None) == bool(wrong)


def test_brackets_without_end_are_no_crash() -> None:
    document, wrong = parse_yaml("[" * 200_000, "f.yml")
    assert document is None
    assert wrong
