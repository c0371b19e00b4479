"""Records of remediations, their events, and who holds which host. Inside a transaction that the caller holds; records are sealed.

A lock has a lease: it is over when its time is over, whoever held it, so that a dead machine blocks nothing for ever. Clocks of machines
that share a store must agree to well within a lease.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec
from sqlalchemy import Connection, select

from auditor.model.plan import RemediationRecord
from auditor.model.remedy import TaskEvent
from auditor.store.blobs import seal
from auditor.store.sealed import unsealed
from auditor.store.tables import HOST_LOCK, REMEDIATION, REMEDIATION_EVENT, chunks


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A host that somebody else is changing, or was changing until the lease ended."""

    host: str
    holder: str
    until: str


class Locking(msgspec.Struct, frozen=True, kw_only=True):
    """What came of asking for hosts."""

    held: tuple[Held, ...] = ()
    """By somebody else now; then nothing was taken."""
    taken_over: tuple[Held, ...] = ()
    """Taken although somebody else never let go of them: the lease had ended."""


def save_record(connection: Connection, record: RemediationRecord) -> None:
    """Keeps a record in place of what was kept under its id."""
    data = msgspec.json.encode(record, order="deterministic").decode()
    values = {"started_at": record.started_at, "data": data, "seal": seal((record.id, data))}
    if not connection.execute(REMEDIATION.update().where(REMEDIATION.c.id == record.id).values(values)).rowcount:
        connection.execute(REMEDIATION.insert().values(id=record.id, **values))


def records(connection: Connection) -> list[RemediationRecord]:
    """All records, the oldest first."""
    rows = connection.execute(select(REMEDIATION).order_by(REMEDIATION.c.started_at, REMEDIATION.c.id))
    return [unsealed((row.id,), row.data, row.seal, RemediationRecord, _words(row.id)) for row in rows]


def add_event(connection: Connection, record: str, event: TaskEvent) -> None:
    """Appends what came of a task."""
    data = msgspec.json.encode(event, order="deterministic").decode()
    connection.execute(REMEDIATION_EVENT.insert().values(remediation=record, data=data, seal=seal((record, data))))


def events(connection: Connection, record: str) -> list[TaskEvent]:
    """All events of a record in their order."""
    wanted = select(REMEDIATION_EVENT).where(REMEDIATION_EVENT.c.remediation == record).order_by(REMEDIATION_EVENT.c.number)
    return [unsealed((row.remediation,), row.data, row.seal, TaskEvent, _words(row.remediation)) for row in connection.execute(wanted)]


def save_events(connection: Connection, record: str, found: Iterable[TaskEvent]) -> None:
    """Appends several events in their order."""
    for event in found:
        add_event(connection, record, event)


def prune(connection: Connection, before: str) -> int:
    """Deletes the events of applications that ended before a time; their records stay. Gives how many events went."""
    old = [r.id for r in records(connection) if r.started_at < before and r.state != "running"]
    count = 0
    for chunk in chunks(old):
        count += connection.execute(REMEDIATION_EVENT.delete().where(REMEDIATION_EVENT.c.remediation.in_(chunk))).rowcount
    return count


def lock(connection: Connection, hosts: Sequence[str], holder: str, now: str, until: str, dead: Collection[str] = ()) -> Locking:
    """Takes all the hosts, or none where somebody else holds one. Hosts that the holder has are renewed. `dead` are holders known to be."""
    rows = [row for chunk in chunks(hosts) for row in connection.execute(select(HOST_LOCK).where(HOST_LOCK.c.host.in_(chunk)))]
    others = [Held(host=row.host, holder=row.holder, until=row.until) for row in rows if row.holder != holder]
    if held := tuple(one for one in others if one.until > now and one.holder not in dead):
        return Locking(held=held)
    for chunk in chunks(hosts):
        connection.execute(HOST_LOCK.delete().where(HOST_LOCK.c.host.in_(chunk)))
    connection.execute(HOST_LOCK.insert(), [{"host": host, "holder": holder, "until": until} for host in dict.fromkeys(hosts)])
    return Locking(taken_over=tuple(others))


def unlock(connection: Connection, hosts: Iterable[str], holder: str) -> None:
    """Lets go of what the holder has."""
    for chunk in chunks(hosts):
        connection.execute(HOST_LOCK.delete().where(HOST_LOCK.c.host.in_(chunk), HOST_LOCK.c.holder == holder))


def _words(name: str) -> str:
    return f"what it keeps of remediation {name}"
