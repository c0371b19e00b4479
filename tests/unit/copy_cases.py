"""Short forms of copy jobs, for the tests of what scripts copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.analysis.copying.copylines import CommandReader, parse_command
from auditor.analysis.copying.copyrecord import CopyJob
from auditor.model.finding import CopyEnd


def end(value: CopyEnd) -> str:
    """`\\\\host\\share\\path`, `local:path` or `?path`."""
    if value.kind == "remote":
        return "\\\\" + "\\".join(p for p in (value.host, value.share, value.path) if p)
    text = "\\".join(p for p in (value.share, value.path) if p)
    return f"local:{text}" if value.kind == "local" else f"?{text}"


def ends(jobs: Sequence[CopyJob]) -> list[tuple[str, str]]:
    """Source and destination of each job."""
    return [(end(j.source), end(j.destination)) for j in jobs]


def line(text: str, **more: Mapping[str, str]) -> list[tuple[str, str]]:
    """Ends of the copies of one command line."""
    return ends(parse_command(text, more.get("variables"), more.get("scripts")))


def script(kind: str, text: str, **scripts: str) -> list[tuple[str, str]]:
    """Ends of the copies of one script."""
    return ends(CommandReader(scripts).read_script(kind, text))


def one(text: str) -> CopyJob:
    """The only copy of a command line."""
    (job,) = parse_command(text)
    return job
