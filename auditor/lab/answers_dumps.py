"""Answer of the section dumpbytes: parts of the dump file that the probe would choose. Pure.

Follows `docs/probe.md` and `probes/dumpbytes/dumpbytes.ps1`.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

import msgspec

from auditor.lab.answers_software import dumps
from auditor.lab.machine import LabFile, Machine
from auditor.lab.sheet import Ask, Ended, Sheet, moment

_PIECE = 524_288
_ONE_CRASH = timedelta(minutes=60)


class _Dump(msgspec.Struct, frozen=True):
    """A dump that is there."""

    kind: str
    file: LabFile


def dumpbytes(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Pieces of the newest dump, or of the first that was written after the moment."""
    chosen = _chosen(_listed(machine, ask, sheet), ask.around)
    if chosen is None:
        return
    path, most, taken = chosen.file.path, ask.number("dump_limit_bytes"), 0
    if not machine.may_open(path):
        sheet.gap(path, "data", f"Access to the path '{path}' is denied.")
        return
    data = chosen.file.data()
    for text in ask.dump_ranges or (f"0:{most}",):
        start, _, length = text.partition(":")
        at, end = int(start), min(int(start) + int(length), len(data))
        while at < end and taken < most:
            part = data[at : at + min(_PIECE, end - at, most - taken)]
            facts = {"size_bytes": len(data), "modified_at": moment(chosen.file.modified)}
            sheet.row(path=path, offset=at, data=base64.b64encode(part).decode("ascii"), **facts)
            at += len(part)
            taken += len(part)
    if taken < len(data):
        sheet.gap(path, "data", f"{taken} of {len(data)} bytes were taken")


def _listed(machine: Machine, ask: Ask, sheet: Sheet) -> list[_Dump]:
    """What the dumps section lists. Raises Ended where that section did not end."""
    listing = Sheet(sheet.now)
    try:
        dumps(machine, ask, listing)
    except Ended as error:
        raise Ended("failed", "the dumps section did not end: which dumps there are is not known") from error
    found = ((row["kind"], machine.files.get(row["path"])) for row in listing.rows)
    return [_Dump(kind, file) for kind, file in found if kind != "settings" and file is not None]


def _chosen(found: list[_Dump], around: str) -> _Dump | None:
    given = datetime.fromisoformat(around) if around else None
    best: _Dump | None = None
    for dump in found:
        if given is not None and dump.file.modified < given - timedelta(minutes=10):
            continue
        if best is None or _better(dump, best, back=given is not None):
            best = dump
    return best


def _better(dump: _Dump, best: _Dump, *, back: bool) -> bool:
    late = best.file.modified - dump.file.modified if back else dump.file.modified - best.file.modified
    if late > _ONE_CRASH:
        return True
    if dump.kind == best.kind:
        return late > timedelta(0)
    return dump.kind == "minidump" and late >= -_ONE_CRASH
