"""The join of `impact`: what a word means in the fleet that is stored (a host, a product, a driver), and what depends on it."""

from __future__ import annotations

import difflib
from typing import Literal

from auditor.analysis.fleet.impact import (
    driver_impact,
    driver_key,
    host_impact,
    product_holders,
    product_impact,
    unsure_of_driver,
    unsure_of_product,
)
from auditor.model.errors import UsageError
from auditor.model.whatif import Impact
from auditor.stored_fleet import StoredFleet

Kind = Literal["host", "product", "driver"]


def impact(stored: StoredFleet, word: str, kind: Kind | None = None) -> Impact:
    """What depends on it. A word that is a host's, a product's and a driver's means the first of these, unless `kind` says.

    Raises UsageError with the nearest names where nothing is called so.
    """
    for one in (kind,) if kind else ("host", "product", "driver"):
        found = _as(stored, word, one)
        if found is not None:
            return found
    raise UsageError(f"there is no {kind or 'host, product or driver'} {word!r}", next_step=_near(stored, word))


def _as(stored: StoredFleet, word: str, kind: str) -> Impact | None:
    fleet = stored.fleet
    if kind == "host":
        by_name = {target.name.casefold(): target.name for target in stored.targets}
        name = by_name.get(word.casefold()) or fleet.resolver.resolve(word).target
        return host_impact(fleet, name) if name is not None else None
    if kind == "product":
        if word.casefold() not in stored.detector.signatures:
            return None
        id_ = word.casefold()
        return product_impact(fleet, id_, product_holders(fleet, id_), unsure_of_product(fleet, id_))
    if not any(driver_key(word) in fleet.hosts[host].drivers for host in fleet.collected):
        return None
    return driver_impact(fleet, word, unsure_of_driver(fleet, word))


def _near(stored: StoredFleet, word: str) -> str:
    drivers = {name for host in stored.fleet.collected for name in stored.fleet.hosts[host].drivers}
    names = [*(target.name for target in stored.targets), *stored.detector.signatures, *sorted(drivers)]
    near = difflib.get_close_matches(word, names, n=4)
    return f"Near to it: {', '.join(near)}." if near else "Name a host of the store, a product's id, or a driver."
