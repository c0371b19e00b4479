"""Copy jobs of command lines and scripts that stand by themselves, outside of a snapshot: `auditor decode commands` and single lines."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from auditor.analysis.copying.commandline import head_and_rest
from auditor.analysis.copying.copyjob import INTERPRETERS, job_of, new_walker, stopped, unfollowed
from auditor.analysis.copying.copyrecord import CopyJob
from auditor.analysis.copying.pscmdlets import CMDLETS
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import cleaned
from auditor.analysis.copying.walker import MAX_STEPS, Frame, Stopped


def parse_command(
    line: str, variables: Mapping[str, str] | None = None, scripts: Mapping[str, str] | None = None, *, host: str = ""
) -> list[CopyJob]:
    """The copies of one command line. `variables` are known values, `scripts` texts by path of what the line may call."""
    return CommandReader(scripts, variables, host=host).read_lines([line])[0]


class CommandReader:
    """Reads lists of command lines and whole scripts that belong together: they call each other, and links that one makes hold for all."""

    def __init__(self, scripts: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None, *, host: str = "") -> None:
        self._scripts = {k.casefold().replace("/", "\\"): cleaned(v) for k, v in (scripts or {}).items()}
        self._variables = {name.casefold(): (cleaned(value),) for name, value in (variables or {}).items()}
        self._host = host
        self._links: dict[str, str] = {}
        self._calls: dict[str, set[str]] = {}

    def is_called(self, path: str) -> bool:
        """Whether a script was run because a list of lines, or a script that nothing else calls, calls it."""
        called = set().union(*self._calls.values())
        return any(path.casefold() in callees for caller, callees in self._calls.items() if caller not in called)

    def _state(self) -> State:
        state = State(self._variables)
        state.links = self._links
        state.arguments = None
        return state

    def read_lines(self, lines: Sequence[str]) -> list[list[CopyJob]]:
        """The copies of each line, in one shell: `set`, `net use`, `pushd` and `mklink` hold for the lines below."""
        walker, state = new_walker(self._scripts), self._state()
        results: list[list[CopyJob]] = []
        for line in lines:
            start, unread = len(walker.found), len(walker.unread)
            walker.next_line()
            try:
                run = walker.interpreters["powershell" if is_cmdlet(line) else "cmd"]
                run(walker, cleaned(line), state)
            except Stopped:
                walker.steps = MAX_STEPS // len(lines)
                walker.found.append(stopped(line))
            jobs = [job_of(found, self._host) for found in walker.found[start:]]
            if not jobs and any(_speaks_of_copying(rest) for _, rest in walker.unread[unread:]):
                jobs = [job_of(unfollowed("script", f"the script {walker.unread[-1][0]} was not read", line), self._host)]
            results.append(jobs)
        self._calls.setdefault("", set()).update(walker.entered)
        return results

    def read_script(self, kind: str, text: str, path: str = "") -> list[CopyJob]:
        """The copies of a script whose caller, and so whose arguments, are not known.

        `kind` is batch, powershell or vbscript, or robocopy for a job file.
        """
        walker, state = new_walker(self._scripts), self._state()
        state.script = path or None
        walker.frames.append(Frame("scripts", path, "", ""))
        try:
            INTERPRETERS[kind](walker, cleaned(text), state)
        except Stopped:
            walker.found.append(stopped(path))
        self._calls.setdefault(path.casefold(), set()).update(walker.entered - {path.casefold()})
        return [job_of(found, self._host) for found in walker.found]


_ALIASES = frozenset({"cp", "cpi", "mv", "mi", "gci", "ls", "gi"})
"""Aliases of cmdlets that cmd.exe has no command for."""
_INTO_CMDLET = re.compile(r"\|\s*(?:Copy-Item|Move-Item|cpi|mi|ForEach-Object|%\s*\{)", re.IGNORECASE)


def is_cmdlet(line: str) -> bool:
    """Whether a line is PowerShell's: it starts with a cmdlet (`Copy-Item`) or an alias that cmd.exe does not know, or with a type's
    method, or hands something on to a cmdlet. A line that starts PowerShell itself is cmd.exe's.
    """
    if re.match(r"\s*\[[A-Za-z][\w.]{0,100}\]::", line):
        return True
    head = head_and_rest(line.strip())[0].casefold()
    if head.removesuffix(".exe").rpartition("\\")[2] in ("powershell", "pwsh", "cmd", "start", "for"):
        return False
    return ("-" in head and head in CMDLETS) or head in _ALIASES or bool(_INTO_CMDLET.search(line))


def _speaks_of_copying(rest: str) -> bool:
    """Whether the arguments of a script that is not at hand speak of a copy: a share, or switches of robocopy."""
    words = rest.casefold().replace('"', " ").split()
    return (
        any(w.startswith("\\\\") for w in words) or len({"/mir", "/purge", "/mov", "/move", "/e", "/z", "/xj", "/copyall"} & set(words)) > 1
    )
