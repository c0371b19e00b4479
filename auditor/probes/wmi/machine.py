"""The sections memory, shares, updates and roles over WMI: the same rows as the scripts' (`docs/probe.md`)."""

from __future__ import annotations

import re

from auditor.model.errors import CollectError
from auditor.probes.wmi.properties import number_of, text_of, truth_of
from auditor.probes.wmi.questions import Instance, Steps, ask
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import CONTROL_KEY, Survey

_DRIVE_TYPES = {2: "removable", 3: "fixed", 4: "network", 5: "optical", 6: "ram"}
_SHARE_TYPES = {0: "disk", 1: "printer", 2: "device", 3: "ipc"}
_ADMINISTRATIVE = 0x80000000
_MEGABYTE = 1 << 20
_INSTALLED = 1
_COMPONENTS = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Setup\OC Manager\Subcomponents"
_DISKS = "SELECT DeviceID, Size, FreeSpace, FileSystem, DriveType, VolumeName, VolumeDirty FROM Win32_LogicalDisk WHERE DriveType=3"
_OTHER_DISKS = "SELECT DeviceID, DriveType FROM Win32_LogicalDisk WHERE DriveType<>3"
"""Size, label and the like are asked of fixed disks alone: for others they wake a drive or wait for a network."""


def fragmentation(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Windows' analysis of a volume is a method; on this way only the registry's reading methods are called."""
    del survey, sheet
    yield from ()
    raise CollectError("", "the analysis of a volume is a method of WMI, and this way asks queries alone", status="unsupported")


def memory(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Physical memory, page files, volumes."""
    computer, system = (yield from survey.computer()), (yield from survey.operating_system())
    size, free = number_of(computer, "TotalPhysicalMemory"), number_of(system, "FreePhysicalMemory")
    sheet.row(kind="physical", name="physical", size_bytes=size, free_bytes=free * 1024 if free is not None else None)
    yield from _page_files(survey, sheet)
    for disk in [*(yield from ask(_DISKS)), *(yield from ask(_OTHER_DISKS))]:
        sheet.row(
            kind="volume",
            name=text_of(disk, "DeviceID"),
            size_bytes=number_of(disk, "Size"),
            free_bytes=number_of(disk, "FreeSpace"),
            file_system=text_of(disk, "FileSystem"),
            drive_type=_DRIVE_TYPES.get(number_of(disk, "DriveType") or 0, "unknown"),
            label=text_of(disk, "VolumeName"),
            dirty=truth_of(disk, "VolumeDirty"),
        )


def _page_files(survey: Survey, sheet: Sheet) -> Steps[None]:
    listed = yield from survey.registry.items(rf"{CONTROL_KEY}\Session Manager\Memory Management", "PagingFiles")
    items = [_paging_item(item) for item in listed]
    used: set[int] = set()
    for found in (yield from ask("SELECT Name, AllocatedBaseSize, CurrentUsage, PeakUsage FROM Win32_PageFileUsage")):
        name = text_of(found, "Name") or ""
        index = next((i for i, (path, _, _) in enumerate(items) if path.upper() in (name.upper(), "?" + name[1:].upper())), None)
        initial, maximum = (items[index][1], items[index][2]) if index is not None else (None, None)
        used |= {index} if index is not None else set()
        sheet.row(kind="page_file", name=name, initial_mb=initial, maximum_mb=maximum, **_usage(found))
    for i, (path, initial, maximum) in enumerate(items):
        if i not in used:
            sheet.row(kind="page_file", name=path, initial_mb=initial, maximum_mb=maximum)


def _usage(found: Instance) -> dict[str, int | None]:
    allocated, current = number_of(found, "AllocatedBaseSize"), number_of(found, "CurrentUsage")
    unused = (allocated - current) * _MEGABYTE if allocated is not None and current is not None else None
    return {
        "size_bytes": allocated * _MEGABYTE if allocated is not None else None,
        "free_bytes": unused,
        "peak_mb": number_of(found, "PeakUsage"),
    }


def _paging_item(item: str) -> tuple[str, int, int]:
    match = re.fullmatch(r"(.*?)(?:\s+(\d{1,9})\s+(\d{1,9}))?\s*", item)
    path, initial, maximum = match.groups() if match else (item, None, None)
    return path, int(initial or 0), int(maximum or 0)


def shares(survey: Survey, sheet: Sheet) -> Steps[None]:  # noqa: ARG001 (all sections are asked alike)
    """Every share, the administrative ones too."""
    for found in (yield from ask("SELECT Name, Path, Description, Type FROM Win32_Share")):
        kind = number_of(found, "Type") or 0
        sheet.row(
            name=text_of(found, "Name"),
            path=text_of(found, "Path"),
            description=text_of(found, "Description"),
            type=_SHARE_TYPES.get(kind & 0xFF, "unknown"),
            administrative=bool(kind & _ADMINISTRATIVE),
        )


def updates(survey: Survey, sheet: Sheet) -> Steps[None]:  # noqa: ARG001
    """Installed updates, each id once."""
    seen: set[str] = set()
    query = "SELECT HotFixID, ServicePackInEffect, Description, InstalledOn FROM Win32_QuickFixEngineering"
    for found in (yield from ask(query)):
        name = text_of(found, "HotFixID")
        name = text_of(found, "ServicePackInEffect") if name == "File 1" else name
        if name and name not in seen:
            seen.add(name)
            sheet.row(id=name, description=text_of(found, "Description"), installed_on=text_of(found, "InstalledOn"))


def roles(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Installed features; on 2003 the optional components."""
    generation = yield from survey.generation()
    if generation < 600:
        yield from _components(survey, sheet)
        return
    found = (yield from _optional_features()) if generation >= 601 else None
    if found is not None:
        for feature in found:
            if number_of(feature, "InstallState") == _INSTALLED:
                sheet.row(name=text_of(feature, "Name"), display_name=text_of(feature, "Caption"))
        return
    for feature in (yield from ask("SELECT ID, Name FROM Win32_ServerFeature")):
        sheet.row(name=f"ServerFeature-{text_of(feature, 'ID')}", display_name=text_of(feature, "Name"))


def _optional_features() -> Steps[list[Instance] | None]:
    """None where this Windows has no such class."""
    try:
        return (yield from ask("SELECT Name, Caption, InstallState FROM Win32_OptionalFeature"))
    except CollectError as error:
        if error.status != "unsupported":
            raise
        return None


def _components(survey: Survey, sheet: Sheet) -> Steps[None]:
    names = yield from survey.registry.values(_COMPONENTS)
    if names is None:
        raise CollectError("", "the list of components is not there")
    for name, kind in names.items():
        if kind == "REG_DWORD" and (yield from survey.registry.number(_COMPONENTS, name)) == 1:
            sheet.row(name=name, display_name=None)
