"""Reads PowerShell scripts in the abstract: assignments, loops over lists, functions, branches, and the commands that copy.

Nothing is executed. Branches are read one after the other and their values kept side by side. What can't be followed is unknown.
"""

from __future__ import annotations

import re

from auditor.analysis.copying.pscommands import Call, bind, run_call
from auditor.analysis.copying.pslex import Tokens, tokenize
from auditor.analysis.copying.psvalues import MAX_ITEMS, Alternatives, Evaluator, PsValue, Variables, cross, of, unknown_value
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import MAX_ALTERNATIVES, shown
from auditor.analysis.copying.walker import Walker

MAX_NESTING = 40
_LOOPS = ("while", "do", "until", "for", "switch")
_BLOCKS = ("try", "catch", "finally", "begin", "process", "end", "else", "trap", "dynamicparam")


def run_powershell(walker: Walker, text: str, state: State) -> None:
    """Read a script, or the text of `-Command`; `state` has the script's path and arguments."""
    tokens = tokenize(text)
    reader = PsReader(walker, tokens, state, _start_variables(state))
    reader.bind_arguments()
    reader.block(0, len(tokens.items))
    if tokens.cut:
        walker.note_cut("the script is too long")


def _start_variables(state: State) -> Variables:
    folder = (state.script or "").rpartition("\\")[0]
    here = of(folder) if folder else unknown_value("$PSScriptRoot")
    variables: Variables = {f"env:{name}": [of(v) for v in values] for name, values in state.env.items()}
    variables["psscriptroot"] = [here]
    variables["myinvocation"] = [of(state.script)] if state.script else [unknown_value("$MyInvocation")]
    variables["pscommandpath"] = variables["myinvocation"]
    variables["pwd"] = [of(state.cwd)] if state.cwd else [unknown_value("%CD%")]
    variables.update({"true": [of("True")], "false": [of("False")], "null": [PsValue()]})
    variables["args"] = [PsValue(state.arguments, array=True)] if state.arguments is not None else [unknown_value("$args")]
    return variables


class PsReader:
    """One script, with its variables and functions."""

    def __init__(self, walker: Walker, tokens: Tokens, state: State, variables: Variables) -> None:
        self.walker = walker
        self.tokens = tokens
        self.items = tokens.items
        self.state = state
        self.variables = variables
        self.functions: dict[str, tuple[Tokens, int, int, int, int]] = {}
        self.nesting = 0

    def evaluator(self) -> Evaluator:
        """An evaluator with the variables as they are now."""
        return Evaluator(self.tokens, self.variables, self.output_of, self.walker.spend)

    def output_of(self, tokens: Tokens, start: int, end: int) -> Alternatives:
        """What a pipeline puts out, reading its copies on the way."""
        if tokens is self.tokens:
            return self.pipeline(start, end)
        inner = PsReader(self.walker, tokens, self.state, self.variables)
        inner.functions, inner.nesting = self.functions, self.nesting + 1
        return inner.pipeline(start, end) if inner.nesting < MAX_NESTING else [unknown_value("nested code")]

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
        token = self.items[at]
        if token.kind in ("newline", "semicolon", "close"):
            return at + 1
        word = token.value.casefold() if token.kind == "text" else ""
        self.walker.at_line(token.line, self._line_text(at))
        if word in ("function", "filter", "workflow"):
            return self._function(at + 1, end)
        if word == "param":
            return self._after_bracket(at + 1, end)
        if word == "foreach" and self._opens(at + 1, "("):
            return self._foreach(at + 1, end)
        if word in ("if", "elseif"):
            return self._if(at, end)
        if word in _LOOPS or word in _BLOCKS:
            return self._loop(word, at + 1, end)
        if word in ("return", "throw", "exit", "break", "continue"):
            at += 1
        stop = self._statement_end(at, end)
        self._assignment_or_pipeline(at, stop)
        return stop + 1

    def _line_text(self, at: int) -> str:
        line = self.items[at].line
        parts = []
        for token in self.items[at : at + 60]:
            if token.line != line or token.kind == "newline":
                break
            parts.append(token.raw if token.glued else " " + token.raw)
        return "".join(parts).strip()

    def _opens(self, at: int, bracket: str) -> bool:
        return at < len(self.items) and self.items[at].kind == "open" and self.items[at].value == bracket

    def _close(self, at: int, end: int) -> int:
        return min(self.tokens.partner.get(at, end), end)

    def _after_bracket(self, at: int, end: int) -> int:
        return self._close(at, end) + 1 if self._opens(at, "(") else at

    def _skip_newlines(self, at: int, end: int) -> int:
        while at < end and self.items[at].kind == "newline":
            at += 1
        return at

    def _statement_end(self, start: int, end: int) -> int:
        at = start
        while at < end:
            token = self.items[at]
            if token.kind == "semicolon" or token.kind == "close":
                return at
            if token.kind == "newline" and (at == start or self.items[at - 1].kind not in ("pipe", "comma", "equal") or at - 1 < start):
                after = self._skip_newlines(at, end)
                if after >= end or self.items[after].kind != "pipe":
                    return at
            at = self.tokens.partner.get(at, at) + 1
        return min(at, end)

    def _function(self, at: int, end: int) -> int:
        name = self.items[at].value.casefold() if at < end else ""
        body = at + 1
        parameters = (0, 0)
        while body < end and self.items[body].kind == "text" and self.items[body].glued:
            name += self.items[body].value.casefold()
            body += 1
        if self._opens(body, "("):
            parameters = (body + 1, self._close(body, end))
            body = parameters[1] + 1
        body = self._skip_newlines(body, end)
        if not self._opens(body, "{"):
            return body + 1
        close = self._close(body, end)
        if parameters == (0, 0):
            parameters = self.parameter_range(body + 1, close)
        self.functions[name] = (self.tokens, *parameters, body + 1, close)
        return close + 1

    def parameter_range(self, start: int, end: int) -> tuple[int, int]:
        """The inside of the first `param(...)` of a body."""
        for at in self.evaluator().top_level(start, end):
            if self.items[at].kind == "text" and self.items[at].value.casefold() == "param" and self._opens(at + 1, "("):
                return at + 2, self._close(at + 1, end)
        return 0, 0

    def _foreach(self, at: int, end: int) -> int:
        close = self._close(at, end)
        name = self.items[at + 1].value if at + 1 < close else ""
        body = self._skip_newlines(close + 1, end)
        if not self._opens(body, "{"):
            return close + 1
        after = self._close(body, end)
        values = self.evaluator().expression(at + 3, close)
        items = list(dict.fromkeys(i for v in values for i in v.items))[:MAX_ITEMS]
        entries = any("getenumerator" in t.value.casefold() for t in self.items[at + 3 : close])
        tables = [e for v in values if v.table is not None for e in (_entries(v.table) if entries else [v])]
        for value in [*(of(i) for i in items), *tables] or [unknown_value(f"${name}")]:
            self.walker.spend(100)
            self.variables[name] = [value]
            self.block(body + 1, after)
        return after + 1

    def _if(self, at: int, end: int) -> int:
        """All branches are read from the values before them; afterwards each variable has the values of all."""
        before = dict(self.variables)
        outcomes: list[Variables] = []
        otherwise = False
        while at < end:
            word = self.items[at].value.casefold() if self.items[at].kind == "text" else ""
            body = self._skip_newlines(self._after_bracket(at + 1, end), end)
            if word in ("if", "elseif"):
                self.evaluator().expression(at + 2, self._close(at + 1, end))
            if not self._opens(body, "{"):
                return body + 1 if body > at else at + 1
            close = self._close(body, end)
            self.variables = dict(before)
            self.block(body + 1, close)
            outcomes.append(self.variables)
            otherwise = otherwise or word == "else"
            following = self._skip_newlines(close + 1, end)
            if following >= end or self.items[following].value.casefold() not in ("elseif", "else") or otherwise:
                at = close + 1
                break
            at = following
        self.variables = _merged(outcomes if otherwise else [*outcomes, before], before)
        return at

    def _loop(self, word: str, at: int, end: int) -> int:
        """Bodies of loops and of try are read once; a counter of `for` is unknown inside."""
        if word == "for" and self._opens(at, "("):
            counter = self.items[at + 1].value if at + 1 < end and self.items[at + 1].kind == "var" else ""
            if counter:
                self.variables[counter] = [unknown_value(f"${counter}")]
        at = self._skip_newlines(self._after_bracket(at, end), end)
        while at < end and self.items[at].value == "[":
            at = self._skip_newlines(self._close(at, end) + 1, end)
        if not self._opens(at, "{"):
            return at if word in ("do", "until") else at + 1
        close = self._close(at, end)
        if word == "switch":
            self._switch(at + 1, close)
        else:
            self.block(at + 1, close)
        return close + 1

    def _switch(self, start: int, end: int) -> None:
        """Each case is read from the values before the switch; without a default it may be passed over."""
        before = dict(self.variables)
        outcomes: list[Variables] = []
        default = False
        for at in self.evaluator().top_level(start, end):
            if self._opens(at, "{"):
                self.variables = dict(before)
                self.block(at + 1, self._close(at, end))
                outcomes.append(self.variables)
                default = default or self.items[at - 1].value.casefold() == "default"
        self.variables = _merged(outcomes if default else [*outcomes, before], before)

    def _assignment_or_pipeline(self, start: int, end: int) -> None:
        equal = next((i for i in self.evaluator().top_level(start, end)[:12] if self.items[i].kind == "equal"), None)
        names = [i for i in range(start, equal or start) if self.items[i].kind == "var"]
        if equal is None or not names or self.items[start].kind not in ("var", "open"):
            self.pipeline(start, end)
            return
        name = re.sub(r"^(?:script|global|local|private):", "", self.items[names[-1]].value)
        values = self.evaluator().expression(equal + 1, end)
        if len(names) > 1 and all(self.items[i].kind in ("var", "comma") for i in range(start, equal)):
            for number, index in enumerate(names):
                self.variables[self.items[index].value] = [of(v.items[number]) if number < len(v.items) else PsValue() for v in values]
            return
        before = self.items[equal - 1]
        if before.kind == "text" and before.value.startswith("."):
            self._set_member(name, before.value[1:].casefold(), values)
            return
        if before.kind == "text" and before.value.endswith("+"):
            rows = cross([self.evaluator().variable(name), values], name)
            values = [_appended(a, b) for a, b in rows]
        elif before.kind == "close" and before.value == "]" and equal - 2 > start:
            self._set_member(name, self.items[equal - 2].value.casefold(), values)
            return
        self.variables[name] = values[:MAX_ALTERNATIVES]
        if name.startswith("env:"):
            self.state.env[name[4:]] = tuple(v.text for v in values)

    def _set_member(self, name: str, key: str, values: Alternatives) -> None:
        current = self.variables.get(name, [PsValue(table={})])
        value = values[0] if len(values) == 1 else unknown_value(f"${name}.{key}")
        self.variables[name] = [
            PsValue(v.items, {**(v.table or {}), key: value}, v.session) if len(v.table or {}) < 500 else v for v in current
        ]

    def pipeline(self, start: int, end: int) -> Alternatives:
        """Read the commands of a pipeline; the last one's output."""
        self.walker.spend(4 * (end - start))
        flowing: Alternatives | None = None
        for first, last in self.evaluator().split(start, end, "pipe"):
            flowing = self._element(first, last, flowing)
        return flowing if flowing is not None else [PsValue()]

    def _element(self, start: int, end: int, flowing: Alternatives | None) -> Alternatives:
        evaluator = self.evaluator()
        start = self._skip_newlines(start, end)
        if start >= end:
            return flowing or [PsValue()]
        token = self.items[start]
        if token.kind == "amp" or (token.kind == "text" and token.value == "."):
            return self._call(start + 1, end, flowing)
        if token.kind == "text" and not re.fullmatch(r"\d+", token.value):
            return self._call(start, end, flowing)
        if token.kind in ("var", "single", "double", "open"):
            run_method(self, start, end)
            return evaluator.expression(start, end)
        return [unknown_value(evaluator.written(start, end))]

    def _call(self, start: int, end: int, flowing: Alternatives | None) -> Alternatives:
        if start >= end:
            return [PsValue()]
        call = Call.read(self, start, end)
        for variant in call.variants():
            self.walker.spend(len(variant.name) + 50)
            output = run_call(self, variant, flowing)
        return output

    def script_block(self, start: int, end: int, item: Alternatives | None = None) -> None:
        """Run a script block with `$_`."""
        saved = self.variables.get("_")
        if item is not None:
            self.variables["_"] = item
            self.variables["psitem"] = item
        self.block(start, end)
        if saved is not None:
            self.variables["_"] = saved

    def bind_arguments(self) -> None:
        """Give the script's parameters the values it is called with, or their defaults."""
        start, end = self.parameter_range(0, len(self.items))
        if end:
            known = self.state.arguments is not None
            words = [[of(w)] for w in self.state.arguments or ()]
            bind(self, (start, end), words, known=known)


def _entries(table: dict[str, PsValue]) -> list[PsValue]:
    """The entries of a table, each with its key and its value."""
    return [PsValue(table={"key": of(k), "name": of(k), "value": v}) for k, v in list(table.items())[:MAX_ITEMS]]


def run_method(reader: PsReader, start: int, end: int) -> None:
    """`[IO.File]::Copy(a, b)`, `$client.DownloadFile(url, path)`, `$fso.CopyFile(a, b)` and their kin."""
    from auditor.analysis.copying.psmethods import read_method

    raw, text = read_method(reader, start, end)
    for copy in raw:
        reader.walker.copy(copy, reader.state, text)


def _merged(outcomes: list[Variables], before: Variables) -> Variables:
    merged: Variables = {}
    for name in {n for o in outcomes for n in o}:
        values = [v for o in outcomes for v in o.get(name, before.get(name, [unknown_value(f"${name}")]))]
        unique = list(dict.fromkeys(map(_key, values)))
        by_key = {_key(v): v for v in values}
        merged[name] = [by_key[k] for k in unique] if len(unique) <= MAX_ALTERNATIVES else [unknown_value(f"${name}")]
    return merged


def _key(value: PsValue) -> tuple[object, ...]:
    return (
        value.items,
        value.session,
        value.array,
        repr(sorted(value.table.items(), key=lambda i: i[0])) if value.table is not None else None,
    )


def _appended(first: PsValue, second: PsValue) -> PsValue:
    if first.array:
        return PsValue((*first.items, *second.items)[:MAX_ITEMS], array=True)
    text = first.text + second.text
    return of(text) if len(text) < 8192 else unknown_value(shown(text)[:40])
