"""`auditor crash`: kernel dumps and WinDbg texts told as crashes, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.flags import Everywhere, verb
from auditor.cli.say import Outputs, width

if TYPE_CHECKING:
    from auditor.model.crash import CrashDocument


@verb("crash", click.Argument(["files"], nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE..."))
def crash(every: Everywhere, files: tuple[Path, ...]) -> int:
    """Read kernel dumps (32 and 64 bit, small to full) and WinDbg `!analyze` texts, also inside xz, gzip and zip.

    Asks no host and needs no debugger. Exits with 0 where all was read, 3 where some was not, 1 where nothing was.
    """
    from auditor.crash import exit_code, read_crashes
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("table", "json"))
    document = read_crashes(files)
    outputs.emit({"table": lambda: _table(document), "json": lambda: json_text(document)})
    outputs.say_files()
    return exit_code(document)


def _table(document: CrashDocument) -> str:
    from auditor.report.crash import render

    return render(document, width=width())
