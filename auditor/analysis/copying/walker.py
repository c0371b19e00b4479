"""Follows one host's commands, whichever interpreter they stand in: steps and limits, frames of evidence, called scripts, found copies.

The walker knows no syntax of a language: batch files, PowerShell and VBScript are run by the interpreters it is given, programs by
`programs`. It counts steps instead of time, so that the same snapshot always gives the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import msgspec

from auditor.analysis.copying.commandline import batch_arguments, head_and_rest, read_part, split_arguments
from auditor.analysis.copying.copytools import RawCopy
from auditor.analysis.copying.shellstate import State, join_path
from auditor.analysis.copying.unknowns import is_unknown, shown
from auditor.model.finding import CopyEnd

MAX_STEPS = 8_000_000
"""Steps a host, in characters looked at: about one second of one processor."""
MAX_COPIES = 1000
"""Copies that one script may give."""
MAX_CALLS = 16
"""How deep scripts may call scripts."""
_STEP_COST = 200
_COPY_COST = 300


class Stopped(Exception):
    """The host's steps are used up."""


class Frame(msgspec.Struct):
    """Where a command stands: the record that holds it and the place inside."""

    section: str
    record: str
    field: str
    value: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A copy that some command makes, with its ends classified."""

    source: CopyEnd
    destination: CopyEnd
    tool: str
    destructive: bool | None
    writes_executables: bool | None
    hours: tuple[int, ...] | None
    reason: str
    command: str
    frames: tuple[tuple[str, str, str, str], ...]


Interpreter = Callable[["Walker", str, State], None]
Program = Callable[["Walker", str, str, State], bool]


class Walker:
    """One walk. `scripts` are texts by lower-case path, None where a script was not read."""

    def __init__(
        self,
        scripts: Mapping[str, str | None],
        interpreters: Mapping[str, Interpreter],
        program: Program,
        *,
        steps: int = MAX_STEPS,
    ) -> None:
        self.scripts = scripts
        self.interpreters = interpreters
        self.program = program
        self.steps = steps
        self.frames: list[Frame] = []
        self.found: list[Found] = []
        self.unread: list[tuple[str, str]] = []
        self.sought: set[str] = set()
        """Names of files, lower-case, that were looked for among the scripts."""
        self._seen: set[Found] = set()
        self._counts: dict[str, int] = {}
        self._depth = 0
        self._entered: set[str] = set()

    def spend(self, characters: int) -> None:
        """Count work. Raises Stopped when the host's steps are used up."""
        self.steps -= _STEP_COST + characters
        if self.steps < 0:
            raise Stopped

    def enter(self) -> bool:
        """One call deeper; False at the limit."""
        if self._depth >= MAX_CALLS:
            self.note_cut("calls nest too deep")
            return False
        self._depth += 1
        return True

    def next_line(self) -> None:
        """Another line of a list: the same copies may be found again, and are counted anew."""
        self.frames.clear()
        self._seen.clear()
        self._counts.clear()

    def leave(self) -> None:
        """Back from a call."""
        self._depth -= 1

    def at_line(self, number: int, text: str) -> None:
        """The script's line that runs now."""
        if self.frames and self.frames[-1].section == "scripts":
            self.frames[-1].field = f"line {number}"
            self.frames[-1].value = shown(text)[:1000]

    def note_cut(self, reason: str) -> None:
        """Say once for a place that something was not followed: an unresolved copy with the reason."""
        nothing = CopyEnd(kind="unresolved")
        found = Found(
            source=nothing, destination=nothing, tool="unknown", destructive=None, writes_executables=None, hours=None,
            reason=reason, command="", frames=self._frozen_frames(),
        )  # fmt: skip
        if found not in self._seen:
            self._seen.add(found)
            self._add(found)

    def copy(self, raw: RawCopy, state: State, command: str) -> None:
        """A copy was found: classify its ends where the state stands."""
        source, source_why = self._end(raw.source, raw, state, raw.source_host)
        destination, destination_why = self._end(raw.destination, raw, state, raw.destination_host)
        found = Found(
            source=source,
            destination=destination,
            tool=raw.tool,
            destructive=raw.destructive,
            writes_executables=raw.writes_executables,
            hours=raw.hours,
            reason="; ".join(dict.fromkeys(r for r in (source_why, destination_why) if r)),
            command=shown(raw.text or command)[:2000],
            frames=self._frozen_frames(),
        )
        self.spend(_COPY_COST)
        if found not in self._seen:
            self._seen.add(found)
            self._add(found)

    def _end(self, text: str, raw: RawCopy, state: State, host: str | None) -> tuple[CopyEnd, str]:
        from auditor.analysis.copying.copyends import remote, remote_shell_place

        is_path = re.match(r"[A-Za-z]:(?:[\\/]|$)|\\\\", text)
        if raw.remote_syntax and not is_path and (place := remote_shell_place(text, state.own_names)).end.kind != "local":
            return place.end, place.reason
        place = state.place(text)
        if host is not None and place.end.kind == "local":
            place = remote(host, None, place.end.path, state.own_names)
        return place.end, place.reason

    def _add(self, found: Found) -> None:
        place = self.frames[-1].record if self.frames else ""
        count = self._counts.get(place, 0)
        self._counts[place] = count + 1
        if count < MAX_COPIES:
            self.found.append(found)
        elif count == MAX_COPIES:
            nothing = CopyEnd(kind="unresolved")
            cut = f"more than {MAX_COPIES} copies in one script: the rest is not listed"
            self.found.append(msgspec.structs.replace(found, source=nothing, destination=nothing, reason=cut))

    def _frozen_frames(self) -> tuple[tuple[str, str, str, str], ...]:
        return tuple((f.section, f.record, f.field, f.value) for f in self.frames)

    def run_line(self, line: str, state: State) -> None:
        """A command line as `cmd /c` takes it."""
        self.interpreters["cmd"](self, line, state)

    def run_command(self, text: str, state: State, *, called: bool = False) -> bool:
        """One simple, expanded command. True where it hands over to a script that does not come back (a batch file without `call`)."""
        part = read_part(text)
        head, rest = head_and_rest(part.text)
        if not head:
            return False
        self.spend(len(text))
        if part.output and head.casefold() == "echo":
            self._written(part.output, rest, append=">>" in text, state=state)
            return False
        if part.output and head.casefold() == "type":
            self.copy(RawCopy(tool="type", source=rest.strip('" '), destination=part.output, writes_executables=None), state, text)
            return False
        if part.input:
            state.files["<stdin>"] = self.text_of(part.input, state) or ""
        if self.program(self, head, rest, state):
            return False
        return (
            self.run_script(head, rest, state)
            and not called
            and re.search(r"\.(?:bat|cmd)$|[\\/][^.]*$|^[^.]*$", head.casefold()) is not None
        )

    def _written(self, path: str, line: str, *, append: bool, state: State) -> None:
        key = self.normal(path, state)
        before = state.files.get(key, "") if append else ""
        if len(before) < 65536 and len(state.files) < 64:
            state.files[key] = before + line + "\n"

    def forget(self, path: str, state: State) -> None:
        """A file that the script wrote before is written anew."""
        state.files.pop(self.normal(path, state), None)

    def normal(self, path: str, state: State) -> str:
        """A script's path as a key: absolute where that can be known, lower-case, single backslashes."""
        text = state.absolute(shown(path) if not is_unknown(path) else path).replace("/", "\\")
        if not re.match(r"[A-Za-z]:|\\\\|\ue000", text):
            base = state.cwd or (state.script or "").rpartition("\\")[0]
            text = join_path(base, text) if base else text
        lead = "\\\\" if text.startswith("\\\\") else ""
        return shown(lead + re.sub(r"\\+", r"\\", text[len(lead) :])).casefold()

    def find_script(self, path: str, state: State) -> str | None:
        """The key of a collected script: by its path or its place beside the calling script.

        A name that is unique is enough only where the call states no folder, or the collected script has none.
        """
        key = self.normal(path, state)
        name = key.rpartition("\\")[2]
        names = [name] if re.search(r"\.\w{1,4}$", name) else [name + e for e in (".bat", ".cmd", ".exe", ".ps1", ".vbs")]
        self.sought.update(names)
        folder = key[: len(key) - len(name)]
        beside = (state.script or "").casefold().rpartition("\\")[0] + "\\"
        for candidate in (*(folder + n for n in names), *(beside + n for n in names)):
            if candidate in self.scripts or candidate in state.files:
                return candidate
        stated = re.match(r"[a-z]:\\|\\\\", key) is not None and re.search(r"[\\/]", path) is not None
        same = [k for k in (*self.scripts, *state.files) if k.rpartition("\\")[2] in names and ("\\" not in k or not stated)]
        return same[0] if len(same) == 1 else None

    def text_of(self, path: str, state: State) -> str | None:
        """The text of a file, where it was collected or the script itself wrote it."""
        key = self.find_script(path, state)
        if key is None:
            return None
        self._entered.add(key)
        return state.files.get(key, self.scripts.get(key))

    def run_script(self, path: str, rest: str, state: State, arguments: tuple[str, ...] | None = None) -> bool:
        """Run a collected script in its interpreter. False where nothing of that name was collected."""
        key = self.find_script(path, state)
        if key is None:
            self.note_unread(path, rest)
            return False
        text = state.files.get(key, self.scripts.get(key))
        if text is None:
            self.note_unread(path, rest)
            return True
        kind = script_kind(key, text)
        interpreter = self.interpreters.get(kind)
        if interpreter is None or sum(1 for f in self.frames if f.record == key) > 1 or not self.enter():
            return interpreter is not None
        given = tuple(batch_arguments(rest)) if kind == "batch" else arguments if arguments is not None else tuple(split_arguments(rest))
        saved = state.arguments, state.script
        state.arguments, state.script = given, key if state.script is None or "\\" in key else state.script
        self.frames.append(Frame("scripts", key, "", ""))
        try:
            interpreter(self, text, state)
        finally:
            self.frames.pop()
            state.arguments, state.script = saved
            self.leave()
        self._entered.add(key)
        return True

    @property
    def entered(self) -> frozenset[str]:
        """Keys of the scripts that were run."""
        return frozenset(self._entered)

    def note_unread(self, path: str, rest: str) -> None:
        """A script is called that was not collected or not read."""
        if re.search(r"\.(?:bat|cmd|ps1|vbs|vbe|js|wsf|kix|ftp)$", shown(path).strip('"').casefold()):
            self.unread.append((shown(path), shown(rest)))


def script_kind(path: str, text: str = "") -> str:
    """Which interpreter a script's name asks for: cmd, powershell, vbscript, or empty."""
    ending = path.casefold().rpartition(".")[2]
    kinds = {"bat": "batch", "cmd": "batch", "nt": "batch", "ps1": "powershell", "psm1": "powershell", "vbs": "vbscript", "wsf": "vbscript"}
    return kinds.get(ending, "batch" if "." not in path.rpartition("\\")[2] and text else "")
