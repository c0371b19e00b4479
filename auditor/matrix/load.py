"""Folders of rules, signatures and tables to a Matrix, or all that is wrong with them.

Layout of a folder: `products/<id>.yml`, `rules/<area>/<id>.yml`, `supports/<product id>.yml`, `tables/<id>.yml` or `.tsv`,
`drivers/<id>.tsv`; beside each product and rule `<id>.cases.yml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from auditor.matrix.check import Fault, Known
from auditor.matrix.check_files import check_rule, check_signature
from auditor.matrix.check_lists import check_supports, check_table
from auditor.matrix.check_remedies import Remedies
from auditor.matrix.convert import convert
from auditor.matrix.remedies import load_remedies
from auditor.matrix.strict_yaml import Document, read_yaml
from auditor.matrix.tables import read_sheet
from auditor.model.errors import MatrixError, Problem
from auditor.model.rule import Matrix, Rule
from auditor.model.signature import Signature
from auditor.model.support import SupportFile
from auditor.model.table import DriversTable, ExclusionsTable, ProductsTable, Table, WrittenTable

Loaded = Rule | Signature | SupportFile | ProductsTable | ExclusionsTable
CASES = ".cases.yml"
_PARTS = (("drivers", (".tsv",)), ("products", (".yml",)), ("rules", (".yml",)), ("supports", (".yml",)), ("tables", (".tsv", ".yml")))


class Entry(NamedTuple):
    """What was loaded, with the document it came from."""

    path: Path
    document: Document
    value: Loaded

    @property
    def id(self) -> str:
        """Its id; of support statements the product's."""
        return self.value.product if isinstance(self.value, SupportFile) else self.value.id


def load_matrix(folders: Sequence[Path], playbooks: Collection[str] | None = None) -> Matrix:
    """Everything in the folders. `playbooks` are the ids that remedies may name, by default the shipped ones.

    Raises MatrixError with every problem; a matrix with errors is never half loaded.
    """
    problems: list[Problem] = []
    products = _read_all(folders, "products", Signature, problems)
    rules = _read_all(folders, "rules", Rule, problems)
    supports = _read_all(folders, "supports", SupportFile, problems)
    written = _read_all(folders, "tables", WrittenTable, problems)
    lists = _tables(folders, written, problems)
    _refuse_duplicates([*products, *rules, *supports], problems)
    signatures = {entry.value.id: entry.value for entry in products if isinstance(entry.value, Signature)}
    tables = {id_: table.hashes for id_, table in lists.items() if isinstance(table, DriversTable)}
    allowed: Remedies = load_remedies() if playbooks is None else dict.fromkeys(playbooks)
    echoes = tuple(f"unknown table {stem!r}" for stem in _broken(folders, lists))
    for entry in [*products, *rules, *supports, *written]:
        known = Known(entry.value.roles if isinstance(entry.value, Rule) else ("host",), signatures, tables, lists)
        faults = ((keys, message) for keys, message in _faults(entry, known, allowed) if not message.startswith(echoes))
        problems += [entry.document.problem(keys, entry.id, message) for keys, message in faults]
    if problems:
        raise MatrixError(f"the compatibility matrix has {len(problems)} problems", tuple(sorted(problems, key=_order)))
    return Matrix(
        rules=tuple(sorted((e.value for e in rules if isinstance(e.value, Rule)), key=lambda rule: rule.id)),
        signatures=tuple(signatures[id_] for id_ in sorted(signatures)),
        tables=tables,
        lists=lists,
        supports=tuple(sorted((e.value for e in supports if isinstance(e.value, SupportFile)), key=lambda file: file.product)),
        digest=_digest(folders),
    )


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def _faults(entry: Entry, known: Known, remedies: Remedies) -> Iterator[Fault]:
    if isinstance(entry.value, Rule):
        return check_rule(entry.value, entry.path.stem, known, remedies)
    if isinstance(entry.value, SupportFile):
        return check_supports(entry.value, entry.path.stem, known.signatures)
    if isinstance(entry.value, ProductsTable | ExclusionsTable):
        return check_table(entry.value, entry.path.stem, known.signatures)
    return check_signature(entry.value, entry.path.stem, known)


def _tables(folders: Sequence[Path], written: Sequence[Entry], problems: list[Problem]) -> dict[str, Table]:
    """Every table by its id; one that is taken is a problem."""
    lists: dict[str, Table] = {}
    for folder in folders:
        for part in ("drivers", "tables"):
            for path in _files(folder, part, problems):
                found = read_sheet(path, strict=part == "tables", problems=problems) if path.suffix == ".tsv" else None
                if found is not None and lists.setdefault(found.id, found) is not found:
                    problems.append(Problem(file=str(path), subject=found.id, message="another table has this id"))
    for document, table in [(e.document, e.value) for e in written if isinstance(e.value, ProductsTable | ExclusionsTable)]:
        taken = lists.setdefault(table.id, table) is not table
        problems += [document.problem(("id",), table.id, "another table has this id")] if taken else []
    return lists


def _broken(folders: Sequence[Path], lists: Collection[str]) -> set[str]:
    """Tables that are there and could not be read: told already, and not once more by each rule that names them."""
    return {path.stem for folder in folders for part in ("drivers", "tables") for path in _files(folder, part, [])} - set(lists)


def _read_all(folders: Sequence[Path], part: str, type_: Any, problems: list[Problem]) -> list[Entry]:
    entries: list[Entry] = []
    for folder in folders:
        for path in (path for path in _files(folder, part, problems) if path.suffix == ".yml"):
            document, wrong = read_yaml(path)
            problems += wrong
            if document is None:
                continue
            value, wrong = convert(document, document.value, type_, (), path.stem)
            problems += wrong
            if value is not None:
                entries.append(Entry(path, document, value))
    return entries


def _files(folder: Path, part: str, problems: list[Problem]) -> list[Path]:
    """Files of one part of a matrix folder, sorted; cases are left out, other endings are a problem."""
    endings = dict(_PARTS)[part]
    if not folder.is_dir():
        problem = Problem(file=str(folder), message="no such folder: expected one with products/, rules/, supports/, tables/ or drivers/")
        problems += [] if problem in problems else [problem]
        return []
    found = sorted(path for path in (folder / part).rglob("*") if path.is_file() and not path.name.endswith((CASES, ".md")))
    strange = (
        Problem(file=str(path), message=f"expected the ending {' or '.join(endings)}") for path in found if path.suffix not in endings
    )
    problems += [problem for problem in strange if problem not in problems]
    return [path for path in found if path.suffix in endings]


def _refuse_duplicates(entries: Sequence[Entry], problems: list[Problem]) -> None:
    first: dict[tuple[type, str], Entry] = {}
    for entry in entries:
        earlier = first.setdefault((type(entry.value), entry.id), entry)
        if earlier is not entry:
            problems.append(entry.document.problem(("id",), entry.id, f"the id is taken by {earlier.document.file}"))


def _digest(folders: Sequence[Path]) -> str:
    """SHA-256 over the names and bytes of all files that were loaded."""
    total = hashlib.sha256()
    for folder in folders:
        for part, _ in _PARTS:
            for path in _files(folder, part, []):
                data = path.read_bytes()
                total.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
                total.update(data)
    return total.hexdigest()
