"""The registry below HKEY_LOCAL_MACHINE through StdRegProv: keys, values as text, numbers and lists, as the rows of the probe have them.

Rules of this file:
1. What is absent is None or empty; what is denied raises CollectError (status denied). Neither is ever taken for the other.
2. An answer is kept for the host's other sections: a key is asked about once.
3. StdRegProv has a method for each type. A text is asked for as REG_SZ first, the type only where the host says that it is another.
4. Whether a REG_EXPAND_SZ comes as it is written is tried out once a host, with a value that every Windows has (`windir`).
Return codes: 1 and 2 no such value or key, 5 access denied, 0x80041005 another type (as observed by administrators; WMI error constants).
"""

from __future__ import annotations

from auditor.model.errors import CollectError
from auditor.probes.wmi.properties import number_of, texts_of, whole_number
from auditor.probes.wmi.questions import Method, Output, RegistryCall, Steps

ENVIRONMENT = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
TYPES = {0: "REG_NONE", 1: "REG_SZ", 2: "REG_EXPAND_SZ", 3: "REG_BINARY", 4: "REG_DWORD", 7: "REG_MULTI_SZ", 11: "REG_QWORD"}
MAY_WRITE = 0x0002
"""KEY_SET_VALUE."""
_ABSENT = (1, 2)
_DENIED = (5, 0x80041003)
_OTHER_TYPE = 0x80041005
_METHODS: dict[str, Method] = {
    "REG_SZ": "GetStringValue", "REG_EXPAND_SZ": "GetStringValue", "REG_MULTI_SZ": "GetMultiStringValue",
    "REG_DWORD": "GetDWORDValue", "REG_QWORD": "GetQWORDValue", "REG_BINARY": "GetBinaryValue", "REG_NONE": "GetBinaryValue",
}  # fmt: skip
Data = str | int | bytes | list[str]


class Registry:
    """One host's registry, as far as it was asked for."""

    def __init__(self) -> None:
        self._answers: dict[RegistryCall, Output] = {}
        self.expands: bool | None = None
        """Whether variables in REG_EXPAND_SZ values come replaced; None until it was tried out."""

    def _call(self, method: Method, key: str, value: str | None = None) -> Steps[Output]:
        """The method's answer; absence and other types are left to the caller. Raises CollectError."""
        call = RegistryCall(method, key, value)
        if call not in self._answers:
            output: Output = yield call
            self._answers[call] = output
        answer = self._answers[call]
        if answer.code in _DENIED:
            raise CollectError("", rf"access to the key HKLM\{key} is denied", status="denied")
        if answer.code not in (0, *_ABSENT, _OTHER_TYPE):
            raise CollectError("", rf"HKLM\{key} can't be read: {method} says 0x{answer.code:X}")
        return answer

    def subkeys(self, key: str) -> Steps[list[str]]:
        """Names of subkeys; empty where the key is absent."""
        answer = yield from self._call("EnumKey", key)
        return sorted(texts_of(answer.values, "sNames"), key=str.upper)

    def exists(self, key: str) -> Steps[bool]:
        """Whether there is such a key."""
        answer = yield from self._call("EnumKey", key)
        return answer.code == 0

    def values(self, key: str) -> Steps[dict[str, str | None] | None]:
        """Names of values to their types (None for a type unknown here); None where the key is absent. The default value has the empty
        name."""
        answer = yield from self._call("EnumValues", key)
        if answer.code != 0:
            return None
        names, types = answer.values.get("sNames"), texts_of(answer.values, "Types")
        listed = names if isinstance(names, list) else [names] if isinstance(names, str) else []
        kinds = [TYPES.get(-1 if (number := whole_number(kind)) is None else number) for kind in types]
        return dict(zip(listed, kinds, strict=False))

    def typed(self, key: str, name: str, kind: str) -> Steps[Data | None]:
        """The data of a value whose type is known; None where it is absent or of another type by now."""
        method = _METHODS[kind]
        if kind == "REG_EXPAND_SZ" and (yield from self.replaced()):
            method = "GetExpandedStringValue"
        answer = yield from self._call(method, key, name)
        return _data(answer, method) if answer.code == 0 else None

    def data(self, key: str, name: str) -> Steps[Data | None]:
        """The data of a value of whatever type; None where it is absent."""
        answer = yield from self._call("GetStringValue", key, name)
        if answer.code == 0:
            return _data(answer, "GetStringValue")
        if answer.code in _ABSENT:
            return None
        kinds = (yield from self.values(key)) or {}
        kind = next((kind for known, kind in kinds.items() if known.upper() == name.upper()), None)
        return (yield from self.typed(key, name, kind)) if kind and kind != "REG_SZ" else None

    def text(self, key: str, name: str) -> Steps[str | None]:
        """A value as the text that rows carry; null where it is absent or empty."""
        data = yield from self.data(key, name)
        return text_of_data(data) or None

    def number(self, key: str, name: str) -> Steps[int | None]:
        """A DWORD or QWORD; None where it is absent or no number."""
        answer = yield from self._call("GetDWORDValue", key, name)
        if answer.code == _OTHER_TYPE:
            answer = yield from self._call("GetQWORDValue", key, name)
        return number_of(answer.values, "uValue") if answer.code == 0 else None

    def items(self, key: str, name: str) -> Steps[list[str]]:
        """The items of a REG_MULTI_SZ without the empty ones; a text is a list of one."""
        answer = yield from self._call("GetMultiStringValue", key, name)
        if answer.code == 0:
            return [item for item in texts_of(answer.values, "sValue") if item]
        data = (yield from self.data(key, name)) if answer.code == _OTHER_TYPE else None
        return [data] if isinstance(data, str) and data else []

    def binary(self, key: str, name: str) -> Steps[bytes | None]:
        """A REG_BINARY; None where it is absent or of another type."""
        answer = yield from self._call("GetBinaryValue", key, name)
        data = _data(answer, "GetBinaryValue") if answer.code == 0 else None
        return data if isinstance(data, bytes) else None

    def replaced(self) -> Steps[bool]:
        """Whether REG_EXPAND_SZ values come with their variables replaced on this host."""
        if self.expands is None:
            answer = yield from self._call("GetStringValue", ENVIRONMENT, "windir")
            text = answer.values.get("sValue")
            self.expands = answer.code != 0 or not isinstance(text, str) or "%" not in text
        return self.expands

    def may_write(self, key: str) -> Steps[bool | None]:
        """Whether the account holds the right to set values in a key; nothing is written. None where the host does not say."""
        output: Output = yield RegistryCall("CheckAccess", key, None, MAY_WRITE)
        granted = output.values.get("bGranted")
        return {"true": True, "false": False}.get(granted.lower()) if isinstance(granted, str) else None


def _data(answer: Output, method: Method) -> Data | None:
    if method in ("GetDWORDValue", "GetQWORDValue"):
        return number_of(answer.values, "uValue")
    if method == "GetMultiStringValue":
        return texts_of(answer.values, "sValue")
    if method == "GetBinaryValue":
        numbers = [whole_number(item) for item in texts_of(answer.values, "uValue")]
        return bytes(number for number in numbers if number is not None and 0 <= number < 256)
    text = answer.values.get("sValue")
    return text if isinstance(text, str) else ""


def text_of_data(data: Data | None) -> str | None:
    """Registry data as text: numbers in decimal, bytes as hex, lists joined by line feeds."""
    if data is None or isinstance(data, str):
        return data
    if isinstance(data, bytes):
        return data.hex()
    return str(data) if isinstance(data, int) else "\n".join(data)
