"""The copy job, as the graph and the reports see it. How it is found is told elsewhere: this module costs nothing to import."""

from __future__ import annotations

import msgspec

from auditor.model.finding import CopyEnd, Evidence


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
