"""What WMI on a lab host answers: classes and instances made from the machine's state. Pure; now is passed in.

Both the host's answers and the materialised machine take them from here. Property names and meanings are those of the public CIM schema
documentation of Windows (Win32 provider).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from auditor.lab.facts import AdapterFacts
from auditor.lab.facts_software import DefenderFacts, ShareFacts
from auditor.lab.machine import Machine

CIMV2 = r"root\cimv2"
DEFENDER = r"root\Microsoft\Windows\Defender"
ADMINISTRATORS_ONLY = ("Win32_ServerSession", "Win32_ServerConnection")
_DRIVE_TYPES = {"unknown": 0, "removable": 2, "fixed": 3, "network": 4, "optical": 5, "ram": 6}
_SHARE_TYPES = {"disk": 0, "printer": 1, "device": 2, "ipc": 3}
_PRODUCT_TYPES = {"workstation": 1, "domain_controller": 2, "server": 3}
_ADMINISTRATIVE = 0x80000000
_TICK_BYTES = 65536
Instance = dict[str, Any]


class AccessDenied(Exception):
    """The account may not ask WMI (0x80041003)."""


class InvalidClass(Exception):
    """This Windows has no such class (0x80041010)."""


def instances(machine: Machine, name: str, now: datetime, namespace: str = CIMV2) -> list[Instance]:
    """Instances of a class. Raises AccessDenied and InvalidClass."""
    if "wmi" in machine.access.denied or (name in ADMINISTRATORS_ONLY and not machine.access.elevated):
        raise AccessDenied("Access denied")
    found = classes(machine, now).get(namespace, {}).get(name)
    if found is None:
        raise InvalidClass(f'Invalid class "{name}"')
    return found


def classes(machine: Machine, now: datetime) -> dict[str, dict[str, list[Instance]]]:
    """Namespace to class to instances; the facts' own `wmi` comes last and wins."""
    result: dict[str, dict[str, list[Instance]]] = {
        CIMV2: {
            "Win32_OperatingSystem": [_operating_system(machine, now)],
            "Win32_ComputerSystem": [_computer_system(machine)],
            "Win32_NetworkAdapterConfiguration": _adapters(machine),
            "Win32_PageFileUsage": _page_files(machine),
            "Win32_LogicalDisk": _disks(machine, now),
            "Win32_Share": _shares(machine),
            "Win32_QuickFixEngineering": _updates(machine),
            "Win32_ServerSession": _sessions(machine),
            "Win32_ServerConnection": _connections(machine),
        }
    }
    if machine.defender is not None:
        result[DEFENDER] = _defender(machine, machine.defender)
    if machine.version >= (6, 1, 0):
        features = machine.features.items()
        result[CIMV2]["Win32_OptionalFeature"] = [{"Name": name, "Caption": caption, "InstallState": 1} for name, caption in features]
    for namespace, own in machine.facts.wmi.items():
        result.setdefault(namespace, {}).update(own)
    return result


def cim_time(moment: datetime, machine: Machine) -> str:
    """An aware time as WMI writes it, in local time with its offset."""
    zone = machine.dial.zone
    local = zone.to_local(moment)
    offset = -zone.bias_at(local)
    return local.strftime("%Y%m%d%H%M%S.000000") + ("+" if offset >= 0 else "-") + f"{abs(offset):03}"


def _moved(size: int, now: datetime) -> int:
    """A little less each minute of the hour, as free space is never the same twice."""
    return max(size - now.minute * _TICK_BYTES, 0)


def _operating_system(machine: Machine, now: datetime) -> Instance:
    facts, system = machine.facts, machine.facts.system
    result: Instance = {
        "Caption": system.caption,
        "Version": system.version,
        "BuildNumber": str(machine.version[2]),
        "ServicePackMajorVersion": system.service_pack,
        "CSName": facts.network.computer_name,
        "Locale": system.locale,
        "OSLanguage": int(system.ui_language, 16),
        "ProductType": _PRODUCT_TYPES[system.product_type],
        "WindowsDirectory": system.windows_directory,
        "SystemDirectory": f"{system.windows_directory}\\system32",
        "InstallDate": cim_time(machine.dial.moment(system.installed), machine),
        "LastBootUpTime": cim_time(machine.boot, machine),
        "LocalDateTime": cim_time(now, machine),
        "CurrentTimeZone": -machine.dial.zone.bias_at(machine.dial.zone.to_local(now)),
        "TotalVisibleMemorySize": facts.memory.physical // 1024,
        "FreePhysicalMemory": _moved(facts.memory.free, now) // 1024,
    }
    if not machine.legacy:
        result["OSArchitecture"] = {"x86": "32-bit", "x64": "64-bit"}[system.architecture]
    return result


def _computer_system(machine: Machine) -> Instance:
    facts = machine.facts
    host = facts.network.host_name or facts.network.computer_name.lower()
    result: Instance = {
        "Name": facts.network.computer_name,
        "Domain": facts.network.domain,
        "PartOfDomain": facts.network.part_of_domain,
        "Manufacturer": facts.system.manufacturer,
        "Model": facts.system.model,
        "TotalPhysicalMemory": facts.memory.physical,
    }
    return result if machine.legacy else {**result, "DNSHostName": host}


def _adapters(machine: Machine) -> list[Instance]:
    loopback = {"Description": "WAN Miniport (IP)", "IPEnabled": False, "Index": 1, "DHCPEnabled": False}
    return [loopback, *(_adapter(facts, i) for i, facts in enumerate(machine.facts.network.adapters.values(), 2))]


def _adapter(facts: AdapterFacts, index: int) -> Instance:
    masks = facts.masks or tuple("64" if ":" in address else "255.255.255.0" for address in facts.addresses)
    return {
        "Description": facts.description,
        "IPEnabled": True,
        "Index": index,
        "IPAddress": list(facts.addresses) or None,
        "IPSubnet": list(masks) or None,
        "DefaultIPGateway": list(facts.gateways) or None,
        "DNSServerSearchOrder": list(facts.dns_servers) or None,
        "DHCPEnabled": facts.dhcp,
        "DHCPServer": facts.dhcp_server,
        "MACAddress": facts.mac,
    }


def _page_files(machine: Machine) -> list[Instance]:
    return [
        {"Name": name, "AllocatedBaseSize": facts.allocated_mb, "CurrentUsage": facts.used_mb, "PeakUsage": facts.peak_mb}
        for name, facts in machine.facts.memory.page_files.items()
    ]


def _disks(machine: Machine, now: datetime) -> list[Instance]:
    return [
        {
            "DeviceID": letter,
            "DriveType": _DRIVE_TYPES[facts.type],
            "FileSystem": facts.file_system if facts.size else None,
            "Size": facts.size or None,
            "FreeSpace": _moved(facts.free, now) if facts.size else None,
            "VolumeName": facts.label,
            "VolumeDirty": facts.dirty if facts.size and machine.access.elevated else None,
        }
        for letter, facts in machine.facts.memory.volumes.items()
    ]


def _shares(machine: Machine) -> list[Instance]:
    folder = machine.windows
    made = {
        "ADMIN$": ShareFacts(path=folder, description="Remote Admin", administrative=True),
        "IPC$": ShareFacts(description="Remote IPC", type="ipc", administrative=True),
    }
    for letter, volume in machine.facts.memory.volumes.items():
        if volume.type == "fixed":
            made[f"{letter[0]}$"] = ShareFacts(path=f"{letter}\\", description="Default share", administrative=True)
    return [
        {
            "Name": name,
            "Path": facts.path,
            "Description": facts.description,
            "Type": _SHARE_TYPES[facts.type] | (_ADMINISTRATIVE if facts.administrative else 0),
        }
        for name, facts in {**made, **machine.shares}.items()
    ]


def _updates(machine: Machine) -> list[Instance]:
    return [
        {"HotFixID": name, "Description": facts.description, "InstalledOn": facts.installed_on, "ServicePackInEffect": ""}
        for name, facts in machine.facts.updates.items()
    ]


def _sessions(machine: Machine) -> list[Instance]:
    return [
        {"ComputerName": facts.client, "UserName": facts.user, "ResourcesOpened": facts.files, "ActiveTime": 60, "IdleTime": 0}
        for facts in machine.facts.sessions.values()
    ]


def _connections(machine: Machine) -> list[Instance]:
    return [
        {"ComputerName": facts.client, "UserName": facts.user, "ShareName": share, "NumberOfFiles": facts.files}
        for facts in machine.facts.sessions.values()
        for share in facts.shares
    ]


def _defender(machine: Machine, facts: DefenderFacts) -> dict[str, list[Instance]]:
    status: Instance = {
        "AMProductVersion": facts.product,
        "AMEngineVersion": facts.engine,
        "AMServiceEnabled": facts.enabled,
        "AntivirusEnabled": facts.enabled,
        "RealTimeProtectionEnabled": facts.real_time,
        "AntivirusSignatureVersion": facts.definitions,
        "AntivirusSignatureLastUpdated": cim_time(machine.dial.moment(facts.updated), machine),
    }
    known = {"AMRunningMode": facts.mode, "IsTamperProtected": facts.tamper, "DefenderSignaturesOutOfDate": facts.out_of_date}
    status |= {name: value for name, value in known.items() if value is not None}
    lists = {"ExclusionPath": facts.paths, "ExclusionExtension": facts.extensions, "ExclusionProcess": facts.processes}
    preference: Instance = {name: list(items) or None for name, items in lists.items()}
    if facts.hidden or not machine.access.elevated:
        who = "Administrators are not allowed" if facts.hidden and machine.access.elevated else "Must be an administrator"
        preference = {name: [f"N/A: {who} to view exclusions"] for name in preference}
    return {"MSFT_MpComputerStatus": [status], "MSFT_MpPreference": [preference]}
