"""Hosts of a plan read again over WinRM, into the store, and the rules decided over them and the stored rest. A join, no more."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditor.audit import check, collect_into_store, never_collected, run_of, timestamp
from auditor.model.errors import RemediationError
from auditor.model.finding import Report
from auditor.model.host import HostResult
from auditor.model.rule import Matrix
from auditor.remediation.tools import Reading

if TYPE_CHECKING:
    from auditor.collect.fleet import Limits as CollectLimits
    from auditor.history import Known
    from auditor.inventory import Inventory
    from auditor.probes.bundle import ProbeRequest
    from auditor.store import Store


class FleetReader(msgspec.Struct, frozen=True, kw_only=True):
    """Reads hosts again as an audit does: with the inventory's account, the same questions, the whole fleet judged."""

    store: Store
    inventory: Inventory
    matrix: Matrix
    request: ProbeRequest
    limits: CollectLimits
    now: Callable[[], datetime]
    stop: threading.Event
    tell: Callable[[HostResult], None]
    waive: Callable[[Report], Report]
    """Sets accepted findings apart."""
    allow_unverified: bool = False
    allow_credssp: bool = False
    use_proxy: bool = False

    def __call__(self, hosts: Sequence[str]) -> Reading:
        """Raises AuditorError where nothing can be read, or a person stopped it. Hosts that are in no inventory are not read."""
        from auditor import __version__

        targets = tuple(target for target in self.inventory.targets if target.name in hosts)
        if not targets:
            raise RemediationError("the inventory has none of the plan's hosts", next_step="name the one that it was audited with, by -i")
        started = timestamp(self.now)
        run = self.store.begin_run("audit", started, __version__)
        try:
            self._collect(run, msgspec.structs.replace(self.inventory, targets=targets))
            report = self._judge(run, started)
        except BaseException:
            self.store.finish_run(run, state="interrupted")
            raise
        names = {target.name for target in targets}
        seen = {stored.target.name for stored in self.store.results_of(run) if stored.result.snapshot is not None}
        digests = {state.host: state.content for state in self.store.states_of_runs([run]) if state.host in names & seen}
        return Reading(run=run, report=report, digests=digests)

    def _collect(self, run: str, inventory: Inventory) -> None:
        collect_into_store(
            self.store,
            run,
            inventory,
            self.request,
            limits=self.limits,
            now=self.now,
            stop=self.stop,
            tell=self.tell,
            allow_unverified=self.allow_unverified,
            allow_credssp=self.allow_credssp,
            use_proxy=self.use_proxy,
        )
        if self.stop.is_set():
            raise RemediationError("stopped by a person while hosts were read again")

    def _judge(self, run: str, started: str) -> Report:
        """The rules over the last result of every host of the inventory, these among them."""
        every = self.inventory.targets
        stored = {host.target.name: host for host in self.store.latest_results([target.name for target in every])}
        asked = [(t, stored[t.name].result) if t.name in stored else never_collected(t) for t in every]
        report = self.waive(check(asked, self.matrix, run_of(run, started, self.matrix), self.inventory.refused))
        own = {host.target.name for host in self.store.results_of(run)}
        self.store.link_results(run, [host for name, host in stored.items() if name not in own])
        self.store.finish_run(run, report, rules=[rule.id for rule in self.matrix.rules])
        return report


class Differences:
    """What differs on a host now from an earlier snapshot of it, as drift sees it, told in words. Asks no host."""

    def __init__(self, store: Store, folders: Sequence[Path], matrix: Matrix) -> None:
        self._store, self._folders, self._matrix = store, list(folders), matrix

    def __call__(self, host: str, digest: str) -> tuple[str, ...]:
        """Empty where nothing that stays is different; a snapshot that is not in the store counts as a difference."""
        from auditor.history import Comparer

        states = self._store.states(host)
        planned = next((state for state in states if state.content == digest), None)
        if planned is None:
            return ("the snapshot that it is compared with is not in this store",)
        if not states or states[0].content == digest:
            return ()
        drift = Comparer(self._store, self._known, ["previous"]).host(states, None, start=planned)
        return tuple(_words(d.section, d.key, d.field, d.kind) for d in drift.differences if d.baseline == "previous")

    @functools.cached_property
    def _known(self) -> Known:
        """What drift knows of the matrix, read once for all hosts."""
        from auditor.history import load_known

        return load_known(self._folders, self._matrix.signatures)


def _words(section: str, key: str, field: str, kind: str) -> str:
    return f"{section} {key}{f' {field}' if field else ''} {kind}"
