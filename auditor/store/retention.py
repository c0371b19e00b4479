"""What is kept for how long: old snapshots and runs are deleted, and contents that nothing refers to any more.

Never deleted: the newest snapshots of each host, states that people froze, the last report, the lives of findings, and the records of
remediations (the events of their tasks are). What was derived from snapshots is deleted as a whole: it is made again. Works inside a
transaction that the caller holds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection, func, select

from auditor.model.errors import StoreError
from auditor.store import changes
from auditor.store.blobs import Blob, unpack
from auditor.store.chains import let_stand_alone
from auditor.store.past import WHOLE
from auditor.store.sections import Facts, blobs_of
from auditor.store.tables import ACCEPTED, BLOB, DERIVED, FINDING, PART, RESULT, RUN, SNAPSHOT, chunks


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was deleted."""

    snapshots: int
    results: int
    runs: int
    contents: int
    """Shared contents that nothing referred to any more."""
    content_bytes: int
    events: int = 0
    """Events of tasks of remediations."""


def prune(connection: Connection, before: str, keep: int) -> Pruned:
    """Deletes what was collected before a time (ISO 8601 in UTC), except the newest `keep` snapshots of each host (at least one)."""
    old = _old_snapshots(connection, before, max(keep, 1))
    for number in _resting_on(connection, old):
        let_stand_alone(connection, number)
    results = 0
    for chunk in chunks(sorted(old, reverse=True)):  # what rests on others goes before them
        results += connection.execute(RESULT.delete().where(RESULT.c.snapshot.in_(chunk))).rowcount
        connection.execute(SNAPSHOT.delete().where(SNAPSHOT.c.number.in_(chunk)))
    results += _old_failures(connection, before)
    runs = _empty_runs(connection, before)
    connection.execute(DERIVED.delete())
    events = changes.prune(connection, before)
    contents, size = _unused_contents(connection)
    return Pruned(snapshots=len(old), results=results, runs=runs, contents=contents, content_bytes=size, events=events)


def _old_snapshots(connection: Connection, before: str, keep: int) -> set[int]:
    runs = select(RUN.c.number).where(RUN.c.kind.in_(WHOLE))
    whole = SNAPSHOT.c.number.in_(select(RESULT.c.snapshot).where(RESULT.c.run.in_(runs), RESULT.c.snapshot.is_not(None)))
    place = func.row_number().over(partition_by=(SNAPSHOT.c.host, whole), order_by=SNAPSHOT.c.number.desc()).label("place")
    ranked = select(SNAPSHOT.c.number, SNAPSHOT.c.collected_at, place).subquery()
    chosen = select(ranked.c.number).where(ranked.c.place > keep, ranked.c.collected_at < before)
    frozen = set(connection.execute(select(ACCEPTED.c.snapshot)).scalars())
    return set(connection.execute(chosen).scalars()) - frozen


def _resting_on(connection: Connection, old: set[int]) -> list[int]:
    """Snapshots that stay and rest on one that goes."""
    found: list[int] = []
    for chunk in chunks(sorted(old)):
        found += connection.execute(select(SNAPSHOT.c.number).where(SNAPSHOT.c.base.in_(chunk))).scalars()
    return [number for number in found if number not in old]


def _old_failures(connection: Connection, before: str) -> int:
    """Results without a snapshot; the last result of each host stays."""
    last = select(func.max(RESULT.c.number)).group_by(RESULT.c.host)
    runs = select(RUN.c.number).where(RUN.c.started_at < before)
    chosen = RESULT.c.snapshot.is_(None) & RESULT.c.run.in_(runs) & RESULT.c.number.not_in(last)
    return connection.execute(RESULT.delete().where(chosen)).rowcount


def _empty_runs(connection: Connection, before: str) -> int:
    """Runs that have no result any more; the last one with a report stays, and so do runs that may still be going on."""
    last = connection.execute(select(func.max(PART.c.run))).scalar() or 0
    used = select(RESULT.c.run)
    chosen = (RUN.c.started_at < before) & RUN.c.number.not_in(used) & (RUN.c.number != last)
    numbers = list(connection.execute(select(RUN.c.number).where(chosen)).scalars())
    for chunk in chunks(numbers):
        for table in (FINDING, PART):
            connection.execute(table.delete().where(table.c.run.in_(chunk)))
        connection.execute(RUN.delete().where(RUN.c.number.in_(chunk)))
    return len(numbers)


def _unused_contents(connection: Connection) -> tuple[int, int]:
    """Deletes contents that nothing refers to; how many, and how many stored bytes."""
    numbers = set(connection.execute(select(SNAPSHOT.c.facts).distinct()).scalars())
    digests = set(connection.execute(select(PART.c.digest).distinct()).scalars())
    for chunk in chunks(sorted(numbers)):
        digests |= _named_in(connection, chunk)
    numbers |= set(connection.execute(select(RESULT.c.target).distinct()).scalars())
    count = size = 0
    rows = connection.execute(select(BLOB.c.number, BLOB.c.digest, func.length(BLOB.c.data))).all()
    unused = [(number, length) for number, digest, length in rows if number not in numbers and digest not in digests]
    for part in chunks(number for number, _ in unused):
        count += connection.execute(BLOB.delete().where(BLOB.c.number.in_(part))).rowcount
    size = sum(length or 0 for _, length in unused)
    return count, size


def _named_in(connection: Connection, facts: Sequence[int]) -> set[str]:
    """Digests of the contents that snapshots' facts name. Facts that are damaged name nothing that could still be read."""
    found: set[str] = set()
    for row in connection.execute(select(BLOB).where(BLOB.c.number.in_(facts))):
        try:
            blob = Blob(digest=row.digest, codec=row.codec, size=row.size, data=bytes(row.data))
            found.update(blobs_of(unpack(blob, Facts)))
        except (StoreError, TypeError):
            continue
    return found
