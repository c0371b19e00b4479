"""HTTP to one WinRM service: what pywinrm's Protocol sends its messages through.

It stands in for pywinrm's own transport, whose time-outs count each read alone, which follows redirects to other hosts, takes
proxies from the environment (and changes it, in every thread), unpacks compressed bodies without limit and accepts unsealed
replies. Here one connection to one host is made once; nothing is sent twice, and every reply is bounded before it is read.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from winrm.exceptions import WinRMTransportError

from auditor import __version__
from auditor.collect.budget import SUSPICIOUS, Budget
from auditor.collect.canary import CredentialCanary, Turn
from auditor.collect.kerberos import Tickets
from auditor.collect.logon import NtlmHashes, log_on, standing_header
from auditor.collect.proxy import proxy_for, tunnel
from auditor.collect.sealing import Seal, SealError
from auditor.collect.tls import TlsContexts
from auditor.collect.wire import Wire, connect
from auditor.model.credential import Credential
from auditor.model.errors import CollectError
from auditor.model.host import Target

if TYPE_CHECKING:
    from email.message import Message

REPLY_BYTES = 4 * 1024 * 1024
"""Largest body of one reply; WinRM's own envelopes end at 500 KB."""
REPLY_SECONDS = 45.0
"""A service that lives answers within the operation time-out (20 s) that every request names, were it only by a fault."""
SOAP_TYPE = "application/soap+xml;charset=UTF-8"
_ENVELOPE = re.compile(rb"<(?:[\w.-]{1,20}:)?Envelope[\s>]")
_DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


class Ways(NamedTuple):
    """What all hosts of one collection share."""

    contexts: TlsContexts
    canary: CredentialCanary
    tickets: Tickets
    use_proxy: bool = False
    connect_seconds: float = 10.0
    hashes: NtlmHashes | None = None
    """Where there is one, passwords are hashed once for all hosts."""


class Reply(NamedTuple):
    """One HTTP reply, its body within bounds but not yet trusted."""

    status: int
    headers: Message
    body: bytes

    @property
    def content_type(self) -> str:
        """Of the body; empty where none is named."""
        return str(self.headers.get("Content-Type", ""))


class WinrmTransport:
    """One connection to one host, logged on at `open` (NTLM, Kerberos) or with the first message (Basic, certificate)."""

    def __init__(self, target: Target, credential: Credential, budget: Budget, ways: Ways) -> None:
        self.target = target
        self.credential = credential
        self.budget = budget
        self.ways = ways
        self.wire: Wire | None = None
        self.seal: Seal | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._headers: dict[str, str] = {}
        self._shown = False

    def open(self) -> None:
        """Connect and log on. Raises CollectError, OSError and http.client's errors."""
        self.connect()
        if self.target.transport in ("ntlm", "kerberos", "credssp"):
            context, protocol = log_on(self)
            self._shown = True
            if self.target.scheme == "http" or self.target.message_encryption == "always":
                self.seal = Seal(context, protocol)
        else:
            self._headers["Authorization"] = standing_header(self.target, self.credential)

    def connect(self) -> None:
        """Connect, TLS included, without logging on. Raises what `open` raises."""
        with self.budget.phase("connecting", self.ways.connect_seconds):
            self._connect()

    def close_session(self) -> None:
        """Close the connection; may be called twice."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        if self.wire is not None:
            self.wire.close()

    def send_message(self, message: str | bytes) -> bytes:
        """Send one SOAP message, give the SOAP reply. Raises WinRMTransportError for a fault, and what `open` raises."""
        data = message.encode("utf-8") if isinstance(message, str) else message
        with self.budget.phase(self.budget.step, REPLY_SECONDS):
            reply = self._send(data)
        if reply.status == 401:
            raise CollectError(self.target.name, "the host ended the logon in the middle", status="denied", next_step=SUSPICIOUS)
        if reply.status not in (200, 400, 500):
            raise self.unexpected(reply)
        text = self._opened(reply)
        if reply.status != 200:
            raise WinRMTransportError("http", reply.status, text.decode("utf-8", "replace"))
        return text

    def exchange(self, body: bytes, headers: dict[str, str]) -> Reply:
        """One request and its reply. Redirects, compressed bodies and bodies beyond the limit are errors."""
        connection = self._connection
        if connection is None or connection.sock is None:
            raise ConnectionResetError("the host closed the connection")
        connection.request("POST", f"/{self.target.path}", body=body, headers={"User-Agent": f"fleet-auditor/{__version__}", **headers})
        response = connection.getresponse()
        if 300 <= response.status < 400:
            raise self._error("wants to redirect to another address; redirects are not followed", "correct ansible_host or the port")
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise self._error("sent a compressed body though none was asked for; not unpacked", SUSPICIOUS)
        data = response.read(REPLY_BYTES + 1)
        if len(data) > REPLY_BYTES:
            raise self._error(f"sent a reply of more than {REPLY_BYTES} bytes; given up", SUSPICIOUS)
        if response.length:
            raise http.client.IncompleteRead(data, response.length)
        return Reply(response.status, response.headers, data)

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """The turn to show the credential, see `canary`."""
        budget = self.budget
        with (
            budget.phase("waiting for another host to accept the credentials", budget.seconds_left),
            self.ways.canary.turn(self.credential.key, self.target.name, budget.slice, self.credential.account) as turn,
        ):
            yield turn

    def unexpected(self, reply: Reply) -> CollectError:
        """The error for a status that WinRM's service does not give to a good request."""
        words = {
            401: (
                "asks for a logon of another kind",
                f"see which mechanisms its WinRM service allows; the inventory says {self.target.transport}",
            ),
            403: ("forbids the request (status 403)", "look at the WinRM service's address filter and at web filters in between"),
            404: (f"has no WinRM service at /{self.target.path} (status 404)", "correct ansible_winrm_path or the port"),
            503: ("has no WinRM service that runs behind its port (status 503)", "start the service WinRM on the host"),
        }
        reason, step = words.get(
            reply.status, (f"answers with HTTP status {reply.status}", "look at what listens on the port: is it WinRM?")
        )
        return self._error(reason, step, status="denied" if reply.status in (401, 403) else "failed")

    def _connect(self) -> None:
        target = self.target
        proxy = proxy_for(target.scheme, target.address) if self.ways.use_proxy else None
        self.wire = connect(*((proxy.host, proxy.port) if proxy else (target.address, target.port)), self.budget)
        if proxy:
            tunnel(self.wire, proxy, target.address, target.port, target.name)
        if target.scheme == "https":
            with self.budget.phase("setting up TLS", self.ways.connect_seconds):
                self.wire = self.wire.wrap(self.ways.contexts.of(target, self.credential), target.address)
        self._connection = http.client.HTTPConnection(target.address, target.port)
        self._connection.auto_open = 0
        self._connection.sock = cast("Any", self.wire)

    def _send(self, data: bytes) -> Reply:
        kind, body = self.seal.close(data) if self.seal else (SOAP_TYPE, data)
        headers = {"Content-Type": kind, **self._headers}
        if self._shown:
            return self.exchange(body, headers)
        with self.turn() as turn:
            reply = self.exchange(body, headers)
            turn.outcome = "rejected" if reply.status == 401 else "accepted" if reply.status in (200, 400, 500) else "unknown"
        if turn.outcome == "rejected":
            raise self.rejected()
        self._shown = True
        return reply

    def rejected(self) -> CollectError:
        """The error for a logon that the host refused."""
        return self._error(
            f"rejected the credentials of {self.target.user or 'the certificate'}",
            "correct user and password; the account may also be locked, expired or not allowed to log on over the network",
            status="denied",
        )

    def _opened(self, reply: Reply) -> bytes:
        """The SOAP text in a reply, its seal checked where the session is sealed."""
        text = reply.body
        if self.seal is not None:
            try:
                text = self.seal.open(reply.content_type, reply.body)
            except SealError as error:
                if reply.status == 500 and not reply.body:
                    raise self._error("refuses the request without a word (status 500)", "look at the WinRM service's event log") from error
                words = f"sent an unsealed reply inside a sealed session ({error}); its content was not read"
                raise self._error(words, "someone may be changing the traffic: look at what lies between") from error
        if b"\0" in text or _DOCTYPE.search(text) or not _ENVELOPE.search(text, 0, 1024):
            raise self._error("answers with something that is no SOAP", SUSPICIOUS)
        return text

    def _error(self, reason: str, next_step: str, *, status: str = "failed") -> CollectError:
        return CollectError(self.target.name, f"the host {reason}", status=status, next_step=next_step)
