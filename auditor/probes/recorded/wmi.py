"""Pages of WS-Management enumerations of WMI classes (2003 to today), and CIM's own XML, to objects with typed properties.

Several pages are one enumeration, in the order of their names: a page that is missing is a fault, for what it held is not known.
Local names decide, not namespaces: they differ between WinRM 1.1 and later. Of a page that was cut, the instances before the cut are read.
"""

from __future__ import annotations

import io
import re
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring, iterparse

from auditor.probes.recorded.cimtypes import cim_type, typed_text
from auditor.probes.recorded.jsontext import looks_like_json
from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.recorded.psxml import Texts, local_name, read_clixml, read_converted
from auditor.probes.recorded.wmilists import Property, WmiObject, read_wmi_listing

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_DECLARATION = re.compile(r"^\s*<\?xml\b[^>]{0,300}\?>")
_NAMED = re.compile(r"((?:Win32|CIM|MSFT)_[A-Za-z0-9_]+?)(?:_(?:all|star))?(?:[_-]\d+)?\.\w+$")
_MAX_DEPTH = 16
_MAX_CHARACTERS = 32 * 1024 * 1024
_XML = re.compile(r"^[ \t\ufeff]*<[A-Za-z?!]", re.MULTILINE)
_LAST_TAG = re.compile(r"(?:</[^<>]{1,300}>|/>)(?=[^<]*\Z)")
_CHARACTER = re.compile(r"&#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}));|([\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff])")
_ENVELOPE_END = re.compile(r"</(?:[\w.-]{1,40}:)?Envelope\s*>")


class WmiReader:
    """Reads the pages of one or more enumerations in order."""

    def __init__(self) -> None:
        self._open: bool | None = False
        """Whether pages are to follow; None after a page that was cut, where that is not known."""

    def read_page(self, text: str, name: str = "") -> Outcome[WmiObject]:
        """The objects of one page (or of several in one text), and what is wrong with it or its place in the enumeration.

        `name` is the page's file name: where a page does not say its class, a class in the name does.
        """
        if not looks_like_xml(text):
            return read_wmi_listing(text)
        if len(text) > _MAX_CHARACTERS:
            return failed(f"more than {_MAX_CHARACTERS} characters: not read")
        outcome: Outcome[WmiObject] = Outcome()
        for start, piece in _documents(text):
            self._read_document(outcome, piece, name, text.count("\n", 0, start))
        return outcome

    def _read_document(self, outcome: Outcome[WmiObject], text: str, name: str, lines_before: int) -> None:
        root, fault_of_text = _parse(text, lines_before)
        if fault_of_text is not None:
            outcome.faults.append(fault_of_text)
        if root is None:
            self._open = None
            return
        response = _find(root, ("EnumerateResponse", "PullResponse"))
        fault = _find(root, ("Fault",))
        if response is not None:
            ended = None if fault_of_text else _find(response, ("EndOfSequence",)) is not None
            self._sequence(outcome, local_name(response.tag), ended=ended)
            _items(outcome, response, _resource_class(root) or _class_in(name))
        elif fault is not None:
            outcome.faults.append(Fault(place="Body", message=_fault_words(fault)))
        elif fault_of_text is None:
            (_bare if local_name(root.tag) != "Envelope" else _single)(outcome, root)

    def finish(self) -> Outcome[WmiObject]:
        """What is wrong with the enumeration as a whole once all pages were read."""
        return failed("the last page has no end of sequence: pages are missing") if self._open else Outcome()

    def _sequence(self, outcome: Outcome[WmiObject], kind: str, *, ended: bool | None) -> None:
        if kind == "EnumerateResponse" and self._open:
            outcome.faults.append(Fault(place="Body", message="the enumeration before this page has no end: pages are missing"))
        if kind == "PullResponse" and self._open is False:
            outcome.faults.append(Fault(place="Body", message="a later page of an enumeration whose first pages are missing"))
        self._open = None if ended is None else not ended


def looks_like_xml(text: str) -> bool:
    """Whether a line among the first ones starts as XML."""
    return not looks_like_json(text) and bool(_XML.search(text[:8192]))


def read_objects(text: str) -> Outcome[WmiObject]:
    """The instances of one text in XML, whoever wrote it, without a look at whether it is a whole enumeration."""
    return WmiReader().read_page(text)


def page_order(text: str) -> int:
    """0 for a page that starts an enumeration, 2 for one that ends an earlier one, 1 for pages between and for what is no page."""
    if re.search(r"<(?:[\w.-]{1,40}:)?EnumerateResponse\b", text):
        return 0
    return 2 if re.search(r"<(?:[\w.-]{1,40}:)?EndOfSequence\b", text) else 1


def _documents(text: str) -> list[tuple[int, str]]:
    """The envelopes that stand one after the other in a text; what is no envelope is one piece."""
    pieces: list[tuple[int, str]] = []
    start = 0
    for match in _ENVELOPE_END.finditer(text):
        pieces.append((start, text[start : match.end()]))
        start = match.end()
    if not pieces or text[start:].strip("\ufeff\0 \r\n\t"):
        pieces.append((start, text[start:]))
    return pieces


def _parse(text: str, lines_before: int) -> tuple[Any, Fault | None]:
    """The document, or what stood whole before the place where it breaks, with the fault."""
    body = _DECLARATION.sub("", _without_prompts(text), count=1).strip("\ufeff\0 \r\n\t")
    try:
        try:
            return fromstring(body, forbid_dtd=True), None
        except ParseError:
            body = _CHARACTER.sub(_allowed, body)  # a host's text may hold characters that XML has no place for
            return fromstring(body, forbid_dtd=True), None
    except ParseError as error:
        line, column = error.position
        place = f"line {lines_before + line}, column {column}"
        return _before_the_cut(body), Fault(place=place, message=re.sub(r": line \d+, column \d+$", "", str(error)))
    except (DefusedXmlException, ValueError, LookupError, RecursionError) as error:
        return None, Fault(place="line 1", message=f"refused: {type(error).__name__}")


def _without_prompts(text: str) -> str:
    """The document without what a console printed before and after it; line ends before it stay, for the places of faults."""
    start = _XML.search(text)
    if start is None:
        return text
    last = _LAST_TAG.search(text, start.start())
    return "\n" * text.count("\n", 0, start.start()) + text[start.start() : last.end() if last else len(text)]


def _allowed(match: re.Match[str]) -> str:
    code = int(match[1], 16) if match[1] else int(match[2]) if match[2] else ord(match[3])
    fits = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or 0x10000 <= code < 0x110000
    return match[0] if fits else "\ufffd"


def _before_the_cut(body: str) -> Any:
    """The tree up to the break, without the instance that it lies in; None where not even the list of instances had begun."""
    opened: list[Any] = []
    try:
        for event, element in iterparse(io.BytesIO(body.encode("utf-8", errors="replace")), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                opened.append(element)
            else:
                opened.pop()
    except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError):
        pass
    holder = next((i for i, e in enumerate(opened) if local_name(e.tag) == "Items"), None)
    if holder is None:
        return None
    for broken in opened[holder + 1 : holder + 2]:
        opened[holder].remove(broken)
    return opened[0]


def _find(root: Any, names: tuple[str, ...]) -> Any:
    return next((e for e in root.iter() if local_name(e.tag) in names), None)


def _resource_class(root: Any) -> str | None:
    """The class of the resource URI in a header, unless it is a query over all (`*`)."""
    uri = _find(root, ("ResourceURI",))
    name = (uri.text or "").strip().rpartition("/")[2] if uri is not None else ""
    return name if name and name != "*" else None


def _class_in(name: str) -> str | None:
    match = _NAMED.search(name[-300:])
    return match.group(1) if match else None


def _items(outcome: Outcome[WmiObject], response: Any, class_name: str | None) -> None:
    holder = next((e for e in response if local_name(e.tag) == "Items"), None)
    for element in holder if holder is not None else ():
        name = local_name(element.tag)
        if name == "Item":
            inner = next((e for e in element if local_name(e.tag) != "EndpointReference"), None)
            if inner is None:
                outcome.skipped += 1
                continue
            element, name = inner, local_name(inner.tag)
        if name == "EndpointReference":
            outcome.skipped += 1
            continue
        outcome.records.append(_object(element, None if name == "XmlFragment" else name, class_name))


def _bare(outcome: Outcome[WmiObject], root: Any) -> None:
    """A document without an envelope: instances of CIM-XML, one instance, or `wsman:Results` around several (`winrm -format:xml`)."""
    if instances := [e for e in root.iter() if e.tag == "INSTANCE" and e.get("CLASSNAME")]:
        outcome.records.extend(_cim_xml(e) for e in instances)
    elif local_name(root.tag) in ("Objs", "Objects"):
        read = list((read_clixml if local_name(root.tag) == "Objs" else read_converted)(root))
        outcome.records.extend(_of_powershell(class_name, texts) for class_name, texts in read)
        if not read:
            outcome.faults.append(Fault(place="line 1", message=f"<{local_name(root.tag)}> holds no object with properties"))
    elif local_name(root.tag) in ("Results", "Items"):
        outcome.records.extend(_object(e, local_name(e.tag), None) for e in root)
    elif len(root) and local_name(root.tag) not in ("COMMAND", "CIM"):
        outcome.records.append(_object(root, local_name(root.tag), None))
    else:
        outcome.faults.append(Fault(place="line 1", message=f"<{local_name(root.tag)}> holds no instance"))


def _of_powershell(class_name: str | None, texts: Texts) -> WmiObject:
    properties: dict[str, Property] = {}
    types: dict[str, str | None] = {}
    for key, (value, type_) in texts.items():
        known = type_ or cim_type(class_name, key)
        bare = (known or "").removesuffix("[]") or None
        properties[key] = (
            [typed_text(v, bare)[0] for v in value] if isinstance(value, list) else typed_text(value, bare)[0] if value else value
        )
        types[key] = known
    return WmiObject(class_name=class_name, properties=properties, types=types)


def _cim_xml(instance: Any) -> WmiObject:
    """An INSTANCE of DMTF's CIM-XML (`wmic /format:rawxml`): properties say their types, one without a value is null."""
    properties: dict[str, Property] = {}
    types: dict[str, str | None] = {}
    for element in instance:
        key, type_ = element.get("NAME"), element.get("TYPE")
        values = [e.text or "" for e in element.iter("VALUE")]
        if key and element.tag == "PROPERTY":
            properties[key] = typed_text(values[0], type_)[0] if values else None
            types[key] = type_
        elif key and element.tag == "PROPERTY.ARRAY":
            properties[key] = [typed_text(v, type_)[0] for v in values] if len(element) else None
            types[key] = f"{type_}[]" if type_ else None
    return WmiObject(class_name=instance.get("CLASSNAME"), properties=properties, types=types)


def _single(outcome: Outcome[WmiObject], root: Any) -> None:
    """The answer to a Get, or an envelope that is no answer at all."""
    body = _find(root, ("Body",))
    first = next(iter(body), None) if body is not None else None
    if first is not None and "/wmi/" in str(first.tag):
        outcome.records.append(_object(first, local_name(first.tag), None))
    else:
        outcome.faults.append(Fault(place="Body", message="neither an answer of an enumeration nor a fault"))


def _fault_words(fault: Any) -> str:
    words = [
        " ".join((e.text or "").split())
        for e in fault.iter()
        if local_name(e.tag) in ("Text", "Message", "Value") and (e.text or "").strip()
    ]
    codes = [str(e.get("Code")) for e in fault.iter() if e.get("Code")]
    return "the host answered a fault: " + "; ".join(dict.fromkeys([*words, *(f"code {c}" for c in codes)]))[:600]


def _object(element: Any, name: str | None, hint: str | None) -> WmiObject:
    creation = next((e.text for e in element if local_name(e.tag) == "CreationClassName" and e.text), None)
    declared = (element.get(_TYPE) or "").rpartition(":")[2].removesuffix("_Type") or None
    class_name = name or declared or creation or hint
    properties: dict[str, Property] = {}
    types: dict[str, str | None] = {}
    for child in element:
        key = local_name(child.tag)
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
    names = {local_name(c.tag) for c in children}
    if len(children) == 1 and names <= {"Datetime", "Interval", "Date", "Time", "CIM_DateTime"}:
        return (children[0].text or "").strip() or None, "datetime"
    if "ReferenceParameters" in names:
        return _reference(element), "reference"
    if depth >= _MAX_DEPTH:
        return "".join(element.itertext())[:1000], None
    embedded: dict[str, Property] = {}
    inner: dict[str, str | None] = {}
    for child in children:
        key = local_name(child.tag)
        value, type_ = _property(child, cim_type(None, key), depth + 1)
        _put(embedded, inner, key, value, type_)
    return embedded, "object"


def _reference(element: Any) -> dict[str, Property]:
    uri = _find(element, ("ResourceURI",))
    selectors = {s.get("Name") or "": s.text or "" for s in element.iter() if local_name(s.tag) == "Selector"}
    return {"class": ((uri.text or "").strip().rpartition("/")[2] or None) if uri is not None else None, "selectors": dict(selectors)}
