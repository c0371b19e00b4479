"""What changed and against what: differences, why they may be expected, what could not be compared, and the life of a finding.

Rules of this file:
1. A difference exists only where both sides were seen. What one side could not see is `NotCompared`, never a difference.
2. Values are as in the record, after the volatile parts were masked; they come from hosts and are escaped by every report.
3. `since` is the oldest stored snapshot that shows the present value without a break, `not_before` the one before it, which showed another.
   Without `not_before` it was so in the first snapshot that there is.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

from auditor.model.grade import Severity

DRIFT_SCHEMA_VERSION = 1

BaselineKind = Literal["previous", "role", "accepted", "peers"]
"""The snapshot before; what a role should look like; a state that a person froze; the majority of the same role."""
BASELINE_KINDS: tuple[BaselineKind, ...] = get_args(BaselineKind)
DifferenceKind = Literal["added", "removed", "changed"]
"""Of a record (`field` empty), or of a field. Against a role, peers or a frozen state, `removed` is missing and `added` is one too many."""
DifferenceClass = Literal["expected", "unexplained", "back_to_baseline"]
DIFFERENCE_CLASSES: tuple[DifferenceClass, ...] = ("unexplained", "back_to_baseline", "expected")
"""In the order in which reports list them."""
Concern = Literal["", "integrity", "definitions", "manager", "protection"]
"""What makes a difference worth a look first: a file that is not the same as its namesakes, definitions older than the fleet's, another
manager than the group's, a security product's own settings and services."""
ExplanationKind = Literal["remediation", "maintenance", "accepted"]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference of one host from one baseline."""

    host: str
    section: str
    key: str
    """The record, as the section's declared key names it."""
    field: str = ""
    """Field of the record; empty where the record as a whole is there or not."""
    kind: DifferenceKind
    before: Any = None
    """What the baseline has; for a record as a whole its fields."""
    after: Any = None
    """What the host has."""
    baseline: BaselineKind
    against: str = ""
    """Which one: time of the snapshot, name of the role, what the peers have in common."""
    agree: int | None = None
    """Peers: how many have what `before` says."""
    of: int | None = None
    """Peers: among how many for which it is known, this host included."""
    since: str | None = None
    not_before: str | None = None
    class_: DifferenceClass = msgspec.field(default="unexplained", name="class")
    reason: str = ""
    """Why it has this class, where it is not unexplained."""
    concern: Concern = ""


class NotCompared(msgspec.Struct, frozen=True, kw_only=True):
    """Something of which one side was not seen."""

    host: str
    section: str
    key: str = ""
    """Record, or empty for the section."""
    field: str = ""
    baseline: BaselineKind
    reason: str


class HostDrift(msgspec.Struct, frozen=True, kw_only=True):
    """One host against its baselines."""

    host: str
    groups: tuple[str, ...] = ()
    at: str | None = None
    """When the compared snapshot was collected; None where there is none."""
    previous: str | None = None
    """When the one before it was collected."""
    differences: tuple[Difference, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader has to know beside: no earlier snapshot, another way of asking, no peers."""


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `auditor diff` prints."""

    schema_version: int = DRIFT_SCHEMA_VERSION
    hosts: tuple[HostDrift, ...]
    baselines: tuple[BaselineKind, ...] = BASELINE_KINDS
    """Baselines that were looked at."""


class Explanation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Why differences are expected: an own remediation, a maintenance window, an accepted change. Everything stated must fit."""

    id: str
    kind: ExplanationKind
    reason: str
    by: str = ""
    hosts: tuple[str, ...] = ()
    """Names and groups, globs allowed; empty is every host."""
    from_: str | None = None
    """Start, ISO 8601 in UTC; the change may have happened after it."""
    until: str | None = None
    """End; a date includes its day. For an accepted change: when the acceptance ends."""
    sections: tuple[str, ...] = ()
    key: str | None = None
    """Glob over the record's key."""
    field: str | None = None
    """Glob over the field's name."""
    value: str | None = None
    """Glob over the new value as text."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A host's state that a person froze as what it should look like."""

    host: str
    collected_at: str
    """Which snapshot."""
    at: str
    """When it was accepted."""
    by: str = ""
    reason: str = ""


LifeState = Literal["open", "back", "fixed", "waived", "unchecked"]
"""`back`: open again after it was fixed. `unchecked`: was open, and the last run did not look at it or could not decide."""


class FindingLife(msgspec.Struct, frozen=True, kw_only=True):
    """When a finding was seen, over all runs."""

    id: str
    rule: str
    title: str
    severity: Severity
    hosts: tuple[str, ...]
    state: LifeState
    first_seen: str
    """Start of the first run that reported it, ISO 8601 in UTC."""
    last_seen: str
    """Start of the last run that reported it."""
    fixed_at: str | None = None
    """Start of the run that first found it gone, the last time it went."""
    returned_at: str | None = None
    """Start of the run that found it again, the last time it came back."""
    times_back: int = 0
    runs: int = 1
    """How many runs reported it."""
    matrix: str = ""
    """Digest of the matrix that last reported it."""
    checked_at: str = ""
    """Start of the last run that was taken into account."""
