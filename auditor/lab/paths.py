"""Windows paths as the lab's hosts resolve them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.lab.machine import Machine

_DRIVE = re.compile(r"[A-Za-z]:\\")
_DOS_PREFIX = re.compile(r"(?:\\\?\?\\|\\\\\?\\|\\DosDevices\\)(?=[A-Za-z]:\\)", re.IGNORECASE)
_WINDOWS_PREFIX = re.compile(r"(?:\\SystemRoot|%SystemRoot%|%windir%)(?=\\)", re.IGNORECASE)
_VARIABLE = re.compile(r"%([^%\\/:=]{1,64})%")


def driver_path(name: str, image: str | None, machine: Machine) -> str | None:
    """The file that a driver's ImagePath means to the kernel; None where it is on no drive."""
    text = (image or "").strip().strip('"').strip().replace("/", "\\")
    if not text:
        return f"{machine.windows}\\System32\\drivers\\{name}.sys"
    if match := _DOS_PREFIX.match(text):
        return text[match.end() :]
    if match := _WINDOWS_PREFIX.match(text):
        return machine.windows + text[match.end() :]
    if _DRIVE.match(text):
        return text
    if text.startswith("%"):
        return expand(text, machine)
    if text.startswith(("\\\\", "\\Device\\")) or text.lower().startswith("\\device\\"):
        return None
    return machine.windows[:2] + text if text.startswith("\\") else f"{machine.windows}\\{text}"


def expand(text: str, machine: Machine) -> str:
    """Environment variables replaced, one pass, as ExpandEnvironmentStrings does; unknown ones stay."""
    environment = machine.environment()
    return _VARIABLE.sub(lambda match: environment.get(match.group(1).upper(), match.group(0)), text)


def full_path(path: str) -> str:
    """A path on a drive with `.`, `..` and repeated separators resolved, as Path.GetFullPath gives it."""
    parts: list[str] = []
    for part in path[3:].replace("/", "\\").split("\\"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return path[:2] + "\\" + "\\".join(parts)
