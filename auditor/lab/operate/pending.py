"""What a host has still to do at its next restart, as Windows keeps it in the registry. Pure but for the machine."""

from __future__ import annotations

from auditor.lab.machine import CONTROL_SET, Machine
from auditor.lab.registry import Value

SESSION_MANAGER = rf"{CONTROL_SET}\Control\Session Manager"
RENAMES = "PendingFileRenameOperations"
COMPONENTS = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
UPDATES = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired"


def pending_renames(machine: Machine) -> list[tuple[str, str]]:
    """Moves that wait for the restart: from, to; an empty target is a removal."""
    data = machine.registry.data(SESSION_MANAGER, RENAMES)
    texts = list(data) if isinstance(data, tuple) else []
    pairs = zip(texts[::2], [*texts[1::2], ""], strict=False)
    return [(_plain(source), _plain(target)) for source, target in pairs]


def _plain(path: str) -> str:
    return path.removeprefix("!").removeprefix("\\??\\")


def add_pending(machine: Machine, source: str, target: str = "") -> None:
    """Adds a move or a removal for the next restart."""
    data = machine.registry.data(SESSION_MANAGER, RENAMES)
    new = (*(data if isinstance(data, tuple) else ()), f"\\??\\{source}", f"!\\??\\{target}" if target else "")
    machine.registry.make(SESSION_MANAGER).put(Value(RENAMES, "REG_MULTI_SZ", new))


def restart_pending(machine: Machine) -> bool:
    """Whether a restart is due, by the signs that Windows and its tools look at."""
    keys = (COMPONENTS, UPDATES)
    return bool(pending_renames(machine)) or any(machine.registry.key(key) is not None for key in keys)
