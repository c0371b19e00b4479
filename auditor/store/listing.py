"""The last result of each host without its snapshot: enough to know what there is. Works inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from auditor.model.errors import StoreError
from auditor.model.host import Target
from auditor.store.blobs import Blob, unpack
from auditor.store.shapes import COLLECTING
from auditor.store.tables import BLOB, RESULT, RUN, SNAPSHOT, chunks
from auditor.store.writing import result_seal


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A host's last result."""

    host: str
    row: int
    """Number of the result in the store."""
    reason: str
    aim: str
    """Digest of the target as it was then."""
    snapshot: str | None
    """Names what was collected: two results with the same have the same snapshot."""
    collected_at: str | None


def listing(connection: Connection, hosts: Sequence[str] | None) -> list[Listed]:
    """The last result of each host that a collecting run has, by host; of all hosts unless some are named. Raises StoreError."""
    last = (
        select(func.max(RESULT.c.number)).join(RUN, RUN.c.number == RESULT.c.run).where(RUN.c.kind.in_(COLLECTING)).group_by(RESULT.c.host)
    )
    if hosts is None:
        return _listed(connection, RESULT.c.number.in_(last))
    return [found for chunk in chunks(hosts) for found in _listed(connection, RESULT.c.number.in_(last.where(RESULT.c.host.in_(chunk))))]


_SEALED = ("run", "host", "status", "reason", "next_step", "seconds", "snapshot")


def _listed(connection: Connection, chosen: ColumnElement[bool]) -> list[Listed]:
    own = [RESULT.c[name] for name in (*_SEALED, "number", "seal")]
    more = (BLOB.c.digest, SNAPSHOT.c.number, SNAPSHOT.c.seal, SNAPSHOT.c.collected_at)
    joined = select(*own, *more).outerjoin(BLOB, BLOB.c.number == RESULT.c.target)
    joined = joined.outerjoin(SNAPSHOT, SNAPSHOT.c.number == RESULT.c.snapshot)
    rows = connection.execute(joined.where(chosen).order_by(RESULT.c.host)).all()
    return [_one(dict(zip(_SEALED, row, strict=False)), *row[len(_SEALED) :]) for row in rows]


def _one(row: dict[str, Any], number: int, mark: str, aim: str, there: int | None, snapshot_mark: str | None, at: str | None) -> Listed:
    if mark != result_seal(row, aim):
        raise StoreError("the store is damaged: a result row has changed since it was written", next_step="Restore the store from a copy.")
    snapshot, reason = row["snapshot"], row["reason"]
    if snapshot is not None and there is None:
        snapshot, reason = None, "unreadable in the store: the snapshot is lost"
    named = None if snapshot is None else f"{snapshot}:{snapshot_mark}"
    return Listed(host=row["host"], row=number, reason=reason, aim=aim, snapshot=named, collected_at=at)


def targets(connection: Connection, digests: Sequence[str]) -> dict[str, Target]:
    """Targets by digest. Raises StoreError where one is damaged."""
    found: dict[str, Target] = {}
    for chunk in chunks(digests):
        for row in connection.execute(select(BLOB).where(BLOB.c.digest.in_(chunk))):
            found[row.digest] = unpack(Blob(digest=row.digest, codec=row.codec, size=row.size, data=bytes(row.data)), Target)
    return found
