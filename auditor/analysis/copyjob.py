"""The copy job: what a walk found, as the graph and the reports see it; and the walk's set-up that all readers share."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import msgspec

from auditor.analysis.batch import run_batch, run_line
from auditor.analysis.programs import run_program
from auditor.analysis.psscript import run_powershell
from auditor.analysis.robocopy import job_words, read_robocopy
from auditor.analysis.shellstate import State
from auditor.analysis.vbscript import run_vbscript
from auditor.analysis.walker import MAX_STEPS, Found, Walker
from auditor.model.finding import CopyEnd, Evidence
from auditor.probes.redact import redact


def _run_job_file(walker: Walker, text: str, state: State) -> None:
    for raw in read_robocopy(job_words(text)):
        walker.copy(raw, state, "robocopy /JOB")


INTERPRETERS = {"batch": run_batch, "cmd": run_line, "powershell": run_powershell, "vbscript": run_vbscript, "robocopy": _run_job_file}


class CopyJob(msgspec.Struct, frozen=True, kw_only=True):
    """One copy that a host makes, once or by a schedule."""

    host: str
    """Target whose snapshot states it."""
    source: CopyEnd
    destination: CopyEnd
    tool: str
    """robocopy, xcopy, copy, move, Copy-Item, Move-Item, scp, rsync, ftp, ...; `unknown` for what a limit cut."""
    destructive: bool | None = None
    """Whether files at the destination can be deleted, or the source is moved."""
    writes_executables: bool | None = None
    """Whether executables can be among what is written; None is not known."""
    hours: tuple[int, ...] | None = None
    """Local hours in which it runs (the command's own run hours, else the task's start hours), where known."""
    enabled: bool | None = None
    """Whether the task that leads to it is enabled; None where there is no task or it does not say."""
    reason: str = ""
    """Why an end is unresolved or not a server."""
    command: str = ""
    """The statement that copies, redacted."""
    steps: tuple[Evidence, ...] = ()
    """From the task over each script to the line that copies."""

    @property
    def crosses(self) -> bool:
        """Whether an end lies on another host that the text names."""
        return "remote" in (self.source.kind, self.destination.kind)


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
