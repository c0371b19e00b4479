"""Cmdlets of a lab host's PowerShell, and the values that they pass. Each changes or reads the machine as the real one would.

Values: text, numbers, truth, None, lists, and objects as dictionaries that keep the case of their names.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from auditor.lab.machine import Machine
from auditor.lab.operate.places import absolute, variables
from auditor.lab.operate.ps_parse import Word, pipeline, unquoted, words_of
from auditor.lab.operate.said import Context
from auditor.model.errors import AuditorError

_FILE_TIME_START = datetime(1601, 1, 1, tzinfo=UTC)


class CmdletError(AuditorError):
    """A cmdlet's terminating error; its text is what PowerShell writes."""


class Bound:
    """Parameters of a call: named ones (lower case) and the others in order."""

    def __init__(self, named: dict[str, Any], rest: list[Any]) -> None:
        self.named = named
        self.rest = rest

    def get(self, name: str, position: int | None = None, otherwise: Any = None) -> Any:
        """A parameter by its name, shortened names too, or by its place."""
        for key, value in self.named.items():
            if name.lower().startswith(key) and (key == name.lower() or len(key) > 2):
                return value
        return self.rest[position] if position is not None and position < len(self.rest) else otherwise

    def list(self, name: str, position: int | None = None) -> list[Any]:
        """A parameter that takes several values."""
        value = self.get(name, position)
        return [] if value is None else list(value) if isinstance(value, list) else [value]

    def names(self) -> set[str]:
        """Names that were given, without the common ones."""
        return set(self.named) - {"erroraction", "force", "warningaction", "confirm", "verbose"}


Cmdlet = Callable[["Values", Bound, Any], Any]


class Values:
    """Variables of a script, and what expressions mean."""

    def __init__(self, machine: Machine, context: Context, cmdlets: Mapping[str, Cmdlet]) -> None:
        self.machine = machine
        self.context = context
        self.cmdlets = cmdlets
        self.names: dict[str, Any] = {"true": True, "false": False, "null": None, "lastexitcode": 0}

    def bound(self, words: list[Word]) -> Bound:
        """Words as parameters; `-Name value`, `-Name:value`, and switches."""
        named: dict[str, Any] = {}
        rest: list[Any] = []
        at = 0
        while at < len(words):
            word = words[at]
            if not word.quote and re.match(r"-[A-Za-z]", word.text):
                name, colon, value = word.text[1:].partition(":")
                if colon:
                    named[name.lower()] = self.expression(value)
                elif at + 1 < len(words) and not (not words[at + 1].quote and re.match(r"-[A-Za-z]", words[at + 1].text)):
                    values, at = self._several(words, at + 1, named=True)
                    named[name.lower()] = values
                else:
                    named[name.lower()] = True
            else:
                rest.append(self.value(word))
            at += 1
        return Bound(named, rest)

    def _several(self, words: list[Word], at: int, *, named: bool) -> tuple[Any, int]:
        """One value, or the list of those that follow each other up to the next parameter."""
        values = [self.value(words[at])]
        while named and at + 1 < len(words) and (words[at + 1].quote or not re.match(r"-[A-Za-z]", words[at + 1].text)):
            at += 1
            values.append(self.value(words[at]))
        return (values[0] if len(values) == 1 else values), at

    def value(self, word: Word) -> Any:
        """What a word means."""
        if word.quote in ("'", '"'):
            return unquoted(word, self.text_of)
        if word.quote or word.text.startswith("$"):
            return self.expression(word.text)
        return int(word.text) if re.fullmatch(r"-?\d{1,18}", word.text) else word.text

    def text_of(self, name: str) -> str:
        """A variable inside a text."""
        return as_text(self.names.get(name.lower()))

    def expression(self, text: str) -> Any:
        """A literal, a variable with its properties, a list, an object, a pipeline in parentheses. Raises CmdletError for anything else."""
        text = text.strip()
        if text.startswith("@("):
            return self._list(text[2:-1])
        if text.startswith("@{"):
            return self._object(text[2:-1])
        if text.startswith("("):
            return self._parenthesised(text)
        if match := re.fullmatch(r"\$(?:(env):)?(\w+)((?:\.\w+)*)", text):
            base: Any = self.names.get(match.group(2).lower())
            if match.group(1):
                base = variables(self.machine, self.context).get(match.group(2).upper())
            return properties(base, match.group(3))
        words = words_of(text)
        if words and all(word.quote in ("'", '"') or re.fullmatch(r"-?\d+", word.text) for word in words):
            values = [self.value(word) for word in words]
            return values[0] if len(values) == 1 else values
        raise CmdletError(f"the lab's PowerShell does not carry out the expression {text[:80]}")

    def _list(self, inside: str) -> list[Any]:
        if not inside.strip():
            return []
        if inside.strip()[0] in "'\"$":
            return [value for word in words_of(inside) for value in flat(self.value(word))]
        return flat(self._pipe(inside))

    def _object(self, inside: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for line in re.split(r"[;\n]", inside):
            name, equals, value = line.partition("=")
            if equals:
                found[name.strip().strip("'\"")] = self.expression(value)
        return found

    def _parenthesised(self, text: str) -> Any:
        end = text.rindex(")") if not re.search(r"\)(\.\w+(\(\))?)+$", text) else _matching(text)
        inner, rest = text[1:end], text[end + 1 :]
        value = self._pipe(inner)
        return properties(value, rest)

    def _pipe(self, text: str) -> Any:
        found: Any = []
        for number, command in enumerate(pipeline(text)):
            words = words_of(command)
            cmdlet = self.cmdlets.get(words[0].text.lower()) if words else None
            if cmdlet is not None:
                found = cmdlet(self, self.bound(words[1:]), found)
            elif number == 0:
                found = self.expression(command)
            else:
                raise CmdletError(f"the lab's PowerShell has no cmdlet {words[0].text if words else command}")
        return found

    def as_json(self, value: Any, *, compress: bool = True) -> str:
        """ConvertTo-Json's text."""
        return json.dumps(
            value, ensure_ascii=False, separators=(",", ":") if compress else (",", ":  "), indent=None if compress else 4, default=str
        )


def _matching(text: str) -> int:
    depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if depth == 0:
            return at
    raise CmdletError("Missing closing ')' in expression.")


def flat(value: Any) -> list[Any]:
    """A value as a list; nothing is an empty one."""
    return [] if value is None else list(value) if isinstance(value, list) else [value]


def properties(value: Any, path: str) -> Any:
    """`.Name.Other` of a value; of a list, of each of its members."""
    for name in re.findall(r"\.(\w+)(?:\(\))?", path):
        if name.lower() in ("count", "length") and isinstance(value, list | str):
            value = len(value)
        elif name.lower() == "tofiletime" and isinstance(value, datetime):
            value = int((value - _FILE_TIME_START).total_seconds() * 10_000_000)
        elif name.lower() == "tostring":
            value = as_text(value)
        elif isinstance(value, list):
            value = [item for member in value for item in flat(_property(member, name))]
        else:
            value = _property(value, name)
    return value


def _property(value: Any, name: str) -> Any:
    if not isinstance(value, Mapping):
        return None
    return next((item for key, item in value.items() if key.lower() == name.lower()), None)


def as_text(value: Any) -> str:
    """A value as PowerShell writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, list):
        return " ".join(as_text(item) for item in value)
    return str(value)


def shown(value: Any) -> str:
    """Values as the console shows them, one a line; objects as a list of their properties."""
    lines: list[str] = []
    for item in flat(value):
        if isinstance(item, Mapping):
            width = max((len(name) for name in item), default=0)
            lines += ["", *(f"{name:<{width}} : {_in_list(text)}" for name, text in item.items()), ""]
        else:
            lines.append(as_text(item))
    return "".join(f"{line}\r\n" for line in lines)


def _in_list(value: Any) -> str:
    return "{" + ", ".join(as_text(item) for item in value) + "}" if isinstance(value, list) else as_text(value)


def _output(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    found = bound.get("inputobject")
    return flat(found) if found is not None else [item for value in bound.rest for item in flat(value)] or given


def _nothing(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    return []


def _json(values: Values, bound: Bound, given: Any) -> Any:
    value = bound.get("inputobject", otherwise=given)
    return [values.as_json(value[0] if isinstance(value, list) and len(value) == 1 else value, compress=bool(bound.get("compress")))]


def _select(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    if (name := bound.get("expandproperty")) is not None:
        return properties(flat(given), f".{name}")
    names = [str(name) for name in bound.list("property", 0)] + [str(name) for name in bound.rest[1:]]
    found = [{name: _property(item, name) for name in names} for item in flat(given)] if names else flat(given)
    first = bound.get("first")
    return found[: int(first)] if first is not None else found


def _cim(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    name = str(bound.get("classname", 0, ""))
    if name.lower() != "win32_operatingsystem":
        raise CmdletError(f"the lab's Get-CimInstance knows Win32_OperatingSystem only, not {name}")
    return {
        "LastBootUpTime": values.machine.boot,
        "Version": values.machine.facts.system.version,
        "Caption": values.machine.facts.system.caption,
    }


def registry_path(path: str) -> str | None:
    """`HKLM:\\x` as the machine names it."""
    return f"HKLM\\{path[6:].strip(chr(92))}" if re.match(r"(?i)HKLM:\\", path) else None


def _get_item(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    path = str(bound.get("literalpath") or bound.get("path", 0, ""))
    key = registry_path(path)
    there = values.machine.registry.key(key) is not None if key else _exists(values, path)
    if not there:
        raise CmdletError(f"Get-Item : Cannot find path '{path}' because it does not exist.")
    return {"PSPath": path}


def _get_item_property(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    """Values of a key, or of all keys that a path with stars for whole levels names; files are none of the lab's here."""
    path = str(bound.get("literalpath") or bound.get("path", 0, ""))
    name = registry_path(path)
    found = [key for _, key in values.machine.registry.expand(name)] if name else []
    if not found and "*" not in path:
        raise CmdletError(f"Get-ItemProperty : Cannot find path '{path}' because it does not exist.")
    return [
        {value.name: list(value.data) if isinstance(value.data, tuple) else value.data for value in key.values()}
        | {"PSChildName": key.name}
        for key in found
    ]


def _exists(values: Values, path: str) -> bool:
    full = absolute(values.machine, path, values.context)
    return full is not None and (values.machine.files.get(full) is not None or values.machine.files.folder_exists(full))


def _test_path(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    path = str(bound.get("literalpath") or bound.get("path", 0, ""))
    key = registry_path(path)
    return values.machine.registry.key(key) is not None if key else _exists(values, path)


def _remove_item(values: Values, bound: Bound, given: Any) -> Any:  # noqa: ARG001
    path = str(bound.get("literalpath") or bound.get("path", 0, ""))
    machine = values.machine
    full = absolute(machine, path, values.context)
    if registry_path(path) is not None:
        raise CmdletError(f"the lab's Remove-Item does not remove registry keys: {path}")
    if full is not None and machine.files.get(full) is not None:
        machine.files.remove(full)
    elif full is not None and machine.files.folder_exists(full):
        if machine.files.below(full) and not bound.get("recurse"):
            raise CmdletError(f"Remove-Item : The item at {path} has children and the Recurse parameter was not specified.")
        machine.files.remove_folder(full)
    elif bound.get("erroraction") not in ("SilentlyContinue", "Ignore"):
        raise CmdletError(f"Remove-Item : Cannot find path '{path}' because it does not exist.")
    return []


CMDLETS: dict[str, Cmdlet] = {
    "write-output": _output, "echo": _output, "out-null": _nothing, "write-host": _output, "convertto-json": _json,
    "select-object": _select, "select": _select, "get-ciminstance": _cim, "get-item": _get_item, "test-path": _test_path,
    "remove-item": _remove_item, "get-itemproperty": _get_item_property,
}  # fmt: skip
