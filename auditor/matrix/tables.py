"""Data tables to typed ones, or all that is wrong with them, each with its place.

Rules of this file:
1. `tables/<id>.yml` holds what people write (kinds products and exclusions); `tables/<id>.tsv` and `drivers/<id>.tsv` hold others' lists.
2. A .tsv begins with lines `# source: ...`, `# licence: ...`, `# date: ...` and perhaps `# attribution: ...`; then the names of its
   columns. What it is, its columns say: `altitude` and `driver`, or `sha256`. In `drivers/` the lines may be left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

from auditor.model.errors import Problem
from auditor.model.table import AltitudesTable, DriversTable

LIMIT_BYTES = 16 * 1024 * 1024
LINES_OF_HEAD = ("source", "licence", "date", "attribution")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST = 50
"""Problems told of one table: more of them say nothing new."""


class Sheet:
    """A tab-separated file: its head, its columns and its rows with their line numbers."""

    def __init__(self, path: Path, head: dict[str, str], columns: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> None:
        self.path = path
        self.head = head
        self.columns = list(columns)
        self.rows = rows

    def problem(self, line: int, message: str, column: int = 1) -> Problem:
        """A problem at a line."""
        return Problem(file=str(self.path), line=line, column=column, subject=self.path.stem, message=message)

    def cell(self, row: Sequence[str], name: str) -> str:
        """A cell by its column's name; empty where the column or the cell is not there."""
        number = self.columns.index(name) if name in self.columns else len(row)
        return row[number].strip() if number < len(row) else ""


def read_sheet(path: Path, *, strict: bool, problems: list[Problem]) -> AltitudesTable | DriversTable | None:
    """The table in a .tsv, or None with what is wrong added to `problems`. `strict`: the head must be there."""
    lines = _lines(path, problems)
    if lines is None:
        return None
    sheet = _sheet(path, lines)
    wrong = [*(_head_faults(sheet) if strict else ()), *_column_faults(sheet, strict=strict)]
    found = None if wrong else _typed(sheet, wrong)
    problems += wrong[:_MOST]
    return None if wrong else found


def _lines(path: Path, problems: list[Problem]) -> list[str] | None:
    try:
        if path.stat().st_size > LIMIT_BYTES:
            problems.append(Problem(file=str(path), message=f"the table is larger than {LIMIT_BYTES} bytes"))
            return None
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(file=str(path), message=f"the table can't be read: {error}"))
        return None


def _sheet(path: Path, lines: Sequence[str]) -> Sheet:
    head: dict[str, str] = {}
    start = 0
    for start, line in enumerate(lines):  # noqa: B007 - where the head ends is what counts
        if not line.startswith("#"):
            break
        name, _, text = line.lstrip("# ").partition(":")
        head[name.strip().casefold()] = text.strip()
    columns = lines[start].split("\t") if lines else []
    rows = [(number + 1, line.split("\t")) for number, line in enumerate(lines) if number > start and line.strip()]
    return Sheet(path, head, columns, rows)


def _head_faults(sheet: Sheet) -> Iterator[Problem]:
    for name in LINES_OF_HEAD[:3]:
        if not sheet.head.get(name):
            yield sheet.problem(1, f"expected a line `# {name}: ...` at the head")
    yield from (sheet.problem(1, f"unknown line `# {name}:` at the head") for name in sheet.head if name not in LINES_OF_HEAD)
    if sheet.head.get("date") and not _DAY.fullmatch(sheet.head["date"]):
        yield sheet.problem(1, f"expected a date such as 2026-11-26, got {sheet.head['date']!r}")


def _column_faults(sheet: Sheet, *, strict: bool) -> Iterator[Problem]:
    place = sheet.rows[0][0] - 1 if sheet.rows else 1
    if not {"driver", "altitude"} <= set(sheet.columns) and "sha256" not in sheet.columns:
        yield sheet.problem(place, f"expected a column sha256{', or the columns driver and altitude' if strict else ''}")
    if len(set(sheet.columns)) != len(sheet.columns):
        yield sheet.problem(place, "a column is named twice")


def _typed(sheet: Sheet, wrong: list[Problem]) -> AltitudesTable | DriversTable:
    about = {name: sheet.head.get(name, "") for name in LINES_OF_HEAD}
    if "altitude" in sheet.columns:
        return AltitudesTable(id=sheet.path.stem, owners=_owners(sheet, wrong), **about)
    return DriversTable(id=sheet.path.stem, hashes=_hashes(sheet, wrong), names=_names(sheet), **about)


def _owners(sheet: Sheet, wrong: list[Problem]) -> dict[str, frozenset[str]]:
    owners: dict[str, set[str]] = {}
    for line, row in sheet.rows:
        altitude, driver = sheet.cell(row, "altitude"), sheet.cell(row, "driver")
        try:
            Decimal(altitude)
        except InvalidOperation:
            wrong.append(sheet.problem(line, f"expected an altitude such as 320000, got {altitude!r}"))
        if not driver:
            wrong.append(sheet.problem(line, "expected the name of a driver"))
        owners.setdefault(altitude, set()).add(driver.casefold().removesuffix(".sys"))
    return {altitude: frozenset(names) for altitude, names in owners.items()}


def _hashes(sheet: Sheet, wrong: list[Problem]) -> frozenset[str]:
    found = set()
    for line, row in sheet.rows:
        text = sheet.cell(row, "sha256").casefold()
        if text and not _SHA256.fullmatch(text):
            wrong.append(sheet.problem(line, f"expected 64 hex digits, got {text[:80]!r}", sheet.columns.index("sha256") + 1))
        elif text:
            found.add(text)
    return frozenset(found)


def _names(sheet: Sheet) -> frozenset[tuple[str, str]]:
    pairs = ((sheet.cell(row, "filename").casefold().removesuffix(".sys"), sheet.cell(row, "version")) for _, row in sheet.rows)
    return frozenset(pair for pair in pairs if all(pair))
