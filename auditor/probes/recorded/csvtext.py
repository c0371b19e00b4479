"""Rows of CSV as Windows' tools, PowerShell and spreadsheets write it: quoted or not, `,` or `;` or tab between, line ends in values.

Knows nothing of what a column means. A row that can't be read is None beside its line, never left out.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

SEPARATORS = (",", ";", "\t")
_NO_HEAD = re.compile(r'["\d]|  |[;,\t]$')
"""What a head that a spreadsheet saved never holds: its cells are words."""
_MOST_LINES = 20
"""So many lines may be one row: descriptions with line ends have a few."""


def separator_of(line: str) -> str:
    """What separates the columns of a quoted line; a comma where nothing else shows."""
    return next((s for s in SEPARATORS if f'"{s}"' in line), ",")


def is_quoted_row(line: str) -> bool:
    """Whether a line starts as a row of quoted values."""
    return line.startswith('"') and any(f'"{s}"' in line for s in SEPARATORS)


def plain_head(lines: Sequence[str], widths: Sequence[int]) -> tuple[int, str] | None:
    """Line and separator of a table without quotes around each value (saved by a spreadsheet): a first line of one of these widths.

    A second row of the same width must stand below it: text with commas is no table.
    """
    for at, line in enumerate(lines[:20]):
        for separator in SEPARATORS:
            if line.count(separator) + 1 in widths and not _NO_HEAD.search(line):
                below = read_row(lines, at + 1, separator)[1] if at + 1 < len(lines) else None
                if below is not None and len(below) == line.count(separator) + 1:
                    return at, separator
    return None


def read_row(lines: Sequence[str], at: int, separator: str) -> tuple[int, list[str] | None]:
    """One row and how many lines it took. A blank line is an empty list, quotes that do not close are None and one line."""
    text = lines[at]
    if not text.strip():
        return 1, []
    for taken in range(1, _MOST_LINES + 1):
        if text.count('"') % 2 == 0:
            try:
                return taken, next(csv.reader([text], strict=False, delimiter=separator))
            except (csv.Error, StopIteration):
                return taken, None
        if at + taken >= len(lines):
            break
        text += "\n" + lines[at + taken]
    return 1, None


def read_rows(lines: Sequence[str], at: int, separator: str) -> Iterator[tuple[int, list[str] | None]]:
    """Line number (from 1) and values of each row from a line on; blank lines are left out."""
    while at < len(lines):
        taken, row = read_row(lines, at, separator)
        if row is None or row:
            yield at + 1, row
        at += taken
