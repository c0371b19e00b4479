"""Plain values to typed ones, telling every problem of a document instead of the first."""

from __future__ import annotations

import copy
import re
from typing import Any, TypeVar

import msgspec

from auditor.matrix.strict_yaml import Document, Keys
from auditor.model.errors import Problem

T = TypeVar("T")
_PLACE = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_MOST = 50


def convert(document: Document, value: Any, type_: type[T], keys: Keys, subject: str) -> tuple[T | None, list[Problem]]:
    """A typed value, or all that is wrong with it. `keys` is where `value` stands in the document."""
    problems: list[Problem] = []
    rest = copy.deepcopy(value)
    for _ in range(_MOST):
        try:
            found = msgspec.convert(rest, type_, strict=True)
        except msgspec.ValidationError as error:
            message, path = _read(str(error))
            field = match.group("field") if (match := _UNKNOWN.search(message)) else None
            place = (*path, field) if field is not None else path
            problems.append(document.problem((*keys, *place), subject, _worded(message)))
            if not _drop(rest, place):
                break
        else:
            return (None if problems else found), problems
    return None, _without_echoes(problems)


def _read(text: str) -> tuple[str, Keys]:
    match = _PLACE.match(text)
    if match is None:
        return text, ()
    path = match.group("path") or "$"
    return match.group("message"), tuple(name if name else int(number) if number.isdigit() else 0 for name, number in _STEP.findall(path))


def _worded(message: str) -> str:
    unquoted = any(f"xpected `str`, got `{kind}`" in message for kind in ("int", "bool"))
    return message[:1].lower() + message[1:] + (": put it in quotes" if unquoted else "")


def _drop(value: Any, place: Keys) -> bool:
    """Take the wrong piece out, so that the next problem shows."""
    if not place:
        return False
    for step in place[:-1]:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return False
    try:
        del value[place[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _without_echoes(problems: list[Problem]) -> list[Problem]:
    """Without "missing required field" for a field that was taken out because it was wrong."""
    first = [p for p in problems if "missing required field" not in p.message]
    return first or problems
