"""Answers of the sections system, network, memory, shares, updates and roles, from the registry and WMI. Pure.

Follows `docs/probe.md` field by field: a row is what the probe's script prints on a Windows machine in this state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from auditor.lab.machine import CONTROL_SET, CURRENT_VERSION, ENVIRONMENT, SERVICES, Machine
from auditor.lab.sheet import Ask, Ended, Sheet, or_null, trimmed
from auditor.lab.wmi import CIMV2, AccessDenied, Instance, InvalidClass, instances
from auditor.model.times import stamp

_CONTROL = rf"{CONTROL_SET}\Control"
_DISABLED = 4
_ADMINISTRATIVE = 0x80000000
_PRODUCT_TYPES = {"WinNT": "workstation", "LanmanNT": "domain_controller", "ServerNT": "server"}
_ARCHITECTURES = {"x86": "x86", "AMD64": "x64", "ARM64": "arm64", "IA64": "ia64"}
_FIXED = 3
_DRIVE_TYPES = {2: "removable", 3: "fixed", 4: "network", 5: "optical", 6: "ram"}
_SHARE_TYPES = {0: "disk", 1: "printer", 2: "device", 3: "ipc"}
_ROLE_SERVICES = (
    ("dns", "DNS"), ("dhcp", "DHCPServer"), ("cluster", "ClusSvc"), ("hyperv", "vmms"), ("iis", "W3SVC"), ("sql", "MSSQLSERVER"),
    ("exchange", "MSExchangeIS"),
)  # fmt: skip
_CIM_TIME = re.compile(r"(\d{14})\.\d{6}([+-]\d{3})")


def ask_wmi(machine: Machine, sheet: Sheet, name: str, namespace: str = CIMV2) -> list[Instance]:
    """Instances of a class. Raises Ended with the host's words."""
    try:
        return instances(machine, name, sheet.now, namespace)
    except AccessDenied as error:
        raise Ended("denied", str(error)) from error
    except InvalidClass as error:
        raise Ended("unsupported", str(error)) from error


def system(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """One row; without WMI some fields are gaps."""
    registry = machine.registry
    product = _PRODUCT_TYPES.get(registry.text(rf"{_CONTROL}\ProductOptions", "ProductType") or "")
    local = machine.dial.zone.to_local(sheet.now)
    build = registry.text(CURRENT_VERSION, "CurrentBuildNumber") or ""
    row = sheet.row(
        version=f"{windows_version(machine)}.{build}",
        build=int(build) if build.isdigit() else None,
        revision=registry.number(CURRENT_VERSION, "UBR"),
        service_pack=_service_pack(machine),
        edition=or_null(registry.text(CURRENT_VERSION, "EditionID")),
        product_type=product,
        architecture=_ARCHITECTURES.get(registry.text(ENVIRONMENT, "PROCESSOR_ARCHITECTURE") or ""),
        locale=_lower(registry.text(rf"{_CONTROL}\Nls\Language", "Default")),
        ui_language=_lower(registry.text(rf"{_CONTROL}\Nls\Language", "InstallLanguage")),
        code_page=int(registry.text(rf"{_CONTROL}\Nls\CodePage", "OEMCP") or 0) or None,
        roles=_roles(machine, product),
        windows_directory=machine.windows,
        installed_at=_installed(machine),
        powershell_version=machine.facts.system.powershell,
        pending_reboot=_pending(machine),
        utc_time=stamp(sheet.now),
        local_time=local.strftime("%Y-%m-%dT%H:%M:%S"),
        utc_offset_minutes=-machine.dial.zone.bias_at(local),
        **_zone(machine),
    )
    _system_by_wmi(machine, sheet, row)


def _system_by_wmi(machine: Machine, sheet: Sheet, row: dict[str, Any]) -> None:
    row["caption"] = trimmed(machine.registry.text(CURRENT_VERSION, "ProductName"))
    try:
        found = ask_wmi(machine, sheet, "Win32_OperatingSystem")[0]
        computer = ask_wmi(machine, sheet, "Win32_ComputerSystem")[0]
    except Ended as error:
        for field in ("boot_time", "manufacturer", "model"):
            sheet.gap("system", field, error.reason)
        return
    row["caption"] = trimmed(found["Caption"])
    row["boot_time"] = cim_utc(found["LastBootUpTime"])
    row["manufacturer"], row["model"] = trimmed(computer["Manufacturer"]), trimmed(computer["Model"])


def windows_version(machine: Machine) -> str:
    """`major.minor` as the probe reads it."""
    major = machine.registry.number(CURRENT_VERSION, "CurrentMajorVersionNumber")
    if major is None:
        return machine.registry.text(CURRENT_VERSION, "CurrentVersion") or ""
    return f"{major}.{machine.registry.number(CURRENT_VERSION, 'CurrentMinorVersionNumber')}"


def _service_pack(machine: Machine) -> int | None:
    number = machine.registry.number(rf"{_CONTROL}\Windows", "CSDVersion")
    return number // 256 if number is not None else None


def _lower(text: str | None) -> str | None:
    return text.lower() if text else None


def _installed(machine: Machine) -> str | None:
    seconds = machine.registry.number(CURRENT_VERSION, "InstallDate")
    if seconds is None:
        return None
    return stamp(machine.dial.now.fromtimestamp(seconds, machine.dial.now.tzinfo))


def _service_start(machine: Machine, name: str) -> int | None:
    return machine.registry.number(rf"{SERVICES}\{name}", "Start")


def _roles(machine: Machine, product: str | None) -> list[str]:
    present: Callable[[str], bool] = lambda name: _service_start(machine, name) not in (None, _DISABLED)  # noqa: E731
    roles = ["domain_controller"] if product == "domain_controller" else []
    services = machine.registry.key(SERVICES)
    instances_of_sql = [key.name for key in services.subkeys() if key.name.upper().startswith("MSSQL$")] if services else []
    for role, name in _ROLE_SERVICES:
        if present(name) or (role == "sql" and any(present(instance) for instance in instances_of_sql)):
            roles.append(role)
    if product != "workstation" and 2 in (_service_start(machine, "DFSR"), _service_start(machine, "NtFrs")):
        roles.append("file_replication")
    if machine.registry.number(rf"{_CONTROL}\Terminal Server", "TSAppCompat") == 1:
        roles.append("terminal_server")
    return roles


def _pending(machine: Machine) -> list[str]:
    registry, base = machine.registry, r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion"
    names = rf"{_CONTROL}\ComputerName"
    renames = registry.data(rf"{_CONTROL}\Session Manager", "PendingFileRenameOperations")
    active = registry.text(rf"{names}\ActiveComputerName", "ComputerName") or ""
    found = {
        "component_servicing": registry.key(rf"{base}\Component Based Servicing\RebootPending") is not None,
        "windows_update": registry.key(rf"{base}\WindowsUpdate\Auto Update\RebootRequired") is not None,
        "file_rename": isinstance(renames, tuple) and any(renames),
        "computer_rename": active.upper() != (registry.text(rf"{names}\ComputerName", "ComputerName") or "").upper(),
    }
    return [word for word, pending in found.items() if pending]


def _zone(machine: Machine) -> dict[str, Any]:
    registry, key = machine.registry, rf"{_CONTROL}\TimeZoneInformation"
    starts = {name: registry.data(key, name) for name in ("StandardStart", "DaylightStart")}
    texts = {name: data.hex() if isinstance(data, bytes) else None for name, data in starts.items()}
    off = registry.number(key, "DisableAutoDaylightTimeSet") == 1 or registry.number(key, "DynamicDaylightTimeDisabled") == 1
    no_summer = off or (texts["DaylightStart"] or "00000000")[4:8] == "0000"
    return {
        "time_zone": _zone_name(machine, key),
        "bias_minutes": _signed(registry.number(key, "Bias")),
        "daylight_bias_minutes": 0 if no_summer else _signed(registry.number(key, "DaylightBias")),
        "standard_start": texts["StandardStart"],
        "daylight_start": texts["DaylightStart"],
    }


def _zone_name(machine: Machine, key: str) -> str | None:
    name = machine.registry.text(key, "TimeZoneKeyName")
    if name:
        return name.split("\0")[0]
    standard = machine.registry.text(key, "StandardName")
    zones = machine.registry.key(rf"{CURRENT_VERSION}\Time Zones")
    for zone in zones.subkeys() if zones else ():
        value = zone.value("Std")
        if value is not None and value.data == standard:
            return zone.name
    return None


def _signed(number: int | None) -> int | None:
    return number - (1 << 32) if number is not None and number >= 1 << 31 else number


def cim_utc(text: str | None) -> str | None:
    """WMI's time in UTC, as rows carry it."""
    match = _CIM_TIME.fullmatch(text or "")
    if not match:
        return None
    local = datetime.strptime(match.group(1), "%Y%m%d%H%M%S")
    return (local - timedelta(minutes=int(match.group(2)))).strftime("%Y-%m-%dT%H:%M:%SZ")


def network(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """One row; without WMI some fields are gaps."""
    tcpip, registry = rf"{SERVICES}\Tcpip\Parameters", machine.registry
    optional = registry.data(rf"{SERVICES}\LanmanServer\Parameters", "OptionalNames")
    names = (optional,) if isinstance(optional, str) else optional if isinstance(optional, tuple) else ()
    row = sheet.row(
        computer_name=or_null(registry.text(rf"{_CONTROL}\ComputerName\ActiveComputerName", "ComputerName")),
        host_name=or_null(registry.text(tcpip, "NV Hostname") or registry.text(tcpip, "Hostname")),
        dns_suffixes=_suffixes(machine, tcpip),
        optional_names=[name for name in names if name],
        time_server=or_null(registry.text(rf"{SERVICES}\W32Time\Parameters", "NtpServer")),
        adapters=None,
    )
    try:
        computer = ask_wmi(machine, sheet, "Win32_ComputerSystem")[0]
        row |= {"domain": or_null(computer["Domain"]), "part_of_domain": computer["PartOfDomain"]}
        row["computer_name"] = or_null(computer["Name"])
        row["host_name"] = computer.get("DNSHostName") or row["host_name"]
        row["adapters"] = [_adapter(found) for found in ask_wmi(machine, sheet, "Win32_NetworkAdapterConfiguration") if found["IPEnabled"]]
    except Ended as error:
        for field in ("domain", "part_of_domain", "adapters"):
            if row.get(field) is None:
                sheet.gap("network", field, error.reason)


def _suffixes(machine: Machine, tcpip: str) -> list[str]:
    texts = [machine.registry.text(tcpip, name) or "" for name in ("NV Domain", "SearchList")]
    found: dict[str, str] = {}
    for item in re.split("[, ]", ",".join(texts)):
        if item:
            found.setdefault(item.lower(), item)
    return list(found.values())


def _adapter(found: Instance) -> dict[str, Any]:
    return {
        "description": or_null(found["Description"]),
        "addresses": found["IPAddress"] or [],
        "gateways": found["DefaultIPGateway"] or [],
        "dns_servers": found["DNSServerSearchOrder"] or [],
        "dhcp_enabled": found["DHCPEnabled"],
        "dhcp_server": or_null(found["DHCPServer"]),
        "mac": or_null(found["MACAddress"]),
    }


def memory(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Physical memory, page files, volumes."""
    size = ask_wmi(machine, sheet, "Win32_ComputerSystem")[0]["TotalPhysicalMemory"]
    free = ask_wmi(machine, sheet, "Win32_OperatingSystem")[0]["FreePhysicalMemory"]
    sheet.row(kind="physical", name="physical", size_bytes=size, free_bytes=free * 1024)
    _page_files(machine, sheet)
    for disk in _disks(machine, sheet):
        sheet.row(
            kind="volume",
            name=disk["DeviceID"],
            size_bytes=disk["Size"],
            free_bytes=disk["FreeSpace"],
            file_system=or_null(disk["FileSystem"]),
            drive_type=_DRIVE_TYPES.get(disk["DriveType"], "unknown"),
            label=or_null(disk["VolumeName"]),
            dirty=disk["VolumeDirty"],
        )


_ADVISED_FROM = 10
"""Percent from which Windows advises to defragment a volume, up to Windows 7 at least."""


def fragmentation(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Windows' analysis of the volumes that hold page files."""
    names = (str(usage["Name"])[:2].upper() for usage in ask_wmi(machine, sheet, "Win32_PageFileUsage"))
    for drive in dict.fromkeys(names):
        facts = machine.facts.memory.volumes.get(drive)
        if facts is None:
            sheet.gap(drive, "percent", "no such volume is listed")
        elif facts.fragmented is None:
            sheet.gap(drive, "percent", "Windows gives the code 2 for its analysis: not supported for this volume")
        else:
            advised = facts.fragmented >= _ADVISED_FROM
            told = {"percent": facts.fragmented, "file_percent": facts.fragmented, "page_file_fragments": facts.page_file_pieces}
            sheet.row(volume=drive, recommended=advised, **told)


def _disks(machine: Machine, sheet: Sheet) -> list[Instance]:
    """Fixed disks, then the others, of which nothing is asked but letter and kind."""
    found = ask_wmi(machine, sheet, "Win32_LogicalDisk")
    fixed = [disk for disk in found if disk["DriveType"] == _FIXED]
    bare: list[Instance] = [
        {name: value if name in ("DeviceID", "DriveType") else None for name, value in disk.items()} for disk in found if disk not in fixed
    ]
    return fixed + bare


def _page_files(machine: Machine, sheet: Sheet) -> None:
    data = machine.registry.data(rf"{_CONTROL}\Session Manager\Memory Management", "PagingFiles")
    items = [_paging_item(item) for item in data] if isinstance(data, tuple) else []
    used: set[int] = set()
    for found in ask_wmi(machine, sheet, "Win32_PageFileUsage"):
        name, megabyte = str(found["Name"]), 1 << 20
        index = next((i for i, (path, _, _) in enumerate(items) if path.upper() in (name.upper(), "?" + name[1:].upper())), None)
        initial, maximum = (items[index][1], items[index][2]) if index is not None else (None, None)
        used |= {index} if index is not None else set()
        allocated = found["AllocatedBaseSize"]
        unused = (allocated - found["CurrentUsage"]) * megabyte
        sizes = {"size_bytes": allocated * megabyte, "free_bytes": unused, "peak_mb": found["PeakUsage"]}
        sheet.row(kind="page_file", name=name, initial_mb=initial, maximum_mb=maximum, **sizes)
    for i, (path, initial, maximum) in enumerate(items):
        if i not in used:
            sheet.row(kind="page_file", name=path, initial_mb=initial, maximum_mb=maximum)


def _paging_item(item: str) -> tuple[str, int, int]:
    match = re.fullmatch(r"(.*?)(?:\s+(\d+)\s+(\d+))?\s*", item)
    path, initial, maximum = match.groups() if match else (item, None, None)
    return path, int(initial or 0), int(maximum or 0)


def shares(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Every share, the administrative ones too."""
    for found in ask_wmi(machine, sheet, "Win32_Share"):
        kind = _SHARE_TYPES.get(found["Type"] & 0xFF, "unknown")
        administrative = bool(found["Type"] & _ADMINISTRATIVE)
        texts = {"path": or_null(found["Path"]), "description": or_null(found["Description"])}
        sheet.row(name=found["Name"], type=kind, administrative=administrative, **texts)


def updates(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Installed updates, each id once."""
    seen: set[str] = set()
    for found in ask_wmi(machine, sheet, "Win32_QuickFixEngineering"):
        name = found["ServicePackInEffect"] if found["HotFixID"] == "File 1" else found["HotFixID"]
        if name and name not in seen:
            seen.add(name)
            sheet.row(id=name, description=or_null(found["Description"]), installed_on=or_null(found["InstalledOn"]))


def roles(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Installed features; on 2003 the optional components."""
    if machine.legacy:
        key = machine.registry.key(r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\OC Manager\Subcomponents")
        if key is None:
            raise Ended("failed", "the list of components is not there")
        for value in key.values():
            if value.data == 1:
                sheet.row(name=value.name, display_name=None)
        return
    try:
        found = ask_wmi(machine, sheet, "Win32_OptionalFeature") if machine.version >= (6, 1, 0) else None
    except Ended as error:
        if error.status != "unsupported":
            raise
        found = None
    if found is None:
        for feature in ask_wmi(machine, sheet, "Win32_ServerFeature"):
            sheet.row(name=f"ServerFeature-{feature['ID']}", display_name=or_null(feature["Name"]))
        return
    for feature in found:
        if feature["InstallState"] == 1:
            sheet.row(name=feature["Name"], display_name=or_null(feature["Caption"]))
