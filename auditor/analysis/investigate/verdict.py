"""A case to its two answers: looks for all signs, weighs them, and says what to do next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from auditor.analysis.investigate.case import Case
from auditor.analysis.investigate.signs_activity import activity_signs
from auditor.analysis.investigate.signs_attack import attack_signs
from auditor.analysis.investigate.signs_change import change_signs
from auditor.analysis.investigate.signs_crash import crash_signs
from auditor.analysis.investigate.signs_driver import driver_signs
from auditor.analysis.investigate.signs_host import host_signs
from auditor.analysis.investigate.signs_rules import rule_signs
from auditor.analysis.investigate.weigh import weigh
from auditor.model.finding import Finding
from auditor.model.hypothesis import Hypothesis, Remedy, Sign

_READERS: tuple[tuple[Callable[[Case], Iterable[Sign]], str], ...] = (
    (crash_signs, "dumps"),
    (driver_signs, "drivers"),
    (host_signs, "events"),
    (activity_signs, "tasks"),
    (rule_signs, "rules"),
    (attack_signs, "services"),
    (change_signs, "drivers"),
)
"""What looks for signs, and the section whose records as a whole say that there is none."""
_OTHER_SECTIONS = {
    "page_file_volume_dirty": "memory", "last_logon_from_tied": "logons", "logon_shortly_before": "logons",
    "security_update_here": "events", "security_update_on_tied": "events", "service_changed_state": "events", "served_by_fleet": "network",
    "attack_entries": "firewall", "attack_several": "firewall", "dropped_burst": "firewall", "software_changed": "programs",
}  # fmt: skip
ALL_RECORDS = "all records"
_STEPS, _MISSING = 3, 3


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The answers to one case."""

    signs: tuple[Sign, ...]
    proximate: tuple[Hypothesis, ...]
    trigger: tuple[Hypothesis, ...]
    steps: tuple[str, ...]
    remedies: tuple[Remedy, ...]


def decide(case: Case) -> Verdict:
    """What fell and what pushed, ranked."""
    signs = tuple(_grounded(case, sign, section) for reader, section in _READERS for sign in reader(case))
    proximate = weigh(signs, case.known.hypotheses, "proximate")
    trigger = weigh(signs, case.known.hypotheses, "trigger")
    remedies = _remedies(case.seen.findings, trigger)
    return Verdict(
        signs=signs,
        proximate=_told(case, proximate),
        trigger=trigger,
        steps=(*_plans(remedies), *_steps(proximate, trigger)),
        remedies=remedies,
    )


def _grounded(case: Case, sign: Sign, section: str) -> Sign:
    """A decided sign without a record of its own rests on the whole section: that nothing in it says so."""
    if sign.state is None or sign.evidence:
        return sign
    place = _OTHER_SECTIONS.get(sign.id, section)
    return msgspec.structs.replace(sign, evidence=(case.host.evidence(place, ALL_RECORDS, about="absence"),))


def _told(case: Case, proximate: Sequence[Hypothesis]) -> tuple[Hypothesis, ...]:
    """What fell, with the image and what its instruction did in the title of the first answer."""
    if not proximate or not proximate[0].subject or case.crash is None:
        return tuple(proximate)
    first = proximate[0]
    what = next((line.text for line in first.speaks_for if line.sign == "null_pointer"), "")
    return (msgspec.structs.replace(first, title=f"{first.title}: {what or first.subject}"), *proximate[1:])


def _steps(*rankings: Sequence[Hypothesis]) -> tuple[str, ...]:
    """What the leading answers ask for, then what would settle them, then what was missing."""
    leading = [h for ranking in rankings for h in ranking[:2] if h.confidence is not None and (h.speaks_for or h is ranking[0])]
    steps = [step for h in leading for step in h.steps[:_STEPS]]
    steps += [f"settle “{h.title}”: {way}" for h in leading[:3] for way in h.settle[:2]]
    steps += [f"missing for “{h.title}”: {line.text}" for h in leading for line in h.missing[:_MISSING]]
    return tuple(dict.fromkeys(steps))


def _plans(remedies: Iterable[Remedy]) -> tuple[str, ...]:
    """How to have what a rule offers planned; a plan changes nothing by itself."""
    return tuple(f"see what the remedy would do: auditor remediate plan --finding {item.finding}" for item in remedies if item.remedy)


def _remedies(findings: Iterable[Finding], trigger: Sequence[Hypothesis]) -> tuple[Remedy, ...]:
    """What the rules behind the leading triggers offer, the first answer's first."""
    by_id = {finding.id: finding for finding in findings}
    wanted = dict.fromkeys(id_ for h in trigger if h.confidence is not None for id_ in h.findings)
    return tuple(
        Remedy(finding=f.id, rule=f.rule, title=f.title, resolution=f.resolution, remedy=f.remedy, confidence=f.confidence)
        for id_ in wanted
        if (f := by_id.get(id_)) is not None
    )
