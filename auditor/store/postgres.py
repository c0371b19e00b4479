"""The store in a PostgreSQL database: how it is reached, how safely it writes, and how writers take turns.

The same promises as with SQLite: a commit survives a power cut, one writer at a time, a reader sees one state.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from auditor.model.errors import StoreError
from auditor.store.turns import only_reads

WRITERS = 0x61756469746F72
"""Key of the advisory lock that writers hold for the time of a transaction."""
CONNECT_SECONDS = 15
_STEP = "Install the extra for it: pip install 'fleet-auditor[postgres]'."


def postgres_engine(url: URL, *, write: bool, busy_milliseconds: int) -> Engine:
    """An engine for this database. Raises StoreError where the driver is not installed or the database can't hold every text."""
    limits = {"connect_timeout": CONNECT_SECONDS, "application_name": "auditor", "keepalives_idle": 30, "keepalives_interval": 10}
    isolation: Any = "READ COMMITTED" if write else "REPEATABLE READ"
    try:
        engine = create_engine(url.set(drivername="postgresql+psycopg"), connect_args=limits, isolation_level=isolation, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(f"the driver for PostgreSQL is not installed: {error.name}", next_step=_STEP) from error
    settings = {
        "synchronous_commit": "on",
        "client_encoding": "UTF8",
        "lock_timeout": str(busy_milliseconds),
        "idle_in_transaction_session_timeout": str(4 * busy_milliseconds),
        "default_transaction_read_only": "off" if write else "on",
    }

    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: Any) -> None:
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreError(f"the database's encoding is {encoding}, which can't hold every text", next_step="Make one with UTF8.")
        connection.autocommit = True
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.autocommit = False

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        if write and not only_reads(connection):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")

    return engine
