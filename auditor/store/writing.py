"""Writes runs, results and reports inside a transaction that the caller holds. Decides nothing about what is saved.

One writer at a time: `Store` sees to it, on every database. So what is looked up here stays true until the transaction ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from auditor.model.errors import StoreError
from auditor.model.finding import Report
from auditor.model.host import HostResult, Snapshot, Target
from auditor.store.blobs import Blob, pack, seal
from auditor.store.chains import priors_of, snapshot_seal
from auditor.store.readings import Prior, pack_readings
from auditor.store.sections import Pieces, split
from auditor.store.shapes import PARTS, Rest, RunKind, RunState, StoredHost
from auditor.store.tables import BLOB, FINDING, PART, RESULT, RUN, SNAPSHOT, chunks


def begin(connection: Connection, kind: RunKind, started_at: str, auditor: str) -> str:
    """A new run, its id made of its time, with a number where that is taken."""
    stem = started_at.replace("-", "").replace(":", "")
    taken = set(connection.execute(select(RUN.c.id).where(RUN.c.id.startswith(stem, autoescape=True))).scalars())
    name = next(n for n in (stem, *(f"{stem}-{i}" for i in range(2, len(taken) + 3))) if n not in taken)
    row = {"id": name, "kind": kind, "started_at": started_at, "auditor": auditor, "state": "running", "findings": None}
    connection.execute(RUN.insert().values(row | {"seal": seal(row.values())}))
    return name


def results(connection: Connection, run: str, outcomes: Sequence[tuple[Target, HostResult]]) -> None:
    """Results of several hosts, looked up and written together; a second one of a host in the same run replaces the first."""
    number = _run(connection, run).number
    last = {outcome.host: (pack(target), outcome) for target, outcome in outcomes}
    pieces = {host: split(outcome.snapshot) for host, (_, outcome) in last.items() if outcome.snapshot}
    aims = [aim for aim, _ in last.values()]
    numbers = save_blobs(connection, [*aims, *(blob for one in pieces.values() for blob in (one.facts, *one.records))])
    priors = priors_of(connection, list(pieces))
    rows = []
    for host, (aim, outcome) in last.items():
        snapshot = None
        if outcome.snapshot is not None:
            snapshot = _snapshot(connection, outcome.snapshot, pieces[host], numbers, priors.get(host))
        rows.append(_result_row(number, outcome, (numbers[aim.digest], aim.digest), snapshot))
    for hosts in chunks(last):
        connection.execute(RESULT.delete().where(RESULT.c.run == number, RESULT.c.host.in_(hosts)))
    if rows:
        connection.execute(RESULT.insert(), rows)


def link(connection: Connection, run: str, hosts: Sequence[StoredHost]) -> None:
    """Lets a run rest on results that are stored already."""
    number = _run(connection, run).number
    stored = select(RESULT.c.target, RESULT.c.snapshot, BLOB.c.digest).join(BLOB, BLOB.c.number == RESULT.c.target)
    for host in hosts:
        old = connection.execute(stored.where(RESULT.c.number == host.row)).one()
        connection.execute(RESULT.insert(), _result_row(number, host.result, (old.target, old.digest), old.snapshot))


def finish(connection: Connection, run: str, report: Report | None, state: RunState) -> None:
    """Ends a run, with its report where it has one."""
    row = _run(connection, run)
    findings = None if report is None else len(report.findings)
    mark = seal((row.id, row.kind, row.started_at, row.auditor, state, findings))
    connection.execute(RUN.update().where(RUN.c.number == row.number).values(state=state, findings=findings, seal=mark))
    if report is not None:
        _report(connection, row.number, report)


def save_blobs(connection: Connection, blobs: Sequence[Blob]) -> dict[str, int]:
    """Saves what is not there yet, and gives the numbers by digest. Bytes that are there and differ were damaged, and are put right."""
    unique = {blob.digest: blob for blob in blobs}
    numbers: dict[str, int] = {}
    for digests in chunks(unique):
        for row in connection.execute(select(BLOB).where(BLOB.c.digest.in_(digests))):
            numbers[row.digest] = row.number
            wanted = unique[row.digest]
            if (row.codec, row.size, row.data) != (wanted.codec, wanted.size, wanted.data):
                connection.execute(BLOB.update().where(BLOB.c.number == row.number).values(msgspec.structs.asdict(wanted)))
    new = [blob for blob in unique.values() if blob.digest not in numbers]
    if new:
        connection.execute(BLOB.insert(), [msgspec.structs.asdict(blob) for blob in new])
    for digests in chunks(blob.digest for blob in new):
        numbers.update(
            (row.digest, row.number) for row in connection.execute(select(BLOB.c.digest, BLOB.c.number).where(BLOB.c.digest.in_(digests)))
        )
    return numbers


def _run(connection: Connection, run: str) -> Row[Any]:
    row = connection.execute(select(RUN).where(RUN.c.id == run)).one_or_none()
    if row is None:
        raise StoreError(f"there is no run {run!r} in the store", next_step="`auditor report --list` shows the runs.")
    return row


def _snapshot(connection: Connection, snapshot: Snapshot, pieces: Pieces, numbers: Mapping[str, int], prior: Prior | None) -> int:
    packed = pack_readings(pieces.moving, snapshot.host, prior)
    row = {
        "host": snapshot.host,
        "collected_at": snapshot.collected_at,
        "facts": numbers[pieces.facts.digest],
        "base": packed.base,
        "size": packed.size,
        "readings": packed.data,
        "seal": snapshot_seal(snapshot.host, snapshot.collected_at, pieces.facts.digest, packed.base, packed.size),
    }
    return _number(connection.execute(SNAPSHOT.insert(), row).inserted_primary_key)


def _result_row(run: int, outcome: HostResult, target: tuple[int, str], snapshot: int | None) -> dict[str, Any]:
    row: dict[str, Any] = {
        "run": run,
        "host": outcome.host,
        "status": outcome.status,
        "reason": _storable(outcome.reason),
        "next_step": _storable(outcome.next_step),
        "seconds": float(outcome.seconds),
        "target": target[0],
        "snapshot": snapshot,
    }
    return row | {"seal": result_seal(row, target[1])}


def result_seal(row: Mapping[str, Any], target: str) -> str:
    """The seal of a result's row; `target` is the digest that its target has."""
    names = ("run", "host", "status", "reason", "next_step", "seconds", "snapshot")
    return seal((*(row[name] for name in names), target))


def _storable(text: str) -> str:
    """A text that every database takes: without NUL, and nothing that is no character."""
    return text.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")


def _report(connection: Connection, run: int, report: Report) -> None:
    rest = Rest(
        schema_version=report.schema_version,
        unresolved=report.unresolved,
        satisfied=report.satisfied,
        waived=report.waived,
        stale_waivers=report.stale_waivers,
    )
    blobs = {name: pack(getattr(report, name)) for name, _ in PARTS} | {"rest": pack(rest)}
    save_blobs(connection, list(blobs.values()))
    connection.execute(PART.delete().where(PART.c.run == run))
    connection.execute(FINDING.delete().where(FINDING.c.run == run))
    connection.execute(PART.insert(), [{"run": run, "name": name, "digest": blob.digest} for name, blob in blobs.items()])
    rows = [
        {"run": run, "place": place, "id": f.id, "rule": f.rule, "verdict": f.verdict, "severity": f.severity}
        for place, f in enumerate([*report.findings, *report.undetermined])
    ]
    if rows:
        connection.execute(FINDING.insert(), [row | {"seal": seal(row.values())} for row in rows])


def _number(key: Any) -> int:
    if key is None:
        raise StoreError("the database gave no number for a new row")
    return int(key[0])
