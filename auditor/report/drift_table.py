"""Differences and history for a terminal or a log. Plain text, safe for any terminal."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.change import Difference, DriftReport, HostDrift
from auditor.model.history import FleetHistory, HostHistory, ProductSpread, RolePoint
from auditor.report.drift_words import (
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
    subject_words,
    value_words,
)
from auditor.report.grid import grid
from auditor.report.text import clip, safe_text
from auditor.report.wording import plural

DEFAULT_WIDTH = 120
VALUE_LIMIT = 160
NOT_COMPARED_SHOWN = 20
RUNS_SHOWN = 12


def drift_table(report: DriftReport, width: int = DEFAULT_WIDTH) -> str:
    """All hosts of a report, ending in a line feed."""
    return "\n\n".join(_host(drift, width) for drift in report.hosts) + "\n"


def _host(drift: HostDrift, width: int) -> str:
    groups = f" ({', '.join(drift.groups)})" if drift.groups else ""
    times = f"as of {drift.at}" + (f", the snapshot before of {drift.previous}" if drift.previous else "")
    parts = [safe_text(f"{drift.host}{groups}, {times}"), safe_text(drift_sentence(drift))]
    parts += [safe_text(f"Note: {note}.") for note in drift.notes]
    head = "\n".join(parts)
    blocks = [head]
    if drift.differences:
        blocks.append(differences_table(drift.differences, width))
    if drift.not_compared:
        shown = [f"  {safe_text(not_compared_words(unseen))}" for unseen in drift.not_compared[:NOT_COMPARED_SHOWN]]
        rest = len(drift.not_compared) - len(shown)
        shown += [f"  ... and {rest} more: see the JSON report"] if rest > 0 else []
        blocks.append("\n".join(["Not compared:", *shown]))
    return "\n\n".join(blocks)


def differences_table(differences: Sequence[Difference], width: int) -> str:
    """A row a difference; what repeats from the row before is left out."""
    rows: list[list[str]] = []
    last = ("", "")
    for difference in ordered(differences):
        place = (safe_text(class_words(difference)), safe_text(clip(subject_words(difference), VALUE_LIMIT)))
        rows.append([*("" if now == before else now for now, before in zip(place, last, strict=True)), *_cells(difference)])
        last = place
    return grid(("Class", "Record", "Field", "Was or should be", "Is", "Against", "Since"), rows, width=width)


def _class(difference: Difference) -> str:
    return safe_text(class_words(difference))


def _cells(difference: Difference) -> list[str]:
    values = [value_words(difference.before), value_words(difference.after)]
    texts = [field_words(difference), *(clip(value, VALUE_LIMIT) for value in values), against_words(difference)]
    since = "\n".join(safe_text(part) for part in since_words(difference).split(", "))
    return [*map(safe_text, texts), since]


def host_history_table(history: HostHistory, width: int = DEFAULT_WIDTH) -> str:
    """One host over time, ending in a line feed."""
    head = safe_text(f"{history.host} ({', '.join(history.groups)}): {plural(len(history.states), 'snapshot')}")
    rows = [
        [safe_text(line.at), safe_text(line.run), str(line.differences), str(line.unexplained), safe_text(", ".join(line.not_seen) or "-")]
        for line in history.states
    ]
    parts = [head, grid(("Collected", "Run", "Differences", "Unexplained", "Not seen in full"), rows, width=width)]
    if history.differences:
        shown = [
            [
                safe_text(difference.since or "-"),
                safe_text(clip(subject_words(difference), VALUE_LIMIT)),
                *_cells(difference)[:3],
                _class(difference),
            ]
            for difference in sorted(history.differences, key=lambda d: d.since or "")
        ]
        parts.append("CHANGES\n" + grid(("Since", "Record", "Field", "Was", "Is", "Class"), shown, width=width))
    if history.findings:
        parts.append("FINDINGS\n" + lives_table(history, width))
    return "\n\n".join(parts) + "\n"


def lives_table(history: HostHistory | FleetHistory, width: int) -> str:
    """Findings with their lives, open ones first."""
    rows = [
        [
            STATE_WORDS[life.state],
            life.severity.upper(),
            safe_text(", ".join(life.hosts)),
            safe_text(life.title),
            safe_text(life_words(life)),
            life.id,
        ]
        for life in history.findings
    ]
    return grid(("State", "Severity", "Hosts", "Finding", "Life", "Id"), rows, width=width)


def fleet_history_table(history: FleetHistory, width: int = DEFAULT_WIDTH) -> str:
    """The fleet over time, ending in a line feed."""
    runs = [
        [
            safe_text(point.run),
            f"{point.seen}/{point.hosts}",
            *map(str, point.findings.values()),
            str(point.undetermined),
        ]
        for point in history.runs
    ]
    severities = [name.capitalize() for name in (history.runs[-1].findings if history.runs else ())]
    parts = ["RUNS\n" + grid(("Run", "Hosts seen", *severities, "Undetermined"), runs, width=width)]
    if history.rules:
        rows = [[rule.severity.upper(), safe_text(rule.rule), safe_text(rule.title), counts_words(rule.counts)] for rule in history.rules]
        parts.append("RULES, findings in each run\n" + grid(("Severity", "Rule", "Title", "Findings"), rows, width=width))
    if history.products:
        rows = [row for product in history.products for row in _spread(product)]
        parts.append("PRODUCTS, hosts with each version in each run\n" + grid(("Product", "Version", "Hosts"), rows, width=width))
    if history.roles:
        rows = [[safe_text(role.role), *_point(point)] for role in history.roles for point in role.points[-RUNS_SHOWN:]]
        heads = ("Role", "Collected", "Hosts", "Unexplained", "Back to baseline", "Expected", "Off its baseline")
        parts.append("DRIFT PER ROLE\n" + grid(heads, rows, width=width))
    if history.findings:
        parts.append("FINDINGS\n" + lives_table(history, width))
    return "\n\n".join(parts) + "\n"


def _spread(product: ProductSpread) -> list[list[str]]:
    rows = [[safe_text(version or "not known"), counts_words(counts)] for version, counts in product.versions.items()]
    return [[safe_text(product.name) if number == 0 else "", *row] for number, row in enumerate(rows)]


def _point(point: RolePoint) -> list[str]:
    off = "no baseline" if point.off is None else str(point.off)
    return [safe_text(point.at), str(point.hosts), str(point.unexplained), str(point.back_to_baseline), str(point.expected), off]
