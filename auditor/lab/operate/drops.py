"""Files that a product's service takes when they are put into its folder: their settings become registry values, and the file goes."""

from __future__ import annotations

import functools
import re

from auditor.lab.facts_change import DropFacts
from auditor.lab.machine import Machine
from auditor.lab.registry import Value
from auditor.lab.texts import decode_text


def watch_drop(machine: Machine, path: str) -> None:
    """A file was written: where a service takes it, it will."""
    for drop in machine.drops.values():
        if drop.file.upper() == path.upper():
            machine.agenda.after(drop.seconds, functools.partial(_take, machine, drop))


def take_drops(machine: Machine, service: str) -> None:
    """A service has started: it takes what lies there."""
    for drop in machine.drops.values():
        if drop.service.upper() == service.upper():
            _take(machine, drop)


def _take(machine: Machine, drop: DropFacts) -> None:
    file, state = machine.files.get(drop.file), machine.services.get(drop.service.upper())
    if file is None or state is None or state.state != "running":
        return
    text = decode_text(file.data(), file.path, machine)
    for name, goes in drop.settings.items():
        found = re.search(rf"(?im)^{re.escape(name)}\s*=\s*{re.escape(goes.prefix)}(.*?)\s*$", text)
        if found:
            machine.registry.make(goes.key).put(Value(goes.value, "REG_SZ", found.group(1)))
    machine.files.remove(file.path)
