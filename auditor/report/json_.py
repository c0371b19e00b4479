"""The report for programs: the `Report` type as one JSON document, as published in docs/schema/report.json."""

from __future__ import annotations

import re

import msgspec

from auditor.model.finding import Report

_UNSEEN = re.compile("[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]")


def render(report: Report) -> str:
    """One document, indented, ending in a line feed."""
    return json_text(report)


def json_text(value: object) -> str:
    """Any of our values as indented JSON. Characters that command a display are written as escapes: the same data, safe to look at."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    return _UNSEEN.sub(_escape, text) + "\n"


def _escape(match: re.Match[str]) -> str:
    number = ord(match.group())
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
