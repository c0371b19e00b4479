"""What the variables of a `for` loop stand for: list items, patterns, counted numbers, texts that are parted, and unknown outputs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from auditor.analysis.copying.batchexpand import expand
from auditor.analysis.copying.batchparse import For
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import is_unknown, unknown

if TYPE_CHECKING:
    from auditor.analysis.copying.walker import Walker

MAX_ITEMS = 1000
MAX_COUNTED = 64
Binding = dict[str, tuple[str, ...]]
_ITEM = re.compile(r'"[^"]*"[^\s,;=]*|[^\s,;="]+(?:"[^"]*"[^\s,;="]*)*')
_DIR = re.compile(r"\s*dir\s+(.*)", re.IGNORECASE)


def loop_bindings(node: For, state: State, frozen: State, walker: Walker) -> Iterator[Binding]:
    """The loop's variables, one binding a round; at most `MAX_ITEMS` rounds."""
    options = node.options.strip()
    kind = options[:2].casefold()
    count = 0
    for items in expand(node.items, state, values=frozen):
        for binding in _bindings(kind, options, items, node.variable, state, walker):
            yield binding
            count += 1
            if count >= MAX_ITEMS:
                walker.note_cut(f"more than {MAX_ITEMS} rounds of a loop")
                return


def _bindings(kind: str, options: str, items: str, variable: str, state: State, walker: Walker) -> Iterator[Binding]:
    if kind == "/l":
        for value in _counted(items):
            yield {variable: (value,)}
    elif kind == "/f":
        yield from _parted(options, items, variable, state, walker)
    else:
        folder = re.sub(r"^/[rd]\s*", "", options, flags=re.IGNORECASE).strip().strip('"') if kind == "/r" else ""
        base = folder or (state.cwd or "." if kind == "/r" else "")
        for match in _ITEM.finditer(items):
            item = match.group(0)
            yield {variable: (base.rstrip("\\") + "\\" + item.strip('"') if base else item,)}


def _counted(items: str) -> list[str]:
    """`(start,step,end)`; a long count is one unknown number."""
    words = re.split(r"[\s,]+", items.strip())
    if len(words) == 3 and all(re.fullmatch(r"-?\d{1,6}", w) for w in words):
        start, step, end = (int(w) for w in words)
        numbers = list(range(start, end + (1 if step > 0 else -1), step)) if step else []
        if len(numbers) <= MAX_COUNTED:
            return [str(n) for n in numbers]
    return [unknown("%number%")]


def _parted(options: str, items: str, variable: str, state: State, walker: Walker) -> Iterator[Binding]:
    """`for /f`: lines of a text, a file or a command, parted by delimiters."""
    wanted = (re.findall(r'"([^"]*)"', options) or [options[2:]])[0]
    back = "usebackq" in wanted.casefold()
    text = items.strip()
    quote = text[:1]
    names = _token_letters(wanted, variable)
    if (quote == "'" and back) or (quote == '"' and not back):
        yield from _tokens([text.strip("'\"")], wanted, names)
    elif quote in ("'", "`"):
        yield from _of_command(text.strip("'`"), wanted, names, state, walker)
    else:
        known = walker.text_of(text.strip('"'), state)
        if known is None:
            yield {name: (unknown(f"%{name} from {text[:80]}"),) for name in names}
        else:
            yield from _tokens(known.splitlines()[:MAX_ITEMS], wanted, names)


def _of_command(command: str, wanted: str, names: list[str], state: State, walker: Walker) -> Iterator[Binding]:
    word = command.strip().casefold()
    if word.split(" ")[0] in ("hostname", "hostname.exe"):
        yield {names[0]: state.env.get("computername", (unknown("%COMPUTERNAME%"),))}
    elif word.startswith("echo ") and not is_unknown(command):
        yield from _tokens([command.strip()[5:]], wanted, names)
    elif match := _DIR.match(command):
        yield {names[0]: (_listed(match.group(1)),), **{n: (unknown(f"%{n}"),) for n in names[1:]}}
    else:
        walker.run_line(command.replace("^", ""), state)
        yield {name: (unknown(f"%{name} of {command[:60]}"),) for name in names}


def _listed(arguments: str) -> str:
    """What `dir /b` prints: names of the pattern, whole paths with `/s`."""
    words: list[str] = [w.strip('"') for w in re.findall(r'"[^"]*"|\S+', arguments.split("^")[0].split("|")[0])]
    operands = [w for w in words if not w.startswith("/")]
    if not operands or not any(w.casefold() == "/b" for w in words):
        return unknown("line of dir")
    if any(w.casefold() == "/s" for w in words):
        return operands[0]
    last = operands[0].rpartition("\\")[2]
    return last if "*" in last or "?" in last else "*"


def _token_letters(wanted: str, variable: str) -> list[str]:
    """The loop's letter and its followers, one for each token asked for."""
    match = re.search(r"tokens=([\d,*-]+)", wanted, re.IGNORECASE)
    count = len(_token_numbers(match.group(1))) if match else 1
    return [chr(ord(variable) + i) for i in range(min(count, 26)) if ord(variable) + i < 127]


def _token_numbers(text: str) -> list[int]:
    """Numbers of tokens; 0 stands for the rest of the line."""
    numbers: list[int] = []
    for piece in text.replace("*", ",*").split(","):
        span = re.fullmatch(r"(\d{1,2})-(\d{1,2})", piece)
        if span:
            numbers.extend(range(int(span.group(1)), min(int(span.group(2)), 31) + 1))
        elif piece.isdigit():
            numbers.append(int(piece))
        elif piece == "*":
            numbers.append(0)
    return numbers


def _tokens(lines: list[str], wanted: str, names: list[str]) -> Iterator[Binding]:
    match = re.search(r"tokens=([\d,*-]+)", wanted, re.IGNORECASE)
    numbers = _token_numbers(match.group(1)) if match else [1]
    delimiters = re.search(r"delims=(.*?)(?= \w+=|$)", wanted, re.IGNORECASE)
    cut = delimiters.group(1) if delimiters else " \t"
    skip = re.search(r"skip=(\d{1,4})", wanted, re.IGNORECASE)
    eol = re.search(r"eol=(\S)", wanted, re.IGNORECASE)
    for line in lines[int(skip.group(1)) if skip else 0 :]:
        if not line.strip() or line.startswith(eol.group(1) if eol else ";"):
            continue
        pieces = [p for p in re.split("[" + re.escape(cut) + "]+", line) if p] if cut else [line]
        values = [_rest(line, pieces, numbers) if n == 0 else pieces[n - 1] if n <= len(pieces) else "" for n in numbers]
        yield {name: (value,) for name, value in zip(names, values, strict=False)}


def _rest(line: str, pieces: list[str], numbers: list[int]) -> str:
    """What stands behind the last numbered token."""
    last = max((n for n in numbers if n), default=0)
    at = 0
    for piece in pieces[:last]:
        at = line.find(piece, at) + len(piece)
    return line[at:].lstrip()
