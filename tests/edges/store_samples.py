"""Targets, snapshots, results and a report for the tests of the store, and a child process that saves hosts until it is killed."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import msgspec

from auditor.model.finding import Report
from auditor.model.host import (
    Clock,
    DriverRecord,
    EventReading,
    Gap,
    HostResult,
    Section,
    Sections,
    ServiceReading,
    ServiceRecord,
    Snapshot,
    SystemReading,
    SystemRecord,
    Target,
)
from auditor.store import Store

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "samples" / "report_incident.json"
AT = "2026-11-26T01:00:00Z"


def target_of(name: str) -> Target:
    """A target."""
    return Target(name=name, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", user="audit", groups=("windows",))


def snapshot_of(host: str, *, at: str = AT, pid: int = 4, version: str = "9.0.0.338") -> Snapshot:
    """A snapshot of a host; `at`, `pid` and `version` make it another."""
    sections = Sections(
        system=Section(status="ok", records=(SystemRecord(version="5.2.3790"),), readings=(SystemReading(boot_time=at),)),
        services=Section(
            status="ok", seconds=0.5, records=(ServiceRecord(name="Rtvscan"),), readings=(ServiceReading(name="Rtvscan", pid=pid),)
        ),
        drivers=Section(
            status="partial",
            records=(DriverRecord(name="RapDrv", file_version=version),),
            gaps=(Gap(record="RapDrv", field="sha256", reason="in use"),),
        ),
        events=Section(
            status="ok", readings=(EventReading(log="System", source="EventLog", id=6008, time=at, strings=("größe", "病毒", "\x1b")),)
        ),
        logons=Section(status="denied", reason="access denied"),
    )
    return Snapshot(
        host=host,
        collected_at=at,
        collector="auditor 0.1.0",
        transport="powershell over http/ntlm",
        clock=Clock(skew_seconds=1.5),
        sections=sections,
    )


def result_of(host: str, snapshot: Snapshot | None = None) -> HostResult:
    """A result: with a snapshot, or a failure without."""
    if snapshot is None:
        return HostResult(host=host, status="timed_out", reason="no answer", next_step="look", seconds=30.0)
    return HostResult(host=host, status="ok", snapshot=snapshot, seconds=1.25)


def sample_report() -> Report:
    """The report of the incident."""
    return msgspec.json.decode(SAMPLE.read_bytes(), type=Report)


def fill(store: Store, *hosts: str) -> str:
    """A run with these hosts, not finished."""
    run = store.begin_run("audit", AT, "0.1.0")
    for host in hosts:
        store.save_result(run, target_of(host), result_of(host, snapshot_of(host)))
    return run


SAVE = textwrap.dedent(
    f"""
    import sys
    sys.path.insert(0, {str(ROOT)!r})
    from tests.edges.store_samples import AT, result_of, snapshot_of, target_of
    from auditor.store import open_store
    where, stem, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with open_store(where) as store:
        run = store.begin_run("audit", AT, "0.1.0")
        for i in range(count):
            name = f"{{stem}}{{i}}"
            store.save_result(run, target_of(name), result_of(name, snapshot_of(name)))
            print(i, flush=True)
        store.finish_run(run)
    """
)


def saving(where: str, stem: str = "H", count: int = 100_000) -> subprocess.Popen[str]:
    """A process that saves hosts, and prints the number of each when it is saved."""
    command = [sys.executable, "-c", SAVE, where, stem, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
