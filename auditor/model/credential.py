"""A credential in memory: never part of a target, a snapshot, a log line or a representation."""

from __future__ import annotations


class Credential:
    """User and password (or key tab) of one target. `key` tells equal credentials without showing them."""

    __slots__ = ("_password", "certificate", "certificate_key", "keytab", "user")

    def __init__(
        self,
        user: str | None,
        password: str | None,
        *,
        certificate: str | None = None,
        certificate_key: str | None = None,
        keytab: str | None = None,
    ) -> None:
        self.user = user
        self._password = password
        self.certificate = certificate
        self.certificate_key = certificate_key
        self.keytab = keytab

    def reveal(self) -> str | None:
        """The password; called only where it is handed to the authentication library."""
        return self._password

    @property
    def key(self) -> int:
        """Equal for equal credentials within this process; says nothing about them outside."""
        return hash((self.user, self._password, self.certificate, self.keytab))

    @property
    def account(self) -> str | None:
        r"""The domain account that wrong passwords could lock, `domain\user`; None for an account of the host itself.

        `CORP\svc` and `svc@corp.example` count as one: taking two accounts for one costs a run, taking one for two can lock it.
        """
        user = (self.user or "").strip().casefold()
        domain, slash, name = user.partition("\\")
        if not slash:
            name, _at, domain = user.rpartition("@")
        domain = domain.partition(".")[0]
        return f"{domain}\\{name}" if domain and name else None

    def __repr__(self) -> str:
        return f"Credential(user={self.user!r}, password={'***' if self._password else None})"
