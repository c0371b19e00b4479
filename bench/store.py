"""What the store costs: bytes and seconds for a fleet's first day and for further days on which nothing but readings moved.

    python bench/store.py [--hosts N] [--days N] [--url postgresql://...]

Hosts are made here, with the records of an ordinary server and with readings that live on as real ones do: events of the last 30 days (some
new, as many gone), logons of the last day (all new), tasks that ran, free space, times. Prints one JSON document; exits with 1 where a
further day of 1,000 hosts costs 1 MB or more. Sizes are the database's own after a checkpoint.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from auditor.model.host import HostResult, Target  # noqa: E402
from auditor.store import Store, StoredHost, open_store  # noqa: E402
from bench.living_host import LivingHost, stamp  # noqa: E402

ALLOWED_BYTES_A_HOST = 1_000_000 / 1000


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--days", type=int, default=4)
    parser.add_argument("--url")
    options = parser.parse_args()
    hosts = [LivingHost(number) for number in range(options.hosts)]
    with tempfile.TemporaryDirectory() as folder:
        where = options.url or str(Path(folder) / "store.db")
        sizes, seconds = [_size(where)], []
        for day in range(options.days + 1):
            start = time.process_time()
            _collect(where, hosts, day)
            seconds.append(round(time.process_time() - start, 2))
            sizes.append(_size(where))
        start = time.process_time()
        with open_store(where, write=False) as store:
            found = sum(_readable(stored) for stored in store.latest_results())
        read = round(time.process_time() - start, 2)
    costs = [after - before for before, after in itertools.pairwise(sizes)]
    worst = max(costs[1:]) / options.hosts
    print(
        json.dumps(
            {
                "hosts": options.hosts,
                "first_day_bytes": costs[0],
                "further_days_bytes": costs[1:],
                "worst_further_day_bytes_a_host": round(worst),
                "allowed_bytes_a_host": ALLOWED_BYTES_A_HOST,
                "cpu_seconds_to_make_and_save": seconds,
                "cpu_seconds_to_read_all": read,
                "hosts_read": found,
            },
            indent=1,
        )
    )
    return 1 if worst >= ALLOWED_BYTES_A_HOST or found != options.hosts else 0


def _collect(where: str, hosts: list[LivingHost], day: int) -> None:
    with open_store(where) as store:
        run = store.begin_run("collect", stamp(day), "0.1.0")
        for host in hosts:
            target = Target(name=host.name, address="192.0.2.1", port=5986, scheme="https", transport="kerberos", user="svc-audit")
            store.save_result(run, target, HostResult(host=host.name, status="ok", snapshot=host.snapshot(day), seconds=4.2))
        store.finish_run(run)
        _checkpoint(store)


def _readable(stored: StoredHost) -> bool:
    snapshot = stored.result.snapshot
    return snapshot is not None and snapshot.sections.events.status == "ok" and len(snapshot.sections.events.readings) > 0


def _checkpoint(store: Store) -> None:
    if "://" not in store.where:
        import sqlite3

        with sqlite3.connect(store.where) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _size(where: str) -> int:
    if "://" not in where:
        path = Path(where)
        return path.stat().st_size if path.exists() else 0
    import psycopg

    with psycopg.connect(where) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0


if __name__ == "__main__":
    sys.exit(main())
