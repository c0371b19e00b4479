"""Which signatures have signs on a host: one pass over the host's names, not one over the signatures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditor.analysis.host.facts import HostFacts, security_key
from auditor.analysis.host.nameindex import NameIndex
from auditor.model.finding import Evidence
from auditor.model.signature import FileSource, RegistrySource, Signs

Place = tuple[int, int]
"""Number of the signature, number of its group of signs."""
Hits = dict[int, dict[int, dict[tuple[Evidence, bool], None]]]
"""Signature number to group number to evidence, each with whether it speaks for an installed product (False: for leftovers only)."""
MOST_SIGNS = 50
"""Evidence that is kept of one group: a host with more says nothing new by it."""


class SignIndex:
    """The signs of all signatures by the kind of record they are looked for in."""

    def __init__(self, signatures: list[list[Signs]]) -> None:
        self._names: dict[str, NameIndex[Place]] = {section: NameIndex() for section in ("programs", "services", "drivers")}
        self._registry: list[tuple[RegistrySource, Place]] = []
        self._files: list[tuple[FileSource, Place]] = []
        for number, groups in enumerate(signatures):
            for group, signs in enumerate(groups):
                self._add(signs, (number, group))

    def _add(self, signs: Signs, place: Place) -> None:
        for section, index in self._names.items():
            for pattern in getattr(signs, section):
                index.add(pattern.casefold().removesuffix(".sys") if section == "drivers" else pattern, place)
        self._registry += [(source, place) for source in signs.registry]
        self._files += [(source, place) for source in signs.files]

    def hits(self, facts: HostFacts) -> Hits:
        """Every sign that the host shows."""
        found: Hits = {}
        self._named(facts, "programs", facts.programs, lambda r: r.key, found)
        self._named(facts, "services", facts.services, lambda r: r.name, found)
        self._named(facts, "drivers", facts.drivers, lambda r: r.name, found)
        if facts.sections.security.records:
            self._kept(facts, found)
        return found

    def _named(self, facts: HostFacts, section: str, records: Mapping[str, Any], key: Callable[[Any], str], found: Hits) -> None:
        for name, places in self._names[section].telling(records):
            for place in places:
                for record in records[name]:
                    alive = getattr(record, "file_exists", None) is not False
                    evidence = facts.evidence(section, key(record), "name", record.name)
                    _note(found, place, evidence, alive)

    def _kept(self, facts: HostFacts, found: Hits) -> None:
        for source, place in self._registry:
            records = facts.security.values(source.key, source.value) if source.value else facts.security.below(source.key)[:1]
            for record in records:
                _note(found, place, facts.evidence("security", security_key(record), "data", (record.data or "")[:200]), True)
        for file, place in self._files:
            for record in facts.security.files(file.path):
                _note(found, place, facts.evidence("security", record.path, "file_version", record.file_version), True)


def _note(found: Hits, place: Place, evidence: Evidence, alive: bool) -> None:
    entries = found.setdefault(place[0], {}).setdefault(place[1], {})
    if len(entries) < MOST_SIGNS:
        entries.setdefault((evidence, alive))
