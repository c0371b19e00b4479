"""Facts of files through CIM_DataFile and Win32_Directory: existence, size, times, file version, company. No contents. Pure.

Rules of this file:
1. Files are asked for by folder and extension, or by name: both are looked up in the file system by the provider, while any other
   condition makes it walk whole disks.
2. A file that is not in the answer is not there, or its folder is closed to the account: WMI gives no error. So a folder's own rights
   (AccessMask of Win32_Directory) are asked before absence is believed.
3. Nothing off the fixed disks of the host is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.errors import CollectError
from auditor.model.pattern import matches
from auditor.probes.wmi.properties import number_of, text_of, time_of
from auditor.probes.wmi.questions import Instance, Steps, quoted
from auditor.probes.wmi.survey import Survey

_FILES = "SELECT Name, FileSize, Version, Manufacturer, CreationDate, LastModified FROM CIM_DataFile WHERE "
_FOLDERS = "SELECT Name, AccessMask FROM Win32_Directory WHERE "
_LIST_FOLDER = 0x1
"""FILE_LIST_DIRECTORY."""
_FEW = 4
"""So many files of a folder are asked for by name; more by their folder and extension."""
_WIDE = "*?"


def refusal(survey: Survey, path: str) -> Steps[str | None]:
    """Why a path is not looked at; None where it is. The words are those of the scripts."""
    if path.startswith("\\\\"):
        return "on the network or a device: not looked at"
    if not (path[:1].isalpha() and path[1:3] == ":\\"):
        return "not a path on a drive"
    if ":" in path[2:]:
        return "names a stream of a file: not looked at"
    fixed = yield from survey.is_fixed(path[:2])
    return None if fixed else "not on a fixed local disk: not looked at"


def split(path: str) -> tuple[str, str, str]:
    """Drive (`C:`), folder (`\\Windows\\`) and name of a full path."""
    folder, _, name = path.partition(":")[2].rpartition("\\")
    return path[:2], f"{folder}\\", name


def many_files(survey: Survey, paths: Iterable[str]) -> Steps[dict[str, Instance]]:
    """The files of a list of full paths that are there, by path in upper case; few queries, whatever the number of paths."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for path in paths:
        drive, folder, name = split(path)
        extension = name.rpartition(".")[2] if "." in name else ""
        groups.setdefault((drive.upper(), folder.upper(), extension.upper()), []).append(path)
    found: dict[str, Instance] = {}
    for (drive, folder, extension), group in groups.items():
        if len(group) < _FEW:
            for path in group:
                found |= _by_name((yield from survey.once(f"{_FILES}Name={quoted(path)}")))
        else:
            found |= _by_name((yield from files_in(survey, drive, folder, extension)))
    return found


def _by_name(instances: list[Instance]) -> dict[str, Instance]:
    return {name.upper(): instance for instance in instances if (name := text_of(instance, "Name"))}


def files_in(survey: Survey, drive: str, folder: str, extension: str | None = None) -> Steps[list[Instance]]:
    """Files directly in a folder (`\\Windows\\`), all or those of an extension."""
    condition = f"Drive={quoted(drive)} AND Path={quoted(folder)}"
    condition += f" AND Extension={quoted(extension)}" if extension is not None else ""
    return (yield from survey.once(_FILES + condition))


def folders_in(survey: Survey, drive: str, folder: str) -> Steps[list[str]]:
    """Names of the folders directly in a folder, in WMI's spelling."""
    condition = f"Drive={quoted(drive)} AND Path={quoted(folder)}"
    names = [text_of(instance, "Name") for instance in (yield from survey.once(_FOLDERS + condition))]
    return sorted(name.rpartition("\\")[2] for name in names if name)


def may_list(survey: Survey, path: str) -> Steps[bool | None]:
    """Whether the account may list a folder; None where there is none. Raises CollectError (denied) where its rights are hidden."""
    found = yield from survey.once(f"{_FOLDERS}Name={quoted(path)}")
    if not found:
        return None
    mask = number_of(found[0], "AccessMask")
    if mask is None:
        raise CollectError("", f"WMI does not tell the account's rights in the folder '{path}'", status="denied")
    return bool(mask & _LIST_FOLDER)


def closed(survey: Survey, folder: str) -> Steps[str | None]:
    """Why absence in a folder is not to be believed; None where the account was shown to see all of it, or the folder is not there.

    Every folder above is asked too: below one that the account can't list, WMI shows nothing.
    """
    parts = folder.rstrip("\\").split("\\")
    for count in range(2, len(parts) + 1):
        path = "\\".join(parts[:count])
        try:
            allowed = yield from may_list(survey, path)
        except CollectError as error:
            if error.status != "denied":
                raise
            return error.message
        if allowed is None:
            return None
        if not allowed:
            return f"Access to the path '{path}' is denied."
    return None


def fitting_names(names: Iterable[str], level: str) -> list[str]:
    """Names that fit a level of a glob; a level without wildcards is the name itself."""
    return [name for name in names if matches(level, name)] if any(c in level for c in _WIDE) else [level]


def facts_of(file: Instance) -> dict[str, int | str | None]:
    """What a row says of a file: size and times."""
    return {
        "size_bytes": number_of(file, "FileSize"),
        "created_at": time_of(file, "CreationDate"),
        "modified_at": time_of(file, "LastModified"),
    }
