"""What the store gives back beside the model's own values: runs, stored hosts, and the parts that a report is kept in."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from auditor.model.finding import Edge, Finding, HostCoverage, Product, Run, Waived
from auditor.model.host import HostResult, Target
from auditor.model.waiver import StaleWaiver

RunKind = Literal["audit", "collect", "check", "investigate", "import"]
RunState = Literal["running", "finished", "interrupted"]

COLLECTING: tuple[RunKind, ...] = ("audit", "collect", "investigate", "import")
"""Kinds of runs that brought results of hosts: only their results count as the latest of a host."""


class StoredHost(msgspec.Struct, frozen=True, kw_only=True):
    """A host's result, with the target as it was then."""

    target: Target
    result: HostResult
    row: int
    """Number of the result in the store."""


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as listed."""

    id: str
    kind: str
    started_at: str
    auditor: str
    state: str
    """`running` also where it was killed."""
    hosts: int
    """How many results it has."""
    findings: int | None
    """How many findings its report has; None without a report."""


class Rest(msgspec.Struct, frozen=True, kw_only=True):
    """The small fields of a report."""

    schema_version: int
    unresolved: tuple[str, ...]
    satisfied: int
    waived: tuple[Waived, ...] = ()
    stale_waivers: tuple[StaleWaiver, ...] = ()


PARTS: tuple[tuple[str, Any], ...] = (
    ("run", Run),
    ("coverage", tuple[HostCoverage, ...]),
    ("findings", tuple[Finding, ...]),
    ("undetermined", tuple[Finding, ...]),
    ("products", tuple[Product, ...]),
    ("edges", tuple[Edge, ...]),
)
"""The large fields of a report, each stored by itself: products that stay the same from run to run are stored once."""
