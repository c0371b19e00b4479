"""Waivers on the command line: the option, and applying them to a report."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from pathlib import Path

import click

from auditor.cli.flags import flag
from auditor.model.finding import Report
from auditor.model.host import Target


def waivers_flag() -> click.Option:
    """The option that names files of waivers."""
    path = click.Path(path_type=Path)
    return flag("--waivers", type=path, multiple=True, metavar="FILE", help="Findings that are accepted for a time; may be repeated.")


def with_waivers(
    report: Report,
    files: Sequence[Path],
    targets: Iterable[Target],
    rules: Collection[str] | None = None,
    *,
    today: date | None = None,
) -> Report:
    """The report with accepted findings set apart, by default as of the run's day. Without files nothing is waived anew."""
    if not files:
        return report
    from auditor.analysis.rules.waive import waive
    from auditor.waivers import load_waivers

    groups = {target.name: target.groups for target in targets}
    return waive(report, load_waivers(files), groups=groups, today=today or day_of(report), rules=rules)


def day_of(report: Report) -> date:
    """The day on which the run started, in UTC."""
    return date.fromisoformat(report.run.started_at[:10])
