"""Tables of the store and the steps that lead an older store to them. Knows SQL types, not what is stored in them.

Rules of this file:
1. Contents that many rows share live in `blob`, once each, named by the SHA-256 of their bytes; other rows refer to them by number.
2. A row that carries facts outside a blob has a `seal`, a digest over its values and over the digests of the blobs that it refers to, so
   that a flipped bit is found on reading.
3. Readings of a snapshot differ each time, so they lie in its own row, as what has changed since the snapshot `base` of the same host
   (see `readings`). A snapshot that others rest on can't be deleted before they are made to stand alone.
4. A step is never changed once released; a change of tables is one more step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()
FIRST_FORMAT = 2
"""Version that the first step makes. Version 1 was never released."""

Number = Integer
"""Ten thousand hosts each hour make a thousand million in eleven years. Numbers stand before texts, which wastes no bytes on PostgreSQL."""
Time = String(40).with_variant(String(40, collation="C"), "postgresql")
"""ISO 8601 in UTC, compared byte by byte whatever the database's language."""

SCHEMA = Table("auditor_schema", METADATA, Column("version", Integer, primary_key=True))

BLOB = Table(
    "blob",
    METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("codec", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

RUN = Table(
    "run",
    METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("started_at", Time, nullable=False),
    Column("auditor", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("findings", Integer),
    Column("seal", String(16), nullable=False),
)

SNAPSHOT = Table(
    "snapshot",
    METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("facts", Number, ForeignKey("blob.number"), nullable=False),
    Column("base", Number, ForeignKey("snapshot.number")),
    Column("size", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("collected_at", Time, nullable=False),
    Column("seal", String(16), nullable=False),
    Column("readings", LargeBinary, nullable=False),
    Index("snapshot_host", "host"),
    Index("snapshot_base", "base"),
)

RESULT = Table(
    "result",
    METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("run", Number, ForeignKey("run.number"), nullable=False),
    Column("target", Number, ForeignKey("blob.number"), nullable=False),
    Column("snapshot", Number, ForeignKey("snapshot.number")),
    Column("seconds", Float, nullable=False),
    Column("host", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("seal", String(16), nullable=False),
    UniqueConstraint("run", "host"),
    Index("result_host", "host", "number"),
)

PART = Table(
    "part",
    METADATA,
    Column("run", Number, ForeignKey("run.number"), primary_key=True),
    Column("name", String(20), primary_key=True),
    Column("digest", String(64), ForeignKey("blob.digest"), nullable=False),
)

FINDING = Table(
    "finding",
    METADATA,
    Column("run", Number, ForeignKey("run.number"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("id", String(16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("seal", String(16), nullable=False),
    Index("finding_id", "id", "run"),
)


LIFE = Table(
    "life",
    METADATA,
    Column("id", String(16), primary_key=True),
    Column("data", Text, nullable=False),
    Column("seal", String(16), nullable=False),
)

ACCEPTED = Table(
    "accepted",
    METADATA,
    Column("host", Text, primary_key=True),
    Column("snapshot", Number, ForeignKey("snapshot.number"), nullable=False),
    Column("data", Text, nullable=False),
    Column("seal", String(16), nullable=False),
)

EXPLANATION = Table(
    "explanation",
    METADATA,
    Column("id", String(100), primary_key=True),
    Column("data", Text, nullable=False),
    Column("seal", String(16), nullable=False),
)


NOTE = Table(
    "note",
    METADATA,
    Column("kind", String(20), primary_key=True),
    Column("id", String(100), primary_key=True),
    Column("data", Text, nullable=False),
    Column("seal", String(16), nullable=False),
)


DERIVED = Table(
    "derived",
    METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("host", Text),
    Column("digest", String(64), nullable=False),
    Column("codec", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("derived_host", "host"),
)


REMEDIATION = Table(
    "remediation",
    METADATA,
    Column("id", String(64), primary_key=True),
    Column("started_at", Time, nullable=False),
    Column("data", Text, nullable=False),
    Column("seal", String(16), nullable=False),
)

REMEDIATION_EVENT = Table(
    "remediation_event",
    METADATA,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("remediation", String(64), ForeignKey("remediation.id"), nullable=False),
    Column("data", Text, nullable=False),
    Column("seal", String(16), nullable=False),
    Index("remediation_event_of", "remediation", "number"),
)

HOST_LOCK = Table(
    "host_lock",
    METADATA,
    Column("host", Text, primary_key=True),
    Column("holder", String(200), nullable=False),
    Column("until", Time, nullable=False),
)


CHUNK = 400
"""How many values go into one IN list; SQLite allows 32,766, older builds 999."""
V = TypeVar("V")


def chunks(values: Iterable[V]) -> list[list[V]]:
    """The values in lists that an IN can take."""
    listed = list(values)
    return [listed[start : start + CHUNK] for start in range(0, len(listed), CHUNK)]


_FIRST_TABLES = (SCHEMA, BLOB, RUN, SNAPSHOT, RESULT, PART, FINDING)


def _first(connection: Connection) -> None:
    METADATA.create_all(connection, tables=_FIRST_TABLES)


def _second(connection: Connection) -> None:
    """Lives of findings, states that people froze, and why changes were expected: they outlive the runs that they came from."""
    METADATA.create_all(connection, tables=(LIFE, ACCEPTED, EXPLANATION))


def _third(connection: Connection) -> None:
    """What the watch remembers: its own state, observation cases, notices that are still to be delivered."""
    METADATA.create_all(connection, tables=(NOTE,))


def _fourth(connection: Connection) -> None:
    """What was derived from snapshots, so that it need not be derived again. Can be deleted at any time."""
    METADATA.create_all(connection, tables=(DERIVED,))


def _fifth(connection: Connection) -> None:
    """What was changed on hosts, by whom and with what outcome, and who is changing which host now."""
    METADATA.create_all(connection, tables=(REMEDIATION, REMEDIATION_EVENT, HOST_LOCK))


STEPS: tuple[Callable[[Connection], None], ...] = (_first, _second, _third, _fourth, _fifth)
"""Step number n (from 0) leads to version `FIRST_FORMAT` + n. A step names the tables that it makes."""

VERSION = FIRST_FORMAT + len(STEPS) - 1
