"""Everything that is known when a crash is looked into, with the look-ups that the signs share. Values in, values out.

Owns: which host and moment, the crash as read, the hosts tied to it, events by kind and window. Judges nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property

import msgspec

from auditor.analysis.fleet.fleet import Fleet
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.moment import RESTART_EVENTS, event_evidence, event_time, own_clock, restarts, utc
from auditor.analysis.investigate.zone import parse_utc, to_local
from auditor.model.change import Difference
from auditor.model.crash import Crash, Suspect
from auditor.model.crash_knowledge import CrashKnowledge, stem
from auditor.model.finding import Evidence, Finding
from auditor.model.host import EventReading
from auditor.model.hypothesis import EventKind, HypothesisKnowledge, Moment
from auditor.model.rule import Matrix

_DEFAULT_MINUTES = 60
_AROUND = timedelta(minutes=90)
"""The probe reads two hours before the records of a restart; half an hour of that is left to look at."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Knowledge that a case is judged by."""

    matrix: Matrix
    hypotheses: HypothesisKnowledge
    crashes: CrashKnowledge


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was gathered about one crash."""

    moment: Moment | None
    crash: Crash | None = None
    crash_at: Evidence | None = None
    """Where the crash was read from."""
    crash_missing: str = ""
    """Why there is no crash to read."""
    findings: tuple[Finding, ...] = ()
    undecided: tuple[Finding, ...] = ()
    changes: tuple[Difference, ...] | None = None
    """Since the snapshot before; None where there is none to compare with."""
    changes_since: str | None = None


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a kind that was looked for, and when it was, on the collector's clock."""

    host: str
    time: datetime
    event: EventReading
    evidence: Evidence


class Case:
    """One crash of one host."""

    def __init__(self, host: str, fleet: Fleet, known: Known, seen: Seen, tied: Mapping[str, Sequence[str]]) -> None:
        self.name = host
        self.fleet = fleet
        self.host: HostFacts = fleet.hosts[host]
        self.known = known
        self.seen = seen
        self.tied = tied
        """Other hosts of the fleet to the reasons why they are looked at."""
        self.crash = seen.crash
        self.moment: datetime | None = utc(seen.moment) if seen.moment is not None else None

    def minutes(self, name: str) -> timedelta:
        """A window around the moment, as the knowledge states it."""
        return timedelta(minutes=self.known.hypotheses.minutes.get(name, _DEFAULT_MINUTES))

    def count(self, name: str) -> int:
        """From how many on something counts, as the knowledge states it."""
        return self.known.hypotheses.counts.get(name, 1)

    @cached_property
    def neighbours(self) -> tuple[HostFacts, ...]:
        """Tied hosts of which something was collected, in the order of their names."""
        return tuple(self.fleet.hosts[name] for name in sorted(self.tied) if name in self.fleet.hosts and self.fleet.hosts[name].collected)

    @cached_property
    def local(self) -> datetime | None:
        """The moment on the host's wall clock."""
        return None if self.moment is None else to_local(self.host, own_clock(self.host, self.moment))

    @cached_property
    def suspect(self) -> Suspect | None:
        """The image that fell, as the dump or the text shows it; a file of Windows only where nothing else is suspected."""
        suspects = self.crash.suspects if self.crash is not None else ()
        own = [suspect for suspect in suspects if self.known.crashes.kind(suspect.image) is None]
        return next(iter(own or suspects), None)

    @property
    def image(self) -> str:
        """File name of the suspected image; empty where there is none."""
        return self.suspect.image if self.suspect is not None else ""

    def is_image(self, name: str) -> bool:
        """Whether a driver or file name is the suspected image."""
        return bool(self.image) and stem(name.rpartition("\\")[2]) == stem(self.image)

    @cached_property
    def code(self) -> int | None:
        """The stop code, from the crash or from the restart's records."""
        text = self.crash.bugcheck.base_code if self.crash is not None else None
        if text:
            return int(text, 16)
        return next((code for event in self.stop_events if (code := stop_code(event)) is not None), None)

    @cached_property
    def stop_events(self) -> tuple[EventReading, ...]:
        """The records that this crash left when the host started again."""
        if self.moment is None:
            return ()
        events = (e for e in self.host.sections.events.readings if (e.source.casefold(), e.id) in _STOPS)
        end = self.moment + self.minutes("restart_noted")
        return tuple(e for e in events if (t := event_time(self.host, e)) is not None and self.moment - timedelta(minutes=1) <= t <= end)

    def events(self, host: HostFacts, kind: str, before: timedelta, after: timedelta = timedelta(0)) -> list[Happened]:
        """Events of a kind that a host recorded round the moment, the oldest first."""
        return [] if self.moment is None else events_between(host, self.kinds(kind), self.moment - before, self.moment + after)

    def kinds(self, kind: str) -> tuple[EventKind, ...]:
        """The events that a kind consists of."""
        return self.known.hypotheses.events.get(kind, ())

    def blind(self, host: HostFacts, kind: str, before: timedelta) -> str:
        """Why no event of a kind does not mean that there was none; empty where it does."""
        if self.moment is None:
            return "when it happened is not known"
        unseen = host.unseen("events")
        if unseen is not None:
            return unseen
        kinds = self.kinds(kind)
        for log in sorted({item.log for item in kinds}):
            short = _short(host, log, self.moment - before)
            if short:
                return short
        asked = host.asked
        if any(item.around for item in kinds) and not self._near_restart(host):
            return f"{host.name}: events: starts and stops of services are read round the moment that it was asked about only"
        wanted = [item for item in kinds if not item.around]
        if asked is not None and not all(asked.events(item.ids or (-1,), item.log, item.source) for item in wanted):
            return f"{host.name}: events: not all of these sources were asked for when the host was collected"
        return ""

    def _near_restart(self, host: HostFacts) -> bool:
        """Whether the moment is that of the host's own last restart, round which the probe reads more."""
        given = parse_utc(host.snapshot.asked.around) if host.snapshot.asked is not None else None
        if given is not None:
            return self.moment is not None and abs(given - self.moment) <= _AROUND
        times = [t for group in restarts(host)[:1] for event in group if (t := event_time(host, event)) is not None]
        return self.moment is not None and any(self.moment <= t + timedelta(minutes=1) and t - self.moment <= _AROUND for t in times)

    def peers_with(self, image: str) -> list[tuple[HostFacts, int]]:
        """Other hosts that have a driver of this file name, with its place among their drivers."""
        return [
            (host, number)
            for name, host in sorted(self.fleet.hosts.items())
            if name != self.name and host.collected
            for number, record in enumerate(host.sections.drivers.records)
            if stem((record.path or record.image_path or record.name).rpartition("\\")[2]) == stem(image)
        ]


_STOPS = frozenset(RESTART_EVENTS[1:])


def stop_code(event: EventReading) -> int | None:
    """The stop code in a restart's record (base code); None where it tells none."""
    if (event.source.casefold(), event.id) not in _STOPS or not event.strings:
        return None
    text = event.strings[0].strip().partition(" ")[0]
    try:
        # Kernel-Power writes decimal, `System Error` hex without a prefix, the others 0x
        decimal = event.source.casefold() == "microsoft-windows-kernel-power"
        code = int(text, 10 if decimal else 16)
    except ValueError:
        return None
    return (code & 0xFFFF if code >> 16 == 0x1000 else code) or None


def events_between(host: HostFacts, kinds: Sequence[EventKind], start: datetime, end: datetime) -> list[Happened]:
    """Events of these kinds between two moments, the oldest first."""
    wanted: dict[tuple[str, str], set[int]] = {}
    for kind in kinds:
        ids = wanted.setdefault((kind.log.casefold(), kind.source.casefold()), set())
        ids.update(kind.ids or (-1,))
    found: list[Happened] = []
    for event in host.sections.events.readings:
        ids_wanted = wanted.get((event.log.casefold(), event.source.casefold()))
        if ids_wanted is None or not (event.id in ids_wanted or -1 in ids_wanted):
            continue
        time = event_time(host, event)
        if time is not None and start <= time <= end:
            found.append(Happened(host=host.name, time=time, event=event, evidence=event_evidence(host, event)))
    return sorted(found, key=lambda happened: (happened.time, happened.event.record or 0))


def _short(host: HostFacts, log: str, start: datetime) -> str:
    for coverage in host.snapshot.log_coverage:
        if coverage.log.casefold() != log.casefold():
            continue
        oldest, asked = parse_utc(coverage.oldest), parse_utc(coverage.asked_from)
        if oldest is not None and oldest > start:
            return f"{host.name}: events: the log {coverage.log} reaches back to {coverage.oldest} only"
        if asked is not None and asked > start:
            return f"{host.name}: events: the log {coverage.log} was asked for from {coverage.asked_from} only"
    return ""
