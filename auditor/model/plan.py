"""The plan of a remediation: what is done on which host in which order, on what evidence, and what takes it back. Types only.

A plan is a YAML file that a person reads and approves. It is bound by the SHA-256 of its bytes: `apply` takes that digest. It holds no
secret, only the names of those that a run needs.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.model.grade import Confidence, Severity
from auditor.model.remedy import Expected, HostReport, RestartNeed, RollbackKind, TaskEvent, Value, Way

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
    value: Value
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
    """Findings that ask for it; empty where a person ordered it."""
    values: tuple[PlanValue, ...] = ()
    secrets: tuple[str, ...] = ()
    """Names of secret variables that the run takes; their values are never in a plan."""
    required_secrets: tuple[str, ...] = ()
    """Those of them that it needs."""
    missing: tuple[str, ...] = ()
    """Required variables that nobody has set: `name: meaning`. A plan with any can't be applied."""
    evidence: PlanEvidence
    steps: tuple[PlanStep, ...]
    expected: tuple[Expected, ...] = ()
    """Differences that reading again must show."""


class PlanAction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One playbook over some hosts."""

    remedy: str
    title: str
    playbook: str
    """SHA-256 over the play and all that it may include."""
    ansible_core: str
    collections: dict[str, str]
    preconditions: tuple[str, ...]
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


def missing_values(plan: Plan) -> list[str]:
    """`HOST: NAME: MEANING` of every required value that nobody has set."""
    return [f"{host.host}: {text}" for action in plan.actions for host in action.hosts for text in host.missing]


VerdictKind = Literal["fixed", "still_there", "got_worse", "not_checked"]


class FindingVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a finding, by reading again."""

    finding: str
    """Id; of an order without a finding `remedy host`."""
    verdict: VerdictKind
    reason: str = ""


ApplicationState = Literal["running", "finished", "held", "interrupted", "refused"]
"""`held`: stopped before its end, by itself or by a person. `interrupted`: it ended without a word. `refused`: nothing was changed."""


class WaveRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a wave. It is written as begun before anything is run."""

    number: int
    state: Literal["begun", "done", "failed"]
    items: tuple[WaveItem, ...]
    """What was begun; the wave's other hosts were done before, or did not need it any more."""
    reports: dict[str, HostReport] = {}
    """`remedy host` -> what the play told at its end."""
    failed: dict[str, str] = {}
    """`remedy host` -> why it failed."""
    rolled_back: dict[str, str] = {}
    """`remedy host` -> what came of its rollback, or what a person has to do."""
    before: dict[str, str] = {}
    """Host -> digest of its records before."""
    after: dict[str, str] = {}
    verdicts: tuple[FindingVerdict, ...] = ()
    run_before: str = ""
    """Stored run of the reading before."""
    run_after: str = ""


class Applicant(msgspec.Struct, frozen=True, kw_only=True):
    """Who applies a plan, and the process that does it."""

    who: str
    """Account and machine."""
    machine: str = ""
    process: str = ""
    """Number of the process and when it began, so that its end is seen on that machine."""


class RemediationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One application of a plan, as the store keeps it; written before each thing is done."""

    schema_version: int = PLAN_SCHEMA_VERSION
    id: str
    plan_digest: str
    plan: Plan
    by: Applicant
    started_at: str
    ended_at: str | None = None
    state: ApplicationState = "running"
    reason: str = ""
    continues: str | None = None
    """Id of the earlier application of the same plan whose remaining hosts this one goes on with."""
    waves: tuple[WaveRecord, ...] = ()
    verdicts: tuple[FindingVerdict, ...] = ()
    by_hand: tuple[str, ...] = ()
    """What is left to a person."""
    notes: tuple[str, ...] = ()
    lease_until: str = ""
    """Until when it counts as alive without a sign."""


class RemediationDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `remediate apply` and `remediate show` print: a record with its events."""

    schema_version: int = PLAN_SCHEMA_VERSION
    record: RemediationRecord
    events: tuple[TaskEvent, ...] = ()


class CheckedStep(msgspec.Struct, frozen=True, kw_only=True):
    """What check mode told of a step on a host."""

    id: str
    title: str
    way: Way
    played: bool = False
    """Whether any of its tasks came to its end, or was left out on purpose."""
    would_change: bool = False
    changes: str = ""
    """What it changes, in the playbook's words."""
    tasks: tuple[TaskEvent, ...] = ()
    """Those that would change something, failed, or said something."""
    by_hand: str = ""


class CheckedHost(msgspec.Struct, frozen=True, kw_only=True):
    """What check mode told of a host."""

    remedy: str
    host: str
    way: Way
    outcome: str
    """As the play reports it; `failed` where it did not get so far."""
    reason: str = ""
    notes: tuple[str, ...] = ()
    would_change: int = 0
    """How many tasks would change something, by Ansible's own count."""
    steps: tuple[CheckedStep, ...] = ()


class CheckDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `remediate check` prints. Nothing was changed."""

    schema_version: int = PLAN_SCHEMA_VERSION
    plan_digest: str
    at: str
    hosts: tuple[CheckedHost, ...]
    by_hand: tuple[str, ...] = ()
