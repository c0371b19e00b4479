"""Methods that copy: .NET's `[IO.File]::Copy`, WebClient's transfers, the scripting runtime's CopyFile and CopyFolder, from PowerShell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from auditor.analysis.copying.copytools import RawCopy, may_hold_executables
from auditor.analysis.copying.psvalues import PsValue, cross

if TYPE_CHECKING:
    from auditor.analysis.copying.psscript import PsReader

_METHODS: Mapping[str, tuple[str, bool, bool, bool]] = {
    # name: tool, moves, whole folders, arguments the other way round
    "::copy": ("File.Copy", False, False, False),
    "::move": ("File.Move", True, False, False),
    ".copyfile": ("CopyFile", False, False, False),
    ".copyfolder": ("CopyFolder", False, True, False),
    ".movefile": ("MoveFile", True, False, False),
    ".movefolder": ("MoveFolder", True, True, False),
    ".downloadfile": ("DownloadFile", False, False, False),
    ".uploadfile": ("UploadFile", False, False, True),
    ".copydirectory": ("CopyDirectory", False, True, False),
}


def read_method(reader: PsReader, start: int, end: int) -> tuple[list[RawCopy], str]:
    """The copies of an expression that calls such a method, and the expression as written."""
    evaluator = reader.evaluator()
    items = reader.items
    for at in evaluator.top_level(start, end):
        name = items[at].value.casefold() if items[at].kind == "text" and at > start else ""
        key = next((k for k in _METHODS if name.endswith(k)), None)
        if key is None or at + 1 >= end or items[at + 1].value != "(":
            continue
        if key.startswith("::") and not _on_files(reader, start, at):
            continue
        close = min(reader.tokens.partner.get(at + 1, end), end)
        rows = cross([evaluator.expression(a, b) for a, b in evaluator.split(at + 2, close, "comma")], name)
        text = "".join(t.raw if t.glued else " " + t.raw for t in items[start : close + 1])[:1000].strip()
        return [copy for row in rows for copy in _copies(key, row)], text
    return [], ""


def _on_files(reader: PsReader, start: int, at: int) -> bool:
    kind = "".join(t.value for t in reader.items[start:at]).casefold()
    return kind.endswith(("io.file]", "io.directory]", "filesystem]"))


def _copies(key: str, row: tuple[PsValue, ...]) -> list[RawCopy]:
    tool, moves, folders, swapped = _METHODS[key]
    if len(row) < 2:
        return []
    source, destination = (row[1].text, row[0].text) if swapped else (row[0].text, row[1].text)
    writes = may_hold_executables([source], folder=folders)
    web = "load" in key
    return [RawCopy(tool=tool, source=source, destination=destination, destructive=moves, writes_executables=writes, remote_syntax=web)]
