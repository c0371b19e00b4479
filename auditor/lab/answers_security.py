"""Answer of the section security: registry values and files that the auditor's signatures ask for. Pure.

Follows `docs/probe.md`: globs level by level, both registry views, both program folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.lab.answers_software import image_facts, text_of, version_facts
from auditor.lab.machine import LabFile, Machine
from auditor.lab.registry import Key
from auditor.lab.sheet import Ask, Sheet, moment
from auditor.lab.texts import decode_text
from auditor.model.pattern import matches

_PROGRAMS = (".exe", ".dll", ".sys", ".ocx", ".cpl", ".scr")
_TEXTS = (".ini", ".dat", ".log", ".xml", ".txt", ".cfg", ".conf", ".inf")
LARGEST_TEXT = 65_536
MOST_VALUES = 20_000
_DENIED = "Requested registry access is not allowed."


def security(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """A row for each value and each file that fits."""
    for glob in ask.security_keys:
        for view, root in _views(glob):
            for path, key in _keys(machine, sheet, root.split("\\")):
                _add_values(sheet, path, key, view)
    for glob in ask.security_files:
        for view, path in _roots(machine, glob):
            for file in _files(machine, path):
                _add_file(machine, sheet, file, view)


def _views(glob: str) -> Iterator[tuple[str, str]]:
    yield "native", glob
    if glob.upper().startswith("SOFTWARE\\"):
        yield "wow64", "SOFTWARE\\Wow6432Node\\" + glob[len("SOFTWARE\\") :]


def _keys(machine: Machine, sheet: Sheet, levels: list[str]) -> Iterator[tuple[str, Key]]:
    """Keys that fit, with their path below HKLM: spelling of the registry where a level holds a wildcard, of the glob elsewhere."""
    root = machine.registry.key("HKLM")
    found: list[tuple[str, Key]] = [("", root)] if root else []
    for level in levels:
        found = [(f"{path}\\{name}".lstrip("\\"), child) for path, key in found for name, child in _children(key, level)]
    for path, key in found:
        if machine.may_read(f"HKLM\\{path}"):
            yield path, key
        else:
            sheet.gap(f"HKLM\\{path}", "", _DENIED)


def _children(key: Key, level: str) -> list[tuple[str, Key]]:
    if "*" not in level and "?" not in level:
        child = key.child(level)
        return [(level, child)] if child else []
    return [(child.name, child) for child in key.subkeys() if matches(level, child.name)]


def _add_values(sheet: Sheet, path: str, key: Key, view: str) -> None:
    shown = "HKLM\\" + path
    if view == "wow64":
        shown = shown.replace("\\Wow6432Node\\", "\\", 1)
    values = key.values()
    if not values:
        sheet.row(kind="registry", path=shown, view=view, name="", type=None, data=None)
    for value in values:
        if len(sheet.rows) >= MOST_VALUES:
            return
        row = sheet.row(kind="registry", path=shown, view=view, name=value.name, type=value.type)
        text = text_of(value.data) or ""
        if len(text) > LARGEST_TEXT:
            sheet.gap(f"{shown}\\{value.name}", "data", f"larger than {LARGEST_TEXT} characters")
        else:
            row["data"] = text


def _roots(machine: Machine, glob: str) -> Iterator[tuple[str, str]]:
    environment = machine.environment()
    if not glob.startswith("%"):
        yield "native", glob
        return
    name, _, rest = glob[1:].partition("%")
    folder = {"SYSTEMROOT": machine.windows, "WINDIR": machine.windows}.get(name.upper()) or environment.get(name.upper())
    if folder:
        yield "native", folder + rest
    if name.upper() in ("PROGRAMFILES", "COMMONPROGRAMFILES") and (folder := environment.get(f"{name.upper()}(X86)")):
        yield "wow64", folder + rest


def _files(machine: Machine, glob: str) -> list[LabFile]:
    levels = glob.split("\\")
    return [file for file in machine.files if _fits(levels, file.path.split("\\"))]


def _fits(levels: list[str], parts: list[str]) -> bool:
    return len(levels) == len(parts) and all(matches(level, part) for level, part in zip(levels, parts, strict=True))


def _add_file(machine: Machine, sheet: Sheet, file: LabFile, view: str) -> None:
    row: dict[str, Any] = sheet.row(kind="file", path=file.path, view=view, size_bytes=file.size, modified_at=moment(file.modified))
    if not machine.may_open(file.path):
        sheet.gap(file.path, "", f"Access to the path '{file.path}' is denied.")
        return
    name = file.path.lower()
    if name.endswith(_PROGRAMS):
        row["file_version"] = version_facts(file).get("file_version")
        row["link_timestamp"] = image_facts(file)["link_timestamp"] if file.image else None
    elif name.endswith(_TEXTS) and file.size > LARGEST_TEXT:
        sheet.gap(file.path, "data", f"larger than {LARGEST_TEXT} bytes")
    elif name.endswith(_TEXTS):
        row |= {"type": "text", "data": decode_text(file.data(), file.path, machine)}
