"""One process at a time for a piece of work on a store, such as the watch. A process that dies lets go by dying."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from auditor.model.errors import StoreError
from auditor.store.wording import shown_place


@contextlib.contextmanager
def hold(where: str | Path, work: str) -> Iterator[None]:
    """Holds a piece of work for the time of the block. Raises StoreError where another process holds it, or the store can't be reached.

    For a file, a file beside it is locked; for a database, an advisory lock is held by a connection of its own.
    """
    with _database_lock(str(where), work) if "://" in str(where) else _file_lock(Path(where).expanduser().absolute(), work):
        yield


def _held(where: str | Path, work: str) -> StoreError:
    step = "Wait for it to end, or stop it."
    return StoreError(f"another process is at it: {work} on the store {shown_place(where)}", next_step=step)


@contextlib.contextmanager
def _file_lock(path: Path, work: str) -> Iterator[None]:
    import fcntl

    lock = path.with_name(f"{path.name}.{work}.lock")
    try:
        lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{lock} can't be made: {error.strerror or error}", next_step="Choose another place with --store.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _held(path, work) from error
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _database_lock(url: str, work: str) -> Iterator[None]:
    from auditor.store.opening import database_connection

    key = int.from_bytes(hashlib.sha256(f"auditor {work}".encode()).digest()[:8], "big", signed=True)
    with database_connection(url) as connection:
        connection.autocommit = True
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
        if row is None or not row[0]:
            raise _held(url, work)
        yield
