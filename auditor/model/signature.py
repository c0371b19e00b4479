"""Product signatures: how a product is recognised on a host, and where its values stand."""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.model.grade import Confidence
from auditor.model.records_software import StartType
from auditor.model.selector import Condition, Generation, ProductKind, ProductSelector

Decode = Literal[
    "text", "sep_date", "definfo_date", "after_colon", "hex_dword", "trend_pattern", "unix_time", "filetime", "first_line", "sav_version"
]


class RegistrySource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registry value of the security section; both views are looked at."""

    key: str
    """Below HKLM, for example SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion; one * stands for one level."""
    value: str = ""
    """Value name. Left out: for a sign the key as such, for a value its default value."""


class FileSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file whose version or text is evidence; it may start with %ProgramFiles%, %CommonProgramFiles%, %SystemRoot% or %ProgramData%."""

    path: str
    line: str | None = None
    """For text files: `NAME=` whose rest of line is the value."""


class Signs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signs of a product, each one enough by itself; globs allowed in names."""

    programs: tuple[str, ...] = ()
    """DisplayName."""
    services: tuple[str, ...] = ()
    """Service name."""
    drivers: tuple[str, ...] = ()
    """Service name or file name. A driver whose file is gone is a sign of a remnant only."""
    registry: tuple[RegistrySource, ...] = ()
    files: tuple[FileSource, ...] = ()
    unless: Condition | None = None
    """These signs say nothing where this holds, for example where another product uses the same names."""
    confidence: Confidence = "probable"
    source: str = ""
    """Address of the page that names them."""


class ValueSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a product's value is read from; exactly one of the first five. Sources are tried in order of trust."""

    registry: RegistrySource | None = None
    file: FileSource | None = None
    """The file's version, or with `line` a line of its text."""
    program: str | None = None
    """DisplayVersion of the uninstall entry with this name."""
    driver: str | None = None
    """File version of this driver."""
    defender: Literal["product_version", "engine_version", "definitions_version", "definitions_updated"] | None = None
    """What Defender says of itself."""
    decode: Decode = "text"
    confidence: Confidence = "confirmed"
    source: str = ""
    """Address of the page that says so."""


class RoleSign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides a role or an edition. Tried in the order written: the first that is true decides, one that is unknown leaves it open."""

    is_: str = msgspec.field(name="is")
    """server, managed_client, unmanaged_client, manager, client; or an edition's word."""
    when: Condition | None = None
    """Left out: always, for the last one."""
    confidence: Confidence = "probable"
    source: str = ""


class BroughtService(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service that an installation brings."""

    name: str
    start: StartType | None = "auto"
    runs: bool | None = True
    """Whether it runs afterwards; null where that is not known."""


class BroughtDriver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver that an installation brings."""

    name: str
    """Service name, or file name without .sys where that is all that is published."""
    architectures: tuple[Literal["x86", "x64", "arm64", "ia64"], ...] = ()
    """Only on these; none: on all."""
    altitudes: tuple[str, ...] | None = None
    """Altitudes of its minifilter instances, decimal text; an empty list: it is no file-system filter; null: not known."""
    legacy: bool = False
    """A file-system filter from before the filter manager."""
    company: str | None = None
    """Company as its version resource, or Microsoft's list of altitudes, names it."""
    start: StartType | None = None
    group: str | None = None
    runs: bool | None = True


class Brings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an installation brings or needs; every part whose roles and versions fit holds. What is left out is not known."""

    roles: tuple[str, ...] = ()
    """Only for these roles; none: for all."""
    versions: str | None = None
    """Range; only for these versions."""
    part: str | None = None
    """Name of an optional part: only where it is chosen (`with=NAME`, `without=NAME`); not known where nothing is said."""
    programs: tuple[str, ...] = ()
    """DisplayName of its uninstall entries."""
    services: tuple[BroughtService, ...] | None = None
    drivers: tuple[BroughtDriver, ...] | None = None
    """All its drivers, filters among them; null where they are not known."""
    disk_mb: int | None = None
    """Free space on the system drive."""
    memory_mb: int | None = None
    """Physical memory."""
    restart: bool | None = None
    """Whether Windows has to be restarted afterwards."""
    remove_first: tuple[ProductSelector, ...] = ()
    """Products that must not be there when it is installed."""
    confidence: Confidence = "probable"
    source: str = ""
    """Address of the page that says so."""


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a product is recognised, and where its values stand."""

    id: str
    """Equal to the file's stem: <vendor>-<product>."""
    name: str
    vendor: str
    kind: ProductKind
    installed: tuple[Signs, ...]
    """Signs of an installed product, in groups that share a confidence and a source."""
    remnant: tuple[Signs, ...] = ()
    """Signs that outlive an uninstallation: alone they mean a remnant."""
    version: tuple[ValueSource, ...] = ()
    scheme: Literal["windows", "blackice"] = "windows"
    engine: tuple[ValueSource, ...] = ()
    definitions: tuple[ValueSource, ...] = ()
    parent: tuple[ValueSource, ...] = ()
    group: tuple[ValueSource, ...] = ()
    roles: tuple[RoleSign, ...] = ()
    editions: tuple[RoleSign, ...] = ()
    active: Condition | None = None
    """Holds where the product's real-time protection runs."""
    drivers: tuple[str, ...] = ()
    """Drivers that belong to it."""
    services: tuple[str, ...] = ()
    """Services that belong to it."""
    logs: tuple[str, ...] = ()
    """Its logs of attacks: text files of one entry a line, whose entries are counted around a restart. Paths as for files."""
    group_kind: str | None = None
    """Name space of its groups where products share one; otherwise the signature's id."""
    updates_group: bool = False
    """Whether servers of one group update each other (edges of kind updates inside the group)."""
    releases: tuple[str, ...] = ()
    """Release lines that exist, as `10.1`: a version that begins with none of them is not known. None: any version."""
    comes_with: tuple[Generation, ...] = ()
    """Generations of Windows that bring it."""
    installs: tuple[Brings, ...] = ()
    references: tuple[str, ...] = ()
    """http(s) addresses of the pages that the signature rests on."""
