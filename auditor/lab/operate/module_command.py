"""win_command of ansible.windows: one program of Windows with its arguments, no cmd.exe between."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.lab.agenda import Steps
from auditor.lab.operate.cmd_basic import COMMANDS as INSIDE_CMD
from auditor.lab.operate.cmd_parse import split_words
from auditor.lab.operate.cmd_shell import Call, CmdShell
from auditor.lab.operate.commands import COMMANDS
from auditor.lab.operate.module import Failed, Job, ModuleSpec, Option

_OF_CMD = (frozenset(INSIDE_CMD) - {"cmd"}) | {"type", "copy", "move", "del", "erase", "md", "mkdir", "rd", "rmdir", "dir"}
"""What only cmd.exe itself knows."""


def _command(job: Job) -> Steps[None]:
    line = job["cmd"] or (job["_raw_params"] or "").strip()
    given = [str(part) for part in job["argv"]] if job["argv"] is not None else split_words(line)
    if not given:
        raise Failed("one of the following is required: _raw_params, argv, cmd")
    shown = _line(given)
    plain = given[0].lower().rpartition("\\")[2].removesuffix(".exe")
    if plain not in COMMANDS or plain in _OF_CMD:
        raise Failed(f"Failed to run: '{shown}': The system cannot find the file specified", rc=2, cmd=shown)
    shell = CmdShell(job.machine, job.context.inside(), COMMANDS)
    said = yield from COMMANDS[plain](Call(shell=shell, name=plain, path=given[0], rest=_line(given[1:]), words=given[1:]))
    job.result |= {"changed": True, "cmd": shown, "rc": said.code, "stdout": said.stdout, "stderr": said.stderr}
    if said.code:
        raise Failed("non-zero return code")


def _line(words: list[str]) -> str:
    return " ".join(f'"{word}"' if " " in word else word for word in words)


MODULES: Mapping[str, ModuleSpec] = {
    "win_command": ModuleSpec(
        options={"_raw_params": Option(), "cmd": Option(), "argv": Option(type="list")},
        body=_command,
        check_mode=False,
        exclusive=(("_raw_params", "argv", "cmd"),),
    ),
}
