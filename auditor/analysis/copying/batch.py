"""Runs batch files in the abstract: what they may copy, over every way that their conditions leave open.

Nothing is executed. A condition that the text decides is followed; any other is taken both ways. Work is counted in steps, not time,
so that the same text always gives the same answer; over the cap the rest stays unresolved.
"""

from __future__ import annotations

import re

from auditor.analysis.copying.batchexpand import expand
from auditor.analysis.copying.batchloops import loop_bindings
from auditor.analysis.copying.batchparse import Batch, Command, For, If, Node, Sequence, parse_batch
from auditor.analysis.copying.commandline import batch_arguments, head_and_rest, keep_placeholders
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import MAX_ALTERNATIVES, MAX_LENGTH, is_unknown, unknown
from auditor.analysis.copying.walker import Walker

MAX_WAYS = 64
"""Ways through one file that are followed."""
MAX_ROUNDS = 64
"""How often one label is gone back to."""
_EQUAL = re.compile(r"(.*?)(==|\s(?:equ|neq|lss|leq|gtr|geq)\s)(.*)", re.IGNORECASE | re.DOTALL)
_EOF = ":eof"


def run_batch(walker: Walker, text: str, state: State) -> None:
    """Run a batch file; `state` has its path and arguments, and is left as the file leaves it."""
    _Run(walker, parse_batch(keep_placeholders(text))).start(state, 0)


def run_line(walker: Walker, line: str, state: State) -> None:
    """Run one command line as `cmd /c` does."""
    _Run(walker, parse_batch(keep_placeholders(line).replace("\n", " ")), own_lines=False).start(state, 0)


class _Run:
    """One file, or one call of a label in it."""

    def __init__(self, walker: Walker, batch: Batch, *, own_lines: bool = True) -> None:
        self.walker = walker
        self.batch = batch
        self.own_lines = own_lines
        self.pending: list[tuple[str, State]] = []
        self.rounds: dict[str, int] = {}
        self.saved: list[tuple[dict[str, tuple[str, ...]], bool]] = []
        self.into = ""
        """Where the lines that a block prints go."""

    def start(self, state: State, index: int) -> None:
        """Run from a statement on, then every other way that was left open; the ways' ends are merged."""
        seen: set[tuple[str, int]] = set()
        self._from(state, index)
        ways = 1
        while self.pending and ways < MAX_WAYS:
            label, other = self.pending.pop()
            mark = (label, other.signature())
            if mark in seen or label not in self.batch.labels:
                continue
            seen.add(mark)
            ways += 1
            self._from(other, self.batch.labels[label])
            state.merge(other)
        if self.pending:
            self.walker.note_cut("more ways through the file than are followed")
            self.pending.clear()
        if self.batch.cut:
            self.walker.note_cut("the file nests too deep or is too long")
        while self.saved:
            self._endlocal(state)

    def _from(self, state: State, index: int) -> None:
        while index < len(self.batch.statements):
            signal = self._node(self.batch.statements[index], state, None)
            index += 1
            if signal is None:
                continue
            if signal not in self.batch.labels or self._tired(signal):
                if signal in self.batch.labels:
                    continue
                return
            index = self.batch.labels[signal]

    def _tired(self, label: str) -> bool:
        self.rounds[label] = self.rounds.get(label, 0) + 1
        return self.rounds[label] > MAX_ROUNDS

    def _node(self, node: Node, state: State, frozen: State | None) -> str | None:
        """Run one node; the label it goes to, `:eof` for leaving, None for going on."""
        if isinstance(node, Command):
            return self._command(node, state, frozen)
        if frozen is None:
            # cmd.exe reads a whole block before it runs it: %name% has the value from before the block.
            self.walker.spend(len(state.env))
            frozen = state.copy()
        if isinstance(node, Sequence):
            return self._sequence(node, state, frozen)
        return self._if(node, state, frozen) if isinstance(node, If) else self._for(node, state, frozen)

    def _sequence(self, node: Sequence, state: State, frozen: State) -> str | None:
        outer = self.into
        if node.output:
            self.into = node.output
            if not node.append:
                self.walker.forget(expand(node.output, state, values=frozen)[0].strip('"'), state)
        signal = None
        for child in node.nodes:
            signal = self._node(child, state, frozen)
            if signal is not None:
                break
        self.into = outer
        return signal

    def _if(self, node: If, state: State, frozen: State) -> str | None:
        self.walker.spend(len(node.condition) + len(state.env))
        decided = _decide(node.condition, state, frozen)
        if decided is not None:
            branch = node.then if decided else node.otherwise
            return self._node(branch, state, frozen) if branch is not None else None
        taken = state.copy()
        first = self._node(node.then, taken, frozen)
        second = self._node(node.otherwise, state, frozen) if node.otherwise is not None else None
        if first is None and second is None:
            taken.merge(state)
            state.become(taken)
        elif second is None:
            self._leave_open(first, taken)
        else:
            self._leave_open(second, state.copy())
            state.become(taken)
            return first
        return None

    def _leave_open(self, label: str | None, state: State) -> None:
        if label and label != _EOF:
            self.pending.append((label, state))

    def _for(self, node: For, state: State, frozen: State) -> str | None:
        outer = dict(state.variables)
        for binding in loop_bindings(node, state, frozen, self.walker):
            self.walker.spend(100)
            state.variables = {**outer, **binding}
            signal = self._node(node.body, state, frozen)
            if signal is not None:
                state.variables = outer
                self._leave_open(signal, state.copy())
                break
        state.variables = outer
        return None

    def _command(self, node: Command, state: State, frozen: State | None) -> str | None:
        if self.own_lines:
            self.walker.at_line(node.line, node.text)
        if len(node.text) > MAX_LENGTH:
            self.walker.note_cut("a line longer than cmd.exe takes")
            return None
        head, rest = head_and_rest(node.text)
        name = head.casefold()
        if name == "set":
            self._set(rest, state, frozen)
            return None
        signal = None
        printed = f"{node.text}>>{self.into}" if self.into and name == "echo" and ">" not in rest else node.text
        for text in expand(printed, state, values=frozen):
            self.walker.spend(len(text))
            signal = self._simple(text, state) or signal
        return signal

    def _simple(self, text: str, state: State) -> str | None:
        head, rest = head_and_rest(text)
        name = head.casefold()
        if name == "goto":
            label = rest.split("&")[0].strip().lstrip(":").split(" ")[0].casefold() if rest else ""
            return _EOF if label in ("eof", "") else label
        if name == "exit":
            return _EOF
        if name == "call":
            return self._call(rest, state)
        if name in ("setlocal", "endlocal", "shift"):
            self._scope(name, rest, state)
            return None
        ended = self.walker.run_command(text, state)
        return _EOF if ended else None

    def _call(self, rest: str, state: State) -> str | None:
        if not rest.startswith(":"):
            self.walker.run_command(rest, state, called=True)
            return None
        words = batch_arguments(rest)
        index = self.batch.labels.get(words[0][1:].casefold()) if words else None
        if index is None or not self.walker.enter():
            return None
        inner = _Run(self.walker, self.batch, own_lines=self.own_lines)
        arguments, state.arguments = state.arguments, tuple(words[1:])
        inner.start(state, index)
        state.arguments = arguments
        self.walker.leave()
        return None

    def _scope(self, name: str, rest: str, state: State) -> None:
        if name == "setlocal":
            self.saved.append((dict(state.env), state.delayed))
            lowered = rest.casefold()
            if "enabledelayedexpansion" in lowered or "disabledelayedexpansion" in lowered:
                state.delayed = "enabledelayedexpansion" in lowered
        elif name == "endlocal" and self.saved:
            self._endlocal(state)
        elif name == "shift" and state.arguments is not None:
            state.arguments = state.arguments[1:]

    def _endlocal(self, state: State) -> None:
        state.env, state.delayed = self.saved.pop()

    def _set(self, rest: str, state: State, frozen: State | None) -> None:
        option = re.match(r"/([ap])\b\s*", rest, re.IGNORECASE)
        body = rest[option.end() :] if option else rest
        if body.startswith('"'):
            body = body[1 : body.rfind('"')] if body.rfind('"') > 0 else body[1:]
        name, equal, value = body.partition("=")
        if not equal:
            return
        self.walker.spend(len(value))
        if option and option.group(1).casefold() == "a":
            self._set_number(body, state, frozen)
            return
        names = expand(name.strip() if option else name, state, values=frozen)
        values = (unknown(f"%{name.strip()}%"),) if option else tuple(expand(value, state, values=frozen))
        for one in names if len(names) <= MAX_ALTERNATIVES else ():
            if not is_unknown(one):
                state.env[one.strip().casefold()] = tuple(v.replace("^", "") if '"' not in v else v for v in values)

    def _set_number(self, body: str, state: State, frozen: State | None) -> None:
        """`set /a`: sums of whole numbers are followed, anything else is unknown."""
        match = re.fullmatch(r"\s*([^\s=+\-*/%&|^]+)\s*([+-]?)=\s*(.+?)\s*", body)
        if not match:
            return
        name, sign, expression = match.group(1).casefold(), match.group(2), match.group(3)
        texts = expand(f"%{name}%{sign}({expression})" if sign else expression, state, values=frozen)
        total = _sum(texts[0], state) if len(texts) == 1 else None
        state.env[name] = (str(total),) if total is not None else (unknown(f"%{name}%"),)


def _sum(text: str, state: State) -> int | None:
    """The value of `a+b-c` over numbers and variables of one known value."""
    total = 0
    pieces = re.findall(r"([+-]?)\s*\(?\s*([A-Za-z_]\w*|\d{1,9})\s*\)?", text)
    if not pieces or re.sub(r"[+\-()\s\w]", "", text):
        return None
    for sign, word in pieces:
        value = word if word.isdigit() else next(iter(state.env.get(word.casefold(), ("",))))
        if not value.isdigit() and not re.fullmatch(r"-?\d{1,9}", value):
            return None
        total += -int(value) if sign == "-" else int(value)
    return total


def _decide(condition: str, state: State, frozen: State) -> bool | None:
    """Whether a condition holds, where the text alone says so."""
    negate = fold = False
    text = condition.strip()
    while match := re.match(r"(/i|not)\s+", text, re.IGNORECASE):
        fold = fold or match.group(1).casefold() == "/i"
        negate ^= match.group(1).casefold() == "not"
        text = text[match.end() :]
    answer = _answer(text, state, frozen, fold=fold)
    return answer if answer is None else answer ^ negate


def _answer(text: str, state: State, frozen: State, *, fold: bool) -> bool | None:
    unary = re.match(r"(exist|defined|errorlevel|cmdextversion)\s+(.*)", text, re.IGNORECASE | re.DOTALL)
    if unary:
        return _defined(unary.group(2), state, frozen) if unary.group(1).casefold() == "defined" else None
    texts = expand(text, state, values=frozen)
    answers = {_compared(t, fold=fold) for t in texts}
    return answers.pop() if len(answers) == 1 else None


def _defined(name: str, state: State, frozen: State) -> bool | None:
    names = expand(name.strip(), state, values=frozen)
    values = state.env.get(names[0].casefold()) if len(names) == 1 else None
    if values is None or any(is_unknown(v) for v in values):
        return None
    filled = {bool(v) for v in values}
    return filled.pop() if len(filled) == 1 else None


def _compared(text: str, *, fold: bool) -> bool | None:
    match = _EQUAL.fullmatch(text)
    if not match or is_unknown(text):
        return None
    left, operator, right = match.group(1).strip(), match.group(2).strip().casefold(), match.group(3).strip()
    if fold:
        left, right = left.casefold(), right.casefold()
    if operator == "==":
        return left == right
    if re.fullmatch(r"-?\d{1,9}", left) and re.fullmatch(r"-?\d{1,9}", right):
        order = (int(left) > int(right)) - (int(left) < int(right))
    else:
        order = (left > right) - (left < right)
    return {"equ": order == 0, "neq": order != 0, "lss": order < 0, "leq": order <= 0, "gtr": order > 0, "geq": order >= 0}.get(operator)
