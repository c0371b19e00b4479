"""What a lab host has still to do: acts that fall due at a time, and processes that run in steps and wait in between. No clock of its own.

`Agenda.settle(now)` does everything that has fallen due, in the order of time; whoever looks at a machine settles it first. A process is
a generator: it yields the seconds that it waits, and returns what it said. While a step runs, `Agenda.now` is that step's time.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Generator
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
Steps = Generator[float, None, T]
Act = Callable[[], None]
FIRST_ID, ID_STEP = 4000, 4


class Process:
    """A running program of a host."""

    def __init__(self, number: int, name: str, user: str, started: datetime, steps: Steps[Any]) -> None:
        self.steps = steps
        self.number = number
        self.name = name
        self.user = user
        self.started = started
        self.ended = False
        self.result: Any = None
        """What its steps returned; None where it was ended from outside."""


class Agenda:
    """Acts and processes of one host."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.processes: dict[int, Process] = {}
        self._due: list[tuple[datetime, int, Act]] = []
        self._order = itertools.count()
        self._numbers = itertools.count(FIRST_ID, ID_STEP)

    def at(self, moment: datetime, act: Act) -> None:
        """Does `act` once `moment` has come."""
        heapq.heappush(self._due, (moment, next(self._order), act))

    def after(self, seconds: float, act: Act) -> None:
        """Does `act` so many seconds from now."""
        self.at(self.now + timedelta(seconds=seconds), act)

    def settle(self, now: datetime) -> None:
        """Does all that is due up to `now`, in order; a clock that went back changes nothing."""
        while self._due and self._due[0][0] <= now:
            moment, _, act = heapq.heappop(self._due)
            self.now = max(self.now, moment)
            act()
        self.now = max(self.now, now)

    def run(self, name: str, user: str, steps: Steps[Any], then: Callable[[Process], None] | None = None) -> Process:
        """Starts a process; its first step runs at once, and `then` gets it when it has ended by itself."""
        process = Process(next(self._numbers), name, user, self.now, steps)
        self.processes[process.number] = process

        def go_on() -> None:
            if process.ended:
                return
            try:
                seconds = next(steps)
            except StopIteration as stop:
                process.result, process.ended = stop.value, True
                self.processes.pop(process.number, None)
                if then is not None:
                    then(process)
            except BaseException:
                process.ended = True
                self.processes.pop(process.number, None)
                raise
            else:
                self.after(max(seconds, 0.0), go_on)

        go_on()
        return process

    def end(self, process: Process) -> None:
        """Ends a process; what it had not done stays undone."""
        process.ended = True
        self.processes.pop(process.number, None)
        with contextlib.suppress(ValueError):  # it is just running: then it ends by itself at its next step
            process.steps.close()

    def end_all(self) -> None:
        """Ends all processes, as when the power goes."""
        for process in list(self.processes.values()):
            self.end(process)
