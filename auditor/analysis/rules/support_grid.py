"""The grid of what goes with what: support statements and rules, product against systems and product against product. Pure.

Rules of this file:
1. A cell holds everything that is said of its pair; its answer is the worst of it. Nothing said is unknown, never supported.
2. A rule speaks of a pair where both are required of one host: products by id, kinds that are counted, generations of Windows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import get_args

from auditor.analysis.conditions.condition import selectors_of
from auditor.model.grade import SEVERITIES
from auditor.model.pattern import compile_pattern
from auditor.model.rule import Matrix, Rule
from auditor.model.selector import Condition, Generation, ProductSelector
from auditor.model.signature import Signature
from auditor.model.support import Grid, GridCell, GridRow, GridStatement, Statement, answer_of

Said = dict[tuple[str, str], list[GridStatement]]
GENERATIONS: tuple[str, ...] = get_args(Generation)
_LEAST = SEVERITIES.index("low")
"""Rules that only inform make no conflict."""


def systems_grid(matrix: Matrix, products: Collection[str] = ()) -> Grid:
    """Products against generations of Windows. Without `products`: those of which anything is said."""
    said: Said = {}
    for file in matrix.supports:
        for statement in file.statements:
            for system in statement.on if statement.beside is None else ():
                _say(said, file.product, system, _of_statement(statement))
    for rule in matrix.rules:
        for product, generation in _system_pairs(rule, matrix.signatures):
            _say(said, product, generation, _of_rule(rule))
    rows = _chosen(products, {product for product, _ in said}, matrix)
    return _grid("Products against Windows", matrix, rows, GENERATIONS, dict(zip(GENERATIONS, GENERATIONS, strict=True)), said)


def products_grid(matrix: Matrix, products: Collection[str] = ()) -> Grid:
    """Products against products; the same both ways. Without `products`: those of which anything is said."""
    said: Said = {}
    for file in matrix.supports:
        for statement in file.statements:
            if statement.beside is not None:
                _say_both(said, file.product, statement.beside, _of_statement(statement))
    for rule in matrix.rules:
        for one, other in _product_pairs(rule, matrix.signatures):
            _say_both(said, one, other, _of_rule(rule))
    spoken = {name for pair in said for name in pair}
    rows = _chosen(products, spoken, matrix)
    columns = [s.id for s in matrix.signatures if s.id in spoken or s.id in rows]
    return _grid("Products beside products", matrix, rows, columns, {s.id: s.name for s in matrix.signatures}, said)


def _chosen(products: Collection[str], spoken: Collection[str], matrix: Matrix) -> list[str]:
    return [s.id for s in matrix.signatures if s.id in (products or spoken)]


def _say(said: Said, row: str, column: str, statement: GridStatement) -> None:
    found = said.setdefault((row, column), [])
    if statement not in found:
        found.append(statement)


def _say_both(said: Said, one: str, other: str, statement: GridStatement) -> None:
    _say(said, one, other, statement)
    _say(said, other, one, statement)


def _grid(title: str, matrix: Matrix, rows: Sequence[str], columns: Sequence[str], names: Mapping[str, str], said: Said) -> Grid:
    own = {signature.id: signature.name for signature in matrix.signatures}
    return Grid(
        title=title,
        columns=tuple(columns),
        names=tuple(names[column] for column in columns),
        rows=tuple(
            GridRow(product=row, name=own[row], cells=tuple(_cell(said.get((row, column), [])) for column in columns)) for row in rows
        ),
    )


def _cell(statements: Sequence[GridStatement]) -> GridCell:
    says = tuple(statement.says for statement in statements)
    return GridCell(answer=answer_of(says), statements=tuple(statements), depends=len(set(says)) > 1 or any(s.some for s in statements))


def _of_statement(statement: Statement) -> GridStatement:
    versions = f"versions {statement.version.partition('/')[2]}" if statement.version else "every version"
    beside = f" beside {statement.beside_version.partition('/')[2]}" if statement.beside_version else ""
    text = f"{versions}{beside}{': ' + statement.note if statement.note else ''}"
    return GridStatement(kind="statement", says=statement.says, text=text, confidence=statement.confidence, source=statement.source)


def _of_rule(rule: Rule) -> GridStatement:
    source = next((text for text in rule.references if text.startswith("http")), "")
    asked = (selector for part in _required(rule) for _, selector in selectors_of(part))
    some = any(_of_some(selector) for selector in asked if isinstance(selector, ProductSelector))
    return GridStatement(kind="rule", says="conflicts", text=rule.title, confidence=rule.confidence, source=source, rule=rule.id, some=some)


def _of_some(selector: ProductSelector) -> bool:
    """Whether more is asked of a product than that it runs."""
    return any(getattr(selector, field) is not None for field in ("version", "engine", "definitions", "edition", "role"))


def _required(rule: Rule) -> Iterator[Condition]:
    """What must all be true on the one host of a rule for it to be violated."""
    if len(rule.roles) == 1 and SEVERITIES.index(rule.severity) >= _LEAST:
        for condition in (rule.applies_to, rule.when):
            if condition is not None:
                yield from _parts(condition)


def _parts(condition: Condition) -> Iterator[Condition]:
    if condition.all_ is None:
        yield condition
    for part in condition.all_ or ():
        yield from _parts(part)


def _products(condition: Condition, signatures: Sequence[Signature]) -> set[str]:
    """Products, one of which a condition requires; a product by its id only, since a kind says too little of each."""
    if condition.any_ is not None:
        found = [_products(part, signatures) for part in condition.any_]
        return set().union(*found) if all(found) else set()
    selector = condition.product
    if selector is None or selector.id is None or selector.remnant:
        return set()
    return {signature.id for signature in signatures if _meant(selector, signature)}


def _meant(selector: ProductSelector, signature: Signature) -> bool:
    fits_id = selector.id is None or compile_pattern(selector.id)(signature.id.casefold())
    fits_vendor = selector.vendor is None or compile_pattern(selector.vendor)(signature.vendor.casefold())
    return fits_id and fits_vendor and selector.kind in (None, signature.kind) and signature.id not in selector.except_ids


def _product_pairs(rule: Rule, signatures: Sequence[Signature]) -> Iterator[tuple[str, str]]:
    parts = list(_required(rule))
    if any(_narrow(part, signatures) for part in parts):
        return
    sets = [found for part in parts if (found := _products(part, signatures))]
    for number, ones in enumerate(sets):
        yield from ((one, other) for others in sets[number + 1 :] for one in sorted(ones) for other in sorted(others) if one != other)
    for part in parts:
        count = part.count
        if count is not None and count.product is not None and (count.at_least or 0) == 2:
            counted = [s for s in signatures if _meant(count.product, s)]
            yield from ((a.id, b.id) for a in counted for b in counted if a.id < b.id and (count.distinct == "id" or a.vendor != b.vendor))


def _system_pairs(rule: Rule, signatures: Sequence[Signature]) -> Iterator[tuple[str, str]]:
    parts = list(_required(rule))
    sets = [found for part in parts if (found := _products(part, signatures))]
    if len(sets) != 1 or any(_narrow(part, signatures) or part.count is not None for part in parts):
        return
    products = sets[0]
    for part in parts:
        for generation in part.os.generation if part.os is not None and part.os.build is None and part.os.role is None else ():
            yield from ((product, generation) for product in sorted(products))


def _narrow(part: Condition, signatures: Sequence[Signature]) -> bool:
    """Whether a part needs more than products and systems: then the pair as such is no conflict."""
    counted = part.count is not None and part.count.product is not None
    return not (counted or part.os is not None or _products(part, signatures))
