"""A line of cmd.exe as a tree: joins, blocks, `if`, redirections, carets and quotes. Pure; variables are replaced before, as cmd.exe does.

Source: Microsoft's documentation of the command shell (order of joins: `&` binds least, then `||`, `&&`, `|`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from auditor.model.errors import AuditorError

MAXIMUM_LINE = 8191
_OPERATORS = ("&&", "||", "&", "|", "(", ")")
_IF = re.compile(r"if\s+(?P<i>/i\s+)?(?P<not>not\s+)?", re.IGNORECASE)
_EXIST = re.compile(r'exist\s+("[^"]*"|\S+)\s*', re.IGNORECASE)
_DEFINED = re.compile(r"defined\s+(\S+)\s*", re.IGNORECASE)
_LEVEL = re.compile(r"errorlevel\s+(\d+)\s*", re.IGNORECASE)
_EQUAL = re.compile(r'("[^"]*"|[^\s=]+)\s*==\s*("[^"]*"|\S+)\s*')
_COMPARE = re.compile(r'("[^"]*"|\S+)\s+(equ|neq|lss|leq|gtr|geq)\s+("[^"]*"|\S+)\s*', re.IGNORECASE)
_WORD = re.compile(r'\s*((?:"[^"]*"?|[^\s",;=])+|[,;=]+)')
_VARIABLE = re.compile(r"%([^%\s:]{1,64})%")


class Bad(AuditorError):
    """cmd.exe does not understand the line; `near` is what stands where it stumbled."""

    def __init__(self, near: str) -> None:
        super().__init__(f"{near} was unexpected at this time.")
        self.near = near


class Redirect(msgspec.Struct, frozen=True):
    """`2>>file`: handle 2 to the end of a file; target `&1` is another handle."""

    handle: int
    append: bool
    target: str


class Simple(msgspec.Struct, frozen=True):
    """One command with its arguments as written."""

    text: str
    redirects: tuple[Redirect, ...] = ()


class Block(msgspec.Struct, frozen=True):
    """Commands in parentheses."""

    inner: Tree
    redirects: tuple[Redirect, ...] = ()


class Join(msgspec.Struct, frozen=True):
    """Two commands."""

    by: Literal["&", "&&", "||", "|"]
    left: Tree
    right: Tree


class If(msgspec.Struct, frozen=True):
    """`if`: a test (`exist`, `defined`, `errorlevel`, or a comparison), what then, what else."""

    kind: str
    words: tuple[str, ...]
    negated: bool
    fold: bool
    then: Tree
    otherwise: Tree | None


Tree = Simple | Block | Join | If | None


class _Token(msgspec.Struct, frozen=True):
    """An operator, or a piece of text with its redirections taken out."""

    kind: str
    text: str = ""
    redirect: Redirect | None = None


def replace_variables(line: str, values: Mapping[str, str], *, in_file: bool) -> str:
    """`%NAME%` replaced once; in a file unknown ones vanish and `%%` is one percent sign, on a command line unknown ones stay."""
    if not in_file:
        return _VARIABLE.sub(lambda match: values.get(match.group(1).upper(), match.group(0)), line)[: MAXIMUM_LINE + 1]
    parts = line.split("%%")
    return "%".join(_VARIABLE.sub(lambda match: values.get(match.group(1).upper(), ""), part) for part in parts)[: MAXIMUM_LINE + 1]


def parse_line(line: str) -> Tree:
    """The tree of a line. Raises Bad."""
    if len(line) > MAXIMUM_LINE:
        raise Bad("The input line is too long.")
    tokens = _tokens(line)
    tree, at = _joined(tokens, 0)
    if at < len(tokens):
        raise Bad(tokens[at].kind)
    return tree


def split_words(text: str) -> list[str]:
    """Arguments as programs of Windows see them: parted by blanks, quotes taken off, `\\"` a quote."""
    words, word, quoted, there = [], "", False, False
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and text[at : at + 2] == '\\"':
            word, there, at = word + '"', True, at + 1
        elif char == '"':
            quoted, there = not quoted, True
        elif char in " \t" and not quoted:
            if there:
                words.append(word)
            word, there = "", False
        else:
            word, there = word + char, True
        at += 1
    return [*words, word] if there else words


def _tokens(line: str) -> list[_Token]:
    found: list[_Token] = []
    text, at, quoted = "", 0, False
    while at < len(line):
        char = line[at]
        operator = next((op for op in _OPERATORS if line.startswith(op, at)), None)
        if quoted or char == '"':
            quoted ^= char == '"'
            text += char
        elif char == "^":
            at += 1
            text += line[at] if at < len(line) else ""
        elif char in "<>":
            handle, text = _handle(text, char)
            redirect, at = _redirect(line, at, handle)
            found += [_Token("text", text)] if text.strip() else []
            found.append(_Token("redirect", redirect=redirect))
            text = ""
            continue
        elif operator in ("(", ")") and not _opens_or_closes(operator, text, found):
            text += char
        elif operator:
            found += [_Token("text", text)] if text.strip() else []
            found.append(_Token(operator))
            text, at = "", at + len(operator)
            continue
        else:
            text += char
        at += 1
    return [*found, _Token("text", text)] if text.strip() else found


def _opens_or_closes(operator: str, text: str, found: list[_Token]) -> bool:
    """A parenthesis is one only where a command begins, or where one is open."""
    depth = sum(token.kind == "(" for token in found) - sum(token.kind == ")" for token in found)
    if operator == ")":
        return depth > 0
    before = text.strip().lower()
    return before in ("", "@", "else") or before.endswith(" else") or bool(re.match(r"if\b", before))


def _handle(text: str, char: str) -> tuple[int, str]:
    if text[-1:].isdigit() and (len(text) == 1 or text[-2] in " \t)"):
        return int(text[-1]), text[:-1]
    return (0 if char == "<" else 1), text


def _redirect(line: str, at: int, handle: int) -> tuple[Redirect, int]:
    append = line.startswith(">>", at)
    reading = line[at] == "<"
    at += 2 if append else 1
    if line.startswith("&", at):
        return Redirect(handle, append, line[at : at + 2]), at + 2
    match = re.compile(r'\s*((?:"[^"]*"|\^.|[^\s"&|<>()])+)').match(line, at)
    if match is None:
        raise Bad("The syntax of the command is incorrect.")
    target = match.group(1).replace("^", "").replace('"', "")
    return Redirect(handle, append, f"<{target}" if reading else target), match.end()


_ORDER: tuple[Literal["&", "||", "&&", "|"], ...] = ("&", "||", "&&", "|")


def _joined(tokens: list[_Token], at: int, level: int = 0) -> tuple[Tree, int]:
    if level == len(_ORDER):
        return _command(tokens, at)
    by = _ORDER[level]
    left, at = _joined(tokens, at, level + 1)
    while at < len(tokens) and tokens[at].kind == by:
        if left is None or (by != "&" and at + 1 >= len(tokens)):
            raise Bad(by)
        right, at = _joined(tokens, at + 1, level + 1)
        left = Join(by, left, right)
    return left, at


def _command(tokens: list[_Token], at: int) -> tuple[Tree, int]:
    text, redirects = "", []
    while at < len(tokens) and tokens[at].kind in ("text", "redirect", "("):
        token = tokens[at]
        if token.redirect is not None:
            redirects.append(token.redirect)
        elif token.kind == "(" and not text.strip("@ \t"):
            return _block(tokens, at, tuple(redirects))
        elif token.kind == "text" and not text and (match := _IF.match(token.text.lstrip(" \t@"))):
            return _if(tokens, at, token.text.lstrip(" \t@"), match)
        elif token.kind == "(":
            raise Bad("(")
        else:
            if re.match(r"\s*else\b", token.text, re.IGNORECASE) and not text:
                break
            text += token.text
        at += 1
    return (Simple(text.lstrip(" \t@"), tuple(redirects)) if text.strip() or redirects else None), at


def _block(tokens: list[_Token], at: int, redirects: tuple[Redirect, ...]) -> tuple[Tree, int]:
    inner, at = _joined(tokens, at + 1)
    if at >= len(tokens) or tokens[at].kind != ")":
        raise Bad(")")
    at += 1
    more = list(redirects)
    while at < len(tokens) and (redirect := tokens[at].redirect) is not None:
        more.append(redirect)
        at += 1
    return Block(inner, tuple(more)), at


def _if(tokens: list[_Token], at: int, text: str, match: re.Match[str]) -> tuple[Tree, int]:
    rest = text[match.end() :]
    kind, words, rest = _test(rest)
    inner = [_Token("text", rest), *tokens[at + 1 :]] if rest.strip() else tokens[at + 1 :]
    skipped = 0 if rest.strip() else 1
    then, used = _joined(inner, 0)  # an `if` takes the rest of the line, joins and all
    if then is None:
        raise Bad("The syntax of the command is incorrect.")
    at += used + skipped
    otherwise: Tree = None
    if isinstance(then, Block) and at < len(tokens) and re.match(r"\s*else\b", tokens[at].text, re.IGNORECASE):
        after = re.sub(r"(?i)^\s*else\b", "", tokens[at].text)
        inner = [_Token("text", after), *tokens[at + 1 :]] if after.strip() else tokens[at + 1 :]
        otherwise, used = _joined(inner, 0)
        at += used + (0 if after.strip() else 1)
    return If(kind, words, bool(match.group("not")), bool(match.group("i")), then, otherwise), at


def _test(text: str) -> tuple[str, tuple[str, ...], str]:
    for kind, pattern in (("exist", _EXIST), ("defined", _DEFINED), ("errorlevel", _LEVEL), ("compare", _COMPARE), ("equal", _EQUAL)):
        if match := pattern.match(text):
            return kind, tuple(match.groups()), text[match.end() :]
    raise Bad(text.split()[0] if text.split() else "The syntax of the command is incorrect.")
