"""Started as a program: `launch.py OUTPUT PROGRAM ...` bounds itself and becomes PROGRAM. The bounds hold for all that it starts.

1. It is killed when the process that started it ends, also where that was killed: no further task begins with nobody to write it down.
2. A process can't take more memory than `MEMORY_BYTES`: a host's answer that has no end fails its task, not the machine.
3. What it prints goes to the file OUTPUT, not to ansible-runner, which would look into it for events: hosts' texts are in it as they came.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys

MEMORY_BYTES = 2 * 1024**3
FILE_BYTES = 256 * 1024**2
_SET_PARENT_DEATH_SIGNAL = 1


def main(output: str, command: list[str]) -> None:
    """Become `command`."""
    _bound(resource.RLIMIT_AS, MEMORY_BYTES)
    _bound(resource.RLIMIT_FSIZE, FILE_BYTES)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    # Standard input stays with ansible-runner: it takes a closed one for the end.
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.execv(command[0], command)  # noqa: S606 - the very purpose; no shell


def _bound(kind: int, wanted: int) -> None:
    _, most = resource.getrlimit(kind)
    wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(kind, (wanted, wanted))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
