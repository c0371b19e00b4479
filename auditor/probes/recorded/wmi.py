"""Pages of WS-Management enumerations of WMI classes (2003 to today), and wmic's lists, to objects with typed properties.

Several pages are one enumeration, in the order of their names: a page that is missing is a fault, for what it held is not known.
Local names decide, not namespaces: they differ between WinRM 1.1 and later.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import ParseError

import msgspec
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from auditor.probes.recorded.cimtypes import Value, cim_type, typed_text
from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.recorded.properties import read_blocks

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]{0,300}\?>")
_NAMED = re.compile(r"((?:Win32|CIM|MSFT)_[A-Za-z0-9_]+?)(?:_(?:all|star))?(?:[_-]\d+)?\.\w+$")
_MAX_DEPTH = 16
_MAX_CHARACTERS = 32 * 1024 * 1024
Property = Value | list[Any] | dict[str, Any]


class WmiObject(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a WMI class."""

    class_name: str | None = msgspec.field(name="class", default=None)
    """The class; None where a query's fragment does not say it."""
    properties: dict[str, Property] = {}
    """Values by name: null for nil, lists for arrays, ISO 8601 texts for datetimes, objects for references and embedded instances."""
    types: dict[str, str | None] = {}
    """CIM type of each property: boolean, string, uint32, datetime, reference, object, `[]` behind arrays; null where it is not known."""


class WmiReader:
    """Reads the pages of one or more enumerations in order."""

    def __init__(self) -> None:
        self._open = False
        self._pages = 0

    def read_page(self, text: str, name: str = "") -> Outcome[WmiObject]:
        """The objects of one page, and what is wrong with it or its place in the enumeration.

        `name` is the page's file name: where a page does not say its class, a class in the name does.
        """
        if "<" not in text[:4096]:
            return read_wmic_list(text)
        if len(text) > _MAX_CHARACTERS:
            return failed(f"more than {_MAX_CHARACTERS} characters: not read")
        root = _parse(text)
        if isinstance(root, Fault):
            return Outcome(faults=[root])
        outcome: Outcome[WmiObject] = Outcome()
        response = _find(root, ("EnumerateResponse", "PullResponse"))
        fault = _find(root, ("Fault",))
        if response is not None:
            self._sequence(outcome, _local(response.tag), ended=_find(response, ("EndOfSequence",)) is not None)
            _items(outcome, response, _resource_class(root) or _class_in(name))
        elif fault is not None:
            outcome.faults.append(Fault(place="Body", message=_fault_words(fault)))
        elif _local(root.tag) != "Envelope":
            _bare(outcome, root)
        else:
            _single(outcome, root)
        self._pages += 1
        return outcome

    def finish(self) -> Outcome[WmiObject]:
        """What is wrong with the enumeration as a whole once all pages were read."""
        return failed("the last page has no end of sequence: pages are missing") if self._open else Outcome()

    def _sequence(self, outcome: Outcome[WmiObject], kind: str, *, ended: bool) -> None:
        if kind == "EnumerateResponse" and self._open:
            outcome.faults.append(Fault(place="Body", message="the enumeration before this page has no end: pages are missing"))
        if kind == "PullResponse" and not self._open:
            outcome.faults.append(Fault(place="Body", message="a later page of an enumeration whose first pages are missing"))
        self._open = not ended


def _parse(text: str) -> Any:
    try:
        return fromstring(_DECLARATION.sub("", text, count=1).strip("\ufeff\0 \r\n\t"), forbid_dtd=True)
    except ParseError as error:
        line, column = error.position
        return Fault(place=f"line {line}, column {column}", message=re.sub(r": line \d+, column \d+$", "", str(error)))
    except (DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        return Fault(place="line 1", message=f"refused: {type(error).__name__}")


def _local(tag: Any) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _find(root: Any, names: tuple[str, ...]) -> Any:
    return next((e for e in root.iter() if _local(e.tag) in names), None)


def _resource_class(root: Any) -> str | None:
    """The class of the resource URI in a header, unless it is a query over all (`*`)."""
    uri = _find(root, ("ResourceURI",))
    name = (uri.text or "").strip().rpartition("/")[2] if uri is not None else ""
    return name if name and name != "*" else None


def _class_in(name: str) -> str | None:
    match = _NAMED.search(name[-300:])
    return match.group(1) if match else None


def _items(outcome: Outcome[WmiObject], response: Any, class_name: str | None) -> None:
    holder = next((e for e in response if _local(e.tag) == "Items"), None)
    for element in holder if holder is not None else ():
        name = _local(element.tag)
        if name == "Item":
            inner = next((e for e in element if _local(e.tag) != "EndpointReference"), None)
            if inner is None:
                outcome.skipped += 1
                continue
            element, name = inner, _local(inner.tag)
        if name == "EndpointReference":
            outcome.skipped += 1
            continue
        outcome.records.append(_object(element, None if name == "XmlFragment" else name, class_name))


def _bare(outcome: Outcome[WmiObject], root: Any) -> None:
    """A document without an envelope: one instance, or `wsman:Results` around several (`winrm enumerate -format:xml`)."""
    if _local(root.tag) in ("Results", "Items"):
        outcome.records.extend(_object(e, _local(e.tag), None) for e in root)
    elif len(root):
        outcome.records.append(_object(root, _local(root.tag), None))
    else:
        outcome.faults.append(Fault(place="line 1", message=f"<{_local(root.tag)}> holds no instance"))


def _single(outcome: Outcome[WmiObject], root: Any) -> None:
    """The answer to a Get, or an envelope that is no answer at all."""
    body = _find(root, ("Body",))
    first = next(iter(body), None) if body is not None else None
    if first is not None and "/wmi/" in str(first.tag):
        outcome.records.append(_object(first, _local(first.tag), None))
    else:
        outcome.faults.append(Fault(place="Body", message="neither an answer of an enumeration nor a fault"))


def _fault_words(fault: Any) -> str:
    words = [
        " ".join((e.text or "").split()) for e in fault.iter() if _local(e.tag) in ("Text", "Message", "Value") and (e.text or "").strip()
    ]
    codes = [str(e.get("Code")) for e in fault.iter() if e.get("Code")]
    return "the host answered a fault: " + "; ".join(dict.fromkeys([*words, *(f"code {c}" for c in codes)]))[:600]


def _object(element: Any, name: str | None, hint: str | None) -> WmiObject:
    creation = next((e.text for e in element if _local(e.tag) == "CreationClassName" and e.text), None)
    declared = (element.get(_TYPE) or "").rpartition(":")[2].removesuffix("_Type") or None
    class_name = name or declared or creation or hint
    properties: dict[str, Property] = {}
    types: dict[str, str | None] = {}
    for child in element:
        key = _local(child.tag)
        if not key:
            continue
        value, type_ = _property(child, cim_type(class_name, key), 0)
        _put(properties, types, key, value, type_)
    _make_arrays(class_name, properties, types)
    return WmiObject(class_name=class_name, properties=properties, types=types)


def _put(properties: dict[str, Property], types: dict[str, str | None], key: str, value: Property, type_: str | None) -> None:
    """An element that comes again is an array."""
    if key not in properties:
        properties[key], types[key] = value, type_
        return
    before = properties[key]
    if (types[key] or "").endswith("[]") and isinstance(before, list):
        before.append(value)
    else:
        properties[key] = [before, value]
        types[key] = f"{types[key] or type_ or ''}[]" if types[key] or type_ else "[]"


def _make_arrays(class_name: str | None, properties: dict[str, Property], types: dict[str, str | None]) -> None:
    """A property that is known to be an array is one with a single item too."""
    for key, value in properties.items():
        known = cim_type(class_name, key) or ""
        if known.endswith("[]") and value is not None and not isinstance(value, list):
            properties[key], types[key] = [value], known
        elif known.endswith("[]"):
            types[key] = known


def _property(element: Any, known: str | None, depth: int) -> tuple[Property, str | None]:
    if (element.get(_NIL) or "").strip() in ("true", "1"):
        return None, known
    children = list(element)
    if not children:
        return typed_text(element.text or "", known)
    names = {_local(c.tag) for c in children}
    if len(children) == 1 and names <= {"Datetime", "Interval", "Date", "Time", "CIM_DateTime"}:
        return (children[0].text or "").strip() or None, "datetime"
    if "ReferenceParameters" in names:
        return _reference(element), "reference"
    if depth >= _MAX_DEPTH:
        return "".join(element.itertext())[:1000], None
    embedded: dict[str, Property] = {}
    inner: dict[str, str | None] = {}
    for child in children:
        key = _local(child.tag)
        value, type_ = _property(child, cim_type(None, key), depth + 1)
        _put(embedded, inner, key, value, type_)
    return embedded, "object"


def _reference(element: Any) -> dict[str, Property]:
    uri = _find(element, ("ResourceURI",))
    selectors = {s.get("Name") or "": s.text or "" for s in element.iter() if _local(s.tag) == "Selector"}
    return {"class": ((uri.text or "").strip().rpartition("/")[2] or None) if uri is not None else None, "selectors": dict(selectors)}


def read_wmic_list(text: str) -> Outcome[WmiObject]:
    """`wmic ... /format:list`: `Name=value` lines; an empty value is null, `{...}` an array."""
    outcome: Outcome[WmiObject] = Outcome()
    for block in read_blocks(text):
        class_name = block.values.get("CreationClassName") or block.values.get("__CLASS") or None
        properties: dict[str, Property] = {}
        types: dict[str, str | None] = {}
        for name, value in block.values.items():
            known = cim_type(class_name, name)
            properties[name], types[name] = _listed(value, known)
        outcome.records.append(WmiObject(class_name=class_name, properties=properties, types=types))
        if block.cut:
            outcome.faults.append(Fault(place=f"line {block.cut[0]}", message=f"the listing was cut inside {block.cut[1]}"))
    if not outcome.rows:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        outcome.faults.append(Fault(place="line 1", message=f"neither a page of an enumeration nor a list of properties: {first[:200]}"))
    return outcome


def _listed(value: str, known: str | None) -> tuple[Property, str | None]:
    if not value:
        return None, known
    if value.startswith("{") and value.endswith("}"):
        bare = (known or "string[]").removesuffix("[]")
        items = re.findall(r'"((?:[^"\\]|\\.)*)"|([^{},"\s]+)', value)
        return [typed_text(quoted or plain, bare)[0] for quoted, plain in items], f"{bare}[]"
    return typed_text(value, known)
