"""PowerShell's text to tokens, with every bracket's partner known. No meaning; linear in the text's length.

A token keeps how it was written and whether it stands right behind the one before it, so that command mode can glue words together.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

MAX_TOKENS = 200_000
Kind = Literal[
    "text", "var", "splat", "single", "double", "param", "open", "close", "comma", "semicolon", "pipe", "amp", "newline", "equal"
]


class Token(msgspec.Struct, frozen=True):
    """One token: `value` is a name, the body of a string, or the characters themselves."""

    kind: Kind
    value: str
    raw: str
    line: int
    glued: bool
    """No blank before it."""


class Tokens(msgspec.Struct, frozen=True):
    """All tokens of a text, and for each opening bracket the index of its partner (the end where there is none)."""

    items: tuple[Token, ...]
    partner: dict[int, int]
    cut: bool


_BLANK = re.compile(r"(?:[ \t\r\f\v\u00a0\ufeff]+|`\r?\n)+")
_COMMENT = re.compile(r"<#.*?(?:#>|\Z)|#[^\n]*", re.DOTALL)
_HERE = re.compile(r"@(['\"])[ \t]*\r?\n(.*?)(?:\r?\n\1@|\Z)", re.DOTALL)
_SINGLE = re.compile(r"['‘’](?:[^'‘’]|['‘’]['‘’])*(?:['‘’]|\Z)")
_DOUBLE = re.compile(r'["“”](?:[^"“”`]|`.|["“”]["“”])*(?:["“”]|\Z)', re.DOTALL)
_VARIABLE = re.compile(r"\$(?:\{([^}\n]{1,200})\}|((?:[A-Za-z]\w*:)?[A-Za-z_]\w*|[_?^$]|\d+)(?!\w))")
_SPLAT = re.compile(r"@([A-Za-z_]\w*)")
_PARAM = re.compile(r"[-–—]([A-Za-z?][\w-]*)(:?)")
_OPEN = re.compile(r"@\(|@\{|\$\(|[({\[]")
_TEXT = re.compile(r"(?:[^\s()\[\]{},;|&'\"`$@=‘’“”\u00a0]|`[^\r\n])+")
_BRACKETS = {"(": ")", "{": "}", "[": "]"}


def tokenize(text: str) -> Tokens:
    """The tokens of a script. Never raises; a text with too many tokens is cut."""
    items: list[Token] = []
    at, line, glued = 0, 1, False
    while at < len(text) and len(items) < MAX_TOKENS:
        if match := _BLANK.match(text, at):
            line += match.group(0).count("\n")
            at, glued = match.end(), False
            continue
        if (text[at] == "#" and not glued) or text.startswith("<#", at):
            match = _COMMENT.match(text, at)
            end = match.end() if match else len(text)
            line += text.count("\n", at, end)
            at, glued = end, False
            continue
        token, end = _token(text, at, line, glued)
        items.append(token)
        line += text.count("\n", at, end)
        at, glued = end, token.kind not in ("newline", "semicolon", "comma", "open", "pipe", "amp")
    return Tokens(tuple(items), _partners(items), at < len(text))


def _token(text: str, at: int, line: int, glued: bool) -> tuple[Token, int]:
    char = text[at]
    if char == "\n":
        return Token("newline", "\n", "\n", line, glued), at + 1
    if match := _HERE.match(text, at):
        kind: Kind = "single" if match.group(1) == "'" else "double"
        return Token(kind, match.group(2), match.group(0), line, glued), match.end()
    if char in "'‘’" and (match := _SINGLE.match(text, at)):
        body = re.sub(r"['‘’]{2}", "'", match.group(0)[1:-1])
        return Token("single", body, match.group(0), line, glued), match.end()
    if char in '"“”' and (match := _DOUBLE.match(text, at)):
        return Token("double", re.sub(r'["“”]{2}', '`"', match.group(0)[1:-1]), match.group(0), line, glued), match.end()
    if match := _OPEN.match(text, at):
        return Token("open", match.group(0), match.group(0), line, glued), match.end()
    if char in ")}]":
        return Token("close", char, char, line, glued), at + 1
    if char == "$" and (match := _VARIABLE.match(text, at)):
        return Token("var", (match.group(1) or match.group(2)).casefold(), match.group(0), line, glued), match.end()
    if char == "@" and (match := _SPLAT.match(text, at)):
        return Token("splat", match.group(1).casefold(), match.group(0), line, glued), match.end()
    return _plain(text, at, line, glued)


def _plain(text: str, at: int, line: int, glued: bool) -> tuple[Token, int]:
    char = text[at]
    single: dict[str, Kind] = {",": "comma", ";": "semicolon", "|": "pipe", "&": "amp", "=": "equal"}
    if char in single:
        return Token(single[char], char, char, line, glued), at + 1
    if char in "-–—" and not glued and (match := _PARAM.match(text, at)):
        return Token("param", match.group(1).casefold() + match.group(2), match.group(0), line, glued), match.end()
    if match := _TEXT.match(text, at):
        return Token("text", re.sub(r"`(.)", r"\1", match.group(0)), match.group(0), line, glued), match.end()
    return Token("text", char, char, line, glued), at + 1


def _partners(items: list[Token]) -> dict[int, int]:
    partner: dict[int, int] = {}
    stack: list[int] = []
    for index, token in enumerate(items):
        if token.kind == "open":
            stack.append(index)
        elif token.kind == "close":
            while stack:
                opened = stack.pop()
                partner[opened] = index
                if _BRACKETS[items[opened].value[-1]] == token.value:
                    break
    for opened in stack:
        partner[opened] = len(items)
    return partner


_PIECE = re.compile(r"`(.)|\$\(|" + _VARIABLE.pattern, re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": ""}


def string_pieces(body: str) -> list[tuple[str, str]]:
    """The pieces of an expandable string: (`text`, characters), (`var`, name) or (`code`, text of a subexpression)."""
    pieces: list[tuple[str, str]] = []
    at = 0
    while match := _PIECE.search(body, at):
        pieces.append(("text", body[at : match.start()]))
        if match.group(1) is not None:
            pieces.append(("text", _ESCAPES.get(match.group(1), match.group(1))))
            at = match.end()
        elif match.group(0) == "$(":
            end = _code_end(body, match.end())
            pieces.append(("code", body[match.end() : end]))
            at = end + 1
        else:
            pieces.append(("var", (match.group(2) or match.group(3)).casefold()))
            at = match.end()
    pieces.append(("text", body[at:]))
    return [p for p in pieces if p[1] or p[0] != "text"]


def _code_end(body: str, start: int) -> int:
    depth = 0
    for at in range(start, len(body)):
        if body[at] == "(":
            depth += 1
        elif body[at] == ")":
            if depth == 0:
                return at
            depth -= 1
    return len(body)
