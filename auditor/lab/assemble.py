"""Facts of a host -> its machine: shorthands become the registry values and files that Windows has for them. Pure; now is passed in.

Rules of this file:
1. What a fleet file writes under `registry` and `files` comes last and wins over what shorthands make.
2. Nothing is made that real Windows of that version would not have; nothing is made for the auditor's sake.
Raises ValueError where facts contradict each other in a way that only shows here (an impossible date, names equal but for case).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar

from auditor.lab.assemble_files import add_driver_files, add_files, add_task_files
from auditor.lab.assemble_logs import add_logs
from auditor.lab.clock import Dial, Zone
from auditor.lab.facts import HostFacts
from auditor.lab.facts_software import DriverFacts, ProgramFacts, ServiceFacts
from auditor.lab.fleet import LabHost
from auditor.lab.machine import CONTROL_SET, CURRENT_VERSION, ENVIRONMENT, SERVICES, Machine, ServiceState
from auditor.lab.registry import Registry, Value
from auditor.lab.taskcache import put_task_cache

_CONTROL = rf"{CONTROL_SET}\Control"
_UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
_STARTS = {"boot": 0, "system": 1, "auto": 2, "demand": 3, "disabled": 4}
_TYPES = {
    "kernel": 1, "file_system": 2, "adapter": 4, "recognizer": 8, "own_process": 0x10, "share_process": 0x20, "user_own": 0x50,
    "user_share": 0x60, "other": 0x200,
}  # fmt: skip
T = TypeVar("T")
_PRODUCTS = {"workstation": "WinNT", "domain_controller": "LanmanNT", "server": "ServerNT"}


def assemble(host: LabHost, now: datetime) -> Machine:
    """The machine that these facts describe. Raises ValueError."""
    facts = host.facts
    machine = Machine(host.name, facts, make_dial(facts, now))
    machine.packages, machine.commands = host.packages, host.commands
    for part in (_put_system, _put_zone, _put_network, _put_memory):
        part(machine.registry, machine)
    put_services(machine, facts.services)
    put_drivers(machine, facts.drivers)
    put_programs(machine, facts.programs)
    _put_filters(machine.registry, machine)
    for setting in host.registry:
        key = machine.registry.make(setting.key)
        if setting.value is not None:
            key.put(_expanded(setting.value, machine.dial))
    add_states(machine, facts.services, facts.drivers)
    machine.tasks = dict(_unique(facts.tasks.items()))
    machine.shares = dict(_unique(facts.shares.items()))
    add_driver_files(machine, facts.drivers)
    add_task_files(machine)
    put_task_cache(machine)
    add_files(machine)
    add_logs(machine)
    return machine


def make_dial(facts: HostFacts, now: datetime) -> Dial:
    """How this host reads and prints times."""
    zone = Zone(
        bias=facts.zone.bias,
        daylight_bias=facts.zone.daylight_bias,
        standard_start=bytes.fromhex(facts.zone.standard_start),
        daylight_start=bytes.fromhex(facts.zone.daylight_start),
    )
    return Dial(now=now, zone=zone, date_picture=facts.system.date_picture, time_picture=facts.system.time_picture)


def _expanded(value: Value, dial: Dial) -> Value:
    return Value(value.name, value.type, dial.expand(value.data)) if isinstance(value.data, str) else value


def _unique(items: Iterable[tuple[str, T]]) -> Iterable[tuple[str, T]]:
    """The items, names without case checked to be different."""
    seen: set[str] = set()
    for name, value in items:
        if name.upper() in seen:
            raise ValueError(f"two names that differ in case only: `{name}`")
        seen.add(name.upper())
        yield name, value


def _put_system(registry: Registry, machine: Machine) -> None:
    system, (major, minor, build) = machine.facts.system, machine.version
    put = registry.put
    put(CURRENT_VERSION, "SystemRoot", system.windows_directory)
    put(CURRENT_VERSION, "ProductName", system.caption.strip().removeprefix("Microsoft "))
    put(CURRENT_VERSION, "CurrentVersion", "6.3" if major >= 10 else f"{major}.{minor}")
    put(CURRENT_VERSION, "CurrentBuildNumber", str(build))
    put(CURRENT_VERSION, "InstallDate", int(machine.dial.moment(system.installed).timestamp()))
    if major >= 10:
        put(CURRENT_VERSION, "CurrentMajorVersionNumber", major)
        put(CURRENT_VERSION, "CurrentMinorVersionNumber", minor)
        put(CURRENT_VERSION, "UBR", system.revision)
    if major >= 6:
        put(CURRENT_VERSION, "EditionID", system.edition)
        put(CURRENT_VERSION, "CurrentBuild", str(build))
    put(rf"{_CONTROL}\Windows", "CSDVersion", system.service_pack * 256)
    put(CURRENT_VERSION, "CSDVersion", f"Service Pack {system.service_pack}" if system.service_pack else None)
    put(rf"{_CONTROL}\ProductOptions", "ProductType", _PRODUCTS[system.product_type])
    put(ENVIRONMENT, "PROCESSOR_ARCHITECTURE", {"x86": "x86", "x64": "AMD64"}[system.architecture])
    put(ENVIRONMENT, "windir", "%SystemRoot%", "REG_EXPAND_SZ")
    put(rf"{_CONTROL}\Nls\Language", "Default", system.locale.upper())
    put(rf"{_CONTROL}\Nls\Language", "InstallLanguage", system.ui_language.upper())
    put(rf"{_CONTROL}\Nls\CodePage", "OEMCP", str(system.code_page))
    put(rf"{_CONTROL}\Nls\CodePage", "ACP", str(system.ansi_code_page))
    _put_folders(registry, machine)


def _put_folders(registry: Registry, machine: Machine) -> None:
    """Where the known folders are, as the registry tells it; a Windows of 64 bits has those of 32 bits beside them."""
    current, system = r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion", machine.facts.system
    environment = machine.environment()
    for suffix in ("", " (x86)") if system.architecture == "x64" else ("",):
        programs = f"{system.program_files}{suffix}"
        registry.put(current, f"ProgramFilesDir{suffix}", programs)
        registry.put(current, f"CommonFilesDir{suffix}", f"{programs}\\Common Files")
    registry.put(rf"{current}\Explorer\Shell Folders", "Common AppData", environment["PROGRAMDATA"])
    profiles = rf"{CURRENT_VERSION}\ProfileList"
    if machine.legacy:
        registry.put(profiles, "ProfilesDirectory", "%SystemDrive%\\Documents and Settings", "REG_EXPAND_SZ")
        registry.put(profiles, "AllUsersProfile", "All Users")
    else:
        registry.put(profiles, "ProgramData", "%SystemDrive%\\ProgramData", "REG_EXPAND_SZ")


def _put_zone(registry: Registry, machine: Machine) -> None:
    zone, key = machine.facts.zone, rf"{_CONTROL}\TimeZoneInformation"
    registry.put(key, "Bias", zone.bias & 0xFFFFFFFF)
    registry.put(key, "StandardBias", 0)
    registry.put(key, "DaylightBias", zone.daylight_bias & 0xFFFFFFFF)
    registry.put(key, "StandardName", zone.name)
    registry.put(key, "StandardStart", bytes.fromhex(zone.standard_start) or bytes(16))
    registry.put(key, "DaylightStart", bytes.fromhex(zone.daylight_start) or bytes(16))
    if not machine.legacy:
        registry.put(key, "TimeZoneKeyName", zone.name)
    registry.put(rf"{CURRENT_VERSION}\Time Zones\{zone.name}", "Std", zone.name)


def _put_network(registry: Registry, machine: Machine) -> None:
    network = machine.facts.network
    host = network.host_name or network.computer_name.lower()
    for key in ("ActiveComputerName", "ComputerName"):
        registry.put(rf"{_CONTROL}\ComputerName\{key}", "ComputerName", network.computer_name)
    tcpip = rf"{SERVICES}\Tcpip\Parameters"
    suffix = network.domain if network.part_of_domain else ""
    for name, value in (("Hostname", host), ("NV Hostname", host), ("Domain", suffix), ("NV Domain", suffix)):
        registry.put(tcpip, name, value)
    registry.put(tcpip, "SearchList", ",".join(network.dns_suffixes))
    lanman = rf"{SERVICES}\LanmanServer\Parameters"
    registry.put(lanman, "OptionalNames", network.optional_names or None)
    registry.put(rf"{SERVICES}\W32Time\Parameters", "NtpServer", network.time_server)


def _put_memory(registry: Registry, machine: Machine) -> None:
    items = []
    for name, facts in machine.facts.memory.page_files.items():
        items.append(f"{name} {facts.initial_mb} {facts.maximum_mb}")
    registry.put(rf"{_CONTROL}\Session Manager\Memory Management", "PagingFiles", tuple(items) or None)


def _put_entry(registry: Registry, name: str, facts: ServiceFacts | DriverFacts, dial: Dial) -> str:
    key = rf"{SERVICES}\{name}"
    kind = _TYPES[facts.type]
    if isinstance(facts, ServiceFacts):
        kind |= (0x100 if facts.interactive else 0) | (0x80 if facts.instance else 0)
    registry.put(key, "Type", kind)
    registry.put(key, "Start", _STARTS[facts.start] if facts.start else None)
    registry.put(key, "ErrorControl", 1)
    registry.put(key, "ImagePath", dial.expand(facts.image) if facts.image else None, "REG_EXPAND_SZ")
    registry.put(key, "DisplayName", facts.display)
    registry.put(key, "Group", facts.group)
    registry.put(key, "DependOnService", tuple(name for name in facts.depends if not name.startswith("+")) or None)
    registry.put(key, "DependOnGroup", tuple(name[1:] for name in facts.depends if name.startswith("+")) or None)
    return key


def put_services(machine: Machine, services: Mapping[str, ServiceFacts]) -> None:
    """The registry entries of services. Raises ValueError."""
    registry = machine.registry
    for name, facts in _unique(services.items()):
        key = _put_entry(registry, name, facts, machine.dial)
        registry.put(key, "ObjectName", facts.account)
        registry.put(key, "Description", facts.description)
        registry.put(key, "DelayedAutostart", 1 if facts.delayed else None)
        registry.put(rf"{key}\Parameters", "ServiceDll", facts.dll, "REG_EXPAND_SZ")


def put_drivers(machine: Machine, drivers: Mapping[str, DriverFacts]) -> None:
    """The registry entries of drivers. Raises ValueError."""
    registry = machine.registry
    for name, facts in _unique(drivers.items()):
        key = _put_entry(registry, name, facts, machine.dial)
        registry.put(key, "Tag", facts.tag)
        instances = rf"{key}\Instances"
        if facts.instances:
            registry.put(instances, "DefaultInstance", next(iter(facts.instances)))
        for instance, values in facts.instances.items():
            registry.put(rf"{instances}\{instance}", "Altitude", values.altitude)
            registry.put(rf"{instances}\{instance}", "Flags", values.flags)


def put_programs(machine: Machine, programs: Mapping[str, ProgramFacts]) -> None:
    """The uninstall entries of programs. Raises ValueError."""
    registry = machine.registry
    for name, facts in programs.items():
        view = "SOFTWARE\\Wow6432Node" if facts.view == "wow64" else "SOFTWARE"
        if facts.view == "wow64" and machine.facts.system.architecture == "x86":
            raise ValueError(f"program `{name}`: Windows of 32 bits has no view wow64")
        key = rf"HKLM\{view}\{_UNINSTALL}\{name}"
        registry.make(key)
        texts = {"DisplayName": facts.name, "DisplayVersion": facts.version, "Publisher": facts.publisher, "InstallDate": facts.date}
        texts |= {"InstallLocation": facts.location, "UninstallString": facts.uninstall, "QuietUninstallString": facts.quiet}
        texts["ParentKeyName"] = facts.parent
        for value, text in texts.items():
            registry.put(key, value, text)
        registry.put(key, "SystemComponent", 1 if facts.system_component else None)


def _put_filters(registry: Registry, machine: Machine) -> None:
    for guid, filters in machine.facts.class_filters.items():
        for side, names in filters.items():
            registry.put(rf"{_CONTROL}\Class\{guid}", "UpperFilters" if side == "upper" else "LowerFilters", names)


def add_states(machine: Machine, services: Mapping[str, ServiceFacts], drivers: Mapping[str, DriverFacts]) -> None:
    """What the service control manager knows of services and drivers. Raises ValueError."""
    for name, service in services.items():
        usual, start = service.state, machine.registry.number(rf"{SERVICES}\{name}", "Start")
        state = ServiceState(name, usual, service.restricted, stoppable=service.stoppable, usual=usual, usual_start=start)
        machine.services[name.upper()] = state
    for name, driver in drivers.items():
        if name.upper() in machine.services and not machine.services[name.upper()].driver:
            raise ValueError(f"a service and a driver are both named `{name}`")
        usual, start = driver.state, machine.registry.number(rf"{SERVICES}\{name}", "Start")
        state = ServiceState(name, usual, driver=True, stoppable=driver.stoppable, usual=usual, usual_start=start)
        machine.services[name.upper()] = state
