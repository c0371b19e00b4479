"""The record of an application, written before each thing is done, and the locks on its hosts, renewed while it lives."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

import msgspec

from auditor.model.errors import AuditorError, RemediationError
from auditor.model.plan import Applicant, Plan, RemediationRecord, WaveRecord
from auditor.model.remedy import TaskEvent
from auditor.model.times import stamp
from auditor.store import Store

MOST_EVENTS = 50_000
LEFT = "it ended without a word; what it had begun may be half done"


def holder_of(record: RemediationRecord) -> str:
    """How a lock names who holds it."""
    return f"{record.by.who} {record.id}"[:200]


class Journal:
    """One application's record in the store. Every method commits before it returns; a thread of its own renews the locks."""

    def __init__(self, store: Store, record: RemediationRecord, hosts: Sequence[str], now: Callable[[], datetime], lease: float) -> None:
        self.record = record
        self._store = store
        self._hosts = list(hosts)
        self._now = now
        self._lease = timedelta(seconds=lease)
        self._guard = threading.Lock()
        self._over = threading.Event()
        self._lost: AuditorError | None = None
        self._events = 0
        self._pulse = threading.Thread(target=self._beat, name="remediation-lease", daemon=True)

    def begin(self, dead: Sequence[RemediationRecord]) -> None:
        """Take the hosts and write that it begins. Raises RemediationError where somebody else is changing one of them."""
        until = stamp(self._now() + self._lease)
        locking = self._store.lock_hosts(self._hosts, holder_of(self.record), stamp(self._now()), until, list(map(holder_of, dead)))
        if locking.held:
            who = "; ".join(f"{one.host} by {one.holder} until {one.until}" for one in locking.held[:5])
            raise RemediationError(
                f"somebody else is changing hosts of the plan: {who}", next_step="wait for them, or for the lease to end"
            )
        notes = tuple(f"{one.host}: taken over from {one.holder}, whose lease ended at {one.until}" for one in locking.taken_over)
        self.record = msgspec.structs.replace(self.record, lease_until=until, notes=(*self.record.notes, *notes))
        self._store.save_remediation(self.record)
        self._pulse.start()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None) -> None:
        """Whatever ends it is written where that can still be done; the hosts are let go."""
        self._over.set()
        if self._pulse.is_alive():
            self._pulse.join()
        if self.record.ended_at is None:
            told = error.message if isinstance(error, AuditorError) else f"stopped by {kind.__name__}" if kind else "it ended too early"
            self.end(state="interrupted", reason=told)

    def change(self, **fields: Any) -> None:
        """Write the record with other values."""
        self.check()
        with self._guard:
            self.record = msgspec.structs.replace(self.record, **fields)
            self._store.save_remediation(self.record)

    def wave(self, wave: WaveRecord) -> None:
        """Write what is known of a wave, in place of what was."""
        others = tuple(other for other in self.record.waves if other.number != wave.number)
        self.change(waves=tuple(sorted((*others, wave), key=lambda one: one.number)))

    def event(self, event: TaskEvent) -> None:
        """Append what came of a task; numbers count up over all runs of the application."""
        self.check()
        self._events += 1
        if self._events <= MOST_EVENTS:
            self._store.add_remediation_event(self.record.id, msgspec.structs.replace(event, number=self._events))

    def check(self) -> None:
        """Raises what made the hosts get lost: then nothing more may be done on them."""
        if self._lost is not None:
            raise self._lost

    def end(self, **fields: Any) -> None:
        """Write how it ended and let the hosts go."""
        with self._guard:
            self.record = msgspec.structs.replace(self.record, ended_at=stamp(self._now()), **fields)
            self._store.save_remediation(self.record)
        self._store.unlock_hosts(self._hosts, holder_of(self.record))

    def _beat(self) -> None:
        while not self._over.wait(self._lease.total_seconds() / 4):
            try:
                self._renew()
            except AuditorError as error:
                self._lost = error
                return

    def _renew(self) -> None:
        now = self._now()
        until = stamp(now + self._lease)
        locking = self._store.lock_hosts(self._hosts, holder_of(self.record), stamp(now), until)
        if locking.held:
            one = locking.held[0]
            raise RemediationError(f"{one.host} was taken by {one.holder}: this application had given no sign for too long")
        with self._guard:
            if self.record.ended_at is None:
                self.record = msgspec.structs.replace(self.record, lease_until=until)
                self._store.save_remediation(self.record)


def new_record(plan: Plan, digest: str, by: Applicant, now: datetime, continues: str | None) -> RemediationRecord:
    """The record of an application that begins now; its id sorts by time."""
    return RemediationRecord(
        id=f"{now.astimezone(UTC):%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{digest[:8]}",
        plan_digest=digest,
        plan=plan,
        by=by,
        started_at=stamp(now),
        continues=continues,
        by_hand=plan.by_hand,
    )


def settle(store: Store, now: datetime, ended: Callable[[RemediationRecord], bool], *, save: bool = True) -> list[RemediationRecord]:
    """All records, the oldest first; those that say `running` and run no more are marked as interrupted, in the store too unless told."""
    found = []
    for record in store.remediations():
        if record.state == "running" and (record.lease_until < stamp(now) or ended(record)):
            reason = record.reason or LEFT
            record = msgspec.structs.replace(record, state="interrupted", reason=reason)
            if save:
                store.save_remediation(record)
        found.append(record)
    return found
