"""A snapshot in pieces that are stored once, and whole again. Pure.

Facts (status, reason, gaps and the digest of the records of each section) give the same bytes for a host that has not changed; what
moves by itself (times, readings, clock) lies apart. A damaged piece makes its section `failed` or `partial`, never empty and ok.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, get_args

import msgspec

from auditor.model.errors import StoreError
from auditor.model.host import Clock, Gap, LogCoverage, Nothing, Question, Section, Sections, Snapshot, Status
from auditor.store.blobs import Blob, decoded, pack, unpack

_DAYS = {-1: b'"\x01', 0: b'"\x02', 1: b'"\x03'}
"""How the day before, of and after the collection are written at the start of a text. JSON never holds these bytes by itself."""
_LOGGED = "events"
"""Its readings stay the same while days pass; what else moves is mostly the same at the same time of each day."""


class SectionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What stays of a section."""

    status: Status
    reason: str
    records: str
    """Digest of the records' blob."""
    gaps: tuple[Gap, ...]


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What stays of a snapshot."""

    schema_version: int
    collector: str
    transport: str
    certificate_checked: bool | None
    sections: dict[str, SectionFacts]
    asked: str | msgspec.UnsetType | None = msgspec.UNSET
    """Digest of the blob of what was asked for by name; null where everything was. Left out by stores that did not keep it: not known."""


class SectionMoving(msgspec.Struct, frozen=True, kw_only=True):
    """What moves by itself in a section."""

    started_at: str | None
    seconds: float | None
    readings: msgspec.Raw


class Moving(msgspec.Struct, frozen=True, kw_only=True):
    """What moves by itself in a snapshot."""

    clock: Clock
    log_coverage: tuple[LogCoverage, ...]
    sections: dict[str, SectionMoving]


class Pieces(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as it is stored."""

    facts: Blob
    moving: bytes
    """See `moving_bytes`."""
    records: tuple[Blob, ...]
    """Those of the sections, and that of the question."""


def split(snapshot: Snapshot) -> Pieces:
    """The pieces of a snapshot; sections that were not asked leave no trace."""
    facts: dict[str, SectionFacts] = {}
    moving: dict[str, SectionMoving] = {}
    records: dict[str, Blob] = {}
    for name, section in _asked(snapshot.sections).items():
        blob = pack(section.records)
        records[blob.digest] = blob
        facts[name] = SectionFacts(status=section.status, reason=section.reason, records=blob.digest, gaps=section.gaps)
        readings = msgspec.Raw(msgspec.json.encode(section.readings))
        moving[name] = SectionMoving(started_at=section.started_at, seconds=section.seconds, readings=readings)
    question = pack(snapshot.asked) if snapshot.asked is not None else None
    if question is not None:
        records[question.digest] = question
    stays = Facts(
        schema_version=snapshot.schema_version,
        collector=snapshot.collector,
        transport=snapshot.transport,
        certificate_checked=snapshot.certificate_checked,
        sections=facts,
        asked=question.digest if question is not None else None,
    )
    moves = Moving(clock=snapshot.clock, log_coverage=snapshot.log_coverage, sections=moving)
    return Pieces(facts=pack(stays), moving=moving_bytes(moves, snapshot.collected_at), records=tuple(records.values()))


def join(host: str, collected_at: str, facts: Facts, moving: Moving | None, records: Mapping[str, Blob]) -> Snapshot:
    """The snapshot again. `moving` is None where its bytes are damaged; a digest without a blob in `records` is a lost one."""
    sections: dict[str, Any] = {}
    for name, stays in facts.sections.items():
        record_type, reading_type = _types(name)
        moves = moving.sections.get(name) if moving else None
        section = _section(stays, record_type, records.get(stays.records))
        sections[name] = _with_readings(section, record_type, reading_type, moves)
    return Snapshot(
        schema_version=facts.schema_version,
        host=host,
        collected_at=collected_at,
        collector=facts.collector,
        transport=facts.transport,
        clock=moving.clock if moving else Clock(),
        log_coverage=moving.log_coverage if moving else (),
        sections=Sections(**sections),
        certificate_checked=facts.certificate_checked,
        asked=None if facts.asked is None else _question(records.get(facts.asked) if isinstance(facts.asked, str) else None),
    )


def blobs_of(facts: Facts) -> list[str]:
    """Digests of the blobs that `join` needs, sorted."""
    question = {facts.asked} if isinstance(facts.asked, str) else set()
    return sorted({section.records for section in facts.sections.values()} | question)


def _question(blob: Blob | None) -> Question:
    """What was asked. Where that was not kept, or is damaged, nothing counts as asked for, so that no absence is taken for knowledge."""
    try:
        return _unpacked_question(blob) if blob is not None else Question()
    except StoreError:
        return Question()


@functools.lru_cache(maxsize=16)
def _unpacked_question(blob: Blob) -> Question:
    """Hosts of one run were asked the same: one value for all of them."""
    return unpack(blob, Question)


def join_facts(host: str, collected_at: str, facts: Facts, records: Mapping[str, Any]) -> Snapshot:
    """The snapshot without what moves by itself, for comparing. `records`: decoded, by digest; where one is lost its section fails."""
    sections: dict[str, Any] = {}
    for name, stays in facts.sections.items():
        found = records.get(stays.records)
        if found is None:
            sections[name] = Section(status="failed", reason="unreadable in the store", gaps=stays.gaps)
        else:
            sections[name] = Section(status=stays.status, reason=stays.reason, records=found, gaps=stays.gaps)
    return Snapshot(
        schema_version=facts.schema_version,
        host=host,
        collected_at=collected_at,
        collector=facts.collector,
        transport=facts.transport,
        sections=Sections(**sections),
        certificate_checked=facts.certificate_checked,
        asked=None if facts.asked is None else records.get(facts.asked, Question()) if isinstance(facts.asked, str) else Question(),
    )


def record_type(name: str) -> Any:
    """Type of a section's records."""
    return _types(name)[0]


def moving_bytes(moves: Moving, collected_at: str) -> bytes:
    """What moves, in such a form that what happens each day at the same time gives the same bytes each day."""
    logged = b""
    if _LOGGED in moves.sections:
        logged = bytes(moves.sections[_LOGGED].readings)
        rest = msgspec.structs.replace(moves.sections[_LOGGED], readings=msgspec.Raw(b"[]"))
        moves = msgspec.structs.replace(moves, sections={**moves.sections, _LOGGED: rest})
    head = msgspec.json.encode(moves, order="deterministic")
    for number, day in _days_around(collected_at):
        head = head.replace(b'"' + day, _DAYS[number])
    return head + b"\n" + logged


def moving_of(raw: bytes, collected_at: str) -> Moving:
    """What `moving_bytes` was given. Raises StoreError where it has another shape."""
    head, _, logged = raw.partition(b"\n")
    for number, day in _days_around(collected_at):
        head = head.replace(_DAYS[number], b'"' + day)
    moves = decoded(head, Moving)
    if _LOGGED in moves.sections:
        section = msgspec.structs.replace(moves.sections[_LOGGED], readings=msgspec.Raw(logged))
        moves = msgspec.structs.replace(moves, sections={**moves.sections, _LOGGED: section})
    return moves


def _days_around(collected_at: str) -> list[tuple[int, bytes]]:
    try:
        day = date.fromisoformat(collected_at[:10])
        return [(number, f"{day + timedelta(days=number)}T".encode()) for number in _DAYS]
    except (ValueError, OverflowError):
        return []


def _asked(sections: Sections) -> dict[str, Section[Any, Any]]:
    named = {name: getattr(sections, name) for name in sections.__struct_fields__}
    return {name: section for name, section in named.items() if section != Section()}


@functools.cache
def _types(name: str) -> tuple[Any, Any]:
    """Types of a section's records and readings. A name that this version does not know is an error, not a section to forget."""
    for field in msgspec.structs.fields(Sections):
        if field.name == name:
            record_type, reading_type = get_args(field.type)
            return record_type, reading_type
    raise StoreError(
        f"the store holds a section {name!r} that this version does not know", next_step="Use the newer auditor that wrote it."
    )


def _section(stays: SectionFacts, record_type: Any, blob: Blob | None) -> Section[Any, Any]:
    try:
        if blob is None:
            raise StoreError("stored bytes are lost")
        records = unpack(blob, tuple[record_type, ...])  # type: ignore[type-arg, unused-ignore]
    except StoreError as error:
        return Section(status="failed", reason=f"unreadable in the store: {error.message}", gaps=stays.gaps)
    return Section(status=stays.status, reason=stays.reason, records=records, gaps=stays.gaps)


def _with_readings(section: Section[Any, Any], record_type: Any, reading_type: Any, moves: SectionMoving | None) -> Section[Any, Any]:
    replace = msgspec.structs.replace
    if moves is not None:
        readings = msgspec.json.decode(moves.readings, type=tuple[reading_type, ...])
        return replace(section, started_at=moves.started_at, seconds=moves.seconds, readings=readings)
    if reading_type is Nothing or not section.usable:
        return section
    reason = "unreadable in the store: its readings are damaged"
    return replace(section, status="failed" if record_type is Nothing else "partial", reason=reason)
