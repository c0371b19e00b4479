"""Copy jobs of a host: what its tasks, the scripts they call and its other schedulers copy from where to where, with the chain of evidence.

Rules of this file:
1. An end is remote only where the text names a host; what depends on an unknown value is unresolved and says why.
2. Jobs of disabled tasks are left out unless asked for. Local copies are listed too: `crosses` tells those that leave the host.
3. Everything that goes into a job's text was redacted at collection, and is redacted again here for lines that come from elsewhere.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from auditor.analysis.batch import run_batch, run_line
from auditor.analysis.batchexpand import expand
from auditor.analysis.programs import read_sql, run_program
from auditor.analysis.psscript import run_powershell
from auditor.analysis.robocopy import job_words, read_robocopy
from auditor.analysis.shellstate import State
from auditor.analysis.unknowns import cleaned
from auditor.analysis.vbscript import run_vbscript
from auditor.analysis.walker import MAX_STEPS, Found, Frame, Stopped, Walker, script_kind
from auditor.model.finding import CopyEnd, Evidence
from auditor.model.host import Snapshot
from auditor.model.task import ScheduledTask, TaskAction
from auditor.probes.redact import redact
from auditor.probes.tasks.decode import scheduled_tasks, start_hours


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


def copy_jobs(snapshot: Snapshot, *, include_disabled: bool = False) -> tuple[CopyJob, ...]:
    """All copies that a host's tasks and jobs make, in the order of tasks. The same snapshot gives the same answer."""
    reader = _HostReader(snapshot, include_disabled=include_disabled)
    return tuple(reader.read())


def parse_command(
    line: str, variables: Mapping[str, str] | None = None, scripts: Mapping[str, str] | None = None, *, host: str = ""
) -> list[CopyJob]:
    """The copies of one command line. `variables` are known values, `scripts` texts by path of what the line may call."""
    return read_command_lines([line], variables, scripts, host=host)[0]


def read_command_lines(
    lines: Sequence[str], variables: Mapping[str, str] | None = None, scripts: Mapping[str, str] | None = None, *, host: str = ""
) -> list[list[CopyJob]]:
    """The copies of each line of a list, in one shell: `set`, `net use`, `pushd` and `mklink` hold for the lines below."""
    walker = _walker({k.casefold().replace("/", "\\"): cleaned(v) for k, v in (scripts or {}).items()})
    state = State({name.casefold(): (cleaned(value),) for name, value in (variables or {}).items()})
    state.arguments = None
    results: list[list[CopyJob]] = []
    for line in lines:
        start = len(walker.found)
        unread = len(walker.unread)
        try:
            walker.run_line(cleaned(line), state)
        except Stopped:
            walker.steps = MAX_STEPS // max(len(lines), 1)
            walker.found.append(_stopped(line))
        jobs = [_job(found, host, None, None) for found in walker.found[start:]]
        if not jobs and any(_looks_like_copying(rest) for _, rest in walker.unread[unread:]):
            jobs = [_job(_uncollected(walker.unread[-1][0], line), host, None, None)]
        results.append(jobs)
    return results


def run_script_text(kind: str, text: str, scripts: Mapping[str, str] | None = None, *, path: str = "", host: str = "") -> list[CopyJob]:
    """The copies of one script whose caller, and so whose arguments, are not known.

    `kind` is batch, powershell or vbscript, or robocopy for a job file.
    """
    walker = _walker({k.casefold().replace("/", "\\"): cleaned(v) for k, v in (scripts or {}).items()})
    state = State()
    state.arguments = None
    state.script = path or None
    walker.frames.append(Frame("scripts", path, "", ""))
    try:
        INTERPRETERS[kind](walker, cleaned(text), state)
    except Stopped:
        walker.found.append(_stopped(path))
    return [_job(found, host, None, None) for found in walker.found]


def _walker(scripts: Mapping[str, str | None], steps: int = MAX_STEPS) -> Walker:
    return Walker(scripts, INTERPRETERS, run_program, steps=steps)


def _looks_like_copying(rest: str) -> bool:
    """Whether the arguments of a script that is not at hand speak of a copy: a share, or switches of robocopy."""
    words = rest.casefold().replace('"', " ").split()
    return (
        any(w.startswith("\\\\") for w in words) or len({"/mir", "/purge", "/mov", "/move", "/e", "/z", "/xj", "/copyall"} & set(words)) > 1
    )


def _uncollected(script: str, line: str) -> Found:
    end = CopyEnd(kind="unresolved")
    return Found(
        source=end, destination=end, tool="script", destructive=None, writes_executables=None, hours=None,
        reason=f"the script {script} was not read", command=line, frames=(),
    )  # fmt: skip


def _stopped(command: str) -> Found:
    end = CopyEnd(kind="unresolved")
    return Found(
        source=end, destination=end, tool="unknown", destructive=None, writes_executables=None, hours=None,
        reason="more work than is done for one host: the rest was not followed", command=command[:200], frames=(),
    )  # fmt: skip


def _job(found: Found, host: str, hours: tuple[int, ...] | None, enabled: bool | None) -> CopyJob:
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


class _HostReader:
    """Reads one snapshot."""

    def __init__(self, snapshot: Snapshot, *, include_disabled: bool) -> None:
        self.snapshot = snapshot
        self.include_disabled = include_disabled
        self.scripts = {r.path: cleaned(r.text) if r.text is not None else None for r in snapshot.sections.scripts.records}
        self.keys = {path.casefold().replace("/", "\\"): path for path in self.scripts}
        self.walker = _walker({key: self.scripts[path] for key, path in self.keys.items()})
        self.names = own_names(snapshot)
        self.env = _environment(snapshot)
        self.tasks = scheduled_tasks(snapshot)

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
            jobs.append(_job(_stopped(self.snapshot.host), self.snapshot.host, None, None))
        return [self._with_paths(job) for job in dict.fromkeys(jobs)]

    def _with_paths(self, job: CopyJob) -> CopyJob:
        """Script records are named as the snapshot has them, not by the walker's key."""
        steps = tuple(
            msgspec.structs.replace(s, record=self.keys.get(s.record, s.record)) if s.section == "scripts" else s for s in job.steps
        )
        return msgspec.structs.replace(job, steps=steps)

    def _state(self) -> State:
        return State(self.env, self.names)

    def _collect(self, frame: Frame, hours: tuple[int, ...] | None, enabled: bool | None, start: int) -> list[CopyJob]:
        self.walker.frames.clear()
        return [_job(found, self.snapshot.host, hours, enabled) for found in self.walker.found[start:]] if frame else []

    def _task(self, task: ScheduledTask) -> list[CopyJob]:
        hours = start_hours(task, self.snapshot.clock.utc_offset_minutes)
        jobs: list[CopyJob] = []
        for action in task.actions or ():
            line = action_line(action)
            if line is None:
                continue
            frame = Frame("tasks", task.path or task.name or "", "actions", line[:1000])
            start = len(self.walker.found)
            self.walker.frames[:] = [frame]
            self._action(action, line)
            jobs.extend(self._collect(frame, hours, task.enabled, start))
        return jobs

    def _action(self, action: TaskAction, line: str) -> None:
        state = self._state()
        if action.working_directory:
            state.cwd = expand(cleaned(action.working_directory).strip('"'), state)[0]
        for text in expand(cleaned(line), state):
            self.walker.run_command(text, state, called=True)

    def _schedulers(self) -> Iterable[CopyJob]:
        for record in self.snapshot.sections.jobs.records:
            if record.command is None or (record.enabled is False and not self.include_disabled):
                continue
            frame = Frame("jobs", f"{record.scheduler}\\{record.name}", record.step or "command", record.command[:1000])
            start = len(self.walker.found)
            self.walker.frames[:] = [frame]
            state = self._state()
            read_sql(self.walker, cleaned(record.command), state)
            self.walker.run_line(cleaned(record.command), state)
            yield from self._collect(frame, None, record.enabled, start)

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
            start = len(self.walker.found)
            frame = Frame("scripts", key, "", "")
            self.walker.frames[:] = [*(Frame("tasks", c, "actions", "") for c in record.called_by[:1] if c.startswith("\\")), frame]
            state = self._state()
            state.arguments, state.script = None, record.path
            INTERPRETERS[kind](self.walker, cleaned(record.text), state)
            yield from self._collect(frame, None, None, start)


def action_line(action: TaskAction) -> str | None:
    """The command line of an action; None for actions that run no program."""
    if action.line is not None:
        return action.line
    if action.command is None:
        return None
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
