"""An ordinary server that lives on: the records of a real one in number and length, and readings that move by themselves each day."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from auditor.model.host import (
    Clock,
    DriverRecord,
    EventReading,
    LogCoverage,
    LogonReading,
    MemoryReading,
    MemoryRecord,
    ProgramRecord,
    Section,
    Sections,
    ServiceReading,
    ServiceRecord,
    Snapshot,
    SystemReading,
    TaskReading,
    TaskRecord,
    UpdateRecord,
)

START = datetime(2026, 11, 1, 1, 0, tzinfo=UTC)
SERVICES, DRIVERS, PROGRAMS, TASKS, UPDATES = 160, 220, 30, 60, 40
EVENTS_A_DAY, EVENT_DAYS, LOGONS_A_DAY = 8, 30, 15
_EVENTS: tuple[tuple[str, str, int, tuple[str, ...]], ...] = (
    ("System", "Service Control Manager", 7036, ("Windows Update", "running")),
    ("System", "Service Control Manager", 7036, ("Background Intelligent Transfer Service", "stopped")),
    ("System", "USER32", 1074, ("C:\\Windows\\system32\\svchost.exe", "no title for this reason could be found")),
    ("System", "disk", 153, ("\\Device\\Harddisk0\\DR0",)),
    ("Application", "MsiInstaller", 1033, ("A product", "1.2.3", "1033", "0", "A vendor")),
    ("Application", "Example AntiVirus", 7, ("New virus definition file loaded. Version: 261101r.",)),
)


def stamp(day: int, seconds: int = 0) -> str:
    """The time of day of the collection, so many days after the first."""
    return _text(START + timedelta(days=day, seconds=seconds))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class LivingHost:
    """One host; the same number gives the same host."""

    def __init__(self, number: int) -> None:
        self.name = f"SRV{number:05}"
        self._random = random.Random(number)
        self._boot = START - timedelta(days=self._random.randint(31, 200), seconds=self._random.randint(0, 86_399))
        self._record = self._random.randint(1000, 90_000)
        self._events = [event for day in range(-EVENT_DAYS, 0) for event in self._events_of(day)]
        self._free = [self._random.randint(10**9, 10**11) for _ in range(4)]
        self._states = [(self._random.choice(("running", "stopped")), self._random.randint(400, 9000)) for _ in range(SERVICES)]
        self._task_seconds = [self._random.randint(0, 86_399) if self._random.random() < 0.3 else None for _ in range(TASKS)]
        self._records = self._fixed()

    def _events_of(self, day: int) -> list[EventReading]:
        made = []
        for second in sorted(self._random.randint(0, 86_399) for _ in range(EVENTS_A_DAY)):
            log, source, number, strings = self._random.choice(_EVENTS)
            self._record += self._random.randint(1, 40)
            at = stamp(day, second)
            made.append(EventReading(log=log, source=source, id=number, time=at, record=self._record, level="information", strings=strings))
        return made

    def _fixed(self) -> dict[str, tuple[Any, ...]]:
        """Records: the same on each day, in part the same on all hosts, as in a fleet of one build."""
        own = self.name.lower()
        return {
            "services": tuple(
                ServiceRecord(name=f"Service{n:03}", display_name=f"An ordinary service of Windows {n}", image_path=_image(n))
                for n in range(SERVICES)
            ),
            "drivers": tuple(
                DriverRecord(name=f"driver{n:03}", image_path=f"system32\\drivers\\driver{n:03}.sys", file_version=f"10.0.17763.{n}")
                for n in range(DRIVERS)
            ),
            "programs": tuple(
                ProgramRecord(key=f"{{program {n} {own}}}", name=f"Program {n}", version=f"{n}.0.1", view="native") for n in range(PROGRAMS)
            ),
            "tasks": tuple(
                TaskRecord(path=f"\\Area{n % 12}\\Task {n}", source_format="xml", text=f"<Task><Command>C:\\Jobs\\{n}.cmd</Command></Task>")
                for n in range(TASKS)
            ),
            "updates": tuple(UpdateRecord(id=f"KB{4_500_000 + n}", installed_on="10/14/2026") for n in range(UPDATES)),
            "memory": tuple(MemoryRecord(kind="volume", name=name, size_bytes=10**12) for name in ("C:", "D:", "E:")),
        }

    def snapshot(self, day: int) -> Snapshot:
        """The host on a day; days have to be asked for in order."""
        if day > 0:
            self._events = self._events[EVENTS_A_DAY:] + self._events_of(day - 1)
        late = self._random.randint(0, 300)
        sections = {
            name: self._section(day, late, self._records.get(name, ()), readings) for name, readings in self._readings(day, late).items()
        }
        logs = tuple(LogCoverage(log=log, oldest=_text(self._boot), asked_from=stamp(day - 30, late)) for log in ("System", "Application"))
        return Snapshot(
            host=self.name,
            collected_at=stamp(day, late),
            collector="auditor 0.1.0",
            transport="powershell over https/kerberos",
            clock=Clock(utc_offset_minutes=480, skew_seconds=round(self._random.random(), 3)),
            log_coverage=(*logs, LogCoverage(log="Security", oldest=_text(self._boot), asked_from=stamp(day - 1, late))),
            sections=Sections(**sections),
        )

    def _section(self, day: int, late: int, records: tuple[Any, ...], readings: tuple[Any, ...]) -> Section[Any, Any]:
        seconds = round(self._random.random() * 3, 3)
        return Section(status="ok", started_at=stamp(day, late), seconds=seconds, records=records, readings=readings)

    def _readings(self, day: int, late: int) -> dict[str, tuple[Any, ...]]:
        now = stamp(day, late)
        system = SystemReading(boot_time=_text(self._boot), local_time=now[:-1], utc_time=now, utc_offset_minutes=480)
        free = zip(("physical", "C:", "D:", "E:"), self._free, strict=True)
        moving: dict[str, tuple[Any, ...]] = {
            "system": (system,),
            "memory": tuple(MemoryReading(name=name, free_bytes=size + self._random.randint(0, 10**8)) for name, size in free),
            "services": tuple(ServiceReading(name=f"Service{n:03}", pid=p) for n, (_, p) in enumerate(self._states)),
            "tasks": tuple(self._task(day, n, second) for n, second in enumerate(self._task_seconds)),
            "events": tuple(sorted(self._events, key=lambda event: event.time, reverse=True)),
            "logons": tuple(self._logon(day, second) for second in sorted(self._random.randint(0, 86_399) for _ in range(LOGONS_A_DAY))),
        }
        return moving | dict.fromkeys(
            ("programs", "drivers", "filters", "security", "dumps", "scripts", "network", "shares", "updates", "roles"), ()
        )

    def _task(self, day: int, number: int, second: int | None) -> TaskReading:
        path = f"\\Area{number % 12}\\Task {number}"
        if second is None:
            return TaskReading(path=path, last_run="2026-09-01T00:00:00Z", last_result=0, state="Ready")
        return TaskReading(path=path, last_run=stamp(day - 1, second), next_run=stamp(day, second), last_result=0, state="Ready")

    def _logon(self, day: int, second: int) -> LogonReading:
        account = self._random.choice(("svc-backup", "svc-audit", "administrator", "liping"))
        address = f"192.168.10.{self._random.randint(2, 20)}"
        source = self._random.choice(("SRVB", "PC-0233"))
        return LogonReading(
            time=stamp(day - 1, second), account=account, domain="CORP", logon_type=3, workstation=source, address=address, event_id=4624
        )


def _image(number: int) -> str:
    return f"C:\\Windows\\system32\\svchost.exe -k group{number % 9} -p"
