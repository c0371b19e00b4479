"""Findings for a spreadsheet: one row a finding and host, undetermined ones included and marked. No cell is taken for a formula."""

from __future__ import annotations

import csv
import io

import msgspec

from auditor.model.finding import Finding, Report
from auditor.report.text import safe_cell
from auditor.report.wording import worst_first

COLUMNS = ("verdict", "severity", "confidence", "host", "role", "rule", "title", "summary", "resolution", "missing", "finding", "run")


def render(report: Report) -> str:
    """Comma-separated values with a header line, lines ended by CR LF as RFC 4180 says."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for finding in [*worst_first(report.findings), *worst_first(report.undetermined)]:
        writer.writerows([safe_cell(cell) for cell in row] for row in _rows(finding, report.run.id))
    for entry in report.waived:
        accepted = msgspec.structs.replace(entry.finding, missing=(f"accepted by {entry.owner} until {entry.until}: {entry.reason}",))
        rows = _rows(accepted, report.run.id)
        writer.writerows([safe_cell(cell) for cell in ("waived", *row[1:])] for row in rows)
    return text.getvalue()


def _rows(finding: Finding, run: str) -> list[list[str]]:
    head = [finding.verdict, finding.severity, finding.confidence]
    tail = [finding.rule, finding.title, finding.summary, finding.resolution, "; ".join(finding.missing), finding.id, run]
    return [[*head, subject.host, subject.role, *tail] for subject in finding.subjects]
