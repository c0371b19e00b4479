"""Rules against a fleet: what is violated, what could not be decided and why, and how much was decided.

Rules of this file:
1. `applies_to` false: not applicable. Both true: violated. `when` false: satisfied. Otherwise undetermined, with what is missing: a `when`
   that is seen to be false decides even where `applies_to` is not known.
2. A host of which nothing was collected is told by coverage, not by every rule; it is a subject only at the end of an edge.
3. The order of findings is fixed: severity, rule, hosts. The same fleet and matrix give the same bytes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from auditor.analysis.binding import Binding, Setting
from auditor.analysis.condition import compile_condition
from auditor.analysis.fleet import Fleet
from auditor.analysis.outcome import TRUE, Outcome, conjoin
from auditor.analysis.pairs import Pair, find_pairs, take_apart
from auditor.analysis.triggers import Triggers, gate_of
from auditor.model.finding import Finding, Subject, Verdict, finding_id
from auditor.model.grade import SEVERITIES
from auditor.model.rule import Matrix, Rule
from auditor.model.selector import Condition


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


class CompiledRule:
    """A rule with its conditions compiled."""

    def __init__(self, rule: Rule, tables: Mapping[str, frozenset[str]]) -> None:
        self.rule = rule
        self._setting = Setting(rule.roles, tables)
        self._applies = compile_condition(rule.applies_to, self._setting) if rule.applies_to is not None else None
        self._when = compile_condition(rule.when, self._setting)

    def decide(self, binding: Binding) -> tuple[Verdict, Outcome]:
        """The verdict on bound hosts, with evidence or with what is missing."""
        applies = self._applies(binding) if self._applies is not None else TRUE
        if applies.value is False:
            return "not_applicable", applies
        when = self._when(binding)
        if when.value is False:
            return "satisfied", when
        both = conjoin((applies, when))
        return ("violated" if both.value else "undetermined"), both


def evaluate(fleet: Fleet, matrix: Matrix) -> Evaluation:
    """All rules over all hosts; linear in the hosts and in the ties between them."""
    rules = [CompiledRule(rule, matrix.tables) for rule in matrix.rules]
    single = [compiled for compiled in rules if len(compiled.rule.roles) == 1]
    found: list[Finding] = []
    counts: dict[str, Counter[str]] = {compiled.rule.id: Counter() for compiled in rules}
    _decide_hosts(fleet, matrix, single, found, counts)
    for compiled in rules:
        if len(compiled.rule.roles) > 1:
            _decide_pairs(fleet, matrix, compiled, found, counts[compiled.rule.id])
    ordered = sorted(found, key=_order)
    return Evaluation(
        findings=tuple(finding for finding in ordered if finding.verdict == "violated"),
        undetermined=tuple(finding for finding in ordered if finding.verdict == "undetermined"),
        tallies=tuple(RuleTally(rule=rule, **counts[rule]) for rule in sorted(counts)),
    )


def _order(finding: Finding) -> tuple[int, str, tuple[str, ...]]:
    return -SEVERITIES.index(finding.severity), finding.rule, tuple(subject.host for subject in finding.subjects)


def _decide_hosts(
    fleet: Fleet, matrix: Matrix, rules: Sequence[CompiledRule], found: list[Finding], counts: Mapping[str, Counter[str]]
) -> None:
    gates = [gate_of(c.rule.applies_to or c.rule.when, c.rule.roles[0], matrix.signatures) for c in rules]
    triggers = Triggers(gates)
    decided: Counter[int] = Counter()
    collected = fleet.collected
    for name in collected:
        facts = fleet.hosts[name]
        for number in sorted({*triggers.always, *triggers.rules_for(facts)}):
            compiled = rules[number]
            decided[number] += 1
            verdict, outcome = compiled.decide(Binding({compiled.rule.roles[0]: facts}, fleet.ties))
            counts[compiled.rule.id][verdict] += 1
            if verdict in ("violated", "undetermined"):
                found.append(make_finding(compiled.rule, verdict, (name,), outcome))
    for number, compiled in enumerate(rules):
        left = "satisfied" if compiled.rule.applies_to is None else "not_applicable"
        counts[compiled.rule.id][left] += len(collected) - decided[number]


def _decide_pairs(fleet: Fleet, matrix: Matrix, compiled: CompiledRule, found: list[Finding], counts: Counter[str]) -> None:
    rule = compiled.rule
    parts = take_apart(rule.applies_to, rule.when, rule.roles)
    candidates = {role: _candidates(fleet, matrix, rule, role, parts.own[role]) for role in rule.roles}
    chosen = find_pairs(fleet, parts.ties, rule.roles, candidates, symmetric=rule.symmetric)
    for pair in chosen.pairs:
        verdict, outcome = compiled.decide(_bind(fleet, rule, pair))
        counts[verdict] += 1
        if verdict in ("violated", "undetermined"):
            found.append(make_finding(rule, verdict, pair, outcome))
    for host in chosen.folded:
        counts["undetermined"] += 1
        missing = tuple(dict.fromkeys(d for tie in parts.ties for kind in tie.kinds for d in _doubts(fleet, host, kind, tie.product)))
        found.append(make_finding(rule, "undetermined", (host,), Outcome(None, missing=missing)))


def _doubts(fleet: Fleet, host: str, kind: str, product: str | None) -> tuple[str, ...]:
    ties = fleet.ties
    return tuple(
        doubt
        for side in ("source", "target")
        for doubt in (*ties.side_doubt(host, side, kind, product), *ties.open_doubts(host, side, kind))
    )


def _candidates(fleet: Fleet, matrix: Matrix, rule: Rule, role: str, own: Sequence[Condition]) -> tuple[str, ...]:
    """Collected hosts on which a role's own conditions hold or may hold."""
    condition = Condition(all_=tuple(own))
    test = compile_condition(condition, Setting(rule.roles, matrix.tables))
    gate = gate_of(condition, role, matrix.signatures)
    triggers = Triggers([gate])
    hosts = (name for name in fleet.collected if gate is None or triggers.rules_for(fleet.hosts[name]))
    return tuple(name for name in hosts if test(Binding({role: fleet.hosts[name]}, fleet.ties)).value is not False)


def _bind(fleet: Fleet, rule: Rule, pair: Pair) -> Binding:
    return Binding({role: fleet.hosts[name] for role, name in zip(rule.roles, pair, strict=True)}, fleet.ties)


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
