"""Targets, records and snapshots: what is asked of a host and what it answered.

Rules of this file:
1. A row of a probe's answer has the fields of the section's record plus those of its reading. Both ways to ask
   (PowerShell, WMI) and the lab give the same rows, so this file is the contract between them.
2. `None` is "not known", an empty sequence is "looked and found none". Texts are as the host gave them, after redaction;
   versions and command lines are parsed on reading, so that a better reader reaches history.
3. Times are ISO 8601 in UTC (`2026-11-26T01:02:03Z`) unless a field's sentence says "local".
4. Records are facts that stay; readings move by themselves and are neither hashed nor compared.
"""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

import msgspec

from auditor.model.records_activity import (
    DumpPieceRecord,
    DumpRecord,
    EventReading,
    JobRecord,
    LogCoverage,
    LogonReading,
    ReplicationRecord,
    ScriptRecord,
    SessionReading,
    ShareRecord,
    TaskReading,
    TaskRecord,
)
from auditor.model.records_software import (
    DefenderReading,
    DefenderRecord,
    DriverRecord,
    FilterReading,
    FilterRecord,
    FirewallReading,
    FirewallRecord,
    ProgramRecord,
    RunState,
    SecurityRecord,
    ServiceReading,
    ServiceRecord,
    ServiceType,
    StartType,
)
from auditor.model.records_system import (
    Adapter,
    FragmentationReading,
    MemoryReading,
    MemoryRecord,
    NetworkRecord,
    RoleRecord,
    SystemReading,
    SystemRecord,
    UpdateRecord,
)

__all__ = [
    "SCHEMA_VERSION",
    "SECTION_NAMES",
    "Adapter",
    "Clock",
    "DefenderReading",
    "DefenderRecord",
    "DriverRecord",
    "DumpPieceRecord",
    "DumpRecord",
    "EventReading",
    "FilterReading",
    "FilterRecord",
    "FirewallReading",
    "FirewallRecord",
    "FragmentationReading",
    "Gap",
    "HostResult",
    "JobRecord",
    "LogCoverage",
    "LogonReading",
    "M",
    "Mechanism",
    "MemoryReading",
    "MemoryRecord",
    "NetworkRecord",
    "Nothing",
    "ProgramRecord",
    "Question",
    "R",
    "ReplicationRecord",
    "RoleRecord",
    "RunState",
    "Scheme",
    "ScriptRecord",
    "Section",
    "Sections",
    "SecurityRecord",
    "ServiceReading",
    "ServiceRecord",
    "ServiceType",
    "SessionReading",
    "ShareRecord",
    "Snapshot",
    "StartType",
    "Status",
    "SystemReading",
    "SystemRecord",
    "Target",
    "TaskReading",
    "TaskRecord",
    "UpdateRecord",
]

Status = Literal["ok", "partial", "denied", "unsupported", "timed_out", "failed", "not_asked"]

Scheme = Literal["http", "https"]

Mechanism = Literal["ntlm", "kerberos", "negotiate", "basic", "certificate", "credssp"]

SCHEMA_VERSION = 1

SECTION_NAMES = (
    "system", "network", "memory", "programs", "services", "drivers", "filters", "security", "tasks", "scripts", "shares",
    "events", "logons", "dumps", "updates", "roles", "defender", "firewall", "sessions", "replication", "jobs",
    "dumpbytes", "fragmentation",
)  # fmt: skip


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """An inventory entry that we may talk to. The password is not here: see `collect.session.Credential`."""

    name: str
    """The inventory's own name for the host; its identity everywhere."""
    address: str
    """Name or address to connect to."""
    port: int
    """TCP port, 1 to 65535."""
    scheme: Scheme
    """`http` (messages sealed by NTLM or Kerberos) or `https`."""
    transport: Mechanism
    """How to authenticate; there is no silent change to another."""
    user: str | None = None
    """Account name as the inventory gives it."""
    groups: tuple[str, ...] = ()
    """Inventory groups, sorted; groups are roles."""
    validate_certificate: bool = True
    """False only where the inventory says `ignore` and the run allows it."""
    ca_file: str | None = None
    """File of certificate authorities to trust for this host."""
    path: str = "wsman"
    """URL path of the WinRM service."""
    message_encryption: Literal["auto", "always", "never"] = "auto"
    """Ansible's `ansible_winrm_message_encryption`."""
    kerberos_host: str | None = None
    """Host part of the service name where it differs from the address."""
    aliases: tuple[str, ...] = ()
    """Further names of this host that the inventory states (`auditor_aliases`)."""
    way: Literal["auto", "powershell", "wmi"] = "auto"
    """How to ask (`auditor_way`)."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a section that could not be read."""

    record: str
    """Key of the record, or empty for the section as a whole."""
    field: str
    """Field that is missing, or empty for the record as a whole."""
    reason: str
    """Why, in words a person can act on."""


R = TypeVar("R")

M = TypeVar("M")


class Section(msgspec.Struct, Generic[R, M], frozen=True, kw_only=True):
    """All records of one kind of one host, with the status of the question."""

    status: Status = "not_asked"
    reason: str = ""
    """Why the status is not ok, in words a person can act on."""
    started_at: str | None = None
    seconds: float | None = None
    records: tuple[R, ...] = ()
    readings: tuple[M, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def seen(self) -> bool:
        """Whether the records are all there are: only then is absence knowledge."""
        return self.status == "ok"

    @property
    def usable(self) -> bool:
        """Whether what is there may be read, though more may be missing."""
        return self.status in ("ok", "partial")


class Nothing(msgspec.Struct, frozen=True):
    """Type of records or readings in sections that have none."""


class Sections(msgspec.Struct, frozen=True, kw_only=True):
    """The sections of a snapshot by name."""

    system: Section[SystemRecord, SystemReading] = Section()
    network: Section[NetworkRecord, Nothing] = Section()
    memory: Section[MemoryRecord, MemoryReading] = Section()
    programs: Section[ProgramRecord, Nothing] = Section()
    services: Section[ServiceRecord, ServiceReading] = Section()
    drivers: Section[DriverRecord, Nothing] = Section()
    filters: Section[FilterRecord, FilterReading] = Section()
    security: Section[SecurityRecord, Nothing] = Section()
    tasks: Section[TaskRecord, TaskReading] = Section()
    scripts: Section[ScriptRecord, Nothing] = Section()
    shares: Section[ShareRecord, Nothing] = Section()
    events: Section[Nothing, EventReading] = Section()
    logons: Section[Nothing, LogonReading] = Section()
    dumps: Section[DumpRecord, Nothing] = Section()
    updates: Section[UpdateRecord, Nothing] = Section()
    roles: Section[RoleRecord, Nothing] = Section()
    defender: Section[DefenderRecord, DefenderReading] = Section()
    firewall: Section[FirewallRecord, FirewallReading] = Section()
    sessions: Section[Nothing, SessionReading] = Section()
    replication: Section[ReplicationRecord, Nothing] = Section()
    jobs: Section[JobRecord, Nothing] = Section()
    dumpbytes: Section[DumpPieceRecord, Nothing] = Section()
    fragmentation: Section[Nothing, FragmentationReading] = Section()


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The host's clock against the collector's."""

    utc_offset_minutes: int | None = None
    """Local time minus UTC at collection."""
    skew_seconds: float | None = None
    """Host's UTC minus collector's UTC; None where the host's time is not known."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a host was asked for by name: whatever is named nowhere here was not looked for, so that its absence says nothing."""

    security_keys: tuple[str, ...] = ()
    """Registry key globs below HKLM, whose values were asked for."""
    security_files: tuple[str, ...] = ()
    """File globs."""
    events: tuple[str, ...] = ()
    """`LOG/PROVIDER=IDS`, ids separated by commas, `*` for all."""
    around: str = ""
    """The moment that was looked round in place of the last unexpected restart, ISO 8601 in UTC; empty where none was given."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All sections of one host at one time."""

    schema_version: int = SCHEMA_VERSION
    host: str
    """The target's name."""
    collected_at: str
    """When the collection of this host started."""
    collector: str
    """Program and version that collected."""
    transport: str
    """How it was asked, for example `powershell over http/ntlm`."""
    clock: Clock = Clock()
    log_coverage: tuple[LogCoverage, ...] = ()
    sections: Sections = Sections()
    certificate_checked: bool | None = None
    """False where the certificate check was switched off on purpose; None where there is no certificate."""
    asked: Question | None = None
    """What was asked for by name; None where everything was (hand-made hosts, exports)."""


class HostResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one target in one collection: a snapshot, or a reason why there is none."""

    host: str
    status: Status
    reason: str = ""
    next_step: str = ""
    snapshot: Snapshot | None = None
    seconds: float = 0.0
