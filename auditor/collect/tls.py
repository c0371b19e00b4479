"""TLS contexts of one collection, shared by hosts that trust the same authorities: loading a trust store costs more than a handshake."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from auditor.model.credential import Credential
from auditor.model.host import Target


class TlsContexts:
    """Makes and keeps contexts. May be used by many threads."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str | None, bool, str | None, str | None], ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def of(self, target: Target, credential: Credential) -> ssl.SSLContext:
        """The context for a target. Raises OSError (an ssl.SSLError is one) where a file can't be used."""
        with_certificate = target.transport == "certificate"
        key = (
            target.ca_file,
            target.validate_certificate,
            credential.certificate if with_certificate else None,
            credential.certificate_key if with_certificate else None,
        )
        with self._lock:
            if key not in self._contexts:
                self._contexts[key] = _make(*key)
            return self._contexts[key]


def _make(ca_file: str | None, validate: bool, certificate: str | None, certificate_key: str | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if validate:
        _trust(context, ca_file)
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        context.load_cert_chain(certificate, certificate_key)
    return context


def _trust(context: ssl.SSLContext, ca_file: str | None) -> None:
    """The inventory's authorities and no others; the system's where it names none."""
    if ca_file is None:
        context.load_default_certs()
    elif Path(ca_file).is_dir():
        context.load_verify_locations(capath=ca_file)
    else:
        context.load_verify_locations(cafile=ca_file)
