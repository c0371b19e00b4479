"""One client's connection to one lab host: HTTP in, logon, seal, the operation, HTTP out.

Owns the order in which these happen. No request may end the server: what goes wrong ends in a status, a fault or the connection's end.
"""

from __future__ import annotations

import asyncio
import collections
import logging
import socket
import struct
from collections.abc import Callable, Mapping
from typing import get_args

import msgspec

from auditor.lab import wsman
from auditor.lab.auth import SEALED_TYPE, Logon, UserFiles
from auditor.lab.endpoint import HostEndpoint
from auditor.lab.hostile import deliver
from auditor.lab.http import BadRequest, HttpRequest, HttpResponse, read_request
from auditor.lab.misbehave import Action, Fault, spoil
from auditor.lab.process import Refusal
from auditor.lab.winrs import Call, Reply, Route

_LOG = logging.getLogger(__name__)
_PLAIN_TYPE = "application/soap+xml;charset=UTF-8"
_IDLE_SECONDS = 120
"""How long http.sys keeps an idle connection."""
_LOOK_SECONDS = 0.2
"""How often it is looked whether a host is still there while it works."""
_SEAL_BYTES = 1024
"""Bytes by which a sealed body is longer than its message."""
_BODIES = frozenset({"garbage", "wrong_xml", "empty_body", "entity_bomb", "wrong_charset", "half_answer", "gzip_bomb"})
"""Faults that show themselves in a body: at `any` place they come instead of the first 401."""
_WORDS = frozenset({*get_args(Action), "Put", "Release"})
_REFUSALS: dict[str, Refusal] = {
    "create_fault": Refusal("the shell could not be created", code=0x80070008),
    "delete_fault": Refusal("the shell could not be closed", code=0x80070008),
    "access_denied": Refusal("access is denied", code=wsman.ACCESS_DENIED),
    "quota_fault": Refusal("this user has too many shells", code=wsman.QUOTA_SHELLS),
}


class Host(msgspec.Struct):
    """What the server keeps of a host while it runs."""

    endpoint: HostEndpoint
    files: UserFiles
    routes: Mapping[tuple[str, str], Route]
    """(action, resource URI) -> operation; a URI that ends in `*` stands for all that begin so, an action `*` for any."""
    redirect: Callable[[], str]
    """Where `redirect` leads."""
    largest_envelope: int = 512_000
    binding: bytes = b""
    """What logons over its TLS are bound to; empty over http."""
    reachable: Callable[[], bool] | None = None
    """Whether the host answers at the moment; None always does."""
    counts: collections.Counter[str] = msgspec.field(default_factory=collections.Counter)
    """Requests by action; besides Connection, Logon, Rejected (failed logons) and Fault."""

    def route(self, action: str, resource_uri: str) -> Route:
        """The operation for a request. Raises Refusal for a resource that is not there and for an action that it doesn't know."""
        known = False
        for (name, uri), operation in self.routes.items():
            if resource_uri.lower().startswith(uri[:-1].lower()) if uri.endswith("*") else resource_uri.lower() == uri.lower():
                known = True
                if name in (action, "*"):
                    return operation
        if known:
            raise Refusal("this resource does not know the action", code=wsman.ACTION_NOT_SUPPORTED)
        raise Refusal("there is no resource with this URI", code=wsman.RESOURCE_NOT_FOUND)


class Connection:
    """Serves one connection until either side ends it."""

    def __init__(self, host: Host, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._endpoint = host.endpoint
        self._reader = reader
        self._writer = writer
        self._logon = Logon(host.endpoint, host.files, host.binding)
        peer = writer.get_extra_info("peername")
        self._client = str(peer[0]) if peer else ""

    async def serve(self) -> None:
        """Answers request after request; returns when the connection is over."""
        if self._host.reachable is not None and not self._host.reachable():
            self._reset()
            return
        self._host.counts["Connection"] += 1
        while True:
            try:
                async with asyncio.timeout(_IDLE_SECONDS):
                    request = await read_request(self._reader, self._host.largest_envelope + _SEAL_BYTES)
                if request is None:
                    return
                answered = await self._while_there(request)
                if answered is None:
                    self._reset()
                    return
                response = answered
            except BadRequest as bad:
                response = HttpResponse(status=bad.status, close=True)
            except OSError:  # the client is gone, or was silent for too long
                return
            except Exception:  # noqa: BLE001  (one client's request must not end the other hosts)
                _LOG.exception("host %s: a request could not be answered", self._endpoint.name)
                response = HttpResponse(status=500, close=True)
            if not await self._send(response):
                return

    async def _while_there(self, request: HttpRequest) -> HttpResponse | None:
        """The answer; None where the host went away, as in a restart, before it was given."""
        there = self._host.reachable
        if there is None:
            return await self._answer(request)
        if not there():
            return None
        task = asyncio.ensure_future(self._answer(request))
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_SECONDS))[0]:
                if not there():
                    return None
        finally:
            if not task.done():
                task.cancel()
        return task.result() if there() else None

    async def _send(self, response: HttpResponse) -> bool:
        behaviour = self._endpoint.behaviour
        fault = behaviour.fault if behaviour.place in ("any", response.action) else None
        if behaviour.latency_ms:
            await asyncio.sleep(behaviour.latency_ms / 1000)
        if fault == "reset":
            self._reset()
            return False
        if fault == "redirect":
            response = HttpResponse(status=302, headers=(("Location", self._host.redirect()),))
        elif fault == "http_error":
            page = b"<html><body><h1>Service Unavailable</h1></body></html>"
            response = HttpResponse(status=503, headers=(("Content-Type", "text/html; charset=us-ascii"),), body=page, close=True)
        elif fault in _BODIES and not response.action:
            body = spoil(wsman.identify("0.0.0", "0.0", "2.0"), fault)
            response = HttpResponse(headers=(("Content-Type", _PLAIN_TYPE),), body=body)
        return await deliver(self._reader, self._writer, response, fault)

    def _reset(self) -> None:
        """Ends the connection with RST instead of FIN."""
        raw = self._writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        if request.path.rstrip("/").lower() != self._endpoint.path.rstrip("/").lower():
            return HttpResponse(status=404)
        if request.method != "POST":
            return HttpResponse(status=405, headers=(("Allow", "POST"),))
        if request.headers.get("wsmanidentify", "").lower() == "unauthenticated":
            return self._identify(authenticated=False)
        refused = self._check(request)
        if refused is not None:
            return refused
        closing = self._logon.closing_headers()
        response = await self._operate(request)
        return msgspec.structs.replace(response, headers=(*closing, *response.headers))

    def _check(self, request: HttpRequest) -> HttpResponse | None:
        before, known = self._logon.rejected, self._logon.account
        refused = self._logon.check(request.headers.get("authorization", ""))
        self._host.counts["Rejected"] += self._logon.rejected - before
        self._host.counts["Logon"] += self._logon.account is not None and self._logon.account is not known
        return refused

    async def _operate(self, request: HttpRequest) -> HttpResponse:
        """After the logon: unseal, do what is asked, seal."""
        sealed = request.headers.get("content-type", "").lower().startswith("multipart/encrypted")
        if not request.body:
            return HttpResponse()
        if not sealed and self._endpoint.scheme == "http":
            return HttpResponse(status=500, close=True)  # AllowUnencrypted is false: no body, no reason
        message = self._logon.unseal(request.body) if sealed else request.body
        status, action, envelope = await self._soap(message)
        self._host.counts[action] += 1
        behaviour = self._endpoint.behaviour
        fault = behaviour.fault if behaviour.place in ("any", action) else None
        body = spoil(envelope, fault)
        if not sealed or fault == "unsealed_reply":
            return HttpResponse(status=status, headers=(("Content-Type", _PLAIN_TYPE),), body=body, action=action)
        return self._sealed(status, action, body, fault)

    def _sealed(self, status: int, action: str, envelope: bytes, fault: Fault | None) -> HttpResponse:
        body = self._logon.seal(envelope)
        if fault == "tampered_reply":
            middle = len(body) - 40
            body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        return HttpResponse(status=status, headers=(("Content-Type", SEALED_TYPE),), body=body, action=action)

    async def _soap(self, message: bytes) -> tuple[int, str, bytes]:
        """Status, action and envelope of the answer to a message."""
        relates_to, action = "", "Unreadable"
        try:
            request = wsman.read_request(message)
            relates_to, action = request.message_id, _short(request)
            if action == "Identify":
                return 200, action, self._identify(authenticated=True).body
            reply = await self._route(request, action)
        except Refusal as refusal:
            self._host.counts["Fault"] += 1
            return 500, action, wsman.fault(refusal, relates_to, self._endpoint.machine)
        return 200, action, wsman.envelope(reply.action, relates_to, reply.body)

    async def _route(self, request: wsman.Request, action: str) -> Reply:
        behaviour = self._endpoint.behaviour
        account = self._logon.account
        if account is None:
            raise Refusal("nobody is logged on", code=wsman.ACCESS_DENIED)
        if behaviour.fault in _REFUSALS and behaviour.place in ("any", action):
            raise _REFUSALS[behaviour.fault]
        if request.max_envelope < wsman.SMALLEST_ENVELOPE:
            raise Refusal(f"MaxEnvelopeSize must be {wsman.SMALLEST_ENVELOPE} or more", code=wsman.ENCODING_LIMIT)
        operation = self._host.route(request.action, request.resource_uri)
        return await operation(Call(request, account, self._client))

    def _identify(self, *, authenticated: bool) -> HttpResponse:
        endpoint = self._endpoint
        shown = (endpoint.os_version, endpoint.service_pack) if authenticated else ("0.0.0", "0.0")
        body = wsman.identify(*shown, endpoint.stack)
        if not authenticated:
            self._host.counts["Identify"] += 1
        return HttpResponse(headers=(("Content-Type", _PLAIN_TYPE),), body=body, action="Identify")


def _short(request: wsman.Request) -> str:
    """The word under which a request is counted and behaviour is chosen; a closed set, whatever a client sends."""
    if "/" not in request.action and ":" not in request.action:
        return request.action if request.action in _WORDS else "Other"
    return "Invoke" if request.resource_uri.startswith(wsman.WMI) else "Other"
