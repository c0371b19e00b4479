"""The joins of an audit: inventory -> hosts -> store, and store -> fleet -> rules -> report. Thin on purpose; decides nothing by itself.

What is evaluated is what the store holds: a finding can be made again from the store at any time, without asking a host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from auditor import __version__
from auditor.model.errors import AuditorError, Problem, UsageError
from auditor.model.finding import Report, Run
from auditor.model.host import HostResult, Target
from auditor.model.rule import Matrix
from auditor.model.times import stamp
from auditor.probes.bundle import SCRIPTED_SECTIONS, ProbeRequest
from auditor.report.coverage import host_coverage, refused_coverage

if TYPE_CHECKING:
    from auditor.analysis.fleet.fleet import Fleet
    from auditor.collect.fleet import Limits
    from auditor.inventory import Inventory
    from auditor.store import Store

Clock = Callable[[], datetime]
Tell = Callable[[HostResult], None]
Asked = tuple[Target, HostResult]


def request_for(
    matrix: Matrix,
    *,
    sections: Sequence[str] = (),
    event_days: int = 30,
    hash_drivers: Literal["none", "non_microsoft", "all"] = "none",
    fragmentation: bool = False,
) -> ProbeRequest:
    """What to ask, so that this matrix can be decided."""
    from auditor.matrix import requested_event_sources, requested_keys, requested_logs

    keys, files = requested_keys(matrix.signatures, matrix.rules, matrix.lists)
    return ProbeRequest(
        sections=(*(sections or SCRIPTED_SECTIONS), *(("fragmentation",) if fragmentation else ())),
        security_keys=keys,
        security_files=files,
        event_days=event_days,
        event_sources=requested_event_sources(matrix.rules),
        intrusion_logs=requested_logs(matrix.signatures),
        hash_drivers=hash_drivers,
    )


def collect_into_store(
    store: Store,
    run: str,
    inventory: Inventory,
    request: ProbeRequest,
    *,
    limits: Limits,
    now: Clock,
    stop: threading.Event,
    tell: Tell,
    allow_unverified: bool = False,
    allow_credssp: bool = False,
    use_proxy: bool = False,
    record: Path | None = None,
) -> None:
    """Asks every target and commits each host's result when it is there. Raises StoreError; a host's failure is its result.

    `record` is a folder that gets each exchange without secrets.
    """
    from auditor.collect.fleet import collect_fleet
    from auditor.collect.recording import write_recording
    from auditor.inventory import resolve_credentials

    targets = {target.name: target for target in inventory.targets}
    if not targets:
        raise UsageError("there is no target to ask", next_step="Look at the inventory with `auditor inventory`.")
    failed: list[AuditorError] = []

    def keep(results: list[HostResult]) -> None:
        try:
            store.save_results(run, [(targets[result.host], result) for result in results])
        except AuditorError as error:
            failed.append(error)
            stop.set()
        for result in results:
            tell(result)

    collect_fleet(
        inventory.targets,
        resolve_credentials(inventory, list(targets)),
        request,
        limits=limits,
        now=now,
        on_results=keep,
        allow_unverified=allow_unverified,
        allow_credssp=allow_credssp,
        use_proxy=use_proxy,
        stop=stop,
        record=partial(write_recording, record) if record else None,
    )
    if failed:
        raise failed[0]


def ask_again(
    inventory: Inventory,
    request: ProbeRequest,
    *,
    limits: Limits,
    now: Clock,
    stop: threading.Event,
    allow_unverified: bool = False,
    allow_credssp: bool = False,
    use_proxy: bool = False,
) -> HostResult:
    """The only target of an inventory, asked once more for parts of what it was asked before. Whoever asks keeps the result."""
    from auditor.collect.fleet import collect_fleet
    from auditor.inventory import resolve_credentials

    (target,) = inventory.targets
    (result,) = collect_fleet(
        [target],
        resolve_credentials(inventory, [target.name]),
        request,
        limits=limits,
        now=now,
        stop=stop,
        allow_unverified=allow_unverified,
        allow_credssp=allow_credssp,
        use_proxy=use_proxy,
    )
    return result


def results_in_order(store: Store, run: str, inventory: Inventory) -> list[Asked]:
    """The results of a run in the inventory's order, whichever host answered first."""
    stored = {host.target.name: (host.target, host.result) for host in store.results_of(run)}
    return [stored[target.name] for target in inventory.targets if target.name in stored]


def check(
    asked: Sequence[Asked], matrix: Matrix, run: Run, refused: Iterable[Problem] = (), made: Callable[[Fleet], None] | None = None
) -> Report:
    """Evaluates the rules over what was collected. `refused` are inventory hosts that can't be asked; they count as not seen.

    `made` is told the fleet that was made of it.
    """
    from auditor.analysis.fleet.fleet import build_fleet
    from auditor.analysis.rules.evaluate import evaluate_rules
    from auditor.analysis.rules.ruleset import RuleSet

    snapshots = {target.name: result.snapshot for target, result in asked if result.snapshot is not None}
    reasons = {target.name: result.reason for target, result in asked if result.snapshot is None}
    fleet = build_fleet(snapshots, [target for target, _ in asked], matrix, reasons)
    if made is not None:
        made(fleet)
    evaluation = evaluate_rules(fleet, RuleSet(matrix, today=run.started_at[:10]))
    return Report(
        run=run,
        coverage=(*(host_coverage(result) for _, result in asked), *map(refused_coverage, refused)),
        findings=evaluation.findings,
        undetermined=evaluation.undetermined,
        products=tuple(product for products in fleet.products.values() for product in products),
        edges=fleet.graph.edges,
        unresolved=fleet.graph.unresolved,
        satisfied=evaluation.satisfied,
    )


def run_of(run_id: str, started_at: str, matrix: Matrix) -> Run:
    """The run as its report names it."""
    return Run(id=run_id, started_at=started_at, auditor=__version__, matrix_digest=matrix.digest, rules=len(matrix.rules))


def timestamp(now: Clock) -> str:
    """The time now as ISO 8601 in UTC, to the second."""
    return stamp(now())


def never_collected(target: Target) -> Asked:
    """A target of which the store holds nothing."""
    step = f"Run `auditor collect --limit {target.name}`."
    return target, HostResult(host=target.name, status="not_asked", reason="never collected into this store", next_step=step)
