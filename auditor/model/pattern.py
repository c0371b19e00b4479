"""Matching of names in linear time: case-insensitive globs with `*` and `?`, never regular expressions from data files."""

from __future__ import annotations

from collections.abc import Callable


def matches(pattern: str, text: str) -> bool:
    """Whether `text` as a whole fits `pattern`, case-insensitively. `*` is any run, `?` any one character.

    Greedy with one point of return, so the cost is at most len(pattern) * len(text).
    """
    return _fits(pattern.casefold(), text.casefold())


def matches_any(patterns: tuple[str, ...], text: str) -> bool:
    """Whether one of the patterns fits."""
    return any(matches(pattern, text) for pattern in patterns)


def is_glob(pattern: str) -> bool:
    """Whether a pattern stands for more than one text."""
    return "*" in pattern or "?" in pattern


def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """A test for texts that are case-folded already; the usual shapes (`text`, `text*`, `*text`, `*text*`) cost one comparison."""
    folded = pattern.casefold()
    inner = folded.strip("*")
    if "?" in inner:
        return lambda text: _fits(folded, text)
    if "*" in inner:
        return _in_order(folded)
    if folded == inner:
        return lambda text: text == inner
    if not folded.startswith("*"):
        return lambda text: text.startswith(inner)
    return (lambda text: inner in text) if folded.endswith("*") else (lambda text: text.endswith(inner))


def _in_order(pattern: str) -> Callable[[str], bool]:
    """A test for a glob of several `*`: its pieces one after the other, the first at the start and the last at the end."""
    first, *middle, last = pattern.split("*")
    pieces = [piece for piece in middle if piece]
    shortest = len(pattern.replace("*", ""))

    def test(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        place, end = len(first), len(text) - len(last)
        for piece in pieces:
            place = text.find(piece, place, end)
            if place < 0:
                return False
            place += len(piece)
        return True

    return test


def _fits(pattern: str, text: str) -> bool:
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
