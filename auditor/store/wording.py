"""What went wrong with a database, in words a person can act on. Pure."""

from __future__ import annotations

import re
from pathlib import Path

from auditor.model.errors import StoreError

_CAUSES = (
    (
        ("readonly", "read-only", "attempt to write"),
        "is read-only",
        "Make the file and its folder writable, or choose another place with --store.",
    ),
    (
        ("disk is full", "no space", "disk i/o error", "could not extend file", "file too large"),
        "can't be written: the disk is full or failing",
        "Free some space or choose another place with --store.",
    ),
    (
        ("malformed", "not a database", "corrupt", "can't decode"),
        "is damaged or no database",
        "Restore it from a copy, or choose another file with --store.",
    ),
    (("locked", "busy", "lock timeout"), "is in use by another process that does not let go", "Wait for the other run to end."),
    (("password", "authentication", "pg_hba"), "does not let this user in", "Check the user and the password of the database's address."),
    (("permission denied",), "does not let this user write", "Grant the user the right to create tables there."),
    (("unable to open",), "can't be opened", "Check the rights on the file and its folder."),
    (("does not exist",), "is not there", "Create the database first, or name another one."),
    (
        (
            "connection refused",
            "could not connect",
            "connection failed",
            "timeout expired",
            "could not translate",
            "name resolution",
            "starting up",
            "shutting down",
            "recovery mode",
        ),
        "can't be reached",
        "Check the database's address and that it runs.",
    ),
    (
        (
            "closed the connection",
            "terminating connection",
            "connection is lost",
            "connection is closed",
            "consuming input",
            "eof detected",
        ),
        "was stopped while it was in use",
        "What was saved before is there. Run again when the database is back.",
    ),
)
_SECRETS = re.compile(r"([?&](?:password|sslpassword)=)[^&]*")


def store_error(error: Exception, where: str | Path) -> StoreError:
    """The StoreError for an error of the database library; its own text stays in the message, the statement and its values do not."""
    original = (str(getattr(error, "orig", None) or error) or type(error).__name__).splitlines()[0][:200]
    place = shown_place(where)
    for words, cause, step in _CAUSES:
        if any(word in original.casefold() for word in words):
            return StoreError(f"the store {place} {cause} ({original})", next_step=step)
    return StoreError(f"the store {place} failed: {original}", next_step="Run with -v for the trace.")


def shown_place(where: str | Path) -> str:
    """A path or database URL fit to be shown: the password of a URL is left out."""
    return _SECRETS.sub(r"\1***", re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", str(where)))
