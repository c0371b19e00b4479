"""What hosts should look like, and how two states are compared: role baselines, stable keys, what moves by itself. Types only.

Rules of this file:
1. Which fields make a record's key, which texts change by themselves and which fields belong to one machine is data, read from
   `compat_matrix/drift/`; what a role should look like is read from `compat_matrix/baselines/<role>.yml`. No code knows a product by name.
2. A pattern is a text without case in which `*` is any run that is kept, and `<hex>`, `<number>`, `<version>`, `<date>`,
   `<guid>`, `<sid>`, `<word>` and `<level>` (all but slashes) stand for what changes. Masking writes the placeholder in its place.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Value = str | int | bool | None | tuple[str, ...]


class SectionPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the records of a section are told apart and compared."""

    key: tuple[str, ...] = ()
    """Fields that make the key, in order. `a|b` is the first that is known; `view=native` is left out where it has that value
    (`x=a|b`: one of these). Empty: the section has one row."""
    joined: str = " "
    """What stands between the fields of the key."""
    unfold: dict[str, tuple[str, ...]] = {}
    """Fields whose items are records of their own, with their keys."""
    absent_when_null: tuple[str, ...] = ()
    """Fields in which null says that there is none; in all others it is not known, and nothing is compared."""
    unordered: tuple[str, ...] = ()
    """Lists whose order means nothing."""
    individual: tuple[str, ...] = ()
    """Fields that belong to one machine and are not held against a role or peers; `*` is the section as a whole."""
    integrity: tuple[str, ...] = ()
    """Fields that are equal wherever name, version and machine of a file are."""
    protection: tuple[str, ...] = ()
    """Fields whose difference concerns a security product's own state; `*` is all."""
    learn: tuple[str, ...] | None = None
    """Fields that `baseline learn` proposes; none: only that the record is there; null: nothing of this section."""


class VolatileRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that changes by itself and is no drift."""

    id: str
    section: str
    why: str
    where: dict[str, Value] = {}
    """Fields of the record and the pattern (of several: one of them) or value that each must have."""
    on: dict[str, str] = {}
    """Fields of the host's system record and patterns that they must have."""
    beside: dict[str, str] = {}
    """Only where another record of the section has these values; `{1}` is what the first `*` of `where` kept, `{name}` a field."""
    leave_out: bool = False
    """The record is not compared at all."""
    forget: tuple[str, ...] = ()
    """Fields that are not compared."""
    mask: dict[str, tuple[str, ...]] = {}
    """Fields and the patterns whose placeholders replace what changes; the first that fits is used."""
    drop: dict[str, tuple[str, ...]] = {}
    """Lists and the patterns of items that are left out of them."""
    between_hosts: bool = False
    """Holds only where hosts are held against a role or against each other, not where a host is compared with itself."""
    references: tuple[str, ...] = ()


class DriftKnowledge(msgspec.Struct, frozen=True, kw_only=True):
    """How sections are compared, as loaded."""

    sections: dict[str, SectionPlan]
    rules: tuple[VolatileRule, ...] = ()
    alike: tuple[str, ...] = ()
    """Fields of the system record in which hosts must agree to be peers."""
    definitions_days: int = 2
    """How many days definitions may be older than the fleet's."""


class Allowed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values that a field may have; one of what is stated must fit."""

    any_of: tuple[Value, ...] = ()
    like: tuple[str, ...] = ()
    """Globs without case."""
    range: str | None = None
    """Version range, `vers:windows/>=10.1`."""


FieldRule = Allowed | str | int | bool | None | tuple[str, ...]
RecordRule = Literal["present", "absent", "allowed"] | dict[str, FieldRule]
"""`present` and a mapping of fields: must be there. `allowed`: may be there, where the section takes no others."""


class SectionBaseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a role should have in one section."""

    only_these: bool = False
    """Records that are not listed are one too many."""
    records: dict[str, RecordRule] = {}
    """By key, as `auditor diff` prints it."""


class Learned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a proposed baseline came from."""

    at: str
    hosts: tuple[str, ...]
    share: int
    """Percent of the hosts that had to agree."""


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the hosts of an inventory group should look like."""

    role: str
    """Inventory group; equal to the file's stem."""
    title: str = ""
    learned: Learned | None = None
    sections: dict[str, SectionBaseline]
