"""What rules cost: evaluating all of them over a large fleet, against decoding the same snapshots with msgspec in the same run.

    python bench/evaluate.py [--hosts 100000] [--block 1000] [--whole 4000]

Hosts are those of the lab again and again as other machines (`lab_fleet`), some 155 KB of JSON each, with their ties, and with far more
findings than ordinary hosts have. 100,000 such hosts do not fit into memory as objects, so they are taken in blocks: each is made (not
measured), decoded, made into a fleet (products, ties) and evaluated cold: nothing was asked of these objects before. That the cost grows
linearly is measured on whole fleets of growing size, up to `--whole` hosts.

CPU seconds, with Python's own settings of its garbage collector. It is run before each stage, unmeasured, so that no stage pays for what
the one before left; a tenth of the blocks is done with the collector switched off, for comparison. Prints one JSON document; exits with 1
where evaluating costs more than decoding, or where a host of the largest whole fleet costs more than 1.5 times one of the smallest.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from auditor.analysis.fleet.fleet import build_fleet  # noqa: E402
from auditor.analysis.rules.evaluate import evaluate_rules  # noqa: E402
from auditor.analysis.rules.ruleset import RuleSet  # noqa: E402
from auditor.matrix import load_matrix  # noqa: E402
from auditor.model.host import Snapshot  # noqa: E402
from auditor.model.places import shipped  # noqa: E402
from auditor.model.rule import Matrix  # noqa: E402
from bench.lab_fleet import BenchHost, LabFleet  # noqa: E402

ALLOWED, GROWTH = 1.0, 1.5
T = TypeVar("T")
STAGES = ("decode", "fleet", "evaluate")


class Bench:
    """CPU seconds by stage."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._rules = RuleSet(matrix)
        self._decoder = msgspec.json.Decoder(Snapshot)

    def run(self, hosts: Iterable[BenchHost], *, collector: bool = True) -> tuple[dict[str, float], Counter[str]]:
        """One fleet, from JSON to findings."""
        made = list(hosts)
        seconds: dict[str, float] = {}
        snapshots = _measured(seconds, "decode", lambda: {h.target.name: self._decoder.decode(h.raw) for h in made}, collector)
        fleet = _measured(seconds, "fleet", lambda: build_fleet(snapshots, [h.target for h in made], self._matrix), collector)
        evaluation = _measured(seconds, "evaluate", lambda: evaluate_rules(fleet, self._rules), collector)
        counts = Counter({"hosts": len(made), "bytes": sum(len(host.raw) for host in made), "edges": len(fleet.graph.edges)})
        counts += Counter({"findings": len(evaluation.findings), "undetermined": len(evaluation.undetermined)})
        counts["decided"] = sum(t.violated + t.satisfied + t.undetermined + t.not_applicable for t in evaluation.tallies)
        return seconds, counts


def _measured(seconds: dict[str, float], stage: str, work: Callable[[], T], collector: bool) -> T:
    gc.collect()
    if not collector:
        gc.disable()
    start = time.process_time()
    found = work()
    seconds[stage] = time.process_time() - start
    gc.enable()
    return found


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=100_000)
    parser.add_argument("--block", type=int, default=1000)
    parser.add_argument("--whole", type=int, default=4000)
    options = parser.parse_args()
    matrix = load_matrix([shipped("compat_matrix")])
    fleet, bench = LabFleet(matrix), Bench(matrix)
    bench.run(fleet.hosts(50))
    whole = {}
    for size in (options.whole // 8, options.whole // 4, options.whole // 2, options.whole):
        seconds, counts = bench.run(fleet.hosts(size))
        whole[size] = {stage: _a_host(seconds[stage], counts) for stage in STAGES}
    total, plain, found, cell, number = Counter[str](), Counter[str](), Counter[str](), 0, 0
    while found["hosts"] < options.hosts:
        size = min(options.block, options.hosts - found["hosts"])
        number += 1
        if number % 10 == 1:
            seconds, _ = bench.run(fleet.hosts(size, first_cell=cell), collector=False)
            plain.update(seconds)
        seconds, counts = bench.run(fleet.hosts(size, first_cell=cell))
        total.update(seconds)
        found.update(counts)
        cell += fleet.cells(size)
    return _judge(len(matrix.rules), found, total, plain, whole)


def _a_host(seconds: float, counts: Counter[str]) -> float:
    return round(1000 * seconds / counts["hosts"], 4)


def _judge(rules: int, found: Counter[str], total: Counter[str], plain: Counter[str], whole: dict[int, dict[str, float]]) -> int:
    ratio = total["evaluate"] / total["decode"]
    sizes = sorted(whole)
    growth = {stage: whole[sizes[-1]][stage] / whole[sizes[0]][stage] for stage in STAGES}
    document = {
        "rules": rules,
        **found,
        "cpu_seconds": {stage: round(total[stage], 1) for stage in STAGES},
        "milliseconds_a_host": {stage: _a_host(total[stage], found) for stage in STAGES},
        "evaluating_to_decoding": round(ratio, 2),
        "evaluating_to_decoding_without_collector": round(plain["evaluate"] / plain["decode"], 2),
        "fleet_and_evaluating_to_decoding": round((total["fleet"] + total["evaluate"]) / total["decode"], 2),
        "allowed": ALLOWED,
        "milliseconds_a_host_of_whole_fleets": whole,
        "largest_whole_fleet_to_smallest": {stage: round(value, 2) for stage, value in growth.items()},
    }
    print(json.dumps(document, indent=1))
    return 0 if ratio <= ALLOWED and growth["evaluate"] <= GROWTH else 1


if __name__ == "__main__":
    sys.exit(main())
