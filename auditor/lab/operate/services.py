"""Services and drivers as the service control manager handles them: find, start, stop, configure, remove. Owns its error codes.

State changes are at once; Windows takes a moment, which the lab does not act out.
"""

from __future__ import annotations

import msgspec

from auditor.lab.machine import SERVICES, Machine, ServiceState
from auditor.lab.operate.drops import take_drops
from auditor.lab.operate.writes import Denied, held_change, make_key, put_value, remove_key, service_holds
from auditor.lab.registry import Key, Value
from auditor.model.errors import AuditorError
from auditor.model.host import RunState

ACCESS_DENIED, DEPENDENTS_RUN, BAD_CONTROL, ALREADY_RUNS, DISABLED, UNKNOWN, NOT_STARTED = 5, 1051, 1052, 1056, 1058, 1060, 1062
DEPENDENCY_FAILED, EXISTS = 1068, 1073
START_WORDS = {0: "boot", 1: "system", 2: "auto", 3: "demand", 4: "disabled"}
STARTS = {word: number for number, word in START_WORDS.items()}


class ServiceError(AuditorError):
    """The service control manager's refusal, with its Win32 code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"service control manager error {code}")
        self.code = code


class Entry(msgspec.Struct, frozen=True):
    """A service or driver: its registry key and its state."""

    key: Key
    state: ServiceState

    @property
    def name(self) -> str:
        """Its name as the registry spells it."""
        return self.key.name

    @property
    def display(self) -> str:
        """Its display name."""
        return self.text("DisplayName") or self.key.name

    @property
    def start(self) -> int:
        """0 boot to 4 disabled."""
        return self.number("Start", 3)

    @property
    def kind(self) -> int:
        """The Type value."""
        return self.number("Type", 0)

    @property
    def driver(self) -> bool:
        """Whether it is a driver."""
        return bool(self.kind & 0x0F) and not self.kind & 0x70

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.state.state == "running"

    @property
    def depends(self) -> list[str]:
        """Services that it needs."""
        value = self.key.value("DependOnService")
        data = value.data if value else ()
        return [data] if isinstance(data, str) and data else list(data) if isinstance(data, tuple) else []

    def text(self, name: str) -> str | None:
        """A text of its key."""
        value = self.key.value(name)
        return value.data if value and isinstance(value.data, str) else None

    def number(self, name: str, otherwise: int) -> int:
        """A number of its key."""
        value = self.key.value(name)
        return value.data if value and isinstance(value.data, int) else otherwise


def find(machine: Machine, name: str) -> Entry | None:
    """A service or driver by its name."""
    key, state = machine.registry.key(rf"{SERVICES}\{name}"), machine.services.get(name.upper())
    return Entry(key, state) if key is not None and state is not None and "\\" not in name else None


def find_shown(machine: Machine, name: str) -> Entry | None:
    """A service or driver by its name or its display name."""
    if (entry := find(machine, name)) is not None:
        return entry
    return next((entry for entry in entries(machine) if entry.display.lower() == name.lower()), None)


def entries(machine: Machine) -> list[Entry]:
    """All services and drivers, by name."""
    found = [find(machine, name) for name in sorted(machine.services)]
    return [entry for entry in found if entry is not None]


def need(machine: Machine, name: str) -> Entry:
    """The service of that name. Raises ServiceError."""
    entry = find(machine, name)
    if entry is None:
        raise ServiceError(UNKNOWN)
    return entry


def dependents(machine: Machine, name: str) -> list[Entry]:
    """Services and drivers that need it, directly or not; those that need others come first."""
    found: list[Entry] = []
    for entry in entries(machine):
        if name.upper() in map(str.upper, entry.depends) and entry not in found:
            found += [below for below in dependents(machine, entry.name) if below not in found] + [entry]
    return found


def start(machine: Machine, name: str) -> None:
    """Starts it and what it needs. Raises ServiceError."""
    entry = need(machine, name)
    if entry.running:
        raise ServiceError(ALREADY_RUNS)
    if entry.start == STARTS["disabled"]:
        raise ServiceError(DISABLED)
    for other in entry.depends:
        below = find(machine, other)
        if below is not None and not below.running:
            try:
                start(machine, other)
            except ServiceError as error:
                raise ServiceError(DEPENDENCY_FAILED) from error
    _set_state(machine, entry, "running")


def stop(machine: Machine, name: str, *, with_dependents: bool = False) -> None:
    """Stops it. Raises ServiceError."""
    entry = need(machine, name)
    if not entry.running:
        raise ServiceError(NOT_STARTED)
    if not entry.state.stoppable:
        raise ServiceError(BAD_CONTROL)
    running = [below for below in dependents(machine, entry.name) if below.running]
    if running and not with_dependents:
        raise ServiceError(DEPENDENTS_RUN)
    for below in running:
        _set_state(machine, below, "stopped")
    _set_state(machine, entry, "stopped")


def _set_state(machine: Machine, entry: Entry, state: RunState) -> None:
    old = entry.state.state
    try:
        held_change(
            machine,
            service_holds(machine, entry.name),
            lambda: setattr(entry.state, "state", state),
            lambda: setattr(entry.state, "state", old),
        )
    except Denied as error:
        raise ServiceError(ACCESS_DENIED) from error
    if state == "running":
        take_drops(machine, entry.name)


def configure(machine: Machine, name: str, *values: Value) -> None:
    """Sets values of its key. Raises ServiceError."""
    entry = need(machine, name)
    try:
        for value in values:
            put_value(machine, rf"{SERVICES}\{entry.name}", value)
    except Denied as error:
        raise ServiceError(ACCESS_DENIED) from error


def create(machine: Machine, name: str, *values: Value) -> None:
    """Makes a service entry that is stopped. Raises ServiceError."""
    if name.upper() in machine.services:
        raise ServiceError(EXISTS)
    make_key(machine, rf"{SERVICES}\{name}")
    if machine.registry.key(rf"{SERVICES}\{name}") is not None:
        machine.services[name.upper()] = ServiceState(name)
        configure(machine, name, *values)


def remove(machine: Machine, name: str) -> None:
    """Removes its entry; a running one goes at once, where Windows only marks it. Raises ServiceError."""
    entry = need(machine, name)
    try:
        remove_key(machine, rf"{SERVICES}\{entry.name}")
    except Denied as error:
        raise ServiceError(ACCESS_DENIED) from error
    if machine.registry.key(rf"{SERVICES}\{entry.name}") is None:
        machine.services.pop(entry.name.upper(), None)
