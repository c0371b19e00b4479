"""Changes that are only thought of, and what a pre-check says of them.

Rules of this file:
1. A change says what would be done to a host; what it does not say (a group, a version) is not known, never taken for none.
2. Of the four answers the first that holds is given: no-go, unknown, go with conditions, go.
3. Evidence of what a change brings has the section `change`: it stands in no stored snapshot.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import msgspec

from auditor.model.finding import Evidence, Finding, ProductRole, Waived
from auditor.model.grade import Confidence
from auditor.model.host import DriverRecord
from auditor.model.selector import Generation

PRECHECK_SCHEMA_VERSION = 1
IMPACT_SCHEMA_VERSION = 1
CHANGE_SECTION = "change"

ChangeKind = Literal["remove", "os_upgrade", "upgrade", "install", "update", "driver"]
CHANGE_KINDS: tuple[ChangeKind, ...] = get_args(ChangeKind)
"""In the order in which the command line applies them."""
Answer = Literal["no-go", "unknown", "go with conditions", "go"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
"""Worst first."""


PrerequisiteKind = Literal[
    "disk",
    "memory",
    "restart",
    "remove_first",
    "order",
    "architecture",
    "presence",
    "files",
    "exclusions",
    "protection",
    "evidence",
    "afterwards",
]
"""`afterwards`: nothing to be met before, but to be done once the change is made."""


class DriverFile(msgspec.Struct, frozen=True, kw_only=True):
    """A driver as its file says: what would be put onto a host."""

    file: str
    """The file as the user named it."""
    record: DriverRecord
    """Name from the file's name; version, link time, machine, hash and company from its bytes."""
    filter: bool | None = None
    """Whether it calls the filter manager, so that it is a minifilter; None where its imports can't be read."""
    signed: bool = False
    """Whether it carries a signature; that it is valid is not checked."""
    altitudes: tuple[str, ...] = ()
    """Altitudes that the matrix' tables say were given to a driver of this name."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that would be done to a host."""

    kind: ChangeKind
    said: str
    """As the user wrote it, for the chain of evidence."""
    product: str | None = None
    """Signature id: install, upgrade, remove."""
    version: str | None = None
    """None: not stated."""
    role: ProductRole | None = None
    parent: str | None = None
    """Name of the manager; an empty text is none, None is not stated."""
    group: str | None = None
    """Group of the product; an empty text is none, None is not stated."""
    parts: Mapping[str, bool] = {}
    """Optional parts of an installation that were chosen or left out, by name."""
    generation: Generation | None = None
    """os_upgrade: to which Windows."""
    build: str | None = None
    """os_upgrade: full build `major.minor.build.revision`, where stated."""
    update: str | None = None
    """update: the KB number of an update of Windows, such as KB4493472."""
    driver: DriverFile | None = None


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts that are changed together, each by all the changes in order."""

    name: str
    hosts: tuple[str, ...]
    """Targets, sorted."""
    changes: tuple[Change, ...]


class Prerequisite(msgspec.Struct, frozen=True, kw_only=True):
    """Something that has to be so before a change is made."""

    kind: PrerequisiteKind
    text: str
    """What it is, and what to do."""
    met: bool | None
    """None: not known; counts as not met."""
    evidence: tuple[Evidence, ...] = ()
    source: str = ""
    """Address of the page that says so."""


class Vouched(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of a product on the host's Windows, or beside another product of the host."""

    product: str
    """Signature id."""
    version: str | None = None
    on: str | None = None
    """Generation of Windows; exactly one of `on` and `beside` is given."""
    beside: str | None = None
    """Signature id of the other product."""
    says: Literal["supported", "unsupported", "conflicts", "unknown"]
    """`unknown`: nobody says anything of the product on this Windows."""
    only: str | None = None
    """Range of versions that is meant, where the product's version is not known."""
    note: str = ""
    confidence: Confidence | None = None
    source: str = ""


class Dependent(msgspec.Struct, frozen=True, kw_only=True):
    """A host (or a name that is none of ours) that depends on another."""

    node: str
    """`host:NAME` or `name:TEXT`."""
    why: str
    """The tie in a few words."""
    kind: str
    """Kind of the tie: copies-to, manages, updates, logs-on-to, serves, same-group."""
    claimant: str


class Radius(msgspec.Struct, frozen=True, kw_only=True):
    """Who feels it when a host is changed or fails."""

    clients: tuple[Dependent, ...] = ()
    """Hosts whose products it manages, or that it serves with names, addresses or time."""
    copies: tuple[Dependent, ...] = ()
    """Hosts that copy to it or from it."""
    peers: tuple[Dependent, ...] = ()
    """Hosts of its product groups, and hosts that log on to it."""
    others: int = 0
    """How many more there are than are listed."""


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """A finding and what the change does about it."""

    finding: Finding
    how: Literal["added", "worsened", "cured", "open"]
    """`worsened`: it was there before, and what the change brings is part of it. `open`: can't be decided, and the change bears on it."""
    brought: tuple[str, ...] = ()
    """Records of the evidence that the change brings, as `host: section: record`."""


class HostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of one host in one wave."""

    host: str
    wave: str
    answer: Answer
    changes: tuple[str, ...]
    """The changes as they were said."""
    added: tuple[Delta, ...] = ()
    """Violations that the change adds or worsens, worst first."""
    open: tuple[Delta, ...] = ()
    """What can't be decided and bears on the answer, worst first."""
    cured: tuple[Delta, ...] = ()
    """Violations that are gone with it."""
    waived: tuple[Waived, ...] = ()
    """What it adds or leaves open and somebody accepts; it has no part in the answer."""
    prerequisites: tuple[Prerequisite, ...] = ()
    vouched: tuple[Vouched, ...] = ()
    """What sources say of the products that the change brings, on this Windows and beside what is there."""
    radius: Radius = Radius()
    decided: int = 0
    """How many rules were decided on this host after the change."""
    undecided_before: int = 0
    """How many could not be decided before and can't after, without the change bearing on them."""
    lesser_open: int = 0
    """How many of lower severity can not be decided and the change bears on: they are no reason to say no."""
    collected_at: str | None = None
    age_hours: float | None = None
    """How old the evidence of this host is."""
    applied: tuple[Evidence, ...] = ()
    """What the change brings or takes, record by record."""


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """What a wave does to hosts that it does not change."""

    wave: str
    deltas: tuple[Delta, ...]


class Precheck(msgspec.Struct, frozen=True, kw_only=True):
    """The whole pre-check."""

    schema_version: int = PRECHECK_SCHEMA_VERSION
    at: str
    """When it was asked, ISO 8601 in UTC."""
    auditor: str
    matrix_digest: str
    rules: int
    answer: Answer
    """The worst of all hosts and waves."""
    hosts: tuple[HostAnswer, ...]
    """In the order of waves, then by name."""
    elsewhere: tuple[Elsewhere, ...] = ()
    stale: tuple[str, ...] = ()
    """Hosts whose evidence is older than allowed: they count as not seen."""
    oldest: str | None = None
    """Oldest evidence that was used, ISO 8601 in UTC."""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a path: the far end depends on the near one."""

    near: str
    far: str
    kind: str
    text: str
    """The tie in a few words."""
    claimant: str


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """A node that depends on the asked one, with the shortest path that explains it."""

    node: str
    distance: int
    path: tuple[Hop, ...]


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What depends on a host, a product or a driver."""

    schema_version: int = IMPACT_SCHEMA_VERSION
    subject: str
    kind: Literal["host", "product", "driver"]
    holders: tuple[Evidence, ...]
    """Hosts that have it, each with its best evidence; for a host the host itself, without evidence."""
    unsure: tuple[str, ...] = ()
    """Hosts that may have it: `host: section: reason`."""
    local: tuple[Evidence, ...] = ()
    """What on the hosts themselves needs a driver: products that it belongs to, services that depend on it."""
    reached: tuple[Reach, ...]
    """By distance, then by name."""
    cycles: tuple[tuple[str, ...], ...] = ()
    """Cycles of copy jobs through it: hosts in order, each copies to the next, the last to the first."""
    in_doubt: tuple[str, ...] = ()
    """What was not seen that could add ties."""
