"""The section security over WMI: registry values as the scripts give them, and of files what CIM_DataFile tells. Pure.

Globs are followed level by level as in `docs/probe.md`. Paths of files that a wildcard found are in WMI's spelling (lower case).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from auditor.model.errors import CollectError
from auditor.probes.wmi.files import closed, facts_of, files_in, fitting_names, folders_in, many_files, refusal
from auditor.probes.wmi.properties import text_of, trimmed
from auditor.probes.wmi.questions import Instance, Steps
from auditor.probes.wmi.registry import text_of_data
from auditor.probes.wmi.sheet import MOST_ROWS, NO_CONTENTS, Sheet
from auditor.probes.wmi.survey import VERSION_KEY, Survey

LONGEST_DATA = 65_536
_PROGRAMS = (".exe", ".dll", ".sys", ".ocx", ".cpl", ".scr")
_TEXTS = (".ini", ".dat", ".log", ".xml", ".txt", ".cfg", ".conf", ".inf")
_CURRENT = r"SOFTWARE\Microsoft\Windows\CurrentVersion"
_PROFILES = rf"{VERSION_KEY}\ProfileList"
_DATA_KEY = rf"{_CURRENT}\Explorer\Shell Folders"
_KNOWN_FOLDERS = {
    "PROGRAMFILES": ((_CURRENT, "ProgramFilesDir"), (_CURRENT, "ProgramFilesDir (x86)")),
    "COMMONPROGRAMFILES": ((_CURRENT, "CommonFilesDir"), (_CURRENT, "CommonFilesDir (x86)")),
    "PROGRAMDATA": ((_DATA_KEY, "Common AppData"), None),
}
"""Name to the registry values that hold the folder and its 32-bit twin."""


def security(survey: Survey, sheet: Sheet) -> Steps[None]:
    """A row for each value and each file that fits."""
    for glob in survey.request.security_keys:
        levels = glob.strip("\\").split("\\")
        for view, start in _views(levels):
            yield from _add_keys(survey, sheet, start, f"HKLM\\{levels[0]}", levels[1:], view)
    for glob in survey.request.security_files:
        yield from _add_file_glob(survey, sheet, glob.replace("/", "\\"))
    if len(sheet.rows) >= MOST_ROWS:
        sheet.gap("", "", f"only the first {MOST_ROWS} values were taken")


def _views(levels: list[str]) -> Iterator[tuple[str, str]]:
    yield "native", levels[0]
    if levels[0].upper() == "SOFTWARE" and len(levels) > 1 and levels[1].upper() != "WOW6432NODE":
        yield "wow64", rf"{levels[0]}\Wow6432Node"


def _add_keys(survey: Survey, sheet: Sheet, key: str, shown: str, levels: list[str], view: str) -> Steps[None]:
    """Follows the remaining levels below a key."""
    if len(sheet.rows) >= MOST_ROWS:
        return
    try:
        if not levels:
            yield from _add_values(survey, sheet, key, shown, view)
            return
        wide = "*" in levels[0] or "?" in levels[0]
        names = (yield from survey.registry.subkeys(key)) if wide else []
    except CollectError as error:
        if error.status == "timed_out":
            raise
        sheet.gap(shown, "", error.message)
        return
    for name in fitting_names(names, levels[0]):
        yield from _add_keys(survey, sheet, rf"{key}\{name}", rf"{shown}\{name}", levels[1:], view)


def _add_values(survey: Survey, sheet: Sheet, key: str, shown: str, view: str) -> Steps[None]:
    kinds = yield from survey.registry.values(key)
    if kinds is None:
        return
    if not kinds:
        sheet.row(kind="registry", path=shown, view=view, name="", type=None, data=None)
    for name, kind in kinds.items():
        if len(sheet.rows) >= MOST_ROWS:
            return
        row = sheet.row(kind="registry", path=shown, view=view, name=name, type=kind, data=None)
        data = (yield from survey.registry.typed(key, name, kind)) if kind else None
        text = text_of_data(data)
        if text is None:
            sheet.gap(rf"{shown}\{name}", "data", "WMI has no method for a value of this type")
        elif len(text) > LONGEST_DATA:
            sheet.gap(rf"{shown}\{name}", "data", f"longer than {LONGEST_DATA} characters: not taken")
        else:
            row["data"] = text
        if kind == "REG_EXPAND_SZ" and (yield from survey.registry.replaced()):
            sheet.gap(rf"{shown}\{name}", "data", "shown with its variables replaced, not as it is written")


def _add_file_glob(survey: Survey, sheet: Sheet, glob: str) -> Steps[None]:
    first, _, rest = glob.partition("\\")
    for view, start in (yield from _roots(survey, first)):
        reason = (yield from refusal(survey, f"{start}\\")) if rest else "names no file"
        if reason is not None:
            sheet.gap(glob, "", reason)
        else:
            yield from _add_files(survey, sheet, start, rest.split("\\"), view)


def _roots(survey: Survey, first: str) -> Steps[list[tuple[str, str]]]:
    """Where a glob begins, by view."""
    if not first.startswith("%"):
        return [("native", first)]
    name = first.strip("%").upper()
    if name in ("SYSTEMROOT", "WINDIR"):
        return [("native", (yield from survey.windows()))]
    if name == "ALLUSERSPROFILE":
        return [("native", folder) for folder in [(yield from _all_users(survey))] if folder]
    found: list[tuple[str, str]] = []
    for view, place in zip(("native", "wow64"), _KNOWN_FOLDERS.get(name, ()), strict=False):
        folder = (yield from survey.registry.text(*place)) if place else None
        folder = (yield from survey.expand(folder)) if folder else None
        if folder and folder not in (known for _, known in found):
            found.append((view, folder.rstrip("\\")))
    return found


def _all_users(survey: Survey) -> Steps[str | None]:
    """The folder of all users: ProgramData itself from Vista on, `...\\All Users` before."""
    data = yield from survey.registry.text(_PROFILES, "ProgramData")
    if data is None:
        base = yield from survey.registry.text(_PROFILES, "ProfilesDirectory")
        name = yield from survey.registry.text(_PROFILES, "AllUsersProfile")
        data = rf"{base}\{name}" if base and name else None
    return (yield from survey.expand(data)) if data else None


def _add_files(survey: Survey, sheet: Sheet, base: str, levels: list[str], view: str) -> Steps[None]:
    """Follows the remaining levels below a folder."""
    drive, folder = base[:2], f"{base[2:]}\\"
    wide = "*" in levels[0] or "?" in levels[0]
    if len(levels) == 1:
        yield from _add_last(survey, sheet, base, levels[0], view)
        return
    names = (yield from folders_in(survey, drive, folder)) if wide else []
    if wide and not names and (reason := (yield from closed(survey, base))) is not None:
        sheet.gap(base, "", reason)
    for name in fitting_names(names, levels[0]):
        yield from _add_files(survey, sheet, rf"{base}\{name}", levels[1:], view)


def _add_last(survey: Survey, sheet: Sheet, base: str, level: str, view: str) -> Steps[None]:
    wide = "*" in level or "?" in level
    by_path = (yield from _wide(survey, base, level)) if wide else (yield from many_files(survey, [rf"{base}\{level}"]))
    by_name = {path.rpartition("\\")[2]: file for path, file in by_path.items()}
    names = [(text_of(file, "Name") or "").rpartition("\\")[2] for file in by_name.values()]
    fitting = [name for name in sorted(fitting_names(names, level)) if name.upper() in by_name]
    for name in fitting:
        if len(sheet.rows) < MOST_ROWS:
            _add_file(sheet, rf"{base}\{name}" if wide else rf"{base}\{level}", by_name[name.upper()], view)
    if not fitting and (reason := (yield from closed(survey, base))) is not None:
        sheet.gap(rf"{base}\{level}", "", reason)


def _wide(survey: Survey, base: str, level: str) -> Steps[dict[str, Instance]]:
    """Files of a folder that a level with wildcards may fit, by path in upper case."""
    extension = level.rpartition(".")[2] if "." in level else None
    known = extension if extension and not set(extension) & set("*?") else None
    files = yield from files_in(survey, base[:2], f"{base[2:]}\\", known)
    return {(text_of(file, "Name") or "").upper(): file for file in files}


def _add_file(sheet: Sheet, path: str, file: Instance, view: str) -> None:
    facts = facts_of(file)
    row: dict[str, Any] = sheet.row(kind="file", path=path, name="", view=view, type=None, data=None)
    row |= {"size_bytes": facts["size_bytes"], "modified_at": facts["modified_at"]}
    if path.lower().endswith(_PROGRAMS):
        row["file_version"] = trimmed(file, "Version")
        sheet.gap("", "link_timestamp", NO_CONTENTS)
    elif path.lower().endswith(_TEXTS):
        sheet.gap(path, "data", NO_CONTENTS)
