"""One audit of the watch: inventory and matrix read afresh, hosts asked, rules evaluated, all of it in the store. A join, no more."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from auditor.analysis.host.asked import asked_index
from auditor.analysis.observing.coverage import Needed
from auditor.model.errors import UsageError
from auditor.model.finding import Report
from auditor.model.host import HostResult
from auditor.probes.question import question_of

if TYPE_CHECKING:
    from auditor.inventory import Inventory
    from auditor.model.rule import Matrix
    from auditor.probes.bundle import ProbeRequest
    from auditor.store import Store

_ANY_PROVIDER_OF = "application"
"""The log of which the probe reads all events of providers that are named to it."""


class AuditPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What every round audits, and how."""

    inventory: tuple[Path, ...]
    limit: str | None = None
    trust_inventory: bool = False
    vault_password_files: tuple[Path, ...] = ()
    matrix: tuple[Path, ...]
    """All folders, the shipped one too."""
    host_deadline_seconds: float = 180.0
    parallel: int = 64
    event_days: int = 30
    hash_drivers: Literal["none", "non_microsoft", "all"] = "none"
    fragmentation: bool = False
    allow_unverified: bool = False
    allow_credssp: bool = False
    use_proxy: bool = False


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an audit."""

    run: str
    report: Report
    results: tuple[HostResult, ...]
    interrupted: bool = False
    """Whether it was stopped before its end: then what is missing says nothing."""


class Auditing(Protocol):
    """Something that audits the fleet once. May raise AuditorError; what was collected is in the store all the same."""

    def __call__(self, store: Store, needed: Iterable[Needed], stop: threading.Event) -> Audited:
        """`needed` are events that have to be asked for beyond what the rules need."""
        ...


def audit_fleet(
    store: Store,
    needed: Iterable[Needed],
    stop: threading.Event,
    *,
    plan: AuditPlan,
    now: Callable[[], datetime],
    tell: Callable[[HostResult], None],
) -> Audited:
    """Audits the fleet of a plan over WinRM. Raises AuditorError."""
    from auditor import __version__
    from auditor.audit import check, results_in_order, run_of, timestamp
    from auditor.inventory import load_inventory
    from auditor.matrix import load_matrix

    matrix = load_matrix(plan.matrix)
    vault = plan.vault_password_files
    inventory = load_inventory(plan.inventory, limit=plan.limit, trust=plan.trust_inventory, vault_password_files=vault)
    if not inventory.targets:
        raise UsageError("the inventory has no target to ask", next_step="Look at it with `auditor inventory`.")
    started = timestamp(now)
    run = store.begin_run("audit", started, __version__)
    try:
        _collect(store, run, inventory, matrix, plan, needed, stop, now, tell)
    except BaseException:
        store.finish_run(run, state="interrupted")
        raise
    hosts = results_in_order(store, run, inventory)
    report = check(hosts, matrix, run_of(run, started, matrix), inventory.refused)
    stopped = stop.is_set()
    rules = {rule.id for rule in matrix.rules}
    store.finish_run(run, report, state="interrupted" if stopped else "finished", rules=rules)
    return Audited(run=run, report=report, results=tuple(result for _, result in hosts), interrupted=stopped)


def _collect(
    store: Store,
    run: str,
    inventory: Inventory,
    matrix: Matrix,
    plan: AuditPlan,
    needed: Iterable[Needed],
    stop: threading.Event,
    now: Callable[[], datetime],
    tell: Callable[[HostResult], None],
) -> None:
    from auditor.audit import collect_into_store, request_for
    from auditor.collect.fleet import Limits

    request = request_for(matrix, event_days=plan.event_days, hash_drivers=plan.hash_drivers, fragmentation=plan.fragmentation)
    collect_into_store(
        store,
        run,
        inventory,
        with_events(request, needed),
        limits=Limits(host_deadline_seconds=plan.host_deadline_seconds, parallel=plan.parallel),
        now=now,
        stop=stop,
        tell=tell,
        allow_unverified=plan.allow_unverified,
        allow_credssp=plan.allow_credssp,
        use_proxy=plan.use_proxy,
    )


def with_events(request: ProbeRequest, needed: Iterable[Needed]) -> ProbeRequest:
    """The request that also asks for these events, as far as it can."""
    more = {item.source for item in needed if not _asked(request, item) and item.log.casefold() == _ANY_PROVIDER_OF}
    return msgspec.structs.replace(request, event_sources=tuple(sorted({*request.event_sources, *more}))) if more else request


def not_askable(request: ProbeRequest, needed: Collection[Needed]) -> list[Needed]:
    """Events that no request of the watch would ask for: a case over them could never be decided."""
    whole = with_events(request, needed)
    return [item for item in needed if not _asked(whole, item)]


def _asked(request: ProbeRequest, item: Needed) -> bool:
    return asked_index(question_of(request)).events((item.id,), item.log, item.source)
