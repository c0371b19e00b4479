"""`auditor matrix coverage`: which rules could be decided on the fleet in the store, which not, and why."""

from __future__ import annotations

from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.matrix import load
from auditor.cli.say import Outputs, width
from auditor.model.errors import UsageError


@verb("coverage", flag("--all", is_flag=True, help="Also rules that were decided everywhere or came into question nowhere."))
def coverage(every: Everywhere, all: bool) -> int:
    """Evaluate the rules over the last result of each host in the store, and say where they could not be decided and what was missing."""
    from datetime import UTC, datetime

    from auditor.analysis.fleet.fleet import build_fleet
    from auditor.analysis.rules.evaluate import evaluate_rules
    from auditor.analysis.rules.rule_coverage import rule_coverage
    from auditor.analysis.rules.ruleset import RuleSet
    from auditor.report.grid import grid
    from auditor.report.json_ import json_text
    from auditor.report.text import safe_text
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, ("table", "json"))
    matrix = load(every)
    with open_store(every.store or default_path(), create=False) as store:
        hosts = list(store.latest_results())
    if not hosts:
        raise UsageError("the store holds no results", next_step="Run `auditor collect` first, or name the store with --store.")
    snapshots = {host.target.name: host.result.snapshot for host in hosts if host.result.snapshot is not None}
    reasons = {host.target.name: host.result.reason for host in hosts if host.result.snapshot is None}
    fleet = build_fleet(snapshots, [host.target for host in hosts], matrix, reasons)
    lines = rule_coverage(evaluate_rules(fleet, RuleSet(matrix, datetime.now(UTC).date().isoformat())), matrix)
    shown = [line for line in lines if all or line.decided in ("nowhere", "partly")]
    rows = [
        [line.rule, line.severity, line.decided.replace("_", " "), str(line.hosts), str(line.undetermined), _why(line.reasons)]
        for line in shown
    ]
    counts = {word: sum(line.decided == word for line in lines) for word in ("everywhere", "partly", "nowhere", "not_applicable")}
    told = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in counts.items())
    head = ["Rule", "Severity", "Decided", "On", "Open", "What was missing"]
    text = grid(head, [[safe_text(cell) for cell in row] for row in rows], width=width()) + "\n" if rows else ""
    document = {"schema_version": 1, "digest": matrix.digest, "hosts": len(hosts), "counts": counts, "rules": lines}
    summary = f"{len(lines)} rules over {len(snapshots)} of {len(hosts)} hosts: {told}\n"
    outputs.emit({"table": lambda: text + summary, "json": lambda: json_text(document)})
    outputs.say_files()
    return 0


def _why(reasons: tuple[tuple[str, int], ...]) -> str:
    return "; ".join(f"{text} ({count})" if count > 1 else text for text, count in reasons)
