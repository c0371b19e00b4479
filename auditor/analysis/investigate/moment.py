"""When it happened: from a person, the dump's header, the text of event 6008, or the records of the restart. Pure.

Rules of this file:
1. The records of a crash are written at the next start: their own time is when the restart was noted, not when the host fell.
2. Event 6008 tells the time in the host's own date format, and in binary where the record has it. A printed date that can be read in
   two ways is read as the one that lies closest before the record.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import permutations

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.zone import has_rules, is_sane, parse_utc, to_local, to_utc
from auditor.model.crash import Crash
from auditor.model.finding import Evidence
from auditor.model.host import EventReading
from auditor.model.hypothesis import Moment, MomentSource
from auditor.model.times import stamp

RESTART_EVENTS = (
    ("eventlog", 6008), ("microsoft-windows-kernel-power", 41), ("bugcheck", 1001),
    ("microsoft-windows-wer-systemerrorreporting", 1001), ("save dump", 1001), ("system error", 1003),
)  # fmt: skip
LEAST_SKEW = 5.0
"""Seconds by which clocks must differ to count: the answer's own way takes some."""
_NOTED = timedelta(minutes=20)
"""Records of one restart lie this close together."""
_LONGEST_DOWN = timedelta(days=7)
_CLOCK = re.compile(r"(\d{1,2})\D(\d{2})\D(\d{2})")
_PM = re.compile(r"p\.?\s?m|下午|오후|午後|μμ|nachm", re.IGNORECASE)
_AM = re.compile(r"a\.?\s?m|上午|오전|午前|πμ|vorm", re.IGNORECASE)
_SYSTEMTIME = re.compile(r"[0-9a-f]{32,}")


def skewed(host: HostFacts, moment: datetime) -> datetime:
    """A time of the host on the collector's clock."""
    skew = host.snapshot.clock.skew_seconds
    return moment - timedelta(seconds=skew) if skew is not None and abs(skew) >= LEAST_SKEW else moment


def own_clock(host: HostFacts, moment: datetime) -> datetime:
    """A time on the collector's clock as the host's clock showed it."""
    skew = host.snapshot.clock.skew_seconds
    return moment + timedelta(seconds=skew) if skew is not None and abs(skew) >= LEAST_SKEW else moment


def event_time(host: HostFacts, event: EventReading) -> datetime | None:
    """When an event was written, on the collector's clock."""
    found = parse_utc(event.time)
    return skewed(host, found) if found is not None else None


def event_evidence(host: HostFacts, event: EventReading) -> Evidence:
    """A pointer to an event."""
    text = "; ".join(part for part in event.strings if part)
    record = f"{event.log}/{event.record}" if event.record is not None else f"{event.log}/{event.source} {event.id} {event.time}"
    return host.evidence("events", record, "strings", f"{event.source} {event.id} {event.time}" + (f": {text[:400]}" if text else ""))


def is_restart(event: EventReading) -> bool:
    """Whether an event tells of an unexpected restart."""
    return (event.source.casefold(), event.id) in RESTART_EVENTS


def restarts(host: HostFacts) -> list[list[EventReading]]:
    """Records of unexpected restarts, those of one restart together, the newest restart first."""
    found = sorted((e for e in host.sections.events.readings if is_restart(e)), key=lambda e: e.time, reverse=True)
    groups: list[list[EventReading]] = []
    for event in found:
        time, last = parse_utc(event.time), parse_utc(groups[-1][-1].time) if groups else None
        if time is not None and last is not None and last - time <= _NOTED:
            groups[-1].append(event)
        else:
            groups.append([event])
    return groups


def find_moment(host: HostFacts, *, given: datetime | None = None, crash: Crash | None = None) -> Moment | None:
    """The moment to look at; None where nothing tells of an unexpected restart."""
    if given is not None:
        return _moment(host, given, "given", (), ())
    events = next(iter(restarts(host)), [])
    noted = parse_utc(events[-1].time) if events else None
    evidence = tuple(event_evidence(host, event) for event in reversed(events))
    dumped = parse_utc(crash.crash_time) if crash is not None else None
    if dumped is not None and (noted is None or noted - _LONGEST_DOWN <= dumped <= noted + _NOTED):
        return _moment(host, skewed(host, dumped), "dump", evidence, ())
    told = next((t for event in events if event.id == RESTART_EVENTS[0][1] and (t := told_time(host, event)) is not None), None)
    if told is not None:
        return _moment(host, skewed(host, told[0]), "event_text", evidence, told[1])
    if noted is not None:
        notes = ("the records were written at the next start: the host fell some time before",)
        return _moment(host, skewed(host, noted), "event_time", evidence, notes)
    return None


def _moment(host: HostFacts, time: datetime, source: MomentSource, evidence: tuple[Evidence, ...], notes: tuple[str, ...]) -> Moment:
    more = list(notes)
    skew = host.snapshot.clock.skew_seconds
    if skew is None and source != "given":
        more.append("the host's clock was not compared with ours: its times are taken as they are")
    elif skew is not None and abs(skew) >= LEAST_SKEW and source != "given":
        more.append(f"the host's clock was {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}: taken out")
    local = to_local(host, own_clock(host, time))
    if local is None:
        more.append("the host's time zone is not known: no local time")
    elif not has_rules(host):
        more.append("the host stated no zone rules: its offset at collection was used")
    text = local.strftime("%Y-%m-%dT%H:%M:%S") if local is not None else None
    return Moment(time=stamp(time), local=text, source=source, evidence=evidence, notes=tuple(more))


def told_time(host: HostFacts, event: EventReading) -> tuple[datetime, tuple[str, ...]] | None:
    """The time that event 6008 tells, aware UTC on the host's clock, and what was assumed."""
    written = parse_utc(event.time)
    if written is None:
        return None
    candidates: dict[datetime, str] = {}
    for local in (*_binary_times(event), *_printed_times(event)):
        time = to_utc(host, local) if is_sane(local) else None
        if time is not None and written - _LONGEST_DOWN <= time <= written + timedelta(minutes=1):
            candidates.setdefault(time, local.isoformat())
    if not candidates:
        return None
    best = max(candidates)
    notes = () if len(candidates) == 1 else ("the printed date can be read in more than one way: the closest before the restart is taken",)
    return best, notes


def _binary_times(event: EventReading) -> Iterator[datetime]:
    """The SYSTEMTIME, local, at the start of the record's data, which comes as hex behind the strings."""
    for text in event.strings:
        if _SYSTEMTIME.fullmatch(text):
            year, month, _, day, hour, minute, second, _ = struct.unpack("<8H", bytes.fromhex(text[:32]))
            try:
                yield datetime(year, month, day, hour, minute, second)
            except ValueError:
                continue


def _printed_times(event: EventReading) -> Iterator[datetime]:
    if len(event.strings) < 2:
        return
    clock = _CLOCK.search(event.strings[0])
    numbers = [int(text) for text in re.findall(r"\d+", event.strings[1])][:3]
    if clock is None or len(numbers) != 3:
        return
    hour = int(clock[1])
    if _PM.search(event.strings[0]) and hour < 12:
        hour += 12
    elif _AM.search(event.strings[0]) and hour == 12:
        hour = 0
    for year, month, day in permutations(numbers):
        try:
            yield datetime(year if year > 99 else 2000 + year, month, day, hour, int(clock[2]), int(clock[3]))
        except ValueError:
            continue


def utc(moment: Moment) -> datetime:
    """The moment as an aware time."""
    found = parse_utc(moment.time)
    return found if found is not None else datetime.fromtimestamp(0, UTC)
