"""Where the columns of console tables and lists lie, in terminal cells: wide East Asian characters take two.

Knows nothing of what a column means. All functions take one line or one block of lines and are linear in its length.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

_RULE = re.compile(r"\s*(?:=+|-+)(?:\s+(?:=+|-+))*\s*")
_RUN = re.compile(r"=+|-+")
_FEWEST_DOUBLED = 8
"""Fewer lines may be apart by intent."""
_LABELLED = re.compile(r"(\s*\S[^:]{0,200}?:)(?=\s|$)")


def lines_of(text: str) -> list[str]:
    """The lines of a text, ends taken off: LF, CR LF, CR, and the CR CR LF that wmic writes. Other separators are characters.

    Where each end was doubled on the way (CR LF taken for two ends), every second line is none.
    """
    lines = text.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[0::2] if len(lines) >= _FEWEST_DOUBLED and not any(line.strip() for line in lines[1::2]) else lines


def is_rule(line: str) -> bool:
    """Whether a line is the rule (`=====  ====`) under a table's head: at least six marks."""
    return 5 < len(line) < 5000 and line.count("=") + line.count("-") >= 6 and bool(_RULE.fullmatch(line))


def rule_columns(line: str) -> list[tuple[int, int]]:
    """Start and end cell of each column that a rule line draws."""
    return [m.span() for m in _RUN.finditer(line)]


def cells(line: str) -> str:
    """The line with a filler after each wide character, so that an index is a cell. Plain lines come back as they are."""
    if line.isascii():
        return line
    return "".join(c + "\0" if unicodedata.east_asian_width(c) in "WF" else c for c in line)


def cut(line: str, columns: list[tuple[int, int]]) -> list[str]:
    """The texts of a row; the last column runs to the end of the line."""
    wide = cells(line)
    ends = [end for _, end in columns[:-1]] + [len(wide)]
    return [wide[start : max(start, end)].replace("\0", "").strip() for (start, _), end in zip(columns, ends, strict=True)]


def keeps_gaps(line: str, columns: list[tuple[int, int]]) -> bool:
    """Whether the gaps between columns are blank in this line: else it is no row of the table."""
    wide = cells(line.rstrip())
    gaps = [i for (_, end), (start, _) in itertools.pairwise(columns) for i in range(end, start)]
    return all(wide[i] == " " for i in gaps if i < len(wide))


def label_end(line: str) -> int:
    """Cell after the first label's colon, or -1 where the line has no label."""
    match = _LABELLED.match(line)
    return len(cells(line[: match.end()])) if match else -1


def value_column(lines: list[str]) -> int:
    """The cell at which the values of a padded list start: where most lines have their first text after a colon and two blanks."""
    votes: dict[int, int] = {}
    for line in lines:
        match = re.match(r"\s*\S.{0,200}?: {2,}(?=\S)", line)
        if match:
            at = len(cells(line[: match.end()]))
            votes[at] = votes.get(at, 0) + 1
    return max(votes, key=lambda at: (votes[at], at)) if votes else -1


def split_at_value(line: str, column: int) -> tuple[str, str] | None:
    """Label and value of a line of a padded list; None where nothing ends before the value's column."""
    wide = cells(line)
    label, value = wide[:column].replace("\0", "").rstrip(), wide[column:].replace("\0", "").strip()
    if label.endswith(":"):
        return label[:-1].strip(), value
    match = re.match(r"(\s*\S.{0,200}?):(?: (.*))?$", line)
    return (match.group(1).strip(), (match.group(2) or "").strip()) if match else None
