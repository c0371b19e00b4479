"""`auditor audit`, `collect` and `check`: asking hosts, evaluating rules, and both in one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from auditor.cli.asking import Asking, asked, asking_flags
from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.inventory import inventory_flags
from auditor.cli.outcome import coverage_and_findings, fail_on_flag
from auditor.cli.program import INTERRUPTED
from auditor.cli.report import renderings
from auditor.cli.say import Outputs, width
from auditor.cli.waiving import waivers_flag, with_waivers
from auditor.model.errors import UsageError
from auditor.model.finding import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditor.analysis.fleet.fleet import Fleet
    from auditor.model.host import Target
    from auditor.model.rule import Matrix
    from auditor.store import Store, StoredHost
    from auditor.store.shapes import RunState


@verb("audit", *asking_flags(), fail_on_flag(), waivers_flag())
def audit(every: Everywhere, fail_on: str, waivers: tuple[Path, ...], **asking: Any) -> int:
    """Ask the hosts of the inventory, evaluate the rules, report coverage and findings.

    With --lab no inventory is needed: a simulated fleet is started, audited over real WinRM, and stopped.
    """
    from auditor.audit import check as evaluate
    from auditor.audit import results_in_order, run_of
    from auditor.report import format_names

    outputs = Outputs.plan(every, format_names())
    with asked("audit", every, Asking(**asking)) as done:
        hosts = results_in_order(done.store, done.run, done.inventory)
        fleets: list[Fleet] = []
        report = evaluate(hosts, done.matrix, run_of(done.run, done.started, done.matrix), done.inventory.refused, fleets.append)
        report = with_waivers(report, waivers, done.inventory.targets, [rule.id for rule in done.matrix.rules])
        ended: RunState = "interrupted" if done.interrupted else "finished"
        done.store.finish_run(done.run, report, state=ended, rules=[rule.id for rule in done.matrix.rules])
        _keep(done.store, done.matrix, fleets, done.inventory.targets)
        where = done.store.where
    _show(outputs, report, every, where)
    return INTERRUPTED if done.interrupted else coverage_and_findings(report, fail_on)


@verb(
    "collect",
    *asking_flags(),
    flag("--record", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Also keep each exchange, without secrets."),
)
def collect(every: Everywhere, **asking: Any) -> int:
    """Ask the hosts of the inventory and keep what they say in the store. Evaluates nothing; `auditor check` does."""
    from auditor.audit import results_in_order
    from auditor.report.coverage import host_coverage, refused_coverage
    from auditor.report.json_ import json_text
    from auditor.report.table import coverage_table
    from auditor.report.wording import seen_in_full

    outputs = Outputs.plan(every, ("table", "json"))
    with asked("collect", every, Asking(**asking)) as done:
        done.store.finish_run(done.run, state="interrupted" if done.interrupted else "finished")
        coverage = tuple(host_coverage(result) for _, result in results_in_order(done.store, done.run, done.inventory))
        coverage += tuple(map(refused_coverage, done.inventory.refused))
        where = done.store.where
    document = {"schema_version": 1, "run": done.run, "store": where, "coverage": coverage}
    outputs.emit({"table": lambda: coverage_table(coverage, width()) + "\n", "json": lambda: json_text(document)})
    outputs.say_files()
    outputs.say(f"Run {done.run} is in the store {where}")
    return INTERRUPTED if done.interrupted else 0 if all(map(seen_in_full, coverage)) else 3


@verb("check", *inventory_flags(), fail_on_flag(), waivers_flag())
def check(every: Everywhere, fail_on: str, waivers: tuple[Path, ...], trust_inventory: bool, vault_password_file: tuple[Path, ...]) -> int:
    """Evaluate the rules over the last result of each host in the store. Asks no host.

    With -i the inventory says which hosts and groups there are; hosts that were never collected count as not seen. Without it, the
    hosts of the store are taken with their groups of then, and --limit takes names, groups and * patterns.
    """
    from datetime import UTC, datetime

    from auditor import __version__
    from auditor.audit import check as evaluate
    from auditor.audit import never_collected, run_of, timestamp
    from auditor.cli.matrix import load
    from auditor.inventory import load_inventory
    from auditor.report import format_names
    from auditor.store import default_path, open_store

    outputs = Outputs.plan(every, format_names())
    matrix = load(every)
    refused: tuple[Any, ...] = ()
    with open_store(every.store or default_path(), create=False) as store:
        if every.inventory:
            inventory = load_inventory(every.inventory, limit=every.limit, trust=trust_inventory, vault_password_files=vault_password_file)
            stored = {host.target.name: host for host in store.latest_results([target.name for target in inventory.targets])}
            hosts = [(t, stored[t.name].result) if t.name in stored else never_collected(t) for t in inventory.targets]
            refused = inventory.refused
        else:
            stored = {host.target.name: host for host in _limited(store, every.limit)}
            hosts = [(host.target, host.result) for host in stored.values()]
        started = timestamp(lambda: datetime.now(UTC))
        run = store.begin_run("check", started, __version__)
        fleets: list[Fleet] = []
        report = evaluate(hosts, matrix, run_of(run, started, matrix), refused, fleets.append)
        report = with_waivers(report, waivers, [target for target, _ in hosts], [rule.id for rule in matrix.rules])
        store.link_results(run, list(stored.values()))
        store.finish_run(run, report, rules=[rule.id for rule in matrix.rules])
        _keep(store, matrix, fleets, [target for target, _ in hosts])
    _show(outputs, report, every, store.where)
    return coverage_and_findings(report, fail_on)


def _keep(store: Store, matrix: Matrix, fleets: Sequence[Fleet], targets: Sequence[Target]) -> None:
    """Keeps what was derived for the next pre-check."""
    from datetime import UTC, datetime

    from auditor.stored_fleet import keep_fleet

    for fleet in fleets:
        keep_fleet(store, matrix, fleet, targets, datetime.now(UTC))


def _limited(store: Store, limit: str | None) -> list[StoredHost]:
    """The last results of the store's hosts, those that a limit names. Raises UsageError where none is left."""
    from auditor.model.pattern import matches_any

    hosts = sorted(store.latest_results(), key=lambda host: host.target.name.casefold())
    if not hosts:
        raise UsageError("the store holds no results", next_step="Run `auditor collect` first, or name the store with --store.")
    if limit is None:
        return hosts
    words = [word for word in limit.replace(":", ",").split(",") if word]
    wanted = tuple(word for word in words if word[0] not in "!&")
    unwanted = tuple(word[1:] for word in words if word[0] == "!")
    if any(word[0] == "&" for word in words):
        raise UsageError("--limit with & needs the inventory", next_step="Name it with -i.")
    names = {host.target.name: (host.target.name, "all", *host.target.groups) for host in hosts}
    chosen = [
        host
        for host in hosts
        if (not wanted or any(matches_any(wanted, name) for name in names[host.target.name]))
        and not any(matches_any(unwanted, name) for name in names[host.target.name])
    ]
    if not chosen:
        raise UsageError(f"--limit {limit} names no host of the store", next_step="`auditor report --list` shows its runs.")
    return chosen


def _show(outputs: Outputs, report: Report, every: Everywhere, where: str) -> None:
    from auditor.store import default_path

    outputs.emit(renderings(report))
    outputs.say("")
    outputs.say_files()
    outputs.say(f"Run {report.run.id} is in the store {where}")
    if report.findings:
        named = f" --store {where}" if every.store or where != str(default_path()) else ""
        outputs.say(f"Evidence of a finding: auditor explain {report.findings[0].id}{named}")
