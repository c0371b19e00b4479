"""Runs Ansible's own programs through ansible-runner: pinned configuration, a private place, nothing left behind.

It must not read inventories itself nor import Ansible (its licence differs): the programs lie beside this Python.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from auditor.model.errors import InventoryError

TIME_LIMIT_SECONDS = 600
"""Of one run of Ansible; ten thousand hosts with templates took about a minute."""
_TIMED_OUT = 254
"""What ansible-runner returns then."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours is made inside it, readable by us alone
_PLUGINS = [
    "ACTION",
    "BECOME",
    "CACHE",
    "CLICONF",
    "CONNECTION",
    "FILTER",
    "HTTPAPI",
    "INVENTORY",
    "LOOKUP",
    "NETCONF",
    "STRATEGY",
    "TERMINAL",
    "TEST",
    "VARS",
]


class Said(NamedTuple):
    """What a program printed. `output` may hold secrets: it is for parsing, never for showing."""

    code: int
    output: str
    complaints: str


@contextmanager
def private_place() -> Iterator[Path]:
    """A folder that only this user can read, in memory where the system allows, removed whatever happens."""
    parent = str(_MEMORY) if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    place = Path(tempfile.mkdtemp(prefix="auditor-", dir=parent))
    try:
        (place / "empty").mkdir()
        (place / "empty.cfg").touch(mode=0o600)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def program_path(name: str) -> str:
    """The program beside this Python, else on PATH. Raises InventoryError."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise InventoryError(f"{name} is not installed", next_step="install ansible-core in the auditor's environment")
    return found


def pinned_environment(place: Path, *, trust: bool) -> dict[str, str]:
    """The settings of every run: no ansible.cfg, no home folder, and without trust no plugin that does not ship with Ansible."""
    empty = str(place / "empty")
    pinned = {
        "ANSIBLE_CONFIG": str(place / "empty.cfg"),
        "ANSIBLE_HOME": str(place / "home"),
        "ANSIBLE_LOCAL_TEMP": str(place / "local"),
        "ANSIBLE_REMOTE_TEMP": str(place / "remote"),
        "ANSIBLE_INVENTORY_ENABLED": "host_list,script,auto,yaml,ini,toml" if trust else "host_list,yaml,ini",
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
        "ANSIBLE_INVENTORY_CACHE": "False",
        "ANSIBLE_INVENTORY_EXPORT": "False",
        "ANSIBLE_HOST_PATTERN_MISMATCH": "error",
        "ANSIBLE_VARS_ENABLED": "host_group_vars",
        "ANSIBLE_STRATEGY": "linear",
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_LOG_PATH": os.devnull,
        "ANSIBLE_DEBUG": "False",
        "ANSIBLE_VERBOSITY": "0",
        "ANSIBLE_DISPLAY_TRACEBACK": "never",
        "ANSIBLE_KEEP_REMOTE_FILES": "False",
        "ANSIBLE_ENABLE_TASK_DEBUGGER": "False",
        "ANSIBLE_NOCOLOR": "True",
        "LC_ALL": "C.UTF-8",
    }
    if password_file := os.environ.get("ANSIBLE_VAULT_PASSWORD_FILE"):
        # Ansible runs in another folder than the user.
        pinned["ANSIBLE_VAULT_PASSWORD_FILE"] = str(Path(password_file).expanduser().absolute())
    if not trust:
        pinned.update({f"ANSIBLE_{kind}_PLUGINS": empty for kind in _PLUGINS})
        pinned.update({"ANSIBLE_LIBRARY": empty, "ANSIBLE_COLLECTIONS_PATH": empty, "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "False"})
    return pinned


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
