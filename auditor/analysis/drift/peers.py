"""Hosts of one role against each other: what most of them have, and who differs, with counts. Pure.

Rules of this file:
1. More than half of those for which it is known, and at least `FEWEST`, make a majority; without one nobody is an outlier.
2. A host counts as lacking a record only where its section was seen as a whole.
3. What is alike is counted without looking into it, so that a fleet costs little more than telling its records apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from auditor.analysis.drift.compare import Delta, system_of
from auditor.analysis.drift.doubts import Doubts
from auditor.analysis.drift.items import Item, plain
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.own import OwnNames, own_names
from auditor.model.host import SECTION_NAMES, Question, Snapshot

FEWEST = 3
ALL = "*"
ASKED = "security"
"""The section that holds what was asked for by name: what was not asked for is not missing."""


class Outlier(NamedTuple):
    """A host that differs from the majority."""

    host: str
    delta: Delta
    agree: int
    """How many have what `delta.before` says."""
    of: int
    """Among how many for which it is known."""


def narrowest_groups(groups: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    """The inventory groups whose hosts should look alike, with their hosts. `groups` gives the groups of each host.

    A group that holds another group as a whole is its parent and says less: it is left out. Of two groups with the same hosts, the first.
    """
    members: dict[str, set[str]] = {}
    for host, names in groups.items():
        for name in names:
            members.setdefault(name, set()).add(host)
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(members):
        own = members[name]
        if not any(members[other] < own or (members[other] == own and other < name) for other in members):
            found[name] = tuple(sorted(own))
    return found


class _Table:
    """One section of all hosts of a group."""

    def __init__(self) -> None:
        self.plain: set[int] = set()
        """Hosts whose listing is complete whatever was asked."""
        self.asked: dict[Question, tuple[Doubts, set[int]]] = {}
        """Hosts whose listing holds all that they were asked for, by the question."""
        self.gaps: dict[int, Doubts] = {}
        """Hosts that were seen in part."""
        self.variants: dict[str, dict[Item, list[int]]] = {}
        """Identity of a record to its variants and the hosts that have each."""

    def surely_without(self, item: Item, there: set[int]) -> int:
        """How many hosts surely lack a record that these hosts have. Costs no more than the hosts that have it."""
        count = _beside(self.plain, there)
        count += sum(_beside(hosts, there) for doubts, hosts in self.asked.values() if not doubts.of_record(item))
        return count + sum(host not in there and not doubts.of_record(item) for host, doubts in self.gaps.items())

    def lacking(self, item: Item, there: set[int]) -> list[int]:
        """The hosts that surely lack it."""
        found = self.plain - there
        for doubts, hosts in self.asked.values():
            found |= hosts - there if not doubts.of_record(item) else set()
        return sorted(found | {host for host, doubts in self.gaps.items() if host not in there and not doubts.of_record(item)})


def _beside(hosts: set[int], there: set[int]) -> int:
    return len(hosts) - sum(host in hosts for host in there)


class Peers:
    """A group while it is counted. Add every host, then ask for the outliers and for what is usual."""

    def __init__(self, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self._hosts: list[str] = []
        self._names: list[OwnNames] = []
        self._tables: dict[str, _Table] = {}
        self._usual: dict[tuple[str, str, str], tuple[bool, Any]] = {}
        for section in SECTION_NAMES:
            if normaliser.compared(section) and ALL not in normaliser.plan(section).individual:
                self._tables[section] = _Table()

    @property
    def hosts(self) -> int:
        """How many were counted."""
        return len(self._hosts)

    def add(self, snapshot: Snapshot) -> None:
        """One more host."""
        number = len(self._hosts)
        self._hosts.append(snapshot.host)
        self._names.append(own_names(snapshot))
        system = system_of(snapshot)
        for name, table in self._tables.items():
            section = getattr(snapshot.sections, name)
            if not section.usable:
                continue
            self._place(table, name, number, snapshot)
            for item in self._normaliser.items(name, section.records, system):
                table.variants.setdefault(item.identity, {}).setdefault(item, []).append(number)

    def _place(self, table: _Table, name: str, number: int, snapshot: Snapshot) -> None:
        section = getattr(snapshot.sections, name)
        plan = self._normaliser.plan(name)
        if section.gaps or section.status != "ok":
            table.gaps[number] = Doubts(section, plan, snapshot.asked)
        elif name == ASKED and snapshot.asked is not None:
            if snapshot.asked not in table.asked:
                table.asked[snapshot.asked] = Doubts(section, plan, snapshot.asked), set()
            table.asked[snapshot.asked][1].add(number)
        else:
            table.plain.add(number)

    def outliers(self, only: str | None = None) -> Iterator[Outlier]:
        """All who differ, or what one host differs in; by section and record."""
        wanted = None if only is None else self._hosts.index(only) if only in self._hosts else -1
        for name, table in self._tables.items():
            for identity in table.variants:
                yield from _Record(name, identity, table, self._normaliser, self._names).outliers(self._hosts, wanted)

    def usual(self, section: str, key: str, field: str) -> tuple[bool, Any]:
        """Whether there is a majority for a field (or, without a field, for a record being there), and what it says."""
        place = (section, key.casefold(), field)
        if place not in self._usual:
            self._usual[place] = self._count(section, key, field)
        return self._usual[place]

    def _count(self, section: str, key: str, field: str) -> tuple[bool, Any]:
        table = self._tables.get(section)
        if table is None:
            return False, None
        record = _Record(section, key.casefold(), table, self._normaliser, self._names)
        if not field:
            there, absent = len(record.there), record.absent()
            return _is_majority(max(there, absent), there + absent), there > absent
        counts = record.values(field)
        value, count = counts.most_common(1)[0] if counts else (None, 0)
        return _is_majority(count, counts.total()), plain(value)


def _is_majority(count: int, known: int) -> bool:
    return known >= FEWEST and 2 * count > known


class _Record:
    """One record over all hosts of a group."""

    def __init__(self, section: str, identity: str, table: _Table, normaliser: Normaliser, names: Sequence[OwnNames]) -> None:
        plan = normaliser.plan(section)
        self._section, self._table, self._names = section, table, names
        self._variants = table.variants.get(identity, {})
        self._individual = frozenset((*plan.individual, *plan.integrity))
        self._null_is_none = frozenset(plan.absent_when_null)
        self.there: set[int] = {host for hosts in self._variants.values() for host in hosts}

    def absent(self) -> int:
        """How many hosts surely lack it."""
        item = next(iter(self._variants)) if self._variants else Item("", (), ())
        return self._table.surely_without(item, self.there)

    def outliers(self, hosts: Sequence[str], wanted: int | None) -> Iterator[Outlier]:
        yield from self._presence(hosts, wanted)
        if len(self._variants) > 1:
            for field in next(iter(self._variants)).names:
                if field not in self._individual:
                    yield from self._field(field, hosts, wanted)

    def _presence(self, hosts: Sequence[str], wanted: int | None) -> Iterator[Outlier]:
        absent = self.absent()
        known = len(self.there) + absent
        if not absent:
            return
        if _is_majority(len(self.there), known):
            item = max(self._variants, key=lambda variant: len(self._variants[variant]))
            delta = Delta(section=self._section, key=item.key, kind="removed", before=item.fields())
            lacking = self._table.lacking(item, self.there)
            yield from (Outlier(hosts[h], delta, len(self.there), known) for h in lacking if wanted in (None, h))
        elif _is_majority(absent, known):
            for variant, owners in self._variants.items():
                delta = Delta(section=self._section, key=variant.key, kind="added", after=variant.fields())
                yield from (Outlier(hosts[h], delta, absent, known) for h in owners if wanted in (None, h))

    def values(self, field: str) -> Counter[Any]:
        """How many hosts have each known value of a field, own names masked where values differ."""
        return Counter({value: len(owners) for value, owners in self._owners(field).items()})

    def _owners(self, field: str) -> dict[Any, list[int]]:
        found: dict[Any, list[int]] = {}
        for item, owners in self._variants.items():
            value = item.get(field)
            if field not in item.skip and (value is not None or field in self._null_is_none):
                found.setdefault(value, []).extend(owners)
        if len(found) < 2:
            return found
        masked: dict[Any, list[int]] = {}
        for value, owners in found.items():
            for host in owners:
                masked.setdefault(self._names[host].mask(value), []).append(host)
        return masked

    def _field(self, field: str, hosts: Sequence[str], wanted: int | None) -> Iterator[Outlier]:
        owners = self._owners(field)
        if len(owners) < 2:
            return
        known = sum(map(len, owners.values()))
        usual = max(owners, key=lambda value: len(owners[value]))
        if not _is_majority(len(owners[usual]), known):
            return
        keys = {host: item for item, its in self._variants.items() for host in its}
        for value, others in owners.items():
            for host in others if value != usual else ():
                item = keys[host]
                doubts = self._table.gaps.get(host)
                if wanted not in (None, host) or (doubts and doubts.of_field(item, field)):
                    continue
                own = plain(item.get(field))
                delta = Delta(section=self._section, key=item.key, field=field, kind="changed", before=plain(usual), after=own)
                yield Outlier(hosts[host], delta, len(owners[usual]), known)
