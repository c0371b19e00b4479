"""Registry files in regedit's format (version 5.00): keys as text, and text as changes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from auditor.lab.registry import Key, Value, ValueType

HEADER = "Windows Registry Editor Version 5.00"
_KINDS: dict[ValueType, str] = {
    "REG_NONE": "hex(0)", "REG_EXPAND_SZ": "hex(2)", "REG_BINARY": "hex", "REG_MULTI_SZ": "hex(7)", "REG_QWORD": "hex(b)",
}  # fmt: skip
_LINE = re.compile(r'(@|"((?:[^"\\]|\\.)*)")=(.*)', re.DOTALL)
Change = tuple[str, Value | None, bool]
"""Key, value (None: the key itself), whether it goes."""


def export_text(keys: Iterable[tuple[str, Key]]) -> str:
    """Keys with their values as a registry file."""
    lines = [HEADER, ""]
    for path, key in keys:
        lines += [f"[{path}]", *(_written(value) for value in key.values()), ""]
    return "\r\n".join([*lines, ""])


def _written(value: Value) -> str:
    name = "@" if not value.name else f'"{_escaped(value.name)}"'
    data = value.data
    if value.type == "REG_SZ":
        return f'{name}="{_escaped(str(data))}"'
    if value.type == "REG_DWORD" and isinstance(data, int):
        return f"{name}=dword:{data:08x}"
    return f"{name}={_KINDS[value.type]}:{','.join(f'{byte:02x}' for byte in _bytes(value))}"


def _bytes(value: Value) -> bytes:
    data = value.data
    if isinstance(data, bytes):
        return data
    if isinstance(data, int):
        return data.to_bytes(8, "little")
    text = data + "\0" if isinstance(data, str) else "".join(f"{item}\0" for item in data) + "\0"
    return text.encode("utf-16-le")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def import_text(text: str) -> Iterator[Change]:
    """The changes that a registry file asks for; lines that are none are left out."""
    path = ""
    for line in re.sub(r"\\\r?\n\s*", "", text).splitlines():
        if match := re.fullmatch(r"\[(-?)([^\]]+)\]\s*", line):
            path = match.group(2)
            yield path, None, bool(match.group(1))
        elif path and (match := _LINE.fullmatch(line)):
            name = "" if match.group(1) == "@" else re.sub(r"\\(.)", r"\1", match.group(2))
            if match.group(3).strip() == "-":
                yield path, Value(name, "REG_SZ", ""), True
            elif (value := _value(name, match.group(3).strip())) is not None:
                yield path, value, False


def _value(name: str, text: str) -> Value | None:
    if text.startswith('"'):
        return Value(name, "REG_SZ", re.sub(r"\\(.)", r"\1", text[1:-1]))
    if text.lower().startswith("dword:"):
        return Value(name, "REG_DWORD", int(text[6:], 16))
    kind, _, digits = text.partition(":")
    types = {form: kind_name for kind_name, form in _KINDS.items()}
    if kind not in types:
        return None
    data = bytes.fromhex(digits.replace(",", ""))
    found = types[kind]
    if found == "REG_QWORD":
        return Value(name, found, int.from_bytes(data, "little"))
    if found in ("REG_EXPAND_SZ", "REG_MULTI_SZ"):
        words = data.decode("utf-16-le", "replace").rstrip("\0")
        return Value(name, found, words if found == "REG_EXPAND_SZ" else tuple(words.split("\0")) if words else ())
    return Value(name, found, data)
