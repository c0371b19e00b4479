"""What the store remembers, as it is told: one host over time, and the fleet over time. Types only.

Times are starts of runs or of collections, ISO 8601 in UTC. Points of one history stand in the order of time.
"""

from __future__ import annotations

import msgspec

from auditor.model.change import DRIFT_SCHEMA_VERSION, Difference, FindingLife
from auditor.model.grade import Severity


class StateLine(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot of a host."""

    at: str
    run: str
    differences: int = 0
    """How many differences from the snapshot before."""
    unexplained: int = 0
    not_seen: tuple[str, ...] = ()
    """Sections that were asked and not seen in full."""


class HostHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One host over time: what `auditor history HOST` prints."""

    schema_version: int = DRIFT_SCHEMA_VERSION
    host: str
    groups: tuple[str, ...] = ()
    states: tuple[StateLine, ...] = ()
    differences: tuple[Difference, ...] = ()
    """From snapshot to snapshot."""
    findings: tuple[FindingLife, ...] = ()


class RunPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One run with a report."""

    run: str
    at: str
    hosts: int
    seen: int
    """Hosts of which something was seen."""
    findings: dict[Severity, int]
    undetermined: int


class RuleTrend(msgspec.Struct, frozen=True, kw_only=True):
    """How often a rule was violated."""

    rule: str
    title: str
    severity: Severity
    counts: tuple[int, ...]
    """For each run of the history."""


class ProductSpread(msgspec.Struct, frozen=True, kw_only=True):
    """On how many hosts each version of a product was."""

    product: str
    name: str
    versions: dict[str, tuple[int, ...]]
    """Version to the number of hosts in each run; an empty version is not known."""


class RolePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A role in one collection."""

    run: str
    at: str
    hosts: int
    """Hosts of the role that were collected."""
    unexplained: int = 0
    """Differences from the snapshots before that nothing explains."""
    back_to_baseline: int = 0
    expected: int = 0
    off: int | None = None
    """Differences from what the role should look like; None where nothing says how."""


class RoleTrend(msgspec.Struct, frozen=True, kw_only=True):
    """Drift of a role over time."""

    role: str
    points: tuple[RolePoint, ...]


class FleetHistory(msgspec.Struct, frozen=True, kw_only=True):
    """The fleet over time: what `auditor history` prints."""

    schema_version: int = DRIFT_SCHEMA_VERSION
    runs: tuple[RunPoint, ...] = ()
    rules: tuple[RuleTrend, ...] = ()
    products: tuple[ProductSpread, ...] = ()
    roles: tuple[RoleTrend, ...] = ()
    findings: tuple[FindingLife, ...] = ()
