"""Bytes of a Windows text file to text, whichever program wrote it: UTF-8, UTF-16 with or without mark, or one of the OEM code pages.

Rules of this file:
1. Nothing is lost and nothing raises: bytes that fit no encoding come out as one character each.
2. A declaration inside the text (`encoding="UTF-16"`) is never believed; the bytes decide.
3. The text holds no lone surrogates and no byte-order mark at the start of a line, so that it can be written as JSON.
4. A file to which one program wrote bytes and another one UTF-16 (`>` and `>>` of two shells) is read part by part.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

_SAMPLE = 8192
_SCORED = 4000
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SINGLE = ("cp1252", "cp850", "cp1251", "cp866", "cp1250", "cp852", "cp737", "cp1253", "cp857", "cp1254")
_DOUBLE = (("cp932", (0x83, 0x97)), ("cp949", (0xB0, 0xC8)), ("cp936", (0xB0, 0xD7)), ("cp950", (0xA4, 0xC6)))
_WESTERN = frozenset("äöüßéèêàâçñáíóúìòùîôåæøãõÄÖÜÉÀÅÆØ")
_PRINTED = rb"[\t\n\r\x20-\x7e]"
_PART = re.compile(rb"(?P<wide>(?:\xff\xfe)?(?:" + _PRINTED + rb"\0){20,})|(?P<narrow>" + _PRINTED + rb"{40,})")
"""A stretch that is UTF-16 and can be nothing else, or one of bytes."""
_INNER_MARK = re.compile("(?<=[\r\n])\ufeff")


def decode_text(data: bytes) -> tuple[str, str]:
    """The text and the name of the encoding it was read with, that of its first part. Never raises."""
    read = [_decode_part(part) for part in _parts(data)]
    return _INNER_MARK.sub("", "".join(text for text, _ in read)), read[0][1]


def _parts(data: bytes) -> list[bytes]:
    """The file, cut where UTF-16 and bytes of one character each meet; mostly it is one part."""
    if b"\0" not in data or len(data) < 80:
        return [data]
    cuts, before = [0], ""
    for match in _PART.finditer(data):
        if before and match.lastgroup != before:
            cuts.append(match.start())
        before = match.lastgroup or ""
    return [data[start:end] for start, end in zip(cuts, [*cuts[1:], len(data)], strict=True)]


def _decode_part(data: bytes) -> tuple[str, str]:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return _strict_or_replaced(data[len(mark) :], name), name
    if wide := _unmarked_utf16(data[:_SAMPLE]):
        return _strict_or_replaced(data, wide), wide
    if (text := _utf8(data)) is not None:
        return text.removeprefix("\ufeff"), "utf-8"
    name = _guess_code_page(data)
    return data.decode(name, errors="backslashreplace"), name


def _strict_or_replaced(data: bytes, name: str) -> str:
    if name != "utf-8" and len(data) % 2:
        data = data[:-1]
    return data.decode(name, errors="replace").removeprefix("\ufeff")


def _unmarked_utf16(sample: bytes) -> str | None:
    """UTF-16 without a mark shows by zero bytes in one half of the places only, and by one high byte that rules that half."""
    if len(sample) < 4:
        return None
    even, odd = sample[0::2], sample[1::2]
    if _ruled(odd) and even.count(0) * 20 <= len(even):
        return "utf-16-le"
    if _ruled(even) and odd.count(0) * 20 <= len(odd):
        return "utf-16-be"
    return None


def _ruled(half: bytes) -> bool:
    zeros = half.count(0)
    if zeros * 5 >= len(half) * 2:
        return True
    others = Counter(half)
    del others[0]
    return zeros > 0 and zeros + sum(n for _, n in others.most_common(1)) >= 0.9 * len(half)


def _utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return None
    cut = data[: _whole_end(data)]
    try:
        text = cut.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if not text.isascii() else None


def _whole_end(data: bytes) -> int:
    """Where a text that was cut inside its last UTF-8 character ends."""
    for back in range(1, min(4, len(data)) + 1):
        if data[-back] >= 0xC0:
            return len(data) - back
    return len(data)


def _guess_code_page(data: bytes) -> str:
    sample = _high_parts(data)
    for name, common in _DOUBLE:
        if _looks_double(sample, name, common):
            return name
    return max(_SINGLE, key=lambda name: (_score(sample.decode(name, errors="replace")), -_SINGLE.index(name)))


def _high_parts(data: bytes) -> bytes:
    """The lines that hold bytes above ASCII, up to the sample's size."""
    parts, size = [], 0
    for line in _lines(data[: 64 * _SAMPLE]):
        if not line.isascii():
            parts.append(line[:_SCORED])
            size += min(len(line), _SCORED)
            if size > _SCORED:
                break
    return b"\n".join(parts)


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield data[start:end]
        start = end + 1


def _looks_double(sample: bytes, name: str, common: tuple[int, int]) -> bool:
    """Whether nearly everything reads as everyday East Asian characters in this double-byte page.

    `common` is the range of lead bytes of the everyday part: kana and first-level kanji (JIS X 0208), Hangul (KS X 1001),
    first-level hanzi (GB 2312), first-level hanzi (Big5).
    """
    text = sample.decode(name, errors="replace")
    high = [c for c in text if ord(c) > 0x7F]
    wide = [c for c in high if ord(c) >= 0x2E80]
    if len(wide) < 2 or (name == "cp932" and not any(0x3041 <= ord(c) <= 0x30FF for c in high)):
        return False
    good = sum(1 for c in high if _everyday(c, name, common))
    return good >= 0.9 * len(high)


def _everyday(char: str, name: str, common: tuple[int, int]) -> bool:
    code = ord(char)
    if 0x3000 <= code <= 0x30FF or 0xFF00 <= code <= 0xFF5E:
        return True
    try:
        raw = char.encode("gb2312" if name == "cp936" else name)
    except UnicodeEncodeError:
        return False
    return len(raw) == 2 and common[0] <= raw[0] <= common[1]


def _score(text: str) -> int:
    """How much a text reads like words: letters among letters of their script and case count for it, symbols and stray capitals against."""
    total = 0
    previous = " "
    for char in text:
        if ord(char) > 0x7F:
            total += _score_char(char, previous)
        elif char.isalpha() and _script(previous) == "own":
            total -= 4
        previous = char
    return total


def _score_char(char: str, previous: str) -> int:
    category = unicodedata.category(char)
    if char == "\ufffd" or category == "Cc":
        return -6
    if not category.startswith("L"):
        return 0 if char in "\u00a0«»–—’°§№" else -3
    if previous.isalpha() and (_script(char) != _script(previous) or (category == "Lu" and previous.islower())):
        return -4
    if _script(char) == "own":
        return 4 if category == "Ll" else 2
    if ord(previous) > 0x7F and previous.isalpha():
        return 0
    return 4 if char in _WESTERN else 1


def _script(char: str) -> str:
    """`own` for Cyrillic and Greek, which fill whole words; `latin` for all other letters."""
    return "own" if "\u0370" <= char <= "\u04ff" else "latin"
