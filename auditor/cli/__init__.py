"""The command line: arguments, words, exit codes. The only place that prints or exits; decides nothing that a library caller would miss.

This module imports nothing heavy, so that `--version` costs a bare interpreter and `--help` loads no verb.
"""

from __future__ import annotations

import gc
import sys

COLLECT_AFTER = 20_000
"""Objects made before Python looks for unreachable ones again; its own 700 cost a pre-check a fifth of its time, for finding nothing."""


def main() -> None:
    """Entry point of `auditor` and `python -m auditor`."""
    if sys.argv[1:] == ["--version"]:
        from auditor import __version__

        print(f"auditor {__version__}")
        return
    from auditor.cli.interrupt import end_in_order
    from auditor.cli.program import run

    end_in_order()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    sys.exit(run(sys.argv[1:]))
