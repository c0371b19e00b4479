"""The rules of a matrix made ready once: conditions compiled, gates looked up, rules with two roles taken apart. Decides nothing by itself.

Rules of this file:
1. Compiling looks at a rule once, so that many fleets (a base and its forks) cost only look-ups.
2. `own` conditions of a role choose which hosts can play it; a gate is what such a host must show at least.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from auditor.analysis.binding import Binding, Setting, Test
from auditor.analysis.condition import compile_condition, selectors_of
from auditor.analysis.outcome import TRUE, Outcome, conjoin
from auditor.analysis.pairs import Parts, take_apart
from auditor.analysis.selectors_listed import lists_of
from auditor.analysis.triggers import Gate, Triggers, gate_of
from auditor.model.finding import Verdict
from auditor.model.rule import Matrix, Rule
from auditor.model.selector import Condition, TiesSelector
from auditor.model.signature import Signature


class CompiledRule:
    """A rule with its conditions compiled."""

    def __init__(self, rule: Rule, matrix: Matrix, today: str | None = None) -> None:
        self.rule = rule
        self.setting = Setting(rule.roles, matrix.tables, lists_of(matrix), today)
        self._applies = compile_condition(rule.applies_to, self.setting) if rule.applies_to is not None else None
        self._when = compile_condition(rule.when, self.setting)
        self.ties = tuple(s for _, s in self.selectors() if isinstance(s, TiesSelector))
        """Selectors that look at the whole fleet."""

    def selectors(self) -> Iterator[tuple[str, object]]:
        """Every selector of the rule with its name."""
        for condition in (self.rule.applies_to, self.rule.when):
            if condition is not None:
                yield from selectors_of(condition)

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


class RolePlan:
    """Which hosts can play a role: the role's own conditions as one test, and the gate before it."""

    def __init__(self, test: Test, gate: Gate) -> None:
        self.test = test
        self.gate = gate
        self.triggers = Triggers([gate])


class PairRule:
    """A rule with two roles, taken apart."""

    def __init__(self, compiled: CompiledRule, signatures: tuple[Signature, ...]) -> None:
        rule = compiled.rule
        self.compiled = compiled
        self.rule = rule
        self.parts: Parts = take_apart(rule.applies_to, rule.when, rule.roles)
        self.roles: dict[str, RolePlan] = {}
        for role in rule.roles:
            condition = Condition(all_=tuple(self.parts.own[role]))
            self.roles[role] = RolePlan(compile_condition(condition, compiled.setting), gate_of(condition, role, signatures))


class RuleSet:
    """All rules of a matrix. `today` (`YYYY-MM-DD`) is the day of the evaluation; without it each host counts as of its collection."""

    def __init__(self, matrix: Matrix, today: str | None = None) -> None:
        compiled = [CompiledRule(rule, matrix, today) for rule in matrix.rules]
        self.matrix = matrix
        self.by_id: Mapping[str, CompiledRule] = {c.rule.id: c for c in compiled}
        self.single = tuple(c for c in compiled if len(c.rule.roles) == 1)
        self.pairs = tuple(PairRule(c, matrix.signatures) for c in compiled if len(c.rule.roles) > 1)
        self.triggers = Triggers([gate_of(c.rule.applies_to or c.rule.when, c.rule.roles[0], matrix.signatures) for c in self.single])
