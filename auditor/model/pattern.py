"""Matching of names in linear time: case-insensitive globs with `*` and `?`, never regular expressions from data files."""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether `text` as a whole fits `pattern`, case-insensitively. `*` is any run, `?` any one character.

    Greedy with one point of return, so the cost is at most len(pattern) * len(text).
    """
    pattern, text = pattern.casefold(), text.casefold()
    p = t = 0
    star, mark = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, mark = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p, t = p + 1, t + 1
        elif star >= 0:
            mark += 1
            p, t = star + 1, mark
        else:
            return False
    return pattern[p:].strip("*") == ""


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns fits."""
    return any(matches(pattern, text) for pattern in patterns)
