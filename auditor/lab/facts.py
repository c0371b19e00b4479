"""The facts of one lab host, as a fleet file writes them: what Windows is, never what the auditor makes of it. Types only.

Rules of this file:
1. Everything that may be added to, patched or removed by itself is a map from a name to a thing. Names keep their case; Windows' own
   comparison without case is applied when the machine is built.
2. Times are in the notation of `clock`; texts that say so may hold `{{time|picture}}`.
3. Shorthands (services, drivers, programs, zone, ...) become registry values and files in `machine`; whatever the shorthands lack can be
   written as registry values and files directly.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from auditor.lab.facts_activity import AgentJobFacts, EventFacts, LogFacts, LogonFacts, TaskFacts
from auditor.lab.facts_change import DropFacts, HeldFacts, PackageFacts, ProgramCommands, RestartFacts
from auditor.lab.facts_software import DefenderFacts, DriverFacts, FileFacts, ProgramFacts, ServiceFacts, ShareFacts
from auditor.lab.facts_types import Bytes, Dword, Facts, Hex, Name, Text, Time
from auditor.lab.misbehave import Behaviour

Right = Literal["security_log", "system_log", "application_log", "tasks", "wmi"]


class InboxFacts(Facts, frozen=True, kw_only=True):
    """What the files that came with this Windows have in their headers."""

    version: Text = "5.2.3790.3959"
    """File version of inbox drivers and programs."""
    company: Text = "Microsoft Corporation"
    product: Text = "Microsoft® Windows® Operating System"
    linked: Time | None = None
    """Time round which the files were linked; null for reproducible builds, whose link timestamps are hashes."""
    modified: Time = "2007-02-17 14:00:00"


class SystemFacts(Facts, frozen=True, kw_only=True):
    """The operating system."""

    caption: Text
    version: Annotated[str, Meta(pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,6}$")]
    revision: Dword | None = None
    """UBR of Windows 10/2016 and later."""
    service_pack: Annotated[int, Meta(ge=0, le=10)] = 0
    edition: Text | None = None
    """EditionID, from Vista/2008 on."""
    product_type: Literal["workstation", "domain_controller", "server"] = "server"
    architecture: Literal["x86", "x64"] = "x64"
    locale: Annotated[str, Meta(pattern="^[0-9a-f]{4}$")] = "0409"
    ui_language: Annotated[str, Meta(pattern="^[0-9a-f]{4}$")] = "0409"
    code_page: Dword = 437
    ansi_code_page: Dword = 1252
    date_picture: Text = "M/d/yyyy"
    """Short date of the system account, as Windows writes it (`d.M.yyyy`)."""
    time_picture: Text = "h:mm:ss tt"
    windows_directory: Text = "C:\\Windows"
    program_files: Text = "C:\\Program Files"
    manufacturer: Text = "VMware, Inc."
    model: Text = "VMware Virtual Platform"
    installed: Time = "2016-01-04 10:00:00"
    boot: Time = "-12d 03:15:20"
    """When Windows started last."""
    powershell: Annotated[str, Meta(pattern=r"^(none|\d{1,2}(\.\d{1,6}){1,3})$")] = "5.1"
    """`$PSVersionTable.PSVersion` as text; `none` where there is no powershell.exe."""
    language_mode: Literal["FullLanguage", "ConstrainedLanguage", "RestrictedLanguage", "NoLanguage"] = "FullLanguage"
    blocked_by: Literal["amsi", "application_control"] | None = None
    """What keeps the probe's script from running, though powershell.exe starts."""
    inbox: InboxFacts = InboxFacts()


class ZoneFacts(Facts, frozen=True, kw_only=True):
    """The time zone as the registry has it."""

    name: Text = "UTC"
    bias: Annotated[int, Meta(ge=-900, le=900)] = 0
    """UTC = local time + bias, in minutes."""
    daylight_bias: Annotated[int, Meta(ge=-120, le=120)] = 0
    standard_start: Hex = ""
    """TIME_FIELDS in 32 hex digits, the weekday last; see SystemRecord."""
    daylight_start: Hex = ""


class AdapterFacts(Facts, frozen=True, kw_only=True):
    """One network adapter."""

    description: Text = "Intel(R) PRO/1000 MT Network Connection"
    addresses: tuple[Name, ...] = ()
    masks: tuple[Name, ...] = ()
    """One for each address; empty uses 255.255.255.0 and 64."""
    gateways: tuple[Name, ...] = ()
    dns_servers: tuple[Name, ...] = ()
    dhcp: bool = False
    dhcp_server: Name | None = None
    mac: Annotated[str, Meta(pattern="^([0-9A-F]{2}:){5}[0-9A-F]{2}$")] | None = None


class NetworkFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names and addresses."""

    computer_name: Annotated[str, Meta(min_length=1, max_length=15)]
    host_name: Name | None = None
    """DNS host name; null is the computer name in lower case."""
    domain: Name = "WORKGROUP"
    """DNS domain, or the workgroup."""
    part_of_domain: bool = False
    dns_suffixes: tuple[Name, ...] = ()
    """Search list."""
    optional_names: tuple[Name, ...] = ()
    time_server: Text | None = None
    """W32Time's NtpServer value."""
    adapters: dict[Name, AdapterFacts] = {}
    """By connection name."""


class PageFileFacts(Facts, frozen=True, kw_only=True):
    """A page file."""

    initial_mb: Dword = 0
    maximum_mb: Dword = 0
    allocated_mb: Dword = 2048
    used_mb: Dword = 200
    peak_mb: Dword = 300


class VolumeFacts(Facts, frozen=True, kw_only=True):
    """A volume with a drive letter."""

    size: Bytes = 0
    free: Bytes = 0
    file_system: Text | None = "NTFS"
    type: Literal["unknown", "removable", "fixed", "network", "optical", "ram"] = "fixed"
    label: Text | None = None
    dirty: bool | None = False
    fragmented: Annotated[int, Meta(ge=0, le=100)] | None = 0
    """Percent, as Windows' analysis says; null where it refuses to analyse the volume."""
    page_file_pieces: Annotated[int, Meta(ge=0, le=1_000_000)] = 1


class MemoryFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Memory, page files and volumes."""

    physical: Bytes = 4294967296
    free: Bytes = 1073741824
    page_files: dict[Name, PageFileFacts] = {}
    """By path."""
    volumes: dict[Annotated[str, Meta(pattern="^[A-Z]:$")], VolumeFacts] = {}


class SessionFacts(Facts, frozen=True, kw_only=True):
    """An open session of another machine on this host's shares."""

    client: Name
    user: Text = ""
    files: Dword = 0
    shares: tuple[Name, ...] = ()


class UpdateFacts(Facts, frozen=True, kw_only=True):
    """An installed update (Win32_QuickFixEngineering)."""

    description: Text = "Security Update"
    installed_on: Text = ""


class KerberosFacts(Facts, frozen=True, kw_only=True):
    """How the host takes Kerberos; the realm and its KDC are not the lab's."""

    keytab: Text
    """File on this machine with the keys of the service principal."""
    realm: Name
    spn: Name
    """Service principal without the realm: HTTP/srva.lab.example."""


class AccessFacts(Facts, frozen=True, kw_only=True):
    """What the auditor's account may see on this host."""

    elevated: bool = True
    """Whether its token holds the Administrators group, enabled."""
    audits_logons: bool = True
    """Whether the host's audit policy writes logons to the Security log, the auditor's own among them."""
    denied: tuple[Right, ...] = ()
    """What it can't read besides. Without elevation the Security log is denied anyway."""
    denied_classes: tuple[Name, ...] = ()
    """WMI classes that it may not ask over WS-Management (`StdRegProv` is the registry); `denied: [wmi]` is all of WMI."""
    denied_keys: tuple[Text, ...] = ()
    """Registry keys that it can't open, with all below."""
    denied_files: tuple[Text, ...] = ()
    """Files and folders that it can't open."""


class HostFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One host."""

    groups: tuple[Annotated[str, Meta(pattern="^[a-z][a-z0-9_]{0,60}$")], ...] = ()
    """Inventory groups."""
    aliases: tuple[Name, ...] = ()
    """Further names that the inventory states."""
    scheme: Literal["http", "https"] = "http"
    winrm_stack: Text | None = None
    kerberos: KerberosFacts | None = None
    behaviour: Behaviour = Behaviour()
    access: AccessFacts = AccessFacts()
    system: SystemFacts
    zone: ZoneFacts = ZoneFacts()
    network: NetworkFacts
    memory: MemoryFacts = MemoryFacts()
    registry: Annotated[
        dict[Name, Any],
        Meta(description="Key path (HKLM\\... or HKU\\...) to value name to data; a name that begins with a backslash is a subkey."),
    ] = {}
    services: dict[Name, ServiceFacts] = {}
    drivers: dict[Name, DriverFacts] = {}
    """By service name, as services are; `image` of both may hold `{{time|picture}}`."""
    class_filters: dict[Annotated[str, Meta(pattern=r"^\{[0-9A-Fa-f-]{36}\}$")], dict[Literal["upper", "lower"], tuple[Name, ...]]] = {}
    """Device class GUID to the drivers in its UpperFilters and LowerFilters."""
    programs: dict[Name, ProgramFacts] = {}
    files: dict[Name, FileFacts] = {}
    """By full path; may hold `{{time|picture}}`."""
    tasks: dict[Name, TaskFacts] = {}
    """By full path (`\\Folder\\Name`), or by the name of the .job file."""
    shares: dict[Name, ShareFacts] = {}
    events: dict[Name, EventFacts] = {}
    """By any label."""
    logons: dict[Name, LogonFacts] = {}
    """By any label."""
    logs: dict[Name, LogFacts] = {}
    sessions: dict[Name, SessionFacts] = {}
    """By any label."""
    sql_agent: dict[Name, dict[Name, AgentJobFacts]] = {}
    """Instance of SQL Server to its jobs, where the auditor's account may log on to it; other instances refuse it."""
    defender: DefenderFacts | None = None
    """Null where this Windows has no Defender that tells of itself."""
    updates: dict[Name, UpdateFacts] = {}
    """By KB number."""
    features: dict[Name, Text] = {}
    """Installed optional features: name to display name (Server 2008 R2 and later)."""
    restart: RestartFacts = RestartFacts()
    held: dict[Name, HeldFacts] = {}
    """By any label."""
    packages: dict[Name, PackageFacts] = {}
    """By any label, over the fleet's own."""
    drops: dict[Name, DropFacts] = {}
    """By any label."""
    commands: dict[Name, ProgramCommands] = {}
    """By any label: programs of products that the operator may run, over the fleet's own."""
    wmi: Annotated[
        dict[Name, dict[Name, list[dict[str, Any]]]], Meta(description="Namespace to class to instances, for what only WMI tells.")
    ] = {}
