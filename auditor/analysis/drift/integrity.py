"""Files that should be the same everywhere, definitions that are behind, managers that differ: what is wrong among hosts at a glance. Pure.

Rules of this file:
1. A file is the same by name, version and machine, in one language of Windows; then hash, link time, checksum, size and signer are equal.
2. Definitions are behind where they are older than what at least half of the hosts with that product have, by more than the days allowed.
3. A manager differs where more than half of the same group of the product (or, without one, of the inventory) name another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from auditor.analysis.drift.compare import Delta, system_of
from auditor.analysis.drift.items import PRODUCTS, Item
from auditor.analysis.drift.normalise import Normaliser
from auditor.analysis.drift.peers import FEWEST, Outlier
from auditor.model.finding import Product
from auditor.model.host import Snapshot
from auditor.model.version import Version, parse_version

_Place = tuple[str, str, str, Any, Any]


class _Owner(NamedTuple):
    host: str
    key: str


class Files:
    """Files of all hosts by what makes them the same. Add every host, then ask for those that are not."""

    def __init__(self, normaliser: Normaliser) -> None:
        self._normaliser = normaliser
        self._plans = {name: plan.integrity for name, plan in normaliser.knowledge.sections.items() if plan.integrity}
        self._values: dict[_Place, dict[str, dict[Any, list[_Owner]]]] = {}

    def add(self, snapshot: Snapshot) -> None:
        """One more host."""
        system = system_of(snapshot)
        language = system.ui_language if system else None
        for name, fields in self._plans.items():
            section = getattr(snapshot.sections, name)
            for item in self._normaliser.items(name, section.records, system) if section.usable else ():
                place = _place(name, item, language)
                if place is not None:
                    self._keep(place, item, fields, snapshot.host)

    def _keep(self, place: _Place, item: Item, fields: Sequence[str], host: str) -> None:
        values = self._values.setdefault(place, {})
        for field in fields:
            value = item.get(field)
            if value is not None and field not in item.skip:
                values.setdefault(field, {}).setdefault(value, []).append(_Owner(host, item.key))

    def outliers(self) -> Iterator[Outlier]:
        """Hosts with another file of the same name and version. Without a majority all of them are named."""
        for (section, *_), fields in self._values.items():
            for field, owners in fields.items():
                if len(owners) > 1:
                    yield from _odd_ones(section, field, owners)


def _place(section: str, item: Item, language: str | None) -> _Place | None:
    version = item.get("file_version")
    path = item.get("path") or item.get("image_path")
    if version is None or "file_version" in item.skip or not isinstance(path, str):
        return None
    return section, path.replace("/", "\\").rpartition("\\")[2].casefold(), str(version), item.get("machine"), language


def _odd_ones(section: str, field: str, owners: Mapping[Any, list[_Owner]]) -> Iterator[Outlier]:
    known = sum(map(len, owners.values()))
    ranked = sorted(owners, key=lambda value: (-len(owners[value]), str(value)))
    usual, agree = ranked[0], len(owners[ranked[0]])
    clear = 2 * agree > known
    for value in ranked[1:] if clear else ranked:
        other = usual if clear or value != usual else ranked[1]
        for owner in owners[value]:
            delta = Delta(section=section, key=owner.key, field=field, kind="changed", before=other, after=value)
            yield Outlier(owner.host, delta, len(owners[other]), known)


def definitions_behind(products: Iterable[Product], days: int) -> Iterator[Outlier]:
    """Products whose definitions are older than the fleet's."""
    for id_, having in _by_id(p for p in products if p.definitions and not p.remnant).items():
        dated: list[tuple[Any, Product]] = [(day, p) for p in having if (day := _day(p.definitions))]
        rest = [p for p in having if not _day(p.definitions)]
        versions: list[tuple[Any, Product]] = [(version, p) for p in rest if (version := parse_version(p.definitions))]
        yield from _behind(id_, dated, lambda usual, own: (usual - own).days > days)
        yield from _behind(id_, versions, lambda usual, own: own < usual)


def _behind(id_: str, having: list[tuple[Any, Product]], is_behind: Any) -> Iterator[Outlier]:
    if len(having) < FEWEST:
        return
    ranked = sorted((found for found, _ in having), reverse=True)
    usual: date | Version = ranked[(len(ranked) - 1) // 2]
    text = next(product.definitions for found, product in having if found == usual)
    as_new = sum(found >= usual for found, _ in having)
    for found, product in having:
        if is_behind(usual, found):
            delta = Delta(section=PRODUCTS, key=id_, field="definitions", kind="changed", before=text, after=product.definitions)
            yield Outlier(product.host, delta, as_new, len(having))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        return None


def managers_differing(products: Iterable[Product], groups: Mapping[str, Sequence[str]]) -> Iterator[Outlier]:
    """Products that report to another manager than most of their group. `groups` gives the inventory groups of each host."""
    for id_, having in _by_id(p for p in products if p.parent is not None and not p.remnant).items():
        told: set[tuple[str, Any]] = set()
        for members in _groups_of(having, groups):
            counts = Counter((product.parent or "").casefold() for product in members)
            usual, agree = counts.most_common(1)[0]
            if len(members) < FEWEST or 2 * agree <= len(members):
                continue
            shown = next(product.parent for product in members if (product.parent or "").casefold() == usual)
            for product in members:
                if (product.parent or "").casefold() != usual and (product.host, usual) not in told:
                    told.add((product.host, usual))
                    delta = Delta(section=PRODUCTS, key=id_, field="parent", kind="changed", before=shown, after=product.parent)
                    yield Outlier(product.host, delta, agree, len(members))


def _groups_of(having: Sequence[Product], groups: Mapping[str, Sequence[str]]) -> list[list[Product]]:
    found: dict[tuple[str, str], list[Product]] = {}
    for product in having:
        names = [("product", product.group.casefold())] if product.group else [("inventory", name) for name in groups.get(product.host, ())]
        for name in names:
            found.setdefault(name, []).append(product)
    return list(found.values())


def _by_id(products: Iterable[Product]) -> dict[str, list[Product]]:
    found: dict[str, list[Product]] = {}
    for product in products:
        found.setdefault(product.id, []).append(product)
    return found
