"""What the server must know of a host to answer for it: its name, accounts, Windows version and behaviour. Values only."""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.lab.misbehave import Behaviour
from auditor.lab.process import Role


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """One account of a host. The password is a lab password, written in a fleet file."""

    user: str
    """`name`, `DOMAIN\\name` or `name@realm`; compared without case."""
    password: str
    role: Role = "auditor"

    def __repr__(self) -> str:
        return f"Account(user={self.user!r}, role={self.role!r})"


class KerberosService(msgspec.Struct, frozen=True, kw_only=True):
    """How a host takes Kerberos."""

    keytab: str
    """File on this machine with the keys of the service principal."""
    realm: str
    """In capitals, as Kerberos writes it."""
    spn: str
    """Service principal without the realm: HTTP/srva.lab.example."""


class HostEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """One host as the server sees it."""

    name: str
    """Unique within the server; the inventory's name."""
    scheme: Literal["http", "https"] = "http"
    accounts: tuple[Account, ...] = ()
    os_version: str = "5.2.3790"
    """`major.minor.build`: decides Identify's answer and the quotas."""
    service_pack: str = "0.0"
    """Shown by Identify, for example 2.0."""
    hostname: str = ""
    """Computer name or FQDN: subject of the certificate and machine name in faults; empty is `name`."""
    path: str = "/wsman"
    behaviour: Behaviour = Behaviour()
    port: int = 0
    """0 lets the system choose."""
    basic: bool = True
    """Whether an https host takes Basic; over http it is never taken."""
    winrm_stack: str | None = None
    """Version of the WinRM stack; None derives it from `os_version`."""
    kerberos: KerberosService | None = None
    """None where the host takes no Kerberos, as outside of domains."""

    @property
    def machine(self) -> str:
        """The name by which the host calls itself."""
        return self.hostname or self.name

    @property
    def stack(self) -> str:
        """Version of the WinRM stack: 2.0 up to Windows 7 and Server 2008 R2 (with the updates that older ones need), then 3.0."""
        numbers = [int(part) for part in self.os_version.split(".")[:2] if part.isascii() and part.isdigit()]
        return self.winrm_stack or ("3.0" if numbers >= [6, 2] else "2.0")
