"""The section dumps over WMI: crash settings from the registry, dump files from CIM_DataFile; the same rows as the scripts'. Pure."""

from __future__ import annotations

from auditor.model.errors import CollectError
from auditor.probes.wmi.files import closed, facts_of, files_in, many_files, refusal, split
from auditor.probes.wmi.properties import text_of
from auditor.probes.wmi.questions import Instance, Steps
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import CONTROL_KEY, Survey

_KEY = rf"{CONTROL_KEY}\CrashControl"
_MOST_DUMPS = 500


def dumps(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Crash settings and the dump files that are there."""
    registry = survey.registry
    path = rf"HKLM\{_KEY}"
    if (yield from registry.exists(_KEY)):
        overwrite = yield from registry.number(_KEY, "Overwrite")
        reboot = yield from registry.number(_KEY, "AutoReboot")
        kind = yield from registry.number(_KEY, "CrashDumpEnabled")
        flags = {"overwrite": _flag(overwrite), "auto_reboot": _flag(reboot)}
        sheet.row(kind="settings", path=path, dump_type=kind, **flags)
    else:
        sheet.gap(path, "", "the key is not there")
    windows = yield from survey.windows()
    file = yield from survey.expand((yield from registry.text(_KEY, "DumpFile")) or rf"{windows}\MEMORY.DMP")
    folder = yield from survey.expand((yield from registry.text(_KEY, "MinidumpDir")) or rf"{windows}\Minidump")
    yield from _add_memory(survey, sheet, file)
    yield from _add_small(survey, sheet, folder.rstrip("\\"))


def _flag(number: int | None) -> bool | None:
    return None if number is None else number == 1


def _looked_at(survey: Survey, sheet: Sheet, path: str) -> Steps[bool]:
    reason = yield from refusal(survey, path)
    if reason is not None:
        sheet.gap(path, "", reason)
    return reason is None


def _add_memory(survey: Survey, sheet: Sheet, path: str) -> Steps[None]:
    if not (yield from _looked_at(survey, sheet, path)):
        return
    found = yield from many_files(survey, [path])
    if path.upper() in found:
        _add(sheet, "memory", path, found[path.upper()])
    elif (reason := (yield from closed(survey, path.rpartition("\\")[0]))) is not None:
        sheet.gap(path, "", reason)


def _add_small(survey: Survey, sheet: Sheet, folder: str) -> Steps[None]:
    if not (yield from _looked_at(survey, sheet, folder)):
        return
    drive, parent, name = split(folder)
    found = yield from files_in(survey, drive, f"{parent}{name}\\", "dmp")
    names = sorted(name for file in found if (name := (text_of(file, "Name") or "").rpartition("\\")[2]))
    by_name = {(text_of(file, "Name") or "").rpartition("\\")[2]: file for file in found}
    for file_name in names[:_MOST_DUMPS]:
        _add(sheet, "minidump", rf"{folder}\{file_name}", by_name[file_name])
    if len(names) > _MOST_DUMPS:
        sheet.gap(folder, "", f"only {_MOST_DUMPS} of {len(names)} dumps are listed")
    if (reason := (yield from closed(survey, folder))) is not None:
        sheet.gap(folder, "", reason)


def _add(sheet: Sheet, kind: str, path: str, file: Instance) -> None:
    facts = facts_of(file)
    sheet.row(kind=kind, path=path, size_bytes=facts["size_bytes"], modified_at=facts["modified_at"])


def dumpbytes(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Bytes of a dump: WMI reads no contents of files."""
    del survey, sheet
    yield from ()
    raise CollectError("", "WMI reads no contents of files: the dump is not seen on this way", status="unsupported")
