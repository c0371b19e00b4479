"""Differences and history for a ticket or a wiki, in GitHub's dialect of Markdown.

Values of hosts stand in code spans or in fenced blocks that no line of theirs can end. Longer texts are shown as a diff of lines.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from auditor.model.change import DIFFERENCE_CLASSES, Difference, DriftReport, HostDrift
from auditor.model.history import FleetHistory, HostHistory, RolePoint
from auditor.report.drift_words import (
    CLASS_WORDS,
    STATE_WORDS,
    against_words,
    class_words,
    counts_words,
    drift_sentence,
    field_words,
    life_words,
    not_compared_words,
    ordered,
    since_words,
    value_words,
)
from auditor.report.markdown import table
from auditor.report.text import clip, markdown_code, safe_markdown, safe_text

VALUE_LIMIT = 300
LINES_SHOWN = 120
_LONG = 2
"""From so many lines on a text is shown as a diff."""


def drift_markdown(report: DriftReport) -> str:
    """All hosts of a report, ending in a line feed."""
    blocks = [block for drift in report.hosts for block in _host(drift)]
    return "\n\n".join(blocks) + "\n"


def _host(drift: HostDrift) -> list[str]:
    when = f"State of {safe_markdown(drift.at or '-')}" + (f", before: {safe_markdown(drift.previous)}" if drift.previous else "")
    blocks = [f"## Drift of {markdown_code(drift.host)}", f"{when}. {safe_markdown(drift_sentence(drift))}"]
    blocks += ["\n".join(f"- {safe_markdown(note)}" for note in drift.notes)] if drift.notes else []
    for name in DIFFERENCE_CLASSES:
        chosen = ordered(d for d in drift.differences if d.class_ == name)
        if chosen:
            blocks += [f"### {CLASS_WORDS[name].capitalize()}", differences_markdown(chosen), *_long_texts(chosen)]
    if drift.not_compared:
        lines = "\n".join(f"- {safe_markdown(not_compared_words(unseen))}" for unseen in drift.not_compared)
        blocks += ["### Not compared", lines]
    return blocks


def differences_markdown(differences: Sequence[Difference]) -> str:
    """A table with a row a difference."""
    heads = ("Section", "Record", "Field", "Was or should be", "Is", "Against", "Since", "Class")
    return table(heads, [_row(difference) for difference in differences])


def _row(difference: Difference) -> list[str]:
    return [
        safe_markdown(difference.section),
        _cell(difference.key),
        safe_markdown(field_words(difference)),
        _value(difference, difference.before),
        _value(difference, difference.after),
        safe_markdown(against_words(difference)),
        safe_markdown(since_words(difference)),
        safe_markdown(class_words(difference)),
    ]


def _cell(text: str) -> str:
    return markdown_code(clip(text, VALUE_LIMIT), in_table=True)


def _value(difference: Difference, value: Any) -> str:
    if _is_long(difference):
        return f"{len(str(value or '').splitlines())} lines, see below"
    words = value_words(value)
    return words if words == "-" else _cell(words)


def _is_long(difference: Difference) -> bool:
    texts = (difference.before, difference.after)
    return all(isinstance(text, str) for text in texts) and any(len(str(text).splitlines()) >= _LONG for text in texts)


def _long_texts(differences: Sequence[Difference]) -> list[str]:
    """Unified diffs of texts with several lines."""
    blocks = []
    for difference in differences:
        if _is_long(difference):
            title = f"{safe_markdown(difference.section)} {_cell(difference.key)}, {safe_markdown(difference.field)}:"
            blocks += [title, fenced(_unified(str(difference.before), str(difference.after)))]
    return blocks


def _unified(before: str, after: str) -> list[str]:
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "now", lineterm="", n=2))
    shown = [safe_text(line) for line in lines[:LINES_SHOWN]]
    return [*shown, f"... {len(lines) - LINES_SHOWN} more lines"] if len(lines) > LINES_SHOWN else shown


def fenced(lines: Sequence[str]) -> str:
    """A block that none of its lines can end."""
    longest = max((len(run) for line in lines for run in re.findall(r"`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}diff", *lines, fence])


def host_history_markdown(history: HostHistory) -> str:
    """One host over time, ending in a line feed."""
    states = [
        [safe_markdown(s.at), _cell(s.run), str(s.differences), str(s.unexplained), safe_markdown(", ".join(s.not_seen)) or "-"]
        for s in history.states
    ]
    blocks = [
        f"## History of {markdown_code(history.host)}",
        table(("Collected", "Run", "Differences", "Unexplained", "Not seen in full"), states),
    ]
    if history.differences:
        chosen = sorted(history.differences, key=lambda d: d.since or "")
        blocks += ["### Changes", differences_markdown(chosen), *_long_texts(chosen)]
    return "\n\n".join([*blocks, *_lives(history)]) + "\n"


def fleet_history_markdown(history: FleetHistory) -> str:
    """The fleet over time, ending in a line feed."""
    runs = [[_cell(p.run), f"{p.seen}/{p.hosts}", *map(str, p.findings.values()), str(p.undetermined)] for p in history.runs]
    severities = [name.capitalize() for name in (history.runs[-1].findings if history.runs else ())]
    blocks = ["## History of the fleet", table(("Run", "Hosts seen", *severities, "Undetermined"), runs)]
    if history.rules:
        rows = [[rule.severity, _cell(rule.rule), safe_markdown(rule.title), counts_words(rule.counts)] for rule in history.rules]
        blocks += ["### Rules", table(("Severity", "Rule", "Title", "Findings in each run"), rows)]
    if history.products:
        rows = [
            [safe_markdown(product.name), _cell(version or "not known"), counts_words(counts)]
            for product in history.products
            for version, counts in product.versions.items()
        ]
        blocks += ["### Products", table(("Product", "Version", "Hosts in each run"), rows)]
    if history.roles:
        rows = [[safe_markdown(role.role), *_point(point)] for role in history.roles for point in role.points]
        heads = ("Role", "Collected", "Hosts", "Unexplained", "Back to baseline", "Expected", "Off its baseline")
        blocks += ["### Drift per role", table(heads, rows)]
    return "\n\n".join([*blocks, *_lives(history)]) + "\n"


def _point(point: RolePoint) -> list[str]:
    counts = map(str, (point.hosts, point.unexplained, point.back_to_baseline, point.expected))
    return [safe_markdown(point.at), *counts, "-" if point.off is None else str(point.off)]


def _lives(history: HostHistory | FleetHistory) -> list[str]:
    if not history.findings:
        return []
    rows = [
        [
            STATE_WORDS[life.state],
            life.severity,
            _cell(", ".join(life.hosts)),
            safe_markdown(life.title),
            safe_markdown(life_words(life)),
            _cell(life.id),
        ]
        for life in history.findings
    ]
    return ["### Findings", table(("State", "Severity", "Hosts", "Finding", "Life", "Id"), rows)]
