"""The record of an application, written before each thing is done, and the locks on its hosts, renewed while it lives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from auditor.model.errors import RemediationError
from auditor.model.plan import Plan, RemediationRecord, WaveRecord
from auditor.model.remedy import TaskEvent
from auditor.store import Store


def stamp(moment: datetime) -> str:
    """ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Journal:
    """One application's record in the store. Every method commits before it returns."""

    def __init__(self, store: Store, record: RemediationRecord, hosts: Sequence[str], now: Callable[[], datetime], lease: float) -> None:
        self.record = record
        self._store = store
        self._hosts = list(hosts)
        self._now = now
        self._lease = timedelta(seconds=lease)
        self._holder = f"{record.who} {record.id}"[:200]
        self._renewed = datetime.min.replace(tzinfo=UTC)

    def begin(self) -> None:
        """Take the hosts and write that it begins. Raises RemediationError where somebody else is changing one of them."""
        self._renew(first=True)
        self._save()

    def change(self, **fields: Any) -> None:
        """Write the record with other values."""
        self.record = msgspec.structs.replace(self.record, **fields)
        self._renew()
        self._save()

    def wave(self, wave: WaveRecord) -> None:
        """Write what is known of a wave, in place of what was."""
        others = tuple(other for other in self.record.waves if other.number != wave.number)
        self.change(waves=tuple(sorted((*others, wave), key=lambda one: one.number)))

    def event(self, event: TaskEvent) -> None:
        """Append what came of a task."""
        self._renew()
        self._store.add_remediation_event(self.record.id, event)

    def end(self, **fields: Any) -> None:
        """Write how it ended and let the hosts go."""
        self.change(ended_at=stamp(self._now()), **fields)
        self._store.unlock_hosts(self._hosts, self._holder)

    def _renew(self, *, first: bool = False) -> None:
        now = self._now()
        if not first and now - self._renewed < self._lease / 4:
            return
        until = stamp(now + self._lease)
        if held := self._store.lock_hosts(self._hosts, self._holder, stamp(now), until):
            who = "; ".join(f"{one.host} by {one.holder} until {one.until}" for one in held[:5])
            raise RemediationError(
                f"somebody else is changing hosts of the plan: {who}", next_step="wait for them, or for the lease to end"
            )
        self._renewed = now
        self.record = msgspec.structs.replace(self.record, lease_until=until)
        if not first:
            self._save()

    def _save(self) -> None:
        self._store.save_remediation(self.record)


def new_record(plan: Plan, digest: str, who: str, now: datetime) -> RemediationRecord:
    """The record of an application that begins now; its id sorts by time."""
    return RemediationRecord(
        id=f"{now.astimezone(UTC):%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{digest[:8]}",
        plan_digest=digest,
        plan=plan,
        who=who,
        started_at=stamp(now),
    )


def interrupted(store: Store, now: datetime, digest: str | None = None) -> list[RemediationRecord]:
    """Records that say `running` and whose time is over: they are marked as interrupted, and given."""
    found = []
    for record in store.remediations():
        if record.state == "running" and record.lease_until < stamp(now) and digest in (None, record.plan_digest):
            marked = msgspec.structs.replace(
                record, state="interrupted", reason="it ended without a word; what it had begun may be half done"
            )
            store.save_remediation(marked)
            found.append(marked)
    return found
