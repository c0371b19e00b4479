"""Products, edges, evidence, findings, coverage and the report: what the analysis says."""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

from auditor.model.grade import Confidence, Severity
from auditor.model.host import SCHEMA_VERSION, Status
from auditor.model.waiver import StaleWaiver

Verdict = Literal["violated", "satisfied", "undetermined", "not_applicable"]
EdgeKind = Literal["member-of", "manages", "updates", "copies-to", "logs-on-to", "serves", "depends-on"]
ProductRole = Literal["server", "managed_client", "unmanaged_client", "manager", "client", "unknown"]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A pointer to the record that a statement rests on."""

    host: str
    """Target whose snapshot holds it."""
    section: str
    record: str
    """Key of the record inside the section: its name, path or `path\\value`."""
    field: str = ""
    value: str = ""
    """The field's value as text; host-controlled, to be escaped by every report."""
    about: str = ""
    """What it supports: version, role, parent, ... of a product; empty where the record itself is the point."""
    confidence: Confidence | None = None
    """How sure it is that the record means this; None where nothing is interpreted."""
    source: str = ""
    """Address of the page that says so."""


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A recognised component of one host."""

    host: str
    id: str
    """Id of the signature, for example symantec-antivirus."""
    name: str
    vendor: str
    edition: str | None = None
    role: ProductRole = "unknown"
    version: str | None = None
    engine: str | None = None
    definitions: str | None = None
    """Date (ISO) or version of the definitions."""
    parent: str | None = None
    """Name of the managing server as the product states it."""
    group: str | None = None
    """Server or client group as the product states it."""
    active: bool | None = None
    """Whether real-time protection runs; None is not known."""
    remnant: bool = False
    """Leftovers of an uninstalled product."""
    confidence: Confidence = "probable"
    evidence: tuple[Evidence, ...] = ()
    """What it was recognised by and where each value stands; `about` of an evidence is presence, version, role, parent, ..."""
    unknown: tuple[str, ...] = ()
    """Fields that could not be decided because a section was not seen, for example role."""


class CopyEnd(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a copy job."""

    kind: Literal["local", "remote", "unresolved"]
    host: str | None = None
    """Host name as written, for remote ends."""
    share: str | None = None
    path: str | None = None


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A tie between two nodes of the fleet graph. Nodes are `host:NAME`, `name:TEXT` (unresolved) or `group:KIND:NAME`."""

    kind: EdgeKind
    source: str
    target: str
    claimant: str
    """Target whose snapshot states the edge."""
    evidence: tuple[Evidence, ...] = ()
    destructive: bool | None = None
    """Copies: whether files at the destination can be deleted or the source is moved."""
    writes_executables: bool | None = None
    """Copies: whether executables can be among what is written; None is not known."""
    hours: tuple[int, ...] | None = None
    """Local start hours (0 to 23) of the job, where known."""
    detail: str = ""
    """What serves (dns, dhcp, time), the share written to, or how often a logon was seen."""
    product: str | None = None
    """Signature id of the product that makes the tie: member-of, manages, updates."""
    share: str | None = None
    """Copies: the share that is written to or read from."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A role of a rule bound to a host."""

    role: str
    host: str


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that is violated on its subjects, or that could not be decided (`verdict` undetermined)."""

    id: str
    rule: str
    title: str
    verdict: Verdict
    severity: Severity
    confidence: Confidence
    subjects: tuple[Subject, ...]
    keys: tuple[str, ...] = ()
    """The rule's declared subject keys, for example the driver's name."""
    summary: str = ""
    """One sentence about these hosts, from the rule's subject text."""
    mechanism: str = ""
    effect: str = ""
    resolution: str = ""
    remedy: str | None = None
    references: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    """What would have to be known to decide, for undetermined findings: `host: section: reason`."""
    edges: tuple[Edge, ...] = ()


def finding_id(rule: str, subjects: tuple[Subject, ...], keys: tuple[str, ...]) -> str:
    """First 16 hex digits of SHA-256 over rule id, sorted role=host pairs and subject keys; nothing that changes by itself."""
    pairs = sorted(f"{s.role}={s.host}" for s in subjects)
    text = "\x1f".join([rule, *pairs, *(k.casefold() for k in keys)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class SectionCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """Status of one section in the report."""

    name: str
    status: Status
    reason: str = ""
    records: int = 0
    gaps: int = 0


class HostCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a host was seen."""

    host: str
    status: Status
    reason: str = ""
    next_step: str = ""
    collected_at: str | None = None
    transport: str = ""
    sections: tuple[SectionCoverage, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """Which run a report is of."""

    id: str
    started_at: str
    auditor: str
    """Program version."""
    matrix_digest: str
    rules: int
    """Rules evaluated."""


class Waived(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that somebody accepted for a time."""

    finding: Finding
    waiver: str
    """Id of the waiver."""
    reason: str
    owner: str
    until: str
    """Last day on which it holds, `YYYY-MM-DD`."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Coverage before findings; what could not be decided apart from what is wrong."""

    schema_version: int = SCHEMA_VERSION
    run: Run
    coverage: tuple[HostCoverage, ...]
    findings: tuple[Finding, ...]
    undetermined: tuple[Finding, ...]
    products: tuple[Product, ...] = ()
    edges: tuple[Edge, ...] = ()
    unresolved: tuple[str, ...] = ()
    """Names in evidence that could not be tied to one target, with the reason."""
    satisfied: int = 0
    """How many rule and host combinations were decided as satisfied."""
    waived: tuple[Waived, ...] = ()
    """Findings that somebody accepted; they are not among `findings`."""
    stale_waivers: tuple[StaleWaiver, ...] = ()
    """Waivers that do not hold any more, or for nothing."""
