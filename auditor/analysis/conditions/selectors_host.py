"""Selectors over the records of one host: drivers, services, programs, settings, files, Defender."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from auditor.analysis.conditions.binding import Binding, Setting, Test
from auditor.analysis.host.facts import HostFacts, driver_names, security_key
from auditor.analysis.host.matching import ITSELF, FieldTest, choose, moment, named, seconds, text_is, value_in, value_is, version_in
from auditor.analysis.host.outcome import Outcome, negate, unknown
from auditor.analysis.host.registry import file_test, may_hold
from auditor.model.host import DriverRecord
from auditor.model.pattern import compile_pattern
from auditor.model.selector import (
    DefenderSelector,
    DriverSelector,
    FileSelector,
    ProgramSelector,
    ServiceSelector,
    SettingSelector,
)
from auditor.model.table import DriversTable, Table


def compile_driver(selector: DriverSelector, setting: Setting) -> Test:
    """A driver by name, version, link time, hash, signer, group, start or state."""
    role, tests = setting.role(selector.host), driver_tests(selector, setting)
    name = selector.name.casefold().removesuffix(".sys") if selector.name else None
    lost = _last_part(name)
    screen = _screen(selector, setting) if name is None else None

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        if selector.table is not None and (blind := _unhashed(facts)):
            return unknown(blind)
        records = named(name, facts.drivers) if screen is None else screen(facts)
        return choose(facts, "drivers", records, tests, lambda r: str(r.name), lost)

    return test


NO_HASH = "no driver's hash was collected: collect with hashes of drivers"
_SCREENED = (("signature",), ("company", "except_companies"), ("file_exists",), ("group",))
"""What a selector says of fields that have few different values on a host; the field's name first."""


def _screen(selector: DriverSelector, setting: Setting) -> Callable[[HostFacts], Iterable[DriverRecord]]:
    """Drivers that can fit a selector without a name: those whose value of a field may fit, those of a table's names where it has one."""
    asked = ((words[0], DriverSelector(**{word: getattr(selector, word) for word in words})) for words in _SCREENED)
    tests = [(field, test) for field, part in asked for _, test in driver_tests(part, setting)]
    table = setting.lists.get(selector.resembles) if selector.resembles else None
    names = frozenset(name for name, _ in table.names) if isinstance(table, DriversTable) else None
    hashes = setting.tables.get(selector.table, frozenset()) if selector.table is not None else None

    def chosen(facts: HostFacts) -> Iterable[DriverRecord]:
        if names is not None:
            return {id(record): record for name in names.intersection(facts.drivers) for record in facts.drivers[name]}.values()
        records = facts.sections.drivers.records
        fewest: list[Sequence[int]] | None = None
        count = len(records)
        if hashes is not None and None not in facts.driver_hashes:
            fewest = [(number,) for number, record in enumerate(records) if record.sha256 in hashes] if hashes & facts.driver_hashes else []
            count = len(fewest)
        for field, test in tests:
            fitting = [numbers for numbers in facts.drivers_by(field).values() if test(records[numbers[0]]) is not False]
            if fewest is None or sum(map(len, fitting)) < count:
                fewest, count = fitting, sum(map(len, fitting))
            if not fewest:
                return ()
        return records if fewest is None else [records[number] for number in sorted(chain.from_iterable(fewest))]

    return chosen


def _of_others(companies: tuple[str, ...]) -> FieldTest:
    left_out = [compile_pattern(company) for company in companies]
    return "company", lambda r: None if r.company is None else not any(fits(r.company.casefold()) for fits in left_out)


def _unhashed(facts: HostFacts) -> str:
    """One line instead of one for each driver, where no hash was collected at all."""
    if not facts.driver_hashes or any(facts.driver_hashes):
        return ""
    return f"{facts.name}: drivers: sha256: {NO_HASH}"


def driver_tests(selector: DriverSelector, setting: Setting) -> tuple[FieldTest, ...]:
    """Tests for everything that a selector says of a driver but its name."""
    tests = [text_is(f, p) for f in ("company", "signer", "group") if (p := getattr(selector, f)) is not None]
    tests += [value_is(f, v) for f in ("signature", "state", "file_exists") if (v := getattr(selector, f)) is not None]
    if selector.except_companies:
        tests.append(_of_others(selector.except_companies))
    if selector.version is not None:
        tests.append(version_in("file_version", selector.version))
    if selector.start:
        tests.append(value_in("start", selector.start))
    if selector.sha256:
        tests.append(value_in("sha256", tuple(h.casefold() for h in selector.sha256)))
    if selector.table is not None:
        tests.append(_listed_hash(setting.tables.get(selector.table, frozenset()), setting.lists.get(selector.table)))
    if selector.resembles is not None:
        tests += _resembles(setting.lists.get(selector.resembles))
    if selector.linked_from is not None or selector.linked_to is not None:
        tests.append(_linked(selector.linked_from, selector.linked_to))
    return tuple(tests)


def _listed_hash(hashes: frozenset[str], table: Table | None) -> FieldTest:
    """A hash of the table. Where none was collected, a driver of Microsoft's is in doubt only if the table knows its name."""
    names = frozenset(name for name, _ in table.names) if isinstance(table, DriversTable) else frozenset()

    def listed(record: Any) -> bool | None:
        if record.sha256 is not None:
            return record.sha256 in hashes
        foreign = "microsoft" not in (record.company or "").casefold()
        return None if foreign or any(name in names for name in driver_names(record)) else False

    return "sha256", listed


def _resembles(table: Table | None) -> list[FieldTest]:
    """Name and version are those of a row, and no hash says more. A version that is not known is one that no row has."""
    names = table.names if isinstance(table, DriversTable) else frozenset()

    def listed(record: Any) -> bool:
        version = (record.file_version or "").strip()
        return record.sha256 is None and any((name, version) in names for name in driver_names(record))

    return [("file_version", listed)]


def _linked(start: str | None, end: str | None) -> FieldTest:
    low = seconds(start) if start else 0
    high = seconds(end) if end else 2**32
    return "link_timestamp", lambda record: None if record.link_timestamp is None else low <= record.link_timestamp <= high


def _last_part(name: str | None) -> Callable[[str], bool] | None:
    """Which lost records a name could mean: gaps name a record by its name or by its path."""
    if name is None:
        return None
    fits = compile_pattern(name)
    return lambda record: fits(record.casefold()) or fits(record.casefold().rsplit("\\", 1)[-1].removesuffix(".sys"))


def compile_service(selector: ServiceSelector, setting: Setting) -> Test:
    """A service by name, state or start."""
    role, lost = setting.role(selector.host), _last_part(selector.name.casefold())
    tests: list[FieldTest] = [ITSELF]
    tests += [value_is("state", selector.state)] if selector.state else []
    tests += [value_in("start", selector.start)] if selector.start else []
    fixed = tuple(tests)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        return choose(facts, "services", named(selector.name, facts.services), fixed, lambda r: str(r.name), lost)

    return test


def compile_program(selector: ProgramSelector, setting: Setting) -> Test:
    """An uninstall entry by display name, version or publisher."""
    role = setting.role(selector.host)
    tests: list[FieldTest] = [ITSELF]
    tests += [version_in("version", selector.version)] if selector.version else []
    tests += [text_is("publisher", selector.publisher)] if selector.publisher else []
    fixed = tuple(tests)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        return choose(facts, "programs", named(selector.name, facts.programs), fixed, lambda r: str(r.key))

    return test


def compile_setting(selector: SettingSelector, setting: Setting) -> Test:
    """A registry value: there or not, equal to a text, inside bounds of numbers."""
    role = setting.role(selector.host)
    compares = bool(selector.equals) or any(v is not None for v in (selector.pattern, selector.at_least, selector.at_most))
    as_key = not selector.value and not compares
    tests: tuple[FieldTest, ...] = (("data", _data_test(selector)),) if compares else ()

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        records = facts.security.below(selector.key) if as_key else facts.security.values(selector.key, selector.value)
        outcome = choose(facts, "security", records, tests, security_key, lambda r: may_hold(r, selector.key))
        outcome = _or_unasked(outcome, facts.unasked("key", selector.key)) if outcome.value is not True else outcome
        return negate(outcome) if selector.present is False else outcome

    return test


def _or_unasked(outcome: Outcome, unasked: tuple[str, ...]) -> Outcome:
    """What was not found and was not asked for is unknown."""
    return Outcome(None, missing=(*outcome.missing, *unasked)) if unasked else outcome


def _data_test(selector: SettingSelector) -> Callable[[Any], bool | None]:
    allowed = frozenset(text.casefold() for text in selector.equals)
    fits = compile_pattern(selector.pattern) if selector.pattern is not None else None

    def test(record: Any) -> bool | None:
        if record.data is None:
            return None
        if (allowed and record.data.casefold() not in allowed) or (fits and not fits(record.data.casefold())):
            return False
        if selector.at_least is None and selector.at_most is None:
            return True
        try:
            number = int(record.data)
        except ValueError:
            return None
        return (selector.at_least is None or number >= selector.at_least) and (selector.at_most is None or number <= selector.at_most)

    return test


def compile_file(selector: FileSelector, setting: Setting) -> Test:
    """A file of a security product by path, version and time of its last change."""
    role = setting.role(selector.host)
    tests: list[FieldTest] = [version_in("file_version", selector.version)] if selector.version is not None else []
    if selector.modified_from is not None or selector.modified_to is not None:
        tests.append(_modified(selector.modified_from, selector.modified_to))
    fixed = tuple(tests)
    fits, whole = file_test(selector.path), selector.path.casefold()
    over = seconds(selector.modified_to) if selector.modified_to else None

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]

        def lost(record: str) -> bool:
            meant = record.casefold() == whole or fits(record.casefold())
            return meant and not (over is not None and facts.foreseen("security", record) and over < moment(facts.snapshot.collected_at))

        # a file that a change is yet to write was not last changed before the host was seen
        outcome = choose(facts, "security", facts.security.files(selector.path), fixed, security_key, lost)
        outcome = _or_unasked(outcome, facts.unasked("file", selector.path)) if outcome.value is not True else outcome
        return negate(outcome) if selector.present is False else outcome

    return test


def _modified(start: str | None, end: str | None) -> FieldTest:
    low = seconds(start) if start else 0
    high = seconds(end) if end else 2**40

    def fits(record: Any) -> bool | None:
        try:
            return None if record.modified_at is None else low <= seconds(record.modified_at) <= high
        except ValueError:
            return None

    return "modified_at", fits


def compile_defender(selector: DefenderSelector, setting: Setting) -> Test:
    """What Defender or Security Center says of a product."""
    role = setting.role(selector.host)
    tests: list[FieldTest] = [ITSELF]
    tests += [text_is(f, p) for f in ("name", "running_mode") if (p := getattr(selector, f)) is not None]
    tests += [value_is(f, v) for f in ("enabled", "real_time", "tamper_protected", "up_to_date") if (v := getattr(selector, f)) is not None]
    fixed = tuple(tests)

    def test(binding: Binding) -> Outcome:
        facts = binding.hosts[role]
        records = [record for record in facts.sections.defender.records if record.source == selector.source]
        if not records and selector.source == "securitycenter" and not facts.on_client:
            return unknown(
                f"{facts.name}: defender: Security Center is on clients only: what a server does not register there is not known"
            )
        return choose(facts, "defender", records, fixed, lambda r: str(r.name))

    return test
