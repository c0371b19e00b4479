"""Writes a machine to a folder, so that the real probe can run on it: registry export, files, WMI answers. Owns the folder's layout.

    facts.reg    the registry in regedit's format (UTF-16), for `wine regedit /S`
    wmi.json     answers of WMI by namespace and class, for the PowerShell engine's PSENGINE_WMI
    drive_c, ... one folder a drive; names that differ from what is there in case only are written into what is there

`REPLACED` keys are emptied first, so that what a fresh wine prefix brings does not mix with the facts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from auditor.lab.machine import CONTROL_SET, CURRENT_VERSION, SERVICES, LabFile, Machine
from auditor.lab.registry import Data, Key, Value
from auditor.lab.wmi import classes

REPLACED = (
    SERVICES,
    rf"{CONTROL_SET}\Control\Class",
    rf"{CONTROL_SET}\Control\TimeZoneInformation",
    rf"{CONTROL_SET}\Control\CrashControl",
    rf"{CURRENT_VERSION}\Time Zones",
    r"HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall",
    r"HKLM\SOFTWARE\Wow6432Node\Microsoft\Windows\CurrentVersion\Uninstall",
)
CLEARED = {
    CURRENT_VERSION: ("CurrentMajorVersionNumber", "CurrentMinorVersionNumber", "UBR", "EditionID", "CSDVersion", "InstallDate"),
    rf"{CONTROL_SET}\Control\Windows": ("CSDVersion",),
}
"""Values that a fresh prefix has and that old Windows lacks."""
LARGEST_FILE = 64 << 20
"""Larger files are written as holes of their size."""
_HIVES = {"HKLM": "HKEY_LOCAL_MACHINE", "HKU": "HKEY_USERS"}
_WINE = ("[HKEY_CURRENT_USER\\Software\\Wine]", '"Version"="win10"', "")
"""Wine takes its own version from the facts otherwise, and the engine does not start on the Windows of 2003."""
_LINE_BREAKS = ("\r", "\n")


class Materialised(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    registry: Path
    wmi: Path
    drives: dict[str, Path]
    """Drive letter with colon to its folder."""
    left_alone: tuple[str, ...]
    """Service names that `keep` named: their keys and files are not those of the facts."""
    unlike: tuple[str, ...]
    """Paths of files whose bytes can't have the hash that the facts state."""


def materialise(machine: Machine, folder: Path, now: datetime, *, keep: frozenset[str] = frozenset()) -> Materialised:
    """Writes `machine` below `folder`, which may be a wine prefix. `keep` names services (upper case) that stay as they are there."""
    folder.mkdir(parents=True, exist_ok=True)
    registry, wmi = folder / "facts.reg", folder / "wmi.json"
    registry.write_bytes(b"\xff\xfe" + "\r\n".join(_registry_lines(machine, keep)).encode("utf-16-le"))
    wmi.write_text(json.dumps(classes(machine, now), indent=1), encoding="ascii")
    kept = _kept_files(machine, keep)
    drives: dict[str, Path] = {}
    for file in machine.files:
        if file.path.upper() not in kept:
            drive = file.path[:2].upper()
            drives.setdefault(drive, folder / f"drive_{drive[0].lower()}")
            _write(file, drives[drive])
    unlike = tuple(file.path for file in machine.files if file.known_sha256)
    left = tuple(sorted(name for name in keep if machine.registry.key(rf"{SERVICES}\{name}") is not None))
    return Materialised(registry=registry, wmi=wmi, drives=drives, left_alone=left, unlike=unlike)


def _kept_files(machine: Machine, keep: frozenset[str]) -> frozenset[str]:
    folder = f"{machine.windows}\\System32\\drivers\\".upper()
    return frozenset(f"{folder}{name}.SYS" for name in keep)


def _write(file: LabFile, root: Path) -> None:
    path = root
    *folders, name = file.path[3:].split("\\")
    for part in folders:
        path = _same(path, part)
        path.mkdir(parents=True, exist_ok=True)
    target = _same(path, name)
    if file.filled and file.size > LARGEST_FILE:
        with target.open("wb") as stream:
            stream.truncate(file.size)
    else:
        target.write_bytes(file.data())
    seconds = file.modified.timestamp()
    os.utime(target, (seconds, seconds))


def _same(folder: Path, name: str) -> Path:
    """The entry of that name, whatever its case; names were checked when the machine was made, so none can leave the folder."""
    exact = folder / name
    if exact.exists() or not folder.is_dir():
        return exact
    return next((entry for entry in folder.iterdir() if entry.name.upper() == name.upper()), exact)


def _registry_lines(machine: Machine, keep: frozenset[str]) -> Iterator[str]:
    yield from ("Windows Registry Editor Version 5.00", "")
    for path in REPLACED:
        yield from _removal(path, keep)
    for path, values in CLEARED.items():
        yield from (f"[{_long(path)}]", *(f"{_quoted(value)}=-" for value in values), "")
    for path, key in machine.registry.walk():
        if "\\" in path and not _is_kept(path, keep):
            yield from _key_lines(path, key)
    yield from _WINE


def _removal(path: str, keep: frozenset[str]) -> Iterator[str]:
    """Removes a key; services that are kept stand in a list of their own, so the whole key can't go where there are some."""
    if path == SERVICES and keep:
        return
    yield from (f"[-{_long(path)}]", "")


def _is_kept(path: str, keep: frozenset[str]) -> bool:
    head = SERVICES.upper() + "\\"
    return path.upper().startswith(head) and path.upper()[len(head) :].split("\\")[0] in keep


def _key_lines(path: str, key: Key) -> Iterator[str]:
    yield f"[{_long(path)}]"
    for value in key.values():
        yield f"{_quoted(value.name) if value.name else '@'}={_printed(value)}"
    yield ""


def _long(path: str) -> str:
    hive, _, rest = path.partition("\\")
    return f"{_HIVES[hive]}\\{rest}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _printed(value: Value) -> str:
    data = value.data
    if value.type == "REG_SZ" and isinstance(data, str) and not any(char in data for char in _LINE_BREAKS):
        return _quoted(data)
    if value.type == "REG_DWORD" and isinstance(data, int):
        return f"dword:{data:08x}"
    number = {"REG_NONE": "(0)", "REG_SZ": "(1)", "REG_EXPAND_SZ": "(2)", "REG_MULTI_SZ": "(7)", "REG_QWORD": "(b)"}.get(value.type, "")
    return f"hex{number}:" + ",".join(f"{byte:02x}" for byte in _bytes(data))


def _bytes(data: Data) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, int):
        return data.to_bytes(8, "little")
    texts = (data,) if isinstance(data, str) else (*data, "")
    return b"".join((text + "\0").encode("utf-16-le") for text in texts)
