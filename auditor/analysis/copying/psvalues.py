"""Values of PowerShell expressions as far as the text tells them: strings, arrays, hash tables, sessions. Anything else is unknown.

An expression has alternatives where a script's branches leave several values open. Nothing is executed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import msgspec

from auditor.analysis.copying.pslex import Tokens, string_pieces, tokenize
from auditor.analysis.copying.unknowns import MAX_ALTERNATIVES, MAX_LENGTH, is_unknown, shown, unknown

MAX_ITEMS = 256
MAX_DEPTH = 24


class PsValue(msgspec.Struct, frozen=True):
    """One value: the texts of its items, or a table, or the host of a session."""

    items: tuple[str, ...] = ()
    table: dict[str, PsValue] | None = None
    session: str | None = None
    array: bool = False

    @property
    def text(self) -> str:
        """The value inside a string: items joined by blanks."""
        return " ".join(self.items)[: MAX_LENGTH + 1]


Alternatives = list[PsValue]
Variables = dict[str, Alternatives]
RunCode = Callable[[Tokens, int, int], Alternatives]
Spend = Callable[[int], None]


def unknown_value(written: str) -> PsValue:
    """A value that is not known."""
    return PsValue((unknown(written),))


def of(*texts: str) -> PsValue:
    """A known value of one or more texts."""
    return PsValue(tuple(texts), array=len(texts) != 1)


def cross(parts: Sequence[Alternatives], written: str) -> list[tuple[PsValue, ...]]:
    """All combinations of alternatives; one of unknowns where there would be too many."""
    rows: list[list[PsValue]] = [[]]
    for alternatives in parts:
        chosen = alternatives if len(rows) * len(alternatives) <= MAX_ALTERNATIVES else [unknown_value(written)]
        if len(chosen) == 1:
            for row in rows:
                row.append(chosen[0])
        else:
            rows = [[*row, value] for row in rows for value in chosen]
    return [tuple(row) for row in rows]


class Evaluator:
    """Evaluates ranges of tokens with given variables. `run_command` answers what a command puts out, `spend` counts the work."""

    def __init__(self, tokens: Tokens, variables: Variables, run_command: RunCode, spend: Spend, depth: int = 0) -> None:
        self.tokens = tokens
        self.items = tokens.items
        self.variables = variables
        self.run_command = run_command
        self.spend = spend
        self.depth = depth

    def written(self, start: int, end: int) -> str:
        """The tokens as written, shortened."""
        return " ".join(t.raw for t in self.items[start : min(end, start + 12)])[:120]

    def expression(self, start: int, end: int) -> Alternatives:
        """The value of an expression; unknown where its form is not followed."""
        start, end = self._trim(start, end)
        if start >= end or self.depth > MAX_DEPTH:
            return [PsValue()] if start >= end else [unknown_value(self.written(start, end))]
        self.spend(20 * (end - start))
        self.depth += 1
        try:
            return self._operators(start, end)
        finally:
            self.depth -= 1

    def _trim(self, start: int, end: int) -> tuple[int, int]:
        while start < end and self.items[start].kind in ("newline", "semicolon"):
            start += 1
        while end > start and self.items[end - 1].kind in ("newline", "semicolon"):
            end -= 1
        return start, end

    def top_level(self, start: int, end: int) -> list[int]:
        """Indexes of tokens that are in no bracket; an opening bracket counts, what is inside does not."""
        found = []
        at = start
        while at < end:
            found.append(at)
            at = self.tokens.partner.get(at, at) + 1
        return found

    def split(self, start: int, end: int, kind: str) -> list[tuple[int, int]]:
        """Ranges between top-level tokens of a kind."""
        cuts = [i for i in self.top_level(start, end) if self.items[i].kind == kind]
        edges = [start - 1, *cuts, end]
        return [(a + 1, b) for a, b in itertools.pairwise(edges)]

    def _operators(self, start: int, end: int) -> Alternatives:
        pipes = self.split(start, end, "pipe")
        if len(pipes) > 1:
            return self.run_command(self.tokens, start, end)
        places = self.top_level(start, end)
        for at in places:
            token = self.items[at]
            if token.kind == "param" and at > start and token.value.rstrip(":") in _OPERATORS:
                return self._operator(token.value.rstrip(":"), (start, at), (at + 1, end))
        commas = self.split(start, end, "comma")
        if len(commas) > 1:
            rows = cross([self.expression(a, b) for a, b in commas[:MAX_ITEMS]], self.written(start, end))
            return [PsValue(tuple(i for value in row for i in value.items)[:MAX_ITEMS], array=True) for row in rows]
        pluses = [i for i in places if self.items[i].kind == "text" and self.items[i].value == "+"]
        if pluses and pluses[0] > start:
            return self._sum(start, end, pluses)
        return self._primary(start, end)

    def _operator(self, name: str, left: tuple[int, int], right: tuple[int, int]) -> Alternatives:
        written = self.written(left[0], right[1])
        rows = cross([self.expression(*left), self.expression(*right)], written)
        return [_operate(name, a, b, written) for a, b in rows]

    def _sum(self, start: int, end: int, pluses: list[int]) -> Alternatives:
        edges = [start - 1, *pluses, end]
        ranges = [(a + 1, b) for a, b in itertools.pairwise(edges)]
        rows = cross([self._primary(*self._trim(a, b)) if a < b else [PsValue()] for a, b in ranges], self.written(start, end))
        return [_added(row) for row in rows]

    def _primary(self, start: int, end: int) -> Alternatives:
        while start < end and self._is_cast(start, end):
            start = self.tokens.partner[start] + 1
        if start >= end:
            return [unknown_value("cast")]
        token = self.items[start]
        if token.kind == "open" and token.value == "[":
            return self._static(start, end)
        if token.kind == "text":
            if re.fullmatch(r"\d{1,9}", token.value) and start + 1 == end:
                return [of(token.value)]
            return self.run_command(self.tokens, start, end)
        values, after = self._head(start)
        return self._members(values, after, end)

    def _is_cast(self, start: int, end: int) -> bool:
        if self.items[start].value != "[":
            return False
        after = self.tokens.partner.get(start, end) + 1
        return after < end and not (self.items[after].kind == "text" and self.items[after].value.startswith("::"))

    def _head(self, start: int) -> tuple[Alternatives, int]:
        token = self.items[start]
        if token.kind == "var":
            return self.variable(token.value), start + 1
        if token.kind == "single":
            return [of(token.value)], start + 1
        if token.kind == "double":
            return self.string(token.value), start + 1
        if token.kind == "open":
            close = min(self.tokens.partner.get(start, len(self.items)), len(self.items))
            return self._bracket(token.value, start + 1, close), close + 1
        if token.kind == "amp":
            return self.run_command(self.tokens, start, len(self.items)), len(self.items)
        return [unknown_value(token.raw)], start + 1

    def _bracket(self, kind: str, start: int, end: int) -> Alternatives:
        if kind == "@{":
            return [PsValue(table=self._table(start, end))]
        if kind == "{":
            return [PsValue((self.written(start, end),))]
        lines = [r for r in self._statements(start, end) if r[0] < r[1]]
        if not lines:
            return [PsValue(array=True)]
        rows = cross([self.expression(a, b) for a, b in lines[:MAX_ITEMS]], self.written(start, end))
        if kind == "(" and len(rows) >= 1 and len(lines) == 1:
            return [row[0] for row in rows]
        return [PsValue(tuple(i for v in row for i in v.items)[:MAX_ITEMS], array=True) for row in rows]

    def _statements(self, start: int, end: int) -> list[tuple[int, int]]:
        cuts = [i for i in self.top_level(start, end) if self.items[i].kind in ("newline", "semicolon")]
        cuts = [i for i in cuts if i == start or self.items[i - 1].kind not in ("comma", "pipe")]
        edges = [start - 1, *cuts, end]
        return [(a + 1, b) for a, b in itertools.pairwise(edges)]

    def _table(self, start: int, end: int) -> dict[str, PsValue]:
        table: dict[str, PsValue] = {}
        for a, b in self._statements(start, end)[:MAX_ITEMS]:
            equal = next((i for i in self.top_level(a, b) if self.items[i].kind == "equal"), None)
            if equal is None or equal == a:
                continue
            values = self.expression(equal + 1, b)
            table[self.items[a].value.casefold()] = values[0] if len(values) == 1 else unknown_value(self.written(a, b))
        return table

    def variable(self, name: str) -> Alternatives:
        """The values of a variable; scopes are not told apart."""
        known = self.variables.get(re.sub(r"^(?:script|global|local|private|using):", "", name))
        return known if known is not None else [unknown_value(f"${name}")]

    def string(self, body: str) -> Alternatives:
        """An expandable string."""
        parts: list[Alternatives] = []
        for kind, value in string_pieces(body)[:500]:
            if kind == "text":
                parts.append([of(value)])
            elif kind == "var":
                parts.append(self.variable(value))
            else:
                parts.append(self._code(value))
        rows = cross(parts, body)
        return [of(_joined(row, body)) for row in rows]

    def _code(self, text: str) -> Alternatives:
        if self.depth > MAX_DEPTH or len(text) > 2000:
            return [unknown_value(text)]
        self.spend(4 * len(text))
        inner = Evaluator(tokenize(text), self.variables, self.run_command, self.spend, self.depth + 1)
        return inner.expression(0, len(inner.items))

    def _members(self, values: Alternatives, at: int, end: int) -> Alternatives:
        """What stands behind a value: `.Property`, `.Method(...)`, `[index]`."""
        while at < end and self.items[at].glued:
            token = self.items[at]
            if token.kind == "open" and token.value == "[":
                close = self.tokens.partner.get(at, end)
                index = self.expression(at + 1, close)[0].text
                values = [_indexed(v, index) for v in values]
                at = close + 1
                continue
            if token.kind != "text" or not token.value.startswith("."):
                break
            names = [n for n in token.value.split(".") if n]
            arguments: list[Alternatives] = []
            called = at + 1 < end and self.items[at + 1].value == "(" and self.items[at + 1].glued
            close = at
            if called:
                close = min(self.tokens.partner.get(at + 1, end), end)
                arguments = [self.expression(a, b) for a, b in self.split(at + 2, close, "comma")]
            for number, name in enumerate(names):
                last = called and number == len(names) - 1
                values = [_member(v, name.casefold(), [a[0] for a in arguments if a] if last else None) for v in values]
            at = close + 1
        return values if at >= end else [unknown_value(self.written(at, end))]

    def _static(self, start: int, end: int) -> Alternatives:
        """`[IO.Path]::Combine(a, b)` and `[string]::Format(...)`; other static members are unknown."""
        close = self.tokens.partner.get(start, end)
        kind = "".join(t.value for t in self.items[start + 1 : close]).casefold()
        after = close + 1
        name = self.items[after].value[2:].casefold() if after < end else ""
        if after + 1 >= end or self.items[after + 1].value != "(":
            return [unknown_value(self.written(start, end))]
        last = min(self.tokens.partner.get(after + 1, end), end)
        rows = cross([self.expression(a, b) for a, b in self.split(after + 2, last, "comma")], self.written(start, end))
        if kind in ("io.path", "system.io.path") and name == "combine":
            return [of(_combined([v.text for v in row])) for row in rows]
        if kind in ("string", "system.string") and name == "format":
            return [_operate("f", row[0], PsValue(tuple(i for v in row[1:] for i in v.items)), "format") for row in rows if row]
        return [unknown_value(self.written(start, end))]


_OPERATORS = frozenset({
    "f", "replace", "split", "join", "eq", "ne", "gt", "lt", "ge", "le", "like", "notlike", "match", "notmatch", "contains", "notcontains",
    "and", "or", "not", "is", "as", "in", "notin", "ieq", "ceq", "creplace", "ireplace",
})  # fmt: skip


def _joined(row: Sequence[PsValue], body: str) -> str:
    text = "".join(v.text for v in row)
    return text if len(text) <= MAX_LENGTH else unknown(body)


def _added(row: Sequence[PsValue]) -> PsValue:
    """`+` joins strings, and adds items where the first operand is an array."""
    if row and row[0].array:
        return PsValue(tuple(i for v in row for i in v.items)[:MAX_ITEMS], array=True)
    return of(_joined(row, "sum"))


def _operate(name: str, left: PsValue, right: PsValue, written: str) -> PsValue:
    if name == "f":
        return of(re.sub(r"\{(\d{1,2})(?:[,:][^}]*)?\}", lambda m: _format_item(m, right), left.text)[:MAX_LENGTH])
    if name in ("replace", "ireplace") and len(right.items) in (1, 2) and not any(is_unknown(i) for i in (*left.items, *right.items)):
        plain = re.sub(r"\\(\W)", r"\1", right.items[0])
        if not re.search(r"[.*+?^$()|{}\[\]]", right.items[0].replace("\\\\", "").replace("\\.", "").replace("\\$", "")):
            new = right.items[1] if len(right.items) == 2 else ""
            return PsValue(tuple(re.sub(re.escape(plain), lambda _: new, i, flags=re.IGNORECASE) for i in left.items), array=left.array)
    if name == "split" and len(right.items) == 1 and not is_unknown(left.text) and re.fullmatch(r"\\?[^\w\s\\]|\s", right.items[0]):
        return PsValue(tuple(left.text.split(right.items[0].lstrip("\\")))[:MAX_ITEMS], array=True)
    if name == "join":
        return of(right.text.join(left.items)) if len(left.items) < MAX_ITEMS else unknown_value(written)
    return unknown_value(written)


def _format_item(match: re.Match[str], values: PsValue) -> str:
    number = int(match.group(1))
    return values.items[number] if number < len(values.items) else unknown(match.group(0))


def _combined(parts: Sequence[str]) -> str:
    result = ""
    for part in parts:
        rooted = re.match(r"[A-Za-z]:|\\", part)
        result = part if rooted or not result else result.rstrip("\\/") + "\\" + part
    return result


def _indexed(value: PsValue, key: str) -> PsValue:
    if value.table is not None:
        return value.table.get(key.casefold(), unknown_value(f"[{key}]"))
    if re.fullmatch(r"-?\d{1,4}", key) and value.items and -len(value.items) <= int(key) < len(value.items):
        return of(value.items[int(key)])
    return unknown_value(f"{shown(value.text)[:60]}[{key}]")


_SAME = frozenset(
    {"fullname", "path", "providerpath", "tostring", "value", "psobject", "trim", "directoryname_", "definition", "mycommand"}
)


def _of_table(value: PsValue, table: dict[str, PsValue], name: str) -> PsValue:
    """A table's value by its key, or all of its keys or values."""
    if name in table or name not in ("keys", "values", "getenumerator"):
        return table.get(name, unknown_value(f".{name}"))
    if name == "getenumerator":
        return value
    items = tuple(table) if name == "keys" else tuple(i for v in table.values() for i in v.items)
    return PsValue(items[:MAX_ITEMS], array=True)


def _member(value: PsValue, name: str, arguments: Sequence[PsValue] | None) -> PsValue:
    """Members of strings, files and tables that keep the text readable."""
    if value.table is not None:
        return _of_table(value, value.table, name)
    if name in _SAME and not arguments:
        return value
    if name in ("name", "basename", "pschildname"):
        return PsValue(tuple(i if is_unknown(i[:1]) else re.split(r"[\\/]", i.rstrip("\\/"))[-1] for i in value.items), array=value.array)
    if name in ("directoryname", "directory", "parent", "psparentpath"):
        return PsValue(tuple(i.rpartition("\\")[0] or unknown(f".{name}") for i in value.items), array=value.array)
    if name in ("trim", "trimend", "trimstart", "tolower", "toupper"):
        characters = arguments[0].text if arguments else None
        strip = {"trim": str.strip, "trimend": str.rstrip, "trimstart": str.lstrip}.get(name)
        return PsValue(tuple(strip(i, characters) if strip else i for i in value.items), array=value.array)
    if name == "replace" and arguments and len(arguments) == 2 and not any(is_unknown(a.text) for a in arguments) and arguments[0].text:
        return PsValue(tuple(i.replace(arguments[0].text, arguments[1].text)[:MAX_LENGTH] for i in value.items), array=value.array)
    if name == "split" and arguments and arguments[0].text and not is_unknown(value.text):
        return PsValue(tuple(value.text.split(arguments[0].text))[:MAX_ITEMS], array=True)
    return unknown_value(f"{shown(value.text)[:60]}.{name}")
