"""The report for a ticket or a wiki, in GitHub's dialect of Markdown.

Values of hosts stand in code spans, so that nothing in them comes to life.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.finding import Edge, Evidence, Finding, HostCoverage, Report
from auditor.report.acceptance import STALE_HEADS, WAIVED_HEADS, stale_row, waived_row, waived_sentence
from auditor.report.statements import merged, own_evidence, supports
from auditor.report.text import clip, is_web_address, markdown_code, safe_markdown
from auditor.report.wording import (
    coverage_sentence,
    edge_words,
    findings_sentence,
    node_words,
    plural,
    rule_names,
    seen_in_full,
    status_words,
    unseen,
    waits,
    why_in_part,
    worst_first,
)

VALUE_LIMIT = 300


def render(report: Report) -> str:
    """The report as Markdown, ending in a line feed."""
    run = report.run
    head = [
        f"# Fleet audit {safe_markdown(run.id)}",
        f"Started {safe_markdown(run.started_at)}, auditor {safe_markdown(run.auditor)}, {plural(run.rules, 'rule')} "
        f"(matrix {markdown_code(run.matrix_digest[:16])}).",
    ]
    findings = [safe_markdown(findings_sentence(report)), *(block for f in worst_first(report.findings) for block in _finding(f))]
    parts = [*head, *_coverage(report), "## Findings", *findings, *_waived(report), *_undetermined(report), *_names(report)]
    return "\n\n".join(parts) + "\n"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; cells must be fit for Markdown already."""
    lines = ["| " + " | ".join(headers) + " |", "| " + " | ".join("---" for _ in headers) + " |"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _cell(text: str) -> str:
    return markdown_code(clip(text, VALUE_LIMIT), in_table=True)


def _coverage(report: Report) -> list[str]:
    rows = [_coverage_row(host) for host in report.coverage]
    return ["## Coverage", safe_markdown(coverage_sentence(report)), table(("Host", "Seen", "Sections", "What was not seen"), rows)]


def _coverage_row(host: HostCoverage) -> list[str]:
    asked = [s for s in host.sections if s.status != "not_asked"]
    seen = f"{sum(s.status == 'ok' for s in asked)}/{len(asked)}" if asked else "-"
    word = "in full" if seen_in_full(host) else "in part" if host.status in ("ok", "partial") else status_words(host.status)
    gaps = [f"{s.name}: {safe_markdown(s.reason or status_words(s.status))}" for s in unseen(host)]
    gaps = [safe_markdown(why), *gaps] if gaps and (why := why_in_part(host)) else gaps
    gaps = gaps or ([safe_markdown(host.reason)] if host.reason and not seen_in_full(host) else [])
    return [_cell(host.host), word, seen, "<br>".join(gaps) or "-"]


def _finding(finding: Finding) -> list[str]:
    hosts = ", ".join(_cell(s.host) + (f" ({safe_markdown(s.role)})" if len(finding.subjects) > 1 else "") for s in finding.subjects)
    facts = [f"- **Severity:** {finding.severity}", f"- **Confidence:** {finding.confidence}", f"- **Hosts:** {hosts}"]
    facts += [f"- **Rule:** {markdown_code(finding.rule)}, finding {markdown_code(finding.id)}"]
    for name, text in (("Mechanism", finding.mechanism), ("Effect", finding.effect), ("Resolution", finding.resolution)):
        facts += [f"- **{name}:** {safe_markdown(text)}"] if text else []
    facts += [f"- **Remedy:** playbook {markdown_code(finding.remedy)}"] if finding.remedy else []
    facts += [f"- **Source:** {_reference(reference)}" for reference in finding.references]
    blocks = [f"### {safe_markdown(finding.title)}", *([safe_markdown(finding.summary)] if finding.summary else []), "\n".join(facts)]
    if own := own_evidence(finding):
        blocks.append(table(("Host", "Section", "Record", "What it says", "Evidence of"), [_evidence_row(e) for e in own]))
    if finding.edges:
        blocks.append(table(("From", "Tie", "To", "Claimed by", "Evidence"), [_edge_row(e) for e in merged(finding.edges)]))
    return blocks


def _reference(reference: str) -> str:
    if is_web_address(reference):
        return f"<{reference}>"
    return safe_markdown("the founding incident" if reference == "incident" else reference)


def _evidence_row(evidence: Evidence) -> list[str]:
    words = f"{safe_markdown(evidence.field)} {_cell(evidence.value)}".removesuffix(" -").strip() or "is there"
    return [_cell(evidence.host), safe_markdown(evidence.section), _cell(evidence.record), words, safe_markdown(supports(evidence)) or "-"]


def _edge_row(edge: Edge) -> list[str]:
    evidence = "<br>".join(f"{safe_markdown(e.section)} {_cell(e.record)} {_cell(e.value)}".removesuffix(" -") for e in edge.evidence)
    ends = _cell(node_words(edge.source)), safe_markdown(edge_words(edge)), _cell(node_words(edge.target))
    return [*ends, _cell(edge.claimant), evidence or "-"]


def _waived(report: Report) -> list[str]:
    blocks: list[str] = []
    if report.waived:
        rows = [[safe_markdown(text) for text in waived_row(entry)] for entry in report.waived]
        blocks += ["## Waived", waived_sentence(report), table(WAIVED_HEADS, rows)]
    if report.stale_waivers:
        rows = [[safe_markdown(text) for text in stale_row(entry)] for entry in report.stale_waivers]
        blocks += ["## Stale waivers", table(STALE_HEADS, rows)]
    return blocks


def _undetermined(report: Report) -> list[str]:
    if not report.undetermined:
        return []
    rows = [[str(len(w.findings)), safe_markdown(rule_names(w.findings)), safe_markdown(w.missing)] for w in waits(report)]
    head = f"{plural(len(report.undetermined), 'check')} could not be decided; none of them counts as passed."
    return ["## Undetermined", head, table(("Checks", "Rules", "What would have to be known"), rows)]


def _names(report: Report) -> list[str]:
    return ["## Names without a host", "\n".join(f"- {safe_markdown(name)}" for name in report.unresolved)] if report.unresolved else []
