"""A shipped or own fleet of the lab in a child process, for the time of one audit. Owns starting, waiting and stopping it."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from auditor.cli.interrupt import stopping
from auditor.model.errors import LabError

START_SECONDS = 60.0
STOP_SECONDS = 10.0
ENDING_SECONDS = 5.0
"""A child that has closed its output without a word is at its end."""
WRONG_USAGE = 64


class Ready(msgspec.Struct, frozen=True):
    """What a lab says when all its hosts listen."""

    inventory: Path
    violations: Path


@contextlib.contextmanager
def rehearsal(fleet: str) -> Iterator[Ready]:
    """A running lab. Raises LabError with all that is wrong in the fleet's files, or with what the lab said where it did not come up."""
    from auditor.lab.fleet import load_fleet

    load_fleet(fleet)
    with tempfile.TemporaryDirectory(prefix="auditor-lab-") as folder, (Path(folder) / "log").open("w+b") as log:
        child: subprocess.Popen[bytes] | None = None
        try:
            # a signal while the child is being made would leave it without anyone to stop it
            with stopping("stopping") as stop:
                child = _start(fleet, Path(folder) / "state", log)
            if stop.is_set():
                raise KeyboardInterrupt
            yield _wait(child, Path(folder) / "log")
        finally:
            if child is not None:
                _stop(child)


def _start(fleet: str, state: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "auditor", "lab", "--fleet", fleet, "--state", str(state), "--until-input-ends"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AUDITOR_")} | {"PYTHONPATH": _import_path()}
    # its own session, so that Ctrl-C reaches only the audit, which then stops the lab in order
    return subprocess.Popen(  # noqa: S603 - our own program
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=environment, start_new_session=True
    )


def _import_path() -> str:
    """The child finds this very package, from wherever it is started."""
    import auditor

    ours = str(Path(auditor.__file__).parents[1])
    return os.pathsep.join([ours, *filter(None, [os.environ.get("PYTHONPATH")])])


def _wait(child: subprocess.Popen[bytes], log: Path) -> Ready:
    line = _first_line(child)
    try:
        answer: dict[str, Any] = json.loads(line)
        return Ready(Path(answer["inventory"]), Path(answer["violations"]))
    except (ValueError, KeyError, TypeError) as error:
        said = log.read_text(encoding="utf-8", errors="replace").strip()
        told = said.removeprefix("auditor: error: ") or "it said nothing"
        raise LabError(f"the lab did not start: {told}", (), usage=_ended_with(child) == WRONG_USAGE) from error


def _ended_with(child: subprocess.Popen[bytes]) -> int | None:
    """The child's exit code; None where it has not ended."""
    try:
        return child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        return None


def _first_line(child: subprocess.Popen[bytes]) -> bytes:
    """What the child prints up to its first line feed; empty where it ends or stays silent too long."""
    pipe = child.stdout
    if pipe is None:
        return b""
    end, line = time.monotonic() + START_SECONDS, b""
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while b"\n" not in line and selector.select(max(0.0, end - time.monotonic())):
            piece = os.read(pipe.fileno(), 65_536)
            if not piece:
                break
            line += piece
    return line.partition(b"\n")[0]


def _stop(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
