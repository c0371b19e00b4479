"""The section drivers over WMI: settings and state as the scripts give them; of the file only what CIM_DataFile tells. Pure.

Product, description, original name, link time, machine, checksum, hash and signer stand in the file's contents: unknown on this way.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.probes.wmi.entries import Entry, display_name, each, entries, note_replaced, start_of, tag_of
from auditor.probes.wmi.files import closed, facts_of, many_files, refusal
from auditor.probes.wmi.properties import trimmed
from auditor.probes.wmi.questions import Instance, Steps
from auditor.probes.wmi.sheet import NO_CONTENTS, Sheet
from auditor.probes.wmi.survey import Survey

_TYPES = {1: "kernel", 2: "file_system", 4: "adapter", 8: "recognizer"}
_DOS = re.compile(r"\\(?:\?\?|\\\?|DosDevices)\\([A-Za-z]:\\.*)", re.IGNORECASE | re.DOTALL)
_WINDOWS = re.compile(r"(?:\\SystemRoot|%SystemRoot%|%windir%)\\(.*)", re.IGNORECASE | re.DOTALL)
_VERSION = re.compile(r"\d{1,5}(?:\.\d{1,5}){3}")
_UNSEEN = ("product_version", "product", "description", "original_name", "link_timestamp", "machine", "checksum", "signer", "signature")


def drivers(survey: Survey, sheet: Sheet) -> Steps[None]:
    """Every driver; always partial, for no file is read."""
    looked_for: dict[str, dict[str, Any]] = {}
    found = [entry for entry in (yield from entries(survey, sheet, "Win32_SystemDriver")) if entry.is_driver]
    yield from each(sheet, found, lambda entry: _add(survey, sheet, entry, looked_for))
    for field in _UNSEEN if sheet.rows else ():
        sheet.gap("", field, NO_CONTENTS)
    if survey.request.hash_drivers != "none":
        sheet.gap("", "sha256", NO_CONTENTS)
    yield from note_replaced(survey.registry, sheet, "image_path")
    files = yield from many_files(survey, [row["path"] for row in looked_for.values()])
    for row in looked_for.values():
        yield from _add_file(survey, sheet, row, files.get(row["path"].upper()))


def _add(survey: Survey, sheet: Sheet, entry: Entry, looked_for: dict[str, dict[str, Any]]) -> Steps[None]:
    row = yield from _driver(survey, sheet, entry)
    if (yield from _place(survey, sheet, row)):
        looked_for[entry.name] = row


def _driver(survey: Survey, sheet: Sheet, entry: Entry) -> Steps[dict[str, Any]]:
    registry = survey.registry
    known = {value.upper() for value in (yield from registry.values(entry.key)) or {}}
    return sheet.row(
        name=entry.name,
        display_name=(yield from display_name(registry, entry)),
        image_path=(yield from registry.text(entry.key, "ImagePath")) if "IMAGEPATH" in known else None,
        type=_TYPES.get(entry.type, "other"),
        start=(yield from start_of(registry, entry)),
        state=entry.state,
        group=(yield from registry.text(entry.key, "Group")) if "GROUP" in known else None,
        tag=(yield from tag_of(registry, entry)) if "TAG" in known else None,
    )


def _place(survey: Survey, sheet: Sheet, row: dict[str, Any]) -> Steps[bool]:
    """Fills in where the driver's file is; whether it is to be looked at."""
    path = yield from driver_path(survey, row["name"], row["image_path"])
    if path is None:
        sheet.gap(row["name"], "path", "a device or network path: not resolved")
        return False
    row["path"] = path
    reason = yield from refusal(survey, path)
    if reason is not None:
        sheet.gap(row["name"], "file_exists", reason)
    return reason is None


def driver_path(survey: Survey, name: str, image: str | None) -> Steps[str | None]:
    """The file that an ImagePath means, by the rules of `docs/probe.md`; None where it is on no drive."""
    text = (image or "").strip().strip('"').strip().replace("/", "\\")
    windows = yield from survey.windows()
    if not text:
        return rf"{windows}\System32\drivers\{name}.sys"
    if match := _DOS.fullmatch(text):
        return match.group(1)
    if match := _WINDOWS.fullmatch(text):
        return f"{windows}\\{match.group(1)}"
    if text[:1].isalpha() and text[1:3] == ":\\":
        return text
    if text.startswith("%"):
        return (yield from survey.expand(text))
    if text.startswith("\\\\") or text.lower().startswith("\\device\\"):
        return None
    return windows[:2] + text if text.startswith("\\") else f"{windows}\\{text}"


def _add_file(survey: Survey, sheet: Sheet, row: dict[str, Any], file: Instance | None) -> Steps[None]:
    if file is None:
        reason = yield from closed(survey, row["path"].rpartition("\\")[0])
        if reason is not None:
            sheet.gap(row["name"], "file_exists", reason)
        else:
            row["file_exists"] = False
        return
    version = trimmed(file, "Version")
    row |= {"file_exists": True, **facts_of(file), "company": trimmed(file, "Manufacturer")}
    row["file_version"] = version if version and _VERSION.fullmatch(version) else None
    if version and row["file_version"] is None:
        sheet.gap(row["name"], "file_version", "WMI shows a version that is not four numbers")
