"""The pre-check as a whole: waves of changes over a fleet, each wave held against the state before it. Pure; the fleet stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.fleet.forking import fork_fleet
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.precheck.apply import apply_change
from auditor.analysis.precheck.compare import (
    Comparison,
    Side,
    accept,
    compare,
    further_hosts,
    looks_at_files,
    waits_for_exclusions,
    waits_for_files,
)
from auditor.analysis.precheck.leaving import left_bare
from auditor.analysis.precheck.prerequisites import prerequisites
from auditor.analysis.precheck.radius import radius_of
from auditor.analysis.precheck.state import State, facts_of
from auditor.analysis.precheck.vouching import vouched
from auditor.analysis.products.detect import Detector
from auditor.analysis.rules.evaluate import Around, Candidates, ForkedCandidates, ScannedCandidates, evaluate_rules
from auditor.analysis.rules.ruleset import RuleSet
from auditor.analysis.rules.waive import Scope, expired, waived_by
from auditor.model.finding import Evidence, Finding, Waived
from auditor.model.grade import SEVERITIES
from auditor.model.waiver import Waivers
from auditor.model.whatif import ANSWERS, CHANGE_SECTION, Answer, Delta, Elsewhere, HostAnswer, Prerequisite, Wave

NO_WAIVERS = Waivers()
_COMING = ("install", "upgrade", "os_upgrade")
"""Kinds of changes that bring what the user sets up, and files that nobody has seen."""
SAYS_NO = SEVERITIES.index("high")
"""From this severity on an added violation is a no-go, whatever its confidence."""


class Moment(NamedTuple):
    """A fleet between waves."""

    fleet: Fleet
    states: Mapping[str, State]
    candidates: Candidates


class Outcome(NamedTuple):
    """What the waves come to."""

    hosts: tuple[HostAnswer, ...]
    elsewhere: tuple[Elsewhere, ...]

    @property
    def elsewhere_answers(self) -> tuple[Answer, ...]:
        """What the waves mean for hosts that they do not change."""
        return tuple(
            _word(
                [delta for delta in found.deltas if delta.how in ("added", "worsened")],
                [delta for delta in found.deltas if delta.how == "open"],
                (),
            )
            for found in self.elsewhere
        )


def check_waves(
    fleet: Fleet,
    waves: Sequence[Wave],
    rules: RuleSet,
    detector: Detector,
    now: datetime,
    candidates: Candidates | None = None,
    waivers: Waivers = NO_WAIVERS,
) -> Outcome:
    """One wave after the other, each on what the ones before have left. The hosts of all waves are collected ones of the fleet."""
    moment = Moment(fleet, {}, candidates or ScannedCandidates(rules))
    answers: list[HostAnswer] = []
    elsewhere: list[Elsewhere] = []
    for wave in waves:
        moment, found, others = _check_wave(moment, wave, rules, detector, now, waivers)
        answers += found
        elsewhere += [Elsewhere(wave=wave.name, deltas=others)] if others else []
    return Outcome(tuple(answers), tuple(elsewhere))


def worst(answers: Iterable[Answer]) -> Answer:
    """The first of the four that any host has; go where there is none."""
    return min(answers, key=ANSWERS.index, default="go")


def _check_wave(
    moment: Moment, wave: Wave, rules: RuleSet, detector: Detector, now: datetime, waivers: Waivers
) -> tuple[Moment, list[HostAnswer], tuple[Delta, ...]]:
    states, needs = {}, {}
    for host in wave.hosts:
        states[host], needs[host] = _changed(moment, host, wave, detector)
    names = frozenset(wave.hosts)
    after = fork_fleet(moment.fleet, {host: facts_of(state, detector) for host, state in states.items()})
    around = Around(names, further_hosts(moment.fleet, after, rules, names, moment.candidates))
    later = ForkedCandidates(moment.candidates, moment.fleet, names)
    old = Side(moment.fleet, evaluate_rules(moment.fleet, rules, around, moment.candidates))
    new = Side(after, evaluate_rules(after, rules, around, later))
    brought = [evidence for host, state in states.items() for evidence in (*state.brought, *_new_products(moment.fleet.hosts[host], wave))]
    difference = accept(compare(old, new, rules, brought), lambda finding: _accepted(after, waivers, finding, now))
    answers = [
        _answer(moment.fleet.hosts[host], wave, states[host], _of_host(difference, host), needs[host], new, rules, now)
        for host in wave.hosts
    ]
    others = tuple(
        delta for delta in (*difference.added, *_serious(difference.open), *difference.cured) if not names & set(_hosts(delta.finding))
    )
    return Moment(after, {**moment.states, **states}, later), answers, others


def _changed(moment: Moment, host: str, wave: Wave, detector: Detector) -> tuple[State, list[Prerequisite]]:
    """The host after the wave's changes, with what had to be met before each of them."""
    facts = moment.fleet.hosts[host]
    state = moment.states.get(host) or State(snapshot=facts.snapshot, groups=facts.groups, before=facts)
    needs: dict[Prerequisite, None] = {}
    for number, change in enumerate(wave.changes):
        facts = facts_of(state, detector)
        fleet = moment.fleet if number == 0 else fork_fleet(moment.fleet, {host: facts})
        found = prerequisites(fleet, facts, change)
        needs |= dict.fromkeys(need for need in found if number == 0 or need.kind != "restart")
        state = apply_change(state, change, detector)
    return state, list(needs)


def _accepted(fleet: Fleet, waivers: Waivers, finding: Finding, now: datetime) -> Waived | None:
    """Who accepts a finding, if anybody."""
    valid = [entry.waiver for entry in waivers.entries if entry.waiver.rule == finding.rule and not expired(entry.waiver, now.date())]
    if not valid:
        return None
    hosts = {name: fleet.hosts[name] for name in _hosts(finding)}
    scope = Scope({name: facts.groups for name, facts in hosts.items()}, (p for facts in hosts.values() for p in facts.products))
    return next((waived_by(waiver, finding) for waiver in valid if scope.fits(waiver, finding)), None)


def _new_products(facts: HostFacts, wave: Wave) -> list[Evidence]:
    """The changes that bring a product which the host does not have yet, as evidence of what they bring."""
    there = {product.id for product in facts.products if not product.remnant}
    changes = [change for change in wave.changes if change.kind in ("install", "os_upgrade") and change.product not in there]
    return [Evidence(host=facts.name, section=CHANGE_SECTION, record=change.said, field="brought") for change in changes]


def _of_host(difference: Comparison, host: str) -> Comparison:
    def ours(deltas: Iterable[Delta]) -> tuple[Delta, ...]:
        return tuple(delta for delta in deltas if host in _hosts(delta.finding))

    unrelated = tuple(finding for finding in difference.unrelated if host in _hosts(finding))
    return Comparison(
        added=ours(difference.added),
        open=ours(difference.open),
        cured=ours(difference.cured),
        unrelated=unrelated,
        waived=tuple(entry for entry in difference.waived if host in _hosts(entry.finding)),
    )


def _hosts(finding: Finding) -> list[str]:
    return [subject.host for subject in finding.subjects]


def _serious(deltas: Iterable[Delta]) -> tuple[Delta, ...]:
    """Those that could be a reason to say no."""
    return tuple(delta for delta in deltas if SEVERITIES.index(delta.finding.severity) >= SAYS_NO)


def _answer(
    facts: HostFacts, wave: Wave, state: State, found: Comparison, needs: list[Prerequisite], after: Side, rules: RuleSet, now: datetime
) -> HostAnswer:
    undecided = {finding.rule for finding in after.evaluation.undetermined if facts.name in _hosts(finding)}
    collected = facts.snapshot.collected_at
    serious = _serious(found.open)
    files = tuple(delta for delta in serious if waits_for_files(rules, delta.finding))
    told = [delta for delta in found.open if _told(delta)] if _comes(wave) else []
    excluded = {delta: what for delta in told if (what := waits_for_exclusions(rules, delta.finding))}
    open_ = tuple(delta for delta in serious if delta not in files and delta not in excluded)
    needs = [
        *needs,
        *_look_at_files([*(delta.finding for delta in files), *(_unseen_files(found, wave, state, rules))]),
        *(_exclude(delta.finding, what) for delta, what in excluded.items()),
    ]
    needs += left_bare(facts, after.fleet.hosts[facts.name], wave.changes)
    return HostAnswer(
        host=facts.name,
        wave=wave.name,
        answer=_word(found.added, open_, needs),
        changes=tuple(change.said for change in wave.changes),
        added=found.added,
        open=open_,
        cured=found.cured,
        waived=found.waived,
        prerequisites=tuple(needs),
        vouched=vouched(after.fleet.hosts[facts.name], wave.changes, rules.matrix.supports),
        radius=radius_of(after.fleet, facts.name),
        decided=len(rules.by_id) - len(undecided),
        undecided_before=len(found.unrelated),
        lesser_open=len(found.open) - len({*serious, *excluded}),
        collected_at=collected,
        age_hours=age_hours(collected, now),
        applied=state.brought,
    )


def _told(delta: Delta) -> bool:
    return delta.finding.severity != "informational"


def _comes(wave: Wave) -> bool:
    """Whether the wave brings something that the user sets up, or sets up anew."""
    return any(change.kind in _COMING for change in wave.changes)


def _exclude(finding: Finding, what: Sequence[str]) -> Prerequisite:
    text = f"What the scanner that comes leaves alone is not known before: let it {'; '.join(what)} ({finding.rule})."
    return Prerequisite(kind="exclusions", met=None, text=text, source=finding.references[0] if finding.references else "")


def _unseen_files(found: Comparison, wave: Wave, state: State, rules: RuleSet) -> list[Finding]:
    """Rules about the file of any driver that could not be decided before either, where drivers come: nothing says that theirs are good."""
    said = {change.said for change in wave.changes if change.kind in _COMING}
    if not any(e.section == "drivers" and e.field == "brought" and e.value in said for e in state.brought):
        return []
    return [f for f in found.unrelated if SEVERITIES.index(f.severity) >= SAYS_NO and looks_at_files(rules, f)]


def _look_at_files(findings: Sequence[Finding]) -> list[Prerequisite]:
    if not findings:
        return []
    rules = ", ".join(sorted({finding.rule for finding in findings}))
    text = f"The files of the drivers that come were not seen, nor all altitudes ({rules}): give each with --driver FILE."
    return [Prerequisite(kind="files", met=None, text=text)]


def _word(added: Sequence[Delta], open_: Sequence[Delta], needs: Iterable[Prerequisite]) -> Answer:
    if _serious(added):
        return "no-go"
    if open_:
        return "unknown"
    unmet = any(need.met is not True for need in needs)
    return "go with conditions" if added or unmet else "go"


def age_hours(collected_at: str, now: datetime) -> float | None:
    """How old a snapshot is; None where its time can't be read."""
    try:
        return round((now - datetime.fromisoformat(collected_at)).total_seconds() / 3600, 1)
    except (ValueError, TypeError):
        return None
