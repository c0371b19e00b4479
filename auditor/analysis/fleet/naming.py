"""Names in evidence as nodes of the graph, and a record of those that stay open: they are shown, and they leave ties in doubt."""

from __future__ import annotations

import msgspec

from auditor.analysis.fleet.identity import Resolver


class OpenName(msgspec.Struct, frozen=True, kw_only=True):
    """A name, or an end without a name, that could not be tied to one target."""

    claimant: str
    """Target whose snapshot holds it."""
    other: str
    """Target at the other end of the edge."""
    kind: str
    """Kind of edge that it would have made."""
    side: str
    """Which end of the edge is open: source or target."""
    name: str
    """As written; empty where not even a name is known (an unresolved variable)."""
    reason: str
    candidates: tuple[str, ...] = ()
    """Targets that it may mean; empty with an empty name: any."""
    where: str
    """Section and record, as `tasks: NightlyCopy`."""

    def may_mean(self, target: str) -> bool:
        """Whether the open end may be this target. A plain name that nobody is known by is taken for a host outside the fleet."""
        return target in self.candidates or not self.name

    def __str__(self) -> str:
        among = f" ({', '.join(self.candidates)})" if self.candidates else ""
        return f"{self.claimant}: {self.where}: {self.name or 'no name'}: {self.reason}{among}"


class Naming:
    """Turns names into nodes and remembers the open ones."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.open: dict[OpenName, None] = {}

    def node(self, name: str, *, claimant: str, kind: str, side: str, where: str, outside: bool = False) -> str | None:
        """`host:NAME`, `name:TEXT`, or None for what is no host. Names of servers that may well be `outside` are not noted as open."""
        found = self._resolver.resolve(name)
        if found.target is not None:
            return f"host:{found.target}"
        if found.reason == "not_a_host":
            return None
        if found.reason == "ambiguous" or not outside:
            self.leave_open(claimant, kind, side, found.name, found.reason, where, found.candidates)
        return f"name:{found.name}"

    def leave_open(
        self,
        claimant: str,
        kind: str,
        side: str,
        name: str,
        reason: str,
        where: str,
        candidates: tuple[str, ...] = (),
        *,
        other: str | None = None,
    ) -> None:
        """Note an end that stays open; the other end is the claimant unless it is said."""
        note = OpenName(
            claimant=claimant, other=other or claimant, kind=kind, side=side, name=name, reason=reason, candidates=candidates, where=where
        )
        self.open.setdefault(note)
