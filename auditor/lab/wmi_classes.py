"""Further classes of a lab host's WMI, made from the machine's state when they are asked for: services, files, event logs. Pure.

`auditor.lab.wmi` holds the others. What Windows hides from an account without an error (services, closed folders, the Security log) is
left out here likewise. Property names and meanings: the public CIM schema documentation of Windows (Win32 provider).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from auditor.lab import wmi
from auditor.lab.machine import SERVICES, LabFile, Machine
from auditor.lab.paths import driver_path, expand
from auditor.lab.registry import Key
from auditor.lab.wmi import AccessDenied, Instance, InvalidClass, cim_time

Equals = Mapping[str, str]
"""Properties (lower case) that must equal a text: what a provider looks up by."""
_STATES = {
    "running": "Running", "stopped": "Stopped", "start_pending": "Start Pending", "stop_pending": "Stop Pending",
    "continue_pending": "Continue Pending", "pause_pending": "Pause Pending", "paused": "Paused", "unknown": "Unknown",
}  # fmt: skip
_MODES = {0: "Boot", 1: "System", 2: "Auto", 3: "Manual", 4: "Disabled"}
_TYPES = {
    1: "Kernel Driver", 2: "File System Driver", 4: "Adapter", 8: "Recognizer Driver", 0x10: "Own Process", 0x20: "Share Process",
}  # fmt: skip
_EVENT_TYPES = {"critical": 1, "error": 1, "warning": 2, "information": 3, "audit_success": 4, "audit_failure": 5}
_FULL_CONTROL, _NO_LISTING = 0x1F01FF, 0x120080
_LOGS = ("Application", "Security", "System")


def instances(machine: Machine, name: str, now: datetime, namespace: str, equals: Equals) -> tuple[str, list[Instance]]:
    """The class in the schema's spelling and its instances. Raises AccessDenied and InvalidClass."""
    _check_access(machine, name)
    own = {key.lower().replace("/", "\\"): classes for key, classes in machine.facts.wmi.items()}.get(namespace, {})
    stated = next((class_name for class_name in own if class_name.lower() == name.lower()), None)
    if stated is not None:
        return stated, own[stated]
    if namespace == wmi.CIMV2:
        for class_name, make in _CLASSES.items():
            if class_name.lower() == name.lower():
                return class_name, make(machine, now, equals)
    made = next((found for place, found in wmi.classes(machine, now).items() if place.lower() == namespace), {})
    known = next((class_name for class_name in made if class_name.lower() == name.lower()), None)
    if known is None:
        raise InvalidClass(f'Invalid class "{name}"')
    return known, made[known]


def _check_access(machine: Machine, name: str) -> None:
    denied = {entry.lower() for entry in machine.access.denied_classes}
    administrators = {known.lower() for known in wmi.ADMINISTRATORS_ONLY}
    if "wmi" in machine.access.denied or name.lower() in denied or (name.lower() in administrators and not machine.access.elevated):
        raise AccessDenied("Access denied")


def _number(key: Key, name: str) -> int | None:
    value = key.value(name)
    return value.data if value and isinstance(value.data, int) else None


def _text(key: Key, name: str) -> str | None:
    value = key.value(name)
    return value.data if value and isinstance(value.data, str) and value.data else None


def _entries(machine: Machine, mask: int) -> list[tuple[Key, int]]:
    """Entries whose Type has a bit of the mask, as far as the service manager tells the account of them."""
    parent = machine.registry.key(SERVICES)
    found = []
    for key in parent.subkeys() if parent else ():
        kind, state = _number(key, "Type"), machine.services.get(key.name.upper())
        hidden = state is None or (state.restricted and not machine.access.elevated)
        if kind is not None and kind & mask and not hidden and (mask == 0x70 or not kind & 0x70):
            found.append((key, kind))
    return found


def _entry(machine: Machine, key: Key, kind: int) -> Instance:
    state = machine.services[key.name.upper()].state
    image = _text(key, "ImagePath")
    return {
        "Name": key.name,
        "Caption": _text(key, "DisplayName") or key.name,
        "DisplayName": _text(key, "DisplayName") or key.name,
        "Description": _text(key, "Description"),
        "PathName": expand(image, machine) if image else None,
        "ServiceType": _TYPES.get(kind & ~0x100, "Unknown"),
        "StartMode": _MODES.get(_number(key, "Start") or 0, "Unknown"),
        "State": _STATES[state],
        "Started": state == "running",
        "Status": "OK",
        "StartName": _text(key, "ObjectName"),
        "TagId": _number(key, "Tag") or 0,
    }


def _services(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:  # noqa: ARG001 (all classes are made alike)
    processes = machine.process_ids()
    made = []
    for key, kind in _entries(machine, 0x70):
        process = processes.get(key.name.upper(), 0)
        made.append({**_entry(machine, key, kind), "ProcessId": process, "CreationClassName": "Win32_Service"})
    return made


def _drivers(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:  # noqa: ARG001
    made = []
    for key, kind in _entries(machine, 0x0F):
        path = driver_path(key.name, _text(key, "ImagePath"), machine)
        made.append({**_entry(machine, key, kind), "PathName": path, "StartName": None, "CreationClassName": "Win32_SystemDriver"})
    return made


def _data_files(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:  # noqa: ARG001
    """Files the account can see, looked up by name or by folder where the query gives one."""
    if "name" in equals:
        file = machine.files.get(equals["name"])
        found = [file] if file else []
    elif "path" in equals:
        found = machine.files.inside(equals.get("drive", "C:") + equals["path"])
    else:
        found = list(machine.files)
    return [_data_file(machine, file) for file in found if _visible(machine, file.path)]


def _visible(machine: Machine, path: str) -> bool:
    """Whether no folder above is closed to the account: listing needs the folder's rights, not the file's."""
    parts = path.split("\\")
    return all(machine.may_open("\\".join(parts[:count])) for count in range(2, len(parts)))


def _data_file(machine: Machine, file: LabFile) -> Instance:
    path = file.path.lower()
    folder, _, name = path.partition(":")[2].rpartition("\\")
    image = file.image
    version = str(image.file_version) if image and image.file_version else None
    return {
        "Name": path,
        "Drive": path[:2],
        "Path": f"{folder}\\",
        "FileName": name.rpartition(".")[0] if "." in name else name,
        "Extension": name.rpartition(".")[2] if "." in name else "",
        "FileSize": file.size,
        "Version": version,
        "Manufacturer": image.strings.get("CompanyName") if image and version else None,
        "CreationDate": cim_time(file.created, machine),
        "LastModified": cim_time(file.modified, machine),
        "AccessMask": _FULL_CONTROL if machine.may_open(file.path) else _NO_LISTING,
    }


def _directories(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:  # noqa: ARG001
    folders: dict[str, str] = {}
    for file in machine.files:
        parts = file.path.split("\\")
        for count in range(2, len(parts)):
            path = "\\".join(parts[:count])
            folders.setdefault(path.upper(), path)
    if "name" in equals:
        path = equals["name"].upper()
        folders = {path: folders[path]} if path in folders else {}
    return [_directory(machine, path) for path in folders.values() if _visible(machine, path)]


def _directory(machine: Machine, path: str) -> Instance:
    lower = path.lower()
    folder, _, name = lower.partition(":")[2].rpartition("\\")
    mask = _FULL_CONTROL if machine.may_open(path) else _NO_LISTING
    return {"Name": lower, "Drive": lower[:2], "Path": f"{folder}\\", "FileName": name, "AccessMask": mask}


def _readable_logs(machine: Machine) -> list[str]:
    rights = {"Application": "application_log", "Security": "security_log", "System": "system_log"}
    return [log for log in _LOGS if rights[log] not in machine.access.denied and (log != "Security" or machine.access.elevated)]


def _log_files(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:
    return [
        {"Name": rf"{machine.windows}\system32\config\{log}.evt", "LogfileName": log, "NumberOfRecords": len(records)}
        for log in _readable_logs(machine)
        for records in [_events(machine, now, {**equals, "logfile": log})]
    ]


def _events(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:  # noqa: ARG001
    """Records of the logs that the account may read, newest first."""
    wanted = equals.get("logfile", "").lower()
    logs = [log for log in _readable_logs(machine) if not wanted or log.lower() == wanted]
    return [instance for log in logs for instance in _records(machine, log)]


def _records(machine: Machine, log: str) -> list[Instance]:
    records = machine.log(log)
    made = [_event(machine, log, record.facts.source, record.number, record.time) for record in records]
    for instance, record in zip(made, records, strict=True):
        facts = record.facts
        data = list(bytes.fromhex(facts.data.replace(" ", "")))
        instance |= {"EventCode": facts.id, "EventIdentifier": facts.qualifiers << 16 | facts.id, "Category": facts.category}
        instance |= {"EventType": _EVENT_TYPES[facts.level], "InsertionStrings": list(record.strings), "Data": data}
    oldest = machine.oldest(log)
    if oldest is not None and (not records or oldest < records[0].time):
        # What lies before the records that the facts tell of: one record that nobody asks for.
        made.insert(0, _event(machine, log, "Unnamed provider", records[0].number - 1 if records else 1, oldest))
    return made[::-1]


def _event(machine: Machine, log: str, source: str, number: int, time: datetime) -> Instance:
    facts: dict[str, Any] = {"EventCode": 1, "EventIdentifier": 1, "Category": 0, "EventType": 3, "InsertionStrings": [], "Data": []}
    written = cim_time(time, machine)
    names = {"Logfile": log, "SourceName": source, "ComputerName": machine.facts.network.computer_name}
    return {**facts, **names, "RecordNumber": number, "TimeGenerated": written, "TimeWritten": written, "Message": None}


def _jobs(machine: Machine, now: datetime, equals: Equals) -> list[Instance]:  # noqa: ARG001
    return []


_CLASSES: Mapping[str, Callable[[Machine, datetime, Equals], list[Instance]]] = {
    "Win32_Service": _services,
    "Win32_SystemDriver": _drivers,
    "CIM_DataFile": _data_files,
    "Win32_Directory": _directories,
    "Win32_NTEventlogFile": _log_files,
    "Win32_NTLogEvent": _events,
    "Win32_ScheduledJob": _jobs,
}
