"""The state of the watch as a text file of Prometheus (node_exporter's textfile collector reads it), replaced in one step.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/ . No label holds a host or a finding: their number has no bound.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from auditor import __version__
from auditor.model.case import Case
from auditor.model.change import FindingLife
from auditor.model.errors import ReportError
from auditor.model.finding import Report
from auditor.model.grade import SEVERITIES


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What is told."""

    at: datetime
    """When the round ended."""
    seconds: float
    worked: bool
    rounds: int
    missed: int
    """Due times that were caught up by this round, beyond its own."""
    pending: int
    """Notices that have not reached everyone."""
    next_due: datetime | None = None
    report: Report | None = None
    lives: tuple[FindingLife, ...] = ()
    cases: tuple[Case, ...] = ()


Sample = tuple[Mapping[str, str], float]


def exposition(figures: Figures) -> str:
    """The text file's content. What is not known (a round that failed has no report) is left out, not zero."""
    lines: list[str] = []
    for name, kind, about, samples in _metrics(figures):
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _metrics(figures: Figures) -> Iterable[tuple[str, str, str, list[Sample]]]:
    yield "auditor_info", "gauge", "The auditor that watches.", [({"version": __version__}, 1)]
    yield "auditor_watch_last_round_timestamp_seconds", "gauge", "When the last round ended.", [({}, figures.at.timestamp())]
    yield "auditor_watch_last_round_seconds", "gauge", "How long the last round took.", [({}, figures.seconds)]
    yield "auditor_watch_last_round_success", "gauge", "Whether the last round worked.", [({}, figures.worked)]
    yield "auditor_watch_rounds_total", "counter", "Rounds since the store was made.", [({}, figures.rounds)]
    yield "auditor_watch_missed", "gauge", "Due times that the last round caught up.", [({}, figures.missed)]
    yield "auditor_watch_notices_pending", "gauge", "Notices that have not reached everyone.", [({}, figures.pending)]
    if figures.next_due is not None:
        yield "auditor_watch_next_round_timestamp_seconds", "gauge", "When the next round is due.", [({}, figures.next_due.timestamp())]
    if figures.report is not None:
        yield from _report_metrics(figures.report)
        states = [(life.severity, life.state) for life in figures.lives]
        lives: list[Sample] = [
            ({"severity": severity, "state": state}, states.count((severity, state)))
            for severity in SEVERITIES
            for state in ("open", "back", "unchecked", "waived")
        ]
        yield "auditor_findings_by_state", "gauge", "Findings that are not fixed, by severity and state.", lives
    counts = [case.state for case in figures.cases]
    cases: list[Sample] = [({"state": state}, counts.count(state)) for state in ("observing", "escalated", "closed")]
    yield "auditor_cases", "gauge", "Observation cases by state.", cases


def _report_metrics(report: Report) -> Iterable[tuple[str, str, str, list[Sample]]]:
    statuses = [host.status for host in report.coverage]
    hosts: list[Sample] = [({"status": status}, statuses.count(status)) for status in sorted(set(statuses))]
    yield "auditor_hosts", "gauge", "Hosts of the last round by how they were seen.", hosts
    severities = [finding.severity for finding in report.findings]
    found: list[Sample] = [({"severity": severity}, severities.count(severity)) for severity in SEVERITIES]
    yield "auditor_findings", "gauge", "Findings of the last round.", found
    yield "auditor_undetermined", "gauge", "Checks of the last round that could not be decided.", [({}, len(report.undetermined))]


def _labels(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def replace_file(file: Path, text: str) -> None:
    """Writes a file beside its place and puts it there in one step, readable by all. Raises ReportError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".tmp", dir=file.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
                os.fchmod(stream.fileno(), 0o644)
            Path(name).replace(file)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ReportError(f"{file} can't be written: {error.strerror or error}", next_step="Choose another file for --metrics.") from error
