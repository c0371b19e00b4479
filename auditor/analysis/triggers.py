"""Which rules can concern a host at all: an index over what a condition cannot do without, so that a host costs only its own rules.

Rules of this file:
1. A gate is a set of tokens one of which a host must show for a condition to be true or unknown. No gate: the rule is always decided.
2. What was not seen shows every token: the index never hides an unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from auditor.analysis.condition import chosen
from auditor.analysis.facts import HostFacts
from auditor.model.pattern import compile_pattern, is_glob
from auditor.model.selector import Condition, DriverSelector, OsSelector, ProductSelector, ServiceSelector
from auditor.model.signature import Signature

Gate = frozenset[str] | None


def gate_of(condition: Condition | None, role: str, signatures: Sequence[Signature]) -> Gate:
    """Tokens of a condition for the host in a role; None where there is no such set."""
    if condition is None or condition.not_ is not None:
        return None
    if condition.all_ is not None:
        gates = [gate for part in condition.all_ if (gate := gate_of(part, role, signatures)) is not None]
        return min(gates, key=len) if gates else None
    if condition.any_ is not None:
        return _union([gate_of(part, role, signatures) for part in condition.any_])
    name, selector = chosen(condition)
    if name == "compare":
        sides = [_product(side, signatures) for side in (selector.left, selector.right) if (side.host or role) == role]
        return next((gate for gate in sides if gate is not None), None)
    if name == "count":
        counted = selector.product if selector.product is not None and (selector.at_least or 0) >= 1 else None
        return _product(counted, signatures) if counted and (counted.host or role) == role else None
    if getattr(selector, "host", role) not in (None, role):
        return None
    return _single(selector, signatures)


def _union(gates: list[Gate]) -> Gate:
    found: set[str] = set()
    for gate in gates:
        if gate is None:
            return None
        found |= gate
    return frozenset(found)


def _single(selector: object, signatures: Sequence[Signature]) -> Gate:
    if isinstance(selector, ProductSelector):
        return _product(selector, signatures)
    if isinstance(selector, DriverSelector) and selector.name and not is_glob(selector.name):
        return frozenset({f"driver:{selector.name.casefold().removesuffix('.sys')}"})
    if isinstance(selector, ServiceSelector) and not is_glob(selector.name):
        return frozenset({f"service:{selector.name.casefold()}"})
    if isinstance(selector, OsSelector) and selector.generation:
        return frozenset(f"os:{generation}" for generation in selector.generation)
    return None


def _product(selector: ProductSelector, signatures: Sequence[Signature]) -> Gate:
    """Ids of the signatures that a selector can mean."""
    if (selector.id is None and selector.kind is None and selector.vendor is None) or selector.remnant:
        return None  # leftovers that were not seen are told for products that show no other token
    by_id = compile_pattern(selector.id) if selector.id else lambda _: True
    by_vendor = compile_pattern(selector.vendor) if selector.vendor else lambda _: True
    meant = (s for s in signatures if by_id(s.id.casefold()) and by_vendor(s.vendor.casefold()) and selector.kind in (None, s.kind))
    return frozenset(f"product:{s.id}" for s in meant if s.id not in selector.except_ids)


class Triggers:
    """Rules by the tokens of their gates."""

    def __init__(self, gates: Sequence[Gate]) -> None:
        self.always = tuple(number for number, gate in enumerate(gates) if gate is None)
        self._by_token: dict[str, list[int]] = {}
        for number, gate in enumerate(gates):
            for token in sorted(gate or ()):
                self._by_token.setdefault(token, []).append(number)
        self._named: Mapping[str, tuple[str, ...]] = {
            kind: tuple(token for token in self._by_token if token.startswith(f"{kind}:")) for kind in ("driver", "service", "os")
        }

    def rules_for(self, facts: HostFacts) -> set[int]:
        """Numbers of the gated rules that can concern a host."""
        return {number for token in self._tokens(facts) for number in self._by_token.get(token, ())}

    def _tokens(self, facts: HostFacts) -> Iterable[str]:
        yield from (f"product:{product.id}" for product in facts.products)
        yield from (f"product:{id_}" for id_ in facts.unsure)
        yield from self._names(facts, "driver", "drivers", facts.drivers)
        yield from self._names(facts, "service", "services", facts.services)
        yield from self._named["os"] if facts.generation is None else (f"os:{facts.generation}",)

    def _names(self, facts: HostFacts, kind: str, section: str, there: Mapping[str, object]) -> Iterable[str]:
        tokens = self._named[kind]
        if facts.unseen(section) is not None or facts.lost(section):
            return tokens
        return [token for token in tokens if token.partition(":")[2] in there]
