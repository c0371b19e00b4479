"""Exit codes of a report: what was found at or above the threshold, and whether everything was seen. Owns `--fail-on`."""

from __future__ import annotations

from typing import cast

import click

from auditor.cli.flags import flag
from auditor.model.finding import Report
from auditor.model.grade import SEVERITIES, Severity

DEFAULT_FAIL_ON: Severity = "high"


def fail_on_flag() -> click.Option:
    """The option that says from which severity on a finding counts for the exit code."""
    return flag(
        "--fail-on",
        type=click.Choice(SEVERITIES),
        default=DEFAULT_FAIL_ON,
        help="Exit with 2 (or 4) for findings of this severity or worse.",
    )


def coverage_and_findings(report: Report, fail_on: str) -> int:
    """0 clean, 2 findings at or above `fail_on`, 3 coverage incomplete, 4 both."""
    from auditor.report.wording import at_or_above, coverage_complete

    found = bool(at_or_above(report.findings, cast("Severity", fail_on)))
    complete = coverage_complete(report)
    return {(False, True): 0, (True, True): 2, (False, False): 3, (True, False): 4}[found, complete]
