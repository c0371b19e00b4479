"""Versions as Windows vendors write them, their order, and ranges that say their scheme and their ends.

Rules of this file:
1. A version keeps the text it was read from; order comes from its parts only. A missing part counts as 0, so 10.2 == 10.2.0.0.
2. Scheme `windows`: the leading dotted (or comma) numbers; what follows is ignored (`10.1.5.5000 (WinBuild.1)`).
   Scheme `blackice`: numbers, then a build of letters whose alphabetical order is the build order (`3.6.ccf`).
3. A text without a leading number is no version: `parse_version` gives None, it never guesses.
"""

from __future__ import annotations

import functools
import re
from typing import Literal

import msgspec

Scheme = Literal["windows", "blackice"]
SCHEMES: tuple[Scheme, ...] = ("windows", "blackice")
_NUMBERS = re.compile(r"\s*[vV]?(\d{1,18}(?:\s*[.,]\s*\d{1,18}){0,7})(?!\d)")
_LETTERS = re.compile(r"[.\s]?([a-zA-Z]{2,4})\b")
_CONSTRAINT = re.compile(r"(>=|<=|>|<|=)?(.+)")


@functools.total_ordering
class Version:
    """A version with its order. Compare only versions of one scheme."""

    __slots__ = ("parts", "scheme", "suffix", "text")

    def __init__(self, text: str, parts: tuple[int, ...], suffix: str, scheme: Scheme) -> None:
        self.text = text
        self.parts = parts
        self.suffix = suffix
        self.scheme = scheme

    @property
    def major(self) -> int:
        """The first part."""
        return self.parts[0]

    def _key(self) -> tuple[tuple[int, ...], str]:
        end = len(self.parts)
        while end > 1 and self.parts[end - 1] == 0:
            end -= 1
        return self.parts[:end], self.suffix

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self._key() == other._key()

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(maxsize=16384)
def parse_version(text: str | None, scheme: Scheme = "windows") -> Version | None:
    """The version in `text`, or None where there is none."""
    match = _NUMBERS.match(text) if text else None
    if text is None or match is None:
        return None
    parts = tuple(int(p) for p in re.split(r"\s*[.,]\s*", match.group(1)))
    suffix = ""
    if scheme == "blackice" and (letters := _LETTERS.match(text, match.end())):
        suffix = letters.group(1).lower()
    return Version(text.strip(), parts, suffix, scheme)


class Constraint(msgspec.Struct, frozen=True):
    """One end of a range: an operator (`>=`, `<=`, `>`, `<`, `=`) and the version's text."""

    operator: str
    text: str


class VersionRange:
    """A range in VERS form, `vers:SCHEME/>=10.1.5.5000|<10.2`: all constraints hold together; `=` alternatives are joined by or.

    `*` alone is every version. Raises ValueError with what was expected; an empty or contradictory range is an error.
    """

    __slots__ = ("_any", "_bounds", "_equal", "scheme", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        head, slash, body = text.partition("/")
        scheme = head.removeprefix("vers:")
        if not head.startswith("vers:") or not slash or scheme not in SCHEMES:
            raise ValueError(f"expected vers:SCHEME/CONSTRAINTS with a scheme of {', '.join(SCHEMES)}, got {text!r}")
        self.scheme: Scheme = scheme
        self._any = body.strip() == "*"
        self._bounds: list[tuple[str, Version]] = []
        self._equal: list[Version] = []
        for part in () if self._any else body.split("|"):
            self._add(part.strip())
        self._refuse_contradiction()

    def _add(self, part: str) -> None:
        match = _CONSTRAINT.fullmatch(part)
        version = parse_version(match.group(2), self.scheme) if match else None
        if match is None or version is None:
            raise ValueError(f"expected a constraint such as >=10.0, got {part!r} in {self.text!r}")
        if match.group(1) in (None, "="):
            self._equal.append(version)
        else:
            self._bounds.append((match.group(1), version))

    def _refuse_contradiction(self) -> None:
        lower = [(v, op) for op, v in self._bounds if op.startswith(">")]
        upper = [(v, op) for op, v in self._bounds if op.startswith("<")]
        if len(lower) > 1 or len(upper) > 1:
            raise ValueError(f"one lower and one upper end at most, got {self.text!r}")
        if lower and upper:
            (low, low_op), (high, high_op) = lower[0], upper[0]
            if high < low or (high == low and (low_op, high_op) != (">=", "<=")):
                raise ValueError(f"no version can lie in {self.text!r}: its ends contradict each other")

    def __contains__(self, version: Version) -> bool:
        if self._any or version in self._equal:
            return True
        return bool(self._bounds) and all(_holds(version, op, end) for op, end in self._bounds)

    def __repr__(self) -> str:
        return f"VersionRange({self.text!r})"


def _holds(version: Version, operator: str, end: Version) -> bool:
    if operator == ">=":
        return version >= end
    if operator == "<=":
        return version <= end
    return version > end if operator == ">" else version < end
