"""What a lab host does with the commands that arrive over WinRM: the auditor's probe and nothing else, or the operator's commands.

Owns who may run what, and the record of violations. Knows the probe by its framing only: the fixed command line, the parameter line,
and digests of bundles that it was given.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from auditor.lab.answers import answer_section
from auditor.lab.assemble_logs import logon_event
from auditor.lab.facts_activity import LogonFacts
from auditor.lab.machine import LogRecord, Machine
from auditor.lab.operate.account import OperatorProcess
from auditor.lab.operate.journal import Journal
from auditor.lab.operate.words import said
from auditor.lab.process import BufferedProcess, Refusal, Role
from auditor.lab.sheet import Ask
from auditor.model.errors import DecodeError
from auditor.model.times import stamp
from auditor.probes import framing

Digest = Callable[[tuple[str, ...]], str]
_LARGEST_SCRIPT = 4 * 1024 * 1024
_SHORTENED = 200
_FULL_LOG = 20_000
"""Records that the Security log keeps; then it wraps."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """How the auditor's bundle is known: SHA-256 of what follows its parameter line."""

    digests: frozenset[str] = frozenset()
    digest_of: Digest | None = None
    """Sections asked for -> digest of their bundle. With neither, every script with a parameter line is taken."""

    def accepts(self, script: str, sections: tuple[str, ...]) -> bool:
        """Whether this is the auditor's own bundle."""
        if not self.digests and self.digest_of is None:
            return True
        digest = hashlib.sha256(script.partition("\n")[2].encode("utf-8")).hexdigest()
        return digest in self.digests or (self.digest_of is not None and digest == self.digest_of(sections))


_BLOCKS = {
    "amsi": ("ParserError", "ScriptContainedMaliciousContent"),
    "application_control": ("SecurityError", "ScriptBlockedByPolicy"),
}
"""What blocks to the category and the id of the error that powershell.exe writes, the same in every language."""


def _blocked(error: tuple[str, str]) -> BufferedProcess:
    """powershell.exe whose script was not let run."""
    process = BufferedProcess()
    lines = (f"    + CategoryInfo          : {error[0]}: (:) [], ParentContainsErrorRecordException_x000D__x000A_",
             f"    + FullyQualifiedErrorId : {error[1]}_x000D__x000A_")  # fmt: skip
    texts = "".join(f'<S S="Error">{line}</S>' for line in lines)
    clixml = f'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">{texts}</Objs>'
    process.write("stderr", clixml.encode("ascii"))
    process.finish(1)
    return process


class Violations:
    """What the auditor's account tried besides the probe: one JSON object a line."""

    def __init__(self, path: Path, clock: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = clock

    def add(self, host: str, user: str, what: str) -> None:
        """Notes one; `what` is shortened."""
        line = msgspec.json.encode({"time": stamp(self._clock()), "host": host, "user": user, "what": what[:_SHORTENED]})
        with self._path.open("ab") as stream:
            stream.write(line + b"\n")


class LabShell:
    """A HostShell over one machine. All methods run on the server's loop."""

    def __init__(
        self, machine: Machine, *, clock: Callable[[], datetime], probe: Probe, violations: Violations, journal: Journal | None = None
    ) -> None:
        self.machine = machine
        self._journal = journal or Journal(None, clock)
        self._clock = clock
        self._probe = probe
        self._violations = violations

    def start(
        self,
        command: str,
        arguments: list[str],
        *,
        user: str,
        role: Role,
        skip_cmd_shell: bool,  # noqa: ARG002
        environment: Mapping[str, str],  # noqa: ARG002
        codepage: int,
        noprofile: bool,  # noqa: ARG002
    ) -> BufferedProcess:
        """See HostShell. Raises Refusal for the auditor's account when it asks for anything but the probe."""
        line = " ".join([command, *arguments])
        self.machine.agenda.settle(self._clock())
        if role == "operator" and line != framing.command_line():
            return OperatorProcess(self.machine, line, user, codepage, self._clock, self._journal)
        if line != framing.command_line():
            raise self.violation(user, f"command line: {line}")
        if self.machine.facts.system.powershell == "none":
            return self._without_powershell(codepage)
        if self.machine.facts.system.blocked_by is not None:
            return _blocked(_BLOCKS[self.machine.facts.system.blocked_by])
        return ProbeProcess(self, user)

    def violation(self, user: str, what: str) -> Refusal:
        """Notes a violation; the Refusal to raise."""
        self._violations.add(self.machine.name, user, what)
        return Refusal("Access is denied.", code=5)

    def now(self) -> datetime:
        """The host's clock, in UTC."""
        return self._clock()

    def accepts(self, script: str, ask: Ask) -> bool:
        """Whether this is the auditor's own bundle."""
        return self._probe.accepts(script, ask.sections)

    def _without_powershell(self, codepage: int) -> BufferedProcess:
        process = BufferedProcess()
        missing = said(self.machine, "no_path", code=1)
        encoding = "utf-8" if codepage == 65001 else f"cp{self.machine.facts.system.code_page}"
        process.write("stderr", missing.stderr.encode(encoding, "replace"))
        process.finish(missing.code)
        return process


class ProbeProcess(BufferedProcess):
    """powershell.exe with the bootstrap: reads the bundle from standard input, writes hello, blocks and end."""

    def __init__(self, shell: LabShell, user: str) -> None:
        super().__init__()
        self._shell = shell
        self._user = user
        machine = shell.machine
        if machine.facts.system.language_mode != "FullLanguage":
            self.write("stdout", f"{framing.MARK} REFUSED {machine.facts.system.language_mode}\r\n".encode("ascii"))
            self.finish(0)

    def on_input_end(self, data: bytes) -> None:
        """Checks the script and begins to answer."""
        machine, shell = self._shell.machine, self._shell
        try:
            script = framing.unpack_script(data, _LARGEST_SCRIPT)
            ask = Ask.read(framing.read_parameters(script))
        except (DecodeError, UnicodeDecodeError, ValueError) as error:
            raise shell.violation(self._user, f"standard input: {error}") from error
        if not shell.accepts(script, ask):
            raise shell.violation(self._user, "standard input: a script that is not the auditor's bundle")
        now = shell.now()
        note_logon(machine, self._user, now)
        self._write(framing.pack_hello(hello(machine, self._user, now)))
        self._next(list(ask.sections), ask, len(ask.sections))

    def _next(self, left: list[str], ask: Ask, asked: int) -> None:
        """One section a turn of the loop, so that other hosts answer meanwhile."""
        if self.done:
            return
        if not left:
            self._write(framing.pack_end(asked))
            self.finish(0)
            return
        start = time.perf_counter()
        answer = answer_section(self._shell.machine, left[0], ask, self._shell.now())
        answer = msgspec.structs.replace(answer, seconds=time.perf_counter() - start)
        self._write(framing.pack_section(left[0], answer))
        asyncio.get_running_loop().call_soon(self._next, left[1:], ask, asked)

    def _write(self, text: str) -> None:
        self.write("stdout", text.encode("ascii"))


def hello(machine: Machine, user: str, now: datetime) -> framing.Hello:
    """What the probe says of the engine and the account."""
    name = user if "\\" in user else f"{machine.facts.network.computer_name}\\{user}"
    return framing.Hello(
        powershell=machine.facts.system.powershell,
        elevated=machine.access.elevated,
        utc_time=stamp(now),
        account=name,
        bits=64 if machine.facts.system.architecture == "x64" else 32,
    )


def note_logon(machine: Machine, user: str, now: datetime) -> None:
    """A network logon in the Security log, as every WinRM request leaves one; WinRM passes neither workstation nor address."""
    if machine.access.audits_logons:
        event = logon_event(machine, LogonFacts(time="-0s", user=user))
        records = machine.logs.setdefault("SECURITY", [])
        number = records[-1].number + 1 if records else 1
        records.append(LogRecord(facts=event, time=now.replace(microsecond=0), strings=event.strings, number=number))
        del records[:-_FULL_LOG]
