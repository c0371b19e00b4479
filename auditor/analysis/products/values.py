"""Values of products: where a signature says they stand, and how vendors write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from auditor.analysis.host.facts import HostFacts, security_key
from auditor.analysis.host.matching import named
from auditor.model.finding import Evidence
from auditor.model.host import DefenderReading, DefenderRecord, SecurityRecord
from auditor.model.signature import Decode, ValueSource
from auditor.model.version import parse_version

_YEARS = range(1995, 2100)
"""A date outside is a wrong reading, not a date."""


class Value(NamedTuple):
    """A value with the record it was read from; without one, `missing` says what would be needed (empty: looked and found none)."""

    text: str | None
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()


def _hidden(facts: HostFacts, source: ValueSource) -> tuple[str, ...]:
    """Why a value that was not found may stand there all the same: it was refused, or not asked for."""
    if source.registry is not None:
        return (*facts.lost_key(source.registry.key), *facts.unasked("key", source.registry.key))
    if source.file is not None:
        return (*facts.lost_file(source.file.path), *facts.unasked("file", source.file.path))
    return ()


class _Reading(NamedTuple):
    """A raw text in a record; None where the record is there and the text is not known."""

    section: str
    record: str
    field: str
    text: str | None


def read_value(facts: HostFacts, sources: tuple[ValueSource, ...], about: str) -> Value:
    """The first value that one of the sources gives, in order of trust."""
    missing: list[str] = []
    for source in sources:
        section = section_of(source)
        if (unseen := facts.unseen(section)) is not None:
            missing.append(unseen)
        readings = list(_readings(facts, source))
        missing += () if readings else _hidden(facts, source)
        for reading in readings:
            if reading.text is None:
                missing.append(facts.why(reading.section, reading.record, reading.field))
            elif (text := DECODERS[source.decode](reading.text)) is not None:
                evidence = Evidence(
                    host=facts.name,
                    section=reading.section,
                    record=reading.record,
                    field=reading.field,
                    value=reading.text[:200],
                    about=about,
                    confidence=source.confidence,
                    source=source.source,
                )
                return Value(text, (evidence,))
    return Value(None, missing=tuple(dict.fromkeys(missing)))


def section_of(source: ValueSource) -> str:
    """The section that a source reads."""
    if source.registry is not None or source.file is not None:
        return "security"
    if source.program is not None:
        return "programs"
    return "drivers" if source.driver is not None else "defender"


def _readings(facts: HostFacts, source: ValueSource) -> Iterator[_Reading]:
    if source.registry is not None:
        for value in facts.security.values(source.registry.key, source.registry.value):
            yield _Reading("security", security_key(value), "data", value.data)
    elif source.file is not None:
        for file in sorted(facts.security.files(source.file.path), key=_newest, reverse=True):
            field, text = ("file_version", file.file_version) if source.file.line is None else ("data", _line(file.data, source.file.line))
            yield _Reading("security", file.path, field, text)
    elif source.program is not None:
        for program in named(source.program, facts.programs):
            yield _Reading("programs", program.key, "version", program.version)
    elif source.driver is not None:
        for driver in named(source.driver.casefold().removesuffix(".sys"), facts.drivers):
            yield _Reading("drivers", driver.name, "file_version", driver.file_version)
    elif source.defender is not None:
        yield from _defender(facts, source.defender)


def _newest(file: SecurityRecord) -> tuple[int, ...]:
    """Of several files that fit, such as the folders of a platform's versions, the newest is the one at work."""
    version = parse_version(file.file_version)
    return version.parts if version else ()


def _defender(facts: HostFacts, field: str) -> Iterator[_Reading]:
    section = facts.sections.defender
    own = [record for record in section.records if record.source == "defender"]
    names = {record.name for record in own}
    rows: list[DefenderRecord | DefenderReading] = [*own, *(reading for reading in section.readings if reading.name in names)]
    yield from (_Reading("defender", row.name, field, getattr(row, field)) for row in rows if hasattr(row, field))


def _line(text: str | None, start: str) -> str | None:
    wanted = start.casefold()
    for line in (text or "").splitlines():
        if line.strip().casefold().startswith(wanted):
            return line.strip()[len(start) :]
    return None


def _plain(text: str) -> str | None:
    return text.strip() or None


def _sep_date(text: str) -> str | None:
    """Hex of a REG_BINARY: year since 1970, month counted from 0, day."""
    try:
        raw = bytes.fromhex(text.strip()[:6])
        return datetime(1970 + raw[0], 1 + raw[1], raw[2], tzinfo=UTC).date().isoformat()
    except (ValueError, IndexError):
        return None


def _definfo_date(text: str) -> str | None:
    """`YYYYMMDD.rev` as `YYYY-MM-DD rev N`."""
    match = re.fullmatch(r"\s*(\d{4})(\d\d)(\d\d)\.(\d{1,6})\s*", text)
    if match is None or int(match.group(1)) not in _YEARS:
        return None
    return f"{match.group(1)}-{match.group(2)}-{match.group(3)} rev {int(match.group(4))}"


def _after_colon(text: str) -> str | None:
    rest = text.partition(":")[2].strip()
    return re.split(r"[\s,;:]", rest, maxsplit=1)[0] or None


def _hex_dword(text: str) -> str | None:
    return f"0x{int(text):08x}" if text.strip().isdecimal() and len(text) < 20 else None


def _trend_pattern(text: str) -> str | None:
    if not text.strip().isdecimal() or len(text) > 12:
        return None
    number = int(text)
    return f"{number // 100000}.{number % 100000 // 100}.{number % 100}"


def _unix_time(text: str) -> str | None:
    return _moment(datetime(1970, 1, 1, tzinfo=UTC), int(text)) if text.strip().isdecimal() and len(text) < 12 else None


def _filetime(text: str) -> str | None:
    """100 nanoseconds since 1601: a decimal number, or eight bytes in hex, lowest first."""
    clean = text.strip()
    if re.fullmatch(r"[0-9a-f]{16}", clean) and not clean.isdecimal():
        ticks = int.from_bytes(bytes.fromhex(clean), "little")
    elif clean.isdecimal() and len(clean) < 20:
        ticks = int(clean)
    else:
        return None
    return _moment(datetime(1601, 1, 1, tzinfo=UTC), ticks // 10_000_000)


def _moment(start: datetime, seconds: int) -> str | None:
    try:
        moment = start + timedelta(seconds=seconds)
    except OverflowError:
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year in _YEARS else None


def _first_line(text: str) -> str | None:
    return next((line.strip() for line in text.splitlines() if line.strip()), None)


def _sav_version(text: str) -> str | None:
    """A DWORD: version times 100 in the low half, build in the high half; a dotted text is taken as it is."""
    if not text.strip().isdecimal():
        return _plain(text)
    number = int(text) if len(text) < 12 else 0
    low, high = number & 0xFFFF, number >> 16 & 0xFFFF
    return f"{low // 100}.{low % 100 // 10}.{high}" if low >= 100 else None


DECODERS: Mapping[Decode, Callable[[str], str | None]] = MappingProxyType(
    {
        "text": _plain,
        "sep_date": _sep_date,
        "definfo_date": _definfo_date,
        "after_colon": _after_colon,
        "hex_dword": _hex_dword,
        "trend_pattern": _trend_pattern,
        "unix_time": _unix_time,
        "filetime": _filetime,
        "first_line": _first_line,
        "sav_version": _sav_version,
    }
)
