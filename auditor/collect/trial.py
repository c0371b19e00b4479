"""One host tried step by step, for a person who wants to know why it can't be asked: ports, Identify, mechanisms, logon, shell, WMI.

Every function tries one thing and says what came of it; none raises for what a host does, and none runs a command.
"""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from auditor.collect.budget import Budget
from auditor.collect.reasons import reason_for
from auditor.collect.session import ShellProtocol
from auditor.collect.transport import SOAP_TYPE, Ways, WinrmTransport
from auditor.collect.wmi import WmiSession
from auditor.model.credential import Credential
from auditor.model.errors import CollectError, DecodeError
from auditor.model.host import Scheme, Target
from auditor.probes.bundle import ProbeRequest
from auditor.probes.wmi.pages import parse
from auditor.probes.wmi.questions import CIMV2, Found, Output, Query, RegistryCall

PORTS: tuple[tuple[int, Scheme], ...] = ((5985, "http"), (5986, "https"), (80, "http"), (443, "https"))
"""Where WinRM listens: 2.0 and later, and 1.1 (80 and 443)."""
TRY_SECONDS = 15.0
_TRY_BYTES = 8 * 1024 * 1024
_IDENTIFY = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
    '<i:Identify xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"/></s:Body></s:Envelope>'
)
_STACK = re.compile(r"Stack:\s*(\d{1,3}\.\d{1,3})")
_WORD = re.compile(r"[A-Za-z0-9-]{1,20}")


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """What answers at one port."""

    port: int
    scheme: Scheme
    open: bool = False
    """Whether a connection stands."""
    secured: bool = False
    """Whether TLS stands, its certificate checked as the inventory says."""
    reason: str = ""
    """Why it is no WinRM service that can be used; empty where it is one."""
    next_step: str = ""
    stack: str | None = None
    """Version of the WinRM stack."""
    vendor: str | None = None
    offers: tuple[str, ...] = ()
    """Mechanisms that it offers, as its WWW-Authenticate headers name them."""
    skew_seconds: float | None = None
    """The host's clock less ours, by its Date header."""


def resolve(target: Target) -> tuple[tuple[str, ...], str]:
    """The addresses behind the target's name, and why there are none."""
    try:
        found = socket.getaddrinfo(target.address, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return (), f"the name {target.address} can't be resolved"
    return tuple(dict.fromkeys(str(info[4][0]) for info in found)), ""


def candidates(target: Target, ports: tuple[tuple[int, Scheme], ...] = PORTS) -> tuple[tuple[int, Scheme], ...]:
    """The inventory's port first, then the usual ones."""
    own = (target.port, target.scheme)
    return (own, *(entry for entry in ports if entry[0] != target.port))


def look(target: Target, port: int, scheme: Scheme, ways: Ways) -> Listener:
    """What listens at a port: a connection, TLS where it is https, Identify, and a request without credentials."""
    there = msgspec.structs.replace(target, port=port, scheme=scheme)
    budget = Budget(target.name, TRY_SECONDS, _TRY_BYTES, threading.Event())
    transport = WinrmTransport(there, Credential(None, None), budget, ways)
    secured = False
    try:
        transport.connect()
        secured = scheme == "https"
        reply = transport.exchange(_IDENTIFY.encode(), {"Content-Type": SOAP_TYPE, "WSMANIDENTIFY": "unauthenticated"})
        if reply.status != 200:
            raise transport.unexpected(reply)
        vendor, stack = _identity(reply.body)
        refused = transport.exchange(b"", {"Content-Type": SOAP_TYPE})
        offers = {_word(value) for value in refused.headers.get_all("WWW-Authenticate") or []} - {""}
        skew = _skew(str(reply.headers.get("Date", "")))
        found = Listener(port=port, scheme=scheme, open=True, secured=secured, stack=stack, vendor=vendor)
        return msgspec.structs.replace(found, offers=tuple(sorted(offers)), skew_seconds=skew)
    except Exception as error:  # noqa: BLE001  (whatever answers there becomes words)
        reason = reason_for(error, there, budget.step)
        is_open = transport.wire is not None
        return Listener(port=port, scheme=scheme, open=is_open, secured=secured, reason=reason.message, next_step=reason.next_step)
    finally:
        transport.close_session()


def _identity(body: bytes) -> tuple[str | None, str | None]:
    """Vendor and stack version in an answer to Identify. Raises CollectError where it is none."""
    try:
        texts = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in parse(body).iter()}
    except DecodeError as error:
        raise http.client.HTTPException("no SOAP") from error
    if "ProductVersion" not in texts:
        raise http.client.HTTPException("no answer to Identify")
    match = _STACK.search(texts["ProductVersion"])
    return texts.get("ProductVendor"), match.group(1) if match else None


def _word(value: Any) -> str:
    match = _WORD.match(str(value).strip())
    return match.group(0) if match else ""


def _skew(date: str) -> float | None:
    try:
        return round(parsedate_to_datetime(date).timestamp() - time.time(), 1)
    except (ValueError, OverflowError):
        return None


@contextmanager
def _logged_on(target: Target, credential: Credential, ways: Ways) -> Iterator[WinrmTransport]:
    transport = WinrmTransport(target, credential, Budget(target.name, 2 * TRY_SECONDS, _TRY_BYTES, threading.Event()), ways)
    try:
        transport.open()
        yield transport
    finally:
        transport.close_session()


def try_logon(target: Target, credential: Credential, ways: Ways) -> CollectError | None:
    """Why the account can't log on, None where it can. Mechanisms without a handshake are shown with a first message: Identify."""
    step = "logging on"
    try:
        with _logged_on(target, credential, ways) as transport:
            transport.send_message(_IDENTIFY)
            return None
    except Exception as error:  # noqa: BLE001  (as above)
        return reason_for(error, target, step)


def try_shell(target: Target, credential: Credential, ways: Ways) -> CollectError | None:
    """Why no shell can be opened, None where one can; it is closed at once, and no command is run."""
    try:
        with _logged_on(target, credential, ways) as transport, transport.budget.phase("opening the shell", TRY_SECONDS):
            protocol = ShellProtocol(transport)
            protocol.close_shell(protocol.open_shell(noprofile=True, idle_timeout="PT60S"), close_session=False)
            return None
    except Exception as error:  # noqa: BLE001  (as above)
        return reason_for(error, target, "opening the shell")


class WmiTrial(msgspec.Struct, frozen=True, kw_only=True):
    """What WMI lets the account do; an empty text is: it works."""

    queries: str
    """Queries in root/cimv2."""
    registry: str
    """Reading the registry through StdRegProv."""
    registry_namespace: str = CIMV2
    """The namespace in which StdRegProv was found, or looked for last."""
    next_step: str = ""


def try_wmi(target: Target, credential: Credential, ways: Ways, request: ProbeRequest, now: Callable[[], datetime]) -> WmiTrial:
    """What the account may ask WMI for."""
    questions = (Query("SELECT Caption FROM Win32_OperatingSystem"), RegistryCall("EnumKey", "SOFTWARE"))
    try:
        with _logged_on(target, credential, ways) as transport, transport.budget.phase("asking over WMI", TRY_SECONDS):
            session = WmiSession(ShellProtocol(transport), target.name, request, answer_bytes=_TRY_BYTES, now=now)
            answers = [session.ask(question) for question in questions]
    except Exception as error:  # noqa: BLE001  (as above)
        reason = reason_for(error, target, "asking over WMI")
        return WmiTrial(queries=reason.message, registry=reason.message, next_step=reason.next_step)
    steps = [answer.next_step for answer in answers if isinstance(answer, CollectError)]
    return WmiTrial(
        queries=_said(answers[0]),
        registry=_said(answers[1]),
        registry_namespace=session.registry_namespace,
        next_step=steps[0] if steps else "",
    )


def _said(answer: Found | Output | CollectError) -> str:
    if isinstance(answer, CollectError):
        return answer.message
    return "" if isinstance(answer, Found) or answer.code == 0 else f"the method says {answer.code}"
