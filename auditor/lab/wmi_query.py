"""WQL as a lab host understands it: SELECT columns FROM class WHERE condition. Pure: text in, a predicate over instances out.

Texts are compared without case, numbers as numbers, times as moments; `LIKE` knows % and _. What WMI would refuse is refused.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from auditor.lab.process import Refusal
from auditor.lab.wmi import Instance
from auditor.lab.wsman import FILTER_INVALID

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<mark><=|>=|<>|!=|[=<>(),*]))""",
    re.DOTALL,
)
_TIME = re.compile(r"(\d{14})\.(\d{6})([+-])(\d{3})")
_LONGEST = 16_384
_DEEPEST = 40
Condition = Callable[[Instance], bool]
_SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "!=": operator.ne, "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge,
}  # fmt: skip


class Select(msgspec.Struct, frozen=True):
    """A query as read."""

    class_name: str
    columns: tuple[str, ...]
    """Empty stands for all."""
    fits: Condition
    equals: dict[str, str]
    """Properties (lower case) that must equal a text for any instance to fit: a provider looks these up instead of walking."""


def read_query(text: str) -> Select:
    """The query in a WQL text. Raises Refusal."""
    return _Reader(text).select()


def _refuse(why: str) -> Refusal:
    return Refusal(f"the query can't be processed: {why}", code=FILTER_INVALID)


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > _LONGEST:
        raise _refuse("too long")
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise _refuse(f"unexpected text at {at}")
        found.append((match.lastgroup, match.group(match.lastgroup)))
        at = match.end()
    return found


class _Reader:
    """Recursive descent over the tokens."""

    def __init__(self, text: str) -> None:
        self._left = _tokens(text)
        self._at = 0
        self._equals: dict[str, str] = {}

    def select(self) -> Select:
        self._word("SELECT")
        columns = self._columns()
        self._word("FROM")
        name = self._take("word")
        fits: Condition = lambda _instance: True  # noqa: E731
        if self._is_word("WHERE"):
            self._at += 1
            fits = self._either(0)
        if self._at < len(self._left):
            raise _refuse("text after its end")
        return Select(name, columns, fits, self._equals)

    def _columns(self) -> tuple[str, ...]:
        if self._is_mark("*"):
            self._at += 1
            return ()
        columns = [self._take("word")]
        while self._is_mark(","):
            self._at += 1
            columns.append(self._take("word"))
        return tuple(columns)

    def _either(self, depth: int) -> Condition:
        if depth > _DEEPEST:
            raise _refuse("nested too deep")
        kept = dict(self._equals)
        parts = [self._both(depth)]
        while self._is_word("OR"):
            self._at += 1
            parts.append(self._both(depth))
        if len(parts) > 1:
            self._equals = kept
        return parts[0] if len(parts) == 1 else lambda instance: any(part(instance) for part in parts)

    def _both(self, depth: int) -> Condition:
        parts = [self._single(depth)]
        while self._is_word("AND"):
            self._at += 1
            parts.append(self._single(depth))
        return parts[0] if len(parts) == 1 else lambda instance: all(part(instance) for part in parts)

    def _single(self, depth: int) -> Condition:
        if self._is_word("NOT"):
            self._at += 1
            kept = dict(self._equals)
            inner = self._single(depth)
            self._equals = kept
            return lambda instance: not inner(instance)
        if self._is_mark("("):
            self._at += 1
            inner = self._either(depth + 1)
            if not self._is_mark(")"):
                raise _refuse("a bracket is not closed")
            self._at += 1
            return inner
        return self._comparison(self._take("word"))

    def _comparison(self, name: str) -> Condition:
        if self._is_word("IS"):
            self._at += 1
            turned = self._is_word("NOT")
            self._at += turned
            self._word("NULL")
            return lambda instance: (_property(instance, name) is None) is not turned
        if self._is_word("LIKE"):
            self._at += 1
            pattern = _like(_unquoted(self._take("text")))
            return lambda instance: isinstance(value := _property(instance, name), str) and bool(pattern.fullmatch(value))
        sign = self._take("mark")
        if sign not in _SIGNS:
            raise _refuse(f"{sign} compares nothing")
        kind, literal = self._next()
        wanted = _literal(kind, literal)
        if sign == "=" and isinstance(wanted, str):
            self._equals[name.lower()] = wanted
        return functools.partial(_compare, name, sign, wanted)

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._left):
            raise _refuse("it ends too early")
        self._at += 1
        return self._left[self._at - 1]

    def _take(self, kind: str) -> str:
        found, text = self._next()
        if found != kind:
            raise _refuse(f"a {kind} was expected, not {text[:20]}")
        return text

    def _word(self, word: str) -> None:
        if not self._is_word(word):
            raise _refuse(f"{word} was expected")
        self._at += 1

    def _is_word(self, word: str) -> bool:
        return self._at < len(self._left) and self._left[self._at][0] == "word" and self._left[self._at][1].upper() == word

    def _is_mark(self, mark: str) -> bool:
        return self._at < len(self._left) and self._left[self._at] == ("mark", mark)


def _property(instance: Instance, name: str) -> Any:
    lower = name.lower()
    for key, value in instance.items():
        if key.lower() == lower:
            return value
    raise _refuse(f"there is no property {name[:60]}")


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


def _literal(kind: str, text: str) -> str | int | float | bool:
    if kind == "text":
        return _unquoted(text)
    if kind == "number":
        return float(text) if "." in text else int(text)
    if kind == "word" and text.upper() in ("TRUE", "FALSE"):
        return text.upper() == "TRUE"
    raise _refuse(f"{text[:20]} is no value")


def _compare(name: str, sign: str, wanted: str | int | float | bool, instance: Instance) -> bool:
    value = _property(instance, name)
    if value is None:
        return False
    left, right = _comparable(value), _comparable(wanted)
    if type(left) is not type(right) and not (isinstance(left, int | float) and isinstance(right, int | float)):
        left, right = str(value).lower(), str(wanted).lower()
    return _SIGNS[sign](left, right)


def _comparable(value: Any) -> Any:
    """Times as moments (minutes of the offset taken off), other texts in lower case."""
    if not isinstance(value, str):
        return value
    if match := _TIME.fullmatch(value):
        minutes = int(match.group(4)) * (1 if match.group(3) == "+" else -1)
        return datetime.strptime(match.group(1), "%Y%m%d%H%M%S") - timedelta(minutes=minutes)
    return value.lower()


def _like(pattern: str) -> re.Pattern[str]:
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern]
    return re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
