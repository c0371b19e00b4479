"""The record of what the operator's account did: one JSON object a line, in order, without secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from auditor.model.times import stamp

_LONGEST = 2000
_SECRET_NAME = re.compile(r"pass|secret|token|credential|(^|_)key$|pwd", re.IGNORECASE)
_SECRETS = (
    re.compile(r"(?i)(\b\w*(?:password|passwd|pwd|secret|token)\w*\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|\S+)"),
    re.compile(r"(?i)(\s[-/](?:p|rp|pw|pass|password)\s+)(\"[^\"]*\"|'[^']*'|\S+)"),
    re.compile(r"(?i)(\bnet1?(?:\.exe)?\s+use\s+\S+\s+(?:\S+\s+)?)((?![/\\])\S+)(?=\s+/user)"),
    re.compile(r"(?i)(\s/user:\S+\s+)([^/\s]\S*)"),
)


class Journal:
    """Notes operations of all hosts; `path` None notes nothing."""

    def __init__(self, path: Path | None, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock

    def add(self, host: str, kind: str, what: str, **more: Any) -> None:
        """Notes one: `kind` is module, line, powershell, file, process or restart; `what` its name or command line."""
        if self._path is None:
            return
        entry = {"time": stamp(self._clock()), "host": host, "kind": kind, "what": without_secrets(what)[:_LONGEST], **more}
        with self._path.open("ab") as stream:
            stream.write(msgspec.json.encode(entry) + b"\n")


def without_secrets(line: str) -> str:
    """A command line with what looks like a password struck out."""
    for pattern in _SECRETS:
        line = pattern.sub(r"\1********", line)
    return line


def safe_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """A module's own arguments with secrets struck out."""
    return {name: _safe(name, value) for name, value in arguments.items() if not name.startswith("_ansible") and value is not None}


def _safe(name: str, value: Any) -> Any:
    if _SECRET_NAME.search(name):
        return "********"
    if isinstance(value, str):
        return without_secrets(value)[:_LONGEST]
    if isinstance(value, dict):
        return {key: _safe(key, item) for key, item in value.items()}
    return [_safe(name, item) for item in value] if isinstance(value, list) else value
