"""Tables of the store and the steps that lead an older store to them. Knows SQL types, not what is stored in them.

Rules of this file:
1. Contents live in `blob`, once each, named by the SHA-256 of their bytes. Other rows only refer to them.
2. A row that carries facts outside a blob has a `seal`, a digest over its columns, so that a flipped bit is found on reading.
3. A step is never changed once released; a change of tables is one more step.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Column, Connection, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

METADATA = MetaData()

SCHEMA = Table("auditor_schema", METADATA, Column("version", Integer, primary_key=True))

BLOB = Table(
    "blob",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("codec", String(16), nullable=False),
    Column("size", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),
)

RUN = Table(
    "run",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("started_at", String(40), nullable=False),
    Column("auditor", String(40), nullable=False),
    Column("state", String(20), nullable=False),
    Column("findings", Integer),
    Column("seal", String(32), nullable=False),
)

SNAPSHOT = Table(
    "snapshot",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("host", Text, nullable=False),
    Column("collected_at", String(40), nullable=False),
    Column("facts", String(64), ForeignKey("blob.digest"), nullable=False),
    Column("moving", String(64), ForeignKey("blob.digest"), nullable=False),
    Column("seal", String(32), nullable=False),
    Index("snapshot_host", "host", "collected_at"),
)

RESULT = Table(
    "result",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("run", Integer, ForeignKey("run.number"), nullable=False),
    Column("host", Text, nullable=False),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("next_step", Text, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("target", String(64), ForeignKey("blob.digest"), nullable=False),
    Column("snapshot", Integer, ForeignKey("snapshot.number")),
    Column("seal", String(32), nullable=False),
    UniqueConstraint("run", "host"),
    Index("result_host", "host", "number"),
)

PART = Table(
    "part",
    METADATA,
    Column("run", Integer, ForeignKey("run.number"), primary_key=True),
    Column("name", String(20), primary_key=True),
    Column("digest", String(64), ForeignKey("blob.digest"), nullable=False),
)

FINDING = Table(
    "finding",
    METADATA,
    Column("run", Integer, ForeignKey("run.number"), primary_key=True),
    Column("place", Integer, primary_key=True),
    Column("id", String(16), nullable=False),
    Column("rule", Text, nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("severity", String(20), nullable=False),
    Column("seal", String(32), nullable=False),
    Index("finding_id", "id", "run"),
)


def _first(connection: Connection) -> None:
    METADATA.create_all(connection)


STEPS: tuple[Callable[[Connection], None], ...] = (_first,)
"""Step number n leads a store of version n to version n + 1; an empty database has version 0."""

VERSION = len(STEPS)
