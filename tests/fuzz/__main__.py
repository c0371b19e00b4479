"""`python -m tests.fuzz [--seconds N] [--start NUMBER] [--keep FOLDER]`: the long run. Exits with 1 where an input broke a promise."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from auditor.knowledge import load_crash_knowledge
from tests.fuzz.run import fuzz


def main() -> int:
    """Fuzz for a time and tell what was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the crash readers from the committed seeds.")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long (default 600)")
    parser.add_argument("--start", type=int, default=None, help="number of the first input; the same number gives the same input")
    parser.add_argument("--most", type=int, default=1 << 40, help="how many inputs at most")
    parser.add_argument("--keep", type=Path, default=None, help="folder for inputs that broke a promise")
    given = parser.parse_args()
    start = int(time.time()) * 1000 if given.start is None else given.start
    if given.keep is not None:
        given.keep.mkdir(parents=True, exist_ok=True)
    tried, failures = fuzz(load_crash_knowledge(), start=start, seconds=given.seconds, most=given.most, keep=given.keep)
    sys.stdout.write(f"{tried} inputs from number {start}, {len(failures)} failures\n")
    for failure in failures[:50]:
        sys.stdout.write(f"{failure.number} {failure.seed}: {failure.reason}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
