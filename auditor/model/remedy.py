"""Remedies: what a playbook declares of itself, what is asked of the runner, and what came back. Types only.

A remedy is `playbooks/<id>.yml` (the play) with `playbooks/<id>.remedy.yml` (this declaration). The matrix names it in a rule's `remedy`.
Values for a host travel as data in a private file; a declaration never holds a value that a host said.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

Way = Literal["modules", "raw", "person"]
"""How steps reach a host: Ansible's modules for Windows, `raw` command lines with guards of their own, or a person at the machine."""
RollbackKind = Literal["automatic", "manual", "none"]
VariableType = Literal["text", "whole", "truth", "texts", "secret"]
RestartNeed = Literal["never", "maybe", "always"]
HostOrder = Literal["any", "managers-first", "clients-first"]
"""How several hosts of one operation are ordered along their `manages` and `updates` ties."""
Value = str | int | bool | tuple[str, ...]
"""Of a variable: a text, a whole number, a truth, or several texts."""
RunStatus = Literal["successful", "failed", "timed_out", "cancelled", "refused"]
TaskStatus = Literal["ok", "changed", "failed", "skipped", "unreachable", "ignored"]


def step_id(title: str) -> str:
    """The id of a step from its title: `Remove the server` is `remove-the-server`."""
    return "-".join(re.findall(r"[a-z0-9]+", title.lower()))


class Rollback(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What takes a step back."""

    kind: RollbackKind
    how: str = ""
    """For a person: what to do; for an automatic one: what the play does."""
    reason: str = ""
    """Why it is not automatic."""


class Variable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that the play needs for each host."""

    name: str
    """Lower-case words joined by underscores; the play sees it under this name."""
    meaning: str
    type: VariableType = "text"
    required: bool = False
    default: Value | None = None
    choices: tuple[str, ...] = ()
    ways: tuple[Way, ...] = ("modules", "raw")
    """Ways that need it."""
    confirmed: bool = True
    """False where no public source confirms a value: the operator must set it, and there is no default."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a remedy, in order. Task names of the play begin with its title: `Remove the server | Run the uninstaller`."""

    id: str
    """Kebab-case of the title."""
    title: str
    ways: dict[Way, Way] = {}
    """How this step is done when the host is reached by a way; left out where it is done by that way itself."""
    changes: str = ""
    """What it changes on the host; empty where it only looks."""
    restart: RestartNeed = "never"
    rollback: Rollback | None = None
    """None where the step changes nothing."""
    by_hand: str = ""
    """What a person does where the step is left to one."""


class Expected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A difference that reading again must show."""

    section: str
    """Name of the snapshot's section, or `products`."""
    what: str
    """In words, `{variable}` standing for a value."""


class Remedy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A playbook's declaration of itself."""

    id: str
    """Stem of the playbook."""
    title: str
    summary: str
    operation: Literal["convert", "install", "remove", "upgrade", "repoint", "set", "job", "restart"]
    product: str | None = None
    """Signature id where it is about one product."""
    order: HostOrder = "any"
    ways: tuple[Way, ...] = ("modules", "raw", "person")
    """Ways that it knows; the first that a host can take is taken."""
    variables: tuple[Variable, ...] = ()
    preconditions: tuple[str, ...] = ()
    """What the play checks before it changes anything, each in words."""
    steps: tuple[Step, ...]
    expected: tuple[Expected, ...] = ()
    verification: tuple[str, ...] = ()
    """What the play reads again at its end, each in words."""
    rollback: Rollback
    """Of the whole."""
    restart: RestartNeed = "never"
    sources: tuple[str, ...]
    """http(s) addresses, or `incident`."""


class GivenBy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a finding gives a variable its value from; exactly one of the first three is stated."""

    literal: Value | None = None
    """A value that the rule itself knows."""
    host: str | None = None
    """Role of a bound host: its computer name as it says itself, else its inventory name."""
    evidence: str | None = None
    """Section: the records of it that the finding rests on, for example paths of tasks or names of services."""
    role: str | None = None
    """With `evidence`: whose records; left out, those of the target."""
    field: str | None = None
    """With `evidence`: this field of theirs that the finding rests on, in place of their keys, for example an excluded path."""


class RemedyFor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a rule's roles fit its remedy."""

    target: str | None = None
    """Role whose host is changed; may be left out where the rule has one role."""
    values: dict[str, GivenBy] = {}
    """Variable of the remedy -> where its value comes from."""


class HostRun(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is to do on one host."""

    host: str
    """Inventory name."""
    way: Way
    values: dict[str, object] = {}
    """Variables of the remedy, never secrets; data wherever they came from."""
    secrets: dict[str, str] = {}
    """Secret variables; in the private file only, never in a record."""
    restart_allowed: bool = False
    before: dict[str, object] = {}
    """For a rollback: what the report of the run told of the state before it."""


class RunRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one playbook over some hosts."""

    remedy: str
    hosts: tuple[HostRun, ...]
    phase: Literal["run", "rollback"] = "run"
    check: bool = True
    """Ansible's check mode: nothing is changed."""
    deadline_seconds: float = 3600.0


class TaskEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One task's end on one host, as the runner told it, bounded and without secrets."""

    number: int
    """Counts up within a run."""
    host: str
    task: str
    step: str | None = None
    """Id of the declared step, from the task's name."""
    status: TaskStatus
    message: str = ""
    """What the module said; text of the host, to be escaped wherever it is shown."""
    difference: str = ""
    """Ansible's diff as text."""
    time: str
    """ISO 8601 with Z."""


class HostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a play told of one host at its end."""

    outcome: Literal["done", "nothing_to_do", "would_change", "managed_elsewhere", "person_needed", "refused", "failed", "not_reported"]
    restart_needed: bool = False
    notes: tuple[str, ...] = ()
    before: dict[str, Any] = {}
    """State that a rollback needs."""


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run."""

    status: RunStatus
    reason: str = ""
    reports: dict[str, HostReport] = {}
    """By host; a host without one failed or vanished."""
    failed: dict[str, str] = {}
    """Host -> the message of the task that failed there, or that it was unreachable."""
    changed: dict[str, int] = {}
    """Host -> how many tasks changed something, by Ansible's own count; in check mode, would have changed."""
