"""The conditions of the rule language: closed set of selectors, no expressions, no code.

Rules of this file:
1. A condition has exactly one key. `all`, `any` and `not` combine, `count` and `compare` look at several things, the others select
   something on a host or a tie between two hosts. `host` names one of the rule's roles; rules with one role leave it out.
2. A selector holds where one record fits everything that the selector says; a field that is left out is not asked.
3. Texts are case-insensitive globs (`*`, `?`) unless a field's sentence says otherwise. Ranges say their scheme:
   `vers:windows/>=9.0|<10.0`.
4. Evaluation is three-valued: what was not seen is unknown, unless what was seen decides already.
"""

from __future__ import annotations

from typing import Literal

import msgspec

ProductKind = Literal["antivirus", "edr", "firewall", "hips", "backup", "management", "encryption", "dlp", "other"]
Generation = Literal[
    "2000", "xp", "2003", "vista", "2008", "7", "2008r2", "8", "2012", "8.1", "2012r2", "10", "2016", "2019", "11", "2022", "2025",
]  # fmt: skip
TieKind = Literal["copies-to", "logs-on-to", "manages", "updates", "serves", "depends-on", "same-group"]


class ProductSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product on a host."""

    host: str | None = None
    id: str | None = None
    """Signature id."""
    except_ids: tuple[str, ...] = ()
    """Signature ids that are left out."""
    vendor: str | None = None
    kind: ProductKind | None = None
    """Kind of product that its signature declares."""
    edition: str | None = None
    role: str | None = None
    """A role that its signature can decide: server, managed_client, unmanaged_client, manager, client. No glob."""
    version: str | None = None
    """Range."""
    engine: str | None = None
    """Range over the engine's version."""
    definitions: str | None = None
    """Glob over the date or version of its definitions."""
    definitions_older_than_days: int | None = None
    """Days before the day of the evaluation; definitions that state no date are not known."""
    active: bool | None = None
    """Whether its real-time protection runs."""
    remnant: bool | None = None
    """True selects leftovers; unset selects installed products only."""
    parent: str | None = None
    """Name of its manager as the product states it; `?*` is any, an empty text is none."""
    group: str | None = None
    """Server or client group as the product states it."""


class DriverSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver on a host."""

    host: str | None = None
    name: str | None = None
    """Service name or file name, with or without .sys."""
    version: str | None = None
    """Range over the file version."""
    linked_from: str | None = None
    """Earliest link time, ISO 8601 in UTC, inclusive."""
    linked_to: str | None = None
    """Latest link time, inclusive."""
    sha256: tuple[str, ...] = ()
    """Hashes, one of which its file has."""
    table: str | None = None
    """Id of a table of drivers, one of whose hashes its file has."""
    resembles: str | None = None
    """Id of a table of drivers that lists its name and version; holds only where the hash of its file was not collected."""
    company: str | None = None
    except_companies: tuple[str, ...] = ()
    """Companies, as the driver's file states them, that are left out."""
    signer: str | None = None
    signature: Literal["valid", "unsigned", "invalid"] | None = None
    group: str | None = None
    """Load-order group."""
    start: tuple[Literal["boot", "system", "auto", "demand", "disabled"], ...] = ()
    state: Literal["running", "stopped"] | None = None
    file_exists: bool | None = None


class FilterSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file-system filter or class filter on a host."""

    host: str | None = None
    name: str | None = None
    altitude_from: str | None = None
    """Lowest altitude, decimal text, inclusive."""
    altitude_to: str | None = None
    """Highest altitude, inclusive."""
    legacy: bool | None = None
    class_filter: Literal["upper", "lower"] | None = None
    except_companies: tuple[str, ...] = ()
    """Companies, as the filter's driver file states them, that are left out."""
    loaded: bool | None = None
    """Whether the filter's driver runs."""
    altitudes: str | None = None
    """Id of a table of altitudes, which `allocated` refers to."""
    allocated: Literal["to_nobody", "to_another"] | None = None
    """By that table: neither the altitude nor the whole number below it is given out; or it is, and this driver is nowhere in the table."""


class OsSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operating system of a host."""

    host: str | None = None
    generation: tuple[Generation, ...] = ()
    """One of these."""
    build: str | None = None
    """Range over `major.minor.build.revision`."""
    service_pack: str | None = None
    """Range over the service pack's number."""
    product_type: tuple[Literal["workstation", "domain_controller", "server"], ...] = ()
    architecture: tuple[Literal["x86", "x64", "arm64", "ia64"], ...] = ()
    role: str | None = None
    """A role word of the system section, or an inventory group of the host."""
    manufacturer: str | None = None
    """Maker of the machine, for example `VMware*`."""


class UpdateSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installed update."""

    host: str | None = None
    any_of: tuple[str, ...]
    """KB numbers, one of which is installed. No globs."""


class FeatureSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installed role or feature of Windows."""

    host: str | None = None
    name: str


class ServiceSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service of a host."""

    host: str | None = None
    name: str
    """Service name."""
    state: Literal["running", "stopped"] | None = None
    start: tuple[Literal["boot", "system", "auto", "demand", "disabled"], ...] = ()


class ProgramSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An uninstall entry."""

    host: str | None = None
    name: str
    """DisplayName."""
    version: str | None = None
    """Range."""
    publisher: str | None = None


class TaskSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scheduled task."""

    host: str | None = None
    path: str | None = None
    command: str | None = None
    """Glob over command and arguments."""
    enabled: bool | None = None
    hours: tuple[int, ...] = ()
    """Local start hours (0 to 23), one of which it has."""


class SettingSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registry value of the security section; the native and the 32-bit view are both looked at."""

    host: str | None = None
    key: str
    """Below HKLM; one `*` stands for one level."""
    value: str = ""
    """Value name; empty is the default value."""
    equals: tuple[str, ...] = ()
    """Texts, one of which the data is; numbers in decimal."""
    pattern: str | None = None
    """Glob over the data; `?*` is any text that is not empty."""
    at_least: int | None = None
    at_most: int | None = None
    present: bool | None = None
    """Whether the value is there; without a value name, whether the key or anything below it is."""


class FileSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of the security section."""

    host: str | None = None
    path: str
    """May start with %ProgramFiles%, %CommonProgramFiles%, %SystemRoot% or %ProgramData%; globs stay inside one level."""
    version: str | None = None
    """Range over the file version."""
    modified_from: str | None = None
    """Earliest time of its last change, ISO 8601 in UTC, inclusive."""
    modified_to: str | None = None
    """Latest time, inclusive."""
    present: bool | None = None


class DefenderSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What Defender or Security Center says of a product."""

    host: str | None = None
    source: Literal["defender", "securitycenter"] = "defender"
    name: str | None = None
    running_mode: str | None = None
    enabled: bool | None = None
    real_time: bool | None = None
    tamper_protected: bool | None = None
    up_to_date: bool | None = None


class EventSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event in the window that was collected."""

    host: str | None = None
    id: tuple[int, ...]
    log: str | None = None
    source: str | None = None
    string: str | None = None
    """Glob over one of the insertion strings."""
    at_least: int = 1
    """How many such events."""
    within_days: int | None = None
    """Only the last days before the collection; the log must reach back as far for absence to be knowledge."""


class ListedSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a table of products that fits the host on the day of the evaluation."""

    host: str | None = None
    table: str
    """Id of a table of products, or `unsupported`: what the statements under `supports/` call unsupported."""


class ExclusionsSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a scanner of a host leaves alone; exactly one of `product` and `kind`, and of `lacks` and `has`."""

    host: str | None = None
    product: str | None = None
    """Signature id of the scanner."""
    kind: ProductKind | None = None
    """Any active product of the kind; one whose exclusions can't be read may lack any."""
    table: str
    """Id of a table of exclusions: what is to be left alone, and where products keep it."""
    lacks: str | None = None
    """A role of the table: at least one of its rows is not excluded, neither by hand nor by the product itself."""
    has: tuple[str, ...] = ()
    """Globs over `path ...`, `process ...` or `extension ...`, one of which is excluded."""


class JobPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of scheduled work."""

    commands: tuple[str, ...] = ()
    """Globs over command and arguments of enabled tasks, one of which fits."""
    copies: bool = False
    """Copies between this host and others, out of it or into it, that this host or another collected one runs."""


class CollisionSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Two kinds of scheduled work of one host that start in the same local hour; one task is never both."""

    host: str | None = None
    one: JobPart
    other: JobPart


class EdgeSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tie between two roles of the rule."""

    source: str
    target: str
    kinds: tuple[TieKind, ...]
    """One of these."""
    either_way: bool = False
    """The other direction will do as well."""
    and_back: bool = False
    """There must be one in each direction."""
    same_hours: bool | None = None
    """With `and_back`: whether the two share a start hour."""
    product: str | None = None
    """For manages, updates and same-group: signature id of the product that makes the tie."""
    destructive: bool | None = None
    writes_executables: bool | None = None
    """Copies: whether executables can be among what is written."""
    share: str | None = None
    """Copies: the share written to."""
    hours: tuple[int, ...] = ()
    """Copies: local start hours, one of which it has."""


class TiesSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many ties of a kind a host has with other hosts of the fleet."""

    host: str | None = None
    direction: Literal["out", "in"]
    """Out: the host is the tie's source."""
    kinds: tuple[TieKind, ...]
    product: str | None = None
    at_least: int | None = None
    at_most: int | None = None


class CompareSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The order of two products' versions: `left` is `relation` than `right`."""

    left: ProductSelector
    relation: Literal["older", "newer", "same", "different"]
    right: ProductSelector
    by: Literal["major", "minor", "full"] = "full"
    """Compare the first number, the first two, or everything."""


class CountSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many different products, drivers or filters of a host fit; exactly one of the first three is set."""

    product: ProductSelector | None = None
    driver: DriverSelector | None = None
    filter: FilterSelector | None = None
    distinct: Literal["id", "vendor", "name", "company"] = "id"
    """What makes two of them different: a product's id or vendor, a driver's or filter's name or company."""
    same: Literal["altitude"] | None = None
    """Filters: count only those that share this."""
    at_least: int | None = None
    at_most: int | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exactly one key is set; `matrix` refuses others with the place."""

    all_: tuple[Condition, ...] | None = msgspec.field(default=None, name="all")
    any_: tuple[Condition, ...] | None = msgspec.field(default=None, name="any")
    not_: Condition | None = msgspec.field(default=None, name="not")
    product: ProductSelector | None = None
    driver: DriverSelector | None = None
    filter: FilterSelector | None = None
    os: OsSelector | None = None
    update: UpdateSelector | None = None
    feature: FeatureSelector | None = None
    service: ServiceSelector | None = None
    program: ProgramSelector | None = None
    task: TaskSelector | None = None
    setting: SettingSelector | None = None
    file: FileSelector | None = None
    defender: DefenderSelector | None = None
    event: EventSelector | None = None
    edge: EdgeSelector | None = None
    ties: TiesSelector | None = None
    compare: CompareSelector | None = None
    count: CountSelector | None = None
    listed: ListedSelector | None = None
    exclusions: ExclusionsSelector | None = None
    collision: CollisionSelector | None = None
