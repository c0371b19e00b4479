"""The report for a terminal or a log: coverage, findings, what could not be decided. Plain text, safe for any terminal."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.finding import Finding, HostCoverage, Report
from auditor.report.acceptance import STALE_HEADS, WAIVED_HEADS, stale_row, waived_row, waived_sentence
from auditor.report.grid import grid
from auditor.report.text import clip, safe_text
from auditor.report.wording import (
    alike,
    coverage_sentence,
    findings_sentence,
    hosts_of,
    plural,
    rule_names,
    seen_in_full,
    sentence,
    status_words,
    unseen,
    waits,
    why_in_part,
)

DEFAULT_WIDTH = 120
WAITS_SHOWN = 40
HOSTS_SHOWN = 20
"""Hosts that are named in one row; the JSON and HTML reports name all."""
HOST_WIDTH = 40


def render(report: Report, *, width: int = DEFAULT_WIDTH) -> str:
    """The report as text of at most about `width` columns, ending in a line feed."""
    run = report.run
    rules = f"{plural(run.rules, 'rule')} (matrix {run.matrix_digest[:12]})"
    head = f"Fleet audit {run.id}, started {run.started_at}\nauditor {run.auditor}, {rules}"
    parts = [safe_lines(head), _coverage(report, width), _findings(report, width), _waived(report, width), _undetermined(report, width)]
    parts += [_unresolved(report)]
    return "\n\n".join(part for part in parts if part) + "\n"


def safe_lines(text: str) -> str:
    """Several lines of our own making, each made safe."""
    return "\n".join(safe_text(line) for line in text.split("\n"))


def _coverage(report: Report, width: int) -> str:
    return f"COVERAGE\n{coverage_sentence(report)}\n\n{coverage_table(report.coverage, width)}"


def coverage_table(coverage: Sequence[HostCoverage], width: int = DEFAULT_WIDTH) -> str:
    """How much of each host was seen, and why not more."""
    return grid(("Host", "Seen", "Sections", "What was not seen"), [_coverage_row(host) for host in coverage], width=width)


def _coverage_row(host: HostCoverage) -> list[str]:
    asked = [s for s in host.sections if s.status != "not_asked"]
    seen = f"{sum(s.status == 'ok' for s in asked)}/{len(asked)}" if asked else "-"
    why = why_in_part(host) if unseen(host) else host.reason
    gaps = [sentence(why)] if why else []
    gaps += [f"{s.name}: {s.reason or status_words(s.status)}" for s in unseen(host)]
    gaps += [sentence(host.next_step)] if host.next_step and not seen_in_full(host) else []
    word = "in full" if seen_in_full(host) else "in part" if host.status in ("ok", "partial") else status_words(host.status)
    return [safe_text(host.host), word, seen, safe_lines("\n".join(gaps))]


def _findings(report: Report, width: int) -> str:
    head = f"FINDINGS\n{findings_sentence(report)}"
    if not report.findings:
        return head
    return f"{head}\n\n{findings_table(report.findings, width)}"


def findings_table(findings: Sequence[Finding], width: int = DEFAULT_WIDTH) -> str:
    """Findings worst first, those of one rule on several hosts in one row."""
    heads = ("Severity", "Confidence", "Hosts", "Finding", "Id")
    rows = [row for group in alike(findings) for row in (_finding_row(group), [" "] * len(heads))]
    return grid(heads, rows[:-1], width=width)


def _finding_row(group: tuple[Finding, ...]) -> list[str]:
    """One row for a finding, or for those of one rule on several hosts; then host and id stand on the same line."""
    first = group[0]
    if len(group) > 1:
        more = [f"and {len(group) - HOSTS_SHOWN} more"] if len(group) > HOSTS_SHOWN else []
        hosts = [*(clip(safe_text(hosts_of(finding)), HOST_WIDTH) for finding in group[:HOSTS_SHOWN]), *more]
        text, ids = f"{first.title}\nOn {plural(len(group), 'host')}.", [finding.id for finding in group[:HOSTS_SHOWN]]
    else:
        text = f"{first.title}\n{first.summary}" if first.summary else first.title
        hosts = [f"{s.host} ({s.role})" if len(first.subjects) > 1 else s.host for s in first.subjects]
        ids = [first.id]
    return [first.severity.upper(), first.confidence, safe_lines("\n".join(hosts)), safe_lines(text), "\n".join(ids)]


def _waived(report: Report, width: int) -> str:
    parts = []
    if report.waived:
        rows = [[safe_text(text) for text in waived_row(entry)] for entry in report.waived]
        parts.append(f"WAIVED\n{waived_sentence(report)}\n\n{grid(WAIVED_HEADS, rows, width=width)}")
    if report.stale_waivers:
        rows = [[safe_text(text) for text in stale_row(entry)] for entry in report.stale_waivers]
        parts.append(f"STALE WAIVERS\n{grid(STALE_HEADS, rows, width=width)}")
    return "\n\n".join(parts)


def _undetermined(report: Report, width: int) -> str:
    if not report.undetermined:
        return ""
    found = waits(report)
    rows = [[str(len(wait.findings)), safe_text(rule_names(wait.findings)), safe_text(wait.missing)] for wait in found[:WAITS_SHOWN]]
    table = grid(("Checks", "Rules", "What would have to be known"), rows, width=width)
    rest = f"\n... and {len(found) - WAITS_SHOWN} more gaps: see the JSON or HTML report." if len(found) > WAITS_SHOWN else ""
    head = f"{plural(len(report.undetermined), 'check')} could not be decided; none of them counts as passed."
    return f"UNDETERMINED\n{head}\n\n{table}{rest}"


def _unresolved(report: Report) -> str:
    if not report.unresolved:
        return ""
    return "NAMES WITHOUT A HOST\n" + "\n".join(f"- {safe_text(name)}" for name in report.unresolved)


def one_line(finding: Finding) -> str:
    """A finding on one line, for progress and for lists."""
    return safe_text(f"{finding.severity} {finding.rule} {hosts_of(finding)} {finding.id}")
