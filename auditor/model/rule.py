"""The rule language: conditions, rules, product signatures. Ten minutes to learn, no expressions, no code.

A condition has exactly one key. `all`, `any`, `not` and `count` combine; the others select something on a host (`host` names one
of the rule's roles; rules with one role may leave it out) or a tie between two hosts. Evaluation is three-valued: a selector whose
section was not seen is unknown unless what was seen already decides it.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Severity = Literal["informational", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("informational", "low", "medium", "high", "critical")
Confidence = Literal["confirmed", "probable", "suspected"]
CONFIDENCES: tuple[Confidence, ...] = ("suspected", "probable", "confirmed")


class ProductSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product on a host."""

    host: str | None = None
    id: str | None = None
    """Signature id; globs allowed."""
    vendor: str | None = None
    edition: str | None = None
    role: str | None = None
    """server, managed_client, unmanaged_client, manager, client."""
    version: str | None = None
    """Range, for example vers:windows/>=9.0|<10.0."""
    active: bool | None = None
    remnant: bool | None = None
    """Unset selects installed products only (remnant false)."""
    kind: str | None = None
    """Kind of product that the signature declares: antivirus, edr, firewall, hips, backup, management, encryption, dlp."""
    parent: str | None = None
    """Name of its manager; globs allowed."""


class DriverSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A driver on a host. Names match the service name or the file name, with or without .sys."""

    host: str | None = None
    name: str | None = None
    version: str | None = None
    linked: str | None = None
    """Link-timestamp range in seconds, vers:windows/>=0x...: decimal numbers, for example vers:windows/=1067039823."""
    sha256: tuple[str, ...] | None = None
    company: str | None = None
    signer: str | None = None
    signature: str | None = None
    group: str | None = None
    start: tuple[str, ...] | None = None
    state: str | None = None
    table: str | None = None
    """Id of a data table under compat_matrix/drivers whose hashes it must be in."""


class FilterSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file-system filter on a host."""

    host: str | None = None
    name: str | None = None
    altitude_from: str | None = None
    altitude_to: str | None = None
    legacy: bool | None = None
    class_filter: str | None = None


class OsSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The operating system of a host."""

    host: str | None = None
    generation: tuple[str, ...] | None = None
    """2000, xp, 2003, vista, 2008, 7, 2008r2, 8, 2012, 8.1, 2012r2, 10, 2016, 2019, 11, 2022, 2025."""
    build: str | None = None
    """Range over version.build.revision, for example vers:windows/>=10.0.17763.1."""
    service_pack: str | None = None
    product_type: str | None = None
    architecture: str | None = None
    role: str | None = None
    """Role word of the system section, or an inventory group."""


class UpdateSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An installed update."""

    host: str | None = None
    any_of: tuple[str, ...]
    """KB numbers, one of which is installed."""


class ServiceSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A service of a host."""

    host: str | None = None
    name: str
    state: str | None = None
    start: tuple[str, ...] | None = None


class ProgramSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An uninstall entry."""

    host: str | None = None
    name: str
    version: str | None = None
    publisher: str | None = None


class TaskSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scheduled task."""

    host: str | None = None
    path: str | None = None
    command: str | None = None
    """Glob over command and arguments."""
    enabled: bool | None = None
    hours: tuple[int, ...] | None = None
    """Local start hours, one of which it has."""


class SettingSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registry value of the security section, or an exclusion of a security product."""

    host: str | None = None
    key: str
    value: str = ""
    equals: tuple[str, ...] | None = None
    present: bool | None = None


class EventSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event in the window that was collected."""

    host: str | None = None
    id: tuple[int, ...]
    source: str | None = None
    string: str | None = None
    """Glob over one of the insertion strings."""


class EdgeSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tie between two roles of the rule."""

    source: str
    target: str
    kinds: tuple[str, ...]
    """copies-to, logs-on-to, manages, updates, serves, depends-on, same-group."""
    either_way: bool = False
    destructive: bool | None = None
    writes_executables: bool | None = None
    hours: tuple[int, ...] | None = None


class CompareSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The order of two products' versions: `left` is `relation` than `right`."""

    left: ProductSelector
    relation: Literal["older", "newer", "same", "different"]
    right: ProductSelector
    by: Literal["major", "minor", "full"] = "full"


class CountSelector(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many different products, drivers or filters fit."""

    product: ProductSelector | None = None
    driver: DriverSelector | None = None
    filter: FilterSelector | None = None
    distinct: Literal["id", "vendor", "name", "altitude"] = "id"
    at_least: int | None = None
    at_most: int | None = None


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"all_": "all", "any_": "any", "not_": "not"}):
    """Exactly one key is set; `matrix` refuses others with the place."""

    all_: tuple[Condition, ...] | None = None
    any_: tuple[Condition, ...] | None = None
    not_: Condition | None = None
    product: ProductSelector | None = None
    driver: DriverSelector | None = None
    filter: FilterSelector | None = None
    os: OsSelector | None = None
    update: UpdateSelector | None = None
    service: ServiceSelector | None = None
    program: ProgramSelector | None = None
    task: TaskSelector | None = None
    setting: SettingSelector | None = None
    event: EventSelector | None = None
    edge: EdgeSelector | None = None
    compare: CompareSelector | None = None
    count: CountSelector | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way in which things break."""

    id: str
    """Kebab-case, equal to the file's stem, kept for ever."""
    title: str
    severity: Severity
    confidence: Confidence
    roles: tuple[str, ...] = ("host",)
    """One or two names for the hosts that the rule speaks of."""
    applies_to: Condition | None = None
    """False: not applicable."""
    when: Condition
    """True: violated."""
    subject: str
    """One sentence about the bound hosts; `{role}` is replaced by the host's name."""
    subject_keys: tuple[str, ...] = ()
    """What besides the hosts makes findings of this rule distinct: literal words, for example a driver's name."""
    mechanism: str
    effect: str
    resolution: str
    remedy: str | None = None
    """Playbook id, or null."""
    references: tuple[str, ...]
    """http(s) addresses of the sources, or `incident` for the founding case."""


class RegistrySource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A registry value of the security section; both views are looked at."""

    key: str
    """Below HKLM, for example SOFTWARE\\INTEL\\LANDesk\\VirusProtect6\\CurrentVersion; one * stands for one level."""
    value: str = ""


class FileSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file whose version, or text, is evidence. Paths may start with %ProgramFiles%, %CommonProgramFiles%, %SystemRoot%, %ProgramData%."""

    path: str
    line: str | None = None
    """For text files: `NAME=` whose rest of line is the value."""


class Signs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Signs of a product, each one enough by itself; globs allowed in names."""

    programs: tuple[str, ...] = ()
    """DisplayName."""
    services: tuple[str, ...] = ()
    drivers: tuple[str, ...] = ()
    registry: tuple[RegistrySource, ...] = ()
    files: tuple[FileSource, ...] = ()


class ValueSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a product's value is read from; exactly one of the first four. Sources are tried in order of trust."""

    registry: RegistrySource | None = None
    file: FileSource | None = None
    program: str | None = None
    """DisplayVersion of the uninstall entry with this name."""
    driver: str | None = None
    """File version of this driver."""
    decode: Literal["text", "sep_date", "definfo_date", "after_colon", "hex_dword", "trend_pattern", "unix_time", "filetime", "first_line"] = "text"
    confidence: Confidence = "confirmed"
    source: str = ""
    """Address of the page that says so."""


class RoleSign(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What decides a role or an edition. Signs are tried in the order written; the first that is true decides."""

    is_: str = msgspec.field(name="is")
    """server, managed_client, unmanaged_client, manager, client; or an edition's word."""
    any_of: tuple[Condition, ...] = ()
    all_of: tuple[Condition, ...] = ()
    confidence: Confidence = "probable"


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a product is recognised, and where its values stand."""

    id: str
    """Equal to the file's stem: <vendor>-<product>."""
    name: str
    vendor: str
    kind: Literal["antivirus", "edr", "firewall", "hips", "backup", "management", "encryption", "dlp", "other"]
    installed: Signs
    """Signs of an installed product."""
    remnant: Signs = Signs()
    """Signs that outlive an uninstallation: alone they mean a remnant."""
    version: tuple[ValueSource, ...] = ()
    scheme: Literal["windows", "blackice"] = "windows"
    engine: tuple[ValueSource, ...] = ()
    definitions: tuple[ValueSource, ...] = ()
    parent: tuple[ValueSource, ...] = ()
    group: tuple[ValueSource, ...] = ()
    roles: tuple[RoleSign, ...] = ()
    editions: tuple[RoleSign, ...] = ()
    active: tuple[Condition, ...] = ()
    """All must hold for the product to be active (real-time protection on)."""
    drivers: tuple[str, ...] = ()
    """Drivers that belong to it."""
    services: tuple[str, ...] = ()
    manages_by: Literal["parent", "none"] = "parent"
    updates_group: bool = False
    """Whether servers of one group update each other (edges of kind updates inside the group)."""
    references: tuple[str, ...] = ()


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Rules and signatures as loaded from one or more folders."""

    rules: tuple[Rule, ...]
    signatures: tuple[Signature, ...]
    tables: dict[str, frozenset[str]] = {}
    """Data tables by id: sets of lower-case keys such as SHA-256 hashes."""
    digest: str
    """SHA-256 over all files, so that a report says which knowledge it rests on."""
