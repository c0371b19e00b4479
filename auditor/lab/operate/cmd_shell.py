"""cmd.exe of a lab host: runs a line or a batch file against the machine. Owns joins, redirections, `if`, variables, exit codes.

Which commands there are is the table that it is given (`commands`); anything else is not recognized, as on a Windows that lacks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate.cmd_parse import Bad, Block, If, Join, Redirect, Simple, Tree, parse_line, replace_variables, split_words
from auditor.lab.operate.places import absolute, file_at, there, variables
from auditor.lab.operate.programs import run_program
from auditor.lab.operate.said import Context, Said
from auditor.lab.operate.words import not_recognized, said
from auditor.lab.operate.writes import Denied, put_file
from auditor.lab.texts import decode_text

MAXIMUM_DEPTH = 8
MAXIMUM_STEPS = 2000
"""Lines that a batch file runs at most: one that goes round in circles ends."""
_NAME = re.compile(r'\s*("[^"]*"|[^\s"/=;,()]+(?:\.[^\s"/=;,()]+)?)')
_GLUED = re.compile(r"(?i)(echo|cd|md|rd|del|set|type)(?=[.:;,=/\\(+])|goto(?=:)")


class Leaving(Exception):
    """`goto`, `exit /b` or `exit`, with what was said before."""

    def __init__(self, kind: Literal["goto", "exit_b", "exit"], *, target: str = "", code: int = 0) -> None:
        super().__init__(kind)
        self.kind = kind
        self.target = target
        self.code = code
        self.said = Said()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One command as it was called."""

    shell: CmdShell
    name: str
    path: str
    """As written, quotes off."""
    rest: str
    """Everything after the name, as written."""
    words: list[str]
    stdin: str = ""

    @property
    def machine(self) -> Machine:
        """The host."""
        return self.shell.machine

    @property
    def context(self) -> Context:
        """Who calls."""
        return self.shell.context


Command = Callable[[Call], Steps[Said]]
Table = Mapping[str, Command]


class CmdShell:
    """One running cmd.exe."""

    def __init__(self, machine: Machine, context: Context, table: Table, *, stdin: str = "") -> None:
        self.machine = machine
        self.table = table
        self.context = context
        self.own: dict[str, str] = {}
        self.errorlevel = 0
        self.arguments: list[str] = []
        self.in_file = ""
        self.stdin = stdin
        self._steps = 0

    @property
    def codepage(self) -> str:
        """The code page that it writes files in."""
        return f"cp{self.machine.facts.system.code_page}"

    def run(self, line: str) -> Steps[Said]:
        """A line as `cmd /c` runs it; the exit code is that of the last command."""
        try:
            return (yield from self.line(line))
        except Leaving as left:
            return Said(stdout=left.said.stdout, stderr=left.said.stderr, code=left.code)

    def line(self, line: str) -> Steps[Said]:
        """One line, variables replaced first. Raises Leaving."""
        text = replace_variables(line, self.variables(), in_file=bool(self.in_file))
        try:
            tree = parse_line(text)
        except Bad as error:
            self.errorlevel = 1
            return said(self.machine, "syntax", near=error.near, code=1)
        return (yield from self._tree(tree, ""))

    def variables(self) -> dict[str, str]:
        """What %NAME% means now."""
        return {**variables(self.machine, self.context), **self.own, "ERRORLEVEL": str(self.errorlevel)}

    def batch(self, path: str, text: str, arguments: list[str]) -> Steps[Said]:
        """A batch file, line by line, with labels and `goto`."""
        outer = self.in_file, self.arguments
        self.in_file, self.arguments = path, arguments
        try:
            return (yield from self._lines(text.replace("\r\n", "\n").split("\n")))
        finally:
            self.in_file, self.arguments = outer

    def _lines(self, lines: list[str]) -> Steps[Said]:
        result, at, gathered = Said(), 0, ""
        while at < len(lines):
            self._steps += 1
            if self._steps > MAXIMUM_STEPS:
                return result.then(Said(stderr="the lab ends a batch file after 2000 lines\r\n", code=1))
            line, at = self._arguments(lines[at]).strip(), at + 1
            gathered = f"{gathered} & {line}" if gathered and not gathered.endswith("(") else gathered + line
            if _open(gathered) and at < len(lines):
                continue
            line, gathered = gathered, ""
            if (
                not line
                or line.startswith(":")
                or re.match(r"@?(rem|setlocal|endlocal|title|color|prompt)\b|@?echo\s+(on|off)\s*$", line, re.I)
            ):
                continue
            try:
                result = result.then((yield from self.line(line)))
            except Leaving as left:
                left.said = result = result.then(left.said)
                if left.kind == "exit":
                    raise
                if left.kind == "exit_b":
                    self.errorlevel = left.code
                if left.kind == "exit_b" or left.target == "eof":
                    break
                at = self._label(lines, left.target)
        return Said(stdout=result.stdout, stderr=result.stderr, code=self.errorlevel)

    def _label(self, lines: list[str], name: str) -> int:
        for at, line in enumerate(lines):
            if line.strip().lower().split(" ")[0] == f":{name}":
                return at + 1
        raise Leaving("exit_b", code=1)

    def _arguments(self, line: str) -> str:
        """%0 to %9, %* and %~dp0 of the batch file."""
        folder = self.in_file.rpartition("\\")[0] + "\\"
        line = re.sub(r"%~dp0", lambda _: folder, line, flags=re.IGNORECASE).replace("%~f0", self.in_file)
        values = [self.in_file, *self.arguments, *[""] * 9]
        line = re.sub(r"(?<!%)%~?([0-9])", lambda match: values[int(match.group(1))], line)
        return re.sub(r"(?<!%)%\*", lambda _: " ".join(self.arguments), line)

    def _tree(self, tree: Tree, stdin: str) -> Steps[Said]:
        if tree is None:
            return Said(code=self.errorlevel)
        if isinstance(tree, Join):
            return (yield from self._join(tree, stdin))
        if isinstance(tree, If):
            branch = tree.then if self._holds(tree) != tree.negated else tree.otherwise
            return (yield from self._tree(branch, stdin)) if branch is not None else Said(code=self.errorlevel)
        if isinstance(tree, Block):
            try:
                return self._redirected((yield from self._tree(tree.inner, stdin)), tree.redirects)
            except Leaving as left:
                left.said = self._redirected(left.said, tree.redirects)
                raise
        return (yield from self._simple(tree, stdin))

    def _join(self, tree: Join, stdin: str) -> Steps[Said]:
        left = yield from self._tree(tree.left, stdin)
        if tree.by == "|":
            right = yield from self._tree(tree.right, left.stdout)
            return Said(stdout=right.stdout, stderr=left.stderr + right.stderr, code=right.code)
        if (tree.by == "&&" and left.code) or (tree.by == "||" and not left.code):
            return left
        try:
            return left.then((yield from self._tree(tree.right, stdin)))
        except Leaving as leaving:
            leaving.said = left.then(leaving.said)
            raise

    def _holds(self, test: If) -> bool:
        words = [word.strip('"') for word in test.words]
        if test.kind == "exist":
            path = absolute(self.machine, words[0], self.context)
            return path is not None and there(self.machine, path)
        if test.kind == "defined":
            return words[0].upper() in self.variables()
        if test.kind == "errorlevel":
            return self.errorlevel >= int(words[0])
        left, right = (words[0], words[1]) if test.kind == "equal" else (words[0], words[2])
        if test.fold:
            left, right = left.lower(), right.lower()
        return left == right if test.kind == "equal" else _compare(left, words[1].lower(), right)

    def _simple(self, command: Simple, stdin: str) -> Steps[Said]:
        for redirect in command.redirects:
            if redirect.target.startswith("<"):
                file = file_at(self.machine, absolute(self.machine, redirect.target[1:], self.context) or "")
                if file is None:
                    return self._noted(said(self.machine, "no_file", code=1))
                stdin = decode_text(file.data(), file.path, self.machine)
        if not command.text.strip():
            return self._redirected(Said(), command.redirects)
        result = yield from self._command(command.text, stdin or self.stdin)
        return self._noted(self._redirected(result, command.redirects))

    def _noted(self, result: Said) -> Said:
        self.errorlevel = result.code
        return result

    def _command(self, text: str, stdin: str) -> Steps[Said]:
        match = _GLUED.match(text) or _NAME.match(text)
        if match is None or self.context.depth > MAXIMUM_DEPTH:
            return not_recognized(self.machine, text.split()[0] if text.split() else text)
        name = match.group(0).strip().strip('"').replace("/", "\\")
        rest = text[match.end() :]
        plain = name.lower().rpartition("\\")[2].removesuffix(".exe").removesuffix(".com")
        call = Call(shell=self, name=plain, path=name, rest=rest, words=split_words(rest), stdin=stdin)
        if plain in self.table and ("\\" not in name or name.lower().startswith(self.machine.windows.lower())):
            return (yield from self.table[plain](call))
        return (yield from self.program(call))

    def program(self, call: Call) -> Steps[Said]:
        """What is no command of this Windows: a batch file, or a program of a product."""
        path = absolute(self.machine, call.path, self.context) or ""
        for ending in ("", ".cmd", ".bat"):
            file = file_at(self.machine, path + ending)
            if file is not None and file.path.lower().endswith((".cmd", ".bat")):
                return (yield from self.batch(file.path, decode_text(file.data(), file.path, self.machine), call.words))
        found = yield from run_program(self.machine, path, call.words, self.context)
        return found if found is not None else not_recognized(self.machine, call.path)

    def _redirected(self, result: Said, redirects: tuple[Redirect, ...]) -> Said:
        """Output to files and handles, in the order of writing; what goes to `nul` is gone."""
        streams = {1: result.stdout, 2: result.stderr}
        for redirect in redirects:
            if redirect.target.startswith("<"):
                continue
            text = streams.get(redirect.handle, "")
            if redirect.target.startswith("&"):
                other = int(redirect.target[1:] or "1")
                held = [r for r in redirects if r.handle == other and not r.target.startswith("&")]
                if held and redirects.index(held[0]) < redirects.index(redirect):
                    self._write(held[0].target, text, append=True)
                else:
                    streams[other] = streams.get(other, "") + text
            elif not self._write(redirect.target, text, append=redirect.append):
                return said(self.machine, "no_path", code=1)
            streams[redirect.handle] = ""
        return Said(stdout=streams.get(1, ""), stderr=streams.get(2, ""), code=result.code)

    def _write(self, target: str, text: str, *, append: bool) -> bool:
        if target.lower().rpartition("\\")[2] in ("nul", "con"):
            return True
        path = absolute(self.machine, target, self.context)
        if path is None or path.startswith("\\\\") or not there(self.machine, path.rpartition("\\")[0]):
            return False
        old = self.machine.files.get(path)
        data = text.encode(self.codepage, "replace")
        try:
            put_file(self.machine, path, (old.data() if old and append else b"") + data)
        except Denied:
            return False
        return True


def _open(line: str) -> bool:
    """Whether a line of a batch file ends inside parentheses, so that the next ones belong to it."""
    bare = re.sub(r'"[^"]*"|\^.', "", line)
    opened = len(re.findall(r"(?:^|[&|(]|\belse|\bdo|\S\s)\s*\(", bare, re.IGNORECASE))
    return line.rstrip().endswith("(") or (opened > 0 and bare.count("(") > bare.count(")"))


def _compare(left: str, by: str, right: str) -> bool:
    numbers = left.lstrip("-").isdigit() and right.lstrip("-").isdigit()
    a, b = (int(left), int(right)) if numbers else (left, right)
    order = (a > b) - (a < b)  # type: ignore[operator]  # both are numbers or both texts
    return {"equ": order == 0, "neq": order != 0, "lss": order < 0, "leq": order <= 0, "gtr": order > 0, "geq": order >= 0}[by]
