"""A connected socket, in the clear or in TLS, every read and write of which is bounded by a budget. Speaks no HTTP."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import queue
import select
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

from auditor.collect.budget import Budget
from auditor.model.errors import CollectError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_Address = tuple[socket.AddressFamily, Any]


class Wire:
    """What `http.client` takes for a socket."""

    def __init__(self, sock: socket.socket, budget: Budget) -> None:
        self._socket = sock
        self._budget = budget

    @property
    def certificate(self) -> bytes | None:
        """The peer's certificate (DER), None without TLS."""
        return self._socket.getpeercert(True) if isinstance(self._socket, ssl.SSLSocket) else None

    def makefile(self, _mode: str = "rb", *_: object, **__: object) -> io.BufferedReader:
        """A buffered reader; closing it leaves the connection open."""
        return io.BufferedReader(_Reader(self), 65536)

    def sendall(self, data: ReadableBuffer) -> None:
        """Send everything within the budget."""
        view = memoryview(data).cast("B")
        while view:
            self._socket.settimeout(self._budget.slice())
            try:
                view = view[self._socket.send(view) :]
            except TimeoutError:
                continue

    def read_into(self, buffer: WriteableBuffer) -> int:
        """Read what is there, at least one byte unless the peer has closed."""
        while True:
            self._socket.settimeout(self._budget.slice())
            try:
                count = self._socket.recv_into(buffer)
            except TimeoutError:
                continue
            self._budget.spend(count)
            return count

    def close(self) -> None:
        """Close the connection, without waiting for the peer."""
        self._socket.close()

    def wrap(self, context: ssl.SSLContext, name: str) -> Wire:
        """The same connection in TLS; certificate and name are checked as the context says."""
        wrapped = context.wrap_socket(self._socket, server_hostname=name, do_handshake_on_connect=False)
        secure = Wire(wrapped, self._budget)
        try:
            while True:
                wrapped.settimeout(self._budget.slice())
                try:
                    wrapped.do_handshake()
                except TimeoutError:
                    continue
                return secure
        except BaseException:
            wrapped.close()
            raise


class _Reader(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        return self._wire.read_into(buffer)


def connect(host: str, port: int, budget: Budget) -> Wire:
    """Connect to the first address that answers. Raises CollectError and OSError."""
    addresses = _resolve(host, port, budget)
    for number, (family, address) in enumerate(addresses, 1):
        try:
            with budget.phase(budget.step, budget.phase_left / (len(addresses) - number + 1)):
                return Wire(_connect(family, address, budget), budget)
        except (OSError, CollectError):
            if number == len(addresses):
                raise
            budget.slice()
    raise OSError(errno.EADDRNOTAVAIL, "no address")


def _resolve(host: str, port: int, budget: Budget) -> list[_Address]:
    """Addresses of a name. The system's resolver can't be given a deadline, so it runs in a thread that is left to itself if need be."""
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        with contextlib.suppress(OSError, ValueError):
            # An address that is written as one needs no resolver, and so no thread.
            socket.inet_pton(family, host)
            return [(family, (host, port, *rest))]
    answers: queue.SimpleQueue[list[_Address] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put([(info[0], info[4]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except OSError as error:
            answers.put(error)
        except UnicodeError:
            answers.put(socket.gaierror(socket.EAI_NONAME, "not a host name"))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    while True:
        try:
            answer = answers.get(timeout=budget.slice())
        except queue.Empty:
            continue
        if isinstance(answer, OSError):
            raise answer
        return answer


def _connect(family: socket.AddressFamily, address: Any, budget: Budget) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS, errno.EWOULDBLOCK):
            raise OSError(code, os.strerror(code))
        poll = select.poll()
        poll.register(sock, select.POLLOUT)
        while not poll.poll(budget.slice() * 1000):
            continue
        if code := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(code, os.strerror(code))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        sock.close()
        raise
    return sock
