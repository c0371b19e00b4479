"""The rules of a matrix made ready once: conditions compiled, gates looked up, rules with two roles taken apart. Decides nothing by itself.

Rules of this file:
1. Compiling looks at a rule once, so that many fleets (a base and its forks) cost only look-ups.
2. `own` conditions of a role choose which hosts can play it; a gate is what such a host must show at least.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Set
from typing import NamedTuple

import msgspec

from auditor.analysis.conditions.binding import Binding, Setting, Ties
from auditor.analysis.conditions.condition import compile_condition, selectors_of
from auditor.analysis.conditions.selectors_listed import lists_of
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.outcome import FALSE, TRUE, Outcome, conjoin
from auditor.analysis.rules.gates import Gates, Knowledge, gates_of
from auditor.analysis.rules.pairs import Parts, take_apart
from auditor.analysis.rules.triggers import Triggers
from auditor.model.finding import Verdict
from auditor.model.rule import Matrix, Rule
from auditor.model.selector import CollisionSelector, Condition, ListedSelector, ProductSelector, TiesSelector


class CompiledRule:
    """A rule with its conditions compiled."""

    def __init__(self, rule: Rule, matrix: Matrix, known: Knowledge, today: str | None = None) -> None:
        self.rule = rule
        self.setting = Setting(rule.roles, matrix.tables, known.lists, today)
        self._applies = compile_condition(rule.applies_to, self.setting) if rule.applies_to is not None else None
        self._when = compile_condition(rule.when, self.setting)
        self.ties = tuple(s for _, s in self.selectors() if isinstance(s, TiesSelector))
        """Selectors that look at the whole fleet."""
        first = rule.roles[0]
        self.gates: Gates = gates_of(rule.applies_to or rule.when, first, known)
        """What a host must show for the rule to be more than not applicable, or satisfied where it applies to all."""
        self.when_gates: Gates = gates_of(rule.when, first, known) if rule.applies_to is not None else ()
        """What it must show beside that for the rule to be more than satisfied."""

    def selectors(self) -> Iterator[tuple[str, object]]:
        """Every selector of the rule with its name."""
        for condition in (self.rule.applies_to, self.rule.when):
            if condition is not None:
                yield from selectors_of(condition)

    def decide(self, binding: Binding, shown: Set[str] | None = None) -> tuple[Verdict, Outcome]:
        """The verdict on bound hosts, with evidence or with what is missing. `shown` are the tokens of the host, where they are known."""
        applies = self._applies(binding) if self._applies is not None else TRUE
        if applies.value is False:
            return "not_applicable", applies
        if shown is not None and any(gate.isdisjoint(shown) for gate in self.when_gates):
            return "satisfied", FALSE
        when = self._when(binding)
        if when.value is False:
            return "satisfied", when
        both = conjoin((applies, when))
        return ("violated" if both.value else "undetermined"), both


class RolePlan:
    """Which hosts can play a role: the role's own conditions as one test, and the gates before it."""

    def __init__(self, rule: Rule, role: str, condition: Condition, setting: Setting, known: Knowledge) -> None:
        self.key = (rule.id, role)
        self.test = compile_condition(condition, setting)
        self.gates = gates_of(condition, role, known)
        named = msgspec.json.encode(role)
        asked = msgspec.json.encode(condition).replace(b'"host":' + named, b'"host":null')
        self.asks = hashlib.sha256(asked).hexdigest()[:16]
        """Names what is asked of a host; the same for roles of different rules that ask the same."""
        self.alone = not any(isinstance(s, TiesSelector | CollisionSelector) or _by_day(s) for _, s in selectors_of(condition))
        """Whether the host itself decides, whatever the fleet and the day."""


def _by_day(selector: object) -> bool:
    """Whether the day of the evaluation has a part in what a selector finds."""
    return isinstance(selector, ListedSelector) or (
        isinstance(selector, ProductSelector) and selector.definitions_older_than_days is not None
    )


class PairRule:
    """A rule with two roles, taken apart."""

    def __init__(self, compiled: CompiledRule, known: Knowledge) -> None:
        rule = compiled.rule
        self.compiled = compiled
        self.rule = rule
        self.parts: Parts = take_apart(rule.applies_to, rule.when, rule.roles)
        self.roles: dict[str, RolePlan] = {}
        for role in rule.roles:
            condition = Condition(all_=tuple(self.parts.own[role]))
            self.roles[role] = RolePlan(rule, role, condition, compiled.setting, known)


class Concern(NamedTuple):
    """What can concern a host."""

    shown: Set[str]
    """The tokens that it shows."""
    single: list[CompiledRule]
    plans: list[RolePlan]
    """Roles of rules with two roles that it may play."""


class RuleSet:
    """All rules of a matrix. `today` (`YYYY-MM-DD`) is the day of the evaluation; without it each host counts as of its collection."""

    def __init__(self, matrix: Matrix, today: str | None = None) -> None:
        known = Knowledge(matrix.signatures, lists_of(matrix))
        compiled = [CompiledRule(rule, matrix, known, today) for rule in matrix.rules]
        self.matrix = matrix
        self.by_id: Mapping[str, CompiledRule] = {c.rule.id: c for c in compiled}
        self.single = tuple(c for c in compiled if len(c.rule.roles) == 1)
        self.pairs = tuple(PairRule(c, known) for c in compiled if len(c.rule.roles) > 1)
        self.plans = tuple(plan for pair in self.pairs for plan in pair.roles.values())
        self._triggers = Triggers([*(c.gates for c in self.single), *(p.gates for p in self.plans)], [c.when_gates for c in self.single])

    def concerning(self, facts: HostFacts, ties: Ties | None = None) -> Concern:
        """What of the rules can concern a host, with its ties where they are known."""
        shown = self._triggers.shown(facts, ties)
        single: list[CompiledRule] = []
        plans: list[RolePlan] = []
        for number in (*self._triggers.always, *self._triggers.rules_for(shown)):
            if number < len(self.single):
                single.append(self.single[number])
            else:
                plans.append(self.plans[number - len(self.single)])
        return Concern(shown, single, plans)
