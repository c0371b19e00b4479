"""What remediation is handed: how hosts are read again, how playbooks are run, the clock, the person. Types only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from auditor.model.finding import Report
from auditor.model.plan import Applicant, RemediationRecord, Wave
from auditor.model.remedy import RunRequest, RunResult, TaskEvent
from auditor.playbooks import Foundation
from auditor.store import Store


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts read again, and the rules decided on the whole fleet with them."""

    run: str
    report: Report
    digests: dict[str, str]
    """Host -> digest of its records; a host that gave none is left out."""


class Reader(Protocol):
    """Audits these hosts again, stores what they say, and decides the rules over them and the stored rest. May raise AuditorError."""

    def __call__(self, hosts: Sequence[str]) -> Reading:
        """Hosts that can't be reached are part of the reading, as not seen."""
        ...


class Runner(Protocol):
    """Runs a playbook. May raise AuditorError where it can't be begun; what `on_event` raises stops it."""

    def __call__(self, request: RunRequest, on_event: Callable[[TaskEvent], None]) -> RunResult:
        """A run that fails is a result."""
        ...


class Playing(msgspec.Struct, frozen=True, kw_only=True):
    """What playing a plan needs, in check mode or for real."""

    run: Runner
    now: Callable[[], datetime]
    tell: Callable[[str], None]
    """Progress in words."""
    grounds: Callable[[str], Foundation]
    """Remedy -> what a run of it would rest on now."""
    secrets: Mapping[tuple[str, str], str] = {}
    """(host or `*`, variable) -> secret."""


class Tools(Playing, frozen=True, kw_only=True):
    """Everything that touches the world."""

    store: Store
    read: Reader
    ask: Callable[[Wave], bool]
    """Whether a person lets the wave begin."""
    changed_since: Callable[[str, str], tuple[str, ...]]
    """(host, digest of an earlier snapshot) -> what differs now in what stays, as drift sees it."""
    ended: Callable[[RemediationRecord], bool]
    """Whether the process of an application is known to have ended."""
    by: Applicant


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an application may do."""

    max_age_seconds: float = 24 * 3600.0
    """How old the plan's evidence may be."""
    max_failures: int = 0
    """So many hosts may fail before it stops."""
    deadline_seconds: float = 3600.0
    """Time for one playbook over one wave."""
    lease_seconds: float = 600.0
    """So long a host stays held without a sign of the application."""
