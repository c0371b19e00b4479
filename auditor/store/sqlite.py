"""The store in one SQLite file: mode 0600, write-ahead log, full synchronisation (a commit survives a power cut)."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from auditor.model.errors import StoreError
from auditor.store.turns import only_reads


def sqlite_engine(path: Path, *, write: bool, create: bool, busy_milliseconds: int) -> Engine:
    """An engine for this file. Raises StoreError where there is none and none is to be made, or it can't be made."""
    if not create and not path.is_file():
        raise StoreError(
            f"there is no store at {path}",
            next_step="Run `auditor audit` or `auditor collect` first, or name it with --store.",
            usage=True,
        )
    if write:
        _make_file(path)
    return _engine(path, write=write, busy_milliseconds=busy_milliseconds)


def _make_file(path: Path) -> None:
    """Makes the file for its owner only, before the database library could make it for everyone."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        mode = path.stat()
        if mode.st_uid == os.geteuid() and stat.S_IMODE(mode.st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        step = "Choose another place with --store."
        raise StoreError(f"the store {path} can't be made: {error.strerror or error}", next_step=step) from error


def _engine(path: Path, *, write: bool, busy_milliseconds: int) -> Engine:
    query = {"uri": "true", "mode": "rw" if write else "ro"}
    if not write and not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
        query["immutable"] = "1"  # a write-ahead log can't even be looked for in a folder that can't be written
    url = URL.create("sqlite", database=f"file:{_uri_path(path)}", query=query)
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": busy_milliseconds / 1000})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL") if write else ("query_only=ON",):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.execute("PRAGMA foreign_keys=ON").close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write and not only_reads(connection) else "BEGIN")

    return engine


def _uri_path(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
