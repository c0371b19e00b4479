"""Ctrl-C and SIGTERM: the first asks the work to stop and keeps what is done, the second ends it at once."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType


def end_in_order() -> None:
    """Makes SIGTERM end the program as Ctrl-C does, so that what it started is stopped and what it holds is closed."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_signal)


@contextlib.contextmanager
def stopping(words: str = "stopping; what was collected is kept") -> Iterator[threading.Event]:
    """An event that is set by the first signal, which says so in these words. Outside the main thread signals are left alone."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        print(f"auditor: {words} (once more to end at once)", file=sys.stderr, flush=True)

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
