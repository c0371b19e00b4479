"""The entries below the Services key, as the sections services, drivers and filters read them, and what the service manager says. Pure.

Two sources are laid together: the registry, which has every entry, and Win32_Service and Win32_SystemDriver, which have the states.
An account that may not see a service does not find it in the classes, without an error: its state is then unknown.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from auditor.model.errors import CollectError
from auditor.probes.wmi.properties import number_of, text_of
from auditor.probes.wmi.questions import Instance, Steps
from auditor.probes.wmi.registry import Registry
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import SERVICES_KEY, Survey

STARTS = {0: "boot", 1: "system", 2: "auto", 3: "demand", 4: "disabled"}
CLASSES = ("Win32_Service", "Win32_SystemDriver")
_COLUMNS = "Name, DisplayName, ServiceType, StartName, State, TagId"
_TYPES = {
    "Kernel Driver": 1, "File System Driver": 2, "Adapter": 4, "Recognizer Driver": 8, "Own Process": 0x10, "Share Process": 0x20,
}  # fmt: skip
"""Words of Win32_BaseService.ServiceType to the registry's Type; per-user services are `Unknown` to it."""
_STATES = {
    "Running": "running", "Stopped": "stopped", "Start Pending": "start_pending", "Stop Pending": "stop_pending",
    "Continue Pending": "continue_pending", "Pause Pending": "pause_pending", "Paused": "paused",
}  # fmt: skip
"""Words of Win32_BaseService.State: values of the schema, the same in every language."""


class Entry(msgspec.Struct, frozen=True):
    """One subkey of the Services key that is a service or a driver."""

    name: str
    type: int
    """The registry's Type, without the flags of interactive services where the service manager told it."""
    controlled: Instance | None = None
    """What the service manager says of it; None where it shows nothing."""

    @property
    def key(self) -> str:
        """Its path below HKLM."""
        return rf"{SERVICES_KEY}\{self.name}"

    @property
    def is_service(self) -> bool:
        """A Win32 service, but no instance of a per-user service."""
        return bool(self.type & 0x70) and not self.type & 0x80

    @property
    def is_driver(self) -> bool:
        """A driver."""
        return bool(self.type & 0x0F) and not self.type & 0x70

    @property
    def state(self) -> str | None:
        """Its run state; null where the service manager shows nothing."""
        return _STATES.get(text_of(self.controlled, "State") or "") if self.controlled else None

    @property
    def process(self) -> int | None:
        """Process id of a running service."""
        return (number_of(self.controlled, "ProcessId") or None) if self.controlled else None


def entries(survey: Survey, sheet: Sheet, states: str | None = None) -> Steps[list[Entry]]:
    """Every entry of the Services key; those whose type can't be read are gaps. Raises CollectError where the key is denied.

    `states` is the class whose states the section shows: where it is refused they are a gap. The other classes only spare questions.
    """
    controlled: dict[str, Instance] = {}
    for class_name in CLASSES:
        controlled |= yield from _controlled(survey, sheet if class_name == states else None, class_name)
    found: list[Entry] = []
    for name in (yield from survey.registry.subkeys(SERVICES_KEY)):
        shown = controlled.get(name.upper())
        kind = _TYPES.get(text_of(shown, "ServiceType") or "") if shown else None
        try:
            kind = kind or (yield from survey.registry.number(rf"{SERVICES_KEY}\{name}", "Type"))
        except CollectError as error:
            if error.status == "timed_out":
                raise
            sheet.gap(name, "", error.message)
            continue
        if kind is not None:
            found.append(Entry(name, kind, shown))
    return found


def _controlled(survey: Survey, sheet: Sheet | None, class_name: str) -> Steps[dict[str, Instance]]:
    """By name in upper case; where the class is refused, the states are a gap of the sheet."""
    try:
        columns = f"{_COLUMNS}, ProcessId" if class_name == "Win32_Service" else _COLUMNS
        instances = yield from survey.once(f"SELECT {columns} FROM {class_name}")  # noqa: S608 (of constants)
    except CollectError as error:
        if error.status == "timed_out":
            raise
        if sheet is not None:
            sheet.gap("", "state", f"{class_name}: {error.message}")
        return {}
    return {(text_of(instance, "Name") or "").upper(): instance for instance in instances}


def each(sheet: Sheet, found: list[Entry], steps: Callable[[Entry], Steps[None]]) -> Steps[None]:
    """Takes the steps for each entry; one that is closed to the account is a gap, and the others go on."""
    for entry in found:
        try:
            yield from steps(entry)
        except CollectError as error:
            if error.status == "timed_out":
                raise
            sheet.gap(entry.name, "", error.message)


def start_of(registry: Registry, entry: Entry) -> Steps[str | None]:
    """How it starts, from the registry."""
    number = yield from registry.number(entry.key, "Start")
    return STARTS.get(-1 if number is None else number)


def display_name(registry: Registry, entry: Entry) -> Steps[str | None]:
    """The service manager's name; where it shows nothing the registry's."""
    shown = text_of(entry.controlled, "DisplayName") if entry.controlled else None
    return shown or (yield from registry.text(entry.key, "DisplayName"))


def account_of(registry: Registry, entry: Entry) -> Steps[str | None]:
    """The account that a service runs as."""
    shown = text_of(entry.controlled, "StartName") if entry.controlled else None
    return shown or (yield from registry.text(entry.key, "ObjectName"))


def tag_of(registry: Registry, entry: Entry) -> Steps[int | None]:
    """The tag of its load-order group. The service manager shows 0 also where there is none, so then the registry is asked."""
    shown = number_of(entry.controlled, "TagId") if entry.controlled else None
    return shown or (yield from registry.number(entry.key, "Tag"))


def note_replaced(registry: Registry, sheet: Sheet, field: str) -> Steps[None]:
    """A gap for the section where this host's WMI shows a field's variables replaced."""
    if (yield from registry.replaced()):
        sheet.gap("", field, "WMI on this host shows the value with its variables replaced, not as it is written")
