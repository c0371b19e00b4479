"""Answer of the section security: registry values and files that the auditor's signatures ask for. Pure.

Follows `docs/probe.md`: globs level by level, both registry views, both program folders.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.lab.answers_software import DENIED, image_facts, refusal, text_of, version_facts
from auditor.lab.machine import LabFile, Machine
from auditor.lab.registry import Key
from auditor.lab.sheet import Ask, Sheet, moment
from auditor.lab.texts import decode_text
from auditor.model.pattern import matches

_PROGRAMS = (".exe", ".dll", ".sys", ".ocx", ".cpl", ".scr")
_TEXTS = (".ini", ".dat", ".log", ".xml", ".txt", ".cfg", ".conf", ".inf")
LARGEST_TEXT = 65_536
MOST_VALUES = 20_000


def security(machine: Machine, ask: Ask, sheet: Sheet) -> None:
    """A row for each value and each file that fits."""
    for glob in ask.security_keys:
        for view, root in _views(glob):
            for path, key in _keys(machine, sheet, root.split("\\")):
                _add_values(sheet, path, key, view)
    for glob in ask.security_files:
        for view, path in _roots(machine, glob.replace("/", "\\")):
            _add_files(machine, sheet, path, view)
    if len(sheet.rows) >= MOST_VALUES:
        sheet.gap("", "", f"only the first {MOST_VALUES} values were taken")


def _views(glob: str) -> Iterator[tuple[str, str]]:
    yield "native", glob.strip("\\")
    first, _, rest = glob.strip("\\").partition("\\")
    if first.upper() == "SOFTWARE" and rest and rest.split("\\")[0].upper() != "WOW6432NODE":
        yield "wow64", f"{first}\\Wow6432Node\\{rest}"


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
            sheet.gap(f"HKLM\\{path}", "", DENIED)


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
        row["data"] = None
        if len(text) > LARGEST_TEXT:
            sheet.gap(f"{shown}\\{value.name}", "data", f"longer than {LARGEST_TEXT} characters: not taken")
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


def _add_files(machine: Machine, sheet: Sheet, glob: str, view: str) -> None:
    """Files that fit; their path is spelled as the disk has it where a level holds a wildcard, as the glob has it elsewhere."""
    levels = glob.split("\\")
    start = refusal(machine, levels[0] + "\\")
    if start is not None:
        sheet.gap(glob, "", start)
        return
    for file in machine.files:
        parts = file.path.split("\\")
        if len(levels) == len(parts) and all(matches(level, part) for level, part in zip(levels, parts, strict=True)):
            shown = [part if "*" in level or "?" in level else level for level, part in zip(levels, parts, strict=True)]
            _add_file(machine, sheet, file, "\\".join(shown), view)


def _add_file(machine: Machine, sheet: Sheet, file: LabFile, path: str, view: str) -> None:
    row: dict[str, Any] = sheet.row(kind="file", path=path, name="", view=view, type=None, data=None)
    row |= {"size_bytes": file.size, "modified_at": moment(file.modified)}
    name = path.lower()
    if not name.endswith(_PROGRAMS + _TEXTS):
        return
    if not machine.may_open(file.path):
        sheet.gap(path, "data", f"Access to the path '{path}' is denied.")
    elif name.endswith(_PROGRAMS):
        row["file_version"] = version_facts(file).get("file_version")
        row["link_timestamp"] = image_facts(file)["link_timestamp"] if file.image else None
    elif file.size > LARGEST_TEXT:
        sheet.gap(path, "data", f"larger than {LARGEST_TEXT} bytes: not read")
    else:
        row |= {"type": "text", "data": decode_text(file.data(), path, machine)}
