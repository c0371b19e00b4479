"""What comparing costs: every host with its snapshot before and with its role, against DeepDiff on the same documents in the same run.

    pip install deepdiff        # for this benchmark only; nothing of the auditor needs it
    python bench/drift.py [--hosts 10000] [--sample 60] [--peers]

Hosts are made one by one (`role_fleet`), as JSON, and decoded outside the measured time, each side in the form that it compares: typed
records here, plain values there. DeepDiff gets them in its favour: records already in mappings by their key, so that it has to find no
partners in lists; how it fares with the lists as they are stored is printed beside. It is measured on the first `--sample` hosts, the
auditor on all and on the same ones. Prints one JSON document; exits with 1 where DeepDiff is less than 10 times slower, where a host of
the last thousand costs more than 1.5 times one of the first thousand, or where memory passes 1 GB.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from auditor.analysis.drift.against_role import against_role  # noqa: E402
from auditor.analysis.drift.compare import compare_snapshots, system_of  # noqa: E402
from auditor.analysis.drift.learn import learn_baseline  # noqa: E402
from auditor.analysis.drift.normalise import Normaliser  # noqa: E402
from auditor.analysis.drift.peers import Peers  # noqa: E402
from auditor.matrix import load_matrix  # noqa: E402
from auditor.matrix.drift_files import load_drift  # noqa: E402
from auditor.model.host import SECTION_NAMES, Snapshot  # noqa: E402
from auditor.model.places import shipped  # noqa: E402
from bench.role_fleet import ROLES, RoleFleet  # noqa: E402

FASTER, GROWTH, MEGABYTES = 10.0, 1.5, 1024
Keyed = dict[str, dict[str, Any]]


class Clock:
    """CPU seconds of one kind of work, in thousands of hosts."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def run(self, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        found = work()
        self.seconds.append(time.process_time() - start)
        return found

    def mean(self, first: int = 0, last: int | None = None) -> float:
        """Milliseconds a host."""
        chosen = self.seconds[first:last]
        return 1000 * sum(chosen) / max(len(chosen), 1)

    def median(self, first: int = 0, last: int | None = None) -> float:
        """Milliseconds a host, whatever else ran beside a few of them."""
        return 1000 * statistics.median(self.seconds[first:last])


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=10_000)
    parser.add_argument("--sample", type=int, default=60)
    parser.add_argument("--peers", action="store_true", help="also count the peers of each role, and find who differs")
    options = parser.parse_args()
    fleet, roots = RoleFleet(), [shipped("compat_matrix")]
    knowledge, signatures = load_drift(roots), load_matrix(roots).signatures
    own, between = Normaliser(knowledge, signatures), Normaliser(knowledge, signatures, between_hosts=True)
    roles = [learn_baseline(f"role{n}", [fleet.typical(n)], between, at="2026-11-01T00:00:00Z") for n in range(ROLES)]
    peers = [Peers(between) for _ in range(ROLES)] if options.peers else []
    previous, role, counting = Clock(), Clock(), Clock()
    found = {"previous": 0, "role": 0}
    for number, (before, after) in enumerate(_documents(fleet, options.hosts)):
        old, new = (msgspec.json.decode(text, type=Snapshot) for text in (before, after))
        found["previous"] += len(previous.run(lambda old=old, new=new: compare_snapshots(old, new, own)).deltas)
        found["role"] += len(role.run(lambda n=number, new=new: against_role(roles[n % ROLES], new, between)).deltas)
        if peers:
            counting.run(lambda n=number, new=new: peers[n % ROLES].add(new))
    if peers:
        found["peers"] = counting.run(lambda: sum(1 for group in peers for _ in group.outliers()))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    theirs = _deepdiff(fleet, own, min(options.sample, options.hosts))
    return _judge(options.hosts, options.sample, previous, role, counting, found, megabytes, theirs)


def _documents(fleet: RoleFleet, hosts: int) -> Iterator[tuple[bytes, bytes]]:
    for number in range(hosts):
        before, after = fleet.pair(number)
        yield msgspec.json.encode(before), msgspec.json.encode(after)


def _deepdiff(fleet: RoleFleet, ready: Normaliser, sample: int) -> dict[str, Clock]:
    """DeepDiff on the same documents: by key with the snapshot before and with the typical host of the role, and on the lists as stored."""
    from deepdiff import DeepDiff

    clocks = {name: Clock() for name in ("previous", "role", "lists")}
    typical = [_keyed(fleet.typical(role), ready) for role in range(ROLES)]
    for number, (before, after) in enumerate(_documents(fleet, sample)):
        old, new = (_keyed(msgspec.json.decode(text, type=Snapshot), ready) for text in (before, after))
        clocks["previous"].run(lambda old=old, new=new: DeepDiff(old, new))
        clocks["role"].run(lambda n=number, new=new: DeepDiff(typical[n % ROLES], new))
        plain = [msgspec.json.decode(text)["sections"] for text in (before, after)]
        if number < 5:
            clocks["lists"].run(lambda plain=plain: DeepDiff(*plain, ignore_order=True))
    return clocks


def _keyed(snapshot: Snapshot, ready: Normaliser) -> Keyed:
    """The records by section and key, as plain values."""
    found: Keyed = {}
    for name in SECTION_NAMES:
        if ready.compared(name):
            items = ready.items(name, getattr(snapshot.sections, name).records, system_of(snapshot))
            found[name] = {item.identity: msgspec.to_builtins(dict(zip(item.names, item.values, strict=True))) for item in items}
    return found


def _judge(
    hosts: int,
    sample: int,
    previous: Clock,
    role: Clock,
    counting: Clock,
    found: dict[str, int],
    megabytes: float,
    theirs: dict[str, Clock],
) -> int:
    edge = min(1000, max(hosts // 4, 1))
    growth = {name: clock.median(-edge) / clock.median(0, edge) for name, clock in (("previous", previous), ("role", role))}
    ratios = {
        "previous": theirs["previous"].mean() / previous.mean(0, sample),
        "role": theirs["role"].mean() / role.mean(0, sample),
        "lists": theirs["lists"].mean() / previous.mean(0, 5),
    }
    document = {
        "hosts": hosts,
        "milliseconds_a_host": {"previous": round(previous.mean(), 3), "role": round(role.mean(), 3), "peers": round(counting.mean(), 3)},
        "cpu_seconds": {
            "previous": round(sum(previous.seconds), 1),
            "role": round(sum(role.seconds), 1),
            "peers": round(sum(counting.seconds), 1),
        },
        "differences": found,
        "deepdiff_milliseconds_a_host": {name: round(clock.mean(), 1) for name, clock in theirs.items()},
        "deepdiff_slower_by": {name: round(ratio, 1) for name, ratio in ratios.items()},
        "last_hosts_cost_against_first": {name: round(value, 2) for name, value in growth.items()},
        "peak_megabytes": round(megabytes),
    }
    print(json.dumps(document, indent=1))
    fast = min(ratios.values()) >= FASTER
    return 0 if fast and max(growth.values()) <= GROWTH and megabytes <= MEGABYTES else 1


if __name__ == "__main__":
    sys.exit(main())
