"""Fields of records against what a selector says, with None for fields that are not known; one loop for all kinds of records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.host.outcome import FALSE, Outcome
from auditor.model.finding import Evidence
from auditor.model.pattern import compile_pattern, is_glob
from auditor.model.version import VersionRange, parse_version

FieldTest = tuple[str, Callable[[Any], bool | None]]
"""A field's name, and whether the value of that field in a record fits; None where it is not known."""
MOST_EVIDENCE = 50
"""Records told of one selector: more of them say nothing new."""
NameTest = Callable[[str], bool]
ITSELF: FieldTest = ("name", lambda _: True)
"""The record as such: makes its name the evidence."""


def text_is(field: str, pattern: str) -> FieldTest:
    """A text field against a glob."""
    fits = compile_pattern(pattern)
    return field, lambda record: None if (value := getattr(record, field)) is None else fits(value.casefold())


def value_is(field: str, wanted: object) -> FieldTest:
    """A field that has exactly this value; `unknown` is none."""
    return field, lambda record: None if (value := getattr(record, field)) in (None, "unknown") else value == wanted


def value_in(field: str, wanted: tuple[Any, ...]) -> FieldTest:
    """A field that has one of these values."""
    allowed = frozenset(wanted)
    return field, lambda record: None if (value := getattr(record, field)) is None else value in allowed


def version_in(field: str, text: str) -> FieldTest:
    """A version field inside a range; a text that is no version is not known."""
    span = VersionRange(text)

    def fits(record: Any) -> bool | None:
        version = parse_version(getattr(record, field), span.scheme)
        return None if version is None else version in span

    return field, fits


def seconds(text: str) -> int:
    """Seconds since 1970 of an ISO 8601 time in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"expected a time in UTC such as 2003-10-24T23:57:03Z, got {text!r}")
    return int(moment.timestamp())


def moment(text: str) -> int:
    """Seconds since 1970 of a time that a host gave; 0 where it is none."""
    try:
        return seconds(text)
    except ValueError:
        return 0


def named(pattern: str | None, index: Mapping[str, tuple[Any, ...]]) -> Iterable[Any]:
    """Records of an index whose name fits; one look-up where the pattern is a plain name. Each record once."""
    if pattern is None:
        return {id(record): record for records in index.values() for record in records}.values()
    if not is_glob(pattern):
        return index.get(pattern.casefold(), ())
    fits = compile_pattern(pattern)
    return {id(record): record for name, records in index.items() if fits(name) for record in records}.values()


def choose(
    facts: HostFacts,
    section: str,
    records: Iterable[Any],
    tests: tuple[FieldTest, ...],
    key: Callable[[Any], str],
    lost: NameTest | None = None,
) -> Outcome:
    """True where a record fits all tests, unknown where one could, or where the listing is not complete; else false.

    `lost` says which records that were listed but not read could be meant; None means any of them.
    """
    found: list[Evidence] = []
    doubts: list[str] = []
    for record in records:
        verdict, fields = _fits(tests, record)
        if verdict:
            found += _evidence(facts, section, key(record), tests, record)
            if len(found) >= MOST_EVIDENCE:
                break
        elif verdict is None:
            doubts += [facts.why(section, key(record), field) for field in fields]
    return Outcome(True, tuple(found)) if found else undecided(facts, section, doubts, lost)


def undecided(facts: HostFacts, section: str, doubts: list[str], lost: NameTest | None = None) -> Outcome:
    """False where nothing is in doubt: neither a record, nor the listing, nor a record that was listed and not read."""
    reasons = list(doubts)
    if (unseen := facts.unseen(section)) is not None:
        reasons.append(unseen)
    lost_records = [gap for gap in facts.lost(section) if lost is None or lost(gap.record)]
    reasons += [f"{facts.name}: {section}: {gap.record}: {gap.reason}" for gap in lost_records]
    return Outcome(None, missing=tuple(dict.fromkeys(reasons))) if reasons else FALSE


def _fits(tests: tuple[FieldTest, ...], record: Any) -> tuple[bool | None, list[str]]:
    unknown: list[str] = []
    for field, test in tests:
        fits = test(record)
        if fits is False:
            return False, []
        if fits is None:
            unknown.append(field)
    return (None if unknown else True), unknown


def _evidence(facts: HostFacts, section: str, key: str, tests: tuple[FieldTest, ...], record: Any) -> list[Evidence]:
    fields = [field for field, _ in tests if field]
    return [facts.evidence(section, key, field, getattr(record, field, "")) for field in fields] or [facts.evidence(section, key)]
