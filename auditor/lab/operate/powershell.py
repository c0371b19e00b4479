"""powershell.exe of a lab host: statements one after the other, programs of Windows, the cmdlets that the lab has. No full PowerShell.

What it does not know is an error that names it, as for a cmdlet that is not there. Exit codes are those of `-EncodedCommand`: 1 where
the last statement failed, unless the script exits with a code of its own.
"""

from __future__ import annotations

import re
from typing import Any

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate.cmd_shell import CmdShell
from auditor.lab.operate.cmdlet_table import CMDLETS
from auditor.lab.operate.cmdlets import CmdletError, Values, shown
from auditor.lab.operate.commands import COMMANDS
from auditor.lab.operate.ps_parse import ParseError, Word, pipeline, statements, unquoted, words_of
from auditor.lab.operate.said import Context, Said

_QUIET = re.compile(
    r"(?i)(set-strictmode\b.*|\$(erroractionpreference|progresspreference|warningpreference|verbosepreference)\s*=.*"
    r"|(try\s*\{\s*)?\[console\]::(in|out)putencoding\s*=.*)"
)
_TAIL = re.compile(r"(?is)if\s*\(-not \$\?\)\s*\{.*\}")
_RESTART = re.compile(r"(?is)^\$stderr = \. \{ \S*shutdown\.exe (?P<line>.*?) \| Set-Variable stdout \}")
_EXIT = re.compile(r"(?i)exit(?:\s+(\$LASTEXITCODE|-?\d+))?\s*$")
_ASSIGN = re.compile(r"\$(\w+)\s*=\s*(.+)$", re.DOTALL)
_CALLED = re.compile(r"(?i)(sc|cd|dir|del|copy|move|type|echo|rd|set)$")
_WINDOW_PROGRAMS = ("msiexec", "msiexec.exe")
_KEYWORDS = re.compile(r"(?i)(if|foreach|for|while|switch|try|function|do|throw|return|param|begin|process|end)\b")


class Exits(Exception):
    """`exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class PowerShell:
    """One running powershell.exe."""

    def __init__(self, machine: Machine, context: Context) -> None:
        self.machine = machine
        self.context = context
        self.values = Values(machine, context, CMDLETS)
        self.stdout = ""
        self.stderr = ""
        self.good = True
        self.code = 0

    def run(self, script: str) -> Steps[Said]:
        """A whole script."""
        try:
            parsed = [(text, self._commands(text)) for text in statements(script)]
        except ParseError as error:
            return Said(
                stderr=f"{error}\r\n    + CategoryInfo          : ParserError: (:) [], ParentContainsErrorRecordException\r\n", code=1
            )
        try:
            for text, commands in parsed:
                yield from self._statement(text, commands)
        except Exits as end:
            return Said(stdout=self.stdout, stderr=self.stderr, code=end.code)
        return Said(stdout=self.stdout, stderr=self.stderr, code=0 if self.good else 1)

    def _commands(self, text: str) -> list[str]:
        if re.match(r"(?i)if\s+(not\s+)?(exist|errorlevel|defined)\b", text):
            raise ParseError("Missing '(' after 'if' in if statement.")
        return pipeline(text)

    def _statement(self, text: str, commands: list[str]) -> Steps[None]:
        if _QUIET.match(text):
            return
        if _TAIL.fullmatch(text) and "LASTEXITCODE" in text and "exit" in text:
            if not self.good:
                raise Exits(self.code or 1)
            return
        if match := _EXIT.match(text):
            raise Exits(self.code if (match.group(1) or "").startswith("$") else int(match.group(1) or 0))
        if match := _RESTART.match(text):
            yield from self._restart(match.group("line"))
            return
        if text.startswith(("$stdout = $null", "ConvertTo-Json -Compress -InputObject @{")) or re.match(r"(?i)if \(\$(true|false)\)", text):
            self._around_restart(text)
            return
        if _KEYWORDS.match(text):
            self._fail(f"the lab's PowerShell does not carry out `{text.split()[0]}`: {text[:80]}")
            return
        yield from self._run_pipeline(text, commands)

    def _run_pipeline(self, text: str, commands: list[str]) -> Steps[None]:
        try:
            target = _ASSIGN.match(text)
            if target:
                self.values.names[target.group(1).lower()] = yield from self._pipe(pipeline(target.group(2)))
                return
            found = yield from self._pipe(commands)
        except CmdletError as error:
            self._fail(str(error))
            return
        self.emit(found)

    def emit(self, found: Any) -> None:
        """Takes what a statement gives: the console shows it."""
        self.stdout += shown(found)

    def _fail(self, text: str) -> None:
        self.stderr += f"{text}\r\n"
        self.good = False

    def _pipe(self, commands: list[str]) -> Steps[Any]:
        """Objects of a pipeline. Raises CmdletError."""
        found: Any = []
        for number, command in enumerate(commands):
            found = yield from self._command(command, found, first=number == 0)
        self.good = self.good if len(commands) == 1 else True
        return found

    def _command(self, command: str, given: Any, *, first: bool) -> Steps[Any]:
        words = words_of(command)
        if words and not words[0].quote and words[0].text in ("&", "."):
            words = [Word(words[1].text), *words[2:]] if len(words) > 1 else []
        if not words:
            return []
        name = words[0].text
        if first and (words[0].quote or name.startswith(("$", "[")) or re.fullmatch(r"-?\d+(\.\d+)?", name)):
            self.good = True
            return self.values.expression(command)
        cmdlet = CMDLETS.get(name.lower())
        if cmdlet is not None:
            self.good = False
            result = cmdlet(self.values, self.values.bound(words[1:]), given)
            self.good = True
            return result
        return (yield from self._program(name, words[1:]))

    def _program(self, name: str, words: list[Word]) -> Steps[Any]:
        """A program of Windows; cmd.exe's own commands are none."""
        plain = name.lower().rpartition("\\")[2]
        inside = plain.removesuffix(".exe") in COMMANDS and (plain.endswith(".exe") or not _CALLED.match(plain))
        rest = " ".join(self._passed(word) for word in words)
        if any(word.text.startswith((">", "2>")) and not word.quote for word in words):
            raise CmdletError("the lab's PowerShell does not carry out redirections: use cmd /c")
        line = f'"{name}" {rest}' if " " in name else f"{name} {rest}"
        shell = CmdShell(self.machine, self.context.inside(), COMMANDS)
        if not inside and "\\" not in name:
            raise CmdletError(unknown(name))
        if plain in _WINDOW_PROGRAMS:  # nobody waits for a program with windows
            self.machine.agenda.run("msiexec.exe", self.context.user, shell.run(line))
            self.good = True
            return []
        said = yield from shell.run(line)
        self.stdout, self.stderr = self.stdout + said.stdout, self.stderr + said.stderr
        self.code, self.good = said.code, said.code == 0
        self.values.names["lastexitcode"] = said.code
        return []

    def _passed(self, word: Word) -> str:
        """An argument as Windows PowerShell hands it to a program: in quotes where it has blanks, quotes inside left as they are."""
        if word.quote in ("(", "@"):
            text = str(self.values.expression(word.text))
        elif word.quote or word.text.startswith("$"):
            text = unquoted(word, self.values.text_of) if word.quote else str(self.values.expression(word.text))
        else:
            return word.text
        return f'"{text}"' if re.search(r"\s", text) and not (text.startswith('"') and text.endswith('"')) else text or '""'

    def _restart(self, line: str) -> Steps[None]:
        """The lines with which win_reboot calls shutdown.exe."""
        words = words_of(line)
        said = yield from CmdShell(self.machine, self.context.inside(), COMMANDS).run(
            "shutdown " + " ".join(self._passed(w) for w in words)
        )
        self.code, self.good = said.code, True
        self.values.names |= {"stdout": said.stdout, "stderr": said.stderr, "lastexitcode": said.code}

    def _around_restart(self, text: str) -> None:
        if text.startswith("ConvertTo-Json"):
            names = self.values.names
            found = {"stdout": str(names.get("stdout", "")).strip(), "stderr": str(names.get("stderr", "")).strip()}
            self.stdout += shown([self.values.as_json({**found, "rc": names.get("lastexitcode", 0)})])
        elif "Remove-Item -LiteralPath 'HKLM:" in text and re.match(r"(?i)if \(\$true\)", text):
            path = text.partition("'HKLM:\\")[2].partition("'")[0]
            parent, _, name = f"HKLM\\{path}".rpartition("\\")
            key = self.machine.registry.key(parent)
            if key is not None:
                key.remove(name)


def unknown(name: str) -> str:
    """What PowerShell says of a command that it does not know."""
    return (
        f"{name} : The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
        "Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
    )
