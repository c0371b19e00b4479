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

Status = Literal["ok", "partial", "denied", "unsupported", "timed_out", "failed", "not_asked"]
Scheme = Literal["http", "https"]
Mechanism = Literal["ntlm", "kerberos", "negotiate", "basic", "certificate", "credssp"]

SCHEMA_VERSION = 1

SECTION_NAMES = (
    "system", "network", "memory", "programs", "services", "drivers", "filters", "security", "tasks", "scripts", "shares",
    "events", "logons", "dumps", "updates", "roles", "defender", "firewall", "sessions", "replication", "jobs",
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


class SystemRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The operating system. One row."""

    caption: str | None = None
    """Product name as Windows prints it; localised."""
    version: str | None = None
    """`major.minor.build`, for example 5.2.3790."""
    build: int | None = None
    """Build number."""
    revision: int | None = None
    """Update build revision (UBR) on Windows 10/2016 and later."""
    service_pack: int | None = None
    """Service pack major number; 0 for none."""
    edition: str | None = None
    """EditionID or OS SKU name, for example ServerStandard."""
    product_type: Literal["workstation", "domain_controller", "server"] | None = None
    """From Win32_OperatingSystem.ProductType 1, 2, 3."""
    architecture: Literal["x86", "x64", "arm64", "ia64"] | None = None
    """Architecture of the operating system, not of the shell."""
    locale: str | None = None
    """System locale as four hex digits (LCID), for example 0407."""
    ui_language: str | None = None
    """Installation language as four hex digits (LCID)."""
    code_page: int | None = None
    """OEM code page."""
    roles: tuple[str, ...] = ()
    """Role words that the system itself states: domain_controller, dns, dhcp, cluster, hyperv, iis, sql, exchange, file_replication, terminal_server."""
    windows_directory: str | None = None
    """For example C:\\WINDOWS."""
    manufacturer: str | None = None
    """Computer maker, for example VMware, Inc."""
    model: str | None = None
    """Computer model."""
    installed_at: str | None = None
    """When Windows was installed."""
    powershell_version: str | None = None
    """Version of the engine that answered; None on the WMI way."""
    pending_reboot: tuple[str, ...] | None = None
    """Reasons found for a pending restart: component_servicing, windows_update, file_rename, computer_rename."""
    time_zone: str | None = None
    """Windows' key name of the time zone, for example China Standard Time."""
    bias_minutes: int | None = None
    """UTC = local time + bias, without daylight saving."""
    daylight_bias_minutes: int | None = None
    """Added to the bias in daylight time; 0 where there is none."""
    standard_start: str | None = None
    """When standard time starts, SYSTEMTIME as 32 hex digits (REG_BINARY of TimeZoneInformation)."""
    daylight_start: str | None = None
    """When daylight time starts, likewise."""


class SystemReading(msgspec.Struct, frozen=True, kw_only=True):
    """What moves by itself in the system section."""

    boot_time: str | None = None
    """When Windows started."""
    local_time: str | None = None
    """The host's local time when it answered, without offset (`2026-11-26T09:02:03`)."""
    utc_time: str | None = None
    """The host's UTC when it answered."""
    utc_offset_minutes: int | None = None
    """Local time minus UTC when it answered."""


class Adapter(msgspec.Struct, frozen=True, kw_only=True):
    """One network adapter with an IP configuration."""

    description: str | None = None
    addresses: tuple[str, ...] = ()
    """IPv4 and IPv6 addresses as text."""
    gateways: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
    dhcp_enabled: bool | None = None
    dhcp_server: str | None = None
    mac: str | None = None
    """Upper-case hex pairs joined by colons."""


class NetworkRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine says of itself on the network: claims, not identity. One row."""

    computer_name: str | None = None
    """NetBIOS name."""
    host_name: str | None = None
    """DNS host name, without domain."""
    domain: str | None = None
    """DNS domain or workgroup it belongs to."""
    part_of_domain: bool | None = None
    dns_suffixes: tuple[str, ...] = ()
    """Primary suffix and search list."""
    optional_names: tuple[str, ...] = ()
    """LanmanServer OptionalNames: further names it answers to."""
    adapters: tuple[Adapter, ...] = ()
    time_server: str | None = None
    """W32Time NtpServer, where set."""


class MemoryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Physical memory, a page file or a volume, told apart by `kind`."""

    kind: Literal["physical", "page_file", "volume"]
    name: str
    """`physical`, the page file's path, or the volume's drive letter (`C:`)."""
    size_bytes: int | None = None
    """Memory or volume size; a page file's allocated size."""
    initial_mb: int | None = None
    """Page file: initial size; 0 is system-managed."""
    maximum_mb: int | None = None
    """Page file: maximum size; 0 is system-managed."""
    file_system: str | None = None
    """Volume: NTFS, FAT32, ReFS."""
    drive_type: Literal["unknown", "removable", "fixed", "network", "optical", "ram"] | None = None
    label: str | None = None
    dirty: bool | None = None
    """Volume: whether the dirty bit asks for a check at next boot."""
    last_chkdsk: str | None = None
    """Volume: result code or text of the last recorded disk check (event 1001 of Chkdsk, Wininit or Winlogon)."""


class MemoryReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of the memory section, by record name."""

    name: str
    free_bytes: int | None = None
    """Free memory, free space of a volume, unused part of a page file."""
    peak_mb: int | None = None
    """Page file: peak use."""


class ProgramRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An uninstall entry of the registry."""

    key: str
    """Name of the subkey below Uninstall."""
    view: Literal["native", "wow64"]
    """Which registry view it stands in."""
    name: str | None = None
    """DisplayName."""
    version: str | None = None
    """DisplayVersion."""
    publisher: str | None = None
    install_date: str | None = None
    """InstallDate as written, usually YYYYMMDD."""
    install_location: str | None = None
    uninstall_string: str | None = None
    quiet_uninstall_string: str | None = None
    system_component: bool = False
    """Hidden from the list of programs."""
    parent: str | None = None
    """ParentKeyName: the product that this is an update of."""


StartType = Literal["boot", "system", "auto", "demand", "disabled"]
ServiceType = Literal["kernel", "file_system", "adapter", "recognizer", "own_process", "share_process", "user_own", "user_share", "other"]
RunState = Literal["running", "stopped", "start_pending", "stop_pending", "continue_pending", "pause_pending", "paused", "unknown"]


class ServiceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A Win32 service."""

    name: str
    display_name: str | None = None
    image_path: str | None = None
    """ImagePath as written in the registry."""
    service_dll: str | None = None
    """Parameters\\ServiceDll, for services inside svchost."""
    start: StartType | None = None
    delayed: bool = False
    """DelayedAutostart."""
    type: ServiceType | None = None
    state: RunState | None = None
    account: str | None = None
    """ObjectName."""
    group: str | None = None
    """Load-order group."""
    depends_on: tuple[str, ...] = ()
    description: str | None = None


class ServiceReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of a service."""

    name: str
    pid: int | None = None


class DriverRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A kernel or file-system driver and its file."""

    name: str
    """Service name."""
    display_name: str | None = None
    image_path: str | None = None
    """ImagePath as written."""
    path: str | None = None
    """The file it resolves to."""
    type: ServiceType | None = None
    start: StartType | None = None
    state: RunState | None = None
    group: str | None = None
    tag: int | None = None
    file_exists: bool | None = None
    """None where the file could not be looked at."""
    file_version: str | None = None
    """From the fixed version information."""
    product_version: str | None = None
    company: str | None = None
    product: str | None = None
    description: str | None = None
    original_name: str | None = None
    """OriginalFilename of the version resource."""
    size_bytes: int | None = None
    created_at: str | None = None
    modified_at: str | None = None
    link_timestamp: int | None = None
    """TimeDateStamp of the PE header, seconds since 1970; a hash, not a date, in reproducible builds."""
    machine: int | None = None
    """Machine field of the PE header (0x14c x86, 0x8664 x64)."""
    checksum: int | None = None
    """CheckSum of the PE optional header."""
    sha256: str | None = None
    """Lower-case hex, where asked for and allowed."""
    signer: str | None = None
    """Subject of the embedded signature's certificate."""
    signature: Literal["valid", "unsigned", "invalid", "unknown"] | None = None
    """`unknown` on Windows that can't see catalog signatures."""


class FilterRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file-system filter, or a class filter (`class_filter`)."""

    name: str
    """Driver's service name."""
    instance: str | None = None
    """Instance name of a minifilter."""
    altitude: str | None = None
    """Decimal text of unlimited precision."""
    flags: int | None = None
    frame: int | None = None
    """Filter manager frame, where fltmc told it."""
    instances: int | None = None
    """Number of attached instances, where fltmc told it."""
    legacy: bool = False
    """A filter from before the filter manager."""
    class_filter: Literal["upper", "lower"] | None = None
    """Set for drivers that a device class names in UpperFilters or LowerFilters."""
    device_class: str | None = None
    """GUID of that class."""


class SecurityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A value that a security product keeps: a registry value, or a file's facts. Which are asked for comes from the signatures."""

    kind: Literal["registry", "file"]
    path: str
    """Registry key (`HKLM\\SOFTWARE\\...`) or file path."""
    name: str = ""
    """Value name; empty for the default value and for files."""
    view: Literal["native", "wow64"] = "native"
    type: str | None = None
    """REG_SZ, REG_DWORD, ...; for a file the kind of its text, or null."""
    data: str | None = None
    """Value as text: numbers in decimal, binary as lower-case hex, lists joined by line feeds; a small text file's text."""
    file_version: str | None = None
    size_bytes: int | None = None
    modified_at: str | None = None
    link_timestamp: int | None = None
    sha256: str | None = None


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled task as found; `probes.tasks.decode` reads what it means."""

    path: str
    """Full task path (`\\Microsoft\\...`), or file name of a .job file."""
    source_format: Literal["xml", "job", "schtasks", "at"]
    text: str | None = None
    """The task's XML, or the lines that schtasks printed for it."""
    data: str | None = None
    """A .job file in base64."""


class TaskReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of a task."""

    path: str
    last_run: str | None = None
    """Local time as printed where UTC is not known."""
    next_run: str | None = None
    last_result: int | None = None
    state: str | None = None


class ScriptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A script that a task calls, directly or through another script."""

    path: str
    """Local path as it was called, with variables expanded."""
    called_by: tuple[str, ...] = ()
    """Task paths and script paths that call it."""
    text: str | None = None
    """Its text after redaction; None where it was not read (see gaps)."""
    size_bytes: int | None = None
    modified_at: str | None = None


class ShareRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file share that the host offers."""

    name: str
    path: str | None = None
    description: str | None = None
    type: Literal["disk", "printer", "device", "ipc", "unknown"] = "unknown"
    administrative: bool = False
    """Made by Windows (C$, ADMIN$, IPC$)."""


class EventReading(msgspec.Struct, frozen=True, kw_only=True):
    """An event-log record of interest. All events are readings."""

    log: str
    source: str
    """Provider name."""
    id: int
    """Event id without qualifiers."""
    time: str
    """When it was written."""
    record: int | None = None
    """Record number."""
    level: Literal["critical", "error", "warning", "information", "audit_success", "audit_failure", "unknown"] = "unknown"
    strings: tuple[str, ...] = ()
    """Insertion strings; the same in every language."""
    message: str | None = None
    """Rendered text; localised."""
    category: int | None = None


class LogCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far back a log reaches: absent is unknown before `oldest`."""

    log: str
    oldest: str | None = None
    """Time of the oldest record."""
    asked_from: str | None = None
    """Start of the window asked for."""


class LogonReading(msgspec.Struct, frozen=True, kw_only=True):
    """A logon to the host, from the security log."""

    time: str
    account: str | None = None
    domain: str | None = None
    logon_type: int | None = None
    """2 interactive, 3 network, 4 batch, 5 service, 10 remote interactive."""
    workstation: str | None = None
    """Name of the source as the client gave it."""
    address: str | None = None
    """Source address."""
    event_id: int | None = None
    """528, 540 (2003) or 4624."""


class DumpRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A crash-dump file (`kind` minidump or memory), or the settings that decide what is written (`kind` settings)."""

    kind: Literal["minidump", "memory", "settings"]
    path: str
    """File path; for settings the registry key."""
    size_bytes: int | None = None
    modified_at: str | None = None
    dump_type: int | None = None
    """Settings: CrashDumpEnabled (0 none, 1 complete, 2 kernel, 3 small, 7 automatic)."""
    overwrite: bool | None = None
    auto_reboot: bool | None = None


class UpdateRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An installed update."""

    id: str
    """KB number, for example KB4474419."""
    description: str | None = None
    installed_on: str | None = None
    """As Windows gives it; its format varies with the language."""


class RoleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An installed role or feature."""

    name: str
    """Feature name (Windows-Defender) or, on old systems, component name."""
    display_name: str | None = None


class DefenderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Microsoft Defender's or Security Center's own words on one product."""

    source: Literal["defender", "securitycenter"]
    name: str
    running_mode: str | None = None
    """AMRunningMode: Normal, Passive Mode, EDR Block Mode, SxS Passive Mode, Not running."""
    product_version: str | None = None
    engine_version: str | None = None
    enabled: bool | None = None
    real_time: bool | None = None
    up_to_date: bool | None = None
    tamper_protected: bool | None = None
    product_state: int | None = None
    """Security Center's number."""
    exclusions: tuple[str, ...] | None = None
    """None where they were hidden from the account."""


class DefenderReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of Defender."""

    name: str
    definitions_version: str | None = None
    definitions_updated: str | None = None


class FirewallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A firewall profile."""

    profile: str
    enabled: bool | None = None
    log_path: str | None = None


class FirewallReading(msgspec.Struct, frozen=True, kw_only=True):
    """Counts from a firewall or intrusion log around a moment."""

    source: str
    """Log file."""
    window_start: str
    window_end: str
    dropped: int = 0
    allowed: int = 0
    attacks: int = 0
    """Entries that the product itself calls an attack."""
    top_source: str | None = None


class SessionReading(msgspec.Struct, frozen=True, kw_only=True):
    """An open file-share session."""

    client: str
    user: str | None = None
    open_files: int | None = None


class ReplicationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A replicated folder (DFSR, FRS)."""

    service: Literal["dfsr", "frs"]
    group: str
    folder: str | None = None
    path: str | None = None
    partners: tuple[str, ...] = ()


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job of another scheduler (SQL Agent, backup, shadow copy)."""

    scheduler: str
    name: str
    step: str | None = None
    command: str | None = None
    """Command line after redaction."""
    enabled: bool | None = None


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
    filters: Section[FilterRecord, Nothing] = Section()
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


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The host's clock against the collector's."""

    utc_offset_minutes: int | None = None
    """Local time minus UTC at collection."""
    skew_seconds: float | None = None
    """Host's UTC minus collector's UTC; None where the host's time is not known."""


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


class HostResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one target in one collection: a snapshot, or a reason why there is none."""

    host: str
    status: Status
    reason: str = ""
    next_step: str = ""
    snapshot: Snapshot | None = None
    seconds: float = 0.0
