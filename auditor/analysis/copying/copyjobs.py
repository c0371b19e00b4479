"""Copy jobs of a host: what its tasks, the scripts they call and its other schedulers copy from where to where, with the chain of evidence.

Rules of this file:
1. An end is remote only where the text names a host; what depends on an unknown value is unresolved and says why.
2. Jobs of disabled tasks are left out unless asked for. Local copies are listed too: `crosses` tells those that leave the host.
3. What goes into a job's text was redacted at collection, and is redacted again for texts that come from elsewhere.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable

import msgspec

from auditor.analysis.copying.copyjob import INTERPRETERS, job_of, new_walker, stopped
from auditor.analysis.copying.copyless import run_action, shared, without_copies
from auditor.analysis.copying.copylines import parse_command
from auditor.analysis.copying.copyrecord import CopyJob
from auditor.analysis.copying.programs import read_sql
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import cleaned
from auditor.analysis.copying.walker import MAX_STEPS, Frame, Stopped, script_kind
from auditor.model.host import Snapshot
from auditor.model.task import ScheduledTask, TaskAction
from auditor.probes.tasks.decode import scheduled_tasks, start_hours

SHARES = 4
"""One task may use this part of the host's steps, so that one script can't hide the copies of the others."""
__all__ = ["CopyJob", "action_line", "copy_jobs", "own_names", "parse_command"]


def copy_jobs(snapshot: Snapshot, *, include_disabled: bool = False, remembering: bool = True) -> tuple[CopyJob, ...]:
    """All copies that a host's tasks and jobs make, in the order of tasks. The same snapshot gives the same answer.

    `remembering` off walks every line, also those that are known to copy nothing: slower, and the same answer.
    """
    links: dict[str, str] = {}
    jobs = _HostReader(snapshot, links, include_disabled=include_disabled, remembering=remembering).read()
    if links:
        # A link that one script makes holds for every other: read again with all links known.
        jobs = _HostReader(snapshot, links, include_disabled=include_disabled, remembering=remembering).read()
    return tuple(jobs)


class _HostReader:
    """Reads one snapshot."""

    def __init__(self, snapshot: Snapshot, links: dict[str, str], *, include_disabled: bool, remembering: bool) -> None:
        self.snapshot = snapshot
        self.links = links
        self.include_disabled = include_disabled
        self.remembering = remembering
        self.scripts = {r.path: cleaned(r.text) if r.text is not None else None for r in snapshot.sections.scripts.records}
        self.keys = {path.casefold().replace("/", "\\"): path for path in self.scripts}
        self.walker = new_walker({key: self.scripts[path] for key, path in self.keys.items()})
        self.names = own_names(snapshot)
        self.env = _environment(snapshot)
        self.volumes = _volumes(snapshot)
        self.tasks = scheduled_tasks(snapshot)
        self.drives = _user_drives(snapshot)
        self.shared = shared(self.env)
        self.script_names = frozenset(key.rpartition("\\")[2] for key in self.keys)

    def read(self) -> list[CopyJob]:
        """Tasks first, then jobs of other schedulers, then scripts that no command was seen to call."""
        jobs: list[CopyJob] = []
        try:
            for task in self.tasks:
                if task.enabled is not False or self.include_disabled:
                    jobs.extend(self._task(task))
            jobs.extend(self._schedulers())
            jobs.extend(self._uncalled())
        except Stopped:
            jobs.append(job_of(stopped(self.snapshot.host), self.snapshot.host))
        return [self._with_paths(job) for job in dict.fromkeys(jobs)]

    def _with_paths(self, job: CopyJob) -> CopyJob:
        """Script records are named as the snapshot has them, not by the walker's key."""
        steps = tuple(
            msgspec.structs.replace(s, record=self.keys.get(s.record, s.record)) if s.section == "scripts" else s for s in job.steps
        )
        return msgspec.structs.replace(job, steps=steps)

    def _state(self) -> State:
        state = State(self.env, self.names)
        state.links, state.volumes = self.links, self.volumes
        return state

    def _task(self, task: ScheduledTask) -> list[CopyJob]:
        jobs: list[CopyJob] = []
        for action in task.actions or ():
            line = action_line(action)
            if line is not None and not self._copies_nothing(line, action.working_directory):
                hours = start_hours(task, self.snapshot.clock.utc_offset_minutes)
                frame = Frame("tasks", task.path or task.name or "", "actions", line[:1000])
                jobs.extend(self._walk([frame], functools.partial(self._action, action, line, task.path), hours, task.enabled))
        return jobs

    def _copies_nothing(self, line: str, folder: str | None) -> bool:
        """Whether a line is known to copy nothing here; its steps are counted then."""
        known = without_copies(line, folder, self.shared) if self.remembering and not self.links else None
        if known is None or known.steps >= self.walker.steps // SHARES or not known.sought.isdisjoint(self.script_names):
            return False
        self.walker.steps -= known.steps
        return True

    def _walk(self, frames: list[Frame], run: Callable[[], None], hours: tuple[int, ...] | None, enabled: bool | None) -> list[CopyJob]:
        """Run something that the frames lead to, with its own share of the host's steps, and give the copies that it makes."""
        start, left = len(self.walker.found), self.walker.steps
        share = min(left, MAX_STEPS // SHARES)
        self.walker.steps = share
        self.walker.frames[:] = frames
        try:
            run()
        except Stopped:
            self.walker.note_cut("more work than is done for one task: the rest was not followed")
        self.walker.steps = left - (share - max(self.walker.steps, 0))
        if self.walker.steps <= 0:
            raise Stopped
        return [job_of(found, self.snapshot.host, hours, enabled) for found in self.walker.found[start:]]

    def _action(self, action: TaskAction, line: str, path: str | None) -> None:
        state = self._state()
        state.drives.update(self.drives.get((path or "").casefold(), {}))
        run_action(self.walker, line, action.working_directory, state)

    def _schedulers(self) -> Iterable[CopyJob]:
        for record in self.snapshot.sections.jobs.records:
            if record.command is None or (record.enabled is False and not self.include_disabled):
                continue
            frame = Frame("jobs", f"{record.scheduler}\\{record.name}", record.step or "command", record.command[:1000])
            yield from self._walk([frame], functools.partial(self._step, cleaned(record.command), record.step or ""), None, record.enabled)

    def _step(self, text: str, step: str) -> None:
        """A job step may be Transact-SQL, command lines or a script; one of SQL Agent says which (`2 PowerShell: copy`)."""
        state = self._state()
        said = re.match(r"\d+ (\w+): ", step)
        kind = said.group(1).casefold() if said else ""
        if kind in ("powershell", "activescripting"):
            INTERPRETERS["powershell" if kind == "powershell" else "vbscript"](self.walker, text, state)
            return
        if kind != "cmdexec":
            read_sql(self.walker, text, state)
        for line in text.splitlines() if kind not in ("tsql", "ssis") else ():
            self.walker.run_line(line, state)

    def _uncalled(self) -> Iterable[CopyJob]:
        """Scripts that were collected because something calls them in a way that could not be followed: their arguments are unknown."""
        disabled = {(t.path or "").casefold() for t in self.tasks if t.enabled is False}
        for record in self.snapshot.sections.scripts.records:
            key = record.path.casefold().replace("/", "\\")
            kind = script_kind(key, record.text or "")
            callers = {c.casefold() for c in record.called_by}
            if (
                record.text is None
                or not kind
                or key in self.walker.entered
                or (callers and callers <= disabled and not self.include_disabled)
            ):
                continue
            callers_frames = [Frame("tasks", c, "actions", "") for c in record.called_by[:1] if c.startswith("\\")]
            run = functools.partial(self._uncalled_script, kind, cleaned(record.text), record.path)
            yield from self._walk([*callers_frames, Frame("scripts", key, "", "")], run, None, None)

    def _uncalled_script(self, kind: str, text: str, path: str) -> None:
        state = self._state()
        state.arguments, state.script = None, path
        INTERPRETERS[kind](self.walker, text, state)


def action_line(action: TaskAction) -> str | None:
    """The command line of an action; None for actions that run no program."""
    if action.command is None:
        return action.line
    command = action.command if action.command.startswith('"') or " " not in action.command else f'"{action.command}"'
    return f"{command} {action.arguments}" if action.arguments else command


def own_names(snapshot: Snapshot) -> frozenset[str]:
    """Names and addresses by which a host speaks of itself, lower-case."""
    names: set[str] = set()
    for record in snapshot.sections.network.records:
        plain = [n for n in (record.computer_name, record.host_name, *record.optional_names) if n]
        names.update(n.casefold() for n in plain)
        if record.domain:
            names.update(f"{n}.{record.domain}".casefold() for n in plain)
        names.update(a.casefold() for adapter in record.adapters for a in adapter.addresses)
    return frozenset(names)


def _volumes(snapshot: Snapshot) -> frozenset[str] | None:
    """The machine's own drive letters, where all volumes were seen: any other letter is one that somebody mapped."""
    section = snapshot.sections.memory
    letters = frozenset(r.name.casefold()[:2] for r in section.records if r.kind == "volume" and r.drive_type != "network")
    return letters if section.seen and letters else None


def _user_drives(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    """Drives that the account of a task keeps mapped, by lower-case task path."""
    found: dict[str, dict[str, str]] = {}
    for reading in snapshot.sections.tasks.readings:
        pairs = [item.partition(": ") for item in reading.user_drives or ()]
        drives = {f"{letter.casefold()}:": cleaned(target) for letter, _, target in pairs if len(letter) == 1 and target.startswith("\\\\")}
        if drives:
            found[reading.path.casefold()] = drives
    return found


def _environment(snapshot: Snapshot) -> dict[str, tuple[str, ...]]:
    """Variables whose value the snapshot tells."""
    env: dict[str, tuple[str, ...]] = {}
    for network in snapshot.sections.network.records:
        if network.computer_name:
            env["computername"] = (cleaned(network.computer_name),)
    for system in snapshot.sections.system.records:
        if system.windows_directory:
            folder = cleaned(system.windows_directory)
            env["systemroot"] = env["windir"] = (folder,)
            env["systemdrive"] = (folder[:2],)
            env["comspec"] = (folder + "\\system32\\cmd.exe",)
    return env
