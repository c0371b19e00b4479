"""Pieces of a text whose value is not known: marked, carried through every expansion, and shown as they were written.

A marked piece is `OPEN + what was written + CLOSE`. Private-use characters that a host sends are taken out
before, so it can't mark anything.
"""

from __future__ import annotations

import re

OPEN, CLOSE = "\ue000", "\ue001"
_HIDDEN = str.maketrans({"\\": "\ue002", "/": "\ue003", '"': "\ue004", " ": "\ue005"})
_RESTORED = str.maketrans({"\ue002": "\\", "\ue003": "/", "\ue004": '"', "\ue005": " "})
_MARKED = re.compile(f"{OPEN}([^{OPEN}{CLOSE}]*){CLOSE}")
_MARKS = re.compile("[\ue000-\ue00f]")
MAX_LENGTH = 8191
"""cmd.exe's limit of a command line; longer values are not built."""
MAX_ALTERNATIVES = 8
"""How many values a variable may have at one place before it counts as unknown."""


def unknown(written: str) -> str:
    """A piece that stands for an unknown value. Separators in it are hidden, so that no path and no word is cut inside it."""
    return f"{OPEN}{shown(written)[:200].translate(_HIDDEN)}{CLOSE}"


def is_unknown(text: str) -> bool:
    """Whether any piece of a text is unknown."""
    return OPEN in text


def unknown_names(text: str) -> tuple[str, ...]:
    """The unknown pieces of a text, as written."""
    return tuple(piece.translate(_RESTORED) for piece in _MARKED.findall(text))


def shown(text: str) -> str:
    """The text with its unknown pieces as they were written."""
    return _MARKS.sub("", text.translate(_RESTORED))


def cleaned(text: str) -> str:
    """A host's text without characters that could pass for marks, and without NULs."""
    return _MARKS.sub("", text).replace("\0", "")


def known_prefix(text: str) -> str:
    """What stands before the first unknown piece."""
    return text.partition(OPEN)[0]


def combine(parts: list[list[str]], written: str) -> list[str]:
    """All joinings of alternatives, in order; one unknown text where there would be too many or one would be too long."""
    results = [""]
    for alternatives in parts:
        if len(results) * len(alternatives) > MAX_ALTERNATIVES:
            return [unknown(written)]
        results = [head + tail for head in results for tail in alternatives]
        if any(len(text) > MAX_LENGTH for text in results):
            return [unknown(written)]
    return list(dict.fromkeys(results))
