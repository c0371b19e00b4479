"""Opens a database as the store: where it lies, who may read it, how safely it writes, which version it has.

SQLite: one file of mode 0600, write-ahead log, full synchronisation (a commit survives a power cut). Errors of the database library
become StoreError here, in words a person can act on.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, exc, inspect, select
from sqlalchemy.engine import URL
from sqlalchemy.pool import StaticPool

from auditor.model.errors import StoreError
from auditor.store.store import Store
from auditor.store.tables import SCHEMA, STEPS, VERSION
from auditor.store.wording import shown_place, store_error

BUSY_MILLISECONDS = 30_000


def default_path() -> Path:
    """Where the store lies unless told otherwise: the user's data folder of this system."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("auditor", appauthor=False)) / "store.db"


@contextlib.contextmanager
def open_store(where: str | Path, *, write: bool = True, create: bool = True) -> Iterator[Store]:
    """The store at a path or a database URL. With `write` it is led to this version's tables, and with `create` made where it is missing.

    Raises StoreError where it can't be opened, is damaged, or was written by a newer version.
    """
    engine = _engine(where, write=write, create=create and write)
    try:
        _prepare(engine, where, write=write)
        yield Store(engine, shown_place(where))
    finally:
        engine.dispose()


def _prepare(engine: Engine, where: str | Path, *, write: bool) -> None:
    try:
        if write:
            with engine.begin() as connection:
                _migrate(connection)
        else:
            with engine.connect() as connection:
                _require_version(connection, where)
    except (exc.SQLAlchemyError, sqlite3.Error, UnicodeDecodeError) as error:
        raise store_error(error, where) from error


def _engine(where: str | Path, *, write: bool, create: bool) -> Engine:
    if "://" in str(where):
        return _by_url(str(where))
    path = Path(where).expanduser().absolute()
    if not create and not path.is_file():
        raise StoreError(
            f"there is no store at {path}", next_step="Run `auditor audit` or `auditor collect` first, or name it with --store."
        )
    if write:
        _make_file(path)
    return _sqlite(path, write=write)


def _by_url(url: str) -> Engine:
    try:
        return create_engine(url)
    except ModuleNotFoundError as error:
        raise StoreError(f"the driver for this database is not installed: {error.name}") from error
    except exc.ArgumentError as error:
        raise store_error(error, url) from error


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


def _sqlite(path: Path, *, write: bool) -> Engine:
    query = {"uri": "true", "mode": "rw" if write else "ro"}
    if not write and not os.access(path.parent, os.W_OK) and not path.with_name(path.name + "-wal").exists():
        query["immutable"] = "1"  # a write-ahead log can't even be looked for in a folder that can't be written
    url = URL.create("sqlite", database=f"file:{_uri_path(path)}", query=query)
    engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": BUSY_MILLISECONDS / 1000})

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL") if write else ("query_only=ON",):
            connection.execute(f"PRAGMA {pragma}").close()
        connection.execute("PRAGMA foreign_keys=ON").close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _uri_path(path: Path) -> str:
    return str(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    return max(connection.execute(select(SCHEMA.c.version)).scalars(), default=0)


def _migrate(connection: Connection) -> None:
    found = _version(connection)
    _refuse_newer(found)
    for number, step in enumerate(STEPS[found:], found + 1):
        step(connection)
        connection.execute(SCHEMA.delete())
        connection.execute(SCHEMA.insert().values(version=number))


def _require_version(connection: Connection, where: str | Path) -> None:
    found = _version(connection)
    _refuse_newer(found)
    if found == 0:
        raise StoreError(f"{where} is a database, but no store of the auditor", next_step="Name the right file with --store.")
    if found < VERSION:
        raise StoreError(
            f"the store {where} has the tables of an older version", next_step="Run `auditor check` once where it can be written."
        )


def _refuse_newer(found: int) -> None:
    if found > VERSION:
        raise StoreError(
            f"the store was written by a newer auditor (tables {found}, this one knows {VERSION})", next_step="Update the auditor."
        )
