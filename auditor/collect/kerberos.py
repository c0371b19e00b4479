"""Kerberos for one collection: a ticket for each credential, got once and shared, and what Kerberos' errors mean for a person.

Owns talking to the KDC. A password that the KDC rejects is shown to it once, whatever the number of hosts: each attempt counts towards the
account's lock-out. Everything that may wait for the network runs in a thread that is left to itself at the deadline, for the Kerberos
library takes none.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from auditor.collect.budget import Budget
from auditor.model.credential import Credential
from auditor.model.errors import CollectError

if TYPE_CHECKING:
    from auditor.model.host import Target

T = TypeVar("T")
Words = tuple[str, str, str]
"""Status, reason, next step."""
_BASE = -1765328384
"""ERROR_TABLE_BASE_krb5 (RFC 4120 numbers are added to it)."""
CLOCK_STEP = "set the clocks of this machine, the host and the KDC by one source; Kerberos allows five minutes"
KERBEROS_SKEW_SECONDS = 300
_WRONG_PASSWORD = ("denied", "the KDC rejects the password of {user}", "correct the password in the inventory; each attempt counts")
_NO_TICKET = (
    "not_asked",
    "there is no Kerberos ticket, and the inventory gives neither password nor keytab",
    "run kinit, or set ansible_password or ansible_winrm_keytab",
)
_NO_KDC = ("failed", "the KDC of the realm can't be reached or found", "look at realm (in capitals), krb5.conf and DNS, and at port 88")
_WRONG_KEY = (
    "failed",
    "the host can't open the ticket for {spn}: the service name belongs to another account or its key has changed",
    "look for duplicate service names (setspn -X), or let the host join the domain again",
)
_WORDS: dict[int, Words] = {
    _BASE + 6: ("denied", "the KDC knows no account {user}", "correct ansible_user: user@REALM, the realm in capitals"),
    _BASE + 7: (
        "failed",
        "the KDC knows no service {spn}",
        "use the host's own name (ansible_winrm_kerberos_hostname_override), or register the service name with setspn",
    ),
    _BASE + 18: ("denied", "the account {user} is locked, disabled or expired", "look at the account in the directory"),
    _BASE + 23: ("denied", "the password of {user} has expired", "change it"),
    _BASE + 24: _WRONG_PASSWORD,
    _BASE + 31: _WRONG_PASSWORD,
    _BASE + 32: ("denied", "the Kerberos ticket has expired", "run kinit again"),
    _BASE + 37: ("failed", "the clocks differ too much for Kerberos (KRB_AP_ERR_SKEW)", CLOCK_STEP),
    _BASE + 41: _WRONG_KEY,
    _BASE + 44: _WRONG_KEY,
    _BASE + 35: ("failed", "the ticket is for another service than the host's", "use the host's own name as ansible_host"),
    _BASE + 68: _NO_KDC,
    -1765328174: _WRONG_PASSWORD,  # KRB5_PREAUTH_FAILED
    -1765328228: _NO_KDC,  # KRB5_KDC_UNREACH
    -1765328230: _NO_KDC,  # KRB5_REALM_UNKNOWN
    -1765328164: _NO_KDC,  # KRB5_REALM_CANT_RESOLVE
    -1765328189: _NO_TICKET,  # KRB5_FCC_NOFILE
    -1765328243: _NO_TICKET,  # KRB5_CC_NOTFOUND
    -1765328203: ("not_asked", "the keytab holds no key of {user}", "make it again, or correct ansible_user"),  # KRB5_KT_NOTFOUND
    -1765328250: ("not_asked", "the account name {user} is none that Kerberos knows", "write user@REALM"),  # KRB5_PARSE_MALFORMED
    39756032 + 44: _NO_TICKET,  # KG_EMPTY_CCACHE, of the GSS table of MIT's library
}
_GSS_NO_CREDENTIAL = 7 << 16
"""GSS_S_NO_CRED of the major status."""


class Tickets:
    """Tickets of one collection by credential. Used by many threads."""

    def __init__(self) -> None:
        self._known: dict[int, str | CollectError] = {}
        self._keep: list[Any] = []
        self._numbers = itertools.count(1)
        self._locks: dict[int, threading.Lock] = {}
        self._lock = threading.Lock()

    def cache_of(self, target: Target, credential: Credential, budget: Budget) -> str | None:
        """The name of the credential cache with the credential's ticket, None for the default cache (no password, no keytab).

        Raises CollectError, for every host alike once the KDC has rejected the credential.
        """
        if credential.reveal() is None and credential.keytab is None:
            return None
        with self._lock:
            lock = self._locks.setdefault(credential.key, threading.Lock())
        while not lock.acquire(timeout=budget.slice()):
            continue
        try:
            if credential.key not in self._known:
                self._known[credential.key] = self._get(target, credential, budget)
            known = self._known[credential.key]
        finally:
            lock.release()
        if isinstance(known, CollectError):
            raise _of_another(target, known)
        return known

    def _get(self, target: Target, credential: Credential, budget: Budget) -> str | CollectError:
        """A new ticket. What says nothing about the credential (no KDC, no time) is raised and tried again for the next host."""
        try:
            name, handles = within(budget, lambda: _get_ticket(next(self._numbers), credential))
        except CollectError:
            raise
        except Exception as error:
            reason = kerberos_reason(error, target, credential)
            if reason.status == "failed":
                raise reason from error
            return reason
        self._keep.append(handles)
        return name


def _of_another(target: Target, known: CollectError) -> CollectError:
    if known.host == target.name:
        return known
    reason = f"credential rejected elsewhere ({known.host}): {known.message}"
    return CollectError(target.name, reason, status="not_asked", next_step=known.next_step)


def _get_ticket(number: int, credential: Credential) -> tuple[str, Any]:
    """Ask the KDC for a ticket and keep it in memory. The handles keep the cache alive."""
    import krb5

    context = krb5.init_context()
    options = krb5.get_init_creds_opt_alloc(context)
    krb5.get_init_creds_opt_set_canonicalize(options, True)
    user = (credential.user or "").encode()
    if credential.keytab is not None:
        keytab = krb5.kt_resolve(context, credential.keytab.encode())
        principal = krb5.parse_name_flags(context, user) if user else next(iter(keytab)).principal
        ticket = krb5.get_init_creds_keytab(context, principal, options, keytab=keytab)
    else:
        principal = krb5.parse_name_flags(context, user)
        ticket = krb5.get_init_creds_password(context, principal, options, password=(credential.reveal() or "").encode())
    name = f"MEMORY:auditor-{number}"
    cache = krb5.cc_resolve(context, name.encode())
    krb5.cc_initialize(context, cache, ticket.client)
    krb5.cc_store_cred(context, cache, ticket)
    return name, (context, cache)


def within(budget: Budget, work: Callable[[], T]) -> T:
    """The result of work that can't be given a deadline. Raises what it raises, and CollectError at the budget's end."""
    answers: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            answers.put((True, work()))
        except BaseException as error:  # noqa: BLE001  (handed to the thread that waits)
            answers.put((False, error))

    threading.Thread(target=run, name="kerberos", daemon=True).start()
    while True:
        try:
            good, answer = answers.get(timeout=budget.slice())
        except queue.Empty:
            continue
        if good:
            result: T = answer
            return result
        raise answer


def kerberos_reason(error: BaseException, target: Target, credential: Credential) -> CollectError:
    """What an error of the Kerberos libraries means: by its number, for its words differ with the language."""
    host = target.kerberos_host or target.address
    codes, no_credential = _codes(error)
    for code in codes:
        if words := _WORDS.get(code):
            return _fit(words, target, credential, host)
    if no_credential:
        return _fit(_NO_TICKET, target, credential, host)
    number = f" ({codes[-1] - _BASE})" if codes and 0 <= codes[-1] - _BASE < 256 else ""
    reason = f"Kerberos fails{number}: {_plain(str(error))}"
    return CollectError(target.name, reason, next_step="check ticket (klist), realm, host name and clock")


def ticket_refused(target: Target) -> CollectError:
    """The error for a host that refuses the ticket without a word."""
    return CollectError(
        target.name,
        f"the host refuses the Kerberos ticket of {target.user or 'this account'}",
        status="denied",
        next_step="look whether the account may log on there over the network, and whether HTTP/<name> is registered for this host alone",
    )


def _fit(words: Words, target: Target, credential: Credential, host: str) -> CollectError:
    status, reason, step = words
    reason = reason.replace("{user}", credential.user or "(none)").replace("{spn}", f"HTTP/{host}")
    return CollectError(target.name, reason, status=status, next_step=step)


def _codes(error: BaseException) -> tuple[list[int], bool]:
    """Error numbers along the chain of causes, and whether GSS-API says that there is no credential."""
    codes: list[int] = []
    missing = False
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        for name in ("err_code", "min_code"):
            code = getattr(current, name, None)
            if isinstance(code, int) and code:
                codes.append(code - (1 << 32) if code >= 1 << 31 else code)
        major = getattr(current, "maj_code", None)
        missing |= isinstance(major, int) and major & 0xFF0000 == _GSS_NO_CREDENTIAL
        current = getattr(current, "base_error", None) or current.__cause__ or current.__context__
    return codes, missing


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:400]).strip()[:200]
