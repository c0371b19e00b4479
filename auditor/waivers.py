"""Loads waiver files: strict YAML in, waivers out. An entry that is wrong waives nothing and is told with its place; the others hold.

waivers:
  - id: blackice-until-replaced
    rule: iss-blackice-end-of-life
    hosts: [srv-a]
    reason: The replacement is ordered.
    owner: J. Doe
    until: 2026-12-31
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from auditor.matrix.convert import convert
from auditor.matrix.strict_yaml import Document, Keys, read_yaml
from auditor.model.errors import InputFileError, Problem
from auditor.model.waiver import PlacedWaiver, StaleWaiver, Waiver, Waivers

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def load_waivers(files: Sequence[Path]) -> Waivers:
    """The waivers of all files. Raises InputFileError only for a file that is not there or can't be read at all."""
    entries: list[PlacedWaiver] = []
    malformed: list[StaleWaiver] = []
    for file in files:
        if not file.is_file():
            problem = Problem(file=str(file), message="no such file")
            step = "Name the file, or leave out --waivers."
            raise InputFileError(f"the waivers {file} can't be read", (problem,), next_step=step, usage=True)
        document, problems = read_yaml(file)
        malformed += [_malformed("", problem) for problem in problems]
        if document is not None:
            _read(document, entries, malformed)
    return Waivers(entries=tuple(entries), malformed=tuple(malformed))


def _malformed(id_: str, problem: Problem) -> StaleWaiver:
    place = f"{problem.file}:{problem.line}:{problem.column}" if problem.line else problem.file
    return StaleWaiver(id=id_, place=place, why="malformed", message=problem.message)


def _read(document: Document, entries: list[PlacedWaiver], malformed: list[StaleWaiver]) -> None:
    top = document.value
    rows = top.get("waivers") if isinstance(top, dict) else None
    if not isinstance(top, dict) or set(top) != {"waivers"} or not isinstance(rows, list):
        malformed.append(_malformed("", document.problem((), "", "expected one key, `waivers`, with a list")))
        return
    taken = {entry.waiver.id for entry in entries}
    for number, row in enumerate(rows):
        keys: Keys = ("waivers", number)
        id_ = str(row.get("id") or "") if isinstance(row, dict) else ""
        waiver, problems = convert(document, row, Waiver, keys, id_)
        problems = [*problems, *(_faults(document, waiver, keys, taken) if waiver is not None else ())]
        if waiver is None or problems:
            malformed += [_malformed(id_, problem) for problem in problems]
            continue
        taken.add(waiver.id)
        line, column = document.place(keys)
        entries.append(PlacedWaiver(waiver=waiver, place=f"{document.file}:{line}:{column}"))


def _faults(document: Document, waiver: Waiver, keys: Keys, taken: set[str]) -> Iterator[Problem]:
    """What types can't say of a waiver."""
    checks: list[tuple[str, bool, str]] = [
        ("id", waiver.id in taken, f"the id {waiver.id!r} is taken"),
        ("until", not _is_day(waiver.until), f"expected a day such as 2026-12-31, got {waiver.until!r}"),
    ]
    checks += [(field, not getattr(waiver, field).strip(), "expected a text") for field in ("id", "rule", "reason", "owner")]
    for field in ("hosts", "groups", "products"):
        values: tuple[Any, ...] = getattr(waiver, field)
        stated = field in document.value["waivers"][keys[1]]
        checks.append((field, stated and not values, "an empty list reaches nothing: leave it out to mean all"))
        checks += [(field, not value.strip(), "expected names") for value in values]
    yield from (document.problem((*keys, field), waiver.id, message) for field, wrong, message in checks if wrong)


def _is_day(text: str) -> bool:
    try:
        return bool(_DAY.fullmatch(text)) and date.fromisoformat(text) is not None
    except ValueError:
        return False
