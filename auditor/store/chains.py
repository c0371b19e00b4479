"""Readings of snapshots that rest on one another: fetched with all that they rest on, and made to stand alone before that is deleted."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, Connection, Row, func, select

from auditor.model.errors import StoreError
from auditor.store.blobs import seal
from auditor.store.readings import Packed, Prior, pack_readings, unpack_readings
from auditor.store.tables import BLOB, SNAPSHOT, chunks


def read_readings(connection: Connection, number: int) -> bytes:
    """The readings of a snapshot, see `sections.moving_of`. Raises StoreError where they are damaged or lost."""
    return unpack_readings([_packed(row) for row in _chain(connection, number)])


def priors_of(connection: Connection, hosts: Sequence[str]) -> dict[str, Prior]:
    """For each host the snapshot that was saved last, for the next one to rest on; none where there is none that can be read."""
    found: dict[str, Prior] = {}
    for some in chunks(hosts):
        latest = select(SNAPSHOT.c.host, func.max(SNAPSHOT.c.number)).where(SNAPSHOT.c.host.in_(some)).group_by(SNAPSHOT.c.host)
        for host, number in connection.execute(latest).all():
            with contextlib.suppress(StoreError):
                rows = _chain(connection, number)
                found[host] = Prior(number=number, raw=unpack_readings([_packed(row) for row in rows]), depth=len(rows) - 1)
    return found


def let_stand_alone(connection: Connection, number: int) -> None:
    """Rewrites the readings of a snapshot so that they rest on no other; needed before its base is deleted.

    Damaged readings stay damaged: they become bytes that can't be restored, not none.
    """
    chosen = select(SNAPSHOT, BLOB.c.digest).join(BLOB, BLOB.c.number == SNAPSHOT.c.facts).where(SNAPSHOT.c.number == number)
    row = connection.execute(chosen).one()
    if row.base is None:
        return
    try:
        packed = pack_readings(read_readings(connection, number), row.host, None)
    except StoreError:
        packed = Packed(base=None, size=row.size, data=b"")
    mark = snapshot_seal(row.host, row.collected_at, row.digest, None, packed.size)
    values = {"base": None, "size": packed.size, "readings": packed.data, "seal": mark}
    connection.execute(SNAPSHOT.update().where(SNAPSHOT.c.number == number).values(values))


def snapshot_seal(host: str, collected_at: str, facts: str, base: int | None, size: int) -> str:
    """The seal of a snapshot's row; its readings have a digest of their own, so that damage to them does not cost the records."""
    return seal((host, collected_at, facts, base, size))


def _chain(connection: Connection, number: int) -> list[Row[Any]]:
    """The snapshot and all that it rests on, the one that stands alone first. A base is always older, so that this ends."""
    columns = (SNAPSHOT.c.number, SNAPSHOT.c.base, SNAPSHOT.c.size, SNAPSHOT.c.readings)
    last: CTE = select(*columns).where(SNAPSHOT.c.number == number).cte("chain", recursive=True)
    before = select(*columns).join(last, SNAPSHOT.c.number == last.c.base).where(SNAPSHOT.c.number < last.c.number)
    whole = last.union_all(before)
    return list(connection.execute(select(whole).order_by(whole.c.number)).all())


def _packed(row: Row[Any]) -> Packed:
    if not isinstance(row.readings, bytes | memoryview) or not isinstance(row.size, int):
        raise StoreError("stored readings are damaged: a column has lost its type")
    return Packed(base=row.base, size=row.size, data=bytes(row.readings))
