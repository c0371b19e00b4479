"""A lab host's registry: keys and values compared without case, with their types; and how fleet files write them. Pure.

Notation of data: text is REG_SZ, a number REG_DWORD, a list of texts REG_MULTI_SZ; the rest says its type: `{expand: "%SystemRoot%"}`,
`{binary: "0a ff"}`, `{qword: 1}`, `{dword: 1}`, `{text: "1"}`, `{multi: [...]}`, `{none: ""}`. The value name `@` is the default value.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from auditor.lab.document import Node, Problems

ValueType = Literal["REG_SZ", "REG_EXPAND_SZ", "REG_DWORD", "REG_QWORD", "REG_BINARY", "REG_MULTI_SZ", "REG_NONE"]
Data = str | int | bytes | tuple[str, ...]
HIVES = ("HKLM", "HKU")
_FORMS: dict[str, ValueType] = {
    "text": "REG_SZ", "expand": "REG_EXPAND_SZ", "dword": "REG_DWORD", "qword": "REG_QWORD",
    "binary": "REG_BINARY", "multi": "REG_MULTI_SZ", "none": "REG_NONE",
}  # fmt: skip


class Value(msgspec.Struct, frozen=True):
    """A registry value; the default value has the empty name."""

    name: str
    type: ValueType
    data: Data


class Key:
    """A registry key. Names keep the case they were made with."""

    __slots__ = ("_subkeys", "_values", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._subkeys: dict[str, Key] = {}
        self._values: dict[str, Value] = {}

    def subkeys(self) -> list[Key]:
        """Subkeys in Windows' order: by upper-case name."""
        return [self._subkeys[name] for name in sorted(self._subkeys)]

    def values(self) -> list[Value]:
        """Values in the order in which they were set."""
        return list(self._values.values())

    def child(self, name: str) -> Key | None:
        """One subkey."""
        return self._subkeys.get(name.upper())

    def value(self, name: str) -> Value | None:
        """One value."""
        return self._values.get(name.upper())

    def make(self, name: str) -> Key:
        """The subkey, made where it is not there."""
        key = self._subkeys.get(name.upper())
        if key is None:
            key = self._subkeys[name.upper()] = Key(name)
        return key

    def adopt(self, key: Key) -> None:
        """Puts a subkey with all below in its place."""
        self._subkeys[key.name.upper()] = key

    def put(self, value: Value) -> None:
        """Sets a value; its place in the order stays."""
        self._values[value.name.upper()] = value

    def remove(self, name: str) -> bool:
        """Removes a subkey with all below; whether it was there."""
        return self._subkeys.pop(name.upper(), None) is not None

    def clear(self, name: str) -> bool:
        """Removes a value; whether it was there."""
        return self._values.pop(name.upper(), None) is not None


class Registry:
    """The hives of one host."""

    def __init__(self) -> None:
        self.root = Key("")
        for hive in HIVES:
            self.root.make(hive)

    def key(self, path: str) -> Key | None:
        """The key at `HKLM\\...`, or None."""
        key: Key | None = self.root
        for part in path.split("\\"):
            key = key.child(part) if key is not None else None
        return key

    def make(self, path: str) -> Key:
        """The key at `path`, made with all above where it is not there."""
        key = self.root
        for part in path.split("\\"):
            key = key.make(part)
        return key

    def put(self, path: str, name: str, data: Data | None, kind: ValueType | None = None) -> None:
        """Sets a value; None sets nothing. Without `kind`, the type follows from the data as in fleet files."""
        if data is not None:
            self.make(path).put(Value(name, kind or _natural(data), data))

    def text(self, path: str, name: str) -> str | None:
        """A REG_SZ or REG_EXPAND_SZ value as written, or None."""
        data = self.data(path, name)
        return data if isinstance(data, str) else None

    def number(self, path: str, name: str) -> int | None:
        """A REG_DWORD or REG_QWORD value, or None."""
        data = self.data(path, name)
        return data if isinstance(data, int) else None

    def data(self, path: str, name: str) -> Data | None:
        """A value's data, or None."""
        key = self.key(path)
        value = key.value(name) if key else None
        return value.data if value else None

    def walk(self, path: str = "") -> Iterator[tuple[str, Key]]:
        """Every key below and at `path` with its full path, parents first."""
        start = self.key(path) if path else self.root
        if start is not None:
            yield from _walk(path, start)

    def expand(self, pattern: str) -> Iterator[tuple[str, Key]]:
        """The keys that a path with `*` for whole levels names."""
        found = [("", self.root)]
        for part in pattern.split("\\"):
            found = [(f"{path}\\{key.name}".lstrip("\\"), key) for path, parent in found for key in _level(parent, part)]
        yield from found


def _level(parent: Key, part: str) -> list[Key]:
    if part == "*":
        return parent.subkeys()
    child = parent.child(part)
    return [child] if child else []


def _walk(path: str, key: Key) -> Iterator[tuple[str, Key]]:
    if path:
        yield path, key
    for child in key.subkeys():
        yield from _walk(f"{path}\\{child.name}".lstrip("\\"), child)


def _natural(data: Data) -> ValueType:
    if isinstance(data, str):
        return "REG_SZ"
    if isinstance(data, int):
        return "REG_DWORD"
    return "REG_BINARY" if isinstance(data, bytes) else "REG_MULTI_SZ"


class Setting(msgspec.Struct, frozen=True):
    """One value of a fleet file's `registry`, ready to be set; `value` is None for a key by itself."""

    key: str
    value: Value | None


def read_registry(node: Node, problems: Problems, subject: str) -> tuple[Setting, ...]:
    """The settings under `registry:`. Problems are noted with their places."""
    if not isinstance(node.value, dict):
        problems.add(node.mark, "expected a map of key paths", subject)
        return ()
    result: list[Setting] = []
    for path, child in node.value.items():
        if path.split("\\")[0] not in HIVES or "\\" not in path or "\\\\" in path or path.endswith("\\"):
            problems.add(child.mark, f"expected a key path that begins with {' or '.join(HIVES)}, got `{path}`", subject)
        else:
            _read_key(path, child, problems, f"{subject}.{path}", result)
    return tuple(result)


def _read_key(path: str, node: Node, problems: Problems, subject: str, result: list[Setting]) -> None:
    if not isinstance(node.value, dict):
        problems.add(node.mark, "expected a map of values and subkeys", subject)
        return
    result.append(Setting(path, None))
    for name, child in node.value.items():
        if name.startswith("\\"):
            _read_key(path + name.rstrip("\\"), child, problems, f"{subject}{name}", result)
        elif (value := _read_value("" if name == "@" else name, child, problems, f"{subject}.{name}")) is not None:
            result.append(Setting(path, value))


def _read_value(name: str, node: Node, problems: Problems, subject: str) -> Value | None:
    data, kind = node.value, None
    if isinstance(data, dict):
        forms = [form for form in data if form in _FORMS]
        if len(data) != 1 or not forms:
            expected = f"a text, a number, a list, or one of {', '.join(_FORMS)}"
            problems.add(node.mark, f"expected {expected}; a subkey's name begins with a backslash", subject)
            return None
        kind, node = _FORMS[forms[0]], data[forms[0]]
    try:
        value = _typed(node.plain(), node.raw, kind)
    except ValueError as error:
        problems.add(node.mark, str(error), subject)
        return None
    return Value(name, kind or _natural(value), value)


def _typed(data: Any, raw: str, kind: ValueType | None) -> Data:
    if kind in ("REG_BINARY", "REG_NONE"):
        return bytes.fromhex(raw)
    if kind in ("REG_SZ", "REG_EXPAND_SZ") and isinstance(data, str | int):
        return raw
    if kind in (None, "REG_MULTI_SZ") and isinstance(data, list) and all(isinstance(item, str) for item in data):
        return tuple(data)
    bits = 64 if kind == "REG_QWORD" else 32
    if kind in (None, "REG_DWORD", "REG_QWORD") and isinstance(data, int) and not isinstance(data, bool) and 0 <= data < 1 << bits:
        return data
    if kind is None and isinstance(data, str):
        return data
    raise ValueError(f"expected data for {kind or 'REG_SZ, REG_DWORD or REG_MULTI_SZ'}, got {data!r}")
