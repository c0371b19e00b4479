"""A fleet of twelve roles whose hosts differ from their role in 4 to 10 % of their records, and from their own yesterday in a few."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from auditor.model.host import (
    DriverRecord,
    ProgramRecord,
    Section,
    Sections,
    SecurityRecord,
    ServiceRecord,
    ShareRecord,
    Snapshot,
    SystemRecord,
    TaskRecord,
    UpdateRecord,
)

ROLES = 12
COUNTS = {"services": 180, "drivers": 200, "programs": 50, "tasks": 45, "security": 60, "shares": 6, "updates": 40}
_TASK = (
    '<?xml version="1.0"?>\n<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task"><Triggers><CalendarTrigger>'
    "<StartBoundary>2020-01-01T0{hour}:00:00</StartBoundary><ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay></CalendarTrigger>"
    "</Triggers><Actions><Exec><Command>C:\\Jobs\\{name}.cmd</Command></Exec></Actions></Task>"
)


class RoleFleet:
    """Hosts by number; the same number gives the same host."""

    def __init__(self) -> None:
        self._roles = [self._role(number) for number in range(ROLES)]

    def role(self, number: int) -> int:
        """The role of a host."""
        return number % ROLES

    def typical(self, role: int) -> Snapshot:
        """A host of a role without any drift."""
        return self._snapshot(f"ROLE{role:02}", 0, self._roles[role])

    def pair(self, number: int) -> tuple[Snapshot, Snapshot]:
        """A host yesterday and today."""
        chance = random.Random(number)
        share = chance.uniform(0.04, 0.10)
        own = {
            name: [self._drifted(row, chance) if chance.random() < share else row for row in rows]
            for name, rows in self._roles[number % ROLES].items()
        }
        today = {name: [self._drifted(row, chance) if chance.random() < 0.004 else row for row in rows] for name, rows in own.items()}
        return self._snapshot(f"SRV{number:05}", 1, own), self._snapshot(f"SRV{number:05}", 2, today)

    def _snapshot(self, name: str, day: int, rows: dict[str, list[Any]]) -> Snapshot:
        sections = {section: Section(status="ok", records=tuple(records)) for section, records in rows.items()}
        system = SystemRecord(version="10.0.17763", build=17763, architecture="x64", product_type="server", ui_language="0409")
        return Snapshot(
            host=name,
            collected_at=f"2026-11-{day:02}T01:00:00Z",
            collector="bench",
            transport="powershell over https/kerberos",
            sections=Sections(system=Section(status="ok", records=(system,)), **sections),
        )

    def _drifted(self, row: Any, chance: random.Random) -> Any:
        replace = msgspec.structs.replace
        if isinstance(row, ServiceRecord):
            return replace(row, start=chance.choice(("auto", "demand", "disabled")), account=chance.choice(("LocalSystem", "CORP\\svc")))
        if isinstance(row, DriverRecord):
            return replace(
                row,
                file_version=f"10.0.{chance.randrange(10000)}.1",
                link_timestamp=chance.randrange(2**32),
                size_bytes=chance.randrange(10**6),
            )
        if isinstance(row, ProgramRecord):
            return replace(row, version=f"{chance.randrange(9)}.{chance.randrange(99)}")
        if isinstance(row, TaskRecord):
            return replace(row, text=_TASK.format(hour=chance.randrange(10), name=row.path[1:]))
        if isinstance(row, SecurityRecord):
            return replace(row, data=str(chance.randrange(10**6)))
        if isinstance(row, ShareRecord):
            return replace(row, path=f"E:\\{chance.randrange(99)}")
        return replace(row, installed_on=f"{chance.randrange(1, 12)}/1/2026")

    def _role(self, role: int) -> dict[str, list[Any]]:
        chance = random.Random(1000 + role)
        return {name: [self._row(name, role * 7 + place, chance) for place in range(count)] for name, count in COUNTS.items()}

    def _row(self, section: str, number: int, chance: random.Random) -> Any:
        if section == "services":
            return ServiceRecord(
                name=f"Service{number:04}",
                display_name=f"An ordinary service of Windows {number}",
                image_path=f"C:\\Windows\\system32\\svchost.exe -k group{number % 9} -p",
                start=chance.choice(("auto", "demand")),
                type="share_process",
                state=chance.choice(("running", "stopped")),
                account="NT AUTHORITY\\LocalService",
                depends_on=("RpcSs", "Tcpip"),
                description=f"@%SystemRoot%\\system32\\service{number}.dll,-1",
            )
        if section == "drivers":
            return DriverRecord(
                name=f"driver{number:04}",
                display_name=f"Driver {number}",
                image_path=f"\\SystemRoot\\System32\\drivers\\driver{number}.sys",
                path=f"C:\\Windows\\System32\\drivers\\driver{number}.sys",
                type="kernel",
                start=chance.choice(("boot", "system", "demand")),
                state="running",
                file_exists=True,
                file_version=f"10.0.17763.{number}",
                product_version=f"10.0.17763.{number}",
                company="Microsoft Corporation",
                product="Windows",
                size_bytes=40_000 + number,
                link_timestamp=chance.randrange(2**32),
                machine=0x8664,
                checksum=chance.randrange(2**20),
                sha256=f"{chance.randrange(2**256):064x}",
            )
        if section == "programs":
            key = f"{{{chance.randrange(2**128):032X}}}"
            return ProgramRecord(
                key=key, view="native", name=f"Program {number}", version=f"{number}.0.1", publisher="Vendor", install_date="20250101"
            )
        if section == "tasks":
            return TaskRecord(path=f"\\Task {number}", source_format="xml", text=_TASK.format(hour=number % 10, name=number))
        if section == "security":
            return SecurityRecord(
                kind="registry", path=f"HKLM\\SOFTWARE\\Vendor\\Key{number % 9}", name=f"Value{number}", type="REG_DWORD", data=str(number)
            )
        if section == "shares":
            return ShareRecord(name=f"Share{number}$", path=f"D:\\Share{number}", type="disk")
        return UpdateRecord(id=f"KB{4_500_000 + number}", description="Security Update", installed_on="1/1/2026")
