"""A host's stored states, for comparing: which snapshots there are, and their records without what moves by itself.

Records are decoded once by content and shared: sections that are equal are the same object, in one host's past and over a fleet.
Reads inside a transaction that the caller holds; digests and seals are checked as everywhere. Newer is what was saved later: the clock of a
collector may have been ahead once, and what it dated then must not pass for the newest ever after.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, func, select

from auditor.model.errors import StoreError
from auditor.model.host import Question, Snapshot
from auditor.store.blobs import Blob, unpack
from auditor.store.chains import snapshot_seal
from auditor.store.sections import Facts, join_facts, record_type
from auditor.store.tables import BLOB, RESULT, RUN, SNAPSHOT, chunks

WHOLE = ("audit", "collect")
"""Kinds of runs that ask a host for everything; what an investigation asks for besides is no state to compare with."""
_REMEMBERED = 4_000
"""Sections and facts that stay decoded; about 100 MB of a varied fleet."""


class StoredState(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot as listed."""

    number: int
    host: str
    collected_at: str
    run: str
    """Run that collected it."""
    groups: tuple[str, ...]
    """Inventory groups of the host then."""
    content: str
    """Digest of all that stays: equal digests, equal states."""


class _Groups(msgspec.Struct, frozen=True):
    groups: tuple[str, ...] = ()


class StateReader:
    """Reads states and remembers what it decoded."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, Any] = OrderedDict()
        self._facts: OrderedDict[str, Facts] = OrderedDict()

    def read(self, connection: Connection, state: StoredState) -> Snapshot:
        """The state's records. Raises StoreError where the facts are damaged; damaged records fail their section."""
        facts = self._facts_of(connection, state)
        wanted = {section.records: name for name, section in facts.sections.items()}
        wanted |= {facts.asked: ""} if isinstance(facts.asked, str) else {}
        missing = {digest: name for digest, name in wanted.items() if digest not in self._records}
        if missing:
            self._fetch(connection, missing)
        found = {digest: self._records[digest] for digest in wanted if digest in self._records}
        for digest in found:
            self._records.move_to_end(digest)
        return join_facts(state.host, state.collected_at, facts, found)

    def _facts_of(self, connection: Connection, state: StoredState) -> Facts:
        if state.content not in self._facts:
            row = connection.execute(select(BLOB).where(BLOB.c.digest == state.content)).one_or_none()
            if row is None:
                raise StoreError("stored bytes are lost")
            _remember(self._facts, state.content, unpack(_blob(row), Facts))
        return self._facts[state.content]

    def _fetch(self, connection: Connection, missing: dict[str, str]) -> None:
        for row in connection.execute(select(BLOB).where(BLOB.c.digest.in_(list(missing)))):
            name = missing[row.digest]
            kind: Any = tuple[record_type(name), ...] if name else Question  # type: ignore[misc]
            try:
                _remember(self._records, row.digest, unpack(_blob(row), kind))
            except StoreError:
                continue


def _remember(memory: OrderedDict[str, Any], digest: str, value: Any) -> None:
    memory[digest] = value
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _blob(row: Row[Any]) -> Blob:
    if not isinstance(row.data, bytes | memoryview) or not isinstance(row.size, int):
        raise StoreError("stored bytes are damaged: a column has lost its type")
    return Blob(digest=row.digest, codec=row.codec, size=row.size, data=bytes(row.data))


def states_of(connection: Connection, host: str, until: str | None = None) -> list[StoredState]:
    """The snapshots of a host, the newest first, those collected at or before `until` (ISO 8601 in UTC)."""
    statement = _statement().where(SNAPSHOT.c.host == host)
    if until is not None:
        statement = statement.where(SNAPSHOT.c.collected_at <= until)
    rows = connection.execute(statement.order_by(SNAPSHOT.c.number.desc()))
    return list(_states(rows))


def latest_states(connection: Connection, each: int, hosts: Sequence[str] | None = None) -> list[StoredState]:
    """The newest `each` snapshots of every host (or of those named), by host, the newest first."""
    place = func.row_number().over(partition_by=SNAPSHOT.c.host, order_by=SNAPSHOT.c.number.desc()).label("place")
    ranked = select(SNAPSHOT.c.number, place).where(SNAPSHOT.c.number.in_(_whole())).subquery()
    chosen = _statement().where(SNAPSHOT.c.number.in_(select(ranked.c.number).where(ranked.c.place <= each)))
    chosen = chosen.order_by(SNAPSHOT.c.host, SNAPSHOT.c.number.desc())
    if hosts is None:
        return list(_states(connection.execute(chosen)))
    return [s for chunk in chunks(hosts) for s in _states(connection.execute(chosen.where(SNAPSHOT.c.host.in_(chunk))))]


def _whole() -> Select[Any]:
    """Numbers of the snapshots of runs that asked for everything."""
    joined = select(RESULT.c.snapshot).join(RUN, RUN.c.number == RESULT.c.run)
    return joined.where(RUN.c.kind.in_(WHOLE), RESULT.c.snapshot.is_not(None))


def states_of_runs(connection: Connection, runs: Collection[str]) -> list[StoredState]:
    """The snapshots that these runs collected, in the order of collection."""
    statement = _statement().where(RUN.c.id.in_(list(runs))).order_by(SNAPSHOT.c.number)
    return list(_states(connection.execute(statement)))


def _statement() -> Select[Any]:
    """A snapshot with its facts' digest, the run that collected it and the target as it was then."""
    target = BLOB.alias("target")
    own = [SNAPSHOT.c[name] for name in ("number", "host", "collected_at", "base", "seal")]
    kept = [target.c.digest, target.c.codec, target.c.size, target.c.data]
    return (
        select(*own, SNAPSHOT.c.size.label("length"), BLOB.c.digest.label("content"), RUN.c.id.label("run_id"), *kept)
        .join(BLOB, BLOB.c.number == SNAPSHOT.c.facts)
        .join(RESULT, RESULT.c.snapshot == SNAPSHOT.c.number)
        .join(RUN, (RUN.c.number == RESULT.c.run) & RUN.c.kind.in_(WHOLE))
        .join(target, target.c.number == RESULT.c.target)
    )


def _states(rows: Any) -> Iterator[StoredState]:
    groups: dict[str, tuple[str, ...]] = {}
    for row in rows:
        if row.seal != snapshot_seal(row.host, row.collected_at, row.content, row.base, row.length):
            step = "Restore the store from a copy."
            raise StoreError("the store is damaged: a snapshot row has changed since it was written", next_step=step)
        if row.digest not in groups:
            groups[row.digest] = unpack(_blob(row), _Groups).groups
        yield StoredState(
            number=row.number,
            host=row.host,
            collected_at=row.collected_at,
            run=row.run_id,
            groups=groups[row.digest],
            content=row.content,
        )
