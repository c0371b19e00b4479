"""Folders of rules, signatures and tables to a Matrix, or all that is wrong with them.

Layout of a folder: `products/<id>.yml`, `rules/<area>/<id>.yml`, `drivers/<id>.tsv`; beside each product and rule `<id>.cases.yml`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from auditor.matrix.check import Fault, Known
from auditor.matrix.check_files import check_rule, check_signature
from auditor.matrix.convert import convert
from auditor.matrix.strict_yaml import Document, read_yaml
from auditor.model.errors import MatrixError, Problem
from auditor.model.places import shipped
from auditor.model.rule import Matrix, Rule
from auditor.model.signature import Signature

T = TypeVar("T", Rule, Signature)
CASES = ".cases.yml"
_TABLE_BYTES = 16 * 1024 * 1024


class Entry(NamedTuple):
    """A rule or signature with the document it came from."""

    path: Path
    document: Document
    value: Rule | Signature


def load_matrix(folders: Sequence[Path], playbooks: Collection[str] | None = None) -> Matrix:
    """Everything in the folders. `playbooks` are the ids that remedies may name, by default the shipped ones.

    Raises MatrixError with every problem; a matrix with errors is never half loaded.
    """
    problems: list[Problem] = []
    tables = {path.stem: _read_table(path, problems) for folder in folders for path in _files(folder, "drivers", ".tsv", problems)}
    products = _read_all(folders, "products", Signature, problems)
    rules = _read_all(folders, "rules", Rule, problems)
    _refuse_duplicates([*products, *rules], problems)
    signatures = {entry.value.id: entry.value for entry in products if isinstance(entry.value, Signature)}
    allowed = playbook_ids() if playbooks is None else playbooks
    for entry in [*products, *rules]:
        known = Known(entry.value.roles if isinstance(entry.value, Rule) else ("host",), signatures, tables)
        problems += [entry.document.problem(keys, entry.value.id, message) for keys, message in _faults(entry, known, allowed)]
    if problems:
        raise MatrixError(f"the compatibility matrix has {len(problems)} problems", tuple(sorted(problems, key=_order)))
    return Matrix(
        rules=tuple(sorted((e.value for e in rules if isinstance(e.value, Rule)), key=lambda rule: rule.id)),
        signatures=tuple(signatures[id_] for id_ in sorted(signatures)),
        tables=tables,
        digest=_digest(folders),
    )


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line, problem.column


def playbook_ids() -> frozenset[str]:
    """Ids of the shipped playbooks: their file names without ending."""
    folder = shipped("playbooks")
    return frozenset(path.stem for path in folder.glob("*.yml")) if folder.is_dir() else frozenset()


def _faults(entry: Entry, known: Known, playbooks: Collection[str]) -> Iterator[Fault]:
    if isinstance(entry.value, Rule):
        return check_rule(entry.value, entry.path.stem, known, playbooks)
    return check_signature(entry.value, entry.path.stem, known)


def _read_all(folders: Sequence[Path], part: str, type_: type[T], problems: list[Problem]) -> list[Entry]:
    entries: list[Entry] = []
    for folder in folders:
        for path in _files(folder, part, ".yml", problems):
            document, wrong = read_yaml(path)
            problems += wrong
            if document is None:
                continue
            value, wrong = convert(document, document.value, type_, (), path.stem)
            problems += wrong
            if value is not None:
                entries.append(Entry(path, document, value))
    return entries


def _files(folder: Path, part: str, ending: str, problems: list[Problem]) -> list[Path]:
    """Files of one part of a matrix folder, sorted; cases are left out, other endings are a problem."""
    if not folder.is_dir():
        problem = Problem(file=str(folder), message="no such folder: expected one with products/, rules/ or drivers/")
        problems += [] if problem in problems else [problem]
        return []
    found = sorted(path for path in (folder / part).rglob("*") if path.is_file() and not path.name.endswith((CASES, ".md")))
    problems += [Problem(file=str(path), message=f"expected the ending {ending}") for path in found if path.suffix != ending]
    return [path for path in found if path.suffix == ending]


def _refuse_duplicates(entries: Sequence[Entry], problems: list[Problem]) -> None:
    first: dict[tuple[type, str], Entry] = {}
    for entry in entries:
        earlier = first.setdefault((type(entry.value), entry.value.id), entry)
        if earlier is not entry:
            problems.append(entry.document.problem(("id",), entry.value.id, f"the id is taken by {earlier.document.file}"))


def _read_table(path: Path, problems: list[Problem]) -> frozenset[str]:
    """Values of the column `sha256`."""
    try:
        if path.stat().st_size > _TABLE_BYTES:
            problems.append(Problem(file=str(path), message=f"the table is larger than {_TABLE_BYTES} bytes"))
            return frozenset()
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(file=str(path), message=f"the table can't be read: {error}"))
        return frozenset()
    head = lines[0].split("\t") if lines else []
    if "sha256" not in head:
        problems.append(Problem(file=str(path), line=1, column=1, message="expected a column sha256"))
        return frozenset()
    column = head.index("sha256")
    rows = (line.split("\t") for line in lines[1:] if line.strip())
    return frozenset(row[column].casefold() for row in rows if len(row) > column and row[column])


def _digest(folders: Sequence[Path]) -> str:
    """SHA-256 over the names and bytes of all files that were loaded."""
    total = hashlib.sha256()
    for folder in folders:
        for part, ending in (("drivers", ".tsv"), ("products", ".yml"), ("rules", ".yml")):
            for path in _files(folder, part, ending, []):
                data = path.read_bytes()
                total.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode())
                total.update(data)
    return total.hexdigest()
