"""The selector of rows of a table: a product, a version, a system, from a day on. Support statements that say no are such a table too.

Rules of this file:
1. A row fits where everything holds that it states; its day is compared with the day of the evaluation, never with a clock.
2. The table `unsupported` is made from the statements under `supports/`, so that nothing is written down twice. Suspected ones stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.conditions.selectors_product import compile_matches, compile_product, day_number
from auditor.analysis.conditions.selectors_system import compile_os
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.outcome import FALSE, TRUE, Outcome, conjoin, disjoin, unknown
from auditor.model.finding import Evidence, Product
from auditor.model.rule import Matrix
from auditor.model.selector import ListedSelector, OsSelector, ProductSelector
from auditor.model.table import ListedRow, ProductsTable, Table
from auditor.model.version import VersionRange, parse_version

UNSUPPORTED = "unsupported"
"""Id of the table that is made of the support statements; no file may take it."""


def lists_of(matrix: Matrix) -> Mapping[str, Table]:
    """The tables of a matrix with the one that its support statements make."""
    rows = tuple(_said_no(matrix))
    made = ProductsTable(id=UNSUPPORTED, source="supports/", licence="facts", date="", rows=rows)
    return {**matrix.lists, UNSUPPORTED: made}


def _said_no(matrix: Matrix) -> Iterator[ListedRow]:
    for file in matrix.supports:
        for s in file.statements:
            if s.says == "unsupported" and s.confidence != "suspected" and s.beside_version is None:
                yield ListedRow(
                    product=file.product,
                    version=s.version,
                    generation=s.on,
                    beside=s.beside,
                    note=s.note or "not supported",
                    confidence=s.confidence,
                    source=s.source,
                )


def compile_listed(selector: ListedSelector, setting: Setting) -> Test:
    """A row of the table that fits the host."""
    role, table = setting.role(selector.host), setting.lists.get(selector.table)
    rows = table.rows if isinstance(table, ProductsTable) else ()
    tests = tuple(_row(row, role, setting) for row in rows)
    places = _Places(rows)

    def test(binding: Binding) -> Outcome:
        return disjoin(tests[number](binding) for number in places.of(binding.hosts[role]))

    return test


class _Places:
    """Numbers of a table's rows by what they can't do without: a product, else a system."""

    def __init__(self, rows: Sequence[ListedRow]) -> None:
        self._products: dict[str, list[int]] = {}
        self._systems: dict[str, list[int]] = {}
        self._any: list[int] = []
        for number, row in enumerate(rows):
            if row.product is not None:
                self._products.setdefault(row.product, []).append(number)
            elif row.generation:
                for generation in row.generation:
                    self._systems.setdefault(generation, []).append(number)
            else:
                self._any.append(number)

    def of(self, facts: HostFacts) -> list[int]:
        """Rows that can say something of a host, in the order of the table."""
        found = {number for product in facts.products for number in self._products.get(product.id, ())}
        found.update(number for id_ in facts.unsure for number in self._products.get(id_, ()))
        systems = self._systems if facts.generation is None else (facts.generation,)
        found.update(number for generation in systems for number in self._systems.get(generation, ()))
        return sorted((*found, *self._any))


def _row(row: ListedRow, role: str, setting: Setting) -> Test:
    product = compile_product(ProductSelector(id=row.product, version=row.version, host=role), setting) if row.product else None
    beside = compile_product(ProductSelector(id=row.beside, host=role), setting) if row.beside else None
    system = compile_os(OsSelector(generation=row.generation, host=role), setting) if row.generation else None
    parts = [part for part in (product, beside, system) if part is not None]
    definitions = _definitions(row, role) if row.definitions is not None else None
    since = day_number(row.since)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        if since is not None and _before(setting.day(facts), since):
            return FALSE
        listed = definitions(binding) if definitions is not None else TRUE
        if listed.value is False:
            return FALSE
        outcome = conjoin((*(part(binding) for part in parts), listed))
        return _told(facts, row, outcome) if outcome.value else outcome

    return test


def _before(day: str, since: int) -> bool:
    today = day_number(day)
    return today is None or today < since


def _told(facts: HostFacts, row: ListedRow, outcome: Outcome) -> Outcome:
    """The evidence, with what the row says of it."""
    note = Evidence(
        host=facts.name,
        section="system" if row.product is None else "products",
        record=row.product or "system",
        field="listed",
        value=f"{row.note}{f' (since {row.since})' if row.since else ''}",
        confidence=row.confidence,
        source=row.source,
    )
    return Outcome(True, (*outcome.evidence, note), edges=outcome.edges)


def _definitions(row: ListedRow, role: str) -> Test:
    """A product's definitions inside a range of versions."""
    span = VersionRange(row.definitions or "")
    match = compile_matches(ProductSelector(id=row.product))

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        return disjoin(_one(facts, product, span.__contains__) for product in match(facts).sure)

    def _one(facts: HostFacts, product: Product, holds: Callable[..., bool]) -> Outcome:
        version = parse_version(product.definitions, span.scheme)
        if product.definitions is None and "definitions" in product.unknown:
            return unknown(*facts.doubts_of(product.id, "definitions"))
        if version is None or not holds(version):
            return FALSE
        return Outcome(True, tuple(e for e in product.evidence if e.about == "definitions"))

    return test
