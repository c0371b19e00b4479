"""`auditor crash`: kernel dumps and WinDbg texts told as crashes, offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.model.crash import CrashDocument


@verb(
    "crash",
    click.Argument(["files"], nargs=-1, type=click.Path(path_type=Path), metavar="[FILE...]"),
    flag(
        "--fleet", is_flag=True, help="Group crashes of the store's hosts, and of the files, into waves of one stop code and driver build."
    ),
    flag("--window", type=click.IntRange(1, 8760), default=72, metavar="HOURS", help="With --fleet: a longer gap parts two waves."),
)
def crash(every: Everywhere, files: tuple[Path, ...], fleet: bool, window: int) -> int:
    """Read kernel dumps (32 and 64 bit, small to full) and WinDbg `!analyze` texts, also inside xz, gzip and zip.

    Asks no host and needs no debugger. Exits with 0 where all was read, 3 where some was not, 1 where nothing was.

    With --fleet the crashes that the store knows of are grouped over hosts. Files count too: dumps, texts and documents of
    `auditor crash --format json`; the name of a file's folder says whose crash it is.
    """
    from auditor.cli.matrix import folders
    from auditor.crash import exit_code, read_crashes
    from auditor.knowledge import load_crash_knowledge
    from auditor.report.json_ import json_text

    outputs = Outputs.plan(every, ("table", "json"))
    if fleet:
        return _waves(every, outputs, files, window)
    if not files:
        raise UsageError("no file given", next_step="Name a dump or a text of WinDbg, or use --fleet.")
    document = read_crashes(files, load_crash_knowledge(folders(every)))
    outputs.emit({"table": lambda: _table(document), "json": lambda: json_text(document)})
    outputs.say_files()
    return exit_code(document)


def _waves(every: Everywhere, outputs: Outputs, files: tuple[Path, ...], window: int) -> int:
    """0 where all was read, 3 where a host or a file was not."""
    from auditor.cli.matrix import folders
    from auditor.fleet_crashes import fleet_crashes
    from auditor.knowledge import load_crash_knowledge
    from auditor.report.json_ import json_text
    from auditor.report.waves import render

    document, complete = fleet_crashes(every.store, files, load_crash_knowledge(folders(every)), window_hours=window)
    outputs.emit({"table": lambda: render(document, width=width()), "json": lambda: json_text(document)})
    outputs.say_files()
    return 0 if complete else 3


def _table(document: CrashDocument) -> str:
    from auditor.report.crash import render

    return render(document, width=width())
