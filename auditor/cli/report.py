"""`auditor report`: a stored run in any format, or the list of runs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.outcome import coverage_and_findings, fail_on_flag
from auditor.cli.say import Outputs, Renderings, width
from auditor.cli.waiving import waivers_flag, with_waivers
from auditor.model.finding import Report

if TYPE_CHECKING:
    from auditor.store import StoredRun


@verb(
    "report",
    flag("--run", metavar="RUN", help="Id of a run.  [default: the last one with a report]"),
    flag("--list", "list_runs", is_flag=True, help="List the runs in the store."),
    fail_on_flag(),
    waivers_flag(),
)
def report(every: Everywhere, run: str | None, list_runs: bool, fail_on: str, waivers: tuple[Path, ...]) -> int:
    """Render the report of a stored run. Asks no host and evaluates nothing.

    With --waivers the files decide, as of today, what is accepted, instead of what the run found accepted.
    """
    from auditor.report import format_names
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table", "json") if list_runs else format_names())
    with open_store(every.store or default_path(), write=False) as store:
        if list_runs:
            return _list(outputs, store.runs())
        found = store.read_report(run)
        if waivers:
            targets = [host.target for host in store.results_of(found.run.id)]
            found = with_waivers(found, waivers, targets, today=datetime.now(UTC).date())
    outputs.emit(renderings(found))
    outputs.say_files()
    return coverage_and_findings(found, fail_on)


def renderings(found: Report) -> Renderings:
    """All formats of a report, each rendered when it is wanted."""
    from auditor.report import format_names, renderer
    from auditor.report.table import render as render_table

    return {name: functools.partial(renderer(name), found) for name in format_names()} | {
        "table": functools.partial(render_table, found, width=width())
    }


def _list(outputs: Outputs, runs: Sequence[StoredRun]) -> int:
    import msgspec

    from auditor.report.grid import grid
    from auditor.report.json_ import json_text

    plain = [msgspec.structs.asdict(run) for run in runs]
    rows = [["-" if value is None else str(value) for value in run.values()] for run in plain]
    head = ("Run", "Kind", "Started", "Auditor", "State", "Hosts", "Findings")
    outputs.emit({"table": lambda: grid(head, rows, width=width()) + "\n", "json": lambda: json_text({"schema_version": 1, "runs": plain})})
    outputs.say_files()
    return 0
