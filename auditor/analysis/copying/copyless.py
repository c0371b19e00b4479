"""Command lines that copy nothing, remembered: most hosts run the same tasks, and few of these copy.

Rules of this file:
1. A line counts as one without copies only where a walk of it found no copy, cut nothing, made no link and ran no collected script.
2. Whether a host's scripts change that is decided by the names of scripts that the walk looked for.
3. The answer never depends on what was remembered: the steps that the walk took are counted all the same.
"""

from __future__ import annotations

import functools

import msgspec

from auditor.analysis.copying.batchexpand import expand
from auditor.analysis.copying.copyjob import new_walker
from auditor.analysis.copying.shellstate import State
from auditor.analysis.copying.unknowns import cleaned
from auditor.analysis.copying.walker import Stopped, Walker

Environment = tuple[tuple[str, tuple[str, ...]], ...]
"""Variables of a host with their values."""
_OWN = "computername"
"""The variable whose value differs from host to host: it is left out, and what needs it is not remembered."""
_STEPS = 200_000
"""Lines that cost more are walked each time."""


class Copyless(msgspec.Struct, frozen=True):
    """A line without copies."""

    steps: int
    """What the walk of it cost."""
    sought: frozenset[str]
    """Names of files, lower-case, that would be run or read if they were among the collected scripts."""


def shared(env: dict[str, tuple[str, ...]]) -> Environment:
    """Those variables of a host that many hosts have alike."""
    return tuple(sorted((name, values) for name, values in env.items() if name != _OWN))


@functools.lru_cache(maxsize=8192)
def without_copies(line: str, folder: str | None, env: Environment) -> Copyless | None:
    """What is known of a line that copies nothing when a task runs it in a folder; None where it copies or may."""
    if _OWN in line.casefold():
        return None
    walker = new_walker({}, _STEPS)
    state = State(dict(env))
    try:
        run_action(walker, line, folder, state)
    except Stopped:
        return None
    if walker.found or state.links or walker.entered or any(_OWN in name for name in walker.sought):
        return None
    return Copyless(_STEPS - walker.steps, frozenset(walker.sought))


def run_action(walker: Walker, line: str, folder: str | None, state: State) -> None:
    """Run the command line of a task's action in its folder."""
    if folder:
        state.cwd = expand(cleaned(folder).strip('"'), state)[0]
    for text in expand(cleaned(line), state):
        walker.run_command(text, state, called=True)
