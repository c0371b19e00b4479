"""Small documents that change: what the watch remembers. Reads and writes inside a transaction that the caller holds; rows are sealed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeVar

import msgspec
from sqlalchemy import Connection, select

from auditor.store.blobs import seal
from auditor.store.sealed import unsealed
from auditor.store.tables import NOTE

NoteKind = Literal["watch", "case", "notice"]
T = TypeVar("T")


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A document to be kept, or to be dropped where `value` is None."""

    kind: NoteKind
    id: str
    """At most 100 characters."""
    value: msgspec.Struct | None


def read(connection: Connection, kind: NoteKind, of: type[T]) -> dict[str, T]:
    """The documents of a kind by id, in the order of ids. Raises StoreError for one that was damaged."""
    rows = connection.execute(select(NOTE).where(NOTE.c.kind == kind)).all()
    return {
        row.id: unsealed((row.kind, row.id), row.data, row.seal, of, f"{row.kind} {row.id}")
        for row in sorted(rows, key=lambda row: str(row.id))
    }


def write(connection: Connection, notes: Iterable[Note]) -> None:
    """Keeps and drops documents."""
    for note in notes:
        connection.execute(NOTE.delete().where(NOTE.c.kind == note.kind, NOTE.c.id == note.id))
        if note.value is not None:
            data = msgspec.json.encode(note.value, order="deterministic").decode()
            connection.execute(NOTE.insert().values(kind=note.kind, id=note.id, data=data, seal=seal((note.kind, note.id, data))))
