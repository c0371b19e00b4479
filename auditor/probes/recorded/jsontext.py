"""JSON as people kept it: one document, several in a row (one a line), or one whose end is missing. Knows nothing of what it means.

What stands whole before the place where a document breaks is given back, with the break as a fault: a cut file costs what was cut.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec

from auditor.probes.recorded.outcome import Fault

_BLANK = " \t\r\n,"
_TRIES = 20
_LONGEST_WALK = 8 * 1024 * 1024
"""Longer broken documents are given up as a whole."""


def looks_like_json(text: str) -> bool:
    """Whether a text starts as an object or a list."""
    return text.lstrip().startswith(("{", "["))


def read_json(text: str) -> tuple[Any, Fault | None]:
    """The document, or the list of what could be read of it and the fault that says where reading ended."""
    try:
        return _unwrapped(msgspec.json.decode(text.encode("utf-8", errors="replace"))), None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        message = f"not JSON: {error}"
    if len(text) > _LONGEST_WALK:
        return [], Fault(place="", message=message)
    items, broken_at = _walk(text)
    if not items and (part := _begun(text)):
        return [part], Fault(place=f"line {text.count(chr(10)) + 1}", message=message)
    if broken_at is None:
        return items, None
    return items, Fault(place=f"line {text.count(chr(10), 0, broken_at) + 1}" if items else "", message=message)


def _unwrapped(document: Any) -> Any:
    """The list in `{"value": [...], "Count": 2}`, which PowerShell up to 5.1 makes of some lists."""
    if isinstance(document, dict) and set(document) == {"value", "Count"} and isinstance(document["value"], list):
        return document["value"]
    return document


def _walk(text: str) -> tuple[list[Any], int | None]:
    """Whole values one after the other, those of an unfinished list one by one; and where that ended before the text did."""
    decoder = json.JSONDecoder(strict=False)
    items: list[Any] = []
    at, inside = _skip(text, 0), False
    while at < len(text):
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            if not inside and text[at] == "[":
                inside, at = True, _skip(text, at + 1)
                continue
            return items, at
        items.extend(value if isinstance(value, list) and not inside else [value])
        at = _skip(text, end)
    return items, len(text) if inside else None


def _begun(text: str) -> dict[str, Any]:
    """What a single object whose end is missing says up to its last whole value."""
    body = text.strip()
    if not body.startswith("{"):
        return {}
    end = len(body)
    for _ in range(_TRIES):
        end = body.rfind(",", 0, end)
        if end < 0:
            return {}
        try:
            part = json.loads(body[:end] + "}", strict=False)
        except (ValueError, RecursionError):
            continue
        return part if isinstance(part, dict) else {}
    return {}


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at
