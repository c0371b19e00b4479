"""Who is on a connection: NTLM (alone or in SPNEGO) and Kerberos by pyspnego's acceptor, Basic over https only; sealing of messages.

Owns logon state of one connection and the user files that pyspnego reads. Must not know SOAP or what accounts may do.
1. pyspnego's acceptor finds its users through the environment variable NTLM_USER_FILE, which belongs to the whole process. Each
   host has a file of its own, and the variable is set, under a lock, right before each step: a host knows only its own accounts.
   It stays set while a server runs, for adding a variable may move the environment under another thread that reads it.
2. The files hold NT hashes (smbpasswd form), never passwords, and lie in a folder that only their owner can read.
3. Kerberos' acceptor finds its keys likewise through KRB5_KTNAME. Over https a ticket must be bound to the TLS connection, as on hosts
   with extended protection.
4. A sealed message is the `multipart/encrypted` form of [MS-WSMV] 2.2.9.1; over http nothing else is answered after a logon.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import os
import re
import secrets
import struct
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.lab.endpoint import Account, HostEndpoint, KerberosService
from auditor.lab.http import BadRequest, HttpResponse
from auditor.model.errors import LabError

if TYPE_CHECKING:
    from spnego import ContextProxy

_LOG = logging.getLogger(__name__)
_ENVIRONMENT = threading.Lock()
"""Guards NTLM_USER_FILE, which is the process's and not ours."""
_VARIABLE = "NTLM_USER_FILE"
_KEYTAB, _REPLAYS = "KRB5_KTNAME", "KRB5RCACHENAME"
_KERBEROS_OID = bytes.fromhex("06092a864886f712010202")
"""DER of 1.2.840.113554.1.2.2, with which a Kerberos token begins (RFC 4121, section 4.1)."""
_CHANNEL_BOUND = 0x800
"""GSS_C_CHANNEL_BOUND_FLAG."""
_BOUNDARY = b"--Encrypted Boundary"
_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
_ORIGINAL = re.compile(rb"OriginalContent:\s*type=([^;\r\n]+);\s*charset=([A-Za-z0-9-]+);\s*Length=(\d{1,9})\r\n")
_OCTETS = b"Content-Type: application/octet-stream\r\n"
SEALED_TYPE = f'multipart/encrypted;protocol="{_PROTOCOL}";boundary="Encrypted Boundary"'
_LARGEST_TOKEN = 16 * 1024


class UserFiles:
    """The files in which pyspnego looks up the accounts of each host. Raises LabError for names that such a file can't hold."""

    def __init__(self, folder: Path, hosts: Sequence[HostEndpoint]) -> None:
        from spnego._ntlm_raw.crypto import ntowfv1  # the only MD4 at hand: OpenSSL 3 has dropped it

        hashes = {a.password: ntowfv1(a.password).hex().upper() for host in hosts for a in host.accounts}
        self._kerberos = any(host.kerberos for host in hosts)
        if self._kerberos:  # the library is to keep no record of tickets in the system's folder
            with _ENVIRONMENT:
                os.environ.update({_KEYTAB: "", _REPLAYS: "none:"})
        self._files: dict[str, Path] = {}
        self._accounts: dict[str, dict[str, Account]] = {}
        for number, host in enumerate(hosts):
            names = _names(host)
            lines = [f"{name}:0:{secrets.token_hex(16).upper()}:{hashes[a.password]}:[U]:LCT-00000000" for name, a in names.items()]
            file = folder / f"users-{number}"
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
                out.write("\n".join(lines))
            self._files[host.name] = file
            self._accounts[host.name] = names

    def accounts(self, host: str) -> dict[str, Account]:
        """Names in upper case, as a client may give them, to accounts."""
        return self._accounts[host]

    def step(
        self, host: str, context: ContextProxy | None, protocol: str, token: bytes, kerberos: Kerberos | None = None
    ) -> tuple[ContextProxy, bytes | None]:
        """One step of the acceptor for a host. Raises whatever pyspnego makes of a hostile token."""
        import spnego

        if protocol == "kerberos" and kerberos is None:
            raise BadRequest(401)
        with _ENVIRONMENT:
            os.environ[_VARIABLE] = str(self._files[host])
            if kerberos is not None:
                kerberos.take_keys()
            if context is None and protocol == "kerberos" and kerberos is not None:
                context = kerberos.acceptor()
            context = context or spnego.server(
                protocol=protocol, options=spnego.NegotiateOptions.use_ntlm if protocol == "ntlm" else spnego.NegotiateOptions.use_negotiate
            )
            return context, context.step(token)

    def excuse(self, kerberos: Kerberos, token: bytes) -> bytes:
        """What Kerberos says to a client whose token was refused; empty where it says nothing."""
        with _ENVIRONMENT:
            kerberos.take_keys()
            return kerberos.excuse(token)

    def forget(self) -> None:
        """Takes our file out of the environment; the files themselves go with their folder."""
        with _ENVIRONMENT:
            if Path(os.environ.get(_VARIABLE, "")) in self._files.values():
                del os.environ[_VARIABLE]
            for name in (_KEYTAB, _REPLAYS) if self._kerberos else ():
                os.environ.pop(name, None)


class Kerberos:
    """The Kerberos side of one host."""

    def __init__(self, service: KerberosService, binding: bytes) -> None:
        self._service = service
        self._binding = binding

    def acceptor(self) -> ContextProxy:
        """A context that takes tickets for the service. Called with the environment held."""
        import spnego

        bindings = spnego.channel_bindings.GssChannelBindings(application_data=self._binding) if self._binding else None
        return spnego.server(protocol="kerberos", channel_bindings=bindings)

    def take_keys(self) -> None:
        """Lets the Kerberos library find this host's keys. Called with the environment held."""
        os.environ[_KEYTAB] = self._service.keytab

    def excuse(self, token: bytes) -> bytes:
        """The error token for a client whose token is refused: pyspnego drops it, the library below gives it. Never raises."""
        from gssapi import Credentials, SecurityContext
        from gssapi.raw.misc import GSSError

        try:
            context = SecurityContext(creds=Credentials(usage="accept"), usage="accept")
            return context.step(token) or b""
        except GSSError:
            return b""

    def account_name(self, context: ContextProxy) -> str:
        """The local name of who is logged on; empty for another realm, and where the ticket is not bound to the TLS connection."""
        name, _, realm = (context.client_principal or "").rpartition("@")
        bound = not self._binding or bool(int(getattr(context, "_context_attr", 0)) & _CHANNEL_BOUND)
        return name if realm == self._service.realm and bound else ""


def _names(host: HostEndpoint) -> dict[str, Account]:
    """Every name under which an account of `host` may log on: a local one alone or with the machine's name before it."""
    names: dict[str, Account] = {}
    for account in host.accounts:
        if not account.user or re.search(r"[:\x00-\x1f]", account.user):
            raise LabError(f"host {host.name}: an account name must not be empty or hold a colon or control characters", ())
        local = "\\" not in account.user and "@" not in account.user
        machine = host.machine.partition(".")[0]
        for name in [account.user, *([f"{machine}\\{account.user}"] if local else [])]:
            if name.upper() in names:
                raise LabError(f"host {host.name}: two accounts are called {name}", ())
            names[name.upper()] = account
    return names


def _basic_text(raw: bytes) -> str:
    """Basic credentials name no encoding; clients send UTF-8 or Latin-1 (requests does), and both are taken."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class Logon:
    """Logon state of one connection, and its sealing once an NTLM logon is complete."""

    def __init__(self, endpoint: HostEndpoint, files: UserFiles, binding: bytes = b"") -> None:
        self._endpoint = endpoint
        self._kerberos = Kerberos(endpoint.kerberos, binding) if endpoint.kerberos else None
        self._files = files
        refused = endpoint.behaviour.fault == "refuse_logon"
        self._accounts = {} if refused else files.accounts(endpoint.name)
        self._context: ContextProxy | None = None
        self._sealing: ContextProxy | None = None
        self._final = ""
        self.account: Account | None = None
        """Who is logged on; None before and after a failed attempt."""
        self.rejected = 0
        """Attempts that failed."""

    @property
    def can_seal(self) -> bool:
        """Whether messages of this connection can be sealed."""
        return self._sealing is not None

    def refused(self) -> HttpResponse:
        """The 401 that lists what is accepted."""
        ways = ["Negotiate", *(["Kerberos"] if self._kerberos else []), "NTLM"]
        if self._endpoint.scheme == "https" and self._endpoint.basic:
            ways.append('Basic realm="WSMAN"')
        return HttpResponse(status=401, headers=tuple(("WWW-Authenticate", way) for way in ways))

    def check(self, header: str) -> HttpResponse | None:
        """What to answer to this Authorization header (empty for none); None where the request may go on."""
        scheme, _, value = header.partition(" ")
        word = scheme.lower()
        if not header:
            return None if self.account and self._sealing else self.refused()
        self.account = None
        if word == "basic":
            return self._basic(value.strip())
        if word in ("ntlm", "negotiate") or (word == "kerberos" and self._kerberos):
            return self._tokens(scheme, value.strip())
        return self.refused()

    def _basic(self, value: str) -> HttpResponse | None:
        self._context = self._sealing = None
        if self._endpoint.scheme != "https" or not self._endpoint.basic:
            return self.refused()
        try:
            user, _, password = _basic_text(base64.b64decode(value, validate=True)).partition(":")
        except (binascii.Error, ValueError):
            return self.refused()
        account = self._accounts.get(user.upper())
        if account is None or not hmac.compare_digest(account.password.encode(), password.encode()):
            self.rejected += 1
            return self.refused()
        self.account = account
        return None

    def _tokens(self, scheme: str, value: str) -> HttpResponse | None:
        try:
            token = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return self.refused()
        if not token or len(token) > _LARGEST_TOKEN:
            return self.refused()
        if self._sealing is not None or token[:12] == b"NTLMSSP\0\x01\0\0\0":
            self._context = self._sealing = None
        protocol = "ntlm" if token.startswith(b"NTLMSSP\0") else "kerberos" if _KERBEROS_OID in token[:24] else "negotiate"
        try:
            self._context, answer = self._files.step(self._endpoint.name, self._context, protocol, token, self._kerberos)
        except Exception as error:  # noqa: BLE001  (a hostile token may raise anything in the decoder; all of it means: not logged on)
            _LOG.debug("host %s: logon failed: %s", self._endpoint.name, type(error).__name__)
            self._context = None
            self.rejected += 1
            return self._excuse(scheme, token) if protocol == "kerberos" else self.refused()
        return self._complete(scheme, answer)

    def _excuse(self, scheme: str, token: bytes) -> HttpResponse:
        """The 401 with the error that Kerberos has for the client (RFC 4120, KRB_ERROR), where it has one."""
        said = self._files.excuse(self._kerberos, token) if self._kerberos else b""
        refused = self.refused()
        header = ("WWW-Authenticate", f"{scheme} {base64.b64encode(said).decode('ascii')}")
        return HttpResponse(status=401, headers=(header, *refused.headers)) if said else refused

    def _complete(self, scheme: str, answer: bytes | None) -> HttpResponse | None:
        text = f"{scheme} {base64.b64encode(answer).decode('ascii')}" if answer else ""
        context = self._context
        if context is None or not context.complete:
            return HttpResponse(status=401, headers=(("WWW-Authenticate", text),)) if text else self.refused()
        self._context = None
        kerberos = self._kerberos if context.negotiated_protocol == "kerberos" else None
        name = kerberos.account_name(context) if kerberos else context.client_principal or ""
        account = self._accounts.get(name.upper())
        if account is None:
            self.rejected += 1
            return self.refused()
        self.account, self._sealing, self._final = account, context, text
        return None

    def closing_headers(self) -> tuple[tuple[str, str], ...]:
        """Headers that end the handshake, for the answer that follows it."""
        final, self._final = self._final, ""
        return (("WWW-Authenticate", final),) if final else ()

    def unseal(self, body: bytes) -> bytes:
        """The message in a sealed body. Raises BadRequest where the seal does not hold."""
        original = _ORIGINAL.search(body[:1024])
        start = body.find(_OCTETS, 0, 2048)
        end = body.rfind(_BOUNDARY + b"--")
        if self._sealing is None or not original or start < 0 or end < start:
            raise BadRequest(400)
        payload = body[start + len(_OCTETS) : end]
        length = struct.unpack("<I", payload[:4])[0] if len(payload) > 4 else 0
        if not 0 < length <= 64 or len(payload) < 4 + length:
            raise BadRequest(400)
        try:
            message = self._sealing.unwrap_winrm(payload[4 : 4 + length], payload[4 + length :])
        except Exception as error:
            raise BadRequest(400) from error
        if len(message) != int(original.group(3)):
            raise BadRequest(400)
        return message

    def seal(self, message: bytes) -> bytes:
        """A sealed body for a message. Raises BadRequest where nobody is logged on by NTLM."""
        if self._sealing is None:
            raise BadRequest(400)
        sealed = self._sealing.wrap_winrm(message)
        original = f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message) + sealed.padding_length}\r\n"
        return b"".join([
            _BOUNDARY, b"\r\n\tContent-Type: ", _PROTOCOL.encode(), b"\r\n", original.encode(),
            _BOUNDARY, b"\r\n\t", _OCTETS, struct.pack("<I", len(sealed.header)), sealed.header, sealed.data,
            _BOUNDARY, b"--\r\n",
        ])  # fmt: skip
