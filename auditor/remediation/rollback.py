"""Taking back what failed: automatic where the playbook declares it and the run told the state before, else words for a person."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from auditor.model.errors import AuditorError
from auditor.model.plan import Plan, WaveItem, WaveRecord
from auditor.remediation.lookup import action_of, key
from auditor.remediation.outcome import outcomes
from auditor.remediation.record import Journal
from auditor.remediation.runs import request_of, run_noting
from auditor.remediation.tools import Limits, Tools


def take_back(journal: Journal, plan: Plan, wave: WaveRecord, items: Sequence[WaveItem], tools: Tools, limits: Limits) -> WaveRecord:
    """Run the automatic rollbacks of these items and verify them by reading again; the record says what is left to a person."""
    told: dict[str, str] = {}
    automatic: list[WaveItem] = []
    for item in items:
        if reason := _by_hand(plan, wave, item):
            told[key(item)] = reason
        else:
            automatic.append(item)
            told[key(item)] = "begun"
    wave = _noted(journal, wave, told)
    for remedy in reversed(list(dict.fromkeys(item.remedy for item in automatic))):
        mine = [item for item in automatic if item.remedy == remedy]
        tools.tell(f"taking back {remedy} on {', '.join(item.host for item in mine)}")
        heard: set[str] = set()
        before = {item.host: wave.reports[key(item)].before for item in mine}
        result = run_noting(journal, request_of(plan, mine, tools, limits, check=False, before=before), tools, heard)
        _, failed = outcomes(result, mine, heard)
        told |= {key(item): _failed(plan, item, failed[key(item)]) for item in mine if key(item) in failed}
        wave = _noted(journal, wave, told)
    played = [item for item in automatic if told[key(item)] == "begun"]
    return _noted(journal, wave, told | _verified(wave, played, tools)) if played else wave


def _by_hand(plan: Plan, wave: WaveRecord, item: WaveItem) -> str:
    """What a person does instead; empty where the rollback is automatic."""
    action = action_of(plan, item.remedy)
    report = wave.reports.get(key(item))
    if report is not None and report.outcome in ("refused", "nothing_to_do"):
        return "nothing was changed that could be taken back"
    if action.rollback == "none":
        return f"can't be taken back: {action.rollback_how}"
    if action.rollback == "manual":
        return f"by hand: {action.rollback_how}"
    if report is None:
        return f"by hand, for the run told no state before it: {action.rollback_how}"
    return "" if report.before else "nothing was changed that could be taken back"


def _failed(plan: Plan, item: WaveItem, why: str) -> str:
    return f"failed: {why}; by hand: {action_of(plan, item.remedy).rollback_how or 'put back what the play changed'}"


def _verified(wave: WaveRecord, items: Sequence[WaveItem], tools: Tools) -> dict[str, str]:
    """What reading again says of each host that was taken back."""
    try:
        reading = tools.read(list(dict.fromkeys(item.host for item in items)))
    except AuditorError as error:
        return {key(item): f"played back, and not verified: {error.message}" for item in items}
    found: dict[str, str] = {}
    for item in items:
        before = wave.before.get(item.host)
        if item.host not in reading.digests or before is None:
            found[key(item)] = "played back, and not verified: the host could not be read again"
        elif differences := () if reading.digests[item.host] == before else tools.changed_since(item.host, before):
            found[key(item)] = f"played back, but the host is not as before: {'; '.join(differences[:5])}"
        else:
            found[key(item)] = "taken back: reading again shows the host as before"
    return found


def _noted(journal: Journal, wave: WaveRecord, told: dict[str, str]) -> WaveRecord:
    wave = msgspec.structs.replace(wave, rolled_back={**wave.rolled_back, **told})
    journal.wave(wave)
    return wave
