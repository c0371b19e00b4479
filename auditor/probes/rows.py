"""Rows of a probe's answer as typed records and readings: every field checked, redacted and bounded, nothing dropped without a gap. Pure.

Rules of this file:
1. A row is never trusted: unknown fields, wrong types, monstrous sizes and repetitions become gaps; nothing a host sends raises.
2. What a field may be stands in `model.host`; this file knows no field by name but the keys, and those whose text is a secret by its name.
3. rows_in = records (or readings) + rows that a gap stands for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple, get_type_hints

import msgspec

from auditor.model import host
from auditor.model.host import Gap
from auditor.probes.redact import SHORT_TEXT, redact, redact_job, redact_named, redact_short
from auditor.probes.row import MOST_KNOWN, Row, row_of
from auditor.probes.tasks.moving import settle_job, settle_listing

LONGEST_TEXT = 1_048_576
"""Characters of one text."""
MOST_ROWS = 20_000
"""Rows of one section."""
MOST_GAPS = 1_000
"""Gaps of one section; a last one says that there were more."""
LARGEST_NUMBER = 2**63
_SHORT = 300
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_NAMES = 8_192
_SPECIAL_DATA = frozenset({"tasks", "security", "dumpbytes"})
"""Sections whose field `data` is redacted in a way of its own."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a section's rows are read."""

    record: type[msgspec.Struct] | None
    reading: type[msgspec.Struct] | None
    keys: tuple[str, ...]
    """Fields that tell one row from another; empty where equal rows are two (events without a record number)."""
    moving: tuple[str, ...] = ()
    """Fields that the record has too, but that move by themselves: only the reading gets them."""
    apart: str = ""
    """Field that rows of a record have; a row without it is a reading by itself."""


PLANS: dict[str, Plan] = {
    "system": Plan(record=host.SystemRecord, reading=host.SystemReading, keys=("",)),
    "network": Plan(record=host.NetworkRecord, reading=None, keys=("",)),
    "memory": Plan(record=host.MemoryRecord, reading=host.MemoryReading, keys=("kind", "name")),
    "programs": Plan(record=host.ProgramRecord, reading=None, keys=("view", "key")),
    "services": Plan(record=host.ServiceRecord, reading=host.ServiceReading, keys=("name",)),
    "drivers": Plan(record=host.DriverRecord, reading=None, keys=("name",)),
    "filters": Plan(record=host.FilterRecord, reading=host.FilterReading, keys=("name", "instance", "class_filter", "device_class"),
                    moving=("instances",)),
    "security": Plan(record=host.SecurityRecord, reading=None, keys=("kind", "view", "path", "name")),
    "tasks": Plan(record=host.TaskRecord, reading=host.TaskReading, keys=("source_format", "path")),
    "scripts": Plan(record=host.ScriptRecord, reading=None, keys=("path",)),
    "shares": Plan(record=host.ShareRecord, reading=None, keys=("name",)),
    "events": Plan(record=None, reading=host.EventReading, keys=()),
    "logons": Plan(record=None, reading=host.LogonReading, keys=()),
    "dumps": Plan(record=host.DumpRecord, reading=None, keys=("kind", "path")),
    "dumpbytes": Plan(record=host.DumpPieceRecord, reading=None, keys=()),
    "fragmentation": Plan(record=None, reading=host.FragmentationReading, keys=()),
    "updates": Plan(record=host.UpdateRecord, reading=None, keys=("id",)),
    "roles": Plan(record=host.RoleRecord, reading=None, keys=("name",)),
    "defender": Plan(record=host.DefenderRecord, reading=host.DefenderReading, keys=("source", "name"),
                     moving=("engine_version",)),
    "firewall": Plan(record=host.FirewallRecord, reading=host.FirewallReading, keys=("profile", "source", "window_start"),
                     apart="profile"),
    "sessions": Plan(record=None, reading=host.SessionReading, keys=()),
    "replication": Plan(record=host.ReplicationRecord, reading=None, keys=("service", "group", "folder")),
    "jobs": Plan(record=host.JobRecord, reading=None, keys=("scheduler", "name", "step")),
}  # fmt: skip
"""How the rows of each section are read."""


class Read(msgspec.Struct, frozen=True):
    """A section's rows as read."""

    records: tuple[Any, ...]
    readings: tuple[Any, ...]
    gaps: tuple[Gap, ...]


def read_rows(section: str, rows: list[dict[str, Any]], stated: list[Gap], latest: datetime | None) -> Read:
    """Records and readings of a section. `stated` are the host's own gaps; rows dated after `latest` are refused."""
    plan = PLANS[section]
    gaps = Gaps()
    for gap in stated:
        gaps.add(gap.record, gap.field, gap.reason)
    reader = _Reader(section, plan, gaps, latest)
    for row in rows[:MOST_ROWS]:
        reader.take(row)
    if len(rows) > MOST_ROWS:
        gaps.add("", "", f"{len(rows)} rows, of which only the first {MOST_ROWS} were taken")
    return Read(tuple(reader.records), tuple(reader.readings), gaps.all())


def redacted_rows(section: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows without secrets, as recordings keep them: read again they give the same records, and too large texts the same gaps."""
    plan = PLANS.get(section)
    if plan is None or section == "dumpbytes":  # memory of a host goes into no recording
        return []
    reader = _RowReader(section)
    return [reader.redacted(row) for row in rows[: MOST_ROWS + 1]]


def short(text: str, limit: int = _SHORT) -> str:
    """A host's words on one line, redacted and cut."""
    line = redact(" ".join(text[: 4 * limit].split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"


class Gaps:
    """Gaps as they are found, up to `MOST_GAPS`."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []
        self._more = 0

    def add(self, record: str, field: str, reason: str) -> None:
        """One more gap; texts are cut and redacted here."""
        if len(self._gaps) < MOST_GAPS:
            self._gaps.append(Gap(record=redact(record[:_NAMES]), field=short(field, 100), reason=short(reason)))
        else:
            self._more += 1

    def all(self) -> tuple[Gap, ...]:
        """What was found, with a last one for what was not kept."""
        if not self._more:
            return tuple(self._gaps)
        return (*self._gaps, Gap(record="", field="", reason=f"{self._more} more gaps, which are not listed"))


class _Taken(NamedTuple):
    """What one row gives, on whatever host it stands."""

    label: str
    identity: tuple[str, ...]
    record: msgspec.Struct | None
    reading: msgspec.Struct | None
    gaps: tuple[tuple[str, str, str], ...]


class _Found:
    """Gaps of one row."""

    def __init__(self) -> None:
        self.gaps: list[tuple[str, str, str]] = []

    def add(self, record: str, field: str, reason: str) -> None:
        self.gaps.append((record, field, reason))


def _take(section: str, row: Mapping[str, Any]) -> _Taken:
    """The row as record and reading. A row whose bytes were read before, on whatever host, is not read again."""
    raw = row.raw if row.__class__ is Row else b""
    return _take_known(section, raw) if raw else _RowReader(section).take(row)


@lru_cache(maxsize=MOST_KNOWN)
def _take_known(section: str, raw: bytes) -> _Taken:
    return _RowReader(section).take(row_of(raw))


class _Reader:
    """Reads the rows of one host's section; keeps what it made of them."""

    def __init__(self, section: str, plan: Plan, gaps: Gaps, latest: datetime | None) -> None:
        self.records: list[msgspec.Struct] = []
        self.readings: list[msgspec.Struct] = []
        self._section, self._plan, self._gaps, self._latest = section, plan, gaps, latest
        self._seen: set[tuple[str, ...]] = set()

    def take(self, row: Mapping[str, Any]) -> None:
        label, identity, record, reading, gaps = _take(self._section, row)
        if identity and identity in self._seen:
            self._gaps.add(label, "", "stated twice: the first statement is kept")
            return
        for gap in gaps:
            self._gaps.add(*gap)
        if record is None and reading is None:
            return
        if problem := self._time_problem(reading):
            self._gaps.add(label, "time", problem)
            return
        self._seen.add(identity)
        if record is not None:
            self.records.append(record)
        if reading is not None and (record is None or _says_more(reading, record, self._plan.moving)):
            self.readings.append(reading)

    def _time_problem(self, reading: msgspec.Struct | None) -> str:
        """What is wrong with the time of a dated row; nothing for rows without one."""
        text = getattr(reading, "time", None)
        if text is None:
            return ""
        time = parse_time(text)
        if time is None:
            return "not a time in UTC: refused"
        late = self._latest is not None and time > self._latest
        return "dated in the future of this host and of the collector: refused" if late else ""


class _RowReader:
    """Reads one row."""

    def __init__(self, section: str) -> None:
        plan = PLANS[section]
        self._section, self._plan, self._gaps = section, plan, _Found()
        self._types = {kind: _fields(kind) for kind in (plan.record, plan.reading) if kind is not None}
        self._known = _known_fields(plan.record, plan.reading)

    def take(self, row: Mapping[str, Any]) -> _Taken:
        label = self._label(row)
        identity = tuple(_plain(row.get(name)).casefold() for name in self._plan.keys)
        record, reading = self._pair(self._cleaned(row, label), label)
        return _Taken(label, identity, record, reading, tuple(self._gaps.gaps))

    def _pair(self, clean: dict[str, Any], label: str) -> tuple[msgspec.Struct | None, msgspec.Struct | None]:
        """What a row is: a record with its reading, one of them, or neither."""
        if self._section == "tasks":
            clean = _settled(clean)
        plan = self._plan
        if plan.apart:
            return (
                (self._struct(plan.record, clean, label), None) if plan.apart in clean else (None, self._struct(plan.reading, clean, label))
            )
        lasting = {name: value for name, value in clean.items() if name not in plan.moving} if plan.moving else clean
        record = self._struct(plan.record, lasting, label)
        return record, self._struct(plan.reading, clean, label) if record is not None or plan.record is None else None

    def _cleaned(self, row: Mapping[str, Any], label: str) -> dict[str, Any]:
        """The known fields that say something, without secrets; what is too large or not known becomes a gap."""
        clean: dict[str, Any] = {}
        known, plain = self._known, self._section not in _SPECIAL_DATA
        for name, value in row.items():
            if name not in known:
                self._gaps.add(label, name, "a field that this section does not have: ignored")
                continue
            kind = value.__class__
            # The short way of nearly all fields of nearly all rows.
            if kind is str and len(value) <= SHORT_TEXT and (plain or name != "data"):
                clean[name] = redact_short(value)
            elif kind is bool:
                clean[name] = value
            elif value is not None:
                if problem := _oversize(value):
                    self._gaps.add(label, name, problem)
                else:
                    clean[name] = self._clean(value, row, name)
        return clean

    def redacted(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The row with its texts redacted."""
        return {
            redact(name[:_SHORT]): "x" * (LONGEST_TEXT + 1) if _oversize(value) else self._clean(value, row, name)
            for name, value in row.items()
        }

    def _label(self, row: Mapping[str, Any]) -> str:
        keys = self._plan.keys
        if keys:
            return _plain(row.get(keys[-1])) if keys[-1] else self._section
        return " ".join(name for name in (_plain(row.get("source")), _plain(row.get("time"))) if name)

    def _struct(self, kind: type[msgspec.Struct] | None, clean: dict[str, Any], label: str) -> msgspec.Struct | None:
        """The row as `kind`; None, with a gap, where a field is missing without which it says nothing."""
        if kind is None:
            return None
        try:
            return msgspec.convert(clean, kind)  # what belongs to the other of record and reading is passed over
        except (msgspec.ValidationError, RecursionError, OverflowError):
            values = {name: clean[name] for name in self._types[kind] if name in clean}
            return self._struct_by_field(kind, values, clean, label)

    def _struct_by_field(
        self, kind: type[msgspec.Struct], values: dict[str, Any], clean: dict[str, Any], label: str
    ) -> msgspec.Struct | None:
        """The fields that are what they should be; the others become gaps, and are not tried again for the reading."""
        for name, (wanted, required) in self._types[kind].items():
            if name in values:
                try:
                    values[name] = msgspec.convert(values[name], wanted)
                    continue
                except (msgspec.ValidationError, RecursionError, OverflowError) as error:
                    del values[name]
                    clean.pop(name, None)
                    self._gaps.add(label, name, f"not what it should be: {error}")
            if required:
                self._gaps.add(label, name, "missing or unreadable, so that the row says nothing: left out")
                return None
        return kind(**values)

    def _clean(self, value: Any, row: Mapping[str, Any], name: str) -> Any:
        """Texts without their secrets; what a value's name or a file's format says about it is used."""
        if isinstance(value, str) and name == "data":
            if self._section == "dumpbytes":
                # bytes: words that look like secrets in base64 are none, and a changed letter breaks the piece
                return value if _BASE64.fullmatch(value) else ""
            if self._section == "tasks":
                return redact_job(value)
            if self._section == "security" and isinstance(row.get("name"), str) and row.get("type") not in ("REG_DWORD", "REG_QWORD"):
                return redact_named(row["name"], value)
        return _redacted(value)


@cache
def _known_fields(*kinds: type[msgspec.Struct] | None) -> frozenset[str]:
    return frozenset(name for kind in kinds if kind is not None for name in _fields(kind))


@cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[Any, bool]]:
    hints = get_type_hints(kind)
    return {field.name: (hints[field.name], field.required) for field in msgspec.structs.fields(kind)}


def _oversize(value: Any, depth: int = 0) -> str:
    if isinstance(value, str):
        return f"longer than {LONGEST_TEXT} characters: left out" if len(value) > LONGEST_TEXT else ""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int | float):
        return "" if -LARGEST_NUMBER <= value < LARGEST_NUMBER else "a number beyond 64 bits: left out"
    if depth > 4:
        return "nested too deep: left out"
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else value
    if len(items) > MOST_ROWS:
        return f"a list of {len(items)} items: left out"
    return next((problem for item in items if (problem := _oversize(item, depth + 1))), "")


def _redacted(value: Any) -> Any:
    """Texts redacted, also inside lists and maps."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(str(key)): _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value


def _settled(clean: dict[str, Any]) -> dict[str, Any]:
    """A task without what its runs change, which becomes the reading's."""
    form, text, data = clean.get("source_format"), clean.get("text"), clean.get("data")
    if form == "schtasks" and isinstance(text, str):
        kept, moved = settle_listing(text)
        return {**clean, **moved, "text": kept}
    if form == "job" and isinstance(data, str):
        kept, moved = settle_job(data)
        return {**clean, **moved, "data": kept}
    return clean


@cache
def _own_fields(reading: type[msgspec.Struct], record: type[msgspec.Struct], moving: tuple[str, ...]) -> tuple[str, ...]:
    """Fields that a reading does not share with its record."""
    return tuple(name for name in reading.__struct_fields__ if name in moving or name not in record.__struct_fields__)


def _says_more(reading: msgspec.Struct, record: msgspec.Struct, moving: tuple[str, ...]) -> bool:
    """Whether a reading holds anything but what ties it to its record."""
    return any(getattr(reading, name) is not None for name in _own_fields(type(reading), type(record), moving))


def _plain(value: Any) -> str:
    return value[:_NAMES] if isinstance(value, str) else ""


def parse_time(text: Any) -> datetime | None:
    """An ISO 8601 time with its zone, or None."""
    try:
        time = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None
