"""Rules against a fleet: what is violated, what could not be decided and why, and how much was decided.

Rules of this file:
1. `applies_to` false: not applicable. Both true: violated. `when` false: satisfied. Otherwise undetermined, with what is missing: a `when`
   that is seen to be false decides even where `applies_to` is not known.
2. A host of which nothing was collected is told by coverage, not by every rule; it is a subject only at the end of an edge.
3. The order of findings is fixed: severity, rule, hosts. The same fleet and matrix give the same bytes.
4. Around some hosts means: every rule on them, every pair with one of them. That is all that a change of these hosts can touch, but for
   rules that look at the ties of the whole fleet: for those the hosts are named apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from auditor.analysis.conditions.binding import Binding
from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.host.outcome import Outcome
from auditor.analysis.rules.pairs import Pair, find_pairs
from auditor.analysis.rules.ruleset import Concern, PairRule, RuleSet
from auditor.model.finding import Finding, Subject, Verdict, finding_id
from auditor.model.grade import SEVERITIES
from auditor.model.rule import Matrix, Rule


class RuleTally(msgspec.Struct, frozen=True, kw_only=True):
    """How a rule came out over the fleet: numbers of hosts, or of pairs for rules with two roles."""

    rule: str
    violated: int = 0
    satisfied: int = 0
    undetermined: int = 0
    not_applicable: int = 0


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say of a fleet."""

    findings: tuple[Finding, ...]
    undetermined: tuple[Finding, ...]
    tallies: tuple[RuleTally, ...]

    @property
    def satisfied(self) -> int:
        """How many rule and host combinations were decided as satisfied."""
        return sum(tally.satisfied for tally in self.tallies)


class Candidates(Protocol):
    """Which collected hosts can play a role of a rule with two roles."""

    def of(self, fleet: Fleet, rule: PairRule, role: str) -> Collection[str]:
        """Hosts on which the role's own conditions hold or may hold."""

    def concerned(self, fleet: Fleet, rule: str) -> Collection[str]:
        """Hosts that a rule which looks at the ties of the whole fleet can concern."""


class ScannedCandidates:
    """Looks at every host of one fleet, once."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._may: dict[tuple[str, str], list[str]] | None = None
        self._concerned: dict[str, list[str]] = {}
        self._known: dict[str, frozenset[str]] = {}

    def note(self, name: str, concern: Concern) -> None:
        """A host that was looked at for another reason; who notes one host notes all."""
        if self._may is None:
            self._may = {plan.key: [] for plan in self._rules.plans}
        for plan in concern.plans:
            self._may[plan.key].append(name)
        for compiled in concern.single:
            if compiled.ties:
                self._concerned.setdefault(compiled.rule.id, []).append(name)

    def _note_all(self, fleet: Fleet) -> None:
        if self._may is None:
            for name in fleet.collected:
                self.note(name, self._rules.concerning(fleet.hosts[name], fleet.ties))

    def concerned(self, fleet: Fleet, rule: str) -> Collection[str]:
        """See Candidates."""
        self._note_all(fleet)
        roles = [(pair, role) for pair in self._rules.pairs if pair.rule.id == rule for role in pair.roles]
        return {*self._concerned.get(rule, ()), *(name for pair, role in roles for name in self.of(fleet, pair, role))}

    def of(self, fleet: Fleet, rule: PairRule, role: str) -> Collection[str]:
        """See Candidates."""
        plan = rule.roles[role]
        if plan.asks not in self._known:
            self._note_all(fleet)
            may = (self._may or {}).get(plan.key, ())
            self._known[plan.asks] = frozenset(name for name in may if can_play(fleet, rule, role, name))
        return self._known[plan.asks]


class ForkedCandidates:
    """Those of a base, with the changed hosts looked at anew."""

    def __init__(self, base: Candidates, base_fleet: Fleet, changed: frozenset[str]) -> None:
        self._base = base
        self._fleet = base_fleet
        self._changed = changed

    def of(self, fleet: Fleet, rule: PairRule, role: str) -> Collection[str]:
        """See Candidates."""
        ours = frozenset(name for name in self._changed if fleet.hosts[name].collected and can_play(fleet, rule, role, name))
        return (frozenset(self._base.of(self._fleet, rule, role)) - self._changed) | ours

    def concerned(self, fleet: Fleet, rule: str) -> Collection[str]:
        """See Candidates; whether a change makes the rule concern a host is left open."""
        del fleet
        return {*self._base.concerned(self._fleet, rule), *self._changed}


def can_play(fleet: Fleet, rule: PairRule, role: str, name: str) -> bool:
    """Whether the role's own conditions hold, or may hold, on a host."""
    return rule.roles[role].test(Binding({role: fleet.hosts[name]}, fleet.ties)).value is not False


class Around(msgspec.Struct, frozen=True):
    """A part of the fleet that is looked at."""

    hosts: frozenset[str]
    further: Mapping[str, frozenset[str]] = {}
    """Rule id to further hosts that this rule is to be decided on."""


class _Tables:
    """What is found while rules are decided."""

    def __init__(self, rules: RuleSet) -> None:
        self.found: list[Finding] = []
        self.counts: dict[str, Counter[str]] = {id_: Counter() for id_ in rules.by_id}

    def note(self, rule: Rule, verdict: Verdict, hosts: Sequence[str], outcome: Outcome) -> None:
        self.counts[rule.id][verdict] += 1
        if verdict in ("violated", "undetermined"):
            self.found.append(make_finding(rule, verdict, hosts, outcome))

    def evaluation(self) -> Evaluation:
        ordered = sorted(self.found, key=_order)
        return Evaluation(
            findings=tuple(finding for finding in ordered if finding.verdict == "violated"),
            undetermined=tuple(finding for finding in ordered if finding.verdict == "undetermined"),
            tallies=tuple(RuleTally(rule=rule, **self.counts[rule]) for rule in sorted(self.counts)),
        )


def evaluate(fleet: Fleet, matrix: Matrix) -> Evaluation:
    """All rules over all hosts; linear in the hosts and in the ties between them."""
    return evaluate_rules(fleet, RuleSet(matrix))


def evaluate_rules(fleet: Fleet, rules: RuleSet, around: Around | None = None, candidates: Candidates | None = None) -> Evaluation:
    """Rules that are compiled already, over all hosts or around some."""
    tables = _Tables(rules)
    chooser = candidates or ScannedCandidates(rules)
    if around is None and isinstance(chooser, ScannedCandidates):
        _decide_hosts(fleet, rules, tables, fleet.collected, chooser.note)
    else:
        _decide_hosts(fleet, rules, tables, _collected(fleet, around.hosts if around else fleet.collected), None)
    if around is not None:
        _decide_further(fleet, rules, tables, around)
    for pair_rule in rules.pairs:
        _decide_pairs(fleet, pair_rule, tables, around, chooser)
    return tables.evaluation()


def _order(finding: Finding) -> tuple[int, str, tuple[str, ...]]:
    return -SEVERITIES.index(finding.severity), finding.rule, tuple(subject.host for subject in finding.subjects)


def _collected(fleet: Fleet, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if fleet.hosts[name].collected)


def _decide_hosts(fleet: Fleet, rules: RuleSet, tables: _Tables, names: Sequence[str], note: Callable[[str, Concern], None] | None) -> None:
    """Rules with one role on some hosts. Rules that can't concern a host are counted without being decided."""
    for name in names:
        concern = rules.concerning(fleet.hosts[name], fleet.ties)
        if note is not None:
            note(name, concern)
        _decide_host(fleet, concern, name, tables)
    for compiled in rules.single:
        left = "satisfied" if compiled.rule.applies_to is None else "not_applicable"
        counts = tables.counts[compiled.rule.id]
        counts[left] += len(names) - counts.total()


def _decide_host(fleet: Fleet, concern: Concern, name: str, tables: _Tables) -> None:
    facts, ties = fleet.hosts[name], fleet.ties
    bindings: dict[str, Binding] = {}
    for compiled in concern.single:
        role = compiled.rule.roles[0]
        binding = bindings.get(role)
        if binding is None:
            binding = bindings[role] = Binding({role: facts}, ties)
        verdict, outcome = compiled.decide(binding, concern.shown)
        if outcome.value is False:
            tables.counts[compiled.rule.id][verdict] += 1
        else:
            tables.note(compiled.rule, verdict, (name,), outcome)


def _decide_further(fleet: Fleet, rules: RuleSet, tables: _Tables, around: Around) -> None:
    """Rules that look at the ties of the whole fleet, on further hosts."""
    for compiled in rules.single:
        for name in _collected(fleet, around.further.get(compiled.rule.id, frozenset()) - around.hosts):
            verdict, outcome = compiled.decide(bind(fleet, compiled.rule, (name,)))
            tables.note(compiled.rule, verdict, (name,), outcome)


def _decide_pairs(fleet: Fleet, pair_rule: PairRule, tables: _Tables, around: Around | None, candidates: Candidates) -> None:
    rule = pair_rule.rule
    chosen_hosts = {role: candidates.of(fleet, pair_rule, role) for role in rule.roles}
    near = None if around is None else around.hosts | around.further.get(rule.id, frozenset())
    chosen = find_pairs(fleet, pair_rule.parts.ties, rule.roles, chosen_hosts, symmetric=rule.symmetric, around=near)
    for pair in chosen.pairs:
        verdict, outcome = pair_rule.compiled.decide(bind(fleet, rule, pair))
        tables.note(rule, verdict, pair, outcome)
    for host in chosen.folded:
        doubts = (d for tie in pair_rule.parts.ties for kind in tie.kinds for d in _doubts(fleet, host, kind, tie.product))
        tables.note(rule, "undetermined", (host,), Outcome(None, missing=tuple(dict.fromkeys(doubts))))


def _doubts(fleet: Fleet, host: str, kind: str, product: str | None) -> tuple[str, ...]:
    ties = fleet.ties
    return tuple(
        doubt
        for side in ("source", "target")
        for doubt in (*ties.side_doubt(host, side, kind, product), *ties.open_doubts(host, side, kind))
    )


def bind(fleet: Fleet, rule: Rule, hosts: Pair | Sequence[str]) -> Binding:
    """The rule's roles bound to hosts in order."""
    return Binding({role: fleet.hosts[name] for role, name in zip(rule.roles, hosts, strict=False)}, fleet.ties)


def make_finding(rule: Rule, verdict: Verdict, hosts: Iterable[str], outcome: Outcome) -> Finding:
    """The finding of a rule on hosts in the order of its roles."""
    subjects = tuple(Subject(role=role, host=host) for role, host in zip(rule.roles, hosts, strict=False))
    summary = rule.subject
    for subject in subjects:
        summary = summary.replace("{" + subject.role + "}", subject.host)
    return Finding(
        id=finding_id(rule.id, subjects, rule.subject_keys),
        rule=rule.id,
        title=rule.title,
        verdict=verdict,
        severity=rule.severity,
        confidence=rule.confidence,
        subjects=subjects,
        keys=rule.subject_keys,
        summary=summary,
        mechanism=rule.mechanism,
        effect=rule.effect,
        resolution=rule.resolution,
        remedy=rule.remedy,
        references=rule.references,
        evidence=outcome.evidence,
        missing=outcome.missing,
        edges=outcome.edges,
    )
