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

    tabulate pads a header by two.
    """
    wanted = [max([len(head) + 2, *(len(line) for row in rows for line in row[i].split("\n"))]) for i, head in enumerate(headers)]
    room = width - 2 * (len(headers) - 1)
    limits = list(wanted)
    while sum(limits) > room and max(limits) > MINIMUM_COLUMN:
        widest = max(limits)
        second = max([limit for limit in limits if limit < widest], default=MINIMUM_COLUMN)
        count = limits.count(widest)
        cut = max(second, MINIMUM_COLUMN, widest - max(1, -(-(sum(limits) - room) // count)))
        limits = [min(limit, cut) for limit in limits]
    return limits


def _wrap(cell: str, limit: int) -> str:
    lines = []
    for line in cell.split("\n"):
        lines += textwrap.wrap(line, max(limit, 1), break_long_words=True, break_on_hyphens=False) or [""]
    return "\n".join(lines)
