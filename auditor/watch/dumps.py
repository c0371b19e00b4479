"""Crashes that investigations read from hosts' dumps meanwhile, for open cases. From the store; asks no host."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.model.case import Case
from auditor.model.crash import Crash

if TYPE_CHECKING:
    from auditor.store import Store

Crashes = dict[str, list[Crash]]
MOST_RUNS = 50
"""Investigations that are looked at, the newest."""


def stored_crashes(store: Store, cases: Iterable[Case], folders: Sequence[Path] = ()) -> Crashes:
    """By host, the crashes in dumps that investigations since a case began took. Raises StoreError and MatrixError."""
    watching = _watching(cases)
    hosts = {host for case in watching for host in case.hosts}
    if not hosts:
        return {}
    since = min(case.since for case in watching)
    runs = [run.id for run in store.runs() if run.kind == "investigate" and run.started_at >= since]
    found: Crashes = {}
    for run in sorted(runs)[-MOST_RUNS:]:
        for name, crash in _of_run(store, run, hosts, folders):
            found.setdefault(name, []).append(crash)
    return found


def _watching(cases: Iterable[Case]) -> list[Case]:
    return [case for case in cases if case.state == "observing" and any(condition.event is None for condition in case.conditions)]


def _of_run(store: Store, run: str, hosts: Collection[str], folders: Sequence[Path]) -> list[tuple[str, Crash]]:
    from auditor.analysis.crash.crash_pieces import crash_in_pieces
    from auditor.knowledge import load_crash_knowledge

    asked = [item.result for item in store.results_of(run) if item.target.name in hosts]
    held = [result for result in asked if result.snapshot is not None and result.snapshot.sections.dumpbytes.records]
    if not held:
        return []
    knowledge = load_crash_knowledge(folders)
    read = [(result.host, crash_in_pieces(result.snapshot, knowledge).crash) for result in held if result.snapshot is not None]
    return [(host, crash) for host, crash in read if crash is not None]
