"""A section's answer while it is made, and what the probe was asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from auditor.model.host import Gap, LogCoverage, Status
from auditor.model.times import stamp
from auditor.probes.framing import SectionAnswer

MAXIMUM_GAPS = 1000
_DEFAULTS = {
    "section_deadline_seconds": 60,
    "host_deadline_seconds": 150,
    "event_days": 30,
    "event_limit": 2000,
    "logon_minutes": 30,
    "logon_hours": 24,
    "logon_limit": 500,
    "signature_limit": 100,
    "script_limit_bytes": 262_144,
    "script_limit": 200,
    "task_limit": 5000,
    "answer_limit_bytes": 30_000_000,
    "dump_limit_bytes": 2_097_152,
}


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a bundle, as `docs/probe.md` names them."""

    sections: tuple[str, ...]
    security_keys: tuple[str, ...] = ()
    security_files: tuple[str, ...] = ()
    event_sources: tuple[str, ...] = ()
    intrusion_logs: tuple[str, ...] = ()
    job_files: tuple[str, ...] = ()
    hash_drivers: str = "none"
    around: str = ""
    dump_ranges: tuple[str, ...] = ()
    numbers: dict[str, int] = {}

    @classmethod
    def read(cls, parameters: Mapping[str, list[str]]) -> Ask:
        """From `framing.read_parameters`. Raises ValueError for a number that is none."""
        numbers = {name: int(parameters[name][0]) if parameters.get(name) else default for name, default in _DEFAULTS.items()}
        return cls(
            sections=tuple(parameters.get("sections", ())),
            security_keys=tuple(parameters.get("security_keys", ())),
            security_files=tuple(parameters.get("security_files", ())),
            event_sources=tuple(parameters.get("event_sources", ())),
            intrusion_logs=tuple(parameters.get("intrusion_logs", ())),
            job_files=tuple(parameters.get("job_files", ())),
            hash_drivers=(parameters.get("hash_drivers") or ["none"])[0],
            around=(parameters.get("around") or [""])[0],
            dump_ranges=tuple(parameters.get("dump_ranges", ())),
            numbers=numbers,
        )

    def number(self, name: str) -> int:
        """One of the numeric parameters."""
        return self.numbers[name]


class Ended(Exception):
    """A section ends by an error of the host: status and the host's words."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status: Status = status
        self.reason = reason


class Sheet:
    """Rows, gaps and log coverage of one section."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.rows: list[dict[str, Any]] = []
        self.gaps: list[Gap] = []
        self.coverage: list[LogCoverage] = []
        self.status: Status = "ok"
        self.reason = ""

    def row(self, **fields: Any) -> dict[str, Any]:
        """Adds a row and returns it, to be filled further."""
        self.rows.append(fields)
        return fields

    def gap(self, record: str, field: str, reason: str) -> None:
        """Notes a piece that could not be read."""
        if len(self.gaps) < MAXIMUM_GAPS:
            self.gaps.append(Gap(record=record, field=field, reason=reason))
        elif len(self.gaps) == MAXIMUM_GAPS:
            self.gaps.append(Gap(record="", field="", reason="more than 1000 gaps: the rest is not listed"))

    def answer(self) -> SectionAnswer:
        """The finished answer, its status as the probe decides it."""
        if self.status == "ok" and self.gaps:
            self.status, self.reason = "partial", f"{len(self.gaps)} not read, see gaps"
        return SectionAnswer(status=self.status, reason=self.reason, rows=self.rows, gaps=self.gaps, coverage=self.coverage)


def or_null(text: str | None) -> str | None:
    """An empty text is null."""
    return text or None


def trimmed(text: str | None) -> str | None:
    """A text without blanks at its ends; null where nothing is left."""
    return text.strip() or None if text is not None else None


def moment(time: datetime | None) -> str | None:
    """A time as rows carry it."""
    return stamp(time) if time is not None else None
