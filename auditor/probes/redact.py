"""Secrets out of texts before anything is stored: command lines, scripts, values, addresses. Pure; the shapes stand in `secret_shapes`.

Rules of this file:
1. What is found are spans of the original text; they are merged and replaced at once, so no shape sees another's replacement.
2. Every shape is cheap to rule out (a word that must be there) and every repetition has a bound: the cost grows linearly with the text.
3. A reference is no secret: `*`, `%NAME%` and empty values stay, and so does everything that no shape names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from auditor.probes.secret_shapes import SECRET_NAME, SEPARATOR, SHAPES, TOOLS, Tool

REDACTED = "«redacted»"

_NET_USE = re.compile(rf"(?<![\w-])net1?(?:\.exe)?{SEPARATOR}use[ \t]{{1,20}}", re.IGNORECASE)
_NET_STOP = re.compile(r"[\r\n<>|]|&(?:gt|lt);|&amp;(?=\s|&amp;)|&(?!(?:amp|quot|apos|lt|gt);)|\",")
_WORD = re.compile(r"&quot;(?:(?!&quot;)[^\r\n]){0,512}&quot;|\"[^\"\r\n]{0,512}\"|[^\s\"]{1,512}")
_PLACE = re.compile(r"(?:&quot;|\")?(?:\\\\|//|/|[A-Za-z]:|\*|LPT\d|-|%[^%\s]{1,60}%)", re.IGNORECASE)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_REFERENCE = re.compile(
    rf"\*|%[^%\s]{{1,60}}%|%~?[0-9*]|!\w{{1,60}}!|\(.*|\[.*|(?:Get|Read|New|Import|ConvertTo|ConvertFrom)-\w{{1,40}}|{REDACTED}"
)
_TAIL = 1000


def redact(text: str) -> str:
    """`text` with every secret that has one of the known shapes replaced by «redacted». Applying it twice changes nothing more."""
    return _replace(text, lambda _start, _end: REDACTED)


def mask(text: str) -> str:
    """Like `redact`, but each character of a secret becomes `*`, so that the length stays (for texts inside binary formats)."""
    return _replace(text, lambda start, end: "*" * (end - start))


def redact_named(name: str, value: str) -> str:
    """The data of a value, by the value's name: what is called a password goes as a whole, unless it is empty."""
    if value and SECRET_NAME.search(name) and "publickeytoken" not in name.lower():
        return REDACTED
    return redact(value)


def _replace(text: str, by: Callable[[int, int], str]) -> str:
    spans = sorted(_spans(text))
    if not spans:
        return text
    parts: list[str] = []
    at = 0
    for start, end in _merged(spans):
        parts += [text[at:start], by(start, end)]
        at = end
    return "".join([*parts, text[at:]])


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _spans(text: str) -> Iterator[tuple[int, int]]:
    lowered = text.lower()
    for shape in SHAPES:
        if any(needle in lowered for needle in shape.needles):
            for match in shape.pattern.finditer(text):
                yield from _inner(text, *match.span("secret"))
    for tool in TOOLS:
        if any(needle in lowered for needle in tool.needles) and any(mark in lowered for mark in tool.marks):
            yield from _tool_spans(text, tool)
    if "net" in lowered and "use" in lowered:
        yield from _net_use_spans(text)
    if "private key" in lowered:
        yield from _key_spans(text)


def _inner(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The value inside its quotes; nothing for references."""
    quoted = False
    for quote in ("&quot;", '"', "'"):
        if end - start >= 2 * len(quote) and text.startswith(quote, start) and text.endswith(quote, start, end):
            start, end, quoted = start + len(quote), end - len(quote), True
            break
    reference = text[start:end] == REDACTED if quoted else _REFERENCE.fullmatch(text, start, end)
    if end > start and not reference:
        yield start, end


def _tails(text: str, name: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Where the arguments of each call of a program begin and end: at most to the line's end, and no character twice."""
    at = 0
    while match := name.search(text, at):
        start = match.end()
        stop = min(start + _TAIL, len(text))
        for mark in ("\n", "\r", "<"):
            found = text.find(mark, start, stop)
            stop = found if found >= 0 else stop
        yield start, stop
        at = stop


def _tool_spans(text: str, tool: Tool) -> Iterator[tuple[int, int]]:
    for start, stop in _tails(text, tool.name):
        for match in tool.arguments.finditer(text[start:stop]):
            left, right = match.span("secret")
            yield from _inner(text, start + left, start + right)


def _net_use_spans(text: str) -> Iterator[tuple[int, int]]:
    """`net use [device] \\\\server\\share [password] [/user:name [password]]`: the words that are neither places nor switches."""
    at = 0
    while match := _NET_USE.search(text, at):
        start, limit = match.end(), min(match.end() + _TAIL, len(text))
        stop = _NET_STOP.search(text, start, limit)
        at = stop.start() if stop else limit
        for word in _WORD.finditer(text, start, at):
            if not _PLACE.match(word.group()):
                yield from _inner(text, *word.span())


def _key_spans(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    while match := _KEY_BLOCK.search(text, at):
        end = _KEY_END.search(text, match.end())
        stop = end.start() if end else len(text)
        if text[match.end() : stop].strip() not in ("", REDACTED):
            yield match.end(), stop
        at = end.end() if end else len(text)
