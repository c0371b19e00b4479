"""win_regedit and win_reg_stat of ansible.windows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from auditor.lab.machine import Machine
from auditor.lab.operate.module import Failed, Job, ModuleSpec, Option
from auditor.lab.operate.writes import Denied, clear_value, make_key, put_value, remove_key
from auditor.lab.paths import expand
from auditor.lab.registry import HIVES, Data, Value, ValueType

_PATH = re.compile(r"HK(CC|CR|CU|LM|U):\\", re.IGNORECASE)
_TYPES: Mapping[str, ValueType] = {
    "string": "REG_SZ", "expandstring": "REG_EXPAND_SZ", "dword": "REG_DWORD", "qword": "REG_QWORD", "binary": "REG_BINARY",
    "multistring": "REG_MULTI_SZ", "none": "REG_NONE",
}  # fmt: skip
_KINDS = {
    "REG_SZ": "String", "REG_EXPAND_SZ": "ExpandString", "REG_DWORD": "DWord", "REG_QWORD": "QWord", "REG_BINARY": "Binary",
    "REG_MULTI_SZ": "MultiString", "REG_NONE": "None",
}  # fmt: skip


def lab_path(path: str) -> str:
    """`HKLM:\\SOFTWARE\\x` as the machine's registry names it. Raises Failed for hives that the lab does not keep."""
    hive, _, rest = path.partition(":\\")
    if hive.upper() == "HKCR":
        hive, rest = "HKLM", f"SOFTWARE\\Classes\\{rest}"
    if hive.upper() not in HIVES:
        raise Failed(f"the lab's hosts keep no {hive.upper()}: use HKLM or HKU")
    return f"{hive.upper()}\\{rest.strip(chr(92))}"


def _regedit(job: Job) -> None:
    path, name, kind = job["path"], job["name"], job["type"]
    job.result |= {"data_changed": False, "data_type_changed": False}
    job.diff |= {"before": "", "after": ""}
    if name is None and kind != "string":
        job.warnings.append("the data type when name is not specified can only be 'string', the type has automatically been converted")
        kind = "string"
    if not _PATH.match(path):
        raise Failed(f"path: {path} is not a valid powershell path, see module documentation for examples.")
    key = lab_path(path)
    try:
        if job["state"] == "present":
            _present(job, key, name or "", _TYPES[kind], _data(job["data"], kind, named=bool(name)))
        else:
            _absent(job, key, name)
    except Denied as error:
        raise Failed(f"failed to change registry property '{name}' at {path}: Access to the registry key '{path}' is denied.") from error


def _present(job: Job, key: str, name: str, kind: ValueType, data: Data | None) -> None:
    machine, path = job.machine, job["path"]
    found = machine.registry.key(key)
    job.diff |= {"before": {path: {}} if found else {}, "after": {path: {}}}
    if found is None:
        job.change(lambda: make_key(machine, key))
    if data is None or (found is None and job.check):
        if data is not None:
            job.diff["after"][path][name] = _shown(Value(name, kind, data))
        return
    old, new = (found.value(name) if found else None), Value(name, kind, data)
    job.diff["after"][path][name] = _shown(new)
    if old is not None:
        job.diff["before"][path][name] = _shown(old)
        differs = old.data != new.data
        job.result |= {"data_changed": differs, "data_type_changed": old.type != new.type}
        if not differs and old.type == new.type:
            return
    job.change(lambda: put_value(machine, key, new))


def _absent(job: Job, key: str, name: str | None) -> None:
    machine, path = job.machine, job["path"]
    found = machine.registry.key(key)
    if found is None:
        return
    if name is None and job["delete_key"]:
        job.diff |= {"before": {path: {value.name: _shown(value) for value in found.values()}}, "after": ""}
        if "\\" not in key.partition("\\")[2].strip("\\") and not key.partition("\\")[2]:
            raise Failed("failed to delete registry key: a hive can't be deleted")
        job.change(lambda: remove_key(machine, key))
        return
    value = found.value(name or "")
    if value is not None:
        job.diff |= {"before": {path: {name or "": _shown(value)}}, "after": {path: {}}}
        job.change(lambda: clear_value(machine, key, name or ""))


def _shown(value: Value) -> dict[str, Any]:
    data: Any = value.data
    if isinstance(data, bytes):
        data = [f"0x{byte:x}" for byte in data]
    return {"type": _KINDS[value.type], "value": list(data) if isinstance(data, tuple) else data}


def _data(data: Any, kind: str, *, named: bool) -> Data | None:
    if kind in ("binary", "none"):
        return _bytes(data)
    if kind in ("dword", "qword"):
        return _number(data, kind)
    if kind == "multistring":
        return tuple(str(item) for item in (data if isinstance(data, list) else [] if data is None else [data]))
    if data is None:
        return "" if named else None
    return str(data)


def _bytes(data: Any) -> bytes:
    if data is None:
        return b""
    if isinstance(data, list):
        return bytes(int(item) for item in data)
    if isinstance(data, int):
        if data > 255:
            raise Failed(
                f"cannot convert binary data '{data}' to byte array, please specify this value as a yaml byte array or a comma "
                "separated hex value string"
            )
        return bytes([data])
    try:
        return bytes.fromhex(re.sub(r"[^a-f0-9]", "", re.sub(r"^hex:", "", str(data).lower()).replace("0x", "")))
    except ValueError as error:
        raise Failed(f"cannot convert binary data '{data}' to byte array: {error}") from error


def _number(data: Any, kind: str) -> int:
    try:
        number = 0 if data is None else int(str(data), 0) if isinstance(data, str) else int(data)
    except ValueError as error:
        raise Failed(f"cannot convert the data '{data}' to a number: {error}") from error
    bits = 32 if kind == "dword" else 64
    if number >= 1 << bits:
        raise Failed(f"data cannot be larger than 0x{'f' * (bits // 4)} when type is {kind}")
    return number % (1 << bits)


def _reg_stat(job: Job) -> None:
    path, name = job["path"], job["name"]
    if not _PATH.match(path):
        raise Failed(f"path: {path} is not a valid registry path, see module documentation for examples.")
    key = job.machine.registry.key(lab_path(path))
    if key is None:
        job.result["exists"] = False
    elif name is None:
        properties = {value.name: _stat(job.machine, value) for value in key.values()}
        job.result |= {"exists": True, "properties": properties, "sub_keys": [child.name for child in key.subkeys()]}
    else:
        value = key.value(name)
        job.result |= {"exists": value is not None, **(_stat(job.machine, value) if value else {})}


def _stat(machine: Machine, value: Value) -> dict[str, Any]:
    data: Any = value.data
    raw = data
    if isinstance(data, bytes):
        data, raw = list(data), [f"0x{byte:02x}" for byte in data]
    elif isinstance(data, tuple):
        data = raw = list(data)
    elif value.type == "REG_EXPAND_SZ":
        data = expand(str(data), machine)
    return {"type": value.type, "value": data, "raw_value": raw}


MODULES: Mapping[str, ModuleSpec] = {
    "win_regedit": ModuleSpec(
        options={
            "path": Option(required=True, aliases=("key",)),
            "name": Option(aliases=("entry", "value")),
            "data": Option(type="raw"),
            "type": Option(default="string", choices=tuple(_TYPES), aliases=("datatype",)),
            "state": Option(default="present", choices=("present", "absent")),
            "delete_key": Option(type="bool", default=True),
        },
        body=_regedit,
    ),
    "win_reg_stat": ModuleSpec(
        options={"path": Option(required=True, aliases=("key",)), "name": Option(aliases=("entry", "value"))}, body=_reg_stat
    ),
}
