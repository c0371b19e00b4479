"""What `Get-Service` and `Get-CimInstance Win32_Service` give, as JSON, list or table, to services. Property names are never translated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.probes.recorded.csvtext import SEPARATORS, read_row, read_rows
from auditor.probes.recorded.jsontext import read_json
from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.outcome import Fault, Outcome
from auditor.probes.recorded.properties import read_blocks
from auditor.probes.recorded.pstable import read_table, rule_line, without_dots
from auditor.probes.recorded.services import START_MODES, STATES, ServiceRow, type_of
from auditor.probes.recorded.wmi import read_objects

_STATE_WORDS = {
    "running": "Running",
    "stopped": "Stopped",
    "paused": "Paused",
    "startpending": "Start Pending",
    "stoppending": "Stop Pending",
    "continuepending": "Continue Pending",
    "pausepending": "Pause Pending",
}
_START_WORDS = {"automatic": "Auto", "auto": "Auto", "manual": "Manual", "disabled": "Disabled", "boot": "Boot", "system": "System",
                "automaticdelayedstart": "Auto"}  # fmt: skip
_DELAYED = (10, "10", "automaticdelayedstart")
"""PowerShell 7's start of a service that begins late."""


def read_service_json(text: str) -> Outcome[ServiceRow]:
    """One object or a list of objects; objects inside objects (`{"Service": {...}, "WMI": {...}}`) are read together."""
    document, broken = read_json(text)
    outcome: Outcome[ServiceRow] = Outcome()
    for number, item in enumerate(document if isinstance(document, list) else [document]):
        row = _row(_flat(item)) if isinstance(item, dict) else None
        if row is None:
            outcome.faults.append(Fault(place=f"item {number}", message="not a service: it has no Name"))
        else:
            outcome.records.append(row)
    outcome.faults.extend([broken] if broken else [])
    return outcome


def read_service_xml(text: str) -> Outcome[ServiceRow]:
    """Export-Clixml and ConvertTo-Xml of services, and instances of Win32_Service in XML."""
    read = read_objects(text)
    outcome: Outcome[ServiceRow] = Outcome(faults=read.faults, skipped=read.skipped)
    for number, item in enumerate(read.records):
        row = _row({k.casefold(): v for k, v in item.properties.items()})
        if row is None:
            outcome.faults.append(Fault(place=f"item {number}", message="not a service: it has no Name"))
        else:
            outcome.records.append(row)
    return outcome


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """The object's own values, and those of the objects in it, by lower-case name."""
    result: dict[str, Any] = {}
    for key, value in item.items():
        inner = {k.casefold() for k in value} if isinstance(value, dict) else set()
        if inner == {"value"}:
            result[key.casefold()] = value  # an enumeration's number and word
        elif isinstance(value, dict) and key.casefold() not in ("machinename", "site", "container", "servicehandle", "cimclass"):
            result.update({k: v for k, v in _flat_once(value).items() if k not in result})
        else:
            result[key.casefold()] = value
    return result


def _flat_once(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key.casefold(): value for key, value in item.items() if not isinstance(value, dict)}


def _row(values: Mapping[str, Any]) -> ServiceRow | None:
    name = _text(values, "name", "servicename")
    if not name:
        return None
    state_code, state = _coded(values, STATES, _STATE_WORDS, "state", "status")
    name, truncated = without_dots(name)
    type_code, type_ = type_of(values.get("servicetype"))
    start = values.get("startuptype")
    late = (start.casefold() if isinstance(start, str) else start) in _DELAYED
    return ServiceRow(
        name=name,
        name_truncated=truncated,
        display_name=_text(values, "displayname", "caption"),
        type=type_,
        type_code=type_code,
        state=state,
        state_code=state_code,
        start_mode=_coded(values, {**START_MODES, 10: "Auto"}, _START_WORDS, "startmode", "starttype", "startuptype")[1],
        delayed=values.get("delayedautostart") if isinstance(values.get("delayedautostart"), bool) else late or None,
        pid=values.get("processid") if isinstance(values.get("processid"), int) and not isinstance(values.get("processid"), bool) else None,
        path=_text(values, "pathname", "binarypathname"),
        depends_on=next((n for k in ("requiredservices", "servicesdependedon") if (n := _names(values.get(k))) is not None), None),
        account=_text(values, "startname", "username"),
    )


def _text(values: Mapping[str, Any], *names: str) -> str | None:
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _coded(values: Mapping[str, Any], codes: Mapping[int, str], words: Mapping[str, str], *names: str) -> tuple[int | None, str | None]:
    """A value that is a number of an enumeration, or one of its words."""
    for name in names:
        value = values.get(name)
        if isinstance(value, dict):
            value = value.get("value", value.get("Value"))
        if isinstance(value, int) and not isinstance(value, bool):
            return value, codes.get(value)
        if isinstance(value, str) and value.strip() and value.strip() != "OK":
            text = value.strip()
            if text.isdigit():
                return int(text), codes.get(int(text))
            word = words.get(text.casefold(), text)
            return next((c for c, w in codes.items() if w == word), None), word
    return None, None


def _names(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, list):
        return tuple(str(v.get("Name", v.get("ServiceName", ""))) if isinstance(v, dict) else str(v) for v in value)
    if isinstance(value, str) and "[]" not in value:
        return tuple(w.strip() for w in value.strip("{}").split(",") if w.strip())
    return None


def read_service_list(text: str) -> Outcome[ServiceRow]:
    """Format-List and Format-Table of Get-Service, and CSV."""
    lines = lines_of(text)
    if (head := _csv_head(lines)) is not None:
        return _csv(lines, *head)
    rule = rule_line(lines)
    return _table(lines, rule) if rule is not None else _list(text)


def _csv_head(lines: Sequence[str]) -> tuple[int, str] | None:
    """Line and separator of a head that names a column Name."""
    for at, line in enumerate(lines[:50]):
        for separator in SEPARATORS:
            names = read_row(lines, at, separator)[1] if separator in line else None
            if names and "name" in (n.strip().casefold() for n in names):
                return at, separator
    return None


def _csv(lines: Sequence[str], head: int, separator: str) -> Outcome[ServiceRow]:
    """Export-Csv of PowerShell and `/format:csv` of wmic: the names of properties stand in the first line."""
    outcome: Outcome[ServiceRow] = Outcome()
    taken, first = read_row(lines, head, separator)
    names = [n.strip().casefold() for n in first or ()]
    for number, values in read_rows(lines, head + taken, separator):
        row = _row(dict(zip(names, values, strict=True))) if values and len(values) == len(names) else None
        if row is None:
            outcome.faults.append(Fault(place=f"line {number}", message=f"{len(values or ())} of {len(names)} columns, or no name"))
        else:
            outcome.records.append(row)
    return outcome


def _list(text: str) -> Outcome[ServiceRow]:
    outcome: Outcome[ServiceRow] = Outcome()
    for block in read_blocks(text):
        row = _row({k.casefold(): v for k, v in block.values.items()})
        if row is not None:
            outcome.records.append(row)
        if block.cut or row is None:
            line, what = block.cut or (block.line, "an object without a Name")
            outcome.faults.append(Fault(place=f"line {line}", message=f"cut short: {what}" if block.cut else what))
    return outcome


def _table(lines: Sequence[str], rule: int) -> Outcome[ServiceRow]:
    outcome: Outcome[ServiceRow] = Outcome()
    for read in read_table(lines, rule):
        row = _row(read.values)
        if row is None:
            outcome.faults.append(Fault(place=f"line {read.line}", message=f"not a row of services: {read.text[:80]}"))
        else:
            outcome.records.append(row)
    return outcome
