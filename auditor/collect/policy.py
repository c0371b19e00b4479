"""The connection policy: what is refused before a host is asked, each with a reason and a way out. Looks at files, asks no host."""

from __future__ import annotations

import importlib.util
import ipaddress
import os
from pathlib import Path
from typing import NamedTuple

from auditor.model.credential import Credential
from auditor.model.errors import CollectError
from auditor.model.host import Target


class Allowed(NamedTuple):
    """What the user allowed with a flag, beyond what is always allowed."""

    unverified: bool = False
    """Connect where the inventory says that certificates are not to be checked."""
    credssp: bool = False
    """Hand the password to hosts for which the inventory names CredSSP."""


def refusal(target: Target, credential: Credential, allowed: Allowed) -> CollectError | None:
    """Why the target is not asked; None where the policy has nothing against it."""
    found = _of_scheme(target, allowed) or _of_mechanism(target, credential, allowed) or _of_files(target, credential)
    return CollectError(target.name, found[0], status="not_asked", next_step=found[1]) if found else None


def _of_scheme(target: Target, allowed: Allowed) -> tuple[str, str] | None:
    if target.scheme == "http":
        if target.transport in ("basic", "certificate"):
            return (
                f"refused: {target.transport} over http would show the credentials to the network",
                "set ansible_winrm_transport to ntlm or kerberos, or use https",
            )
        if target.message_encryption == "never":
            return (
                "refused: ansible_winrm_message_encryption is never, so the messages would go over http in the clear",
                "remove that variable, or use https",
            )
        return None
    if not target.validate_certificate and target.transport == "basic":
        return (
            "refused: basic over https with an unchecked certificate would show the password to whoever answers",
            "name the authority in ansible_winrm_ca_trust_path and validate, or set ansible_winrm_transport to ntlm or kerberos",
        )
    if not target.validate_certificate and not allowed.unverified:
        return (
            "refused: the inventory says that its certificate is not to be checked",
            "name the authority in ansible_winrm_ca_trust_path and validate, or allow it for this run with --allow-unverified-tls",
        )
    return None


def _of_mechanism(target: Target, credential: Credential, allowed: Allowed) -> tuple[str, str] | None:
    if target.transport == "negotiate":
        return "refused: negotiate changes mechanisms by itself", "set ansible_winrm_transport to ntlm or kerberos"
    if target.transport == "credssp" and not allowed.credssp:
        return (
            "refused: CredSSP hands the account's password to the host, and the audit has no use for that",
            "set ansible_winrm_transport to ntlm or kerberos, or allow it for this run with --allow-credssp",
        )
    if target.transport in ("ntlm", "basic", "credssp"):
        missing = "user" if not credential.user else "password" if credential.reveal() is None else None
        return (f"the inventory gives no {missing}", f"set ansible_{missing}") if missing else None
    return _of_kerberos(target, credential) if target.transport == "kerberos" else None


def _of_kerberos(target: Target, credential: Credential) -> tuple[str, str] | None:
    if any(importlib.util.find_spec(name) is None for name in ("gssapi", "krb5")):
        return "Kerberos is not installed for the auditor", "install the extra [kerberos] (pyspnego[kerberos]) in its environment"
    if credential.keytab is not None and not os.access(credential.keytab, os.R_OK):
        return f"the file of ansible_winrm_keytab can't be read: {credential.keytab}", "check its path and permissions"
    if target.kerberos_host is None and _is_address(target.address):
        return (
            "Kerberos needs the host's name, and the inventory gives an address",
            "set ansible_winrm_kerberos_hostname_override or use the name",
        )
    return None


def _of_files(target: Target, credential: Credential) -> tuple[str, str] | None:
    if target.transport == "certificate":
        for name, file in (("cert_pem", credential.certificate), ("cert_key_pem", credential.certificate_key)):
            if not file:
                return f"the inventory gives no ansible_winrm_{name}", f"set ansible_winrm_{name}"
            if not os.access(file, os.R_OK):
                return f"the file of ansible_winrm_{name} can't be read: {file}", "check its path and permissions"
    if target.scheme == "https" and target.validate_certificate and target.ca_file and not Path(target.ca_file).exists():
        return f"the file of authorities does not exist: {target.ca_file}", "correct ansible_winrm_ca_trust_path"
    return None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
