"""What outlives the runs: lives of findings, states that people froze, and why changes were expected.

Reads and writes inside a transaction that the caller holds. Every row is sealed: a flipped bit is found on reading.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from auditor.analysis.rules.lives import RunView, advance
from auditor.model.change import Accepted, Explanation, FindingLife
from auditor.model.errors import StoreError
from auditor.store.blobs import seal
from auditor.store.sealed import unsealed
from auditor.store.tables import ACCEPTED, EXPLANATION, LIFE


def lives(connection: Connection) -> dict[str, FindingLife]:
    """All findings that any run reported, by id."""
    return {
        row.id: unsealed((row.id,), row.data, row.seal, FindingLife, "a kept row")
        for row in connection.execute(select(LIFE).order_by(LIFE.c.id))
    }


def note_run(connection: Connection, view: RunView) -> None:
    """Lets a run's report change the lives of findings.

    A damaged life costs no run its report: it is left as it is, so that reading the lives goes on telling of the damage.
    """
    known: dict[str, FindingLife] = {}
    damaged: set[str] = set()
    for row in connection.execute(select(LIFE)):
        try:
            known[row.id] = unsealed((row.id,), row.data, row.seal, FindingLife, "a kept row")
        except StoreError:
            damaged.add(row.id)
    save_lives(connection, (life for life in advance(known, view) if life.id not in damaged))


def save_lives(connection: Connection, changed: Iterable[FindingLife]) -> None:
    """Writes lives over what is there."""
    for life in changed:
        _put(connection, LIFE, {"id": life.id}, life)


def accepted(connection: Connection) -> dict[str, Accepted]:
    """Frozen states by host."""
    return {
        row.host: unsealed((row.host,), row.data, row.seal, Accepted, "a kept row")
        for row in connection.execute(select(ACCEPTED).order_by(ACCEPTED.c.host))
    }


def accept(connection: Connection, snapshot: int, entry: Accepted) -> None:
    """Freezes a state of a host, in place of an earlier one."""
    _put(connection, ACCEPTED, {"host": entry.host}, entry, snapshot=snapshot)


def withdraw(connection: Connection, host: str) -> bool:
    """Takes back what was frozen; whether there was something."""
    return connection.execute(ACCEPTED.delete().where(ACCEPTED.c.host == host)).rowcount > 0


def explanations(connection: Connection) -> tuple[Explanation, ...]:
    """Why changes were expected, by id."""
    rows = connection.execute(select(EXPLANATION).order_by(EXPLANATION.c.id))
    return tuple(unsealed((row.id,), row.data, row.seal, Explanation, "a kept row") for row in rows)


def explain(connection: Connection, entry: Explanation) -> None:
    """Notes why changes are expected, in place of an earlier entry of that id."""
    _put(connection, EXPLANATION, {"id": entry.id}, entry)


def _put(connection: Connection, table: Table, key: dict[str, str], value: object, **more: Any) -> None:
    data = msgspec.json.encode(value, order="deterministic").decode()
    name, text = next(iter(key.items()))
    connection.execute(table.delete().where(table.c[name] == text))
    connection.execute(table.insert().values({**key, **more, "data": data, "seal": seal((text, data))}))
