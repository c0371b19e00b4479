"""A certificate authority for one run of the lab, and the certificates of its https hosts, good and bad ones. Writes no key to stay."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import os
import re
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.lab.misbehave import Certificate

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

_DAY = datetime.timedelta(days=1)
_END = b"-----END CERTIFICATE-----"
_DNS_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,8}")


class Authority:
    """A certificate authority whose key lives in memory only. `now` is timezone-aware."""

    def __init__(self, now: datetime.datetime, name: str = "Fleet auditor lab CA") -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec

        self._now = now
        self._key: EllipticCurvePrivateKey = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._certificate = (
            _builder(subject, subject, self._key, now - _DAY, now + 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        """The authority's certificate."""
        from cryptography.hazmat.primitives.serialization import Encoding

        return self._certificate.public_bytes(Encoding.PEM)

    def issue(self, names: Sequence[str], *, expired: bool = False) -> bytes:
        """Certificate and key of a server, as PEM, for DNS names and addresses; valid since yesterday, or until yesterday."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
        from cryptography.x509.oid import ExtendedKeyUsageOID

        key = ec.generate_private_key(ec.SECP256R1())
        since, until = (self._now - 10 * _DAY, self._now - _DAY) if expired else (self._now - _DAY, self._now + 30 * _DAY)
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(_subject(names[0]), self._certificate.subject, key, since, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM) + private


def _subject(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _alternative(name: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, since: datetime.datetime, until: datetime.datetime
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def certificate_for(authority: Authority, other: Authority, machine: str, kind: Certificate) -> bytes:
    """Certificate and key of the host called `machine`; `kind` says what is wrong with them, `other` is an authority nobody trusts."""
    names = [*([machine] if _DNS_NAME.fullmatch(machine) else []), "localhost", "127.0.0.1"]
    if kind == "other_ca":
        return other.issue(names)
    if kind == "wrong_name":
        return authority.issue(["another-host.invalid"])
    return authority.issue(names, expired=kind == "expired")


def server_binding(pem: bytes) -> bytes:
    """What a logon over this certificate is bound to: tls-server-end-point (RFC 5929); the lab's certificates are signed with SHA-256."""
    der = ssl.PEM_cert_to_DER_cert(pem[: pem.index(_END) + len(_END)].decode("ascii"))
    return b"tls-server-end-point:" + hashlib.sha256(der).digest()


def server_context(pem: bytes, folder: Path) -> ssl.SSLContext:
    """A TLS server context; the key passes through a private file that is gone afterwards, for OpenSSL reads keys from files only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    file = folder / "server.pem"
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(pem)
    try:
        context.load_cert_chain(file)
    finally:
        file.unlink()
    return context
