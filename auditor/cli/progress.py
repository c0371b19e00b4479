"""How far a collection is: a bar on a terminal, a line every few hosts elsewhere. On standard error only, counts only."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import Any

from auditor.model.host import HostResult

LINES = 10
"""About this many lines for a whole collection where there is no terminal."""


class Progress:
    """Counts results; its `tell` may be called from several threads."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._bar: Any = None
        self._task: Any = None
        self._step = max(1, total // LINES)

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("hosts"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, result: HostResult) -> None:
        """One more host is done."""
        with self._lock:
            self._counts[result.status] = self._counts.get(result.status, 0) + 1
            done = sum(self._counts.values())
            if self._bar is not None:
                self._bar.update(self._task, completed=done, description=self._words())
            elif done % self._step == 0 or done == self._total:
                print(f"auditor: {done} of {self._total} hosts: {self._words()}", file=sys.stderr, flush=True)

    def _words(self) -> str:
        return ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(self._counts.items()))
