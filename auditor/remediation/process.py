"""Who applies a plan, and whether the process that did still runs. Looks at this machine's processes only."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path

from auditor.model.plan import Applicant, RemediationRecord


def applicant() -> Applicant:
    """This account, machine and process."""
    machine = socket.gethostname()
    try:
        account = getpass.getuser()
    except (KeyError, OSError):
        account = f"uid {os.getuid()}"
    return Applicant(who=f"{account}@{machine}"[:120], machine=machine, process=_process(os.getpid()))


def has_ended(record: RemediationRecord) -> bool:
    """Whether the process of a record is known to have ended: on another machine nobody knows."""
    by = record.by
    if by.machine != socket.gethostname() or not by.process:
        return False
    number = by.process.partition(" ")[0]
    return not number.isdigit() or _process(int(number)) != by.process


def _process(number: int) -> str:
    """A process by its number and start, for numbers come again; the number alone where its start can't be seen; empty without it."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        state, started = fields[0], fields[19]
    except (OSError, IndexError):
        return f"{number} ?" if _is_there(number) else ""
    return "" if state in "ZX" else f"{number} {started}"  # nobody has asked yet how a dead one ended


def _is_there(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
