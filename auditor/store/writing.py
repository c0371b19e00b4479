"""Writes runs, results and reports inside a transaction that the caller holds. Decides nothing about what is saved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects import postgresql, sqlite

from auditor.model.errors import StoreError
from auditor.model.finding import Report
from auditor.model.host import HostResult, Snapshot, Target
from auditor.store.blobs import Blob, pack, seal
from auditor.store.sections import split
from auditor.store.shapes import PARTS, Rest, RunKind, RunState, StoredHost
from auditor.store.tables import BLOB, FINDING, PART, RESULT, RUN, SNAPSHOT


def begin(connection: Connection, kind: RunKind, started_at: str, auditor: str) -> str:
    """A new run, its id made of its time, with a number where that is taken."""
    stem = started_at.replace("-", "").replace(":", "")
    taken = set(connection.execute(select(RUN.c.id).where(RUN.c.id.startswith(stem, autoescape=True))).scalars())
    name = next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, len(taken) + 3))) if n not in taken)
    row = {"id": name, "kind": kind, "started_at": started_at, "auditor": auditor, "state": "running", "findings": None}
    connection.execute(RUN.insert().values(row | {"seal": seal(row.values())}))
    return name


def result(connection: Connection, run: str, target: Target, outcome: HostResult) -> None:
    """One host's result; a second one of the host in the same run replaces the first."""
    number = _run(connection, run).number
    aim = pack(target)
    _blobs(connection, [aim])
    snapshot = _snapshot(connection, outcome.snapshot) if outcome.snapshot else None
    connection.execute(RESULT.delete().where(RESULT.c.run == number, RESULT.c.host == outcome.host))
    _result(connection, number, outcome, aim.digest, snapshot)


def link(connection: Connection, run: str, hosts: Sequence[StoredHost]) -> None:
    """Lets a run rest on results that are stored already."""
    number = _run(connection, run).number
    for host in hosts:
        old = connection.execute(select(RESULT.c.target, RESULT.c.snapshot).where(RESULT.c.number == host.row)).one()
        _result(connection, number, host.result, old.target, old.snapshot)


def finish(connection: Connection, run: str, report: Report | None, state: RunState) -> None:
    """Ends a run, with its report where it has one."""
    row = _run(connection, run)
    findings = None if report is None else len(report.findings)
    mark = seal((row.id, row.kind, row.started_at, row.auditor, state, findings))
    connection.execute(RUN.update().where(RUN.c.number == row.number).values(state=state, findings=findings, seal=mark))
    if report is not None:
        _report(connection, row.number, report)


def _run(connection: Connection, run: str) -> Row[Any]:
    row = connection.execute(select(RUN).where(RUN.c.id == run)).one_or_none()
    if row is None:
        raise StoreError(f"there is no run {run!r} in the store", next_step="`auditor report --list` shows the runs.")
    return row


def _snapshot(connection: Connection, snapshot: Snapshot) -> int:
    pieces = split(snapshot)
    _blobs(connection, [pieces.facts, pieces.moving, *pieces.records])
    row = {
        "host": snapshot.host,
        "collected_at": snapshot.collected_at,
        "facts": pieces.facts.digest,
        "moving": pieces.moving.digest,
    }
    return _number(connection.execute(SNAPSHOT.insert().values(row | {"seal": seal(row.values())})).inserted_primary_key)


def _result(connection: Connection, run: int, outcome: HostResult, target: str, snapshot: int | None) -> None:
    row = {
        "run": run,
        "host": outcome.host,
        "status": outcome.status,
        "reason": outcome.reason,
        "next_step": outcome.next_step,
        "seconds": float(outcome.seconds),
        "target": target,
        "snapshot": snapshot,
    }
    connection.execute(RESULT.insert().values(row | {"seal": seal(row.values())}))


def _report(connection: Connection, run: int, report: Report) -> None:
    rest = Rest(schema_version=report.schema_version, unresolved=report.unresolved, satisfied=report.satisfied)
    blobs = {name: pack(getattr(report, name)) for name, _ in PARTS} | {"rest": pack(rest)}
    _blobs(connection, list(blobs.values()))
    connection.execute(PART.delete().where(PART.c.run == run))
    connection.execute(FINDING.delete().where(FINDING.c.run == run))
    connection.execute(PART.insert(), [{"run": run, "name": name, "digest": blob.digest} for name, blob in blobs.items()])
    rows = [
        {"run": run, "place": place, "id": f.id, "rule": f.rule, "verdict": f.verdict, "severity": f.severity}
        for place, f in enumerate([*report.findings, *report.undetermined])
    ]
    if rows:
        connection.execute(FINDING.insert(), [row | {"seal": seal(row.values())} for row in rows])


def _blobs(connection: Connection, blobs: Sequence[Blob]) -> None:
    """Saves what is not there yet; bytes that are there and differ were damaged, and are put right."""
    insert = postgresql.insert(BLOB) if connection.dialect.name == "postgresql" else sqlite.insert(BLOB)
    new = {"codec": insert.excluded.codec, "size": insert.excluded.size, "data": insert.excluded.data}
    statement = insert.on_conflict_do_update(index_elements=["digest"], set_=new, where=BLOB.c.data != insert.excluded.data)
    unique = {blob.digest: blob for blob in blobs}
    connection.execute(statement, [msgspec.structs.asdict(blob) for blob in unique.values()])


def _number(key: Any) -> int:
    if key is None:
        raise StoreError("the database gave no number for a new row")
    return int(key[0])
