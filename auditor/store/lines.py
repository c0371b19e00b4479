"""The lines of an exported store: one JSON value a line, the first says what it is, the last that nothing is missing. Types only."""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.model.change import Accepted, Explanation, FindingLife
from auditor.model.finding import Report
from auditor.model.host import HostResult, Target
from auditor.model.plan import RemediationRecord
from auditor.model.remedy import TaskEvent
from auditor.store.shapes import RunKind, RunState

FORMAT = "auditor-store"
VERSION = 1


class Line(msgspec.Struct, frozen=True, kw_only=True, tag_field="line", tag=str.lower):
    """Any line."""


class Head(Line, frozen=True, kw_only=True):
    """The first line."""

    format: str = FORMAT
    version: int = VERSION
    auditor: str
    """Version of the program that wrote it."""
    at: str
    redacted: bool
    """Whether names and addresses were replaced."""


class Run(Line, frozen=True, kw_only=True):
    """A run; its results follow."""

    id: str
    kind: RunKind
    started_at: str
    auditor: str
    state: RunState


class Result(Line, frozen=True, kw_only=True):
    """What became of a host in a run."""

    run: str
    target: Target
    result: HostResult


class Link(Line, frozen=True, kw_only=True):
    """A run that rests on a host's result in another run."""

    run: str
    host: str
    of: str


class Reported(Line, frozen=True, kw_only=True):
    """The report of a run."""

    run: str
    report: Report


class Life(Line, frozen=True, kw_only=True):
    """The life of a finding."""

    life: FindingLife


class Frozen(Line, frozen=True, kw_only=True):
    """A state that a person froze."""

    accepted: Accepted


class Expected(Line, frozen=True, kw_only=True):
    """Why changes were expected."""

    explanation: Explanation


NOTED = ("watch", "case", "notice")
"""Kinds of what the watch remembers."""


class Noted(Line, frozen=True, kw_only=True):
    """Something that the watch remembers, as it is stored."""

    kind: Literal["watch", "case", "notice"]
    id: str
    data: str


class Remediation(Line, frozen=True, kw_only=True):
    """One application of a plan, with what came of each task."""

    record: RemediationRecord
    events: tuple[TaskEvent, ...] = ()


class End(Line, frozen=True, kw_only=True):
    """The last line."""

    lines: int
    """How many lines come before it."""
    sha256: str
    """Over all bytes before it."""


AnyLine = Head | Run | Result | Link | Reported | Life | Frozen | Expected | Noted | Remediation | End
