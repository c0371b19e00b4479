"""Rows as a text table: the one place that calls tabulate. Owns alignment and wrapping; decides nothing about content.

tabulate rewrites what looks like a number (`10.10` becomes `10.1`), so number parsing is always off. Cells must be safe text.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

MINIMUM_COLUMN = 8


def grid(headers: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = 120) -> str:
    """A table of at most about `width` columns; the widest columns are wrapped first. No rows give the headers alone."""
    from tabulate import tabulate

    limits = _limits(headers, rows, width)
    wrapped = [[_wrap(cell, limit) for cell, limit in zip(row, limits, strict=True)] for row in rows]
    return tabulate(wrapped, list(headers), "simple", disable_numparse=True, stralign="left", preserve_whitespace=True)


def _limits(headers: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """Width of each column: its widest line, until the sum fits; then the widest columns share what is left.

    No word is cut while that can be helped. tabulate pads a header by two.
    """
    heads = [len(head) + 2 for head in headers]
    lines = [[line for row in rows for line in row[i].split("\n")] for i in range(len(headers))]
    wanted = [max([head, *map(len, column)]) for head, column in zip(heads, lines, strict=True)]
    words = [max([head, *(len(word) for line in column for word in line.split())]) for head, column in zip(heads, lines, strict=True)]
    room = width - 2 * (len(headers) - 1)
    return _shrink(_shrink(wanted, words, room), [min(head, MINIMUM_COLUMN) for head in heads], room)


def _shrink(limits: list[int], floors: list[int], room: int) -> list[int]:
    """The limits with the widest made narrower, one character at a time, none below its floor, until they fit."""
    limits = list(limits)
    excess = sum(limits) - room
    while excess > 0 and (able := [i for i, limit in enumerate(limits) if limit > floors[i]]):
        widest = max(able, key=limits.__getitem__)
        others = [limits[i] for i in able if i != widest]
        step = max(1, min(excess, limits[widest] - max([floors[widest], *others])))
        limits[widest] -= step
        excess -= step
    return limits


def _wrap(cell: str, limit: int) -> str:
    if cell.isspace():
        return cell  # a row of blanks is a blank line; a row of empty cells would be none
    lines = []
    for line in cell.split("\n"):
        lines += textwrap.wrap(line, max(limit, 1), break_long_words=True, break_on_hyphens=False) or [""]
    return "\n".join(lines)
