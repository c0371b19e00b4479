"""Opens a database as the store: where it lies, which kind it is, which version it has.

Errors of the database library become StoreError here, in words a person can act on.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, exc, inspect, select
from sqlalchemy.engine import make_url

from auditor.model.errors import StoreError
from auditor.store.postgres import postgres_engine
from auditor.store.sqlite import sqlite_engine
from auditor.store.store import Store
from auditor.store.tables import FIRST_FORMAT, SCHEMA, STEPS, VERSION
from auditor.store.wording import shown_place, store_error

BUSY_MILLISECONDS = 30_000
_FORM = "Name a file, or a PostgreSQL database as postgresql://USER@HOST/NAME."


def default_path() -> Path:
    """Where the store lies unless told otherwise: the user's data folder of this system."""
    from platformdirs import user_data_dir

    return Path(user_data_dir("auditor", appauthor=False)) / "store.db"


@contextlib.contextmanager
def open_store(where: str | Path, *, write: bool = True, create: bool = True) -> Iterator[Store]:
    """The store at a path or a database URL. With `write` it is led to this version's tables, and with `create` made where it is missing.

    Raises StoreError where it can't be opened, is damaged, or was written by a newer version.
    """
    create = create and write
    engine = _engine(where, write=write, create=create)
    try:
        _prepare(engine, where, write=write, create=create)
        yield Store(engine, shown_place(where))
    finally:
        engine.dispose()


def _prepare(engine: Engine, where: str | Path, *, write: bool, create: bool) -> None:
    try:
        with engine.begin() as connection:
            found = _version(connection)
            _refuse_other(found)
            if found == 0 and not create:
                shown, step = shown_place(where), "Name the right one with --store."
                raise StoreError(f"{shown} is a database, but no store of the auditor", next_step=step)
            if write:
                _migrate(connection, found)
            elif found < VERSION:
                step = "Run `auditor check` once where it can be written."
                raise StoreError(f"the store {shown_place(where)} has the tables of an older version", next_step=step)
    except (exc.SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
        raise store_error(error, where) from error


def _engine(where: str | Path, *, write: bool, create: bool) -> Engine:
    if "://" not in str(where):
        path = Path(where).expanduser().absolute()
        return sqlite_engine(path, write=write, create=create, busy_milliseconds=BUSY_MILLISECONDS)
    try:
        url = make_url(str(where))
    except (exc.ArgumentError, ValueError) as error:
        raise StoreError(f"{shown_place(where)} is no address of a database", next_step=_FORM) from error
    kind = url.drivername.partition("+")[0]
    if kind not in ("postgresql", "postgres"):
        raise StoreError(f"the store can't be in a database of the kind {kind!r}", next_step=_FORM)
    return postgres_engine(url, write=write, busy_milliseconds=BUSY_MILLISECONDS)


@contextlib.contextmanager
def database_connection(url: str) -> Iterator[Any]:
    """The driver's own connection to a database, not for its tables. Raises StoreError where it can't be reached."""
    engine = _engine(url, write=True, create=False)
    try:
        try:
            connection = engine.raw_connection()
        except exc.SQLAlchemyError as error:
            raise store_error(error, url) from error
        try:
            yield connection.driver_connection
        finally:
            connection.invalidate()
    finally:
        engine.dispose()


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(SCHEMA.name):
        return 0
    return max(connection.execute(select(SCHEMA.c.version)).scalars(), default=0)


def _migrate(connection: Connection, found: int) -> None:
    done = found - FIRST_FORMAT + 1 if found else 0
    for number, step in enumerate(STEPS[done:], FIRST_FORMAT + done):
        step(connection)
        connection.execute(SCHEMA.delete())
        connection.execute(SCHEMA.insert().values(version=number))


def _refuse_other(found: int) -> None:
    if 0 < found < FIRST_FORMAT:
        raise StoreError("the store was written before the first release", next_step="Choose another place with --store and collect again.")
    if found > VERSION:
        raise StoreError(
            f"the store was written by a newer auditor (tables {found}, this one knows {VERSION})", next_step="Update the auditor."
        )
