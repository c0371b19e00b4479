"""Tiny servers that misbehave below WS-Management: each takes one connection after another and does one thing to it."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

Behaviour = Callable[[socket.socket, threading.Event], None]


@contextlib.contextmanager
def serving(behaviour: Behaviour) -> Iterator[int]:
    """The port of a server on loopback, whose connections all get this behaviour; everything is over when the block is left."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    over = threading.Event()
    threads: list[threading.Thread] = []

    def accept() -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                connection, _ = listener.accept()
                thread = threading.Thread(target=_serve, args=(behaviour, connection, over), daemon=True)
                thread.start()
                threads.append(thread)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        over.set()
        for thread in [accepting, *threads]:
            thread.join(5)
        listener.close()


def _serve(behaviour: Behaviour, connection: socket.socket, over: threading.Event) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(2)
        behaviour(connection, over)


def silent(_connection: socket.socket, over: threading.Event) -> None:
    """Takes the connection and says nothing."""
    over.wait(30)


def says(*pieces: bytes, pause: float = 0.0, repeat: bool = False, stay: bool = False) -> Behaviour:
    """Reads something, then sends the pieces, with a pause after each; again and again, or staying silent at the end, if so asked."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        while not over.is_set():
            for piece in pieces:
                connection.sendall(piece)
                if pause and over.wait(pause):
                    return
            if not repeat:
                break
        if stay:
            over.wait(30)

    return behave


def dribbles(text: bytes, pause: float = 0.05) -> Behaviour:
    """Sends a byte at a time, and the last one for ever."""

    def behave(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        for byte in text:
            connection.sendall(bytes([byte]))
            if over.wait(pause):
                return
        while not over.wait(pause):
            connection.sendall(text[-1:])

    return behave


def elapsed(action: Callable[[], object]) -> float:
    """Seconds that the action takes."""
    started = time.monotonic()
    action()
    return time.monotonic() - started
