"""Small hosts as cases describe them, to snapshots: a section is a list of rows, or a mapping with its status.

Rules of this file:
1. A row has the fields of the section's record plus those of its reading, as in `model/host.py`.
2. A section that is left out is ok and empty; `network` then holds the host's name as its computer name.
3. A task may be given as `{path, run, at}`: a command line that starts every day at `HH:MM`; it becomes the task XML that Windows keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args, get_type_hints
from xml.sax.saxutils import escape

import msgspec

from auditor.model.host import SECTION_NAMES, Gap, LogCoverage, Nothing, Section, Sections, Snapshot, Status

_TASK = (
    '<?xml version="1.0"?>\n<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task"><Triggers><CalendarTrigger>'
    "<StartBoundary>2026-01-01T{at}:00</StartBoundary><Enabled>true</Enabled><ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>"
    "</CalendarTrigger></Triggers><Settings><Enabled>true</Enabled></Settings><Actions><Exec><Command>{command}</Command>"
    "<Arguments>{arguments}</Arguments></Exec></Actions></Task>"
)
WHEN = "2026-01-02T03:04:05Z"
"""When the hosts of cases were collected."""


class SectionFragment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A section with its status."""

    status: Status = "ok"
    reason: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    gaps: tuple[Gap, ...] = ()


SectionBody = tuple[dict[str, Any], ...] | SectionFragment


class HostFragment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A host of a case: its sections by name, and what the inventory says of it."""

    system: SectionBody | None = None
    network: SectionBody | None = None
    memory: SectionBody | None = None
    programs: SectionBody | None = None
    services: SectionBody | None = None
    drivers: SectionBody | None = None
    filters: SectionBody | None = None
    security: SectionBody | None = None
    tasks: SectionBody | None = None
    scripts: SectionBody | None = None
    shares: SectionBody | None = None
    events: SectionBody | None = None
    logons: SectionBody | None = None
    dumps: SectionBody | None = None
    updates: SectionBody | None = None
    roles: SectionBody | None = None
    defender: SectionBody | None = None
    firewall: SectionBody | None = None
    sessions: SectionBody | None = None
    replication: SectionBody | None = None
    jobs: SectionBody | None = None
    dumpbytes: SectionBody | None = None
    fragmentation: SectionBody | None = None
    groups: tuple[str, ...] = ()
    """Inventory groups."""
    address: str | None = None
    """Address in the inventory; the host's name where left out."""
    collected: bool = True
    """False: the host is in the inventory, and nothing of it was collected."""
    log_coverage: tuple[LogCoverage, ...] = ()


def merged(base: HostFragment | None, own: HostFragment) -> HostFragment:
    """A host like another one: what `own` states replaces what `base` does, section by section."""
    if base is None:
        return own
    stated = {field: value for field in HostFragment.__struct_fields__ if (value := getattr(own, field)) is not None}
    kept = {field: getattr(base, field) for field in ("groups", "log_coverage") if not stated[field]}
    return msgspec.structs.replace(base, **{**stated, **kept})


def snapshot_of(name: str, fragment: HostFragment) -> Snapshot:
    """The snapshot of a fragment. Raises ValueError for an unknown field of a row, msgspec.ValidationError for a wrong value."""
    hints = get_type_hints(Sections)
    bodies: dict[str, SectionBody] = {section: getattr(fragment, section) or () for section in SECTION_NAMES}
    if fragment.network is None:
        bodies["network"] = ({"computer_name": name},)
    sections = {section: _section(section, hints[section], bodies[section]) for section in SECTION_NAMES}
    return Snapshot(
        host=name,
        collected_at=WHEN,
        collector="cases",
        transport="case",
        sections=Sections(**sections),
        log_coverage=fragment.log_coverage,
    )


def _section(name: str, type_: Any, body: SectionBody) -> Section[Any, Any]:
    fragment = body if isinstance(body, SectionFragment) else SectionFragment(rows=body)
    rows = [_task_row(row) for row in fragment.rows] if name == "tasks" else fragment.rows
    record, reading = (_Part(part) for part in get_args(type_))
    for row in rows:
        if unknown := sorted(set(row) - record.fields - reading.fields):
            raise ValueError(f"unknown field {unknown[0]!r} in a row of {name}")
    return Section(
        status=fragment.status, reason=fragment.reason, gaps=fragment.gaps, records=record.convert(rows), readings=reading.convert(rows)
    )


class _Part:
    """The records or the readings of a section."""

    def __init__(self, type_: Any) -> None:
        self._type = type_
        self.fields = frozenset() if type_ is Nothing else frozenset(field.name for field in msgspec.structs.fields(type_))

    def convert(self, rows: Iterable[dict[str, Any]]) -> tuple[Any, ...]:
        """The part of each row that is its own; none where the section has no such part."""
        if self._type is Nothing:
            return ()
        own = [{key: value for key, value in row.items() if key in self.fields} for row in rows]
        return tuple(msgspec.convert(row, self._type, strict=True) for row in own)


def _task_row(row: dict[str, Any]) -> dict[str, Any]:
    if "run" not in row:
        return row
    command, _, arguments = str(row["run"]).partition(" ")
    text = _TASK.format(at=row.get("at", "01:00"), command=escape(command), arguments=escape(arguments))
    rest = {key: value for key, value in row.items() if key not in ("run", "at")}
    return {"source_format": "xml", "text": text, **rest}
