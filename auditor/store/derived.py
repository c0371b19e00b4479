"""What was derived from snapshots, kept by a key that names all that it was derived from. Works inside a transaction that the caller holds.

Rules of this file:
1. Nothing here is evidence: what is missing or damaged is as if it had never been kept, and is derived again.
2. Of a host the last is kept, of whole fleets the last few.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, select

from auditor.model.errors import StoreError
from auditor.store.blobs import Blob, pack, unpack
from auditor.store.tables import DERIVED, chunks

T = TypeVar("T")
FLEETS = 4
"""Fleets that are kept: of several inventories and matrices in turn."""


class Derived(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be kept."""

    key: str
    """At most 64 characters."""
    host: str | None
    """The host that it is about; None for a fleet."""
    value: msgspec.Struct


def read(connection: Connection, keys: Sequence[str], kind: type[T]) -> dict[str, T]:
    """Those that are kept, by key."""
    found: dict[str, T] = {}
    for chunk in chunks(keys):
        for row in connection.execute(select(DERIVED).where(DERIVED.c.key.in_(chunk))):
            try:
                found[row.key] = unpack(Blob(digest=row.digest, codec=row.codec, size=row.size, data=bytes(row.data)), kind)
            except (StoreError, TypeError):
                continue
    return found


def save(connection: Connection, rows: Sequence[Derived]) -> None:
    """Keeps these, in place of what was kept of the same hosts."""
    by_key = {row.key: row for row in rows}
    hosts = [row.host for row in by_key.values() if row.host is not None]
    for chunk in chunks(hosts):
        connection.execute(DERIVED.delete().where(DERIVED.c.host.in_(chunk)))
    for chunk in chunks(by_key):
        connection.execute(DERIVED.delete().where(DERIVED.c.key.in_(chunk)))
        blobs = [(by_key[key], pack(by_key[key].value)) for key in chunk]
        connection.execute(DERIVED.insert(), [{"key": row.key, "host": row.host, **msgspec.structs.asdict(blob)} for row, blob in blobs])
    newest = select(DERIVED.c.number).where(DERIVED.c.host.is_(None)).order_by(DERIVED.c.number.desc()).limit(FLEETS)
    kept = list(connection.execute(newest).scalars())
    connection.execute(DERIVED.delete().where(DERIVED.c.host.is_(None), DERIVED.c.number.not_in(kept)))
