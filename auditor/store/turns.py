"""Who waits for whom: a transaction that only reads sees one state and waits for nobody, one that writes has its turn."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

_READS = "auditor_reads"


def reading_options(dialect: str) -> dict[str, Any]:
    """Options of a connection whose next transaction only reads."""
    return {_READS: True} | ({"isolation_level": "REPEATABLE READ"} if dialect == "postgresql" else {})


def only_reads(connection: Connection) -> bool:
    """Whether the transaction that begins on a connection only reads."""
    return bool(connection.get_execution_options().get(_READS))
