"""Data tables of the matrix: long lists that stand under one rule each. Every table says its source, licence and date.

Rules of this file:
1. A table is one of four kinds: `products` (products, versions and systems, perhaps from a day on), `exclusions` (what a scanner must leave
   alone for a server role), `altitudes` (which filter owns which altitude) and `drivers` (driver files by hash).
2. The first two are YAML, written by hand; the other two are tab-separated and come from others' lists.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.model.grade import Confidence
from auditor.model.selector import Generation

ExclusionKind = Literal["path", "process", "extension"]


class ListedRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product, a system, or a product on systems; what is left out is not asked."""

    product: str | None = None
    """Signature id."""
    version: str | None = None
    """Range over its version."""
    definitions: str | None = None
    """Range over the version of its definitions."""
    generation: tuple[Generation, ...] = ()
    """Generations of Windows, one of which the host runs."""
    beside: str | None = None
    """Signature id of another product that is there too."""
    since: str | None = None
    """First day on which the row counts, `YYYY-MM-DD`; left out: always."""
    note: str
    """What the row says, in a few words."""
    confidence: Confidence = "probable"
    source: str
    """Address of the page that says so."""


class ProductsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="products"):
    """Products and systems."""

    id: str
    source: str
    """Where the rows come from, in words or as an address."""
    licence: str
    """Licence of the rows; `facts` where nothing but facts was taken."""
    date: str
    """Day on which the rows were last compared with their sources, `YYYY-MM-DD`."""
    attribution: str = ""
    rows: tuple[ListedRow, ...]


class ExclusionRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that a scanner must leave alone."""

    role: str
    """What it is needed for, a word that rules name."""
    what: str
    """What it is, in a few words."""
    any_of: tuple[str, ...]
    """Exclusions, one of which is enough: `path GLOB`, `process GLOB` or `extension GLOB`."""
    automatic: dict[str, tuple[Generation, ...]] = {}
    """Signature id to the generations on which that product excludes it by itself; no generation: on all."""
    source: str = ""


class ExclusionPlace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a product keeps its exclusions."""

    product: str
    """Signature id."""
    key: str
    """Registry key below HKLM; one `*` stands for one level."""
    kind: ExclusionKind
    held_in: Literal["name", "data"] = "name"
    """Whether the exclusion is the value's name or its data."""
    value: str | None = None
    """With data: only this value."""
    source: str = ""


class ExclusionsTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="exclusions"):
    """What scanners must leave alone, and where products keep what they do."""

    id: str
    source: str
    licence: str
    date: str
    attribution: str = ""
    places: tuple[ExclusionPlace, ...] = ()
    rows: tuple[ExclusionRow, ...]


class AltitudesTable(msgspec.Struct, frozen=True, kw_only=True):
    """Altitudes and the filters that they were given to."""

    id: str
    source: str
    licence: str
    date: str
    attribution: str = ""
    owners: dict[str, frozenset[str]]
    """Altitude as text to the names of the drivers that own it, case-folded, without .sys."""


class DriversTable(msgspec.Struct, frozen=True, kw_only=True):
    """Driver files by hash."""

    id: str
    source: str
    licence: str
    date: str
    attribution: str = ""
    hashes: frozenset[str]
    """SHA-256, lower-case hex."""
    names: frozenset[tuple[str, str]] = frozenset()
    """File name (case-folded, without .sys) and file version of each: never proof by themselves."""


Table = ProductsTable | ExclusionsTable | AltitudesTable | DriversTable
WrittenTable = ProductsTable | ExclusionsTable
