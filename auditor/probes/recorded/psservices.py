"""What `Get-Service` and `Get-CimInstance Win32_Service` give, as JSON, list or table, to services. Property names are never translated."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from auditor.probes.recorded.layout import cut, is_rule, lines_of, rule_columns
from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.recorded.properties import read_blocks
from auditor.probes.recorded.services import START_MODES, STATES, ServiceRow

_CSV_NAME = re.compile(r'(?:^|,)"?Name"?(?:,|\s*$)', re.IGNORECASE)
_STATE_WORDS = {
    "startpending": "Start Pending",
    "stoppending": "Stop Pending",
    "continuepending": "Continue Pending",
    "pausepending": "Pause Pending",
}
_START_WORDS = {"automatic": "Auto", "auto": "Auto", "manual": "Manual", "disabled": "Disabled", "boot": "Boot", "system": "System"}


def read_service_json(data: bytes) -> Outcome[ServiceRow]:
    """One object or a list of objects; objects inside objects (`{"Service": {...}, "WMI": {...}}`) are read together."""
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return failed(f"not JSON: {error}")
    outcome: Outcome[ServiceRow] = Outcome()
    for number, item in enumerate(document if isinstance(document, list) else [document]):
        row = _row(_flat(item)) if isinstance(item, dict) else None
        if row is None:
            outcome.faults.append(Fault(place=f"item {number}", message="not a service: it has no Name"))
        else:
            outcome.records.append(row)
    return outcome


def _flat(item: Mapping[str, Any]) -> dict[str, Any]:
    """The object's own values, and those of the objects in it, by lower-case name."""
    result: dict[str, Any] = {}
    for key, value in item.items():
        if isinstance(value, dict) and key.casefold() not in ("machinename", "site", "container", "servicehandle", "cimclass"):
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
    return ServiceRow(
        name=name,
        display_name=_text(values, "displayname", "caption"),
        type=_text(values, "servicetype"),
        state=state,
        state_code=state_code,
        start_mode=_coded(values, START_MODES, _START_WORDS, "startmode", "starttype")[1],
        delayed=values.get("delayedautostart") if isinstance(values.get("delayedautostart"), bool) else None,
        pid=values.get("processid") if isinstance(values.get("processid"), int) and not isinstance(values.get("processid"), bool) else None,
        path=_text(values, "pathname", "binarypathname"),
        depends_on=_names(values.get("requiredservices", values.get("servicesdependedon"))),
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
    if isinstance(value, str):
        return tuple(w.strip() for w in value.strip("{}").split(",") if w.strip())
    return None


def read_service_list(text: str) -> Outcome[ServiceRow]:
    """Format-List and Format-Table of Get-Service."""
    lines = lines_of(text)
    head = next((i for i, line in enumerate(lines[:50]) if "," in line and _CSV_NAME.search(line)), None)
    if head is not None:
        return _csv(lines, head)
    rule = next((i for i, line in enumerate(lines) if i and is_rule(line) and "-" in line), None)
    return _table(lines, rule) if rule is not None else _list(text)


def _csv(lines: Sequence[str], head: int) -> Outcome[ServiceRow]:
    """Export-Csv of PowerShell and `/format:csv` of wmic: the names of properties stand in the first line."""
    outcome: Outcome[ServiceRow] = Outcome()
    names = [n.strip().casefold() for n in next(csv.reader([lines[head]]))]
    for number, line in enumerate(lines[head + 1 :], head + 2):
        if not line.strip():
            continue
        try:
            values = next(csv.reader([line]))
        except (csv.Error, StopIteration):
            values = []
        row = _row(dict(zip(names, values, strict=True))) if len(values) == len(names) else None
        if row is None:
            outcome.faults.append(Fault(place=f"line {number}", message=f"{len(values)} of {len(names)} columns, or no name"))
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
    heads = [m.span() for m in re.finditer(r"\S+", lines[rule - 1])]
    columns = rule_columns(lines[rule])
    starts = [h[0] for h in heads] if len(heads) == len(columns) else [c[0] for c in columns]
    spans = [(a, b) for a, b in zip(starts, [*starts[1:], 10_000], strict=True)]
    names = [v.casefold() for v in cut(lines[rule - 1], spans)]
    for number, line in enumerate(lines[rule + 1 :], rule + 2):
        if not line.strip():
            continue
        values: dict[str, Any] = dict(zip(names, cut(line, spans), strict=True))
        row = _row({k: v.removesuffix("...") if k == "name" else v for k, v in values.items()})
        if row is None:
            outcome.faults.append(Fault(place=f"line {number}", message=f"not a row of services: {line.strip()[:80]}"))
        else:
            outcome.records.append(row)
    return outcome
