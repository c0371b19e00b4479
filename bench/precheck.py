"""What a pre-check of one host costs among many that are stored: with derived facts that are kept, and without them.

    python bench/precheck.py [--hosts 10000] [--store FILE]

The store is filled with lab hosts as other machines (`lab_fleet`), once: with --store FILE it is used again the next time. Then
`auditor precheck` answers for three hosts as a program, CPU seconds from its start to its exit (it waits for nothing: that is what
it takes on a core of its own; wall seconds are told beside them), with its bytecode kept in a folder of the benchmark:
- `first`: nothing is kept yet, every snapshot is read; this is what a pre-check without derived facts costs,
- `kept`: the median of three more of each host,
- `after_collecting_one`: one other host was collected again and has changed.
Prints one JSON document; exits with 1 where an answer from kept facts takes more than a CPU second, or is another one than the first.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from auditor.matrix import load_matrix  # noqa: E402
from auditor.model.host import HostResult, Snapshot, SystemRecord, Target  # noqa: E402
from auditor.model.places import shipped  # noqa: E402
from auditor.store import Store, open_store  # noqa: E402
from bench.lab_fleet import LabFleet  # noqa: E402

SECONDS = 1.0
QUESTIONS = (
    ("srv-b", ("--install", "symantec-antivirus@10.1,role=server,group=Corp Servers")),
    ("srv-a", ("--remove", "symantec-antivirus")),
    ("app-16", ("--install", "symantec-endpoint-protection@14.3")),
)
_AT_ONCE = 50


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        where = options.store or Path(folder) / "store.db"
        with open_store(where) as store:
            if not store.listing():
                _fill(store, options.hosts)
            store.prune("0000", keep=1)  # drops what was derived
            hosts = len(store.listing())
        cell = max(hosts // 17 // 2, 0)
        first: list[Cost] = []
        kept: list[Cost] = []
        same = True
        for number, (host, change) in enumerate(QUESTIONS):
            cost, told = _ask(where, f"{host}x{cell}", change, folder)
            first += [cost] if number == 0 else []
            for _ in range(3):
                again, found = _ask(where, f"{host}x{cell}", change, folder)
                kept.append(again)
                same = same and _but_times(found) == _but_times(told)
        _collect_again(where, f"web-1x{cell}")
        after, _ = _ask(where, f"srv-bx{cell}", QUESTIONS[0][1], folder)
    return _judge(hosts, first[0], kept, after, same=same)


def _fill(store: Store, hosts: int) -> None:
    run = store.begin_run("collect", _now(), "bench")
    for some in _batches(hosts):
        store.save_results(run, some)
    store.finish_run(run)


def _batches(hosts: int) -> Iterator[list[tuple[Target, HostResult]]]:
    decoder, at = msgspec.json.Decoder(Snapshot), _now()
    some: list[tuple[Target, HostResult]] = []
    for host in LabFleet(load_matrix([shipped("compat_matrix")])).hosts(hosts):
        snapshot = msgspec.structs.replace(decoder.decode(host.raw), host=host.target.name, collected_at=at)
        some.append((host.target, HostResult(host=host.target.name, status="ok", snapshot=snapshot)))
        if len(some) == _AT_ONCE:
            yield some
            some = []
    yield some


def _collect_again(where: Path, name: str) -> None:
    """One host is collected again, and has been restarted and renewed in between."""
    with open_store(where) as store:
        stored = store.latest_results([name])[0]
        snapshot = stored.result.snapshot
        if snapshot is None:
            raise SystemExit(f"{name} has no snapshot")
        system: SystemRecord = snapshot.sections.system.records[0]
        changed = msgspec.structs.replace(snapshot.sections.system, records=(msgspec.structs.replace(system, revision=4242),))
        sections = msgspec.structs.replace(snapshot.sections, system=changed)
        newer = msgspec.structs.replace(snapshot, sections=sections, collected_at=_now())
        run = store.begin_run("collect", _now(), "bench")
        store.save_result(run, stored.target, msgspec.structs.replace(stored.result, snapshot=newer))
        store.finish_run(run)


class Cost(NamedTuple):
    """What a run of the program took."""

    cpu: float
    wall: float


def _ask(where: Path, host: str, change: tuple[str, ...], folder: str) -> tuple[Cost, dict[str, Any]]:
    command = [sys.executable, "-m", "auditor", "precheck", "--store", str(where), "--host", host, *change, "--format", "json"]
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, start = _children(), time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, env={**clean, "PYTHONPYCACHEPREFIX": folder})
    cost = Cost(_children() - before, time.perf_counter() - start)
    if done.returncode not in (0, 2, 3):
        raise SystemExit(done.stderr.decode())
    found: dict[str, Any] = json.loads(done.stdout)
    return cost, found


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _but_times(found: dict[str, Any]) -> dict[str, Any]:
    hosts = [{name: value for name, value in host.items() if name != "age_hours"} for host in found["hosts"]]
    return {**found, "at": "", "hosts": hosts}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _judge(hosts: int, first: Cost, kept: list[Cost], after: Cost, *, same: bool) -> int:
    median = statistics.median(cost.cpu for cost in kept)
    document = {
        "hosts": hosts,
        "cpu_seconds": {"first": round(first.cpu, 2), "kept": round(median, 2), "slowest_kept": round(max(cost.cpu for cost in kept), 2)},
        "wall_seconds": {"first": round(first.wall, 2), "kept": round(statistics.median(cost.wall for cost in kept), 2)},
        "cpu_seconds_after_collecting_one": round(after.cpu, 2),
        "first_to_kept": round(first.cpu / median, 1),
        "same_answers": same,
        "allowed_cpu_seconds": SECONDS,
    }
    print(json.dumps(document, indent=1))
    return 0 if median <= SECONDS and same else 1


if __name__ == "__main__":
    sys.exit(main())
