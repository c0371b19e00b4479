"""A section's answer while it is made over WMI: rows, gaps, coverage, and the status that the probe's script would give it. Pure."""

from __future__ import annotations

from typing import Any

from auditor.model.host import Gap, LogCoverage, Status
from auditor.probes.framing import SectionAnswer

MOST_GAPS = 1000
MOST_ROWS = 20_000
NO_CONTENTS = "WMI reads no contents of files"


class Sheet:
    """Filled by a section's steps; whatever ends them, what was filled in stays."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.gaps: list[Gap] = []
        self.coverage: list[LogCoverage] = []

    def row(self, **fields: Any) -> dict[str, Any]:
        """Adds a row and returns it, to be filled further."""
        self.rows.append(fields)
        return fields

    def gap(self, record: str, field: str, reason: str) -> None:
        """Notes a piece that could not be read. The same piece is noted once."""
        gap = Gap(record=record, field=field, reason=reason)
        if len(self.gaps) < MOST_GAPS and gap not in self.gaps[-50:]:
            self.gaps.append(gap)
        elif len(self.gaps) == MOST_GAPS:
            self.gaps.append(Gap(record="", field="", reason=f"more than {MOST_GAPS} gaps: the rest is not listed"))

    def answer(self, status: Status = "ok", reason: str = "", seconds: float = 0.0) -> SectionAnswer:
        """The answer as far as it is filled; ok becomes partial where there are gaps."""
        if status == "ok" and self.gaps:
            status, reason = "partial", f"{len(self.gaps)} not read, see gaps"
        return SectionAnswer(status=status, reason=reason, rows=self.rows, gaps=self.gaps, coverage=self.coverage, seconds=seconds)
