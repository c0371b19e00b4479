"""Records of what runs and what happened: tasks, scripts, shares, events, logons, dumps, sessions, replication, jobs.

The rules for all records stand at the head of `host`.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class TaskRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A scheduled task as found; `probes.tasks.decode` reads what it means."""

    path: str
    """Full task path (`\\Microsoft\\...`), or file name of a .job file."""
    source_format: Literal["xml", "job", "schtasks", "at"]
    text: str | None = None
    """The task's XML, or the lines that schtasks printed for it."""
    data: str | None = None
    """A .job file in base64."""


class TaskReading(msgspec.Struct, frozen=True, kw_only=True):
    """Moving values of a task."""

    path: str
    last_run: str | None = None
    """Local time as printed where UTC is not known."""
    next_run: str | None = None
    last_result: int | None = None
    state: str | None = None
    """As printed; `never run` where the service says that it never did: then there is no last run, else it is not known."""
    user_drives: tuple[str, ...] | None = None
    """Drives that the task's account keeps mapped, as `z: \\\\server\\share`; None where its hive was not loaded or not readable."""


class ScriptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A script that a task calls, directly or through another script."""

    path: str
    """Local path as it was called, with variables expanded."""
    called_by: tuple[str, ...] = ()
    """Task paths and script paths that call it."""
    text: str | None = None
    """Its text after redaction; None where it was not read (see gaps)."""
    size_bytes: int | None = None
    modified_at: str | None = None


class ShareRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A file share that the host offers."""

    name: str
    path: str | None = None
    description: str | None = None
    type: Literal["disk", "printer", "device", "ipc", "unknown"] = "unknown"
    administrative: bool = False
    """Made by Windows (C$, ADMIN$, IPC$)."""


class EventReading(msgspec.Struct, frozen=True, kw_only=True):
    """An event-log record of interest. All events are readings."""

    log: str
    source: str
    """Provider name."""
    id: int
    """Event id without qualifiers."""
    time: str
    """When it was written."""
    record: int | None = None
    """Record number."""
    level: Literal["critical", "error", "warning", "information", "audit_success", "audit_failure", "unknown"] = "unknown"
    strings: tuple[str, ...] = ()
    """Insertion strings; the same in every language."""
    message: str | None = None
    """Rendered text; localised."""
    category: int | None = None


class LogCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """How far back a log reaches: absent is unknown before `oldest`."""

    log: str
    oldest: str | None = None
    """Time of the oldest record."""
    asked_from: str | None = None
    """Start of the window asked for."""


class LogonReading(msgspec.Struct, frozen=True, kw_only=True):
    """A logon to the host, from the security log."""

    time: str
    account: str | None = None
    domain: str | None = None
    logon_type: int | None = None
    """2 interactive, 3 network, 4 batch, 5 service, 10 remote interactive."""
    workstation: str | None = None
    """Name of the source as the client gave it."""
    address: str | None = None
    """Source address."""
    event_id: int | None = None
    """528, 540 (2003) or 4624."""


class DumpRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A crash-dump file (`kind` minidump or memory), or the settings that decide what is written (`kind` settings)."""

    kind: Literal["minidump", "memory", "settings"]
    path: str
    """File path; for settings the registry key."""
    size_bytes: int | None = None
    modified_at: str | None = None
    dump_type: int | None = None
    """Settings: CrashDumpEnabled (0 none, 1 complete, 2 kernel, 3 small, 7 automatic)."""
    overwrite: bool | None = None
    auto_reboot: bool | None = None


class DumpPieceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Some bytes of a crash-dump file. Asked for by `investigate` only; a dump holds memory, so it is kept like a secret."""

    path: str
    offset: int
    """Where the piece lies in the file, in bytes."""
    size_bytes: int | None = None
    """Size of the whole file."""
    modified_at: str | None = None
    data: str | None = None
    """The bytes in base64."""


class SessionReading(msgspec.Struct, frozen=True, kw_only=True):
    """An open file-share session."""

    client: str
    """Name or address of the other machine, without backslashes before it."""
    user: str | None = None
    open_files: int | None = None
    shares: tuple[str, ...] | None = None
    """Shares that this client is connected to; None where the host did not tell."""


class ReplicationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A replicated folder (DFSR, FRS)."""

    service: Literal["dfsr", "frs"]
    group: str
    folder: str | None = None
    path: str | None = None
    partners: tuple[str, ...] = ()


class JobRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A job of another scheduler (SQL Agent, backup, shadow copy)."""

    scheduler: str
    name: str
    step: str | None = None
    command: str | None = None
    """Command line after redaction."""
    enabled: bool | None = None
