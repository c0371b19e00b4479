"""The plan of a remediation: what is done on which host in which order, on what evidence, and what takes it back. Types only.

A plan is a YAML file that a person reads and approves. It is bound by the SHA-256 of its bytes: `apply` takes that digest. It holds no
secret, only the names of those that a run needs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.model.grade import Confidence, Severity
from auditor.model.remedy import RestartNeed, RollbackKind, Way

PLAN_SCHEMA_VERSION = 1
Origin = Literal["operator", "rule", "finding", "default"]
"""Where a value comes from: a person, the rule's own words, the evidence of the finding, the playbook's default."""


class PlanFinding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that the plan is to cure."""

    id: str
    rule: str
    title: str
    severity: Severity
    confidence: Confidence
    hosts: tuple[str, ...]


class PlanValue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that a host's run gets. Data, wherever it comes from."""

    name: str
    value: str | int | bool | tuple[str, ...]
    origin: Origin


class PlanEvidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The snapshot of a host that the plan rests on."""

    collected_at: str
    digest: str
    """SHA-256 over the snapshot's records."""


class PlanStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step on one host."""

    id: str
    title: str
    way: Way
    changes: str = ""
    restart: RestartNeed = "never"
    rollback: RollbackKind | None = None
    rollback_how: str = ""
    by_hand: str = ""
    """What a person does; given where the step is left to one."""


class PlanHost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done on one host."""

    host: str
    way: Way
    why: str
    """Why this way."""
    findings: tuple[str, ...]
    values: tuple[PlanValue, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names of secret variables that the run needs or takes."""
    missing: tuple[str, ...] = ()
    """Required variables that nobody has set: `name: meaning`. A plan with any can't be applied."""
    evidence: PlanEvidence
    steps: tuple[PlanStep, ...]


class PlanAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One playbook over some hosts."""

    remedy: str
    title: str
    playbook: str
    """SHA-256 over the play and all that it may include."""
    ansible_core: str
    collections: dict[str, str]
    preconditions: tuple[str, ...]
    expected: tuple[str, ...]
    verification: tuple[str, ...]
    rollback: RollbackKind
    rollback_how: str
    restart: RestartNeed
    hosts: tuple[PlanHost, ...]


class WaveItem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One host's turn with one remedy."""

    remedy: str
    host: str


class Wave(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Hosts that are done at once; the fleet is read again before the next."""

    number: int
    why: str
    items: tuple[WaveItem, ...]


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the plan may be applied, ISO 8601 with Z."""

    start: str
    end: str


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan as it is written and approved."""

    schema_version: int = PLAN_SCHEMA_VERSION
    made_at: str
    made_by: str
    auditor: str
    matrix_digest: str
    run: str
    """The stored run whose report the findings are from."""
    findings: tuple[PlanFinding, ...]
    actions: tuple[PlanAction, ...]
    waves: tuple[Wave, ...]
    hosts: int
    """How many hosts are changed: what `--expect-hosts` must say."""
    others: tuple[str, ...] = ()
    """Further hosts of the findings: read before and after, never changed."""
    window: Window | None = None
    restart_allowed: bool = False
    by_hand: tuple[str, ...] = ()
    """What is left to a person, in order."""
    undetermined: tuple[str, ...] = ()
    """What was not known when the plan was made."""


VerdictKind = Literal["fixed", "still_there", "got_worse", "not_checked"]


class FindingVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a finding, by reading again."""

    finding: str
    verdict: VerdictKind
    reason: str = ""


RunState = Literal["running", "finished", "held", "interrupted", "refused"]


class WaveRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a wave."""

    number: int
    state: Literal["begun", "done", "failed"]
    outcomes: dict[str, str] = {}
    """`remedy host` -> outcome of the play."""
    notes: dict[str, tuple[str, ...]] = {}
    rolled_back: dict[str, str] = {}
    """`remedy host` -> what came of the automatic rollback."""
    before: dict[str, str] = {}
    """Host -> digest of the snapshot before."""
    after: dict[str, str] = {}


class RemediationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One application of a plan, as the store keeps it; written before each thing is done."""

    id: str
    plan_digest: str
    plan: Plan
    who: str
    """Account and machine of who applied it."""
    started_at: str
    ended_at: str | None = None
    state: RunState = "running"
    reason: str = ""
    waves: tuple[WaveRecord, ...] = ()
    verdicts: tuple[FindingVerdict, ...] = ()
    lease_until: str = ""
    """Until when it counts as alive without a sign."""
