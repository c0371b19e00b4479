"""Answers of the sections programs, services, drivers, filters and dumps, from the registry, the service manager and files. Pure.

Follows `docs/probe.md` field by field: a row is what the probe's script prints on a Windows machine in this state.
"""

from __future__ import annotations

from typing import Any

from auditor.lab.machine import CONTROL_SET, SERVICES, LabFile, Machine
from auditor.lab.paths import driver_path, expand
from auditor.lab.pe import MACHINES
from auditor.lab.registry import Data, Key
from auditor.lab.sheet import Ask, Ended, Sheet, moment, or_null, trimmed

_STARTS = {0: "boot", 1: "system", 2: "auto", 3: "demand", 4: "disabled"}
_SERVICE_TYPES = {0x10: "own_process", 0x20: "share_process", 0x50: "user_own", 0x60: "user_share"}
_DRIVER_TYPES = {1: "kernel", 2: "file_system", 4: "adapter", 8: "recognizer"}
_INTERACTIVE, _INSTANCE = 0x100, 0x80
_UNINSTALL = r"Microsoft\Windows\CurrentVersion\Uninstall"
DENIED = "Requested registry access is not allowed."
_LARGEST_HASHED = 64 << 20
_CRASH_CONTROL = rf"{CONTROL_SET}\Control\CrashControl"


def text_of(data: Data | None) -> str | None:
    """Registry data as text: numbers in decimal, bytes as hex, lists joined by line feeds."""
    if data is None or isinstance(data, str):
        return data
    if isinstance(data, bytes):
        return data.hex()
    return str(data) if isinstance(data, int) else "\n".join(data)


def _text(key: Key, name: str) -> str | None:
    value = key.value(name)
    return or_null(text_of(value.data)) if value else None


def _number(key: Key | None, name: str) -> int | None:
    value = key.value(name) if key else None
    return value.data if value and isinstance(value.data, int) else None


def _list(key: Key, name: str) -> list[str]:
    value = key.value(name)
    data = value.data if value else ()
    return [data] if isinstance(data, str) and data else [item for item in data if item] if isinstance(data, tuple) else []


def programs(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Every uninstall entry of both views."""
    for view, root in (("native", "HKLM\\SOFTWARE"), ("wow64", "HKLM\\SOFTWARE\\Wow6432Node")):
        path = f"{root}\\{_UNINSTALL}"
        if not machine.may_read(path):
            raise Ended("denied", DENIED)
        parent = machine.registry.key(path)
        for key in parent.subkeys() if parent else ():
            if not machine.may_read(f"{path}\\{key.name}"):
                sheet.gap(key.name, "", DENIED)
                continue
            sheet.row(
                key=key.name,
                view=view,
                name=_text(key, "DisplayName"),
                version=_text(key, "DisplayVersion"),
                publisher=_text(key, "Publisher"),
                install_date=_text(key, "InstallDate"),
                install_location=_text(key, "InstallLocation"),
                uninstall_string=_text(key, "UninstallString"),
                quiet_uninstall_string=_text(key, "QuietUninstallString"),
                system_component=_number(key, "SystemComponent") == 1,
                parent=_text(key, "ParentKeyName"),
            )


def _entries(machine: Machine, sheet: Sheet) -> list[tuple[Key, int]]:
    """The service keys that can be opened, with their Type."""
    parent = machine.registry.key(SERVICES)
    found = []
    for key in parent.subkeys() if parent else ():
        if not machine.may_read(rf"{SERVICES}\{key.name}"):
            sheet.gap(key.name, "", DENIED)
            continue
        kind = _number(key, "Type")
        if kind is not None:
            found.append((key, kind))
    return found


def _controlled(machine: Machine, key: Key) -> tuple[str | None, str | None]:
    """State and display name of the service control manager; null where it does not tell of the service."""
    state = machine.services.get(key.name.upper())
    if state is None or (state.restricted and not machine.access.elevated):
        return None, _text(key, "DisplayName")
    return state.state, _text(key, "DisplayName") or key.name


def services(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Every Win32 service but the instances of per-user services."""
    processes = {} if "wmi" in machine.access.denied else machine.process_ids()
    for key, kind in _entries(machine, sheet):
        if not kind & 0x70 or kind & _INSTANCE:
            continue
        state, display = _controlled(machine, key)
        parameters = key.child("Parameters")
        sheet.row(
            name=key.name,
            display_name=display,
            image_path=_text(key, "ImagePath"),
            service_dll=(_text(parameters, "ServiceDll") if parameters else None) or _text(key, "ServiceDll"),
            start=_STARTS.get(_start(key)),
            delayed=_number(key, "DelayedAutostart") == 1,
            type=_SERVICE_TYPES.get(kind & ~_INTERACTIVE, "other"),
            state=state,
            account=_text(key, "ObjectName"),
            group=_text(key, "Group"),
            depends_on=[*_list(key, "DependOnService"), *(f"+{name}" for name in _list(key, "DependOnGroup"))],
            description=_text(key, "Description"),
            pid=processes.get(key.name.upper()),
        )


def _start(key: Key) -> int:
    start = _number(key, "Start")
    return start if start is not None else -1


def is_driver(kind: int) -> bool:
    """Whether a service entry of this Type is a driver."""
    return bool(kind & 0x0F) and not kind & 0x70


def drivers(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Every driver, with the facts of its file."""
    for key, kind in _entries(machine, sheet):
        if is_driver(kind):
            state, display = _controlled(machine, key)
            row = sheet.row(
                name=key.name,
                display_name=display,
                image_path=_text(key, "ImagePath"),
                type=_DRIVER_TYPES.get(kind, "other"),
                start=_STARTS.get(_start(key)),
                state=state,
                group=_text(key, "Group"),
                tag=_number(key, "Tag"),
            )
            _add_driver_file(machine, ask, sheet, row, key)
    _add_signatures(machine, ask, sheet)


def _add_driver_file(machine: Machine, ask: Ask, sheet: Sheet, row: dict[str, Any], key: Key) -> None:
    path = driver_path(key.name, _text(key, "ImagePath"), machine)
    if path is None:
        sheet.gap(key.name, "path", "a device or network path: not resolved")
        return
    row["path"] = path
    if (reason := refusal(machine, path)) is not None:
        sheet.gap(key.name, "file_exists", reason)
        return
    if not machine.may_open(path):
        sheet.gap(key.name, "file_exists", f"Access to the path '{path}' is denied.")
        return
    file = machine.files.get(path)
    row["file_exists"] = file is not None
    if file is None:
        return
    row |= {"size_bytes": file.size, "created_at": moment(file.created), "modified_at": moment(file.modified)}
    row |= version_facts(file)
    if file.image is None:
        sheet.gap(key.name, "link_timestamp", "the file is no PE file")
    else:
        row |= image_facts(file)
    if ask.hash_drivers == "all" or (ask.hash_drivers == "non_microsoft" and "microsoft" not in (row.get("company") or "").lower()):
        if file.size > _LARGEST_HASHED:
            sheet.gap(key.name, "sha256", "larger than 64 MiB: not hashed")
        else:
            row["sha256"] = file.sha256()


def _add_signatures(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """Signatures of files that are there, other makers' first. Before Windows 10 a signature in a catalog can't be seen."""
    there = [row for row in sheet.rows if row.get("file_exists")]
    there.sort(key=lambda row: "microsoft" in (row.get("company") or "").lower())
    for row in there[: ask.number("signature_limit")]:
        file = machine.files.get(row["path"])
        if file is None:
            continue
        word = file.signature or ("valid" if machine.version[0] >= 10 else "unknown")
        if machine.version[0] < 10 and word == "unsigned":
            word = "unknown"
        row["signature"] = word
        if word in ("valid", "invalid"):
            row["signer"] = file.signer or f"CN={row.get('company') or 'Unnamed'}"


def refusal(machine: Machine, path: str) -> str | None:
    """Why the probe does not look at a path; None where it does."""
    if path.startswith("\\\\"):
        return "on the network or a device: not looked at"
    if not (path[:1].isalpha() and path[1:3] == ":\\"):
        return "not a path on a drive"
    if ":" in path[2:]:
        return "names a stream of a file: not looked at"
    volume = machine.facts.memory.volumes.get(path[:2].upper())
    return None if volume is not None and volume.type == "fixed" else "not on a fixed local disk: not looked at"


def version_facts(file: LabFile) -> dict[str, Any]:
    """Fixed numbers and texts of the version resource; nothing where there is none."""
    image = file.image
    if image is None or image.file_version is None:
        return {}
    texts = {"company": "CompanyName", "product": "ProductName", "description": "FileDescription", "original_name": "OriginalFilename"}
    result: dict[str, Any] = {field: trimmed(image.strings.get(name)) for field, name in texts.items()}
    return {**result, "file_version": str(image.file_version), "product_version": str(image.product_version or image.file_version)}


def image_facts(file: LabFile) -> dict[str, Any]:
    """Link timestamp, machine and checksum of a PE file."""
    data = file.data()
    at = int.from_bytes(data[60:64], "little")
    image = file.image
    machine = MACHINES[image.machine] if image else None
    stamp = image.link_timestamp if image else None
    return {"link_timestamp": stamp, "machine": machine, "checksum": int.from_bytes(data[at + 88 : at + 92], "little")}


def filters(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Minifilter instances, legacy filters, class filters."""
    for key, kind in _entries(machine, sheet):
        seen: set[str] = set()
        parameters = key.child("Parameters")
        places = [place for place in (key, parameters) if place is not None and place.child("Instances") is not None]
        for place in places:
            parent = place.child("Instances")
            for instance in parent.subkeys() if parent else ():
                if instance.name.upper() not in seen:
                    seen.add(instance.name.upper())
                    facts = {"altitude": _text(instance, "Altitude"), "flags": _number(instance, "Flags")}
                    sheet.row(name=key.name, instance=instance.name, **facts, **_loaded(machine, key))
        group = _text(key, "Group") or ""
        old = group.upper().startswith("FSFILTER") or (group.upper() == "FILTER" and kind == 2)
        if is_driver(kind) and old and not places and key.name.upper() != "FLTMGR":
            sheet.row(name=key.name, legacy=True)
    _class_filters(machine, sheet)
    if not machine.access.elevated:
        sheet.gap("", "frame", "fltmc ended with code -2147024891: which filters are loaded is not known")


def _loaded(machine: Machine, key: Key) -> dict[str, Any]:
    """What fltmc says of a loaded minifilter: its frame, and an instance for each fixed volume and the network redirectors."""
    state = machine.services.get(key.name.upper())
    if state is None or state.state != "running" or not machine.access.elevated:
        return {}
    fixed = sum(volume.type == "fixed" for volume in machine.facts.memory.volumes.values())
    return {"frame": 0, "instances": fixed + 1}


def _class_filters(machine: Machine, sheet: Sheet) -> None:
    parent = machine.registry.key(rf"{CONTROL_SET}\Control\Class")
    for key in parent.subkeys() if parent else ():
        for side, value in (("upper", "UpperFilters"), ("lower", "LowerFilters")):
            for name in _list(key, value):
                sheet.row(name=name, class_filter=side, device_class=key.name)


def dumps(machine: Machine, ask: Ask, sheet: Sheet) -> None:  # noqa: ARG001
    """Crash settings and the dump files that are there."""
    key = machine.registry.key(_CRASH_CONTROL)
    flags = {field: _number(key, name) for field, name in (("overwrite", "Overwrite"), ("auto_reboot", "AutoReboot"))}
    words = {field: None if number is None else number == 1 for field, number in flags.items()}
    sheet.row(kind="settings", path=_CRASH_CONTROL, dump_type=_number(key, "CrashDumpEnabled"), **words)
    memory = expand((_text(key, "DumpFile") if key else None) or "%SystemRoot%\\MEMORY.DMP", machine)
    folder = expand((_text(key, "MinidumpDir") if key else None) or "%SystemRoot%\\Minidump", machine)
    file = machine.files.get(memory)
    if file is not None:
        sheet.row(kind="memory", path=memory, size_bytes=file.size, modified_at=moment(file.modified))
    if not machine.may_open(folder):
        raise Ended("denied", f"Access to the path '{folder}' is denied.")
    for file in [file for file in machine.files.inside(folder) if file.path.lower().endswith(".dmp")][:500]:
        sheet.row(kind="minidump", path=file.path, size_bytes=file.size, modified_at=moment(file.modified))
