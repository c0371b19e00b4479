"""One wave: written down, run, read again, judged; what failed is taken back. Every state is in the record before it comes about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from auditor.analysis.planning.verdicts import order_verdict, verdicts
from auditor.model.errors import AuditorError
from auditor.model.plan import FindingVerdict, Plan, WaveItem, WaveRecord
from auditor.model.remedy import HostReport
from auditor.remediation.expectation import expect
from auditor.remediation.lookup import findings_of, host_of, hosts_to_read, key
from auditor.remediation.outcome import NOT_BEGUN, failures, left_to_person, outcomes, person_needed, restart_waiting, to_take_back
from auditor.remediation.record import Journal
from auditor.remediation.rollback import take_back
from auditor.remediation.runs import request_of, run_noting
from auditor.remediation.tools import Limits, Reading, Tools


def run_wave(
    journal: Journal, plan: Plan, number: int, items: Sequence[WaveItem], before: Reading, tools: Tools, limits: Limits
) -> tuple[WaveRecord, Reading | None]:
    """Do the items, read again, judge, take back what failed. Gives the record and the reading after; None where none could be made."""
    begin = tools.now()
    mine = {host: before.digests[host] for host in hosts_to_read(plan, items) if host in before.digests}
    wave = WaveRecord(number=number, state="begun", items=tuple(items), before=mine, run_before=before.run)
    journal.wave(wave)
    expect(tools.store, journal.record, number, items, begin, begin + timedelta(seconds=limits.deadline_seconds))
    for remedy in [action.remedy for action in plan.actions]:
        wave = _run_remedy(journal, plan, wave, remedy, tools, limits)
    after, wave = _judge(journal, plan, wave, before, tools)
    expect(tools.store, journal.record, number, items, begin, tools.now())
    if back := to_take_back(plan, wave):
        wave = take_back(journal, plan, wave, back, tools, limits)
        expect(tools.store, journal.record, number, items, begin, tools.now())
    wave = msgspec.structs.replace(wave, state="failed" if failures(plan, wave) else "done")
    journal.wave(wave)
    return wave, after


def _run_remedy(journal: Journal, plan: Plan, wave: WaveRecord, remedy: str, tools: Tools, limits: Limits) -> WaveRecord:
    """One remedy on the wave's hosts of it; a host on which an earlier one failed is left alone."""
    broken = {item.host for item in wave.items if key(item) in wave.failed}
    items = [item for item in wave.items if item.remedy == remedy and item.host not in broken]
    skipped = [item for item in wave.items if item.remedy == remedy and item.host in broken]
    wave = _with(wave, {}, {key(item): f"{NOT_BEGUN}what came before it on this host failed" for item in skipped})
    by_person = [item for item in items if host_of(plan, item).way == "person"]
    wave = _with(wave, {key(item): _for_person(plan, item) for item in by_person}, {})
    items = [item for item in items if item not in by_person]
    if items:
        tools.tell(f"wave {wave.number}: {remedy} on {', '.join(item.host for item in items)}")
        heard: set[str] = set()
        result = run_noting(journal, request_of(plan, items, tools, limits, check=False), tools, heard)
        wave = _with(wave, *outcomes(result, items, heard))
    journal.wave(wave)
    return wave


def _for_person(plan: Plan, item: WaveItem) -> HostReport:
    steps = host_of(plan, item).steps
    return HostReport(outcome="person_needed", notes=tuple(f"{step.title}: {step.by_hand}" for step in steps if step.by_hand))


def _with(wave: WaveRecord, reports: dict[str, HostReport], failed: dict[str, str]) -> WaveRecord:
    return msgspec.structs.replace(wave, reports={**wave.reports, **reports}, failed={**wave.failed, **failed})


def _judge(journal: Journal, plan: Plan, wave: WaveRecord, before: Reading, tools: Tools) -> tuple[Reading | None, WaveRecord]:
    """Reads the hosts again, whatever the plays said."""
    tools.tell(f"wave {wave.number}: reading its hosts again")
    try:
        after = tools.read(hosts_to_read(plan, wave.items))
    except AuditorError as error:
        unread = [finding.id for finding in findings_of(plan, wave.items)]
        unread += [key(item) for item in wave.items if not host_of(plan, item).findings]
        told = tuple(FindingVerdict(finding=one, verdict="not_checked", reason=f"not read again: {error.message}") for one in unread)
        wave = msgspec.structs.replace(wave, verdicts=told)
        journal.wave(wave)
        return None, wave
    wave = msgspec.structs.replace(
        wave,
        after={host: after.digests[host] for host in hosts_to_read(plan, wave.items) if host in after.digests},
        run_after=after.run,
        verdicts=judged(plan, wave, before, after),
    )
    journal.wave(wave)
    return after, wave


def judged(plan: Plan, wave: WaveRecord, before: Reading, after: Reading) -> tuple[FindingVerdict, ...]:
    """The verdicts on what a wave did, by another reading."""
    waiting = restart_waiting(wave.reports, wave.items)
    found = verdicts(findings_of(plan, wave.items), before.report, after.report, after.digests, waiting)
    ordered = tuple(_order(wave, item, before, after) for item in wave.items if not host_of(plan, item).findings)
    return (*left_to_person(plan, wave, found), *ordered)


def _order(wave: WaveRecord, item: WaveItem, before: Reading, after: Reading) -> FindingVerdict:
    """An order has no finding that could be gone: what its play said of reading again counts, and whether something new is wrong."""
    found = order_verdict(item.remedy, item.host, before.report, after.report, after.digests)
    if found.verdict != "fixed":
        return found
    if why := wave.failed.get(key(item)):
        return FindingVerdict(finding=key(item), verdict="not_checked", reason=f"the play failed: {why}"[:500])
    if person_needed(wave, item):
        return FindingVerdict(finding=key(item), verdict="not_checked", reason=f"{item.host}: left to a person")
    return found
