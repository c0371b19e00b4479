"""How long, and how many bytes, one host may still take: the one place where a conversation is ended from our side.

Every read and write asks here first, so no layer above (TLS, HTTP, SOAP, the shell) can wait or swallow without end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from auditor.model.errors import CollectError

SLICE_SECONDS = 0.25
"""A blocked read looks up this often, to see whether it is to stop."""


class Budget:
    """Time and bytes left for one host. Used by one thread; `stop` may be set from another."""

    def __init__(self, host: str, seconds: float, wire_bytes: int, stop: threading.Event) -> None:
        self.host = host
        self.step = "connecting"
        self._end = time.monotonic() + seconds
        self._phase_end = self._end
        self._phase_seconds = seconds
        self._bytes = wire_bytes
        self._limit = wire_bytes
        self._stop = stop

    @contextmanager
    def phase(self, step: str, seconds: float) -> Iterator[None]:
        """Name what is being done, for the reason, and give it less time than the host has."""
        before = (self.step, self._phase_end, self._phase_seconds)
        self.step = step
        self._phase_end = min(before[1], time.monotonic() + seconds)
        self._phase_seconds = max(0.0, self._phase_end - time.monotonic())
        try:
            yield
            self.step = before[0]
        finally:
            # The step stays as it was when something failed: it tells where.
            self._phase_end, self._phase_seconds = before[1], before[2]

    @property
    def seconds_left(self) -> float:
        """Until the host's deadline; not below 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def phase_left(self) -> float:
        """Seconds until the end of what is being done now; not below 0."""
        return max(0.0, min(self._phase_end, self._end) - time.monotonic())

    def slice(self) -> float:
        """How long to block now, in seconds. Raises CollectError when the time is over or the run is stopped."""
        if self._stop.is_set():
            raise CollectError(self.host, "interrupted", status="not_asked")
        left = self.phase_left
        if left <= 0:
            raise self.late()
        return min(left, SLICE_SECONDS)

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the deadline, and not when stopped. Raises CollectError like `slice`."""
        self.slice()
        self._stop.wait(min(seconds, self.phase_left))

    def tidy(self, seconds: float) -> None:
        """Give time and bytes for tidying up, counted from now, whatever is left; a stop no longer counts."""
        self._end = self._phase_end = time.monotonic() + seconds
        self._bytes = self._limit = 1024 * 1024
        self._stop = threading.Event()

    def late(self) -> CollectError:
        """The error for time that is over."""
        if self.seconds_left <= 0:
            return CollectError(
                self.host,
                f"the time for this host was over while {self.step}",
                status="timed_out",
                next_step="look at the host's load and network, or raise --host-deadline",
            )
        return CollectError(
            self.host,
            f"no answer within {self._phase_seconds:.0f} s while {self.step}",
            status="timed_out",
            next_step="look whether the host hangs, and whether a firewall drops the traffic",
        )

    def spend(self, count: int) -> None:
        """Account for bytes that arrived. Raises CollectError when they are too many."""
        self._bytes -= count
        if self._bytes < 0:
            raise CollectError(self.host, f"sent more than {self._limit} bytes while {self.step}; given up", next_step=SUSPICIOUS)


SUSPICIOUS = "this is no normal answer: look at the host, and at what answers on its port"
