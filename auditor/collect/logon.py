"""Logging a connection on: NTLM and Kerberos by pyspnego, Basic and client certificates by a header. One mechanism, never another.

The first message goes out at once (no anonymous request first), which every WinRM service takes; the credential itself is shown
only when the canary gives the turn.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from auditor.collect.budget import SUSPICIOUS
from auditor.collect.kerberos import CLOCK_STEP, KERBEROS_SKEW_SECONDS, kerberos_reason, ticket_refused, within
from auditor.model.credential import Credential
from auditor.model.errors import CollectError
from auditor.model.host import Target

if TYPE_CHECKING:
    from auditor.collect.transport import Reply, WinrmTransport

LOGON_SECONDS = 30.0
CERTIFICATE_HEADER = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_ROUNDS = 12
_STRONG = 0x20000000 | 0x00080000 | 0x00000020 | 0x00000010
"""NTLM flags (MS-NLMP 2.2.2.5) without which sealing is weak: 128-bit keys, extended session security, seal, sign."""
_SEALED = "application/HTTP-SPNEGO-session-encrypted"
_SEALED_CREDSSP = "application/HTTP-CredSSP-session-encrypted"


class NtlmHashes:
    """NTLM's hash of each password, made once a collection: the library makes it anew for every connection, and slowly."""

    def __init__(self) -> None:
        self._found: dict[int, bytes] = {}

    def credential(self, credential: Credential) -> Any:
        """What pyspnego takes for user and password."""
        import spnego
        from spnego._ntlm_raw.crypto import ntowfv1

        password = credential.reveal()
        if not credential.user or not password:
            return spnego.Password(credential.user or "", password or "")
        if credential.key not in self._found:
            self._found[credential.key] = ntowfv1(password)
        return spnego.NTLMHash(credential.user, nt_hash=self._found[credential.key].hex())


def standing_header(target: Target, credential: Credential) -> str:
    """The Authorization header of mechanisms that send the same with every request."""
    if target.transport == "certificate":
        return CERTIFICATE_HEADER
    text = f"{credential.user or ''}:{credential.reveal() or ''}"
    return f"Basic {base64.b64encode(text.encode('utf-8')).decode('ascii')}"


def log_on(transport: WinrmTransport) -> tuple[Any, str]:
    """The security context of the logged-on connection, and the name of its kind of sealing. Raises CollectError."""
    host, kind = transport.target.name, transport.target.transport
    context = _kerberos_context(transport) if kind == "kerberos" else _context(transport)
    word = "CredSSP" if kind == "credssp" else "Negotiate"
    with transport.budget.phase("logging on", LOGON_SECONDS):
        token = _step(transport, context, None)
        if kind == "ntlm":
            token = _step(transport, context, _challenge(transport, token, word))
    with transport.turn() as turn:
        with transport.budget.phase("logging on", LOGON_SECONDS):
            reply = _converse(transport, context, token, word)
        turn.outcome = "rejected" if reply.status == 401 else "accepted" if reply.status == 200 else "unknown"
    if reply.status == 401:
        if kind == "kerberos":
            raise _clock_reason(transport, reply) or ticket_refused(transport.target)
        raise transport.rejected() if reply.headers.get("WWW-Authenticate") else transport.unexpected(reply)
    if reply.status != 200:
        raise transport.unexpected(reply)
    if not context.complete:
        raise CollectError(host, "the host let us in without proving who it is", next_step=SUSPICIOUS)
    return context, _SEALED_CREDSSP if kind == "credssp" else _SEALED


def _clock_reason(transport: WinrmTransport, reply: Reply) -> CollectError | None:
    """Windows refuses a ticket of another time without a word; its Date header tells why."""
    try:
        theirs = parsedate_to_datetime(str(reply.headers.get("Date", "")))
        skew = theirs.timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    if abs(skew) <= KERBEROS_SKEW_SECONDS:
        return None
    reason = f"the host's clock is {abs(skew) / 60:.0f} minutes {'ahead' if skew > 0 else 'behind'}; Kerberos allows five"
    return CollectError(transport.target.name, reason, next_step=CLOCK_STEP)


def _converse(transport: WinrmTransport, context: Any, token: bytes, word: str) -> Reply:
    """Send tokens until the host has decided."""
    for _ in range(_ROUNDS):
        finished = context.complete
        reply = _show(transport, token, word)
        answer = _token(reply, word)
        if answer is not None and not finished:
            token = _step(transport, context, answer)
        if finished or reply.status != 401 or answer is None or not token:
            return reply
    raise CollectError(transport.target.name, "the host goes on and on about the logon", next_step=SUSPICIOUS)


def _show(transport: WinrmTransport, token: bytes, word: str) -> Reply:
    """One request with a token and an empty body."""
    header = f"{word} {base64.b64encode(token).decode('ascii')}"
    return transport.exchange(b"", {"Authorization": header, "Content-Type": "application/soap+xml;charset=UTF-8"})


def _challenge(transport: WinrmTransport, token: bytes, word: str) -> bytes:
    """NTLM's challenge; it shows nothing of the credential to ask for it."""
    reply = _show(transport, token, word)
    challenge = _token(reply, word)
    if reply.status != 401:
        raise transport.unexpected(reply)
    if challenge is None:
        raise CollectError(
            transport.target.name,
            f"the host does not take NTLM; it offers {_offered(reply)}",
            status="denied",
            next_step="allow Negotiate on its WinRM service, or set ansible_winrm_transport to what it offers",
        )
    flags = int.from_bytes(challenge[20:24], "little")
    if flags & _STRONG != _STRONG:
        raise CollectError(transport.target.name, "the host offers NTLM with weak sealing only; not used", next_step=SUSPICIOUS)
    return challenge


def _context(transport: WinrmTransport) -> Any:
    import spnego
    from spnego.exceptions import SpnegoError

    target, credential = transport.target, transport.credential
    ntlm = target.transport == "ntlm"
    options = spnego.NegotiateOptions.use_ntlm if ntlm else spnego.NegotiateOptions.none
    hashes = transport.ways.hashes if ntlm else None
    try:
        return spnego.client(
            hashes.credential(credential) if hashes else credential.user,
            None if hashes else credential.reveal(),
            hostname=target.kerberos_host or target.address,
            service="http",
            protocol=target.transport,
            options=options,
            channel_bindings=_bindings(transport),
        )
    except (SpnegoError, ImportError, ValueError) as error:
        raise _impossible(target.name, error) from error


def _kerberos_context(transport: WinrmTransport) -> Any:
    """A Kerberos context with the ticket that all hosts of this credential share. Raises CollectError."""
    import spnego

    target, credential = transport.target, transport.credential
    with transport.budget.phase("asking the KDC", LOGON_SECONDS):
        cache = transport.ways.tickets.cache_of(target, credential, transport.budget)
    held = spnego.KerberosCCache(cache) if cache else spnego.CredentialCache(credential.user or None)
    try:
        return spnego.client(
            held,
            hostname=target.kerberos_host or target.address,
            service="HTTP",  # a directory does not mind the case, MIT's KDC does
            protocol="kerberos",
            channel_bindings=_bindings(transport),
        )
    except Exception as error:
        raise kerberos_reason(error, target, credential) from error


def _bindings(transport: WinrmTransport) -> Any:
    """What ties the logon to the TLS connection; None without TLS."""
    import spnego

    certificate = transport.wire.certificate if transport.wire else None
    return spnego.channel_bindings.GssChannelBindings(application_data=binding(certificate)) if certificate else None


def _step(transport: WinrmTransport, context: Any, token: bytes | None) -> bytes:
    """The next token; empty where none is needed. The host's token is hostile and may raise anything in the decoder."""
    host = transport.target.name
    kerberos = transport.target.transport == "kerberos"
    try:
        # The first step of Kerberos asks the KDC for a ticket to the host.
        return (within(transport.budget, lambda: context.step(token)) if kerberos else context.step(token)) or b""
    except CollectError:
        raise
    except Exception as error:
        if kerberos:
            raise kerberos_reason(error, transport.target, transport.credential) from error
        if token is None:
            raise _impossible(host, error) from error
        raise CollectError(host, "the host's part of the logon makes no sense", next_step=SUSPICIOUS) from error


def _impossible(host: str, error: Exception) -> CollectError:
    return CollectError(
        host,
        f"the logon can't begin: {printable(str(error))}",
        next_step="check user and password",
    )


def _token(reply: Reply, word: str) -> bytes | None:
    """The token in the reply's header, None where there is none."""
    for value in reply.headers.get_all("WWW-Authenticate") or []:
        for part in str(value).split(","):
            kind, _, text = part.strip().partition(" ")
            if kind.lower() == word.lower() and text:
                try:
                    return base64.b64decode(text.strip(), validate=True)
                except (binascii.Error, ValueError):
                    return None
    return None


def _offered(reply: Reply) -> str:
    kinds = {str(value).strip().split(" ")[0] for value in reply.headers.get_all("WWW-Authenticate") or []}
    return ", ".join(sorted(k for k in kinds if re.fullmatch(r"[A-Za-z0-9-]{1,20}", k))) or "nothing"


def binding(certificate: bytes) -> bytes:
    """Channel binding `tls-server-end-point` (RFC 5929, section 4) of a certificate: its hash, by SHA-256 where the signature uses less."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes

    try:
        signed_with = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        signed_with = None
    weak = signed_with is None or signed_with.name in ("md5", "sha1")
    digest = hashes.Hash(hashes.SHA256() if weak or signed_with is None else signed_with)
    digest.update(certificate)
    return b"tls-server-end-point:" + digest.finalize()


def printable(text: str, length: int = 200) -> str:
    """A text of a library or host as one line of bounded length without control characters."""
    return "".join(c if c.isprintable() else " " for c in text[: length * 2]).strip()[:length]
