"""Enumeration pages and method answers of WS-Management as instances: XML in, values out. Pure; raises DecodeError only.

The two forms in which Windows writes an instance are read: `w:XmlFragment` (answers to a query: no class, no namespaces) and an element
named after the class. Values stay texts: the wire carries no schema. Sources: DSP0227 (WS-CIM binding), recorded pages of Server 2012.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

import msgspec

from auditor.model.errors import DecodeError
from auditor.probes.wmi.properties import whole_number
from auditor.probes.wmi.questions import Instance, Output, Value

_SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TIMES = frozenset({"Datetime", "Interval", "Date", "Time", "CIM_DateTime"})
_MOST_PROPERTIES = 2_000


class Item(msgspec.Struct, frozen=True):
    """One instance of a page."""

    instance: Instance
    class_name: str | None = None
    """None in answers to queries, which name no class."""


class Page(msgspec.Struct, frozen=True):
    """One answer to Enumerate or Pull."""

    items: list[Item]
    context: str | None = None
    """What to pull the next page with; None where there is none."""
    end: bool = False
    """Whether this was the last page."""


def read_page(data: bytes) -> Page:
    """The page in an EnumerateResponse or PullResponse. Raises DecodeError."""
    for element in _body(data):
        if _name(element) in ("EnumerateResponse", "PullResponse"):
            return _page(element)
    raise DecodeError("the answer is no page of an enumeration")


def read_output(data: bytes, method: str) -> Output:
    """What a method gave back. Raises DecodeError."""
    for element in _body(data):
        if _name(element) == f"{method}_OUTPUT":
            values = _instance(element)
            code = values.pop("ReturnValue", None)
            number = whole_number(code) if isinstance(code, str) else None
            if number is None:
                raise DecodeError(f"the answer of {method} has no return value")
            return Output(number & 0xFFFFFFFF, values)
    raise DecodeError(f"the answer is none of {method}")


def parse(data: bytes) -> ET.Element:
    """The root of an XML document without DTD or entities. Raises DecodeError."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root: ET.Element = fromstring(data, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        raise DecodeError(f"not well-formed XML ({type(error).__name__})") from error
    return root


def _body(data: bytes) -> Iterable[ET.Element]:
    root = parse(data)
    body = root.find(f"{_SOAP}Body")
    if root.tag != f"{_SOAP}Envelope" or body is None:
        raise DecodeError("the answer is no SOAP envelope")
    return body


def _name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _page(response: ET.Element) -> Page:
    items: list[Item] = []
    context, end = None, False
    for element in response:
        name = _name(element)
        if name == "Items":
            items += [_item(child) for child in element]
        elif name == "EnumerationContext":
            context = (element.text or "").strip() or None
        elif name == "EndOfSequence":
            end = True
    return Page(items, context, end or context is None)


def _item(element: ET.Element) -> Item:
    name = _name(element)
    if name == "Item" and len(element):  # ObjectAndEPR: the instance comes first
        element = element[0]
        name = _name(element)
    return Item(_instance(element), None if name == "XmlFragment" else name)


def _instance(element: ET.Element) -> Instance:
    """Properties by name; one that is repeated is an array."""
    if len(element) > 100 * _MOST_PROPERTIES:
        raise DecodeError(f"an instance of {len(element)} values: not taken")
    instance: Instance = {}
    for child in element:
        name, value = _name(child), _value(child)
        if name not in instance:
            instance[name] = value
            continue
        before = instance[name]
        items = before if isinstance(before, list) else [before or ""]
        items.append(value if isinstance(value, str) else "")
        instance[name] = items
    return instance


def _value(element: ET.Element) -> Value:
    if element.get(_NIL, "").lower() in ("true", "1"):
        return None
    if len(element):
        first = element[0]
        return first.text if _name(first) in _TIMES else None  # embedded instances are not asked for
    return element.text or ""
