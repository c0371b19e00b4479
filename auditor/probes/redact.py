"""Secrets out of texts before anything is stored: command lines, scripts, values, addresses. Pure; the shapes stand in `secret_shapes`.

Rules of this file:
1. What is found are spans of the original text; they are merged and replaced at once, so no shape sees another's replacement.
2. Every shape is cheap to rule out (a word that must be there) and every repetition has a bound: the cost grows linearly with the text.
3. Lines that are continued (`^` in batch files, after a blank a backtick in PowerShell and `_` in VBScript) are read as one, and so are
   quoted texts that `&` or `+` joins; each character keeps its place.
4. A reference is no secret: `*`, `%NAME%` and empty values stay, and so does everything that no shape names.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from auditor.probes.secret_shapes import SECRET_NAME, SEPARATOR, SHAPES, TOOLS, Tool

REDACTED = "«redacted»"

_NET_USE = re.compile(rf"(?<![\w-])net1?(?:\.exe)?{SEPARATOR}use[ \t]{{1,20}}", re.IGNORECASE)
_NET_STOP = re.compile(r"[\r\n<>|]|&(?:gt|lt);|&amp;(?=\s|&amp;)|&(?!(?:amp|quot|apos|lt|gt);)|\",")
_WORD = re.compile(r"&quot;(?:(?!&quot;)[^\r\n]){0,512}&quot;|\"[^\"\r\n]{0,512}\"|[^\s\"]{1,512}")
_PLACE = re.compile(r"(?:&quot;|\")?(?:\\\\|//|/|[A-Za-z]:|\*|LPT\d|-|%[^%\s]{1,60}%)", re.IGNORECASE)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_REFERENCE = re.compile(
    rf"\*|%[^%\s]{{1,60}}%|%~?[0-9*]|!\w{{1,60}}!|\(.*|\[.*|(?:Get|Read|New|Import|ConvertTo|ConvertFrom)-\w{{1,40}}|[A-Za-z_][\w.]{{0,60}}\(|{REDACTED}"
)
_JOINED = re.compile(r"[ \t]{0,20}[&+][ \t][^\"']{0,512}[&+][ \t]{0,20}")
_CONTINUED = re.compile(
    r"\"[ \t]{0,40}[&+][ \t]{0,40}(?:_[ \t]{0,40}\r?\n[ \t]{0,80})?\"|(?:\^|(?<=[ \t])(?:`|_[ \t]{0,40}))\r?\n[ \t]{0,80}"
)
_TAIL = 1000
SHORT_TEXT = 256
"""Characters of texts that `redact_short` takes."""
_MIDDLE_TEXT = 8_192
_JOB_TEXTS = 5


def _quick(words: set[str]) -> tuple[str, ...]:
    """Words without those that hold another one: where none of them is in a text, no shape fits."""
    return tuple(sorted(word for word in words if not any(other != word and other in word for other in words)))


_QUICK = _quick(
    {needle for shape in SHAPES for needle in shape.needles}
    | {word for tool in TOOLS for word in (tool.marks if tool.marks and min(map(len, tool.needles)) < 4 else tool.needles)}
    | {"private key", "use ", "use\t"}
)


def redact(text: str) -> str:
    """`text` with every secret that has one of the known shapes replaced by «redacted». Applying it twice changes nothing more."""
    if len(text) <= SHORT_TEXT:
        return redact_short(text)
    return _redact_middle(text) if len(text) <= _MIDDLE_TEXT else _replace(text, lambda _start, _end: REDACTED)


@lru_cache(maxsize=16_384)
def redact_short(text: str) -> str:
    """As `redact`, remembered. Short texts are the same again and again, on one host and over a fleet."""
    return _replace(text, lambda _start, _end: REDACTED)


@lru_cache(maxsize=1_024)
def _redact_middle(text: str) -> str:
    """Task files and the like: every host of one Windows has the same."""
    return _replace(text, lambda _start, _end: REDACTED)


def mask(text: str) -> str:
    """Like `redact`, but each UTF-16 unit of a secret becomes `*`, so that the length stays (for texts inside binary formats)."""
    return _replace(text, lambda start, end: "*" * (len(text[start:end].encode("utf-16-le", "surrogatepass")) // 2))


def redact_named(name: str, value: str) -> str:
    """The data of a value, by the value's name: what is called a password goes as a whole, unless it is empty."""
    if value and SECRET_NAME.search(name) and "publickeytoken" not in name.lower():
        return REDACTED
    return redact(value)


def redact_job(data: str) -> str:
    """A .job file in base64 with the secrets of its counted texts masked in place ([MS-TSCH] 2.4: the first's offset stands at byte 20)."""
    try:
        raw = bytearray(base64.b64decode(data, validate=True))
    except (binascii.Error, ValueError):
        return redact(data)
    spans = _job_spans(raw)
    command, rest = spans[:2], spans[2:]
    for group in (command, *([span] for span in rest)):
        texts = [raw[start:end].decode("utf-16-le", "surrogatepass").rstrip("\0") for start, end in group]
        masked = mask(" ".join(texts)).encode("utf-16-le", "surrogatepass")
        at = 0
        for text, (start, _end) in zip(texts, group, strict=True):
            size = len(text.encode("utf-16-le", "surrogatepass"))
            raw[start : start + size] = masked[at : at + size]
            at += size + 2
    return base64.b64encode(bytes(raw)).decode("ascii")


def _job_spans(raw: bytearray) -> list[tuple[int, int]]:
    """Where the counted texts lie: application, parameters, working directory, author, comment; as far as the file holds them."""
    spans: list[tuple[int, int]] = []
    at = int.from_bytes(raw[20:22], "little") if len(raw) >= 22 else len(raw)
    while len(spans) < _JOB_TEXTS and at + 2 <= len(raw):
        end = at + 2 + 2 * int.from_bytes(raw[at : at + 2], "little")
        if end > len(raw):
            break
        spans.append((at + 2, end))
        at = end
    return spans


def _replace(text: str, by: Callable[[int, int], str]) -> str:
    lowered = text.lower()
    for word in _QUICK:
        if word in lowered:
            break
    else:
        return text
    spans = sorted(_spans(_CONTINUED.sub(_blanks, text), lowered))
    if not spans:
        return text
    parts: list[str] = []
    at = 0
    for start, end in _merged(spans):
        parts += [text[at:start], by(start, end)]
        at = end
    return "".join([*parts, text[at:]])


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match.group())


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _spans(text: str, lowered: str) -> Iterator[tuple[int, int]]:
    for shape in SHAPES:
        if any(needle in lowered for needle in shape.needles):
            for match in shape.pattern.finditer(text):
                yield from _inner(text, *match.span("secret"))
    for tool in TOOLS:
        if any(needle in lowered for needle in tool.needles) and (not tool.marks or any(mark in lowered for mark in tool.marks)):
            yield from _tool_spans(text, tool)
    if "net" in lowered and "use" in lowered:
        yield from _net_use_spans(text)
    if "private key" in lowered:
        yield from _key_spans(text)


def _inner(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The value inside its quotes; nothing for references, nor for what stands between two quoted texts (`"x=" & name & ";"`)."""
    quoted = False
    for quote in ("&quot;", '"', "'"):
        if end - start >= 2 * len(quote) and text.startswith(quote, start) and text.endswith(quote, start, end):
            start, end, quoted = start + len(quote), end - len(quote), True
            break
    reference = text[start:end] == REDACTED or _JOINED.fullmatch(text, start, end) if quoted else _REFERENCE.fullmatch(text, start, end)
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
