"""Counts of different products, drivers or filters of a host, and the selector of one file-system filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from typing import Any

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.conditions.selectors_host import driver_tests
from auditor.analysis.conditions.selectors_product import asked_fields, compile_matches
from auditor.analysis.host.facts import FilterPlace, HostFacts, altitude_of
from auditor.analysis.host.matching import named, undecided
from auditor.analysis.host.outcome import FALSE, Outcome, disjoin
from auditor.model.host import FilterRecord
from auditor.model.pattern import compile_pattern
from auditor.model.selector import CountSelector, DriverSelector, FilterSelector, ProductSelector
from auditor.model.table import AltitudesTable


def _as_it_is(evidence: Any) -> Any:
    return evidence


class _Tally:
    """What is counted: names that fit for sure and names that may fit, with the evidence and what is missing."""

    def __init__(self) -> None:
        self.sure: dict[str, list[Any]] = {}
        """What fits, by name: evidence, or records where `outcome` is told how to tell of them."""
        self.open: set[str] = set()
        self.missing: list[str] = []
        self.listed = True

    def outcome(self, at_least: int | None, at_most: int | None, told: Callable[[Any], Any] = _as_it_is) -> Outcome:
        """Whether the count lies inside the bounds whatever becomes of the names in doubt."""
        low = len(self.sure)
        high = len(self.open | set(self.sure)) if self.listed else None
        checks = []
        if at_least is not None:
            checks.append(True if low >= at_least else (False if high is not None and high < at_least else None))
        if at_most is not None:
            checks.append(False if low > at_most else (True if high is not None and high <= at_most else None))
        if False in checks:
            return FALSE
        if None in checks:
            return Outcome(None, missing=tuple(dict.fromkeys(self.missing)))
        return Outcome(True, tuple(told(e) for name in sorted(self.sure) for e in self.sure[name]))


def compile_count(selector: CountSelector, setting: Setting) -> Test:
    """How many different products, drivers or filters fit."""
    if selector.product is not None:
        return _count_products(selector, selector.product, setting)
    if selector.driver is not None:
        return _count_drivers(selector, selector.driver, setting)
    return _count_filters(selector, selector.filter or FilterSelector(), setting)


def _count_products(selector: CountSelector, product: ProductSelector, setting: Setting) -> Test:
    role, match = setting.role(product.host), compile_matches(product, setting)
    asked = asked_fields(product)

    def name(facts: HostFacts, id_: str) -> str:
        signature = facts.signatures.get(id_)
        return signature.vendor if selector.distinct == "vendor" and signature else id_

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        matches, tally = match(facts), _Tally()
        for found in matches.sure:
            tally.sure.setdefault(name(facts, found.id), []).extend(facts.told(found, asked))
        tally.open = {name(facts, found.id) for found, _ in matches.open} | {name(facts, id_) for id_ in matches.unsure}
        tally.missing = [m for _, reasons in matches.open for m in reasons] + [m for reasons in matches.unsure.values() for m in reasons]
        return tally.outcome(selector.at_least, selector.at_most)

    return test


def _count_drivers(selector: CountSelector, driver: DriverSelector, setting: Setting) -> Test:
    role, tests = setting.role(driver.host), driver_tests(driver, setting)
    name = driver.name.casefold().removesuffix(".sys") if driver.name else None
    fits = compile_pattern(name) if name else None
    meant = (lambda record: fits(record.casefold().rsplit("\\", 1)[-1].removesuffix(".sys"))) if fits else None

    def test(binding: Binding) -> Outcome:
        facts, tally = binding.hosts[role], _Tally()
        for record in named(name, facts.drivers):
            verdicts = {fit(record) for _, fit in tests}
            label = (record.company or "").casefold() if selector.distinct == "company" else record.name.casefold()
            if False in verdicts:
                continue
            if None in verdicts or not label:
                tally.open.add(label or record.name.casefold())
                tally.missing += [facts.why("drivers", record.name, field) for field, fit in tests if fit(record) is None]
            else:
                tally.sure.setdefault(label, []).append(facts.evidence("drivers", record.name))
        return _listed(facts, "drivers", tally, meant).outcome(selector.at_least, selector.at_most)

    return test


def _listed(facts: HostFacts, section: str, tally: _Tally, meant: Callable[[str], bool] | None = None) -> _Tally:
    """Takes into account what was not listed, or listed and not read."""
    if (unseen := facts.unseen(section)) is not None:
        tally.listed = False
        tally.missing.append(unseen)
    for gap in facts.lost(section):
        if meant is None or meant(gap.record):
            tally.open.add(gap.record.casefold())
            tally.missing.append(f"{facts.name}: {section}: {gap.record}: {gap.reason}")
    return tally


def compile_filter(selector: FilterSelector, setting: Setting) -> Test:
    """A file-system filter by name, altitude, age, class or company of its driver."""
    role, allocated = setting.role(selector.host), _allocation(selector, setting)
    lost, read = _meant(selector), _filters(selector)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        places = [place for place in facts.filter_places if allocated(place.record)] if allocated else facts.filter_places
        verdicts = [(place.record, missing) for place, missing in read(facts, places)]
        found = [record for record, missing in verdicts if not missing]
        if found:
            return Outcome(True, tuple(_filter_told(facts, record) for record in found))
        return undecided(facts, "filters", [m for _, missing in verdicts for m in missing], lost)

    return test


def _meant(selector: FilterSelector) -> Callable[[str], bool] | None:
    """Which filters that were listed but not read a selector could mean; None means any of them."""
    if selector.name is None:
        return None
    fits = compile_pattern(selector.name.casefold().removesuffix(".sys"))
    return lambda record: fits(record.casefold().removesuffix(".sys"))


def _allocation(selector: FilterSelector, setting: Setting) -> Callable[[FilterRecord], bool] | None:
    """Whether a filter's altitude is given to nobody, or to another; fractions belong to whom the whole number was given to.

    None where a selector does not ask for that. What was said of a driver at an altitude is remembered: most hosts share their filters.
    """
    table = setting.lists.get(selector.altitudes) if selector.altitudes else None
    if selector.allocated is None or not isinstance(table, AltitudesTable):
        return None
    owners, known = table.owners, frozenset(name for names in table.owners.values() for name in names)
    wanted = selector.allocated

    @lru_cache(maxsize=4096)
    def given(name: str, altitude: str | None) -> bool:
        if not altitude or altitude_of(altitude) is None:
            return False
        if owners.get(altitude.strip()) is None and owners.get(altitude.strip().partition(".")[0]) is None:
            return wanted == "to_nobody"
        return wanted == "to_another" and name.casefold().removesuffix(".sys") not in known

    return lambda record: given(record.name, record.altitude)


def _count_filters(selector: CountSelector, chosen: FilterSelector, setting: Setting) -> Test:
    role, meant = setting.role(chosen.host), _meant(chosen)
    read, by_altitude = _filters(chosen), selector.same == "altitude"
    several = by_altitude and (selector.at_least or 0) > 1

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        tallies: dict[object, _Tally] = {}
        for place, missing in read(facts, facts.filters_that_meet if several else facts.filter_places):
            record = place.record
            if by_altitude and place.altitude is None:
                continue
            tally = tallies.setdefault(place.altitude if by_altitude else None, _Tally())
            label = place.company if selector.distinct == "company" else record.name.casefold()
            if missing or label is None:
                tally.open.add(record.name.casefold())
                tally.missing += missing or (facts.why("drivers", record.name, "company"),)
            else:
                tally.sure.setdefault(label, []).append(record)
        found = [_listed(facts, "filters", tally, meant) for tally in tallies.values() or [_Tally()]]
        told = partial(_filter_told, facts)
        return disjoin([tally.outcome(selector.at_least, selector.at_most, told) for tally in found])

    return test


FilterReader = Callable[[HostFacts, Iterable[FilterPlace]], list[tuple[FilterPlace, tuple[str, ...]]]]
"""Filters that fit, of some of a host, or may fit: then with what is missing."""


def _filters(selector: FilterSelector) -> FilterReader:
    """The reader of the filters that a selector means."""
    left_out = tuple(compile_pattern(company) for company in selector.except_companies)
    name = compile_pattern(selector.name.casefold().removesuffix(".sys")) if selector.name else None
    low, high = altitude_of(selector.altitude_from), altitude_of(selector.altitude_to)

    def fits(place: FilterPlace) -> bool:
        record = place.record
        if selector.class_filter != record.class_filter or (selector.legacy is not None and record.legacy is not selector.legacy):
            return False
        if name is not None and not name(record.name.casefold().removesuffix(".sys")):
            return False
        if low is not None and (place.altitude is None or place.altitude < low):
            return False
        return high is None or (place.altitude is not None and place.altitude <= high)

    def read(facts: HostFacts, places: Iterable[FilterPlace]) -> list[tuple[FilterPlace, tuple[str, ...]]]:
        found = []
        for place in places:
            if not fits(place):
                continue
            missing: list[str] = []
            if left_out and place.company is None:
                missing.append(facts.unseen("drivers") or facts.why("drivers", place.record.name, "company"))
            elif any(test(place.company or "") for test in left_out):
                continue
            if selector.loaded is not None and place.running is None:
                missing.append(facts.unseen("drivers") or facts.why("drivers", place.record.name, "state"))
            elif selector.loaded is not None and place.running is not selector.loaded:
                continue
            found.append((place, tuple(missing)))
        return found

    return read


def _filter_told(facts: HostFacts, record: FilterRecord) -> Any:
    field = "altitude" if record.altitude else "legacy"
    return facts.evidence("filters", record.name, field, getattr(record, field))
