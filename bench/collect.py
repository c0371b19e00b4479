"""What collecting costs: wall time beside a raw asyncio client that sends the same messages, CPU beside Ansible's raw module.

    python bench/collect.py [--hosts 200] [--rounds 3] [--ansible-hosts 40] [--pits]

Over NTLM with sealed messages, an answer of 50 KB, 20 ms latency a reply, 300 ms run time, the same number of hosts at once; the
auditor's part includes decoding and storing. Each client runs in a process of its own, the fleet in another. Prints one JSON document;
exits with 1 where the wall time is above 1.3 times the raw client's, the CPU above a tenth of Ansible's, or (with --pits) tar pits cost
more than a deadline.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

PARALLEL = 64
WALL_RATIO, CPU_RATIO = 1.3, 10.0
PIT_DEADLINE = 8.0


@contextmanager
def fleet(state: Path, *options: str) -> Iterator[dict[str, Any]]:
    """The prepared fleet in a process of its own."""
    command = [sys.executable, str(ROOT / "bench" / "prepared_fleet.py"), str(state), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdin
        try:
            if not child.stdout.readline():
                raise SystemExit("the fleet did not start")
            yield json.loads((state / "fleet.json").read_text(encoding="utf-8"))
        finally:
            child.stdin.close()
            child.wait(30)


def cpu_seconds(who: int = resource.RUSAGE_SELF) -> float:
    """User and system."""
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def ours(state: Path, deadline: float, parallel: int) -> dict[str, Any]:
    """The auditor: collect, decode, store."""
    from auditor.collect.fleet import Limits, collect_fleet
    from auditor.model.credential import Credential
    from auditor.model.host import HostResult, Target
    from auditor.store import open_store
    from bench.prepared_fleet import AUDITOR, PASSWORD, REQUEST

    ports = json.loads((state / "fleet.json").read_text(encoding="utf-8"))["ports"]
    targets = [
        Target(name=name, address="127.0.0.1", port=port, scheme="http", transport="ntlm", user=AUDITOR) for name, port in ports.items()
    ]
    credential = Credential(AUDITOR, PASSWORD)
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "bench.db") as store:
        named = {target.name: target for target in targets}
        run = store.begin_run("collect", "2026-01-01T00:00:00Z", "bench")

        def keep(results: list[HostResult]) -> None:
            store.save_results(run, [(named[result.host], result) for result in results])

        before, start = cpu_seconds(), time.monotonic()
        limits = Limits(host_deadline_seconds=deadline, parallel=parallel)
        results = collect_fleet(targets, dict.fromkeys(ports, credential), REQUEST, limits=limits, on_results=keep)
        wall, cpu = time.monotonic() - start, cpu_seconds() - before
    whole = sum(result.snapshot is not None and bool(result.snapshot.sections.services.records) for result in results)
    return {"wall": wall, "cpu": cpu, "cpu_with_start": cpu_seconds(), "answered": whole}


def raw(state: Path, parallel: int) -> dict[str, Any]:
    """The raw client."""
    from auditor.probes import framing
    from auditor.probes.bundle import build_bundle
    from bench.prepared_fleet import AUDITOR, PASSWORD, REQUEST
    from bench.raw_client import ask_all

    ports = json.loads((state / "fleet.json").read_text(encoding="utf-8"))["ports"]
    script = framing.pack_script(build_bundle(REQUEST))
    before, start = cpu_seconds(), time.monotonic()
    sizes = asyncio.run(ask_all(ports, AUDITOR, PASSWORD, script, parallel))
    return {"wall": time.monotonic() - start, "cpu": cpu_seconds() - before, "answered": sum(size > 50_000 for size in sizes.values())}


def ansible(state: Path, hosts: int, parallel: int) -> dict[str, Any]:
    """Ansible's raw module on the first hosts: wall and CPU with start-up; CPU a host from a second run on one host."""

    def once(limit: str) -> tuple[float, float]:
        before, start = cpu_seconds(resource.RUSAGE_CHILDREN), time.monotonic()
        program = Path(sys.executable).with_name("ansible")
        command = [str(program), "-i", str(state / "inventory.yml"), limit, "-m", "raw", "-a", "print", "-f", str(parallel)]
        settings = {**os.environ, "ANSIBLE_HOST_KEY_CHECKING": "False", "ANSIBLE_LOCALHOST_WARNING": "False", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(command, cwd=state, env=settings, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"ansible failed: {done.stdout[-300:]} {done.stderr[-300:]}")
        return time.monotonic() - start, cpu_seconds(resource.RUSAGE_CHILDREN) - before

    names = list(json.loads((state / "fleet.json").read_text(encoding="utf-8"))["ports"])
    _, alone = once(names[-1])
    wall, cpu = once(",".join(names[-hosts:]))
    return {"wall": wall, "cpu": cpu, "hosts": hosts, "cpu_a_host": (cpu - alone) / (hosts - 1), "cpu_start": alone}


def in_a_process(part: str, state: Path, **options: object) -> dict[str, Any]:
    """One client in a process of its own."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    done = subprocess.run(
        [sys.executable, __file__, "--part", part, "--state", str(state), *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{part} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(options: argparse.Namespace, state: Path) -> dict[str, Any]:
    """Rounds of both clients in turn, then Ansible."""
    with fleet(state, "--hosts", str(options.hosts)) as made:
        rounds: dict[str, list[dict[str, Any]]] = {"ours": [], "raw": []}
        for _ in range(options.rounds):
            for part in rounds:
                rounds[part].append(in_a_process(part, state, parallel=options.parallel))
        peer = (
            in_a_process("ansible", state, ansible_hosts=options.ansible_hosts, parallel=options.parallel)
            if options.ansible_hosts
            else None
        )
    pairs = [mine["wall"] / theirs["wall"] for mine, theirs in zip(rounds["ours"], rounds["raw"], strict=True)]
    document: dict[str, Any] = {
        "hosts": options.hosts,
        "parallel": options.parallel,
        "answer_bytes": made["answer_bytes"],
        **rounds,
        "ansible": peer,
    }
    document["wall_ratio_to_raw"] = round(statistics.median(pairs), 2)
    document["answered"] = min(one["answered"] for part in rounds.values() for one in part)
    if peer:
        whole = peer["cpu_start"] + peer["cpu_a_host"] * (options.hosts - 1)
        document["ansible_cpu_for_all"] = round(whole, 1)
        document["cpu_ratio_of_ansible"] = round(whole / statistics.median(one["cpu_with_start"] for one in rounds["ours"]), 1)
    return document


def pits(options: argparse.Namespace, state: Path) -> dict[str, Any]:
    """The same fleet, one host in five a tar pit."""
    bad = options.hosts // 5
    with fleet(state, "--hosts", str(options.hosts)):
        clean = in_a_process("ours", state, parallel=options.parallel, deadline=PIT_DEADLINE)
    with fleet(state, "--hosts", str(options.hosts), "--pits", str(bad)):
        found = in_a_process("ours", state, parallel=options.parallel, deadline=PIT_DEADLINE)
    return {"pits": bad, "clean": clean, "with_pits": found, "extra_deadlines": round((found["wall"] - clean["wall"]) / PIT_DEADLINE, 2)}


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    for name, default in (("hosts", 200), ("rounds", 3), ("ansible-hosts", 40), ("parallel", PARALLEL)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--deadline", type=float, default=180.0)
    parser.add_argument("--pits", action="store_true")
    parser.add_argument("--part", choices=["ours", "raw", "ansible"])
    parser.add_argument("--state", type=Path)
    options = parser.parse_args()
    if options.part:
        run = {"ours": lambda: ours(options.state, options.deadline, options.parallel), "raw": lambda: raw(options.state, options.parallel)}
        run["ansible"] = lambda: ansible(options.state, options.ansible_hosts, options.parallel)
        print(json.dumps(run[options.part]()))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        document = measure(options, Path(folder) / "even")
        if options.pits:
            document["tar_pits"] = pits(options, Path(folder) / "pits")
    print(json.dumps(document, indent=1))
    good = document["wall_ratio_to_raw"] <= WALL_RATIO and document["answered"] == options.hosts
    good = good and document.get("cpu_ratio_of_ansible", CPU_RATIO) >= CPU_RATIO
    return 0 if good and (not options.pits or document["tar_pits"]["extra_deadlines"] <= 1.1) else 1


if __name__ == "__main__":
    sys.exit(main())
