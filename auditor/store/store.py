"""The open store. One transaction a call: what a call saved is there after a power cut, whole; what it reads was checked.

A killed run loses no finished host: each host's result is committed by itself.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine, exc

from auditor.analysis.rules.lives import run_view
from auditor.model.change import Accepted, Explanation, FindingLife
from auditor.model.finding import Report
from auditor.model.host import HostResult, Snapshot, Target
from auditor.model.plan import RemediationRecord
from auditor.model.remedy import TaskEvent
from auditor.store import changes, derived, export, keeping, lines, listing, notes, past, reading, retention, writing
from auditor.store.derived import Derived
from auditor.store.listing import Listed
from auditor.store.notes import Note, NoteKind
from auditor.store.past import StoredState
from auditor.store.restore import Restored, read_lines, restore
from auditor.store.retention import Pruned
from auditor.store.shapes import RunKind, RunState, StoredHost, StoredRun
from auditor.store.turns import reading_options
from auditor.store.wording import store_error

T = TypeVar("T")


class Store:
    """Made by `open_store`. Its methods may be called from several threads; every one of them may raise StoreError."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._states = past.StateReader()
        self.where = where

    @contextlib.contextmanager
    def _transaction(self, *, write: bool = True) -> Iterator[Connection]:
        """One state to read, or a turn to write: readers keep no writer waiting."""
        options = {} if write else reading_options(self._engine.dialect.name)
        try:
            with self._lock, self._engine.connect() as plain:
                connection = plain.execution_options(**options)
                with connection.begin():
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
            writing.results(connection, run, [(target, result)])

    def save_results(self, run: str, results: Sequence[tuple[Target, HostResult]]) -> None:
        """What became of several hosts that are done at the same moment, committed at once, all or none."""
        with self._transaction() as connection:
            writing.results(connection, run, results)

    def link_results(self, run: str, hosts: Sequence[StoredHost]) -> None:
        """Notes that a run rests on results that are stored already, so that its evidence can be followed."""
        with self._transaction() as connection:
            writing.link(connection, run, hosts)

    def finish_run(
        self,
        run: str,
        report: Report | None = None,
        *,
        state: RunState = "finished",
        rules: Collection[str] | None = None,
        waived: Collection[str] = (),
    ) -> None:
        """Ends a run, with its report where it has one, which the lives of findings then take into account.

        `rules` are the ids of the rules that were evaluated: only they can find a finding fixed. `waived` are ids of waived findings.
        """
        with self._transaction() as connection:
            writing.finish(connection, run, report, state)
            if report is not None:
                keeping.note_run(connection, run_view(report, rules=rules, waived=waived))

    def runs(self) -> list[StoredRun]:
        """All runs, the latest first."""
        with self._transaction(write=False) as connection:
            return reading.runs(connection)

    def latest_results(self, hosts: Sequence[str] | None = None) -> list[StoredHost]:
        """The last result of each host, failed ones too: an older success is no knowledge of today. Hosts never asked are left out."""
        with self._transaction(write=False) as connection:
            return reading.latest(connection, hosts)

    def listing(self, hosts: Sequence[str] | None = None) -> list[Listed]:
        """The last result of each host as `latest_results` has it, without its snapshot."""
        with self._transaction(write=False) as connection:
            return listing.listing(connection, hosts)

    def targets(self, digests: Sequence[str]) -> dict[str, Target]:
        """Targets by the digests that a listing names."""
        with self._transaction(write=False) as connection:
            return listing.targets(connection, digests)

    def results(self, rows: Sequence[int]) -> list[StoredHost]:
        """Results by their numbers in the store, which a listing names."""
        with self._transaction(write=False) as connection:
            return reading.numbered(connection, rows)

    def derived(self, keys: Sequence[str], kind: type[T]) -> dict[str, T]:
        """What was kept under these keys; what is damaged counts as not kept."""
        with self._transaction(write=False) as connection:
            return derived.read(connection, keys, kind)

    def save_derived(self, rows: Sequence[Derived]) -> None:
        """Keeps what was derived, all of it or nothing."""
        with self._transaction() as connection:
            derived.save(connection, rows)

    def results_of(self, run: str) -> list[StoredHost]:
        """The results that a run has or rests on."""
        with self._transaction(write=False) as connection:
            return reading.of_run(connection, run)

    def read_report(self, run: str | None = None) -> Report:
        """The report of a run, or the last report that there is."""
        with self._transaction(write=False) as connection:
            return reading.report(connection, run)

    def read_snapshot(self, host: str, at: str | None = None) -> Snapshot | None:
        """The last snapshot of a host, or the last one not later than `at` (ISO 8601 in UTC). None where there is none."""
        with self._transaction(write=False) as connection:
            return reading.snapshot_at(connection, host, at)

    def states(self, host: str, until: str | None = None) -> list[StoredState]:
        """The snapshots of a host, the newest first, those collected at or before `until` (ISO 8601 in UTC)."""
        with self._transaction(write=False) as connection:
            return past.states_of(connection, host, until)

    def latest_states(self, each: int, hosts: Sequence[str] | None = None) -> list[StoredState]:
        """The newest `each` snapshots of every host (or of those named), by host, the newest first."""
        with self._transaction(write=False) as connection:
            return past.latest_states(connection, each, hosts)

    def states_of_runs(self, runs: Collection[str]) -> list[StoredState]:
        """The snapshots that these runs collected, in the order of collection."""
        with self._transaction(write=False) as connection:
            return past.states_of_runs(connection, runs)

    def read_state(self, state: StoredState) -> Snapshot:
        """A state's records, without what moves by itself."""
        with self._transaction(write=False) as connection:
            return self._states.read(connection, state)

    def lives(self) -> dict[str, FindingLife]:
        """Lives of all findings that any run reported, by id."""
        with self._transaction(write=False) as connection:
            return keeping.lives(connection)

    def accepted(self) -> dict[str, Accepted]:
        """States that people froze, by host."""
        with self._transaction(write=False) as connection:
            return keeping.accepted(connection)

    def accept(self, state: StoredState, entry: Accepted) -> None:
        """Freezes a state of a host, in place of an earlier one."""
        with self._transaction() as connection:
            keeping.accept(connection, state.number, entry)

    def withdraw(self, host: str) -> bool:
        """Takes back what was frozen of a host; whether there was something."""
        with self._transaction() as connection:
            return keeping.withdraw(connection, host)

    def explanations(self) -> tuple[Explanation, ...]:
        """Why changes were expected, as noted by remediations and others."""
        with self._transaction(write=False) as connection:
            return keeping.explanations(connection)

    def explain(self, entry: Explanation) -> None:
        """Notes why changes are expected, in place of an earlier entry of that id."""
        with self._transaction() as connection:
            keeping.explain(connection, entry)

    def notes(self, kind: NoteKind, of: type[T]) -> dict[str, T]:
        """What the watch remembers of a kind, by id."""
        with self._transaction(write=False) as connection:
            return notes.read(connection, kind, of)

    def save_notes(self, *changed: Note) -> None:
        """Keeps and drops what the watch remembers, all of it or nothing."""
        with self._transaction() as connection:
            notes.write(connection, changed)

    def save_remediation(self, record: RemediationRecord) -> None:
        """Keeps a record of a remediation in place of what was kept under its id."""
        with self._transaction() as connection:
            changes.save_record(connection, record)

    def remediations(self) -> list[RemediationRecord]:
        """All records of remediations, the oldest first."""
        with self._transaction(write=False) as connection:
            return changes.records(connection)

    def add_remediation_event(self, record: str, event: TaskEvent) -> None:
        """Appends what came of a task to a remediation."""
        with self._transaction() as connection:
            changes.add_event(connection, record, event)

    def remediation_events(self, record: str) -> list[TaskEvent]:
        """All events of a remediation, in their order."""
        with self._transaction(write=False) as connection:
            return changes.events(connection, record)

    def lock_hosts(self, hosts: Sequence[str], holder: str, now: str, until: str, dead: Collection[str] = ()) -> changes.Locking:
        """Takes all the hosts until a time, or none where somebody else holds one. `dead` are holders that are known to have ended."""
        with self._transaction() as connection:
            return changes.lock(connection, hosts, holder, now, until, dead)

    def unlock_hosts(self, hosts: Sequence[str], holder: str) -> None:
        """Lets go of the hosts that the holder has."""
        with self._transaction() as connection:
            changes.unlock(connection, hosts, holder)

    def prune(self, before: str, keep: int, *, rehearse: bool = False) -> Pruned:
        """Deletes what was collected before a time and is not among the newest `keep` snapshots of its host; `rehearse` only counts."""
        with self._lock:
            try:
                with self._transaction() as connection:
                    pruned = retention.prune(connection, before, keep)
                    if rehearse:
                        raise _RehearsedError
            except _RehearsedError:
                return pruned
            self._compact()
        return pruned

    def _compact(self) -> None:
        """Gives freed space back; PostgreSQL does so by itself."""
        if self._engine.dialect.name != "sqlite":
            return
        try:
            plain = self._engine.raw_connection()
            try:
                for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                    plain.cursor().execute(statement)
            finally:
                plain.close()
        except (exc.SQLAlchemyError, sqlite3.Error) as error:
            raise store_error(error, self.where) from error

    def export(self, file: Path, head: lines.Head, wanted: export.Wanted | None = None) -> int:
        """Writes the store into a file, for some hosts where `wanted` says which; gives the number of lines."""
        with self._transaction(write=False) as connection:
            return export.write_lines(file, export.export_lines(connection, head, wanted))

    def restore(self, file: Path) -> Restored:
        """Takes an exported file in, all of it or nothing."""
        with self._transaction() as connection:
            return restore(connection, read_lines(file))


class _RehearsedError(Exception):
    """Ends a transaction so that nothing of it stays."""
