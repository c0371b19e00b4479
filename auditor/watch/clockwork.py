"""When rounds happen: at the times of a schedule, missed ones made up for by one, whatever the machine's clock does.

Rules of this file:
1. The last due time that was served is remembered in the store. What lies between it and now is made up for by one round.
2. A clock that was put back serves from where it now is: a time that comes twice may be served twice, and none is waited for in vain.
3. A clock that was put forward, or a machine that slept, is a missed time like any other.
4. It never sleeps for long, for a sleep does not notice that the clock was changed.
5. A store that can't be used ends no watch: its round is tried again, but not sooner than after some minutes, for hosts were asked for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from auditor.model.errors import StoreError
from auditor.model.times import stamp
from auditor.watch.memory import read_state, state_note

if TYPE_CHECKING:
    from pathlib import Path

    from auditor.watch.journal import Journal
    from auditor.watch.round import Round
    from auditor.watch.schedule import Schedule

LONGEST_NAP_SECONDS = 60.0
JUMP_SECONDS = 30.0
"""A clock that differs by more from what has really passed was changed."""
RETRY_SECONDS = 600.0


class Clocks(NamedTuple):
    """Time as the watch sees it."""

    now: Callable[[], datetime]
    """The machine's clock, aware."""
    steady: Callable[[], float]
    """Seconds that really pass, from anywhere."""
    nap: Callable[[float], bool]
    """Waits so many seconds; True where it was asked to stop."""


class Due(NamedTuple):
    """A time that is to be served."""

    at: datetime
    missed: int
    """How many due times before it were not served."""


def what_is_due(schedule: Schedule, last: datetime, now: datetime) -> Due | None:
    """The newest due time since the one that was served last, or None."""
    newest = schedule.last_until(now)
    return Due(newest, schedule.due_between(last, now) - 1) if newest > last else None


def watch_over(
    schedule: Schedule,
    clocks: Clocks,
    where: str | Path,
    serve: Callable[[Due, datetime], Round],
    stop: threading.Event,
    journal: Journal,
) -> Round | None:
    """Serves due times until it is asked to stop; gives the last round. Raises what `serve` raises, but for errors of the store."""
    last = _start(where, clocks.now(), journal)
    before, rest_until = (clocks.now(), clocks.steady()), clocks.steady()
    done: Round | None = None
    while not stop.is_set():
        now, steady = clocks.now(), clocks.steady()
        last = _after_jump(last, before, (now, steady), journal)
        before = now, steady
        due = what_is_due(schedule, last, now) if steady >= rest_until else None
        if due is None:
            if clocks.nap(_nap(schedule, now, rest_until - steady)):
                break
            continue
        try:
            done = serve(due, schedule.next_after(now))
            last = due.at
        except StoreError as error:
            journal.write("round_failed", "error", reason=error.message, next_try_seconds=RETRY_SECONDS)
            rest_until = clocks.steady() + RETRY_SECONDS
    return done


def _nap(schedule: Schedule, now: datetime, resting: float) -> float:
    rest = max((schedule.next_after(now) - now).total_seconds(), resting)
    return min(max(rest, 0.05), LONGEST_NAP_SECONDS)


def _start(where: str | Path, now: datetime, journal: Journal) -> datetime:
    """The due time that was served last. A first start waits for the next one; a time in the future came from a wrong clock."""
    from auditor.store import open_store

    with open_store(where) as store:
        state = read_state(store)
        last = parse(state.last_due)
        if last is not None and last <= now:
            return last
        if last is not None:
            journal.write("clock_jumped", "warning", seconds=round((now - last).total_seconds()), where="since the last start")
        store.save_notes(state_note(msgspec.structs.replace(state, last_due=stamp(now))))
    return now


def _after_jump(last: datetime, before: tuple[datetime, float], after: tuple[datetime, float], journal: Journal) -> datetime:
    """The last served time, taken back to now where the clock was put back behind it."""
    jump = (after[0] - before[0]).total_seconds() - (after[1] - before[1])
    if abs(jump) > JUMP_SECONDS:
        journal.write("clock_jumped", "warning", seconds=round(jump))
    return min(last, after[0] - timedelta(microseconds=1)) if last > after[0] else last


def parse(text: str | None) -> datetime | None:
    """A remembered time, aware; None where there is none."""
    return datetime.fromisoformat(text) if text else None
