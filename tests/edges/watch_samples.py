"""A simulated fleet for the watch: hosts whose logs are written by hand, a clock that moves when it is told to, readers that record."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from auditor.analysis.observing.coverage import Needed
from auditor.model.errors import AuditorError, NotifyError
from auditor.model.finding import Finding, Report, Run, Subject
from auditor.model.host import EventReading, HostResult, LogCoverage, Section, Sections, Snapshot, SystemRecord, Target
from auditor.model.notice import Notice
from auditor.notify.settings import AppriseSettings, Channel
from auditor.report.coverage import host_coverage
from auditor.store import Store
from auditor.watch.asking import Audited
from auditor.watch.clockwork import Clocks, Due, watch_over
from auditor.watch.journal import Journal
from auditor.watch.round import Round, Watch, run_round
from auditor.watch.schedule import Schedule

START = datetime(2026, 11, 26, 0, 30, tzinfo=UTC)


def stamp(moment: datetime) -> str:
    """As hosts and runs write times."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class World:
    """Real time, the machine's clock that may be wrong, and a fleet. Naps and audits take time; nothing else does."""

    def __init__(self) -> None:
        self.real = START
        self.error = timedelta(0)
        """How far the machine's clock is ahead."""
        self.audit_seconds = 300.0
        self.audits: list[datetime] = []
        """Real times at which audits began."""
        self.findings: dict[str, str] = {}
        """Rule to host: what is wrong now."""
        self.events: dict[str, list[EventReading]] = {"SRVA": [], "SRVB": []}
        self.unseen: set[str] = set()
        self.versions: dict[str, str] = {}
        self.fails: AuditorError | None = None
        self.needed: list[Needed] = []
        self.at: list[tuple[datetime, Callable[[], object]]] = []
        """What happens at a real time."""
        self.stop = threading.Event()

    def now(self) -> datetime:
        """What the machine's clock shows."""
        return self.real + self.error

    def steady(self) -> float:
        """Seconds that really passed."""
        return (self.real - START).total_seconds()

    def pass_time(self, seconds: float) -> None:
        """Lets time pass, and what is to happen in it happen."""
        end = self.real + timedelta(seconds=seconds)
        while (nearest := min((when for when, _ in self.at if when <= end), default=None)) is not None:
            self.real = max(self.real, nearest)
            happening = [what for when, what in self.at if when == nearest]
            self.at = [(when, what) for when, what in self.at if when != nearest]
            for what in happening:
                what()
        self.real = end

    def nap(self, seconds: float) -> bool:
        """A nap of the watch."""
        assert 0 < seconds <= 60, "a longer sleep would not notice a change of the clock"
        self.pass_time(seconds)
        return self.stop.is_set()

    @property
    def clocks(self) -> Clocks:
        """Time as the watch sees it."""
        return Clocks(self.now, self.steady, self.nap)

    def crash(self, host: str, code: str = "0x0000008e") -> None:
        """A host crashes and starts again."""
        self.events[host] += [
            _event("EventLog", 6008, self.real),
            _event("Save Dump", 1001, self.real, f"{code} (0xc0000005, 0x0, 0x0, 0x0)"),
        ]

    def audit(self, store: Store, needed: Iterable[Needed], stop: threading.Event) -> Audited:
        """Asks the fleet as the watch does, without a network."""
        self.audits.append(self.real)
        self.needed = list(needed)
        started = stamp(self.now())
        if self.fails is not None:
            raise self.fails
        run = store.begin_run("audit", started, "0.1.0")
        self.pass_time(self.audit_seconds)
        results = tuple(self._result(host) for host in self.events)
        for result in results:
            store.save_result(run, _target(result.host), result)
        report = Report(
            run=Run(id=run, started_at=started, auditor="0.1.0", matrix_digest="m", rules=1),
            coverage=tuple(map(host_coverage, results)),
            findings=tuple(_finding(rule, host) for rule, host in self.findings.items()),
            undetermined=(),
        )
        store.finish_run(run, report, state="interrupted" if stop.is_set() else "finished", rules={"a-rule", "b-rule"})
        return Audited(run=run, report=report, results=results, interrupted=stop.is_set())

    def _result(self, host: str) -> HostResult:
        if host in self.unseen:
            return HostResult(host=host, status="timed_out", reason="no answer")
        events = tuple(e for e in self.events[host] if e.time >= stamp(self.real - timedelta(days=30)))
        skew = (self.real - self.now()).total_seconds()
        logs = tuple(
            LogCoverage(log=log, oldest=stamp(START - timedelta(days=90)), asked_from=stamp(self.real - timedelta(days=30)))
            for log in ("System", "Application")
        )
        system: Section[Any, Any] = Section(status="ok", records=(SystemRecord(version=self.versions.get(host, "5.2.3790")),))
        snapshot = Snapshot(
            host=host,
            collected_at=stamp(self.now()),
            collector="auditor 0.1.0",
            transport="powershell over http/ntlm",
            log_coverage=logs,
            sections=Sections(system=system, events=Section(status="ok", readings=events)),
        )
        clock = msgspec.structs.replace(snapshot.clock, skew_seconds=skew)
        return HostResult(host=host, status="ok", snapshot=msgspec.structs.replace(snapshot, clock=clock))


def _event(source: str, number: int, at: datetime, *strings: str) -> EventReading:
    return EventReading(log="System", source=source, id=number, time=stamp(at), strings=strings)


def _target(host: str) -> Target:
    return Target(name=host, address="127.0.0.1", port=5985, scheme="http", transport="ntlm", groups=("servers",))


def _finding(rule: str, host: str) -> Finding:
    subjects = (Subject(role="host", host=host),)
    return Finding(
        id=f"{rule:0<16}", rule=rule, title=f"Trouble {rule}", verdict="violated", severity="high", confidence="probable", subjects=subjects
    )


class Readers:
    """Channels that record what they get; those in `down` take nothing."""

    def __init__(self, *names: str) -> None:
        self.channels = [Channel(name=name, settings=AppriseSettings(), secrets={}) for name in names]
        self.got: list[tuple[str, Notice]] = []
        self.down: set[str] = set()

    def deliver(self, channel: Channel, notice: Notice, now: datetime) -> bool:
        """One notice to one channel."""
        if channel.name in self.down:
            raise NotifyError(channel.name, "it did not answer in time")
        self.got.append((channel.name, notice))
        return True

    def told(self) -> list[tuple[str, ...]]:
        """Kinds and references of all items, notice by notice, of the first channel."""
        return [
            tuple(f"{i.kind} {i.rule or i.ref or i.title}" for i in notice.items)
            for name, notice in self.got
            if name == self.channels[0].name
        ]


def watch_of(world: World, readers: Readers, where: str | Path, **more: Any) -> Watch:
    """A watch over the world."""
    journal = more.pop("journal", None) or Journal(world.now)
    changes = more.pop("changes", lambda store: lambda case, now: ())
    return Watch(
        where=where,
        name="plant",
        audit=world.audit,
        now=world.now,
        journal=journal,
        channels=readers.channels,
        deliver=readers.deliver,
        changes=changes,
        **more,
    )


def run_for(world: World, watch: Watch, days: float, cron: str = "0 * * * *") -> Round | None:
    """Lets the watch run in the foreground for so many real days."""
    world.stop.clear()
    world.at.append((world.real + timedelta(days=days), world.stop.set))

    def serve(due: Due, next_due: datetime) -> Round:
        return run_round(watch, world.stop, due=due.at, missed=due.missed, next_due=next_due)

    return watch_over(Schedule(cron, UTC), world.clocks, watch.where, serve, world.stop, watch.journal)
