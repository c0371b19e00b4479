"""Statements of what is supported: product versions on generations of Windows, and product beside product. And the grid made of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.model.grade import Confidence
from auditor.model.selector import Generation

Says = Literal["supported", "unsupported", "conflicts"]
Answer = Literal["supported", "conflicts", "unsupported", "unknown"]


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a source says of a product on systems, or of a product beside another."""

    says: Says
    version: str | None = None
    """Range of the file's product; left out: every version."""
    on: tuple[Generation, ...] = ()
    """Generations of Windows. Exactly one of `on` and `beside` is given; with `beside` it narrows."""
    beside: str | None = None
    """Signature id of the other product."""
    beside_version: str | None = None
    """Range of the other product."""
    note: str = ""
    """Conditions and limits, in a few words."""
    confidence: Confidence
    source: str
    """Address of the page that says so."""


class SupportFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All statements about one product: `supports/<product id>.yml`."""

    product: str
    """Signature id, equal to the file's stem."""
    statements: tuple[Statement, ...]


class GridStatement(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell rests on: a statement, or a rule about both."""

    kind: Literal["statement", "rule"]
    says: Says
    text: str
    """Versions and note, or the rule's title."""
    confidence: Confidence
    source: str
    rule: str = ""
    some: bool = False
    """Whether a rule is about some versions, editions or states of the product only."""


class GridCell(msgspec.Struct, frozen=True, kw_only=True):
    """One product against one system or one other product."""

    answer: Answer
    """The worst that is said: conflicts, unsupported, supported; unknown where nothing is."""
    statements: tuple[GridStatement, ...] = ()
    depends: bool = False
    """Whether different versions get different answers."""


class GridRow(msgspec.Struct, frozen=True, kw_only=True):
    """One product against every column."""

    product: str
    name: str
    cells: tuple[GridCell, ...]


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """Products against generations of Windows, or against products."""

    title: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    """Name of each column for people."""
    rows: tuple[GridRow, ...]


def answer_of(says: tuple[Says, ...]) -> Answer:
    """The worst of what is said."""
    order: tuple[Says, ...] = ("conflicts", "unsupported", "supported")
    return next((word for word in order if word in says), "unknown")
