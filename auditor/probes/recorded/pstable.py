"""Tables of PowerShell's Format-Table: heads, a rule of dashes under each head, rows. Columns may be aligned to the right.

A column reaches as far as the blanks that all rows have between two rules; values that were cut end in dots (`...`, or one character).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence

import msgspec

from auditor.probes.recorded.layout import cells, cut, is_rule, rule_columns

_PROMPT = re.compile(r"\s*(?:PS )?(?:[A-Za-z]:|\\\\|Microsoft\.PowerShell)[^>\r\n]{0,200}>")
_WIDEST = 10_000


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row: its line, and its texts by the lower-case head of their column; none where the row does not keep to the columns."""

    line: int
    values: dict[str, str]
    text: str


def rule_line(lines: Sequence[str]) -> int | None:
    """Index of the first rule of dashes with heads above it."""
    return next((i for i, line in enumerate(lines) if i and _is_head_rule(line) and lines[i - 1].strip()), None)


def _is_head_rule(line: str) -> bool:
    return "-" in line and "=" not in line and (is_rule(line) or bool(re.fullmatch(r"\s*-{2,}(?:\s+-{2,})+\s*", line)))


def read_table(lines: Sequence[str], rule: int) -> Iterator[TableRow]:
    """The rows below a rule, up to a prompt; blank lines and repeated heads are left out."""
    columns = rule_columns(lines[rule])
    body = list(_body(lines, rule))
    spans = _spans(columns, [line for _, line in body])
    names = [name.casefold() for name in _heads(lines[rule - 1], columns, spans)]
    for number, line in body:
        aligned = all(start == 0 or _blank(cells(line), start - 1) for start, _ in spans)
        values = dict(zip(names, cut(line, spans), strict=True)) if aligned else {}
        yield TableRow(line=number, values=values, text=line.strip())


def _blank(wide: str, at: int) -> bool:
    return at >= len(wide) or wide[at] == " "


def _body(lines: Sequence[str], rule: int) -> Iterator[tuple[int, str]]:
    for at in range(rule + 1, len(lines)):
        line = lines[at]
        again = at + 1 < len(lines) and lines[at + 1] == lines[rule]
        if _PROMPT.match(line):
            return
        if line.strip() and line != lines[rule] and not again:
            yield at + 1, line


def _heads(line: str, columns: list[tuple[int, int]], spans: list[tuple[int, int]]) -> list[str]:
    words = line.split()
    return words if len(words) == len(columns) else cut(line, spans)


def _spans(columns: list[tuple[int, int]], rows: list[str]) -> list[tuple[int, int]]:
    """Where each column starts and ends: at a cell between two rules that is blank in nearly every row, the last such cell."""
    wide = [cells(row) for row in rows]
    starts = [0]
    for (_, end), (start, _) in itertools.pairwise(columns):
        gap = range(end, start)
        blank = {at: sum(1 for row in wide if _blank(row, at)) for at in gap}
        best = max(blank.values(), default=0)
        starts.append(max((at for at in gap if blank[at] == best), default=start - 1) + 1)
    return list(zip(starts, [*starts[1:], _WIDEST], strict=True))


def without_dots(text: str) -> tuple[str, bool]:
    """A cell's text, and whether the table cut it."""
    bare = text.removesuffix("...").removesuffix("\u2026")
    return bare, bare != text
