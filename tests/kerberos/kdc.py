"""Starts MIT's krb5kdc for the time of some tests, or by hand: `python -m tests.kerberos.kdc FOLDER` serves until it is interrupted.

Everything lies in one folder: database, keys, configuration. The system's own Kerberos configuration is neither read nor changed.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

REALM = "LAB.EXAMPLE"
_PROGRAMS = ("krb5kdc", "kdb5_util", "kadmin.local")
_START_SECONDS = 20.0


def missing_programs() -> str:
    """Why no KDC can be started here; empty where one can."""
    absent = [name for name in _PROGRAMS if _program(name) is None]
    return f"needs {', '.join(absent)} (Debian: krb5-kdc, krb5-admin-server)" if absent else ""


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


class Kdc:
    """A running KDC. `environment` makes Kerberos programs and libraries use it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.environment = {
            "KRB5_CONFIG": str(folder / "krb5.conf"),
            "KRB5_KDC_PROFILE": str(folder / "kdc.conf"),
            "KRB5CCNAME": f"FILE:{folder / 'ticket'}",
            "KRB5_CLIENT_KTNAME": str(folder / "none.keytab"),
        }

    def add_user(self, name: str, password: str) -> str:
        """Adds a principal with a password; its full name."""
        self.admin(f"addprinc -pw {password} +requires_preauth {name}@{REALM}")
        return f"{name}@{REALM}"

    def add_service(self, name: str) -> Path:
        """Adds a service principal such as HTTP/srva.lab.example; the file with its keys."""
        keytab = self.folder / f"{name.replace('/', '-')}.keytab"
        self.admin(f"addprinc -randkey {name}@{REALM}")
        return self._keys(name, keytab)

    def user_keytab(self, name: str) -> Path:
        """A file with keys of a user, whose password stays as it is."""
        return self._keys(name, self.folder / f"{name}.user.keytab", "-norandkey ")

    def _keys(self, name: str, keytab: Path, options: str = "") -> Path:
        self.admin(f"ktadd -k {keytab} {options}{name}@{REALM}")
        return keytab

    def ticket(self, user: str, password: str) -> Path:
        """Gets a ticket into the file of the default cache, as kinit does."""
        kinit = shutil.which("kinit")
        assert kinit is not None
        self._run([kinit, user], text=f"{password}\n")
        return self.folder / "ticket"

    def admin(self, command: str) -> None:
        """Runs a command of kadmin.local."""
        self._run([str(_program("kadmin.local")), "-r", REALM, "-q", command])

    def _run(self, command: list[str], text: str = "") -> None:
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, input=text, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def prepare(self) -> None:
        """Writes the configuration and makes the database."""
        where = f"127.0.0.1:{self.port}"
        (self.folder / "krb5.conf").write_text(
            f"[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n dns_lookup_realm = false\n rdns = false\n"
            f" dns_canonicalize_hostname = false\n udp_preference_limit = 1\n[realms]\n {REALM} = {{\n  kdc = {where}\n }}\n"
            f"[domain_realm]\n .lab.example = {REALM}\n",
            encoding="ascii",
        )
        (self.folder / "kdc.conf").write_text(
            f"[kdcdefaults]\n kdc_listen = {where}\n kdc_tcp_listen = {where}\n[realms]\n {REALM} = {{\n"
            f"  database_name = {self.folder / 'principal'}\n  key_stash_file = {self.folder / 'stash'}\n"
            f"  acl_file = {self.folder / 'acl'}\n  max_life = 10h 0m 0s\n }}\n[logging]\n kdc = FILE:{self.folder / 'kdc.log'}\n",
            encoding="ascii",
        )
        self._run([str(_program("kdb5_util")), "create", "-s", "-r", REALM, "-P", secrets.token_hex(16)])


@contextlib.contextmanager
def running_kdc() -> Iterator[Kdc]:
    """A KDC in a folder that goes with it."""
    with tempfile.TemporaryDirectory(prefix="kdc-") as name:
        kdc = Kdc(Path(name), _free_port())
        kdc.prepare()
        log = (kdc.folder / "out").open("wb")
        command = [str(_program("krb5kdc")), "-n", "-r", REALM, "-P", str(kdc.folder / "pid")]
        process = subprocess.Popen(command, env={**os.environ, **kdc.environment}, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait(kdc, process)
            yield kdc
        finally:
            process.terminate()
            process.wait(10)
            log.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(kdc: Kdc, process: subprocess.Popen[bytes]) -> None:
    """Until the KDC takes connections."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, (kdc.folder / "out").read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", kdc.port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the KDC does not listen")


if __name__ == "__main__":
    with running_kdc() as served:
        sys.stdout.write("".join(f"export {name}={value}\n" for name, value in served.environment.items()))
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
