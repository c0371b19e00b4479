"""reg.exe of a lab host: query, add, delete, export, import. Up to 2003 with the words and blanks of its REG.EXE VERSION 3.0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate.cmd_shell import Call, Table
from auditor.lab.operate.places import absolute, file_at
from auditor.lab.operate.regfile import export_text, import_text
from auditor.lab.operate.said import Said
from auditor.lab.operate.words import said, words
from auditor.lab.operate.writes import Denied, clear_value, make_key, put_file, put_value, remove_key
from auditor.lab.registry import Data, Key, Value, ValueType
from auditor.lab.texts import decode_text

_HIVES = {"HKLM": "HKLM", "HKEY_LOCAL_MACHINE": "HKLM", "HKU": "HKU", "HKEY_USERS": "HKU", "HKCR": "HKLM\\SOFTWARE\\Classes"}
LONG_HIVES = {"HKLM": "HKEY_LOCAL_MACHINE", "HKU": "HKEY_USERS"}
_TYPES: Mapping[str, ValueType] = {
    "REG_SZ": "REG_SZ", "REG_EXPAND_SZ": "REG_EXPAND_SZ", "REG_DWORD": "REG_DWORD", "REG_QWORD": "REG_QWORD",
    "REG_BINARY": "REG_BINARY", "REG_MULTI_SZ": "REG_MULTI_SZ", "REG_NONE": "REG_NONE",
}  # fmt: skip


class _Asked(msgspec.Struct, kw_only=True):
    """Options of one call."""

    path: str
    flags: set[str]
    value: str | None = None
    type: str = "REG_SZ"
    data: str = ""
    separator: str = "\\0"


def short_path(written: str) -> str | None:
    """A key as the machine names it; None for hives that the lab's hosts don't have."""
    hive, _, rest = written.strip("\\").partition("\\")
    short = _HIVES.get(hive.upper())
    return None if short is None else f"{short}\\{rest}" if rest else short


def long_path(path: str) -> str:
    """A key as reg.exe prints it."""
    hive, _, rest = path.partition("\\")
    return f"{LONG_HIVES.get(hive.upper(), hive)}\\{rest}" if rest else LONG_HIVES.get(hive.upper(), hive)


def _reg(call: Call) -> Steps[Said]:
    yield 0.0
    machine, given = call.machine, call.words
    verb = given[0].lower() if given else ""
    acts = {"query": _query, "add": _add, "delete": _delete, "export": _export, "import": _import}
    if verb not in acts or len(given) < 2:
        return said(machine, "reg_syntax", code=1, verb=verb.upper())
    try:
        return acts[verb](call, given[1:])
    except Denied:
        return said(machine, "reg_denied", code=1)


def _asked(given: list[str]) -> _Asked | None:
    asked, rest = _Asked(path=given[0], flags=set()), list(given[1:])
    while rest:
        flag = rest.pop(0).lower()
        if flag in ("/v", "/t", "/d") and not rest:
            return None
        if flag == "/v":
            asked.value = rest.pop(0)
        elif flag == "/t":
            asked.type = rest.pop(0).upper()
        elif flag == "/d":
            asked.data = rest.pop(0)
        elif flag == "/s" and rest and not rest[0].startswith("/"):
            asked.separator = rest.pop(0)
        elif flag in ("/ve", "/va", "/f", "/s", "/y", "/reg:32", "/reg:64"):
            asked.flags.add(flag)
        else:
            return None
    if "/ve" in asked.flags:
        asked.value = ""
    return asked


def _query(call: Call, given: list[str]) -> Said:
    machine, asked = call.machine, _asked(given)
    if asked is None:
        return said(machine, "reg_syntax", code=1, verb="QUERY")
    path = short_path(asked.path)
    key = machine.registry.key(path) if path else None
    if key is None or path is None:
        return said(machine, "reg_missing", code=1)
    if "/s" in asked.flags:
        return Said(
            stdout="".join(_printed(machine, where, found, found.values(), listed=False) for where, found in machine.registry.walk(path))
        )
    values = key.values()
    if asked.value is not None:
        values = [value for value in values if value.name.lower() == asked.value.lower()]
        if not values:
            return said(machine, "reg_missing", code=1)
    return Said(stdout=_printed(machine, path, key, values, listed=asked.value is None))


def _printed(machine: Machine, path: str, key: Key, values: list[Value], *, listed: bool) -> str:
    blank = "\t" if machine.legacy else "    "
    shown = long_path(path)
    lines = ["! REG.EXE VERSION 3.0", "", shown] if machine.legacy else ["", shown]
    default = "<NO NAME>" if machine.legacy else "(Default)"
    lines += [f"    {value.name or default}{blank}{value.type}{blank}{printed_data(value.data)}" for value in values]
    lines.append("")
    if listed:
        lines += [f"{shown}\\{child.name}" for child in key.subkeys()]
    return "\r\n".join([*lines, ""])


def printed_data(data: Data) -> str:
    """Data as reg.exe prints it."""
    if isinstance(data, int):
        return f"0x{data:x}"
    if isinstance(data, bytes):
        return data.hex().upper()
    return data if isinstance(data, str) else "\\0".join(data)


def _add(call: Call, given: list[str]) -> Said:
    machine, asked = call.machine, _asked(given)
    path = short_path(asked.path) if asked else None
    if asked is None or path is None or asked.type not in _TYPES:
        return said(machine, "reg_syntax", code=1, verb="ADD")
    key = machine.registry.key(path)
    if asked.value is not None and key is not None and key.value(asked.value) is not None and "/f" not in asked.flags:
        return _not_asked(machine)
    data = _data(asked.data, _TYPES[asked.type], asked.separator)
    if data is None:
        return said(machine, "reg_syntax", code=1, verb="ADD")
    make_key(machine, path)
    if asked.value is not None:
        put_value(machine, path, Value(asked.value, _TYPES[asked.type], data))
    return said(machine, "reg_done", error=False)


def _not_asked(machine: Machine) -> Said:
    """Without /f reg.exe asks a question, and nobody answers: it reads the end of standard input and does nothing."""
    return Said(stdout="Value exists, overwrite(Yes/No)? ", stderr="\r\n" + words(machine, "reg_syntax", verb="ADD") + "\r\n", code=1)


def _data(text: str, kind: ValueType, separator: str) -> Data | None:
    if kind in ("REG_DWORD", "REG_QWORD"):
        try:
            number = int(text or "0", 16 if text.lower().startswith("0x") else 10)
        except ValueError:
            return None
        return number if 0 <= number < 1 << (32 if kind == "REG_DWORD" else 64) else None
    if kind in ("REG_BINARY", "REG_NONE"):
        try:
            return bytes.fromhex(text)
        except ValueError:
            return None
    return tuple(part for part in text.split(separator) if part) if kind == "REG_MULTI_SZ" else text


def _delete(call: Call, given: list[str]) -> Said:
    machine, asked = call.machine, _asked(given)
    path = short_path(asked.path) if asked else None
    if asked is None or path is None or "\\" not in path:
        return said(machine, "reg_syntax", code=1, verb="DELETE")
    key = machine.registry.key(path)
    if key is None or (asked.value is not None and key.value(asked.value) is None):
        return said(machine, "reg_missing", code=1)
    if "/f" not in asked.flags:
        return _not_asked(machine)
    if asked.value is not None:
        clear_value(machine, path, asked.value)
    elif "/va" in asked.flags:
        for value in key.values():
            clear_value(machine, path, value.name)
    else:
        remove_key(machine, path)
    return said(machine, "reg_done", error=False)


def _export(call: Call, given: list[str]) -> Said:
    machine, path = call.machine, short_path(given[0])
    target = absolute(machine, given[1], call.context) if len(given) > 1 else None
    if path is None or target is None or target.startswith("\\\\"):
        return said(machine, "reg_syntax", code=1, verb="EXPORT")
    if machine.registry.key(path) is None:
        return said(machine, "reg_missing", code=1)
    if not machine.legacy and machine.files.get(target) is not None and "/y" not in [word.lower() for word in given[2:]]:
        return _not_asked(machine)
    put_file(machine, target, b"\xff\xfe" + export_text(_keys(machine, path)).encode("utf-16-le"))
    return said(machine, "reg_done", error=False)


def _keys(machine: Machine, path: str) -> Iterator[tuple[str, Key]]:
    for where, key in machine.registry.walk(path):
        yield long_path(where), key


def _import(call: Call, given: list[str]) -> Said:
    machine = call.machine
    file = file_at(machine, absolute(machine, given[0], call.context) or "")
    if file is None:
        return said(machine, "reg_missing", code=1)
    for path, value, gone in import_text(decode_text(file.data(), file.path, machine)):
        short = short_path(path)
        if short is None:
            return said(machine, "reg_syntax", code=1, verb="IMPORT")
        if value is None:
            remove_key(machine, short) if gone else make_key(machine, short)
        elif gone:
            clear_value(machine, short, value.name)
        else:
            put_value(machine, short, value)
    return said(machine, "reg_done", error=False)


COMMANDS: Table = {"reg": _reg}
