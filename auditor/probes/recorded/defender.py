"""What `Get-MpComputerStatus` gives (list, table, CSV, JSON, XML) to Defender's state. Property names are never translated; dates are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from auditor.probes.recorded.csvtext import SEPARATORS, read_row, read_rows
from auditor.probes.recorded.jsontext import looks_like_json, read_json
from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.moments import json_moment
from auditor.probes.recorded.outcome import Fault, Outcome
from auditor.probes.recorded.properties import read_blocks, typed
from auditor.probes.recorded.pstable import read_table, rule_line
from auditor.probes.recorded.wmi import looks_like_xml, read_objects

_NEVER_AGE = 4294967295
_TEXTS = ("version", "id", "lastupdated", "time", "mode", "state", "enforcement", "policy", "source", "hash")
Status = dict[str, Any]


def read_defender(text: str) -> Outcome[Status]:
    """The status of one or more hosts, its properties under their own names, with the usual ones beside them."""
    if looks_like_json(text):
        return _json(text)
    if looks_like_xml(text):
        return _xml(text)
    outcome: Outcome[Status] = Outcome()
    lines = lines_of(text)
    tabled = list(_tabled(lines))
    for number, found in tabled:
        _keep(outcome, found, f"line {number}")
    for block in () if tabled else read_blocks(text):
        values = {name: _value(name, value) for name, value in block.values.items()}
        if not _is_status(values):
            outcome.skipped += 1
            continue
        outcome.records.append({**values, **usual(values)})
        if block.cut:
            outcome.faults.append(Fault(place=f"line {block.cut[0]}", message=f"the listing was cut inside {block.cut[1]}"))
    if not outcome.rows:
        first = next((line.strip() for line in lines if line.strip()), "")
        outcome.faults.append(Fault(place="line 1", message=f"no property of Get-MpComputerStatus: {first[:300]}"))
    return outcome


def _is_status(values: Status) -> bool:
    return any(name.startswith(("AM", "Anti", "Nis", "RealTime", "IsTamper")) for name in values)


def _keep(outcome: Outcome[Status], texts: dict[str, str] | None, place: str) -> None:
    values = {name: _value(name, value) for name, value in (texts or {}).items()}
    if texts is None or not _is_status(values):
        outcome.faults.append(Fault(place=place, message="not a status of Defender, or a row that was cut"))
    else:
        outcome.records.append({**values, **usual(values)})


def _tabled(lines: Sequence[str]) -> Iterator[tuple[int, dict[str, str] | None]]:
    """Rows of Export-Csv and of Format-Table, by the heads as they are written; None for a row that was cut."""
    for at, line in enumerate(lines[:20]):
        for separator in SEPARATORS:
            taken, names = read_row(lines, at, separator) if separator in line else (1, None)
            if names and len(names) > 1 and sum(1 for n in names if re.fullmatch(r"[A-Za-z_]\w{2,80}", n)) == len(names):
                for number, row in read_rows(lines, at + taken, separator):
                    yield number, dict(zip(names, row, strict=True)) if row and len(row) == len(names) else None
                return
    rule = rule_line(lines)
    if rule is None:
        return
    heads = {word.casefold(): word for word in lines[rule - 1].split()}
    for read in read_table(lines, rule):
        yield read.line, {heads.get(name, name): value for name, value in read.values.items()}


def _value(name: str, text: str) -> str | int | bool | None:
    """Versions, dates and names stay text even where they look like numbers."""
    value = typed(text)
    return (
        text.strip() or None if isinstance(value, int) and not isinstance(value, bool) and name.casefold().endswith(_TEXTS[:2]) else value
    )


def _json(text: str) -> Outcome[Status]:
    document, broken = read_json(text)
    outcome: Outcome[Status] = Outcome()
    for number, item in enumerate(document if isinstance(document, list) else [document]):
        if isinstance(item, dict) and _is_status(item):
            values = {k: v for k, v in item.items() if not k.startswith(("Cim", "PS"))}
            outcome.records.append({**values, **usual(values)})
        else:
            outcome.faults.append(Fault(place=f"item {number}", message="not a status of Defender"))
    outcome.faults.extend([broken] if broken else [])
    return outcome


def _xml(text: str) -> Outcome[Status]:
    read = read_objects(text)
    outcome: Outcome[Status] = Outcome(faults=read.faults, skipped=read.skipped)
    for number, item in enumerate(read.records):
        values = {k: _value(k, v) if isinstance(v, str) else v for k, v in item.properties.items()}
        if _is_status(values):
            outcome.records.append({**values, **usual(values)})
        else:
            outcome.faults.append(Fault(place=f"item {number}", message="not a status of Defender"))
    return outcome


def usual(values: Status) -> Status:
    """The state in the words of the snapshot's defender section."""
    out_of_date = values.get("DefenderSignaturesOutOfDate")
    return {
        "name": "Microsoft Defender",
        "running_mode": values.get("AMRunningMode"),
        "product_version": values.get("AMProductVersion"),
        "engine_version": values.get("AMEngineVersion"),
        "enabled": values.get("AntivirusEnabled"),
        "real_time": values.get("RealTimeProtectionEnabled"),
        "up_to_date": not out_of_date if isinstance(out_of_date, bool) else None,
        "tamper_protected": values.get("IsTamperProtected"),
        "definitions_version": values.get("AntivirusSignatureVersion"),
        "definitions_updated": json_moment(values.get("AntivirusSignatureLastUpdated")),
        "never_fully_scanned": values["FullScanAge"] == _NEVER_AGE if isinstance(values.get("FullScanAge"), int) else None,
    }
