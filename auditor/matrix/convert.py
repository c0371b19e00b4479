"""Plain values to typed ones, telling every problem of a document instead of the first."""

from __future__ import annotations

import copy
import re
from typing import Any, TypeVar

import msgspec

from auditor.matrix.expected import allowed_fields, allowed_values, missing_fields, one_of
from auditor.matrix.strict_yaml import Document, Keys
from auditor.model.errors import Problem

T = TypeVar("T")
_PLACE = re.compile(r"^(?P<message>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"unknown field `(?P<field>[^`]*)`")
_ENUM = re.compile(r"Invalid enum value '?(?P<word>[^']*)'?")
_MISSING = "Object missing required field"
_MOST = 50


def convert(document: Document, value: Any, type_: type[T], keys: Keys, subject: str) -> tuple[T | None, list[Problem]]:
    """A typed value, or all that is wrong with it. `keys` is where `value` stands in the document."""
    problems: list[Problem] = []
    rest = copy.deepcopy(value)
    dropped: set[Keys] = set()
    for _ in range(_MOST):
        try:
            found = msgspec.convert(rest, type_, strict=True)
        except msgspec.ValidationError as error:
            message, path = _read(str(error))
            field = match.group("field") if (match := _UNKNOWN.search(message)) else None
            place = (*path, field) if field is not None else path
            if (worded := _worded(message, type_, rest, path, dropped)) is not None:
                problems.append(document.problem((*keys, *place), subject, worded))
            if not _drop(rest, place):
                break
            dropped.add(place)
        else:
            return (None if problems else found), problems
    return None, problems


def _read(text: str) -> tuple[str, Keys]:
    match = _PLACE.match(text)
    if match is None:
        return text, ()
    path = match.group("path") or "$"
    return match.group("message"), tuple(name if name else int(number) if number.isdigit() else 0 for name, number in _STEP.findall(path))


def _worded(message: str, type_: Any, value: Any, path: Keys, dropped: set[Keys]) -> str | None:
    """The message and what was expected; None for the echo of a piece that was wrong and taken out."""
    if message.startswith(_MISSING):
        return _missing(message, type_, value, path, dropped)
    text = message[:1].lower() + message[1:]
    if unknown := _UNKNOWN.search(message):
        return text + one_of(allowed_fields(type_, value, path), unknown.group("field"), quote="`")
    if wrong := _ENUM.match(message):
        return text + one_of(allowed_values(type_, value, path), wrong.group("word"))
    unquoted = any(f"xpected `str`, got `{kind}`" in message for kind in ("int", "bool"))
    return text + (": put it in quotes" if unquoted else "")


def _missing(message: str, type_: Any, value: Any, path: Keys, dropped: set[Keys]) -> str | None:
    """All fields that an object needs and has not, without those that were there and wrong."""
    names = missing_fields(type_, value, path)
    if names is None:
        return None if dropped else message[:1].lower() + message[1:]
    absent = [f"`{name}`" for name in names if (*path, name) not in dropped]
    return f"object missing required {'field' if len(absent) == 1 else 'fields'} {', '.join(absent)}" if absent else None


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
