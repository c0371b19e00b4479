"""Tables and support statements as files: every mistake with its place, all at once, and every byte in the digest."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.matrix import load_matrix
from auditor.model.table import AltitudesTable, DriversTable, ExclusionsTable, ProductsTable
from tests.edges.test_matrix_load import PRODUCT, folder, problems, rule

HEAD = "# source: somewhere\n# licence: CC BY 4.0\n# date: 2026-01-01\n"
TABLE = """kind: products
id: ends
source: https://acme.example/
licence: facts
date: '2026-01-01'
rows:
  - {product: acme-guard, version: 'vers:windows/<10', since: '2020-01-01', note: n, source: 'https://acme.example/'}
"""
EXCLUSIONS = """kind: exclusions
id: ex
source: https://acme.example/
licence: facts
date: '2026-01-01'
rows:
  - {role: sql, what: data, any_of: [extension mdf]}
"""
SUPPORTS = """product: acme-guard
statements:
  - {says: supported, on: ['2019'], confidence: confirmed, source: 'https://acme.example/'}
"""


def matrix_folder(root: Path, files: dict[str, str], when: str = "{driver: {name: bad}}") -> Path:
    folder(root, products__acme_guard=PRODUCT, x__a_rule=rule(when=when))
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root


def test_every_kind_of_table_loads(tmp_path: Path) -> None:
    files = {
        "tables/ends.yml": TABLE,
        "tables/ex.yml": EXCLUSIONS,
        "tables/alts.tsv": HEAD + "driver\taltitude\nA.sys\t320000\nb\t320000\n",
        "tables/bad.tsv": HEAD + f"filename\tsha256\tversion\nA.sys\t{'A' * 64}\t1.0\n",
        "supports/acme-guard.yml": SUPPORTS,
    }
    found = load_matrix([matrix_folder(tmp_path, files)])
    kinds = {id_: type(table) for id_, table in found.lists.items()}
    assert kinds == {"ends": ProductsTable, "ex": ExclusionsTable, "alts": AltitudesTable, "bad": DriversTable}
    alts, bad = found.lists["alts"], found.lists["bad"]
    assert isinstance(alts, AltitudesTable) and alts.owners == {"320000": frozenset({"a", "b"})} and alts.licence == "CC BY 4.0"
    assert isinstance(bad, DriversTable) and bad.names == frozenset({("a", "1.0")}) and found.tables["bad"] == frozenset({"a" * 64})
    assert [file.product for file in found.supports] == ["acme-guard"]


@pytest.mark.parametrize("name", ["tables/ends.yml", "tables/alts.tsv", "supports/acme-guard.yml"])
def test_a_changed_byte_changes_the_digest(tmp_path: Path, name: str) -> None:
    files = {"tables/ends.yml": TABLE, "tables/alts.tsv": HEAD + "driver\taltitude\na\t1\n", "supports/acme-guard.yml": SUPPORTS}
    root = matrix_folder(tmp_path, files)
    before = load_matrix([root]).digest
    (root / name).write_text(files[name].replace("2026-01-01", "2026-01-02").replace("2019", "2022"), encoding="utf-8")
    assert load_matrix([root]).digest != before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD.replace("# licence: CC BY 4.0\n", "") + "driver\taltitude\na\t1\n", "1:1: t: expected a line `# licence: ...` at the head"),
        (HEAD.replace("2026-01-01", "spring") + "driver\taltitude\na\t1\n", "1:1: t: expected a date such as 2026-11-26, got 'spring'"),
        ("# colour: red\n" + HEAD + "driver\taltitude\na\t1\n", "1:1: t: unknown line `# colour:` at the head"),
        (HEAD + "name\tvalue\na\t1\n", "4:1: t: expected a column sha256, or the columns driver and altitude"),
        (HEAD + "driver\taltitude\na\thigh\n", "5:1: t: expected an altitude such as 320000, got 'high'"),
        (HEAD + "driver\taltitude\n\t320000\n", "5:1: t: expected the name of a driver"),
        (HEAD + "filename\tsha256\nx\tabc\n", "5:2: t: expected 64 hex digits, got 'abc'"),
    ],
)
def test_each_mistake_of_a_sheet(tmp_path: Path, text: str, message: str) -> None:
    assert problems(matrix_folder(tmp_path, {"tables/t.tsv": text})) == [f"tables/t.tsv:{message}"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("id: ends", "id: other"), "2:1: other: the id 'other' and the file's name 'ends' differ"),
        (("date: '2026-01-01'", "date: '2026-02-30'"), "5:1: ends: expected a date such as 2026-11-26, got '2026-02-30'"),
        (("since: '2020-01-01'", "since: '2020'"), "7:*: ends: expected a date such as 2026-11-26, got '2020'"),
        (("acme-guard", "acme-gard"), "7:*: ends: unknown product 'acme-gard': did you mean acme-guard?"),
        (
            ("vers:windows/<10", "vers:windows/>=10|<9"),
            "7:*: ends: no version can lie in 'vers:windows/>=10|<9': its ends contradict each other",
        ),
        (("vers:windows/<10", "vers:blackice/<10"), "7:*: ends: the versions of acme-guard follow the scheme windows"),
        (("source: 'https://acme.example/'}", "source: nowhere}"), "7:*: ends: expected an http or https address, got 'nowhere'"),
        (("kind: products", "kind: wishes"), "1:*: ends: invalid value 'wishes'"),
        (("note: n, ", ""), "7:*: ends: object missing required field `note`"),
    ],
)
def test_each_mistake_of_a_table_of_products(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    found = problems(matrix_folder(tmp_path, {"tables/ends.yml": TABLE.replace(*change)}))
    line, _, rest = message.partition(":*: ")
    assert (
        any(p.startswith(f"tables/ends.yml:{line}:") and p.endswith(rest) for p in found) if rest else f"tables/ends.yml:{message}" in found
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("product: acme-guard", "product: acme-other"), "the product 'acme-other' and the file's name 'acme-guard' differ"),
        (("on: ['2019'], ", ""), "expected `on` (generations of Windows) or `beside` (another product)"),
        (("on: ['2019']", "beside: acme-guard"), "a product is not beside itself"),
        (("says: supported", "says: conflicts"), "a product conflicts with another product: say `beside`, or `unsupported` for systems"),
        (("on: ['2019']", "on: ['2019'], version: '9'"), "expected vers:SCHEME/CONSTRAINTS"),
        (("on: ['2019']", "on: ['2019'], beside_version: 'vers:windows/1'"), "a version of nothing: `beside` is left out"),
        (("'2019'", "'95'"), "invalid enum value '95'"),
    ],
)
def test_each_mistake_of_a_support_statement(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    found = problems(matrix_folder(tmp_path, {"supports/acme-guard.yml": SUPPORTS.replace(*change)}))
    assert any(p.startswith("supports/acme-guard.yml:") and message in p for p in found), found


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("{listed: {table: nowhere}}", "unknown table 'nowhere': expected a table of products: ends, unsupported"),
        ("{listed: {table: ex}}", "unknown table 'ex': expected a table of products: ends, unsupported"),
        ("{exclusions: {product: acme-guard, table: ex}}", "expected exactly one of lacks and has"),
        ("{exclusions: {table: ex, lacks: sql}}", "expected exactly one of product and kind"),
        ("{exclusions: {product: acme-guard, kind: antivirus, table: ex, lacks: sql}}", "expected exactly one of product and kind"),
        ("{exclusions: {product: acme-guard, table: ex, lacks: dns}}", "the table has no role 'dns': expected one of sql"),
        ("{exclusions: {product: acme-gard, table: ex, lacks: sql}}", "unknown product 'acme-gard': did you mean acme-guard?"),
        ("{exclusions: {product: acme-guard, table: ex, has: [c]}}", "expected `path`, `process` or `extension` and a glob, got 'c'"),
        ("{collision: {one: {}, other: {copies: true}}}", "expected commands, copies, or both"),
        ("{collision: {one: {commands: ['*']}, other: {copies: true}}}", "'*' would fit nearly everything"),
        ("{filter: {altitudes: ex, allocated: to_nobody}}", "unknown table 'ex': expected a table of altitudes: none"),
        ("{filter: {allocated: to_nobody}}", "altitudes and allocated belong together"),
        ("{driver: {resembles: ends}}", "unknown table 'ends': expected a table of drivers: none"),
        ("{product: {id: acme-guard, definitions_older_than_days: -1}}", "expected a number of days"),
    ],
)
def test_rules_name_tables_that_are_there_and_fit(tmp_path: Path, when: str, message: str) -> None:
    found = problems(matrix_folder(tmp_path, {"tables/ends.yml": TABLE, "tables/ex.yml": EXCLUSIONS}, when))
    assert [p.rpartition("a-rule: ")[2] for p in found] == [message]


def test_an_id_is_taken_once_over_all_kinds_and_the_made_table_is_nobodys(tmp_path: Path) -> None:
    files = {"tables/ends.yml": TABLE, "tables/ends.tsv": HEAD + "driver\taltitude\na\t1\n"}
    assert problems(matrix_folder(tmp_path / "one", files)) == ["tables/ends.yml:2:1: ends: another table has this id"]
    made = TABLE.replace("id: ends", "id: unsupported")
    assert (
        "is that of the table made of the support statements"
        in problems(matrix_folder(tmp_path / "two", {"tables/unsupported.yml": made}))[0]
    )
