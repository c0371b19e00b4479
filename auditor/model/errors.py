"""Every error of the auditor: one root, one child an area, the facts as attributes. Only the CLI turns them into words and codes."""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong in an input file."""

    file: str
    """The file as the user named it."""
    line: int = 0
    """Line, counted from 1; 0 when the place is the file as a whole."""
    column: int = 0
    """Column, counted from 1; 0 when not known."""
    subject: str = ""
    """What the problem is in: a rule id, a host name, a key path."""
    message: str
    """What is wrong and what was expected."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.subject}: {self.message}" if self.subject else f"{place}: {self.message}"


class AuditorError(Exception):
    """Root of all errors that the auditor raises on purpose. `next_step` says what a person can do.

    `usage`: the words of the command line are what is wrong, such as the name of a file that is not there (exit code 64).
    """

    def __init__(self, message: str, *, next_step: str = "", usage: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.usage = usage


class UsageError(AuditorError):
    """Wrong words on the command line, an empty target list or rule set (exit code 64)."""


class InventoryError(AuditorError):
    """The inventory can't be read or resolved."""


class InputFileError(AuditorError):
    """A file written by a person (rule, signature, fleet, waiver, change) is wrong; all problems at once."""

    def __init__(self, message: str, problems: tuple[Problem, ...], *, next_step: str = "", usage: bool = False) -> None:
        super().__init__(message, next_step=next_step, usage=usage)
        self.problems = problems


class MatrixError(InputFileError):
    """A rule, signature or baseline of the compatibility matrix is wrong; nothing of the matrix is loaded."""


class LabError(InputFileError):
    """A fleet file of the lab is wrong."""


class CollectError(AuditorError):
    """A host could not be asked. `host`, `status` (vocabulary of sections) and a reason a person can act on."""

    def __init__(self, host: str, reason: str, *, status: str = "failed", next_step: str = "") -> None:
        super().__init__(reason, next_step=next_step)
        self.host = host
        self.status = status


class DecodeError(AuditorError):
    """Bytes are not what they should be. `place` is a byte offset, line or key path inside the source."""

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class StoreError(AuditorError):
    """The store can't be opened, read or written, or what it holds is damaged."""


class ReportError(AuditorError):
    """A report can't be rendered or written."""


class RemediationError(AuditorError):
    """A plan can't be made, checked or applied."""


class NotifyError(AuditorError):
    """A notice could not be delivered. `channel` is the name of where it should have gone."""

    def __init__(self, channel: str, reason: str, *, next_step: str = "") -> None:
        super().__init__(f"{channel}: {reason}", next_step=next_step)
        self.channel = channel


class PlaybookError(AuditorError):
    """A playbook can't be run, or not as asked."""
