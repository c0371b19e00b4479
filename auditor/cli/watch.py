"""`auditor watch`: audits over time, in the foreground by a cron expression or once for a timer. Owns its options and what it prints."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from auditor.cli.asking import Asking, asking_flags, require_source, sources_of
from auditor.cli.flags import Everywhere, flag, verb
from auditor.cli.interrupt import stopping
from auditor.cli.outcome import coverage_and_findings, fail_on_flag
from auditor.cli.program import INTERRUPTED, LazyGroup
from auditor.cli.say import Outputs
from auditor.cli.watch_runner import Running, runner_of, running_flags
from auditor.model.errors import UsageError

if TYPE_CHECKING:
    from auditor.model.host import HostResult
    from auditor.notify import Channel
    from auditor.watch.clockwork import Due
    from auditor.watch.journal import Journal
    from auditor.watch.round import Round, Watch

STANDARD_OUTPUT = "-"


class Watching(msgspec.Struct, frozen=True, kw_only=True):
    """Values of the options of the watch itself."""

    cron: str | None
    once: bool
    time_zone: str | None
    name: str
    notify: Path | None
    metrics: Path | None
    journal: str | None


def _flags() -> list[click.Parameter]:
    path = click.Path(path_type=Path)
    return [
        flag("--cron", metavar="EXPRESSION", help="Audit at these times, in the foreground: '0 3 * * *' is each day at three."),
        flag("--once", is_flag=True, help="One round, for a timer; with --cron only if one is due."),
        flag("--time-zone", metavar="NAME", help="Zone of --cron, for example Asia/Shanghai.  [default: this machine's]"),
        flag("--name", default="fleet", show_default=True, metavar="TEXT", help="What notices call this watch."),
        flag("--notify", type=path, metavar="FILE", help="TOML file of who is told: webhooks, mail, apprise."),
        flag("--metrics", type=path, metavar="FILE", help="Keep figures in this text file, for Prometheus."),
        flag("--journal", metavar="FILE|-", help="Append a log of JSON lines to this file; - is standard output."),
        *running_flags(),
        *asking_flags(),
        fail_on_flag(),
    ]


def _watch(every: Everywhere, fail_on: str, **values: Any) -> int:
    """Audit again and again, and tell only what is new or back: findings, hosts, observation cases.

    With --cron it stays in the foreground; missed times are made up for by one round. With --once it makes one round, for a timer of
    systemd. `auditor watch cases` observes whether a trouble comes back after its remedy. Nothing is changed on any host, unless with
    --run-contingencies a case that was opened with --run-contingency comes back.
    """
    options = Watching(**{name: values.pop(name) for name in Watching.__struct_fields__})
    running = Running(**{name: values.pop(name) for name in Running.__struct_fields__})
    asking = Asking(**values)
    if not options.once and options.cron is None:
        raise UsageError("say when: --cron or --once", next_step="For example --cron '0 3 * * *', or --once for a timer.")
    outputs = Outputs.plan(every, ("table", "json"))
    if outputs.printed == "json" and not options.once:
        raise UsageError("--format json is one document, so it goes with --once", next_step="A log of JSON lines is --journal -.")
    require_source(every, asking)
    with stopping("stopping; what was collected is kept") as stop, _ready(every, options, running, asking) as watch:
        done = _once(watch, options, stop) if options.once else _by_cron(watch, options, stop)
        if not options.once:
            return INTERRUPTED if done is not None and done.interrupted else 0
        return _outcome(done, None if options.journal == STANDARD_OUTPUT else outputs, fail_on)


@contextlib.contextmanager
def _ready(every: Everywhere, options: Watching, running: Running, asking: Asking) -> Iterator[Watch]:
    """The watch with everything that it needs. A broken setting is told before the first round."""
    from auditor.cli.matrix import folders, load
    from auditor.notify import deliver
    from auditor.watch.asking import AuditPlan, audit_fleet
    from auditor.watch.cases import refuse_runs
    from auditor.watch.changes import stored_changes
    from auditor.watch.dumps import stored_crashes
    from auditor.watch.round import Watch

    load(every)
    matrix = folders(every)
    channels = _channels(options)
    journal = _journal(options)
    with sources_of(every, asking) as (inventory, where):
        plan = AuditPlan(
            inventory=tuple(inventory),
            limit=every.limit,
            trust_inventory=asking.trust_inventory,
            vault_password_files=asking.vault_password_file,
            matrix=tuple(matrix),
            host_deadline_seconds=asking.host_deadline,
            parallel=asking.parallel,
            event_days=asking.event_days,
            hash_drivers=asking.hash_drivers,
            fragmentation=asking.fragmentation,
            allow_unverified=asking.allow_unverified_tls,
            allow_credssp=asking.allow_credssp,
            use_proxy=asking.use_proxy,
        )
        yield Watch(
            where=where,
            name=options.name,
            audit=functools.partial(audit_fleet, plan=plan, now=now, tell=functools.partial(_tell, journal)),
            now=now,
            journal=journal,
            channels=channels,
            deliver=deliver,
            changes=lambda store: functools.partial(stored_changes, store, matrix),
            runner=runner_of(msgspec.structs.replace(every, inventory=tuple(inventory), store=str(where)), running, asking) or refuse_runs,
            crashes=functools.partial(stored_crashes, folders=matrix),
            metrics=options.metrics,
        )


def now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def _channels(options: Watching) -> tuple[Channel, ...]:
    from auditor.notify import load_channels

    return load_channels(options.notify, os.environ) if options.notify else ()


def _journal(options: Watching) -> Journal:
    from auditor.watch.journal import Journal

    to_output = options.journal == STANDARD_OUTPUT
    file = Path(options.journal) if options.journal and not to_output else None
    return Journal(now, file=file, stream=sys.stdout if to_output else None)


def _tell(journal: Journal, result: HostResult) -> None:
    level = "info" if result.status in ("ok", "partial") else "warning"
    reason = result.reason or None
    journal.write("host_done", level, host=result.host, status=result.status, seconds=round(result.seconds, 3), reason=reason)  # type: ignore[arg-type]


def _once(watch: Watch, options: Watching, stop: threading.Event) -> Round | None:
    """One round; None where there is a schedule and nothing is due by it."""
    from auditor.store import open_store
    from auditor.watch.clockwork import parse, what_is_due
    from auditor.watch.memory import read_state
    from auditor.watch.round import run_round
    from auditor.watch.schedule import Schedule, zone_of

    if options.cron is None:
        return run_round(watch, stop)
    schedule = Schedule(options.cron, zone_of(options.time_zone, os.environ))
    moment = now()
    with open_store(watch.where) as store:
        last = parse(read_state(store).last_due)
    if last is None or last > moment:
        return run_round(watch, stop, due=moment, next_due=schedule.next_after(moment))
    due = what_is_due(schedule, last, moment)
    return run_round(watch, stop, due=due.at, missed=due.missed, next_due=schedule.next_after(moment)) if due else None


def _by_cron(watch: Watch, options: Watching, stop: threading.Event) -> Round | None:
    from auditor.watch.clockwork import Clocks, watch_over
    from auditor.watch.round import run_round
    from auditor.watch.schedule import Schedule, zone_of

    schedule = Schedule(options.cron or "", zone_of(options.time_zone, os.environ))

    def serve(due: Due, next_due: datetime) -> Round:
        done = run_round(watch, stop, due=due.at, missed=due.missed, next_due=next_due)
        if options.journal != STANDARD_OUTPUT:
            sys.stdout.write(_summary(done))
            sys.stdout.flush()
        return done

    if options.journal != STANDARD_OUTPUT:
        print(f"Watching; the next round is due {schedule.next_after(now()):%Y-%m-%d %H:%M} UTC.", file=sys.stderr, flush=True)
    return watch_over(schedule, Clocks(now, time.monotonic, stop.wait), watch.where, serve, stop, watch.journal)


def _summary(done: Round) -> str:
    """A round for people: one line, and what there is to tell."""
    from auditor.model.notice import Notice
    from auditor.report.notice import plain
    from auditor.report.text import safe_text
    from auditor.report.wording import coverage_sentence, findings_sentence

    at = f"{now():%Y-%m-%d %H:%M:%S}"
    if done.error is not None:
        step = f" {done.error.next_step}" if done.error.next_step else ""
        return safe_text(f"{at} the round failed: {done.error.message}.{step}") + "\n"
    if done.report is None:
        return ""
    head = f"{at} run {done.report.run.id}: {coverage_sentence(done.report)} {findings_sentence(done.report)}"
    if done.interrupted:
        return f"{head} Stopped before its end; nothing is told.\n"
    if not done.items:
        return f"{head} Nothing new.\n"
    return f"{head}\n\n{plain(Notice(id='', at=at, name='New', items=done.items))}\n"


def _outcome(done: Round | None, outputs: Outputs | None, fail_on: str) -> int:
    """The exit code of one round, after it was shown; nothing is shown where standard output holds the journal."""
    from auditor.report.json_ import json_text

    if done is None:
        print("Nothing is due.", file=sys.stderr)
        return 0
    if done.error is not None:
        raise done.error
    run = done.report.run.id if done.report else None
    document = {"schema_version": 1, "run": run, "items": done.items, "notices_pending": done.pending, "interrupted": done.interrupted}
    if outputs is not None:
        outputs.emit({"table": lambda: _summary(done), "json": lambda: json_text(document)})
        outputs.say_files()
    return INTERRUPTED if done.interrupted or done.report is None else coverage_and_findings(done.report, fail_on)


def _command() -> LazyGroup:
    """The verb with its own options, and `cases` below it."""
    alone = verb("watch", *_flags())(_watch)

    def call(**values: Any) -> int:
        context = click.get_current_context()
        return 0 if context.invoked_subcommand else int(context.invoke(alone.callback, **values))  # type: ignore[arg-type]

    return LazyGroup(
        "watch",
        verbs={"cases": ("auditor.cli.watch_cases", "Observe whether a trouble comes back after its remedy.")},
        params=alone.params,
        help=alone.help,
        callback=call,
        invoke_without_command=True,
        context_settings={"max_content_width": 120},
    )


watch = _command()
