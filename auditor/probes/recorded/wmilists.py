"""Instances of WMI classes as command-line tools print them: wmic's lists and CSV, `winrm enumerate`, Get-CimInstance as JSON or list.

A value is what was printed, under the class reference's type where the property is known (`cimtypes`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from auditor.probes.recorded.cimtypes import Value, cim_type, typed_text
from auditor.probes.recorded.csvtext import read_row, read_rows
from auditor.probes.recorded.jsontext import looks_like_json, read_json
from auditor.probes.recorded.layout import cells, cut, lines_of
from auditor.probes.recorded.moments import json_moment
from auditor.probes.recorded.outcome import Fault, Outcome
from auditor.probes.recorded.properties import read_blocks
from auditor.probes.recorded.words import failure_line

Property = Value | list[Any] | dict[str, Any]
_WINRM_CLASS = re.compile(r"((?:Win32|CIM|MSFT|Msft)_\w{1,100})\s*")
_WINRM_VALUE = re.compile(r"    ([A-Za-z_]\w{0,100})(?: = (.*))?")
_HEADS = re.compile(r"[A-Za-z_]\w{1,100}(?:\s{2,}[A-Za-z_]\w{1,100})*\s*")
"""The first line of wmic's table: names of properties, two blanks or more between them."""
_OUTSIDE = ("cimclass", "ciminstanceproperties", "cimsystemproperties", "pscomputername", "psshowcomputername", "runspaceid")


class WmiObject(msgspec.Struct, frozen=True, kw_only=True):
    """One instance of a WMI class."""

    class_name: str | None = msgspec.field(name="class", default=None)
    """The class; None where a query's fragment does not say it."""
    properties: dict[str, Property] = {}
    """Values by name: null for nil, lists for arrays, ISO 8601 texts for datetimes, objects for references and embedded instances."""
    types: dict[str, str | None] = {}
    """CIM type of each property: boolean, string, uint32, datetime, reference, object, `[]` behind arrays; null where it is not known."""


def read_wmi_listing(text: str) -> Outcome[WmiObject]:
    """All instances of a text that is no XML."""
    if looks_like_json(text):
        return _json(text)
    lines = lines_of(text)
    head = next((i for i, line in enumerate(lines) if line.strip()), 0)
    if lines[head].startswith("Node,"):
        return _csv(lines, head)
    if any(_WINRM_CLASS.fullmatch(line) for line in lines[head : head + 20]):
        return _winrm(lines)
    if (at := _table_head(lines)) is not None:
        return _table(lines, at)
    return _list(text)


def _table_head(lines: Sequence[str]) -> int | None:
    """Where a table of wmic starts: heads, then a row that keeps the gaps before them."""
    for at, line in enumerate(lines[:20]):
        if _HEADS.fullmatch(line) and (line.endswith("  ") or "  " in line.strip()):
            below = next((row for row in lines[at + 1 :] if row.strip()), "")
            return at if below and "=" not in below and _keeps(below, _starts(line)) else None
    return None


def _starts(head: str) -> list[int]:
    return [match.start() for match in re.finditer(r"\S+", head)]


def _keeps(line: str, starts: Sequence[int]) -> bool:
    wide = cells(line)
    return all(at == 0 or at > len(wide) or wide[at - 2 : at] == "  " for at in starts)


def _table(lines: Sequence[str], at: int) -> Outcome[WmiObject]:
    """`wmic ... get a,b` as it prints without a format: columns as wide as their widest value, at least two blanks between."""
    outcome: Outcome[WmiObject] = Outcome()
    names, starts = lines[at].split(), _starts(lines[at])
    columns = list(zip(starts, [*starts[1:], 1 << 20], strict=True))
    for number, line in enumerate(lines[at + 1 :], at + 2):
        if not line.strip():
            continue
        if not _keeps(line, starts):
            outcome.faults.append(Fault(place=f"line {number}", message=f"not a row of the table above: {line.strip()[:120]}"))
        else:
            outcome.records.append(_instance(None, dict(zip(names, cut(line, columns), strict=True))))
    return outcome


def _list(text: str) -> Outcome[WmiObject]:
    """`wmic ... /format:list`: `Name=value` lines; an empty value is null, `{...}` an array. PowerShell's lists have a colon instead."""
    outcome: Outcome[WmiObject] = Outcome()
    for block in read_blocks(text):
        class_name = block.values.get("CreationClassName") or block.values.get("__CLASS") or None
        outcome.records.append(_instance(class_name, block.values))
        if block.cut:
            outcome.faults.append(Fault(place=f"line {block.cut[0]}", message=f"the listing was cut inside {block.cut[1]}"))
    if not outcome.rows or any(failure_line(line) for line in text[:400].splitlines()):
        first = " ".join(text[:2000].split())
        outcome.records.clear()
        outcome.faults.append(Fault(place="line 1", message=f"neither a page of an enumeration nor a list of properties: {first[:200]}"))
    return outcome


def _instance(class_name: str | None, values: Mapping[str, str]) -> WmiObject:
    properties: dict[str, Property] = {}
    types: dict[str, str | None] = {}
    for name, value in values.items():
        properties[name], types[name] = _listed(value, cim_type(class_name, name))
    return WmiObject(class_name=class_name, properties=properties, types=types)


def _listed(value: str, known: str | None) -> tuple[Property, str | None]:
    if not value:
        return None, known
    if value.startswith("{") and value.endswith("}"):
        bare = (known or "string[]").removesuffix("[]")
        items = re.findall(r'"((?:[^"\\]|\\.)*)"|([^{},"\s]+)', value)
        return [typed_text(quoted or plain, bare)[0] for quoted, plain in items], f"{bare}[]"
    return typed_text(value, known)


def _csv(lines: Sequence[str], head: int) -> Outcome[WmiObject]:
    """`wmic ... /format:csv`: the first column is the machine. Values with commas are not quoted, so such a row can't be told apart."""
    outcome: Outcome[WmiObject] = Outcome()
    taken, names = read_row(lines, head, ",")
    for number, row in read_rows(lines, head + taken, ","):
        if not row or not names or len(row) != len(names):
            message = f"{len(row or ())} of {len(names or ())} columns: a value holds a comma, or the row was cut"
            outcome.faults.append(Fault(place=f"line {number}", message=message))
        else:
            outcome.records.append(_instance(None, dict(zip(names[1:], row[1:], strict=True))))
    return outcome


def _winrm(lines: Sequence[str]) -> Outcome[WmiObject]:
    """`winrm enumerate` as text: the class, then `Name = value` lines, `null` for nil, a name that comes again for an array."""
    outcome: Outcome[WmiObject] = Outcome()
    for number, class_name, pairs in _winrm_blocks(lines):
        if not pairs:
            outcome.faults.append(Fault(place=f"line {number}", message=f"{class_name} without a property: the listing was cut"))
            continue
        properties: dict[str, Property] = {}
        types: dict[str, str | None] = {}
        for name, text in pairs:
            known = cim_type(class_name, name)
            value, type_ = (None, known) if text == "null" else _listed(text, known)
            if name in properties:
                before = properties[name]
                properties[name] = [*(before if isinstance(before, list) else [before]), value]
                types[name] = f"{(type_ or '').removesuffix('[]')}[]"
            else:
                properties[name], types[name] = value, type_
        outcome.records.append(WmiObject(class_name=class_name, properties=properties, types=types))
    return outcome


def _winrm_blocks(lines: Sequence[str]) -> Iterator[tuple[int, str, list[tuple[str, str]]]]:
    start, class_name = 0, ""
    pairs: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        head, value = _WINRM_CLASS.fullmatch(line), _WINRM_VALUE.fullmatch(line)
        if head:
            if class_name:
                yield start, class_name, pairs
            start, class_name, pairs = number, head[1], []
        elif value and class_name:
            pairs.append((value[1], (value[2] or "").strip()))
    if class_name:
        yield start, class_name, pairs


def _json(text: str) -> Outcome[WmiObject]:
    """Get-CimInstance or Get-WmiObject through ConvertTo-Json."""
    document, broken = read_json(text)
    outcome: Outcome[WmiObject] = Outcome()
    for number, item in enumerate(document if isinstance(document, list) else [document]):
        if not isinstance(item, dict) or not item:
            outcome.faults.append(Fault(place=f"item {number}", message="not an instance of a class"))
            continue
        cim, system = item.get("CimClass"), item.get("CimSystemProperties")
        said = [cim.get("CimClassName") if isinstance(cim, dict) else None, system.get("ClassName") if isinstance(system, dict) else None]
        class_name = next((n for n in (*said, item.get("CreationClassName"), item.get("__CLASS")) if isinstance(n, str) and n), None)
        own: dict[str, Any] = {k: json_moment(v) for k, v in item.items() if k.casefold() not in _OUTSIDE and not k.startswith("__")}
        types = {k: cim_type(class_name, k) or ("boolean" if isinstance(v, bool) else None) for k, v in own.items()}
        outcome.records.append(WmiObject(class_name=class_name, properties=own, types=types))
    outcome.faults.extend([broken] if broken else [])
    return outcome
