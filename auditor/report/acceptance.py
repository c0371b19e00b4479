"""Accepted findings and stale waivers as every format tells them. Pure; lays nothing out."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model.finding import Report, Waived
from auditor.model.waiver import StaleWaiver
from auditor.report.wording import hosts_of, plural

WAIVED_HEADS = ("Severity", "Hosts", "Finding", "Accepted by", "Until", "Reason", "Waiver")
STALE_HEADS = ("Waiver", "Owner", "What is wrong", "Where it stands")
_WORDS = {
    "malformed": "is wrong",
    "expired": "has expired",
    "unknown_rule": "names no rule",
    "unused": "waives nothing",
    "ends_soon": "ends soon",
}


def waived_sentence(report: Report) -> str:
    """How many findings are accepted; empty where none is."""
    count = len(report.waived)
    return f"{plural(count, 'finding')} {'is' if count == 1 else 'are'} accepted for a time: waived, not gone." if count else ""


def waived_row(entry: Waived) -> Sequence[str]:
    """One accepted finding, a text a column."""
    finding = entry.finding
    return (finding.severity, hosts_of(finding), f"{finding.title} ({finding.id})", entry.owner, entry.until, entry.reason, entry.waiver)


def stale_row(entry: StaleWaiver) -> Sequence[str]:
    """One stale waiver, a text a column."""
    return (entry.id or "-", entry.owner or "-", f"{_WORDS[entry.why]}: {entry.message}", entry.place)
