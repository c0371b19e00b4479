"""Records of what the machine and its Windows are: system, network, memory, updates, roles.

The rules for all records stand at the head of `host`.
"""

from __future__ import annotations

from typing import Literal

import msgspec


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
    """Role words that the system itself states: domain_controller, dns, dhcp, cluster, hyperv, iis, sql, exchange,
    file_replication, terminal_server."""
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
    """When standard time starts, as TimeZoneInformation keeps it (REG_BINARY): 32 hex digits, eight little-endian words.

    TIME_FIELDS: year (0), month, week of the month (5 is the last), hour, minute, second, milliseconds, weekday (0 is Sunday).
    Not the SYSTEMTIME of the `TZI` values, where the weekday follows the month.
    """
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


class FragmentationReading(msgspec.Struct, frozen=True, kw_only=True):
    """How fragmented a volume that holds a page file is, by Windows' own analysis. Asked for with `--fragmentation` only."""

    volume: str
    """Drive letter (`C:`)."""
    percent: int | None = None
    """Of the volume as a whole."""
    file_percent: int | None = None
    """Of its files."""
    page_file_fragments: int | None = None
    """Pieces in which its page file lies."""
    recommended: bool | None = None
    """Whether Windows recommends to defragment it."""


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
