"""Where Ansible's own programs run: a private place, the program itself, and a pinned configuration for every start of it.

Used by whoever starts Ansible (reading inventories, running playbooks); it starts nothing itself and knows no inventory and no playbook.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from auditor.model.errors import AuditorError

_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of ours is made inside it, readable by us alone
_PREFIX, _LOCK = "auditor-", "held"
_ROUNDS = 50
"""A process may start another one while it is being ended."""
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


@contextmanager
def private_place() -> Iterator[Path]:
    """A folder that only this user can read, in memory where the system allows, removed whatever happens.

    A process that is killed can't remove its own: the next one does. Each holds a lock as long as it lives.
    """
    parent = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())
    _sweep(parent)
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = _hold(place)
    try:
        (place / "empty").mkdir()
        (place / "empty.cfg").touch(mode=0o600)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def _hold(place: Path) -> int:
    """A lock that ends with this process. The file gets its name when it is locked, so that nobody finds it free before."""
    import fcntl

    descriptor = os.open(place / "taking", os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    (place / "taking").rename(place / _LOCK)
    return descriptor


def _sweep(parent: Path) -> None:
    """Remove what killed processes of this user left: places whose lock nobody holds."""
    import fcntl

    for place in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if place.is_symlink() or place.stat().st_uid != os.geteuid():
                continue
            descriptor = os.open(place / _LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                end_processes(place)
                shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(descriptor)


def end_processes(place: Path) -> None:
    """End every process that runs in the place, however it was started: Ansible's workers leave the group of the process that began them.

    A play must not go on with nobody to write down what it does. Where there is no /proc, nothing is found.
    """
    marks = (os.fsencode(place) + b"/", b"=" + os.fsencode(place) + b"\0")
    for _ in range(_ROUNDS):
        found = [number for number in _process_numbers() if _runs_in(number, marks)]
        if not found:
            return
        for number in found:
            with suppress(OSError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.02)


def _process_numbers() -> Iterator[int]:
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            yield int(folder.name)


def _runs_in(number: int, marks: tuple[bytes, ...]) -> bool:
    """Whether its arguments or its environment name the place; a process that has ended has neither."""
    for name in ("cmdline", "environ"):
        with suppress(OSError):
            text = Path(f"/proc/{number}/{name}").read_bytes()
            if any(mark in text for mark in marks):
                return True
    return False


def program_path(name: str) -> str:
    """The program beside this Python, else on PATH. Raises AuditorError."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        raise AuditorError(f"{name} is not installed", next_step="install ansible-core in the auditor's environment")
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
