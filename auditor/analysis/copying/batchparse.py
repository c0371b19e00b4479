"""Batch files to a tree of commands: blocks, `if`, `for`, `&` and `|` chains, labels. No variables and no meaning.

A file that nests deeper than `MAX_DEPTH`, or has more than `MAX_NODES` commands, is cut there and says so.
"""

from __future__ import annotations

import re
from typing import Union

import msgspec

MAX_DEPTH = 40
MAX_NODES = 20_000


class Command(msgspec.Struct, frozen=True):
    """One simple command, raw, with the line it starts on (from 1)."""

    text: str
    line: int


class Sequence(msgspec.Struct, frozen=True):
    """Commands one after the other."""

    nodes: tuple[Node, ...]
    output: str = ""
    """Raw name of the file that a block's output goes to; empty where it goes to none."""
    append: bool = False
    """Whether the file is gone on with."""


class If(msgspec.Struct, frozen=True):
    """`if` with its raw condition."""

    condition: str
    then: Node
    otherwise: Node | None
    line: int


class For(msgspec.Struct, frozen=True):
    """`for` with its raw options, variable letter and set."""

    options: str
    variable: str
    items: str
    body: Node
    line: int


Node = Union[Command, Sequence, If, For]  # noqa: UP007 msgspec resolves the forward references of a plain union


class Batch(msgspec.Struct, frozen=True):
    """A parsed file: top-level statements and where each label stands among them."""

    statements: tuple[Node, ...]
    labels: dict[str, int]
    cut: bool
    """Whether something was left out at a limit."""


class _TooDeep(Exception):
    """The nesting limit was reached."""


def parse_batch(text: str) -> Batch:
    """The statements of a batch file. Never raises; linear in the text's length."""
    parser = _Parser(text.replace("\r\n", "\n").replace("\r", "\n"))
    statements: list[Node] = []
    labels: dict[str, int] = {}
    cut = False
    while parser.skip_blank():
        label = parser.label()
        if label is not None:
            labels.setdefault(label, len(statements))
            continue
        try:
            statements.append(parser.line_commands(0))
        except _TooDeep:
            cut = True
            parser.skip_line()
        if parser.nodes > MAX_NODES:
            return Batch(tuple(statements), labels, True)
    return Batch(tuple(statements), labels, cut)


_FOR = re.compile(r"((?:/[a-zA-Z](?:\s+(?:\"[^\"\n]*\"|[^\s(%]\S*))?\s+)*)%{1,2}(\S)\s+in\s*\(", re.IGNORECASE)
_IF_WORD = re.compile(r"(?:/i|not|exist|defined|errorlevel|cmdextversion)(?=\s)", re.IGNORECASE)
_OPERATOR = re.compile(r"\s*(?:==|(?:equ|neq|lss|leq|gtr|geq)(?=\s))\s*", re.IGNORECASE)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.nodes = 0
        self._line, self._line_at = 1, 0

    def line_number(self) -> int:
        """The line of the current position; positions only grow."""
        self._line += self.text.count("\n", self._line_at, self.at)
        self._line_at = self.at
        return self._line

    def skip_blank(self) -> bool:
        """Past blanks, line ends and stray closing parentheses; False at the end."""
        while self.at < len(self.text) and self.text[self.at] in " \t\n\ufeff\x1a)@;,":
            self.at += 1
        return self.at < len(self.text)

    def skip_line(self) -> None:
        """To the next line."""
        end = self.text.find("\n", self.at)
        self.at = len(self.text) if end < 0 else end + 1

    def label(self) -> str | None:
        """A label (or a `::` remark, whose name nothing goes to), with its line left behind."""
        if self.text[self.at] != ":":
            return None
        start = self.at
        self.skip_line()
        words = self.text[start + 1 : min(self.at, start + 200)].split()
        return words[0].casefold() if words else ""

    def line_commands(self, depth: int, *, closing: bool = False) -> Node:
        """The chain of commands up to the end of the line, or up to a block's closing parenthesis."""
        nodes: list[Node] = []
        while True:
            self._blanks()
            node = self._command(depth, closing=closing)
            if node is not None:
                nodes.append(node)
            self._blanks()
            char = self.text[self.at : self.at + 1]
            if char in ("&", "|") and char:
                self.at += 1
                continue
            break
        return nodes[0] if len(nodes) == 1 else Sequence(tuple(nodes))

    def _blanks(self) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in " \t@,;":
                self.at += 1
            elif self.text.startswith("^\n", self.at):
                self.at += 2
            else:
                return

    def _command(self, depth: int, *, closing: bool) -> Node | None:
        if depth > MAX_DEPTH:
            raise _TooDeep
        self.nodes += 1
        line = self.line_number()
        if self.text.startswith("(", self.at):
            return self._block(depth + 1)
        word = re.compile(r"[A-Za-z]+").match(self.text, self.at)
        name = word.group(0).casefold() if word else ""
        after = self.text[word.end() : word.end() + 1] if word else ""
        if name == "rem" and after in ("", " ", "\t", "\n", "."):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
            return None
        if name == "if" and after in (" ", "\t", "("):
            self.at += 2
            return self._if(depth + 1, line, closing=closing)
        if name == "for" and after in (" ", "\t"):
            node = self._for(depth + 1, line, closing=closing)
            if node is not None:
                return node
        text = self._simple(closing=closing)
        return Command(text, line) if text else None

    def _block(self, depth: int) -> Node:
        self.at += 1
        nodes: list[Node] = []
        while self.at < len(self.text):
            while self.at < len(self.text) and self.text[self.at] in " \t\n@,;":
                self.at += 1
            if self.text.startswith(")", self.at) or self.at >= len(self.text):
                self.at += 1
                break
            if self.text.startswith(":", self.at):
                self.skip_line()
                continue
            before = self.at
            nodes.append(self.line_commands(depth, closing=True))
            self.at += self.at == before
            if self.nodes > MAX_NODES:
                raise _TooDeep
        output, append = self._redirections()
        return Sequence(tuple(nodes), output, append)

    def _redirections(self) -> tuple[str, bool]:
        """Past the redirections of a whole block; where its output goes, and whether it is added to what is there."""
        match = re.compile(r"(?:[ \t]*\d?(?:>>?|<)&?[ \t]*(?:\"[^\"\n]*\"|[^\s&|<>()]*))+").match(self.text, self.at)
        if not match:
            return "", False
        self.at = match.end()
        found = re.findall(r"(?<![\d>])1?(>>?)[ \t]*(\"[^\"\n]*\"|[^\s&|<>()]+)", match.group())
        return (found[-1][1], found[-1][0] == ">>") if found else ("", False)

    def _simple(self, *, closing: bool) -> str:
        start, quoted, depth = self.at, False, 0
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\n":
                break
            if char == "^" and not quoted:
                self.at += 2
                continue
            if char == '"':
                quoted = not quoted
            elif not quoted:
                if char == "|" or (char == "&" and self.text[self.at - 1] not in "<>"):
                    break
                if char == ")" and closing and depth == 0:
                    break
                depth = max(0, depth + (char == "(") - (char == ")"))
            self.at += 1
        self.at = min(self.at, len(self.text))
        return self.text[start : self.at].replace("^\n", "").strip()

    def _word(self) -> str:
        """One word of a condition; quotes and percent signs hold blanks together."""
        self._blanks()
        start, quoted = self.at, False
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == "\n" or (not quoted and (char in " \t" or self.text.startswith("==", self.at))):
                break
            if not quoted and char == "(" and self.at > start:
                break
            quoted ^= char == '"'
            self.at += 1
        return self.text[start : self.at]

    def _if(self, depth: int, line: int, *, closing: bool) -> Node:
        start = self.at
        unary = False
        while True:
            self._blanks()
            match = _IF_WORD.match(self.text, self.at)
            if not match:
                break
            self.at = match.end()
            if match.group(0).casefold() not in ("/i", "not"):
                unary = True
                break
        self._word()
        if not unary:
            operator = _OPERATOR.match(self.text, self.at)
            if operator:
                self.at = operator.end()
                self._word()
        condition = self.text[start : self.at].strip()
        self._blanks()
        blocked = self.text.startswith("(", self.at)
        then = self._branch(depth, closing=closing, blocked=blocked)
        otherwise = self._else(depth, closing=closing)
        return If(condition, then, otherwise, line)

    def _branch(self, depth: int, *, closing: bool, blocked: bool) -> Node:
        if blocked:
            return self._command(depth, closing=closing) or Sequence(())
        return self.line_commands(depth, closing=closing)

    def _else(self, depth: int, *, closing: bool) -> Node | None:
        match = re.compile(r"[ \t]*else(?=[ \t(])", re.IGNORECASE).match(self.text, self.at)
        if not match:
            return None
        self.at = match.end()
        self._blanks()
        return self._branch(depth, closing=closing, blocked=self.text.startswith("(", self.at))

    def _for(self, depth: int, line: int, *, closing: bool) -> Node | None:
        match = re.compile(r"for\s+", re.IGNORECASE).match(self.text, self.at)
        head = _FOR.match(self.text, match.end()) if match else None
        if head is None:
            return None
        end = self._set_end(head.end())
        rest = re.compile(r"\)\s*do(?=[\s(])", re.IGNORECASE).match(self.text, end)
        if rest is None:
            return None
        items = self.text[head.end() : end]
        self.at = rest.end()
        self._blanks()
        body = self._branch(depth, closing=closing, blocked=self.text.startswith("(", self.at))
        return For(head.group(1).strip(), head.group(2), items, body, line)

    def _set_end(self, start: int) -> int:
        """Where the parenthesis of a `for` set closes."""
        quoted, single, depth, at = False, False, 0, start
        limit = min(len(self.text), start + 16384)
        while at < limit:
            char = self.text[at]
            if char == '"':
                quoted = not quoted
            elif char == "'" and not quoted:
                single = not single
            elif not quoted and not single:
                if char == ")" and depth == 0:
                    return at
                depth += (char == "(") - (char == ")")
            at += 1
        return at
