"""cmd.exe's expansion of `%name%`, `%1`, `%~dp0`, `%name:~0,3%`, `!name!` and loop variables, over alternatives and unknown values.

A value that is not known is marked, not dropped; a result longer than cmd.exe's limit is unknown as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from auditor.analysis.copying.shellstate import State, join_path
from auditor.analysis.copying.unknowns import combine, is_unknown, unknown

_PERCENT = re.compile(r"%%|%\*|%~([A-Za-z$:]{0,20}?)(\d)|%(\d)|%([^%\r\n:=]{1,200})(?::([^%\r\n]{0,400}))?%")
_LOOP = re.compile(r"(?<!%)%([A-Za-z])\s+in\s*\(", re.IGNORECASE)
"""A loop of a command line (`cmd /c "for %i in (...)"`): in a batch file the sign is doubled."""
_DELAYED = re.compile(r"!([^!\r\n:=]{1,200})(?::([^!\r\n]{0,400}))?!")
_SUBSTRING = re.compile(r"~(-?\d{1,5})(?:,(-?\d{1,5}))?")


def expand(text: str, state: State, *, values: State | None = None) -> list[str]:
    """All texts that a raw command may stand for. `values` gives the variables of `%name%` where a block froze them."""
    frozen = values or state
    results = combine(_percent_parts(text, frozen, state.variables), text) if "%" in text else [text]
    results = [t for r in results for t in _loop_variables(r, state)]
    if state.delayed:
        results = [t for r in results for t in (combine(_delayed_parts(r, state), r) if "!" in r else [r])]
    return list(dict.fromkeys(results))[:8]


def _percent_parts(text: str, state: State, variables: Iterable[str]) -> list[list[str]]:
    parts: list[list[str]] = []
    loops = {v.casefold() for v in (*_LOOP.findall(text), *variables)}
    at = start = 0
    while match := _PERCENT.search(text, start):
        if match.group(4) and _of_loop(match.group(4), loops, state):
            start = match.start() + 1
            continue
        parts.append([text[at : match.start()]])
        parts.append(_percent_values(match, state))
        at = start = match.end()
    parts.append([text[at:]])
    return parts


def _of_loop(name: str, loops: set[str], state: State) -> bool:
    """Whether what stands between two percent signs starts with the variable of a loop in the same line: `for %i in (a b) do x %i`."""
    match = re.match(r"(?:~[a-z]*)?([a-z])(?=[^a-z0-9_])", name, re.IGNORECASE)
    return match is not None and match[1].casefold() in loops and name.casefold() not in state.env


def _percent_values(match: re.Match[str], state: State) -> list[str]:
    whole = match.group(0)
    if whole == "%%":
        return ["%"]
    if whole == "%*":
        return [" ".join(state.arguments)] if state.arguments is not None else [unknown("%*")]
    if match.group(2) is not None:
        return [_modified(_argument(int(match.group(2)), state), match.group(1), state)]
    if match.group(3) is not None:
        return [_argument(int(match.group(3)), state)]
    return _variable(match.group(4), match.group(5), whole, state)


def _argument(number: int, state: State) -> str:
    if number == 0:
        return state.script or unknown("%0")
    if state.arguments is None:
        return unknown(f"%{number}")
    return state.arguments[number - 1] if number <= len(state.arguments) else ""


def _modified(value: str, modifiers: str, state: State) -> str:
    """`%~1` takes quotes off; d, p, n, x and f take parts of the path."""
    bare = value.strip('"')
    wanted = modifiers.casefold()
    if not set(wanted) & set("fdpnx") or not bare:
        return bare
    if is_unknown(bare[:1]) or "$" in wanted:
        return unknown(f"%~{modifiers} of {bare}")
    full = _full(bare, state)
    if "f" in wanted:
        return full
    folder, _, last = full.rpartition("\\")
    drive = re.match(r"[A-Za-z]:|\\\\[^\\]+\\[^\\]+", full)
    root = drive.group(0) if drive else ""
    stem, dot, ending = last.rpartition(".")
    result = root if "d" in wanted else ""
    result += folder[len(root) :] + "\\" if "p" in wanted else ""
    result += (stem if dot else last) if "n" in wanted else ""
    return result + (dot + ending if "x" in wanted and dot else "")


def _full(path: str, state: State) -> str:
    if re.match(r"[A-Za-z]:|\\\\", path):
        return path
    base = state.cwd or (state.script or "").rpartition("\\")[0]
    return join_path(base, path) if base else path


def _variable(name: str, operation: str | None, whole: str, state: State) -> list[str]:
    values = state.env.get(name.casefold())
    if values is None:
        if name.casefold() == "cd" and state.cwd is not None:
            values = (state.cwd,)
        else:
            return [unknown(whole)]
    if operation is None:
        return list(values)
    return [_operated(v, operation, whole) for v in values]


def _operated(value: str, operation: str, whole: str) -> str:
    """`~start,length` and `old=new`."""
    if is_unknown(value):
        return unknown(whole)
    if match := _SUBSTRING.fullmatch(operation.replace(" ", "")):
        start = int(match.group(1))
        start = max(0, len(value) + start) if start < 0 else start
        if match.group(2) is None:
            return value[start:]
        length = int(match.group(2))
        return value[start : start + length] if length >= 0 else value[start:length]
    old, equal, new = operation.partition("=")
    if not equal or not old:
        return unknown(whole)
    if old.startswith("*"):
        at = value.casefold().find(old[1:].casefold())
        return new + value[at + len(old) - 1 :] if at >= 0 else value
    return re.sub(re.escape(old), lambda _: new, value, flags=re.IGNORECASE)


def _loop_variables(text: str, state: State) -> list[str]:
    """`%a` and `%~nxa` of the loops that run."""
    if not state.variables or "%" not in text:
        return [text]
    letters = "".join(re.escape(v) for v in state.variables)
    pattern = re.compile(f"%(?:~([fdpnxsatzFDPNXSATZ]*))?([{letters}])")
    parts: list[list[str]] = []
    at = 0
    for match in pattern.finditer(text):
        values: Sequence[str] = state.variables[match.group(2)]
        modifiers = match.group(1)
        parts.append([text[at : match.start()]])
        parts.append(list(values) if modifiers is None else [_modified(v, modifiers, state) for v in values])
        at = match.end()
    parts.append([text[at:]])
    return combine(parts, text)


def _delayed_parts(text: str, state: State) -> list[list[str]]:
    parts: list[list[str]] = []
    at = 0
    for match in _DELAYED.finditer(text):
        parts.append([text[at : match.start()]])
        parts.append(_variable(match.group(1), match.group(2), match.group(0), state))
        at = match.end()
    parts.append([text[at:]])
    return parts
