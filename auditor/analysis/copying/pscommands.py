"""PowerShell commands in command mode: words, parameters and script blocks put together, and handed to what they call.

A call with alternatives in its words is run once for each combination. Programs that are no cmdlet go to the walker like in cmd.exe.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from auditor.analysis.copying.psvalues import Alternatives, Evaluator, PsValue, cross, of, unknown_value
from auditor.analysis.copying.unknowns import is_unknown

if TYPE_CHECKING:
    from auditor.analysis.copying.psscript import PsReader

_STOP = ("comma", "close", "pipe", "newline", "semicolon")


class Argument(msgspec.Struct, frozen=True):
    """One argument as written: a parameter's name, a value with alternatives, or a script block."""

    name: str | None = None
    values: Alternatives | None = None
    block: tuple[int, int] | None = None
    raw: str = ""
    colon: bool = False


class Variant(msgspec.Struct, frozen=True):
    """A call with every value decided."""

    name: str
    arguments: tuple[tuple[str | None, PsValue | None, tuple[int, int] | None, bool], ...]

    def bound(self, order: tuple[str, ...], switches: frozenset[str]) -> Bound:
        """Values by parameter's name: named ones first, the others by place."""
        named: dict[str, PsValue] = {}
        set_switches: set[str] = set()
        blocks: list[tuple[int, int]] = []
        positional: list[PsValue] = []
        waiting: str | None = None
        for name, value, block, colon in self.arguments:
            if name is not None:
                full = _full_name(name, (*order, *switches))
                waiting = full if full not in switches or colon else None
                set_switches.add(full)
            elif block is not None:
                blocks.append(block)
                waiting = None
            elif value is not None and waiting is not None:
                named[waiting] = value
                waiting = None
            elif value is not None:
                positional.append(value)
        free = [n for n in order if n not in named]
        named.update(zip(free, positional, strict=False))
        return Bound(named, set_switches, blocks, positional[len(free) :])

    def words(self) -> list[str]:
        """The arguments of a native program: arrays give one word an item."""
        result: list[str] = []
        for name, value, _, colon in self.arguments:
            if name is not None:
                result.append(f"-{name}{':' if colon else ''}")
            elif value is not None:
                result.extend(value.items if value.array else [value.text])
        return result


class Bound(msgspec.Struct, frozen=True):
    """Parameters with their values."""

    named: dict[str, PsValue]
    switches: set[str]
    blocks: list[tuple[int, int]]
    rest: list[PsValue]


def _full_name(name: str, known: tuple[str, ...]) -> str:
    lowered = name.casefold()
    if lowered in known:
        return lowered
    fits = [k for k in known if k.startswith(lowered)]
    return fits[0] if len(fits) == 1 else lowered


class Call:
    """A command with its arguments, read from tokens."""

    def __init__(self, names: Alternatives, arguments: list[Argument], block: tuple[int, int] | None) -> None:
        self.names = names
        self.arguments = arguments
        self.block = block

    @classmethod
    def read(cls, reader: PsReader, start: int, end: int) -> Call:
        """The command at `start`; its first word is the name."""
        items = reader.items
        if items[start].kind == "open" and items[start].value == "{":
            close = min(reader.tokens.partner.get(start, end), end)
            return cls([of("&{}")], _arguments(reader, close + 1, end), (start + 1, close))
        names, after = _word(reader, start, end)
        return cls(names, _arguments(reader, after, end), None)

    def variants(self) -> list[Variant]:
        """The calls that it may be; never none."""
        valued = [a for a in self.arguments if a.values is not None]
        rows = cross([self.names, *(a.values or [] for a in valued)], "argument")
        result = []
        for row in rows:
            values = iter(row[1:])
            arguments = [(a.name, next(values) if a.values is not None else None, a.block, a.colon) for a in self.arguments]
            if self.block is not None:
                arguments.insert(0, (None, None, self.block, False))
            result.append(Variant(row[0].text, tuple(arguments)))
        return result or [Variant("", ())]


def _arguments(reader: PsReader, at: int, end: int) -> list[Argument]:
    items = reader.items
    result: list[Argument] = []
    while at < end and len(result) < 500:
        token = items[at]
        if token.kind == "param":
            result.append(Argument(name=token.value.rstrip(":"), raw=token.raw, colon=token.value.endswith(":")))
            at += 1
        elif token.kind == "splat":
            result.extend(_splatted(reader.evaluator().variable(token.value)))
            at += 1
        elif token.kind == "open" and token.value == "{":
            close = min(reader.tokens.partner.get(at, end), end)
            result.append(Argument(block=(at + 1, close)))
            at = close + 1
        elif token.kind == "text" and re.fullmatch(r"\d?>>?.*|<", token.value):
            at = _past_redirection(reader, at, end)
        elif token.kind in ("comma", "close", "newline", "amp"):
            at += 1
        else:
            values, at = _listed(reader, at, end)
            result.append(Argument(values=values))
    return result


def _past_redirection(reader: PsReader, at: int, end: int) -> int:
    bare = reader.items[at].value.rstrip().endswith(">")
    at += 1
    if at < end and reader.items[at].kind == "amp":
        return at + 2
    return _word(reader, at, end)[1] if bare and at < end else at


def _splatted(values: Alternatives) -> list[Argument]:
    """`@table` gives parameters, `@array` gives values in order; one that is not known gives an unknown value."""
    if len(values) == 1 and values[0].table is not None:
        result: list[Argument] = []
        for name, value in values[0].table.items():
            result += [Argument(name=name, colon=True), Argument(values=[value])]
        return result
    if len(values) == 1:
        return [Argument(values=[of(i)]) for i in values[0].items]
    return [Argument(values=[unknown_value("@splat")])]


def _listed(reader: PsReader, at: int, end: int) -> tuple[Alternatives, int]:
    """A word, or several joined by commas."""
    values, at = _word(reader, at, end)
    parts = [values]
    while at + 1 < end and reader.items[at].kind == "comma":
        following = at + 1
        while following < end and reader.items[following].kind == "newline":
            following += 1
        if following >= end:
            break
        values, at = _word(reader, following, end)
        parts.append(values)
    if len(parts) == 1:
        return parts[0], at
    rows = cross(parts[:200], "list")
    return [PsValue(tuple(i for v in row for i in v.items), array=True) for row in rows], at


def _word(reader: PsReader, at: int, end: int) -> tuple[Alternatives, int]:
    """Tokens that stand together without blanks, as one value."""
    items, evaluator = reader.items, reader.evaluator()
    first = items[at]
    stop = reader.tokens.partner.get(at, at) + 1
    while (
        stop < end
        and items[stop].glued
        and items[stop].kind not in _STOP
        and not (items[stop].value in ("{", "(") and _is_name(items, at, stop))
    ):
        stop = reader.tokens.partner.get(stop, stop) + 1
    stop = min(stop, end)
    if (first.kind in ("var", "open") and (stop == at + 1 or _is_member(items[at + 1 : stop]))) or (
        first.kind == "open" and first.value != "$("
    ):
        return evaluator.expression(at, stop), stop
    parts = [_piece(evaluator, reader, i) for i in evaluator.top_level(at, stop)]
    if len(parts) == 1:
        return parts[0], stop
    rows = cross(parts, evaluator.written(at, stop))
    return [of("".join(v.text for v in row)) for row in rows], stop


def _is_name(items: tuple[object, ...], start: int, stop: int) -> bool:
    """Whether a script block right behind the command's word (`foreach{`, `%{`) starts a new argument."""
    return stop - start == 1 and getattr(items[start], "kind", "") == "text"


def _is_member(rest: tuple[object, ...]) -> bool:
    """Whether what is glued to a variable is a member or an index, not the rest of a path."""
    if not rest:
        return True
    first = rest[0]
    kind, value = getattr(first, "kind", ""), getattr(first, "value", "")
    if kind == "open":
        return bool(value == "[")
    return (
        kind == "text"
        and bool(re.fullmatch(r"(?:\.[A-Za-z_]\w*)+", value))
        and all(getattr(t, "kind", "") in ("open", "text", "single") for t in rest[1:2])
    )


def _piece(evaluator: Evaluator, reader: PsReader, at: int) -> Alternatives:
    token = reader.items[at]
    if token.kind == "var":
        return evaluator.variable(token.value)
    if token.kind == "single":
        return [of(token.value)]
    if token.kind == "double":
        return evaluator.string(token.value)
    if token.kind == "open" and token.value in ("(", "$("):
        return evaluator.expression(at + 1, min(reader.tokens.partner.get(at, at + 1), len(reader.items)))
    if token.kind == "open":
        return [of("".join(t.raw for t in reader.items[at : reader.tokens.partner.get(at, at) + 1])[:500])]
    return [of(token.value)]


def bind(
    reader: PsReader, parameters: tuple[int, int], words: list[Alternatives], *, known: bool, named: dict[str, Alternatives] | None = None
) -> None:
    """Set a script's or function's parameters: by name, then by place, then their defaults."""
    evaluator = reader.evaluator()
    specs: list[tuple[str, tuple[int, int] | None, bool]] = []
    for start, end in evaluator.split(*parameters, "comma")[:200]:
        names = [i for i in evaluator.top_level(start, end) if reader.items[i].kind == "var"]
        if not names:
            continue
        text = "".join(t.value for t in reader.items[start : names[0]]).casefold()
        default = (names[0] + 2, end) if names[0] + 1 < end and reader.items[names[0] + 1].kind == "equal" else None
        specs.append((reader.items[names[0]].value, default, "[switch]" in text))
    given, positional = _by_name(words, specs)
    given.update({_full_name(k, tuple(s[0] for s in specs)): v for k, v in (named or {}).items()})
    for name, default, switch in specs:
        if name in given:
            reader.variables[name] = given[name]
        elif positional and not switch:
            reader.variables[name] = positional.pop(0)
        elif default is not None:
            reader.variables[name] = reader.evaluator().expression(*default)
        else:
            reader.variables[name] = [PsValue()] if known else [unknown_value(f"${name}")]


def _by_name(
    words: list[Alternatives], specs: list[tuple[str, tuple[int, int] | None, bool]]
) -> tuple[dict[str, Alternatives], list[Alternatives]]:
    """Words such as `-Source` with the word behind them, and the words that are left."""
    known = tuple(s[0] for s in specs)
    switches = {s[0] for s in specs if s[2]}
    given: dict[str, Alternatives] = {}
    positional: list[Alternatives] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        text = word[0].text if len(word) == 1 and not word[0].array else ""
        match = re.fullmatch(r"-([A-Za-z]\w*)(?::(.*))?", text)
        name = _full_name(match.group(1), known) if match else ""
        if not match or name not in known or is_unknown(text[:1]):
            positional.append(word)
        elif match.group(2):
            given[name] = [of(match.group(2))]
        elif name in switches or not rest:
            given[name] = [of("True")]
        else:
            given[name] = rest.pop(0)
    return given, positional


def run_call(reader: PsReader, variant: Variant, flowing: Alternatives | None) -> Alternatives:
    """Run one decided call: a script block, a function of the script, a cmdlet, a program or another script."""
    from auditor.analysis.copying.pscmdlets import CMDLETS, canonical

    name = canonical(variant.name)
    if name == "&{}":
        return run_block(reader, variant)
    if name in reader.functions:
        return run_function(reader, name, variant)
    cmdlet = CMDLETS.get(name)
    if cmdlet is not None:
        return cmdlet(reader, variant, flowing)
    if name:
        words = variant.words()
        rest = " ".join(f'"{w}"' if re.search(r"\s", w) or not w else w for w in words)
        if not reader.walker.program(reader.walker, variant.name, rest, reader.state):
            reader.walker.run_script(variant.name, rest, reader.state, tuple(words))
    return [unknown_value(f"output of {variant.name}"[:80])]


def run_block(reader: PsReader, variant: Variant) -> Alternatives:
    """`& { ... }` with arguments."""
    block = variant.arguments[0][2]
    if block is not None and reader.walker.enter():
        reader.script_block(*block)
        reader.walker.leave()
    return [unknown_value("output of a script block")]


def run_function(reader: PsReader, name: str, variant: Variant) -> Alternatives:
    """A function of the script, with its own variables on top of the caller's."""
    from auditor.analysis.copying.psscript import PsReader

    tokens, start, end, body, close = reader.functions[name]
    if not reader.walker.enter():
        return [unknown_value(name)]
    inner = PsReader(reader.walker, tokens, reader.state, dict(reader.variables))
    inner.functions, inner.nesting = reader.functions, reader.nesting
    words: list[Alternatives] = []
    for parameter, value, _, _ in variant.arguments:
        words.append([of(f"-{parameter}")] if parameter is not None else [value or PsValue()])
    inner.variables["args"] = [PsValue(tuple(i for w in words for i in w[0].items), array=True)]
    if end:
        bind(inner, (start, end), words, known=True)
    inner.block(body, close)
    reader.walker.leave()
    return [unknown_value(f"output of {name}")]
