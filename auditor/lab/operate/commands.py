"""The table of all commands that a lab host's cmd.exe finds, and the way to run a line with it."""

from __future__ import annotations

from auditor.lab.agenda import Steps
from auditor.lab.machine import Machine
from auditor.lab.operate import cmd_basic, cmd_files, cmd_registry, cmd_system, cmd_tasks
from auditor.lab.operate.cmd_shell import CmdShell, Table
from auditor.lab.operate.said import Context, Said

COMMANDS: Table = {**cmd_basic.COMMANDS, **cmd_files.COMMANDS, **cmd_registry.COMMANDS, **cmd_system.COMMANDS, **cmd_tasks.COMMANDS}


def run_line(machine: Machine, line: str, context: Context) -> Steps[Said]:
    """A line as `cmd /c` runs it."""
    return (yield from CmdShell(machine, context, COMMANDS).run(line))
