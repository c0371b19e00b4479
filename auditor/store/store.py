"""The open store. One transaction a call: what a call saved is there after a power cut, whole; what it reads was checked.

A killed run loses no finished host: each host's result is committed by itself.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, Engine, exc

from auditor.model.finding import Report
from auditor.model.host import HostResult, Snapshot, Target
from auditor.store import reading, writing
from auditor.store.shapes import RunKind, RunState, StoredHost, StoredRun
from auditor.store.wording import store_error


class Store:
    """Made by `open_store`. Its methods may be called from several threads; every one of them may raise StoreError."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self.where = where

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self._lock, self._engine.begin() as connection:
                yield connection
        except (exc.SQLAlchemyError, UnicodeError) as error:
            raise store_error(error, self.where) from error

    def begin_run(self, kind: RunKind, started_at: str, auditor: str) -> str:
        """A new run and its id. `started_at` is ISO 8601 in UTC, `auditor` the program's version."""
        with self._transaction() as connection:
            return writing.begin(connection, kind, started_at, auditor)

    def save_result(self, run: str, target: Target, result: HostResult) -> None:
        """What became of one host, committed at once."""
        with self._transaction() as connection:
            writing.result(connection, run, target, result)

    def link_results(self, run: str, hosts: Sequence[StoredHost]) -> None:
        """Notes that a run rests on results that are stored already, so that its evidence can be followed."""
        with self._transaction() as connection:
            writing.link(connection, run, hosts)

    def finish_run(self, run: str, report: Report | None = None, *, state: RunState = "finished") -> None:
        """Ends a run, with its report where it has one."""
        with self._transaction() as connection:
            writing.finish(connection, run, report, state)

    def runs(self) -> list[StoredRun]:
        """All runs, the latest first."""
        with self._transaction() as connection:
            return reading.runs(connection)

    def latest_results(self, hosts: Sequence[str] | None = None) -> list[StoredHost]:
        """The last result of each host, failed ones too: an older success is no knowledge of today. Hosts never asked are left out."""
        with self._transaction() as connection:
            return reading.latest(connection, hosts)

    def results_of(self, run: str) -> list[StoredHost]:
        """The results that a run has or rests on."""
        with self._transaction() as connection:
            return reading.of_run(connection, run)

    def read_report(self, run: str | None = None) -> Report:
        """The report of a run, or the last report that there is."""
        with self._transaction() as connection:
            return reading.report(connection, run)

    def read_snapshot(self, host: str, at: str | None = None) -> Snapshot | None:
        """The last snapshot of a host, or the last one not later than `at` (ISO 8601 in UTC). None where there is none."""
        with self._transaction() as connection:
            return reading.snapshot_at(connection, host, at)
