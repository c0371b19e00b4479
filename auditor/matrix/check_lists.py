"""What types can't say of tables, support statements, and the selectors that use them: known names, ranges, days, places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date

from auditor.matrix.strict_yaml import Keys
from auditor.model.selector import CollisionSelector, ExclusionsSelector, ListedSelector
from auditor.model.signature import Signature
from auditor.model.support import Statement, SupportFile
from auditor.model.table import ExclusionRow, ExclusionsTable, ListedRow, ProductsTable, Table, WrittenTable
from auditor.model.version import VersionRange

Fault = tuple[Keys, str]
UNSUPPORTED = "unsupported"
"""The table that is made of the support statements."""
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ADDRESS = re.compile(r"https?://[^\s/]+(/\S*)?")
_EXCLUSION = re.compile(r"(path|process|extension) \S.*")


def check_table(table: WrittenTable, stem: str, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    """Everything that is wrong with a table of products or of exclusions."""
    yield from _identity(table.id, stem)
    if table.id == UNSUPPORTED:
        yield ("id",), f"the id {UNSUPPORTED!r} is that of the table made of the support statements"
    for field in ("source", "licence"):
        if not getattr(table, field).strip():
            yield (field,), "expected a text"
    yield from _day(table.date, ("date",))
    if not table.rows:
        yield ("rows",), "expected at least one row"
    if isinstance(table, ProductsTable):
        for number, listed in enumerate(table.rows):
            yield from ((("rows", number, *place), message) for place, message in _listed_row(listed, signatures))
    else:
        yield from _exclusion_rows(table, signatures)


def _exclusion_rows(table: ExclusionsTable, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    for number, row in enumerate(table.rows):
        yield from ((("rows", number, *place), message) for place, message in _exclusion_row(row, signatures))
    for number, place in enumerate(table.places):
        yield from _product(place.product, ("places", number, "product"), signatures)
        if place.value is not None and place.held_in != "data":
            yield ("places", number, "value"), "a value is named only where the exclusion is its data"


def check_supports(file: SupportFile, stem: str, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    """Everything that is wrong with the statements about a product."""
    if file.product != stem:
        yield ("product",), f"the product {file.product!r} and the file's name {stem!r} differ"
    yield from _product(file.product, ("product",), signatures)
    if not file.statements:
        yield ("statements",), "expected at least one statement"
    for number, statement in enumerate(file.statements):
        yield from ((("statements", number, *place), message) for place, message in _statement(statement, file.product, signatures))


def _statement(s: Statement, product: str, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    if not s.on and s.beside is None:
        yield (), "expected `on` (generations of Windows) or `beside` (another product)"
    if s.beside is not None:
        yield from _product(s.beside, ("beside",), signatures)
        if s.beside == product:
            yield ("beside",), "a product is not beside itself"
    elif s.beside_version is not None:
        yield ("beside_version",), "a version of nothing: `beside` is left out"
    if s.says == "conflicts" and s.beside is None:
        yield ("says",), "a product conflicts with another product: say `beside`, or `unsupported` for systems"
    yield from _range(s.version, "version", signatures.get(product))
    yield from _range(s.beside_version, "beside_version", signatures.get(s.beside or ""))
    yield from _address(s.source)


def _listed_row(row: ListedRow, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    if row.product is None and not row.generation:
        yield (), "expected a product, generations of Windows, or both"
    for field in ("product", "beside"):
        if (id_ := getattr(row, field)) is not None:
            yield from _product(id_, (field,), signatures)
    for field in ("version", "definitions"):
        if getattr(row, field) is not None and row.product is None:
            yield (field,), "a version of nothing: `product` is left out"
    yield from _range(row.version, "version", signatures.get(row.product or ""))
    yield from _range(row.definitions, "definitions", None)
    if row.since is not None:
        yield from _day(row.since, ("since",))
    yield from _address(row.source)


def _exclusion_row(row: ExclusionRow, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    if not row.any_of:
        yield ("any_of",), "expected at least one exclusion"
    for number, text in enumerate(row.any_of):
        if not _EXCLUSION.fullmatch(text):
            yield ("any_of", number), f"expected `path`, `process` or `extension` and what is excluded, got {text!r}"
    for id_ in row.automatic:
        yield from _product(id_, ("automatic", id_), signatures)


def _identity(id_: str, stem: str) -> Iterator[Fault]:
    if not _ID.fullmatch(id_):
        yield ("id",), f"expected words of lower-case letters and digits joined by hyphens, got {id_!r}"
    elif id_ != stem:
        yield ("id",), f"the id {id_!r} and the file's name {stem!r} differ"


def _product(id_: str, keys: Keys, signatures: Mapping[str, Signature]) -> Iterator[Fault]:
    if id_ not in signatures:
        import difflib

        near = difflib.get_close_matches(id_, signatures, n=3, cutoff=0.5)
        yield keys, f"unknown product {id_!r}{': did you mean ' + ' or '.join(near) + '?' if near else ''}"


def _range(text: str | None, field: str, signature: Signature | None) -> Iterator[Fault]:
    if text is None:
        return
    try:
        span = VersionRange(text)
    except ValueError as error:
        yield (field,), str(error)
        return
    if signature is not None and span.scheme != signature.scheme:
        yield (field,), f"the versions of {signature.id} follow the scheme {signature.scheme}"


def _day(text: str, keys: Keys) -> Iterator[Fault]:
    try:
        if len(text) == 10:
            date.fromisoformat(text)
            return
    except ValueError:
        pass
    yield keys, f"expected a date such as 2026-11-26, got {text!r}"


def _address(text: str) -> Iterator[Fault]:
    if not _ADDRESS.fullmatch(text):
        yield ("source",), f"expected an http or https address, got {text!r}"


def check_listed(selector: ListedSelector, lists: Mapping[str, Table]) -> Iterator[Fault]:
    """The table is there and is one of products."""
    if selector.table != UNSUPPORTED:
        yield from check_table_name(selector.table, ("table",), lists, ProductsTable, "products", (UNSUPPORTED,))


def check_exclusions(selector: ExclusionsSelector, signatures: Mapping[str, Signature], lists: Mapping[str, Table]) -> Iterator[Fault]:
    """Product, table and role are known, and it asks for exactly one thing."""
    if (selector.product is None) == (selector.kind is None):
        yield (), "expected exactly one of product and kind"
    elif selector.product is not None:
        yield from _product(selector.product, ("product",), signatures)
    yield from check_table_name(selector.table, ("table",), lists, ExclusionsTable, "exclusions")
    if (selector.lacks is None) == (not selector.has):
        yield (), "expected exactly one of lacks and has"
    table = lists.get(selector.table)
    roles = sorted({row.role for row in table.rows}) if isinstance(table, ExclusionsTable) else []
    if selector.lacks is not None and roles and selector.lacks not in roles:
        yield ("lacks",), f"the table has no role {selector.lacks!r}: expected one of {', '.join(roles)}"
    for number, text in enumerate(selector.has):
        if not _EXCLUSION.fullmatch(text):
            yield ("has", number), f"expected `path`, `process` or `extension` and a glob, got {text!r}"


def check_collision(selector: CollisionSelector) -> Iterator[Fault]:
    """Each of the two says what it is."""
    for side in ("one", "other"):
        part = getattr(selector, side)
        if not part.commands and not part.copies:
            yield (side,), "expected commands, copies, or both"
        yield from (
            ((side, "commands", n), f"{t!r} would fit nearly everything") for n, t in enumerate(part.commands) if len(t.strip("*? ")) < 3
        )


def check_table_name(
    id_: str, keys: Keys, lists: Mapping[str, Table], type_: type[Table], word: str, further: tuple[str, ...] = ()
) -> Iterator[Fault]:
    """A table of that kind has this id."""
    fitting = [name for name, table in lists.items() if isinstance(table, type_)]
    if id_ not in fitting:
        yield keys, f"unknown table {id_!r}: expected a table of {word}: {', '.join(sorted((*fitting, *further))) or 'none'}"
