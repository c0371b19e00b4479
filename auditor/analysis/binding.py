"""What a condition is decided on: hosts bound to the roles of a rule, and the ties between hosts. Holds no logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from auditor.analysis.facts import HostFacts
from auditor.analysis.outcome import Outcome
from auditor.model.finding import Edge
from auditor.model.host import SECTION_NAMES


class Ties(Protocol):
    """The fleet graph as conditions use it; nodes are targets by name."""

    def between(self, source: str, target: str, kind: str, product: str | None) -> tuple[Edge, ...]:
        """Edges of a kind from one target to another; `same-group` gives the two memberships."""

    def doubt(self, source: str, target: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen that could state such an edge; empty where absence is knowledge."""

    def neighbours(self, name: str, direction: str, kind: str, product: str | None) -> Mapping[str, tuple[Edge, ...]]:
        """Other targets at the end of such edges, `out` of or `in` to a target."""

    def doubt_of_all(self, name: str, direction: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen of the whole fleet that could state such an edge at a target."""


class Binding:
    """Roles of a rule bound to hosts. `ties` is None where there is no fleet, as in the conditions of signatures."""

    __slots__ = ("hosts", "ties")

    def __init__(self, hosts: Mapping[str, HostFacts], ties: Ties | None = None) -> None:
        self.hosts = hosts
        self.ties = ties


class Setting:
    """What conditions are compiled against: the roles of the rule, hash tables, and the role that selectors mean where they name none."""

    __slots__ = ("roles", "tables")

    def __init__(self, roles: tuple[str, ...], tables: Mapping[str, frozenset[str]]) -> None:
        self.roles = roles
        self.tables = tables

    def role(self, named: str | None) -> str:
        """The role a selector speaks of."""
        return named or self.roles[0]


Test = Callable[[Binding], Outcome]
"""A compiled condition."""

SECTIONS = frozenset(SECTION_NAMES)
