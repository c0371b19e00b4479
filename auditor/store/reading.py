"""Reads runs, results, snapshots and reports inside a transaction that the caller holds. Every digest and seal is checked on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, func, select

from auditor.model.errors import StoreError
from auditor.model.finding import Report
from auditor.model.host import HostResult, Snapshot, Target
from auditor.store.blobs import Blob, seal, unpack
from auditor.store.chains import read_readings, snapshot_seal
from auditor.store.sections import Facts, Moving, blobs_of, join, moving_of
from auditor.store.shapes import COLLECTING, PARTS, Rest, StoredHost, StoredRun
from auditor.store.tables import BLOB, PART, RESULT, RUN, SNAPSHOT, chunks
from auditor.store.writing import result_seal

T = TypeVar("T")


def runs(connection: Connection) -> list[StoredRun]:
    """All runs, the latest first."""
    hosts = {row[0]: row[1] for row in connection.execute(select(RESULT.c.run, func.count()).group_by(RESULT.c.run))}
    rows = connection.execute(select(RUN).order_by(RUN.c.number.desc()))
    return [
        StoredRun(
            id=row.id,
            kind=row.kind,
            started_at=row.started_at,
            auditor=row.auditor,
            state=row.state,
            hosts=hosts.get(row.number, 0),
            findings=row.findings,
        )
        for row in rows
        if _sealed(row, "run", seal((row.id, row.kind, row.started_at, row.auditor, row.state, row.findings)))
    ]


def latest(connection: Connection, hosts: Sequence[str] | None) -> list[StoredHost]:
    """The last result of each host that a collecting run has, by name; of all hosts unless some are named."""
    last = (
        select(func.max(RESULT.c.number)).join(RUN, RUN.c.number == RESULT.c.run).where(RUN.c.kind.in_(COLLECTING)).group_by(RESULT.c.host)
    )
    if hosts is None:
        return _results(connection, RESULT.c.number.in_(last))
    return [host for chunk in chunks(hosts) for host in _results(connection, RESULT.c.number.in_(last.where(RESULT.c.host.in_(chunk))))]


def of_run(connection: Connection, run: str) -> list[StoredHost]:
    """The results that a run has or rests on, in the order in which they were saved."""
    return _results(connection, RESULT.c.run == run_row(connection, run).number)


def numbered(connection: Connection, numbers: Sequence[int]) -> list[StoredHost]:
    """Results by their numbers in the store, for reading a large run piece by piece."""
    return _results(connection, RESULT.c.number.in_(numbers))


def _results(connection: Connection, chosen: ColumnElement[bool]) -> list[StoredHost]:
    statement = select(RESULT, BLOB.c.digest, BLOB.c.codec, BLOB.c.size, BLOB.c.data)
    rows = connection.execute(statement.outerjoin(BLOB, BLOB.c.number == RESULT.c.target).where(chosen).order_by(RESULT.c.number)).all()
    return [_stored_host(connection, row) for row in rows]


def _stored_host(connection: Connection, row: Row[Any]) -> StoredHost:
    _sealed(row, "result", result_seal(dict(row._mapping), row.digest))
    target = _unpacked(row, Target)
    try:
        snapshot = _snapshot(connection, SNAPSHOT.c.number == row.snapshot) if row.snapshot is not None else None
        if row.snapshot is not None and snapshot is None:
            raise StoreError("the snapshot is lost")
    except StoreError as error:
        reason = f"unreadable in the store: {error.message}"
        unreadable = HostResult(host=row.host, status="failed", reason=reason, next_step="Collect this host again.", seconds=row.seconds)
        return StoredHost(target=target, result=unreadable, row=row.number)
    facts = {"host": row.host, "status": row.status, "reason": row.reason, "next_step": row.next_step, "seconds": row.seconds}
    return StoredHost(target=target, result=HostResult(snapshot=snapshot, **facts), row=row.number)


def snapshot_at(connection: Connection, host: str, at: str | None) -> Snapshot | None:
    """The last snapshot of a host, or the last one not later than `at` (ISO 8601 in UTC)."""
    chosen = SNAPSHOT.c.host == host
    return _snapshot(connection, chosen if at is None else chosen & (SNAPSHOT.c.collected_at <= at))


def _snapshot(connection: Connection, chosen: ColumnElement[bool]) -> Snapshot | None:
    own = [SNAPSHOT.c[name] for name in ("number", "host", "collected_at", "base", "seal")]
    content = [BLOB.c[name] for name in ("digest", "codec", "size", "data")]
    statement = select(*own, SNAPSHOT.c.size.label("length"), *content).where(chosen)
    joined = statement.outerjoin(BLOB, BLOB.c.number == SNAPSHOT.c.facts).order_by(SNAPSHOT.c.number.desc()).limit(1)
    row: Row[Any] | None = connection.execute(joined).one_or_none()  # type: ignore[assignment, unused-ignore]
    if row is None:
        return None
    _sealed(row, "snapshot", snapshot_seal(row.host, row.collected_at, row.digest, row.base, row.length))
    facts = _unpacked(row, Facts)
    moving: Moving | None
    try:
        moving = moving_of(read_readings(connection, row.number), row.collected_at)
    except StoreError:
        moving = None
    records = _blobs(connection, blobs_of(facts))
    return join(row.host, row.collected_at, facts, moving, records)


def report(connection: Connection, run: str | None) -> Report:
    """The report of a run, or the last report. Raises StoreError where there is none or a part is damaged."""
    number = _last_reported(connection) if run is None else run_row(connection, run).number
    digests = {row[0]: row[1] for row in connection.execute(select(PART.c.name, PART.c.digest).where(PART.c.run == number))}
    if not digests:
        raise StoreError(f"run {run} has no report: it was stopped before its end", next_step="`auditor check` evaluates what it stored.")
    if lost := ({name for name, _ in PARTS} | {"rest"}) - set(digests):
        raise StoreError(f"the store is damaged: parts of a report are lost ({', '.join(sorted(lost))})")
    rest = _one(connection, digests["rest"], Rest)
    parts: dict[str, Any] = {name: _one(connection, digests[name], kind) for name, kind in PARTS}
    return Report(**msgspec.structs.asdict(rest), **parts)


def _last_reported(connection: Connection) -> int:
    number = connection.execute(select(func.max(PART.c.run))).scalar()
    if number is None:
        raise StoreError("the store holds no report yet", next_step="Run `auditor audit`, or `auditor check` after `auditor collect`.")
    return int(number)


def run_row(connection: Connection, run: str) -> Row[Any]:
    """The row of a run by its id. Raises StoreError where there is none."""
    row = connection.execute(select(RUN).where(RUN.c.id == run)).one_or_none()
    if row is None:
        raise StoreError(f"there is no run {run!r} in the store", next_step="`auditor report --list` shows the runs.")
    return row


def _one(connection: Connection, digest: str, kind: type[T]) -> T:
    blob = _blobs(connection, [digest]).get(digest)
    if blob is None:
        raise StoreError(f"stored bytes are lost: {digest[:12]}…")
    return unpack(blob, kind)


def _blobs(connection: Connection, digests: Sequence[str]) -> dict[str, Blob]:
    """Blobs by digest; one whose columns have lost their type counts as lost."""
    rows = connection.execute(select(BLOB).where(BLOB.c.digest.in_(digests)))
    return {row.digest: blob for row in rows if (blob := _blob(row)) is not None}


def _blob(row: Row[Any]) -> Blob | None:
    if not isinstance(row.data, bytes | memoryview) or not isinstance(row.size, int):
        return None
    return Blob(digest=row.digest, codec=row.codec, size=row.size, data=bytes(row.data))


def _unpacked(row: Row[Any], kind: type[T]) -> T:
    """The value in the blob whose columns a row has beside its own."""
    blob = _blob(row)
    if blob is None:
        raise StoreError("stored bytes are lost")
    return unpack(blob, kind)


def _sealed(row: Row[Any], what: str, mark: str) -> bool:
    """True, or StoreError where a column of the row has changed since it was written."""
    if row.seal != mark:
        raise StoreError(f"the store is damaged: a {what} row has changed since it was written", next_step="Restore the store from a copy.")
    return True
