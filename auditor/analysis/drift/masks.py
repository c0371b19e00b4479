"""Patterns of what changes by itself inside a text: closed set of placeholders, no regular expressions from data files. Pure.

`*` is any run and is kept; `<hex>`, `<number>`, `<version>`, `<date>`, `<guid>`, `<sid>`, `<word>`, `<level>` stand for what is masked.
Case does not count. Texts above `LONGEST` characters are left as they are, so that a hostile text costs little.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

LONGEST = 600
MOST_STARS = 4
_REMEMBERED = 50_000
_PLACEHOLDERS = {
    "hex": "[0-9a-f]++",
    "number": "[0-9]++",
    "version": "[0-9]++(?:[.][0-9]++)++",
    "date": "(?:19|20)[0-9]{6}",
    "guid": r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?",
    "sid": "s-1(?:-[0-9]++){2,15}+",
    "word": "[^\\W]++",
    "level": r"[^\\/]++",
}
_SIGN = re.compile(r"(\*|<[a-z]+>)")


class MaskError(ValueError):
    """A pattern that is none; the text says what was expected."""


class Mask:
    """One pattern, made ready. Results are remembered: a fleet has the same few texts again and again."""

    __slots__ = ("_first", "_pattern", "_seen", "_signs", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        signs = [sign for sign in _SIGN.split(text) if sign]
        if sum(sign == "*" for sign in signs) > MOST_STARS:
            raise MaskError(f"at most {MOST_STARS} `*`, got {text!r}")
        self._signs = tuple(signs)
        self._pattern = re.compile("".join(map(_piece, signs)), re.IGNORECASE | re.DOTALL)
        literals = sorted((sign.casefold() for sign in signs if not _SIGN.fullmatch(sign)), key=len)
        self._first = literals[-1] if literals else ""
        self._seen: dict[str, tuple[str, ...] | None] = {}

    def kept(self, text: str) -> tuple[str, ...] | None:
        """What the stars stand for, or None where the text does not fit."""
        pieces = self._pieces(text)
        return None if pieces is None else tuple(piece for piece, sign in zip(pieces, self._signs, strict=True) if sign == "*")

    def masked(self, text: str) -> str | None:
        """The text with placeholders in place of what changes, or None where it does not fit."""
        pieces = self._pieces(text)
        if pieces is None:
            return None
        return "".join(sign if _is_placeholder(sign) else piece for piece, sign in zip(pieces, self._signs, strict=True))

    def _pieces(self, text: str) -> tuple[str, ...] | None:
        if text in self._seen:
            return self._seen[text]
        found = None
        if len(text) <= LONGEST and self._first in text.casefold() and (match := self._pattern.fullmatch(text)):
            found = match.groups()
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        self._seen[text] = found
        return found


def masked_by(masks: Sequence[Mask], text: str) -> str:
    """The text as the first mask that fits writes it; itself where none does."""
    for mask in masks:
        if (found := mask.masked(text)) is not None:
            return found
    return text


def _is_placeholder(sign: str) -> bool:
    return sign.startswith("<") and _SIGN.fullmatch(sign) is not None


def _piece(sign: str) -> str:
    if sign == "*":
        return "(.*?)"
    if not _SIGN.fullmatch(sign):
        return f"({re.escape(sign)})"
    name = sign[1:-1]
    if name not in _PLACEHOLDERS:
        raise MaskError(f"unknown placeholder {sign}: expected {', '.join(f'<{n}>' for n in _PLACEHOLDERS)}")
    return f"({_PLACEHOLDERS[name]})"
