"""Objects as PowerShell writes them in XML (Export-Clixml, ConvertTo-Xml) to names, values and types. Knows nothing of what they mean.

Only scalars, lists of scalars and null are read; an object inside an object is left out, for no property of interest is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TYPES = {
    "S": "string", "C": "string", "B": "boolean", "By": "uint8", "SB": "sint8", "U16": "uint16", "I16": "sint16", "U32": "uint32",
    "I32": "sint32", "U64": "uint64", "I64": "sint64", "Sg": "real32", "Db": "real64", "DT": "datetime", "G": "string", "Version": "string",
}  # fmt: skip
_NET_TYPES = {
    "String": "string", "Boolean": "boolean", "Byte": "uint8", "SByte": "sint8", "UInt16": "uint16", "Int16": "sint16", "UInt32": "uint32",
    "Int32": "sint32", "UInt64": "uint64", "Int64": "sint64", "Single": "real32", "Double": "real64", "DateTime": "datetime",
}  # fmt: skip

Texts = dict[str, tuple[str | list[str] | None, str | None]]
"""Text, texts or null, and CIM type by name."""


def read_clixml(root: Any) -> Iterator[tuple[str | None, Texts]]:
    """Class and properties of each object of Export-Clixml; a list of objects stands for its objects."""
    names = {e.get("RefId"): e for e in root.iter() if local_name(e.tag) == "TN"}
    for element in _objects(root):
        types = next((e for e in element if local_name(e.tag) in ("TN", "TNRef")), None)
        if types is not None and local_name(types.tag) == "TNRef":
            types = names.get(types.get("RefId"))
        first = next((e.text for e in types if e.text), None) if types is not None else None
        yield (
            _class_of(first),
            {key: read for holder in element if local_name(holder.tag) in ("Props", "MS") for key, read in _clixml_values(holder)},
        )


def _objects(root: Any) -> Iterator[Any]:
    for element in root:
        if local_name(element.tag) != "Obj":
            continue
        if any(local_name(e.tag) == "Props" for e in element):
            yield element
        for inner in (e for e in element if local_name(e.tag) in ("LST", "IE")):
            yield from _objects(inner)


def _clixml_values(holder: Any) -> Iterator[tuple[str, tuple[str | list[str] | None, str | None]]]:
    for element in holder:
        name, kind = element.get("N"), local_name(element.tag)
        if not name or name.startswith("__"):
            continue
        if kind == "Nil":
            yield name, (None, None)
        elif kind in _TYPES:
            yield name, (element.text or "", _TYPES[kind])
        elif kind == "Obj" and (word := next((e.text for e in element if local_name(e.tag) == "ToString"), None)) and _is_word(element):
            yield name, (word, "string")
        elif kind == "Obj" and (items := next((e for e in element if local_name(e.tag) in ("LST", "IE")), None)) is not None:
            yield name, ([e.text or "" for e in items], f"{_TYPES.get(local_name(items[0].tag), 'string')}[]" if len(items) else "string[]")


def _is_word(element: Any) -> bool:
    """Whether an object is a word of an enumeration: its text and its number."""
    return any(local_name(e.tag) in ("I32", "U32", "By", "I16") for e in element)


def read_converted(root: Any) -> Iterator[tuple[str | None, Texts]]:
    """Class and properties of each object of ConvertTo-Xml."""
    for element in (e for e in root.iter() if local_name(e.tag) == "Object"):
        properties = {p.get("Name"): _converted(p) for p in element if local_name(p.tag) == "Property" and p.get("Name")}
        if properties:
            yield _class_of(element.get("Type")), properties


def _converted(element: Any) -> tuple[str | list[str] | None, str | None]:
    kind = _NET_TYPES.get((element.get("Type") or "").rpartition(".")[2])
    if len(element):
        return [e.text or "" for e in element], "string[]"
    return (element.text, kind) if element.text is not None else (None, kind)


def _class_of(type_name: str | None) -> str | None:
    """The class in `Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_Service`."""
    _, mark, path = (type_name or "").partition("#")
    return path.replace("\\", "/").rpartition("/")[2] or None if mark else None


def local_name(tag: Any) -> str:
    """An element's tag without its namespace; empty for comments and the like."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
