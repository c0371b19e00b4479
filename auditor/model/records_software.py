"""Records of what is installed: programs, services, drivers, filters, security products and their own words.

The rules for all records stand at the head of `host`.
"""

from __future__ import annotations

from typing import Literal

import msgspec


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
    """Number of attached instances in listings that people bring; from hosts it is a reading."""
    legacy: bool = False
    """A filter from before the filter manager."""
    class_filter: Literal["upper", "lower"] | None = None
    """Set for drivers that a device class names in UpperFilters or LowerFilters."""
    device_class: str | None = None
    """GUID of that class."""


class FilterReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of a filter: with each volume that comes and goes an instance is attached or not."""

    name: str
    instance: str | None = None
    instances: int | None = None
    """Number of attached instances of the filter, where fltmc told it."""


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


class DefenderRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Microsoft Defender's or Security Center's own words on one product."""

    source: Literal["defender", "securitycenter"]
    name: str
    running_mode: str | None = None
    """AMRunningMode: Normal, Passive Mode, EDR Block Mode, SxS Passive Mode, Not running."""
    product_version: str | None = None
    engine_version: str | None = None
    """In what people bring; from hosts it is a reading, since it comes with definitions."""
    enabled: bool | None = None
    real_time: bool | None = None
    up_to_date: bool | None = None
    tamper_protected: bool | None = None
    product_state: int | None = None
    """Security Center's number."""
    exclusions: tuple[str, ...] | None = None
    """`path`, `extension`, `process` or `address`, a blank, and what is excluded; None where they were hidden from the account."""


class DefenderReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of Defender."""

    name: str
    engine_version: str | None = None
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
