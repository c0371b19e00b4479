"""A small part of PowerShell's grammar: statements, words with their quoting, pipelines. Pure. What lies outside of it is told."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from auditor.model.errors import AuditorError

_OPEN, _CLOSE = "([{", ")]}"
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}


class ParseError(AuditorError):
    """PowerShell would not run a line of this script: it is read whole before anything runs."""


class Word(msgspec.Struct, frozen=True):
    """A word of a command: its text as written inside, and how it was quoted."""

    text: str
    quote: str = ""
    """Empty, a single or a double quote; `(` for an expression in parentheses, `{` for a block, `@` for a hash table or a list."""


def statements(script: str) -> list[str]:
    """Statements of a script, parted by line ends and semicolons outside of quotes and brackets; comments left out. Raises ParseError."""
    found, start, depth = [], 0, 0
    at = 0
    script = re.sub(r"(?s)<#.*?#>", "", script)
    while at < len(script):
        char = script[at]
        if char in "'\"":
            at = _string_end(script, at)
        elif char == "`":
            at += 1
        elif char == "#" and (at == 0 or script[at - 1] in " \t\r\n;"):
            end = script.find("\n", at)
            script = script[:at] + (script[end:] if end >= 0 else "")
            continue
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif char in ";\n" and depth <= 0 and not (char == "\n" and script[start:at].rstrip().endswith(("|", ","))):
            found.append(script[start:at])
            start = at + 1
        at += 1
    if depth > 0:
        raise ParseError("Missing closing ')' or '}' in expression or statement block.")
    return [part.strip() for part in [*found, script[start:]] if part.strip()]


def _string_end(script: str, at: int) -> int:
    quote = script[at]
    at += 1
    while at < len(script):
        if script[at] == "`" and quote == '"':
            at += 2
            continue
        if script[at] == quote:
            if script[at + 1 : at + 2] != quote:
                return at
            at += 1
        at += 1
    raise ParseError(f"The string is missing the terminator: {quote}.")


def pipeline(statement: str) -> list[str]:
    """The commands of a pipeline. Raises ParseError for what is no PowerShell."""
    found, start, depth, at = [], 0, 0, 0
    while at < len(statement):
        char = statement[at]
        if char in "'\"":
            at = _string_end(statement, at)
        elif char == "`":
            at += 1
        elif char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif depth == 0 and statement.startswith(("&&", "||"), at):
            raise ParseError(f"The token '{statement[at : at + 2]}' is not a valid statement separator in this version.")
        elif char == "&" and depth == 0 and statement[start:at].strip() and statement[at - 1] != ">":  # `2>&1` is a redirection
            raise ParseError(
                'The ampersand (&) character is not allowed. The & operator is reserved for future use; use "&" to pass it as text.'
            )
        elif char == "|" and depth == 0:
            found.append(statement[start:at])
            start = at + 1
        at += 1
    return [part.strip() for part in [*found, statement[start:]]]


def words_of(command: str) -> list[Word]:
    """The words of one command."""
    found: list[Word] = []
    at = 0
    while at < len(command):
        char = command[at]
        if char in " \t\r\n,":
            at += 1
        elif char in "'\"":
            end = _string_end(command, at)
            found.append(Word(command[at + 1 : end], char))
            at = end + 1
        elif (char == "@" and command[at + 1 : at + 2] in "({") or char in "({":
            end = bracket_end(command, at + (char == "@"))
            found.append(Word(command[at : end + 1], "@" if char == "@" else char))
            at = end + 1
            if match := re.compile(r"(\.\w+(\(\))?)+").match(command, at):
                found[-1] = Word(found[-1].text + match.group(0), found[-1].quote)
                at = match.end()
        else:
            match = re.compile(r"(?:`.|[^\s,'\"(){}]|(?<=\S)['\"])+").match(command, at)
            end = match.end() if match else at + 1
            found.append(Word(re.sub(r"`(.)", r"\1", command[at:end])))
            at = end
    return found


def bracket_end(text: str, at: int) -> int:
    """Where the bracket that opens at `at` is closed. Raises ParseError."""
    depth = 0
    while at < len(text):
        if text[at] in "'\"":
            at = _string_end(text, at)
        elif text[at] in _OPEN:
            depth += 1
        elif text[at] in _CLOSE:
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise ParseError("Missing closing ')' in expression.")


def unquoted(word: Word, value_of: Callable[[str], str]) -> str:
    """The text that a quoted word means; `value_of` gives the text of `$name` and `$(...)` inside double quotes."""
    if word.quote == "'":
        return word.text.replace("''", "'")
    if word.quote != '"':
        return word.text
    pieces = re.sub(r'""', '"', word.text)
    pieces = re.sub(r"`(.)", lambda match: "\0" + _ESCAPES.get(match.group(1), match.group(1)), pieces)
    pieces = re.sub(r"(?<!\0)\$(\w+|\{\w+\})", lambda match: value_of(match.group(1).strip("{}")), pieces)
    return pieces.replace("\0", "")
