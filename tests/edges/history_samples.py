"""Hosts over days, findings and reports for the tests of a store's memory."""

from __future__ import annotations

import msgspec

from auditor.model.finding import Finding, HostCoverage, Report, Run, Subject
from auditor.model.host import Snapshot
from auditor.store import Store
from tests.edges.store_samples import result_of, snapshot_of, target_of


def day(number: int) -> str:
    return f"2026-11-{number:02}T01:00:00Z"


def collect(store: Store, number: int, *hosts: Snapshot, groups: tuple[str, ...] = ("windows",), kind: str = "collect") -> str:
    """A run of a day with these hosts."""
    run = store.begin_run(kind, day(number), "0.1.0")  # type: ignore[arg-type]
    for snapshot in hosts:
        target = msgspec.structs.replace(target_of(snapshot.host), groups=groups)
        store.save_result(run, target, result_of(snapshot.host, snapshot))
    return run


def host(name: str, number: int, version: str = "9.0") -> Snapshot:
    return snapshot_of(name, at=day(number), pid=number, version=version)


def finding(*hosts: str, rule: str = "a-rule") -> Finding:
    subjects = tuple(Subject(role="host", host=name) for name in hosts)
    id_ = f"{rule}-{hosts[0]}"[:16]
    return Finding(id=id_, rule=rule, title="T", verdict="violated", severity="high", confidence="probable", subjects=subjects)


def report(run: str, number: int, *findings: Finding, hosts: tuple[str, ...] = ("A", "B")) -> Report:
    coverage = tuple(HostCoverage(host=name, status="ok") for name in hosts)
    head = Run(id=run, started_at=day(number), auditor="0.1.0", matrix_digest="m", rules=1)
    return Report(run=head, coverage=coverage, findings=findings, undetermined=())
