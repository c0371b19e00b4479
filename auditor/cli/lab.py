"""`auditor lab`: serves a simulated fleet until it is stopped."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.interrupt import stopping
from auditor.cli.say import Outputs

DEFAULT_FLEET = "incident"


@verb(
    "lab",
    flag("--fleet", default=DEFAULT_FLEET, metavar="FILE|NAME", help="A fleet file, or the name of a shipped fleet."),
    flag("--until-input-ends", is_flag=True, help="Also stop when standard input ends, for programs that start a lab and may die."),
    flag(
        "--state",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Where the inventory and the CA go.  [default: a new temporary folder]",
    ),
)
def lab(every: Everywhere, fleet: str, until_input_ends: bool, state: Path | None) -> int:
    """Serve a simulated fleet: every host speaks real WinRM on its own loopback port.

    Writes inventory.yml and ca.pem into the state folder, prints one JSON line when all hosts listen, and serves until stopped.
    """
    from auditor.lab.serve import serve

    Outputs.plan(every, ("json",), default="json")
    folder = state or Path(tempfile.mkdtemp(prefix="auditor-lab-"))
    with stopping("stopping the lab") as stop, serve(fleet, folder, probe_digest_of=probe_digest) as running:
        if until_input_ends:
            threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
        print(json.dumps(running.ready()), flush=True)
        stop.wait()
    print("auditor: the lab has stopped", file=sys.stderr)
    return 0


def _wait_for_end_of_input(stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    stop.set()


def probe_digest(sections: Sequence[str]) -> str:
    """Digest of the auditor's own bundle for these sections: all that a lab host's auditor account may run."""
    from auditor.probes.bundle import ProbeRequest, build_bundle, bundle_digest

    return bundle_digest(build_bundle(ProbeRequest(sections=tuple(sections))))
