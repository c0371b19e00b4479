"""Runs Ansible's own programs through ansible-runner: pinned configuration, a private place, nothing left behind.

It must not read inventories itself nor import Ansible (its licence differs): the programs lie beside this Python.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, NamedTuple

from auditor.ansible_place import pinned_environment, program_path
from auditor.model.errors import InventoryError

TIME_LIMIT_SECONDS = 600
"""Of one run of Ansible; ten thousand hosts with templates took about a minute."""
_TIMED_OUT = 254
"""What ansible-runner returns then."""


class Said(NamedTuple):
    """What a program printed. `output` may hold secrets: it is for parsing, never for showing."""

    code: int
    output: str
    complaints: str


def run_program(name: str, arguments: Sequence[str], place: Path, *, trust: bool) -> Said:
    """Run one of Ansible's programs from inside the private place. Its output goes to memory, never to a file with a name.

    Raises InventoryError where it is not installed or takes too long.
    """
    import ansible_runner

    with _unnamed(place) as output, _unnamed(place) as complaints:
        _, _, code = ansible_runner.run_command(
            program_path(name),
            list(arguments),
            runner_mode="subprocess",
            private_data_dir=str(place),
            host_cwd=str(place),
            envvars=pinned_environment(place, trust=trust),
            output_fd=output,
            error_fd=complaints,
            quiet=True,
            timeout=TIME_LIMIT_SECONDS,
            # Every line of output would become a file without this.
            event_handler=lambda _event: False,
            # Without one, ansible-runner replaces the handlers of SIGINT and SIGTERM.
            cancel_callback=lambda: False,
        )
        if code == _TIMED_OUT:
            raise InventoryError(f"{name} took more than {TIME_LIMIT_SECONDS} s", next_step="split the inventory, or use --limit")
        return Said(int(code), _text(output), _text(complaints))


def _unnamed(place: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=place)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
