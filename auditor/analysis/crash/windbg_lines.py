"""Lines of a debugger's text as people pass them on: indented, quoted, in Markdown or HTML, with blanks and dots of other alphabets.

Gives each line without that dress; decides nothing about its meaning. Every step is linear in the length of the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html import unescape

MAX_LINE = 4096
"""Characters of a line that are looked at; no line of a debugger that matters is longer."""
SHORT = 14
_MARK = re.compile(r"[!+:=_(]|Arg|----")
SHORTEST = 4
"""Characters that a line of a debugger has at least."""
_DRESS = " \t\r\n\x0b\x0c>|*#/;"
_BLANKS = "\u3000\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
_NOTHING = "\u200b\u200c\u200d\u2060\ufeff\xad\xb7\u0387\u2022\u2027\u2219\u22c5\u25cf\u30fb"
_OTHERS = {"：": ":", "，": ",", "（": "(", "）": ")", "＋": "+", "‘": "`", "’": "'", "｀": "`"}
_PLAIN = str.maketrans({**dict.fromkeys(_BLANKS, " "), **dict.fromkeys(_NOTHING, ""), **_OTHERS})
_TAG = re.compile(
    r"<(/?)(br|p|pre|code|div|span|b|i|u|em|strong|font|tt|li|ul|ol|tr|td|th|table|a|blockquote|h[1-6]|kbd|samp)(?:\s[^<>]{0,300})?/?>",
    re.IGNORECASE,
)
_TIME = r"(?:\d{4}-\d{2}-\d{2}[T ])?\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d{1,9})?Z?"
_PREFIX = re.compile(rf"(?:\[{_TIME}\]|\d{{4}}-\d{{2}}-\d{{2}}[T ]{_TIME}|\d{{1,5}}[:.)|])(?:\s+|$)(?!kd>)")
"""A line number or a time that a pager, a forum or a logger put before the line."""
_BBCODE = re.compile(r"\[/?(?:b|i|u|code|quote|pre|font|size|color|spoiler|hide|noparse)(?:=[^\[\]]{0,200})?\]", re.IGNORECASE)
_JUNK = re.compile(r"(?:[^\x00-\x7f]|\?){1,80}(?=[A-Z][A-Z0-9_]{4,40}\s{0,4}[:(]|Arg[1-4]|[0-9a-fA-F]{8}[ `])")
"""What is left of an indentation in another encoding, or of a word glued to the line, before a field, an argument or an address."""
_PREFIXED = frozenset("0123456789[")
_BREAKS = ("br", "p", "div", "li", "tr", "pre")


def clean(line: str) -> str:
    """A line without indentation, quoting and decoration. Empty where nothing is left."""
    if len(line) > MAX_LINE:
        line = line[:MAX_LINE]
    if not line.isascii():
        line = line.translate(_PLAIN)
    if "[" in line:
        line = _BBCODE.sub("", line)
    if "\\" in line:
        line = line.replace("\\_", "_").replace("\\*", "*").replace("\\[", "[").replace("\\]", "]")
    if "**" in line:
        line = line.replace("**", "")
    line = line.strip(_DRESS)
    if line[:1] in _PREFIXED:
        prefix = _PREFIX.match(line)
        return line[prefix.end() :].lstrip(_DRESS) if prefix else line
    if line[:1] == "?" or not line[:1].isascii():
        junk = _JUNK.match(line)
        return line[junk.end() :] if junk else line
    return line


def cleaned(lines: Iterable[str], expecting: Callable[[], bool]) -> Iterator[tuple[int, str]]:
    """(number from 1, cleaned line) of all lines that can matter; one that HTML breaks up comes as several with one number.

    A short line matters only with one of the marks of a field, symbol or number in it, in another alphabet (a person's word between two
    crashes), as a rule of dashes, or where the reader waits for a line's rest.
    """
    for number, line in enumerate(lines, 1):
        if len(line) < SHORT and (len(line) < SHORTEST or (_MARK.search(line) is None and line.isascii() and not expecting())):
            continue
        if "<" in line or "&" in line:
            for part in _without_markup(line[: MAX_LINE * 4]):
                yield number, clean(part)
        else:
            yield number, clean(line)


def _without_markup(line: str) -> list[str]:
    if "<" in line:
        line = _TAG.sub(lambda match: "\n" if match.group(2).lower() in _BREAKS else "", line)
    if "&" in line:
        line = unescape(line)
    return line.split("\n")
