"""A host that lives on though nobody touches it: what changes by itself on real Windows, from one collection to the next.

Each way of living is a fact of real servers (a new suffix, another folder, a lease), written as a change of a snapshot. `living` applies
all of them; `EXPECTED_SECTIONS` says which sections they move, so that a test can see that they did.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Callable
from typing import Any

import msgspec

from auditor.model.host import (
    DefenderRecord,
    DriverRecord,
    DumpRecord,
    FilterRecord,
    MemoryRecord,
    Section,
    SecurityRecord,
    ServiceRecord,
    Snapshot,
    TaskRecord,
)

EXPECTED_SECTIONS = ("defender", "drivers", "filters", "memory", "network", "security", "services", "system", "tasks")
XML = (
    '<?xml version="1.0"?>\n<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task"><RegistrationInfo><Date>{date}'
    "</Date></RegistrationInfo><Triggers><TimeTrigger><StartBoundary>{start}</StartBoundary><Enabled>true</Enabled></TimeTrigger></Triggers>"
    "<Actions><Exec><Command>{command}</Command></Exec></Actions></Task>"
)
ON_DEMAND = ("msiserver", "wuauserv", "BITS", "TrustedInstaller", "VSS", "WdiServiceHost", "sppsvc")


def living(base: Snapshot, number: int) -> Snapshot:
    """The host at its collection `number`; the same number gives the same state."""
    chance = random.Random(number)
    day = number % 28 + 1
    sections: dict[str, Any] = {}
    for name, live in _WAYS.items():
        section: Section[Any, Any] = getattr(base.sections, name)
        rows = [*section.records, *live(chance, day)]
        sections[name] = msgspec.structs.replace(
            section, status="ok", records=tuple(_shuffled(chance, _moved(name, rows, chance, day))), gaps=()
        )
    at = f"2026-{number // 28 % 12 + 1:02}-{day:02}T{number % 24:02}:00:00Z"
    changed = msgspec.structs.replace(base.sections, **sections)
    return msgspec.structs.replace(base, collected_at=at, sections=changed)


def _shuffled(chance: random.Random, rows: list[Any]) -> list[Any]:
    chance.shuffle(rows)
    return rows


def _hex(chance: random.Random, digits: int) -> str:
    return f"{chance.randrange(16**digits):0{digits}x}"


def _guid(chance: random.Random) -> str:
    text = _hex(chance, 32)
    return f"{{{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}}}".upper()


def _services(chance: random.Random, day: int) -> list[ServiceRecord]:
    del day
    templates = [ServiceRecord(name=name, start="demand", type="user_share", state="stopped") for name in ("CDPUserSvc", "WpnUserService")]
    logons = [_hex(chance, chance.choice((4, 5, 8))) for _ in range(chance.randrange(4))]
    instances = [
        ServiceRecord(name=f"{t.name}_{suffix}", start="demand", type="user_share", state="running") for t in templates for suffix in logons
    ]
    platform = f"4.18.{chance.randrange(2000, 2600)}.{chance.randrange(9)}-0"
    path = f'"C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\{platform}\\MsMpEng.exe"'
    defender = ServiceRecord(name="LivingDefend", start="auto", state="running", image_path=path)
    idle = [
        ServiceRecord(
            name=f"{name}",
            start="demand" if name not in ("sppsvc",) else "auto",
            state=chance.choice(("running", "stopped", "start_pending", "stop_pending")),
        )
        for name in ON_DEMAND
    ]
    version = f"128.0.{chance.randrange(6000, 7000)}.{chance.randrange(200)}"
    updater = ServiceRecord(
        name=f"GoogleUpdaterService{version}",
        display_name=f"Google Updater Service (GoogleUpdaterService{version})",
        image_path=f'"C:\\Program Files (x86)\\Google\\GoogleUpdater\\{version}\\updater.exe" --system',
        start="auto",
        state=chance.choice(("running", "stopped")),
    )
    return [*templates, *instances, defender, *idle, updater]


def _drivers(chance: random.Random, day: int) -> list[DriverRecord]:
    folder = f"C:\\PROGRA~1\\COMMON~1\\SYMANT~1\\VIRUSD~1\\202611{day:02}.{chance.randrange(1, 60):03}"
    engines = [
        DriverRecord(
            name=name,
            image_path=f"\\??\\{folder}\\{name}.sys",
            path=f"{folder}\\{name}.sys",
            start="demand",
            state=chance.choice(("running", "stopped")),
            file_exists=True,
            file_version=f"2026.{day}.{chance.randrange(9)}.{chance.randrange(99)}",
            size_bytes=chance.randrange(10**6),
            link_timestamp=chance.randrange(2**32),
            sha256=_hex(chance, 64),
            company="Symantec Corporation",
        )
        for name in ("NAVENG", "NAVEX15")
    ]
    scans = [DriverRecord(name=f"MpKsl{_hex(chance, 8)}", start="system", state="running") for _ in range(chance.randrange(3))]
    wd = DriverRecord(
        name="WdFilter2",
        path="C:\\Windows\\system32\\drivers\\wd\\WdFilter.sys",
        start="boot",
        state="running",
        file_version=f"4.18.{chance.randrange(2000, 2600)}.{chance.randrange(9)}",
        link_timestamp=chance.randrange(2**32),
        checksum=chance.randrange(2**20),
    )
    usb = DriverRecord(name="USBSTOR2", start="demand", state=chance.choice(("running", "stopped")))
    return [*engines, *scans, wd, usb]


def _filters(chance: random.Random, day: int) -> list[FilterRecord]:
    del day
    return [
        *(FilterRecord(name=f"MpKsl{_hex(chance, 8)}", legacy=True) for _ in range(chance.randrange(2))),
        FilterRecord(name="LivingFilter", instance="x", altitude="328010", instances=chance.randrange(1, 9), frame=chance.randrange(2)),
    ]


def _tasks(chance: random.Random, day: int) -> list[TaskRecord]:
    when = f"2026-11-{day:02}T0{chance.randrange(10)}:17:00"
    passing = [
        TaskRecord(
            path=f"\\User_Feed_Synchronization-{_guid(chance)}",
            source_format="xml",
            text=XML.format(date=when, start=when, command="x.exe"),
        )
        for _ in range(chance.randrange(3))
    ]
    users = [
        TaskRecord(
            path=f"\\OneDrive Standalone Update Task-S-1-5-21-{chance.randrange(10**9)}-2-3-{chance.randrange(1000, 2000)}",
            source_format="xml",
            text=XML.format(date=when, start=when, command="OneDrive.exe"),
        )
    ]
    planned = [
        TaskRecord(
            path="\\Microsoft\\Windows\\SoftwareProtectionPlatform\\SvcRestartTask",
            source_format="xml",
            text=XML.format(date=when, start=when, command="sppsvc"),
        )
    ]
    again = [
        TaskRecord(path="\\Nightly", source_format="xml", text=XML.format(date=when, start="2020-01-01T02:00:00", command="backup.exe"))
    ]
    return [*passing, *users, *planned, *again]


def _security(chance: random.Random, day: int) -> list[SecurityRecord]:
    registry = {
        "SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion": ("TimeOfLastScan", "PatternFileDate", "UsingPattern", "LastCheckIn"),
        "SOFTWARE\\Microsoft\\Windows Defender\\Signature Updates": ("AVSignatureVersion", "SignaturesLastUpdated", "EngineVersion"),
        "SOFTWARE\\Acme\\Agent": ("LastUpdateTime", "HeartbeatSent", "ServiceUptime", "SessionId"),
    }
    values = [
        SecurityRecord(kind="registry", path=f"HKLM\\{key}", name=name, type="REG_SZ", data=_hex(chance, 12))
        for key, names in registry.items()
        for name in names
    ]
    folder = SecurityRecord(
        kind="registry",
        path="HKLM\\SOFTWARE\\Microsoft\\Windows Defender",
        name="InstallLocation",
        type="REG_SZ",
        data=f"C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18.{chance.randrange(2600)}.1-0\\",
    )
    files = [
        SecurityRecord(
            kind="file",
            path=f"C:\\Symantec\\VirusDefs\\202611{day:02}.{chance.randrange(99):03}\\virscan1.dat",
            size_bytes=chance.randrange(10**6),
        ),
        SecurityRecord(
            kind="file",
            path="C:\\Acme\\agent.log",
            size_bytes=chance.randrange(10**6),
            data=_hex(chance, 30),
            modified_at=f"2026-11-{day:02}T00:00:00Z",
        ),
    ]
    return [*values, folder, *files]


def _memory(chance: random.Random, day: int) -> list[MemoryRecord]:
    disc = [MemoryRecord(kind="volume", name="X:", drive_type="optical", size_bytes=chance.randrange(10**9), label="SETUP")]
    return [
        MemoryRecord(kind="page_file", name="D:\\pagefile.sys", size_bytes=chance.randrange(10**10), initial_mb=0, maximum_mb=0),
        MemoryRecord(
            kind="volume", name="Y:", drive_type="fixed", size_bytes=10**9, last_chkdsk=f"checked on day {day}" if day % 3 else None
        ),
        *(disc if day % 2 else []),
    ]


def _defender(chance: random.Random, day: int) -> list[DefenderRecord]:
    return [
        DefenderRecord(
            source="defender",
            name="Microsoft Defender",
            running_mode="Normal",
            engine_version=f"1.1.{chance.randrange(20000, 27000)}.{chance.randrange(9)}",
            product_version=f"4.18.{chance.randrange(2600)}.1",
            up_to_date=bool(day % 2),
            product_state=397568 if day % 2 else 397584,
            exclusions=tuple(_shuffled(chance, ["C:\\a", "C:\\b", "C:\\c"])),
        )
    ]


def _dumps(chance: random.Random, day: int) -> list[DumpRecord]:
    return [
        DumpRecord(
            kind="memory", path="C:\\Windows\\MEMORY.DMP", size_bytes=chance.randrange(10**9), modified_at=f"2026-11-{day:02}T00:00:00Z"
        )
    ]


_WAYS: dict[str, Callable[[random.Random, int], list[Any]]] = {
    "services": _services,
    "drivers": _drivers,
    "filters": _filters,
    "tasks": _tasks,
    "security": _security,
    "memory": _memory,
    "defender": _defender,
    "dumps": _dumps,
    "network": lambda _chance, _day: [],
    "system": lambda _chance, _day: [],
}


def _moved(name: str, rows: list[Any], chance: random.Random, day: int) -> list[Any]:
    """What moves inside records that are there anyhow."""
    replace = msgspec.structs.replace
    if name == "network":
        return [replace(row, adapters=tuple(_leased(adapter, chance) for adapter in _shuffled(chance, list(row.adapters)))) for row in rows]
    if name == "system":
        renames = ("file_rename",) if day % 2 else ()
        return [replace(row, pending_reboot=renames) for row in rows]
    if name == "tasks":
        return [_ran(row, day) for row in rows]
    return rows


def _leased(adapter: Any, chance: random.Random) -> Any:
    own = [address for address in adapter.addresses if not adapter.dhcp_enabled]
    lease = [f"10.20.{chance.randrange(255)}.{chance.randrange(1, 255)}"] if adapter.dhcp_enabled else []
    tunnels = [f"fe80::{_hex(chance, 4)}:{_hex(chance, 4)}%11", f"2001:0:{_hex(chance, 4)}::1", f"169.254.{chance.randrange(255)}.7"]
    return msgspec.structs.replace(adapter, addresses=tuple(_shuffled(chance, [*own, *lease, *tunnels])))


def _ran(row: TaskRecord, day: int) -> TaskRecord:
    """A .job file that ran again: its exit code stands at byte 40, its status at 44, its last run at 52 (MS-TSCH 2.4.1)."""
    if row.source_format != "job" or not row.data:
        return row
    data = bytearray(base64.b64decode(row.data))
    data[40:44] = (day % 3).to_bytes(4, "little")
    data[52:68] = b"".join(part.to_bytes(2, "little") for part in (2026, 11, 1, day, 19, 0, 3, day))
    return msgspec.structs.replace(row, data=base64.b64encode(bytes(data)).decode())
