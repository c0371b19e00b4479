"""One round of the watch: audit, what is new, cases, notices, metrics. What is to be told is saved with what is remembered, then sent.

A round that fails is told once, and once more when the watch works again. The store is held, so that two watches tell nothing twice.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditor.model.case import Case
from auditor.model.errors import AuditorError, ReportError
from auditor.model.finding import Report
from auditor.model.notice import NoticeItem
from auditor.model.times import stamp
from auditor.store.holding import hold
from auditor.watch.cases import Changes, Runner, advance, begun, needed_by, refuse_runs, run_contingency, to_run
from auditor.watch.dumps import Crashes, stored_crashes
from auditor.watch.memory import WatchState, case_notes, read_cases, read_state, state_note
from auditor.watch.metrics import Figures, exposition, replace_file
from auditor.watch.news import finding_news, host_news
from auditor.watch.telling import Deliver, deliver_pending, make_notice

if TYPE_CHECKING:
    from auditor.notify import Channel
    from auditor.store import Store
    from auditor.watch.asking import Auditing
    from auditor.watch.journal import Journal

WORK = "watch"


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a round needs. All of it is handed in: clock, audit, delivery, runner."""

    where: str | Path
    """The store."""
    name: str
    """How readers know this watch."""
    audit: Auditing
    now: Callable[[], datetime]
    journal: Journal
    channels: Sequence[Channel] = ()
    deliver: Deliver
    changes: Callable[[Store], Changes]
    """Lists changes from the store."""
    crashes: Callable[[Store, Iterable[Case]], Crashes] = stored_crashes
    """Lists what was read of hosts' dumps."""
    runner: Runner = refuse_runs
    metrics: Path | None = None


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a round."""

    report: Report | None = None
    """None where it failed."""
    error: AuditorError | None = None
    items: tuple[NoticeItem, ...] = ()
    pending: int = 0
    interrupted: bool = False


def run_round(
    watch: Watch, stop: threading.Event, *, due: datetime | None = None, missed: int = 0, next_due: datetime | None = None
) -> Round:
    """Audits once and tells what is new. `due` is the time it stands for, `missed` how many others it stands for too.

    Raises StoreError where the store can't be used, or another watch is at it; every other error is part of the round.
    """
    from auditor.store import open_store

    start = time.monotonic()
    watch.journal.write("round_started", due=_text(due), missed=missed)
    with hold(watch.where, WORK), open_store(watch.where) as store:
        done = _round(watch, store, stop, due)
        for case in to_run(read_cases(store).values()):
            _contingency(watch, store, case.id)
        pending = deliver_pending(store, watch.channels, watch.deliver, watch.now, watch.journal)
        done = msgspec.structs.replace(done, pending=pending)
        _measure(watch, store, done, time.monotonic() - start, missed, next_due)
    _journal_end(watch.journal, done, time.monotonic() - start)
    return done


def _round(watch: Watch, store: Store, stop: threading.Event, due: datetime | None) -> Round:
    state = read_state(store)
    cases = read_cases(store)
    try:
        audited = watch.audit(store, needed_by(cases.values()), stop)
    except AuditorError as error:
        return _failed(watch, store, state, error, due)
    if audited.interrupted:
        return Round(report=audited.report, interrupted=True)
    now = watch.now()
    items, state = finding_news(state, store.lives(), audited.report)
    of_hosts, state = host_news(state, audited.report)
    moved, of_cases = advance(cases, audited.results, now, watch.changes(store), _read_dumps(watch, store, cases.values()))
    recovered = [NoticeItem(kind="recovered", title="Audits work again", text=(f"Before: {state.trouble}",))] if state.trouble else []
    items = [*recovered, *items, *of_hosts, *of_cases]
    state = msgspec.structs.replace(state, trouble="", rounds=state.rounds + 1, last_due=_text(due) or state.last_due)
    state, notes = make_notice(state, watch.name, _text(now) or "", audited.run, items, watch.channels)
    store.save_notes(state_note(state), *case_notes(moved), *notes)
    _journal_items(watch.journal, items)
    return Round(report=audited.report, items=tuple(items))


def _read_dumps(watch: Watch, store: Store, cases: Iterable[Case]) -> Crashes:
    """Read dumps; none where they can't be read, which is told in the journal: a case does without them."""
    try:
        return watch.crashes(store, cases)
    except AuditorError as error:
        watch.journal.write("dumps_failed", "error", reason=error.message)
        return {}


def _failed(watch: Watch, store: Store, state: WatchState, error: AuditorError, due: datetime | None) -> Round:
    """A round that failed for the first time, or for another reason than before, is told; its due time is over all the same."""
    new = error.message != state.trouble
    item = NoticeItem(kind="trouble", title="An audit failed", text=(error.message,), next_step=error.next_step)
    items = [item] if new else []
    state = msgspec.structs.replace(state, trouble=error.message, rounds=state.rounds + 1, last_due=_text(due) or state.last_due)
    state, notes = make_notice(state, watch.name, _text(watch.now()) or "", None, items, watch.channels)
    store.save_notes(state_note(state), *notes)
    return Round(error=error, items=tuple(items))


def _contingency(watch: Watch, store: Store, name: str) -> None:
    """Notes that it is begun, runs it, and puts what came of it on its way."""
    case = begun(read_cases(store)[name], watch.now())
    store.save_notes(*case_notes([case]))
    done, item = run_contingency(case, watch.runner, watch.now)
    state, notes = make_notice(read_state(store), watch.name, _text(watch.now()) or "", None, [item], watch.channels)
    store.save_notes(state_note(state), *case_notes([done]), *notes)
    _journal_items(watch.journal, [item])


def _measure(watch: Watch, store: Store, done: Round, seconds: float, missed: int, next_due: datetime | None) -> None:
    if watch.metrics is None:
        return
    figures = Figures(
        at=watch.now(),
        seconds=seconds,
        worked=done.error is None and not done.interrupted,
        rounds=read_state(store).rounds,
        missed=missed,
        pending=done.pending,
        next_due=next_due,
        report=done.report,
        lives=tuple(life for life in store.lives().values() if life.state != "fixed"),
        cases=tuple(read_cases(store).values()),
    )
    try:
        replace_file(watch.metrics, exposition(figures))
    except ReportError as error:
        watch.journal.write("metrics_failed", "error", reason=error.message)


def _journal_items(journal: Journal, items: Sequence[NoticeItem]) -> None:
    for item in items:
        level = "info" if item.kind in ("fixed", "seen_again", "recovered", "case_clean") else "warning"
        hosts = list(item.hosts[:50])
        journal.write(item.kind, level, title=item.title, severity=item.severity, ref=item.ref, rule=item.rule, hosts=hosts)  # type: ignore[arg-type]


def _journal_end(journal: Journal, done: Round, seconds: float) -> None:
    report = done.report
    if done.error is not None:
        journal.write("round_failed", "error", reason=done.error.message, seconds=round(seconds, 3))
        return
    journal.write(
        "round_interrupted" if done.interrupted else "round_finished",
        run=report.run.id if report else None,
        hosts=len(report.coverage) if report else 0,
        findings=len(report.findings) if report else 0,
        undetermined=len(report.undetermined) if report else 0,
        news=len(done.items),
        pending=done.pending,
        seconds=round(seconds, 3),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)
