"""StdRegProv on a lab host: its reading methods over the machine's registry, with the codes that Windows gives back. Pure."""

from __future__ import annotations

from typing import Any

from auditor.lab.machine import Machine
from auditor.lab.paths import expand
from auditor.lab.registry import Value

_HIVES = {0x80000002: "HKLM", 0x80000003: "HKU"}
_TYPES = {"REG_NONE": 0, "REG_SZ": 1, "REG_EXPAND_SZ": 2, "REG_BINARY": 3, "REG_DWORD": 4, "REG_MULTI_SZ": 7, "REG_QWORD": 11}
_READS: dict[str, tuple[tuple[str, ...], str]] = {
    "GetStringValue": (("REG_SZ", "REG_EXPAND_SZ"), "sValue"),
    "GetExpandedStringValue": (("REG_EXPAND_SZ", "REG_SZ"), "sValue"),
    "GetMultiStringValue": (("REG_MULTI_SZ",), "sValue"),
    "GetDWORDValue": (("REG_DWORD",), "uValue"),
    "GetQWORDValue": (("REG_QWORD",), "uValue"),
    "GetBinaryValue": (("REG_BINARY",), "uValue"),
}
"""Method to the types that it takes and the name of its result."""
READING = frozenset({*_READS, "EnumKey", "EnumValues", "CheckAccess"})
_NO_VALUE, _NO_KEY, _DENIED, _OTHER_TYPE = 1, 2, 5, 0x80041005
_MAY_CHANGE = 0x0002 | 0x0004 | 0x00010000 | 0x00040000 | 0x00080000
"""KEY_SET_VALUE, KEY_CREATE_SUB_KEY, DELETE, WRITE_DAC, WRITE_OWNER."""


def call(machine: Machine, method: str, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """Return value and results of a reading method. Raises ValueError for a parameter that makes no sense."""
    hive = _HIVES.get(int(given.get("hDefKey") or 0x80000002))
    path = given.get("sSubKeyName", "").strip("\\")
    full = f"{hive}\\{path}" if path else f"{hive}"
    key = machine.registry.key(full) if hive else None
    if method == "CheckAccess":
        return _check(machine, full, key is not None, int(given.get("uRequired") or 0))
    if key is None:
        return _NO_KEY, _nothing(method)
    if not machine.may_read(full):
        return _DENIED, _nothing(method)
    if method == "EnumKey":
        return 0, {"sNames": [child.name for child in key.subkeys()]}
    if method == "EnumValues":
        values = key.values()
        return 0, {"sNames": [value.name for value in values], "Types": [_TYPES[value.type] for value in values]}
    kinds, result = _READS[method]
    value = key.value(given.get("sValueName", ""))
    if value is None:
        return _NO_VALUE, {result: None}
    if value.type not in kinds:
        return _OTHER_TYPE, {result: None}
    return 0, {result: _data(machine, method, value)}


def _nothing(method: str) -> dict[str, Any]:
    return {"sNames": None} if method.startswith("Enum") else {_READS[method][1]: None}


def _data(machine: Machine, method: str, value: Value) -> Any:
    if isinstance(value.data, bytes):
        return list(value.data)
    if method == "GetExpandedStringValue" and isinstance(value.data, str):
        return expand(value.data, machine)
    return value.data


def _check(machine: Machine, path: str, present: bool, required: int) -> tuple[int, dict[str, Any]]:
    """Only administrators may change keys of the machine; what is asked about is not done."""
    if not present:
        return _NO_KEY, {"bGranted": None}
    granted = machine.may_read(path) and (machine.access.elevated or not required & _MAY_CHANGE)
    return (0 if granted else _DENIED), {"bGranted": granted}
