"""What a condition is decided on: hosts bound to the roles of a rule, and the ties between hosts. Holds no logic of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.outcome import Outcome
from auditor.model.finding import Edge
from auditor.model.host import SECTION_NAMES
from auditor.model.table import Table


class Ties(Protocol):
    """The fleet graph as conditions use it; nodes are targets by name."""

    def between(self, source: str, target: str, kind: str, product: str | None) -> tuple[Edge, ...]:
        """Edges of a kind from one target to another; `same-group` gives the two memberships."""

    def doubt(self, source: str, target: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen that could state such an edge; empty where absence is knowledge."""

    def neighbours(self, name: str, direction: str, kind: str, product: str | None) -> Mapping[str, tuple[Edge, ...]]:
        """Other targets at the end of such edges, `out` of or `in` to a target."""

    def side_doubt(self, name: str, side: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen of one host that could state such edges at all, with the host as `source` or `target`."""

    def open_doubts(self, name: str, side: str, kind: str) -> tuple[str, ...]:
        """Claims of such an edge at a host whose other end may be some other host of the fleet."""

    def doubt_of_all(self, name: str, direction: str, kind: str, product: str | None) -> tuple[str, ...]:
        """What was not seen of the whole fleet that could state such an edge at a target."""


class Binding:
    """Roles of a rule bound to hosts. `ties` is None where there is no fleet, as in the conditions of signatures."""

    __slots__ = ("hosts", "ties")

    def __init__(self, hosts: Mapping[str, HostFacts], ties: Ties | None = None) -> None:
        self.hosts = hosts
        self.ties = ties


class Setting:
    """What conditions are compiled against: the roles of the rule, data tables, the role that selectors mean where they name none, and the
    day of the evaluation (`YYYY-MM-DD`; None: the day on which each host was collected)."""

    __slots__ = ("lists", "roles", "tables", "today")

    def __init__(
        self,
        roles: tuple[str, ...],
        tables: Mapping[str, frozenset[str]],
        lists: Mapping[str, Table] | None = None,
        today: str | None = None,
    ) -> None:
        self.roles = roles
        self.tables = tables
        self.lists = lists or {}
        self.today = today

    def day(self, facts: HostFacts) -> str:
        """The day as of which a host is judged; empty where nothing says."""
        return self.today or facts.snapshot.collected_at[:10]

    def role(self, named: str | None) -> str:
        """The role a selector speaks of."""
        return named or self.roles[0]


Test = Callable[[Binding], Outcome]
"""A compiled condition."""

SECTIONS = frozenset(SECTION_NAMES)
