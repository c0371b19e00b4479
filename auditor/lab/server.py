"""The lab's WS-Management server: many simulated hosts, each on its own loopback port, in one event loop on one thread.

Owns listening, the run's certificates and private files, and what the lab shows of its hosts (open shells, counts).
The way in, for whoever gives the hosts their answers:

    shells: Mapping[str, HostShell]     host name -> what it answers (`process`)
    with LabServer(endpoints, shells, state) as server:     # state: a folder of the lab's own
        server.url("srva")              # http://127.0.0.1:40123/wsman
        server.ca_file                  # state/ca.pem
        server.open_shells("srva")      # ids of shells that are open
        server.counts("srva")           # {"Create": 1, "Receive": 3, "Logon": 1, "Rejected": 0, ...}
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
import logging
import shutil
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType

from auditor.lab import wsman
from auditor.lab.auth import UserFiles
from auditor.lab.connection import Connection, Host
from auditor.lab.endpoint import Account, HostEndpoint
from auditor.lab.http import LARGEST_HEAD
from auditor.lab.misbehave import Behaviour
from auditor.lab.process import BufferedProcess, HostShell, Output, Refusal, ShellProcess
from auditor.lab.tls import Authority, certificate_for, server_binding, server_context
from auditor.lab.winrs import Call, Reply, Route, Shells
from auditor.model.errors import LabError

__all__ = [
    "Account",
    "Behaviour",
    "BufferedProcess",
    "Call",
    "HostEndpoint",
    "HostShell",
    "LabServer",
    "Output",
    "Refusal",
    "Reply",
    "Route",
    "ShellProcess",
]

_LOG = logging.getLogger(__name__)
ADDRESS = "127.0.0.1"
_QUOTAS: dict[str, tuple[int, float, int]] = {"2.0": (5, 180.0, 150 * 1024), "3.0": (30, 7200.0, 500 * 1024)}
"""WinRM stack -> shells a user, idle seconds of a shell, bytes of an envelope: defaults of MaxShellsPerUser, IdleTimeout and
MaxEnvelopeSizekb."""


class LabServer:
    """All hosts of a lab. `routes` gives further operations by host: (action, resource URI) -> Route, see `connection.Host`;
    `reachable` tells by host whether it answers at the moment: while it does not, connections to it are reset."""

    def __init__(
        self,
        endpoints: Sequence[HostEndpoint],
        shells: Mapping[str, HostShell],
        state: Path,
        *,
        routes: Mapping[str, Mapping[tuple[str, str], Route]] | None = None,
        reachable: Mapping[str, Callable[[], bool]] | None = None,
    ) -> None:
        names = [endpoint.name for endpoint in endpoints]
        if len(set(names)) != len(names):
            raise LabError("two hosts of the lab have one name", ())
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._shells = shells
        self._more_routes = routes or {}
        self._reachable = reachable or {}
        self._state = state
        self._hosts: dict[str, Host] = {}
        self._remote_shells: dict[str, Shells] = {}
        self._ports: dict[str, int] = {}
        self._bindings: dict[str, bytes] = {}
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def ca_file(self) -> Path:
        """The certificate authority of this run, PEM."""
        return self._state / "ca.pem"

    def port(self, host: str) -> int:
        """The TCP port of a host."""
        return self._ports[host]

    def url(self, host: str) -> str:
        """The URL of a host's WinRM service."""
        endpoint = self._endpoints[host]
        return f"{endpoint.scheme}://{ADDRESS}:{self._ports[host]}{endpoint.path}"

    def open_shells(self, host: str) -> tuple[str, ...]:
        """Ids of the shells that are open on a host; may be asked at any time, from any thread, also after the stop."""
        return self._remote_shells[host].open_ids

    def counts(self, host: str) -> dict[str, int]:
        """How often each action was asked of a host, and Connection, Logon, Rejected, Fault; zeros are left out."""
        return {name: count for name, count in dict(self._hosts[host].counts).items() if count}

    @property
    def connections(self) -> int:
        """How many connections are open now, over all hosts."""
        return len(self._tasks)

    def __enter__(self) -> LabServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the thread; returns when every host listens. Raises LabError."""
        if self._thread is not None:
            raise LabError("the lab's server runs already", ())
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="lab-server", daemon=True)
        self._thread.start()
        try:
            started.result()
        except OSError as error:
            self.stop()
            raise LabError(f"the lab can't listen or write its files: {error.strerror or error}", ()) from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Closes every connection, shell and socket and removes the private files; may be called twice."""
        thread, loop, stop = self._thread, self._loop, self._stop
        if thread is None:
            return
        if loop is not None and stop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed already
                loop.call_soon_threadsafe(stop.set)
        thread.join()
        self._thread = None

    def _run(self, started: Future[None]) -> None:
        try:
            asyncio.run(self._serve(started))
        except BaseException as error:  # noqa: BLE001  (handed to the thread that started us)
            if started.done():
                _LOG.exception("the lab's server ended by an error")
            else:
                started.set_exception(error)

    async def _serve(self, started: Future[None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._state.mkdir(parents=True, exist_ok=True)
        private = Path(tempfile.mkdtemp(prefix="private-", dir=self._state))
        files: UserFiles | None = None
        servers: list[asyncio.Server] = []
        try:
            files = UserFiles(private, list(self._endpoints.values()))
            contexts = self._contexts(private)
            for endpoint in self._endpoints.values():
                self._hosts[endpoint.name] = self._host(endpoint, files)
                servers += await self._listen(endpoint, contexts.get(endpoint.name))
            started.set_result(None)
            await self._stop.wait()
        finally:
            await self._close(servers)
            if files is not None:
                files.forget()
            shutil.rmtree(private, ignore_errors=True)

    def _contexts(self, private: Path) -> dict[str, ssl.SSLContext]:
        """Writes ca.pem and makes a TLS context for each https host."""
        now = datetime.datetime.now(datetime.UTC)
        authority, other = Authority(now), Authority(now, "An authority that nobody trusts")
        self.ca_file.write_bytes(authority.pem)
        secure = [endpoint for endpoint in self._endpoints.values() if endpoint.scheme == "https"]
        certificates = {e.name: certificate_for(authority, other, e.machine, e.behaviour.certificate) for e in secure}
        self._bindings = {name: server_binding(pem) for name, pem in certificates.items()}
        return {name: server_context(pem, private) for name, pem in certificates.items()}

    def _host(self, endpoint: HostEndpoint, files: UserFiles) -> Host:
        shell_quota, idle_seconds, largest_envelope = _QUOTAS.get(endpoint.stack, _QUOTAS["2.0"])
        remote = Shells(
            endpoint, self._shells[endpoint.name], quota=shell_quota, idle_seconds=idle_seconds, largest_envelope=largest_envelope
        )
        self._remote_shells[endpoint.name] = remote
        # WinRM 1.x has another shell resource, which today's clients don't speak: there only what `routes` brings is answered.
        commands = {} if endpoint.stack.startswith(("0.", "1.")) else remote.routes()
        return Host(
            endpoint=endpoint,
            files=files,
            routes={**{(name, wsman.SHELL_CMD): route for name, route in commands.items()}, **self._more_routes.get(endpoint.name, {})},
            redirect=functools.partial(self._redirect, endpoint.behaviour.redirect_to),
            largest_envelope=largest_envelope,
            binding=self._bindings.get(endpoint.name, b""),
            reachable=self._reachable.get(endpoint.name),
        )

    def _redirect(self, where: str) -> str:
        return self.url(where) if where in self._ports else where or f"http://{ADDRESS}:9/wsman"

    async def _listen(self, endpoint: HostEndpoint, context: ssl.SSLContext | None) -> list[asyncio.Server]:
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._sockets.append(bound)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((ADDRESS, endpoint.port))
        self._ports[endpoint.name] = int(bound.getsockname()[1])
        if endpoint.behaviour.fault == "refuse_connection":
            return []  # bound, so that nobody else gets the port, but nobody listens
        mute = endpoint.behaviour.fault in ("hang_accept", "hang_tls")
        serve = functools.partial(self._connected, None if mute else self._hosts[endpoint.name])
        return [await asyncio.start_server(serve, sock=bound, ssl=None if mute else context, limit=LARGEST_HEAD, backlog=256)]

    async def _connected(self, host: Host | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, whatever happens on it; None is a host that takes connections and says nothing."""
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            if host is None:
                while await reader.read(LARGEST_HEAD):
                    pass
            else:
                await Connection(host, reader, writer).serve()
        except (OSError, asyncio.CancelledError):
            writer.transport.abort()
        except Exception:  # noqa: BLE001  (one connection must not end the others)
            _LOG.exception("a connection ended by an error of the lab")
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _close(self, servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        for remote in self._remote_shells.values():
            remote.close()
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=10)
        for bound in self._sockets:
            bound.close()
        self._sockets.clear()
