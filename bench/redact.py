"""What redaction costs on texts that are made to be costly: it has to grow with the text and no faster.

    python bench/redact.py [--size 1000000]

Pieces of the shapes of secrets, again and again: those of tests/unit/test_redact.py, which counts calls in place of seconds. Prints one
JSON document; exits with 1 where ten times the text costs more than 40 times the CPU, or where a text of the full size costs over 10 s.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from auditor.probes.redact import redact  # noqa: E402
from tests.unit.test_redact import COSTLY  # noqa: E402

GROWTH, SECONDS, LEAST = 40.0, 10.0, 0.05


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=1_000_000)
    size = parser.parse_args().size
    found = {piece: [_cost(piece, size // 50), _cost(piece, size // 5), _cost(piece, size)] for piece in COSTLY}
    bad = [piece for piece, (small, large, whole) in found.items() if large > max(LEAST, GROWTH * small) or whole > SECONDS]
    slowest = sorted(found, key=lambda piece: -found[piece][2])[:5]
    print(json.dumps({"pieces": len(found), "size": size, "slowest": {p: round(found[p][2], 2) for p in slowest}, "bad": bad}, indent=1))
    return 1 if bad else 0


def _cost(piece: str, size: int) -> float:
    text = piece * (size // len(piece))
    start = time.process_time()
    redact(text)
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
