"""What `Get-MpComputerStatus` gives, as a list or as JSON, to Defender's state. Property names are never translated; dates are."""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.recorded.properties import read_blocks, typed

_NEVER_AGE = 4294967295
_TEXTS = ("version", "id", "lastupdated", "time", "mode", "state", "enforcement", "policy", "source", "hash")
Status = dict[str, Any]


def read_defender(text: str) -> Outcome[Status]:
    """The status of one or more hosts, its properties under their own names, with the usual ones beside them."""
    if text.lstrip().startswith(("{", "[")):
        return _json(text.encode("utf-8", errors="replace"))
    outcome: Outcome[Status] = Outcome()
    for block in read_blocks(text):
        values = {name: _value(name, value) for name, value in block.values.items()}
        if not any(name.startswith(("AM", "Anti", "Nis", "RealTime")) for name in values):
            outcome.skipped += 1
            continue
        outcome.records.append({**values, **usual(values)})
        if block.cut:
            outcome.faults.append(Fault(place=f"line {block.cut[0]}", message=f"the listing was cut inside {block.cut[1]}"))
    if not outcome.rows:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        outcome.faults.append(Fault(place="line 1", message=f"no property of Get-MpComputerStatus: {first[:300]}"))
    return outcome


def _value(name: str, text: str) -> str | int | bool | None:
    """Versions, dates and names stay text even where they look like numbers."""
    value = typed(text)
    return (
        text.strip() or None if isinstance(value, int) and not isinstance(value, bool) and name.casefold().endswith(_TEXTS[:2]) else value
    )


def _json(data: bytes) -> Outcome[Status]:
    try:
        document = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return failed(f"not JSON: {error}")
    outcome: Outcome[Status] = Outcome()
    for number, item in enumerate(document if isinstance(document, list) else [document]):
        if isinstance(item, dict) and any(str(k).startswith(("AM", "Anti")) for k in item):
            values = {k: v for k, v in item.items() if not k.startswith(("Cim", "PS"))}
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
        "definitions_updated": values.get("AntivirusSignatureLastUpdated"),
        "never_fully_scanned": values["FullScanAge"] == _NEVER_AGE if isinstance(values.get("FullScanAge"), int) else None,
    }
