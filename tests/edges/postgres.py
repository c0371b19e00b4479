"""A private PostgreSQL server for the tests: made in a folder of its own, run by an unprivileged user, reached over loopback.

Skips with a reason where PostgreSQL (Debian: package `postgresql`) or the driver is not installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

SETTINGS = {"fsync": "on", "full_page_writes": "on", "listen_addresses": "127.0.0.1", "max_connections": "40", "logging_collector": "off"}


def _programs() -> Path | None:
    """Folder of initdb and pg_ctl; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name))
    return folders[-1] if folders and (folders[-1] / "initdb").is_file() else None


def _user() -> pwd.struct_passwd | None:
    """Who runs the server: PostgreSQL refuses to be run by root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    pytest.skip("run as root, and there is no unprivileged user to run PostgreSQL")


class Server:
    """A server in a folder. Databases are reached by `url`; the superuser has a password, made up for each run."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        self._data = folder / "data"
        self._account = _user()
        self.port = _free_port()
        self.password = secrets.token_hex(8)

    def make(self, encoding: str = "UTF8") -> None:
        """Makes the data folder."""
        words = self.folder / "password"
        words.write_text(self.password)
        self.own(self.folder, words)
        options = ["-U", "auditor", "--pwfile", str(words), "-A", "scram-sha-256", "-E", encoding, "--locale", "C.UTF-8", "--no-sync"]
        self._run("initdb", "-D", str(self._data), *options)

    def own(self, *paths: Path) -> None:
        """Gives files to the user that the server runs as."""
        for path in paths:
            if self._account is not None:
                os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def start(self) -> None:
        """Starts it and returns when it takes connections, also after a crash."""
        options = [f"-c {name}={value}" for name, value in SETTINGS.items()]
        options += [f"-p {self.port}", f"-c unix_socket_directories={self.folder}"]
        self._run("pg_ctl", "-D", str(self._data), "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", " ".join(options), "start")

    def stop(self, how: str = "fast") -> None:
        """Stops it; `immediate` is as a power cut: nothing is written any more."""
        self._run("pg_ctl", "-D", str(self._data), "-m", how, "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        who: dict[str, Any] = {}
        if self._account is not None:
            who = {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}
        clean = {"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder), "LC_ALL": "C.UTF-8"}
        command = [str(self._programs / program), *arguments]
        with (self.folder / f"{program}.out").open("w+") as said:
            done = subprocess.run(command, stdout=said, stderr=said, check=False, env=clean, cwd=self.folder, timeout=120, **who)
            said.seek(0)
            assert done.returncode == 0, said.read()

    def url(self, database: str, *, user: str = "auditor", password: str | None = None) -> str:
        """The address of a database."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """One statement, committed; rows where it gives some."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def database(self, encoding: str = "UTF8") -> str:
        """A new, empty database."""
        name = f"store_{secrets.token_hex(4)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'")
        return name


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def private_server() -> Iterator[Server]:
    """A running server, gone at the end with all its files. Skips where it can't be had."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install --no-install-recommends postgresql)")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("the driver is not installed: pip install 'fleet-auditor[postgres]'")
    with tempfile.TemporaryDirectory(prefix="auditor-postgres-") as folder:
        server = Server(programs, Path(folder))
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


class Place:
    """Where a store lies, and a way to look at its tables behind its back."""

    def __init__(self, where: str, server: Server | None) -> None:
        self.where = where
        self._server = server

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return "postgresql" if self._server else "sqlite"

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """One statement, committed; rows where it gives some."""
        if self._server is not None:
            return self._server.execute(statement, self.where.rpartition("/")[2])
        with contextlib.closing(sqlite3.connect(self.where)) as connection, connection:
            return connection.execute(statement).fetchall()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests."""
    with private_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty place for a store, once of each kind."""
    if request.param == "sqlite":
        return Place(str(tmp_path / "store.db"), None)
    running: Server = request.getfixturevalue("server")
    return Place(running.url(running.database()), running)
