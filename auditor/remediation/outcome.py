"""What a run did on each host of a wave, and which of it counts as failed. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from auditor.model.plan import FindingVerdict, Plan, WaveItem, WaveRecord
from auditor.model.remedy import HostReport, RunResult
from auditor.remediation.lookup import items_of, key

WELL = frozenset({"done", "nothing_to_do", "would_change", "person_needed"})
NOT_BEGUN = "not begun: "
"""How a failure begins that left the host as it was."""
_WORDS = {
    "managed_elsewhere": "the change did not stay: it is managed elsewhere, by a central policy or tamper protection",
    "refused": "the play refused: a precondition does not hold",
    "failed": "the play failed",
    "not_reported": "the play told nothing at its end",
}


def outcomes(result: RunResult, items: Sequence[WaveItem], heard: Collection[str]) -> tuple[dict[str, HostReport], dict[str, str]]:
    """Reports and failures of a run by item. `heard` are hosts of which a task's end was told: on others nothing was begun."""
    reports: dict[str, HostReport] = {}
    failed: dict[str, str] = {}
    for item in items:
        report = result.reports.get(item.host)
        if report is not None:
            reports[key(item)] = report
        if why := _why_failed(result, item.host, report, item.host in heard):
            failed[key(item)] = why
    return reports, failed


def _why_failed(result: RunResult, host: str, report: HostReport | None, heard: bool) -> str:
    told = result.failed.get(host, "")
    if report is not None and report.outcome not in WELL:
        notes = "; ".join(report.notes[:3])
        return ": ".join(text for text in (_WORDS.get(report.outcome, report.outcome), notes or told) if text)
    if told:
        return told
    if report is None:
        lead = "" if heard else NOT_BEGUN
        return lead + (result.reason or "the play told nothing at its end")
    return ""


def person_needed(wave: WaveRecord, item: WaveItem) -> bool:
    """Whether the item was left to a person."""
    report = wave.reports.get(key(item))
    return report is not None and report.outcome == "person_needed"


def left_to_person(plan: Plan, wave: WaveRecord, verdicts: Sequence[FindingVerdict]) -> tuple[FindingVerdict, ...]:
    """The verdicts, where a finding that is still there because a person has yet to act counts as not checked."""
    found = []
    for verdict in verdicts:
        items = items_of(plan, verdict.finding, wave.items)
        if verdict.verdict == "still_there" and items and all(person_needed(wave, item) for item in items):
            hosts = ", ".join(item.host for item in items)
            found.append(FindingVerdict(finding=verdict.finding, verdict="not_checked", reason=f"{hosts}: left to a person"))
        else:
            found.append(verdict)
    return tuple(found)


def failures(plan: Plan, wave: WaveRecord) -> dict[str, str]:
    """Items that count as failed, each with why: the play failed, or reading again shows no cure."""
    found = dict(wave.failed)
    for verdict in wave.verdicts:
        if verdict.verdict == "fixed":
            continue
        for item in _concerned(plan, wave, verdict):
            if not person_needed(wave, item):
                found.setdefault(key(item), f"{verdict.verdict.replace('_', ' ')}: {verdict.reason}")
    return found


def to_take_back(plan: Plan, wave: WaveRecord) -> list[WaveItem]:
    """Items that are taken back: the play failed there, or the finding is still there or worse."""
    bad = {key(item) for v in wave.verdicts if v.verdict in ("still_there", "got_worse") for item in _concerned(plan, wave, v)}
    begun = [item for item in wave.items if not wave.failed.get(key(item), "").startswith(NOT_BEGUN) and not person_needed(wave, item)]
    return [item for item in begun if key(item) in wave.failed or key(item) in bad]


def _concerned(plan: Plan, wave: WaveRecord, verdict: FindingVerdict) -> list[WaveItem]:
    ordered = [item for item in wave.items if key(item) == verdict.finding]
    return ordered or items_of(plan, verdict.finding, wave.items)


def restart_waiting(reports: Mapping[str, HostReport], items: Sequence[WaveItem]) -> set[str]:
    """Hosts that said that they need a restart."""
    return {item.host for item in items if (report := reports.get(key(item))) is not None and report.restart_needed}
