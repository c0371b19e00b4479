"""What a walk found, as a copy job; and the walk's set-up that all readers share."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from auditor.analysis.copying.batch import run_batch, run_line
from auditor.analysis.copying.copyrecord import CopyJob
from auditor.analysis.copying.programs import run_program
from auditor.analysis.copying.psscript import run_powershell
from auditor.analysis.copying.robocopy import job_words, read_robocopy
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.vbscript import run_vbscript
from auditor.analysis.copying.walker import MAX_STEPS, Found, Walker
from auditor.model.finding import CopyEnd, Evidence
from auditor.probes.redact import redact


def _run_job_file(walker: Walker, text: str, state: State) -> None:
    for raw in read_robocopy(job_words(text)):
        walker.copy(raw, state, "robocopy /JOB")


INTERPRETERS = {"batch": run_batch, "cmd": run_line, "powershell": run_powershell, "vbscript": run_vbscript, "robocopy": _run_job_file}


def new_walker(scripts: Mapping[str, str | None], steps: int = MAX_STEPS) -> Walker:
    """A walker over scripts by lower-case path, with every interpreter and program."""
    return Walker(scripts, INTERPRETERS, run_program, steps=steps)


def stopped(command: str) -> Found:
    """What stands for all that was not followed once the steps were used up."""
    return unfollowed("unknown", "more work than is done for one host: the rest was not followed", command[:200])


def unfollowed(tool: str, reason: str, command: str) -> Found:
    """A copy of which nothing is known but that there may be one, and why."""
    end = CopyEnd(kind="unresolved")
    return Found(
        source=end, destination=end, tool=tool, destructive=None, writes_executables=None, hours=None, reason=reason,
        command=command, frames=(),
    )  # fmt: skip


def job_of(found: Found, host: str, hours: tuple[int, ...] | None = None, enabled: bool | None = None) -> CopyJob:
    """The job of a host that a found copy is; its own run hours stand before those of the task."""
    return CopyJob(
        host=host,
        source=found.source,
        destination=found.destination,
        tool=found.tool,
        destructive=found.destructive,
        writes_executables=found.writes_executables,
        hours=found.hours if found.hours is not None else hours,
        enabled=enabled,
        reason=found.reason,
        command=_redacted(found.command),
        steps=tuple(Evidence(host=host, section=s, record=r, field=f, value=_redacted(v)) for s, r, f, v in found.frames),
    )


@functools.lru_cache(maxsize=4096)
def _redacted(text: str) -> str:
    return redact(text)
