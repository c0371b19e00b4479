"""cmd.exe's surface syntax of one command line: separators, quotes, carets, redirections, arguments. No variables and no meaning.

Quotes toggle and a backslash never escapes one: that is how cmd.exe and its copy commands read `"C:\\dir\\"`.
"""

from __future__ import annotations

import re

import msgspec

from auditor.analysis.copying.unknowns import CLOSE, OPEN, unknown

_PLACEHOLDER = re.compile(r"(?<=\\)<([A-Za-z][^<>|&\"\r\n]{0,60})>|<(?![^<>\s]{0,60}\.\w{1,4}>)([A-Za-z][^<>|&\"\r\n]{0,60})>(?=[\\\s]|$)")
_REDIRECTION = re.compile(r"(\d?)(>>|>&\d|<&\d|>|<)")


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One command of a line, with its redirections apart."""

    text: str
    """The command without redirections; carets are gone."""
    output: str | None = None
    """File that standard output goes to."""
    input: str | None = None
    """File that standard input comes from."""


def keep_placeholders(line: str) -> str:
    """A manual's `\\\\<server>\\share` is no redirection: such names are marked as unknown."""
    if "<" not in line:
        return line
    return _PLACEHOLDER.sub(lambda m: unknown(f"<{m.group(1) or m.group(2)}>"), line)


def split_commands(line: str) -> list[str]:
    """The commands of a line between unquoted `&`, `&&`, `|`, `||` and outer parentheses, carets kept. Linear."""
    parts: list[str] = []
    current: list[str] = []
    quoted, at = False, 0
    while at < len(line):
        char = line[at]
        if char == "^" and not quoted and at + 1 < len(line):
            current.append(line[at : at + 2])
            at += 2
            continue
        if char == '"':
            quoted = not quoted
        if not quoted and char in "&|" and not _handle(current):
            parts.append("".join(current))
            current = []
            at += 2 if line[at : at + 2] in ("&&", "||") else 1
            continue
        current.append(char)
        at += 1
    parts.append("".join(current))
    return [p for p in (part.strip() for part in parts) if p]


def _handle(current: list[str]) -> bool:
    """Whether an ampersand belongs to a redirection of handles (`2>&1`)."""
    return bool(current) and current[-1] in ("<", ">")


def read_part(text: str) -> Part:
    """A command with its redirections taken out and its carets resolved."""
    kept: list[str] = []
    files: dict[str, str | None] = {"<": None, ">": None}
    at, quoted = 0, False
    while at < len(text):
        char = text[at]
        if char == OPEN:
            end = text.find(CLOSE, at)
            end = len(text) if end < 0 else end + 1
            kept.append(text[at:end])
            at = end
            continue
        if char == '"':
            quoted = not quoted
        elif char == "^" and not quoted:
            kept.append(text[at + 1 : at + 2])
            at += 2
            continue
        elif not quoted and char in "<>0123456789" and (match := _REDIRECTION.match(text, at)) and _stands_apart(text, at, match):
            at = match.end()
            if "&" not in match.group(2):
                target, at = _target(text, at)
                if match.group(1) in ("", "0", "1"):
                    files[match.group(2)[0]] = target
            continue
        kept.append(char)
        at += 1
    return Part(text="".join(kept).strip(), output=files[">"], input=files["<"])


def _stands_apart(text: str, at: int, match: re.Match[str]) -> bool:
    """A digit is a handle only where it is a word of its own."""
    return not match.group(1) or at == 0 or text[at - 1] in " \t)"


def _target(text: str, at: int) -> tuple[str | None, int]:
    while at < len(text) and text[at] in " \t":
        at += 1
    start, quoted = at, False
    while at < len(text) and (quoted or text[at] not in " \t<>&|"):
        quoted ^= text[at] == '"'
        at += 1
    return text[start:at].strip('"') or None, at


def split_arguments(text: str) -> list[str]:
    """Words between blanks; quotes hold blanks together and are taken off. Commas, semicolons and equal signs stay."""
    words: list[str] = []
    current: list[str] = []
    quoted = seen = False
    for char in text:
        if char == '"':
            quoted = not quoted
            seen = True
        elif char in " \t\r\n\u00a0" and not quoted:
            if current or seen:
                words.append("".join(current))
            current, seen = [], False
        else:
            current.append(char)
    if current or seen:
        words.append("".join(current))
    return words


def batch_arguments(text: str) -> list[str]:
    """The arguments of a batch file or label as `%1` gives them: quotes stay on, and commas, semicolons and equal signs part them too."""
    words: list[str] = []
    current: list[str] = []
    quoted = False
    for char in text:
        quoted ^= char == '"'
        if char in " \t,;=\r\n" and not quoted:
            if current:
                words.append("".join(current))
            current = []
        else:
            current.append(char)
    if current:
        words.append("".join(current))
    return words


def head_and_rest(text: str) -> tuple[str, str]:
    """The program's word of a command, unquoted, and everything behind it as written.

    A switch may follow a built-in command without a blank (`cd..`, `copy/b`), and a program's path may hold blanks in quotes.
    """
    body = text.lstrip(" \t@(,;=")
    if body.startswith('"'):
        end = body.find('"', 1)
        end = len(body) if end < 0 else end
        tail = re.match(r"[^\s/]*", body[end + 1 :])
        joined = body[1:end] + (tail.group(0) if tail else "")
        return joined, body[end + 1 + (len(tail.group(0)) if tail else 0) :].lstrip()
    match = re.match(
        r"(copy|xcopy|move|robocopy|start|call|cmd|net|pushd|for|if|echo|type|cd|chdir|del)(?=[/.\\]|$)([/.\\]?)", body, re.IGNORECASE
    )
    if match and match.group(2) in ("/", ".") and (match.group(2) == "/" or match.group(1).casefold() in ("cd", "chdir", "echo")):
        return match.group(1), body[match.end(1) :].lstrip()
    word = re.match(r"[^\s]*", body)
    head = word.group(0) if word else ""
    return head.strip('"'), body[len(head) :].lstrip()


def program_name(head: str) -> str:
    """The lower-case name of a program's word, without folder and ending."""
    name = re.split(r"[\\/]", head.strip().strip('"'))[-1].casefold()
    return re.sub(r"\.(?:exe|com|cmd|bat)$", "", name)
