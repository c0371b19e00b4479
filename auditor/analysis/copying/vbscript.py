"""Reads VBScript in the abstract: assignments, loops over lists, subs, and the calls that copy, map drives or run commands.

Nothing is executed. Branches are read one after the other and their values kept side by side; what can't be followed is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from auditor.analysis.copying.copytools import RawCopy, may_hold_executables
from auditor.analysis.copying.psvalues import Alternatives, PsValue, Variables, cross, of, unknown_value
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import MAX_ALTERNATIVES, is_unknown
from auditor.analysis.copying.vbvalues import VbExpression
from auditor.analysis.copying.walker import Walker

MAX_NESTING = 30
_ASSIGN = re.compile(r"(?:set\s+|const\s+|let\s+)?([A-Za-z_]\w*)(\s*\(.*?\))?\s*=\s*(.+)", re.IGNORECASE)
_CALL = re.compile(r"(?:call\s+)?((?:[A-Za-z_]\w*\s*(?:\(.*?\)\s*)?\.\s*)*[A-Za-z_]\w*)\s*(.*)", re.IGNORECASE)
_FOR_EACH = re.compile(r"for\s+each\s+([A-Za-z_]\w*)\s+in\s+(.+)", re.IGNORECASE)
_FOR = re.compile(r"for\s+([A-Za-z_]\w*)\s*=\s*(.+?)\s+to\s+(.+)", re.IGNORECASE)
_SUB = re.compile(r"(?:public\s+|private\s+)?(?:sub|function)\s+([A-Za-z_]\w*)\s*(?:\((.*?)\))?", re.IGNORECASE)
_IF = re.compile(r"(if|elseif)\s+(.+?)\s+then\b\s*(.*)", re.IGNORECASE)
_COPIES: Mapping[str, tuple[str, bool, bool]] = {
    # name: tool, moves, whole folders
    "copyfile": ("CopyFile", False, False),
    "copyfolder": ("CopyFolder", False, True),
    "movefile": ("MoveFile", True, False),
    "movefolder": ("MoveFolder", True, True),
}
Statement = tuple[int, str]


def run_vbscript(walker: Walker, text: str, state: State) -> None:
    """Read a script; `state` has its path and arguments."""
    statements = split_statements(text)
    reader = _VbReader(walker, statements, state)
    reader.collect_subs()
    reader.block(0, len(statements))


def split_statements(text: str) -> list[Statement]:
    """Statements with their line: comments gone, continued lines joined, colons outside strings parted. Linear."""
    result: list[Statement] = []
    joined, start = "", 0
    body = (
        "\n".join(re.findall(r"<script[^>]*>(.*?)</script>", text, re.DOTALL | re.IGNORECASE)) if "<job" in text[:4000].casefold() else text
    )
    for number, raw in enumerate(body.splitlines(), 1):
        line = _without_comment(raw).strip()
        start = start if joined else number
        if line.endswith("_") and len(joined) < 8192 and re.search(r"(?:^|[\s&,(+])_$", line):
            joined += line[:-1] + " "
            continue
        result.extend((start, piece) for piece in _parted(joined + line))
        joined = ""
        if len(result) > 50_000:
            break
    return result


def _without_comment(line: str) -> str:
    quoted = False
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == "'" and not quoted:
            return line[:at]
    return "" if re.match(r"\s*rem\b", line, re.IGNORECASE) else line


def _parted(line: str) -> list[str]:
    if ":" not in line:
        return [line] if line.strip() else []
    pieces, quoted, start = [], False, 0
    for at, char in enumerate(line):
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted:
            pieces.append(line[start:at])
            start = at + 1
    pieces.append(line[start:])
    return [p.strip() for p in pieces if p.strip()]


class _VbReader:
    """One script."""

    def __init__(self, walker: Walker, statements: list[Statement], state: State) -> None:
        self.walker = walker
        self.statements = statements
        self.state = state
        self.variables: Variables = {}
        self.subs: dict[str, tuple[list[str], int, int]] = {}
        self.nesting = 0

    def collect_subs(self) -> None:
        """Where each sub and function has its body."""
        at = 0
        while at < len(self.statements):
            match = _SUB.match(self.statements[at][1])
            if match:
                end = self._end_of(at, r"(?:public\s+|private\s+)?(?:sub|function)\b", r"end\s+(?:sub|function)\b")
                names = [
                    re.sub(r"^(?:byval|byref)\s+", "", n.strip(), flags=re.IGNORECASE).casefold() for n in (match.group(2) or "").split(",")
                ]
                self.subs.setdefault(match.group(1).casefold(), ([n for n in names if n], at + 1, end))
                at = end
            at += 1

    def _end_of(self, at: int, opening: str, closing: str) -> int:
        depth = 0
        for index in range(at, len(self.statements)):
            self.walker.spend(0)
            text = self.statements[index][1]
            if re.match(closing, text, re.IGNORECASE):
                depth -= 1
                if depth <= 0:
                    return index
            elif re.match(opening, text, re.IGNORECASE):
                depth += 1
        return len(self.statements)

    def _lookup(self, name: str) -> Alternatives | None:
        return self.variables.get(name)

    def _special(self, name: str) -> Alternatives | None:
        """What the script host knows: its own path, its arguments, the computer's name."""
        if name in ("wscript.scriptfullname", "wscript.scriptname"):
            path = self.state.script or ""
            return [of(path if name.endswith("fullname") else path.rpartition("\\")[2])] if path else [unknown_value("script")]
        if name in ("wscript.arguments", "wscript.arguments.item", "wscript.arguments.unnamed"):
            arguments = self.state.arguments
            return [PsValue(arguments, array=True)] if arguments is not None else [unknown_value("argument")]
        if name.endswith(".computername"):
            return [of(v) for v in self.state.env.get("computername", (unknown_value("%COMPUTERNAME%").text,))]
        constants = {"vbcrlf": "\r\n", "vbtab": "\t", "true": "True", "false": "False", "empty": "", "nothing": ""}
        return [of(constants[name])] if name in constants else None

    def value(self, text: str) -> Alternatives:
        """The value of an expression, with environment variables of the text put in."""
        values = VbExpression(text, self._lookup, self._special).read()
        return [self._with_environment(v) for v in values]

    def _with_environment(self, value: PsValue) -> PsValue:
        if not any("%" in i for i in value.items):
            return value
        from auditor.analysis.copying.batchexpand import expand

        return PsValue(tuple(expand(i, self.state)[0] for i in value.items), array=value.array)

    def block(self, start: int, end: int) -> None:
        """Read the statements of a range."""
        if self.nesting >= MAX_NESTING:
            self.walker.note_cut("the script nests too deep")
            return
        self.nesting += 1
        at = start
        while at < end:
            at = self._statement(at, end)
        self.nesting -= 1

    def _statement(self, at: int, end: int) -> int:
        number, text = self.statements[at]
        self.walker.at_line(number, text)
        self.walker.spend(len(text))
        word = re.match(r"[A-Za-z]*", text)
        first = word.group(0).casefold() if word else ""
        if first in ("sub", "function", "public", "private") and _SUB.match(text):
            return self._end_of(at, r"(?:public\s+|private\s+)?(?:sub|function)\b", r"end\s+(?:sub|function)\b") + 1
        if first == "for":
            return self._for(at, text, end)
        if first == "if" and (match := _IF.match(text)):
            return self._if(at, match, end)
        if first not in (
            "dim",
            "redim",
            "option",
            "next",
            "end",
            "else",
            "elseif",
            "wend",
            "loop",
            "do",
            "while",
            "select",
            "case",
            "on",
            "exit",
            "with",
        ):
            self._plain(text)
        return at + 1

    def _for(self, at: int, text: str, end: int) -> int:
        close = min(self._end_of(at, r"for\b", r"next\b"), end)
        each, counted = _FOR_EACH.match(text), _FOR.match(text)
        name = (each or counted).group(1).casefold() if each or counted else ""  # type: ignore[union-attr]
        items = [of(i) for v in self.value(each.group(2)) for i in v.items][:256] if each else []
        for item in items or [unknown_value(name)]:
            self.walker.spend(100)
            if name:
                self.variables[name] = [item]
            self.block(at + 1, close)
        return close + 1

    def _if(self, at: int, match: re.Match[str], end: int) -> int:
        """Both ways are read; a one-line `if` ends with its line."""
        before = dict(self.variables)
        if match.group(3):
            for piece in re.split(r"\belse\b", match.group(3), maxsplit=1, flags=re.IGNORECASE):
                self._plain(piece.strip())
            self.variables = _merged([self.variables, before])
            return at + 1
        outcomes: list[Variables] = []
        otherwise, start, depth = False, at + 1, 0
        for index in range(at + 1, end):
            self.walker.spend(0)
            text = self.statements[index][1]
            if (inner := _IF.match(text)) and inner.group(1).casefold() == "if" and not inner.group(3):
                depth += 1
            closes = re.match(r"end\s+if\b", text, re.IGNORECASE)
            if depth == 0 and (closes or re.match(r"else(?:if)?\b", text, re.IGNORECASE)):
                self.variables = dict(before)
                self.block(start, index)
                outcomes.append(self.variables)
                otherwise = otherwise or bool(re.fullmatch(r"else", text.strip(), re.IGNORECASE))
                start = index + 1
                if closes:
                    self.variables = _merged(outcomes if otherwise else [*outcomes, before])
                    return index + 1
            depth -= bool(closes)
        return at + 1

    def _plain(self, text: str) -> None:
        """An assignment or a call."""
        assignment = _ASSIGN.fullmatch(text)
        if assignment and not assignment.group(2):
            self._calls_inside(assignment.group(3))
            self.variables[assignment.group(1).casefold()] = self.value(assignment.group(3))[:MAX_ALTERNATIVES]
            return
        if assignment and (current := self.variables.get(assignment.group(1).casefold())) is not None:
            added = self.value(assignment.group(3))
            items = tuple(i for v in (*current, *added) for i in v.items if i)[:256]
            self.variables[assignment.group(1).casefold()] = [PsValue(items, array=True)]
            return
        if assignment:
            self.variables[assignment.group(1).casefold()] = [
                PsValue(tuple(i for v in self.value(assignment.group(3)) for i in v.items), array=True)
            ]
            return
        self._calls_inside(text)

    def _calls_inside(self, text: str) -> None:
        match = _CALL.match(text)
        if not match:
            return
        path = match.group(1).strip()
        name = path.rpartition(".")[2].strip().casefold()
        rest = match.group(2).strip()
        if rest.startswith("(") and rest.endswith(")") and (text[:5].casefold() == "call " or "," not in rest or name == "exec"):
            rest = rest[1:-1]
        arguments = VbExpression(rest, self._lookup, self._special).arguments()
        if name in _COPIES or name in ("run", "exec", "mapnetworkdrive", "removenetworkdrive", "shellexecute", "copy", "move", "copyhere"):
            for row in cross([[self._with_environment(v) for v in a] for a in arguments], text):
                self._known_call(path, name, row, text)
        elif name in self.subs and "." not in path:
            self._sub(name, arguments)

    def _known_call(self, path: str, name: str, row: tuple[PsValue, ...], text: str) -> None:
        values = [v.text for v in row]
        if name in _COPIES and len(values) >= 2:
            tool, moves, folders = _COPIES[name]
            writes = may_hold_executables([values[0]], folder=folders)
            raw = RawCopy(tool=tool, source=values[0], destination=values[1], destructive=moves, writes_executables=writes)
            self.walker.copy(raw, self.state, text)
        elif name in ("copy", "move") and values and "." in path:
            owner_text = path.rpartition(".")[0].strip()
            for owner in self.value(owner_text) if "(" in owner_text else self.variables.get(path.split(".")[0].strip().casefold(), []):
                writes = may_hold_executables([owner.text])
                raw = RawCopy(
                    tool=f"File.{name.title()}",
                    source=owner.text,
                    destination=values[0],
                    destructive=name == "move",
                    writes_executables=writes,
                )
                self.walker.copy(raw, self.state, text)
        elif name in ("run", "exec") and values and "." in path and not is_unknown(values[0][:1]):
            self.walker.run_command(values[0], self.state, called=True)
        elif name == "mapnetworkdrive" and len(values) >= 2 and re.fullmatch(r"[A-Za-z]:", values[0]):
            self.state.drives[values[0].casefold()] = values[1]
        elif name == "removenetworkdrive" and values:
            self.state.drives.pop(values[0].casefold(), None)
        elif name == "shellexecute" and values:
            self.walker.run_command(" ".join(values[:2]), self.state, called=True)

    def _sub(self, name: str, arguments: list[Alternatives]) -> None:
        parameters, start, end = self.subs[name]
        if not self.walker.enter():
            return
        saved = dict(self.variables)
        for number, parameter in enumerate(parameters):
            self.variables[parameter] = arguments[number] if number < len(arguments) else [unknown_value(parameter)]
        self.block(start, end)
        self.variables = {**self.variables, **{p: saved[p] for p in parameters if p in saved}}
        self.walker.leave()


def _merged(outcomes: list[Variables]) -> Variables:
    merged: Variables = {}
    for name in {n for o in outcomes for n in o}:
        values = [v for o in outcomes for v in o.get(name, [])]
        unique = list(dict.fromkeys((v.items, v.array) for v in values))
        merged[name] = [PsValue(i, array=a) for i, a in unique] if len(unique) <= MAX_ALTERNATIVES else [unknown_value(name)]
    return merged
