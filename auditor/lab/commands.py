"""A small, honest command interpreter for the operator's account: a few commands with Windows' own output, everything else not recognised.

Owns the table of commands; each reads or changes the machine. It never claims success for what it did not do.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable

import msgspec

from auditor.lab.machine import SERVICES, Machine
from auditor.lab.registry import Data, Key, Value

MAXIMUM_NESTING = 3
_TOKEN = re.compile(r'"([^"]*)"|(\S+)')
_POWERSHELL_TOKEN = re.compile(r"""["']((?<=")[^"]*(?=")|(?<=')[^']*(?='))["']|(\S+)""")
_HIVES = {"HKLM": "HKLM", "HKEY_LOCAL_MACHINE": "HKLM", "HKU": "HKU", "HKEY_USERS": "HKU"}
_LONG_HIVES = {"HKLM": "HKEY_LOCAL_MACHINE", "HKU": "HKEY_USERS"}
_STATES = {
    "stopped": (1, "STOPPED"), "start_pending": (2, "START_PENDING"), "stop_pending": (3, "STOP_PENDING"), "running": (4, "RUNNING"),
    "continue_pending": (5, "CONTINUE_PENDING"), "pause_pending": (6, "PAUSE_PENDING"), "paused": (7, "PAUSED"),
}  # fmt: skip
_TYPES = {1: "KERNEL_DRIVER", 2: "FILE_SYSTEM_DRIVER", 0x10: "WIN32_OWN_PROCESS", 0x20: "WIN32_SHARE_PROCESS"}
_GERMAN = "0407"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a command printed, and its exit code."""

    stdout: str = ""
    stderr: str = ""
    code: int = 0


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """Who runs a command, and in which interpreter."""

    user: str
    powershell: bool = False
    depth: int = 0


Command = Callable[[Machine, list[str], Context], Said]


def run_line(machine: Machine, line: str, context: Context) -> Said:
    """One command line, as cmd.exe or powershell.exe would run it."""
    pattern = _POWERSHELL_TOKEN if context.powershell else _TOKEN
    words = [bare or quoted for quoted, bare in pattern.findall(line.strip())]
    if words and context.powershell and words[0] == "&":
        words = words[1:]
    if not words or context.depth > MAXIMUM_NESTING:
        return Said()
    name = words[0].lower().rsplit("\\", 1)[-1].removesuffix(".exe")
    command = (_POWERSHELL if context.powershell else _CMD).get(name) or _PROGRAMS.get(name)
    if command is None or (context.powershell and name == "sc" and not words[0].lower().endswith(".exe")):
        return not_recognized(machine, words[0], powershell=context.powershell)
    return command(machine, words[1:], context)


def not_recognized(machine: Machine, name: str, *, powershell: bool) -> Said:
    """What Windows says of a command that it does not know."""
    if powershell:
        text = (
            f"{name} : The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
            "Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
        )
        return Said(stderr=f"{text}\r\n", code=1)
    if machine.facts.system.ui_language == _GERMAN:
        text = f'Der Befehl "{name}" ist entweder falsch geschrieben oder\r\nkonnte nicht gefunden werden.'
    else:
        text = f"'{name}' is not recognized as an internal or external command,\r\noperable program or batch file."
    return Said(stderr=f"{text}\r\n", code=1)


def _echo(machine: Machine, words: list[str], context: Context) -> Said:  # noqa: ARG001
    texts = [word.strip("'\"") for word in words]
    return Said(stdout="".join(f"{text}\r\n" for text in texts) if context.powershell else " ".join(words) + "\r\n")


def _hostname(machine: Machine, words: list[str], context: Context) -> Said:  # noqa: ARG001
    network = machine.facts.network
    return Said(stdout=f"{network.host_name or network.computer_name.lower()}\r\n")


def _whoami(machine: Machine, words: list[str], context: Context) -> Said:  # noqa: ARG001
    user = context.user if "\\" in context.user else f"{machine.facts.network.computer_name}\\{context.user}"
    return Said(stdout=f"{user.lower()}\r\n")


def _ver(machine: Machine, words: list[str], context: Context) -> Said:  # noqa: ARG001
    revision = machine.facts.system.revision
    number = machine.facts.system.version + (f".{revision}" if revision is not None else "")
    return Said(stdout=f"\r\nMicrosoft Windows [Version {number}]\r\n")


def _exit(machine: Machine, words: list[str], context: Context) -> Said:  # noqa: ARG001
    number = words[1] if words[:1] == ["/b"] and len(words) > 1 else words[0] if words else "0"
    return Said(code=int(number) if number.lstrip("-").isdigit() else 0)


def _cmd(machine: Machine, words: list[str], context: Context) -> Said:
    if not words or words[0].lower() != "/c":
        return Said()
    inner = " ".join(f'"{word}"' if " " in word else word for word in words[1:])
    return run_line(machine, inner, Context(user=context.user, depth=context.depth + 1))


def _powershell(machine: Machine, words: list[str], context: Context) -> Said:
    if machine.facts.system.powershell == "none":
        return not_recognized(machine, "powershell.exe", powershell=context.powershell)
    flags = [word.lower() for word in words]
    for name in ("-encodedcommand", "-enc", "-e", "-ec"):
        if name in flags[:-1]:
            return _encoded(machine, words[flags.index(name) + 1], context)
    if "-command" in flags[:-1]:
        return _statements(machine, " ".join(words[flags.index("-command") + 1 :]), context)
    return Said()


def _encoded(machine: Machine, text: str, context: Context) -> Said:
    try:
        script = base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, ValueError):
        return Said(
            stderr="Cannot process the command because the value specified with -EncodedCommand is not properly encoded.\r\n", code=1
        )
    return _statements(machine, script, context)


def _statements(machine: Machine, script: str, context: Context) -> Said:
    """The statements of a script one after the other; like powershell.exe, exit code 1 where the last one failed."""
    inner = Context(user=context.user, powershell=True, depth=context.depth + 1)
    stdout, stderr, code = "", "", 0
    for statement in re.split(r"[\r\n;]+", script):
        if not statement.strip():
            continue
        said = run_line(machine, statement, inner)
        stdout, stderr, code = stdout + said.stdout, stderr + said.stderr, min(abs(said.code), 1)
        if statement.split()[0].lower() == "exit":
            return Said(stdout=stdout, stderr=stderr, code=said.code)
    return Said(stdout=stdout, stderr=stderr, code=code)


def _sc(machine: Machine, words: list[str], context: Context) -> Said:
    if len(words) != 2 or words[0].lower() != "query":
        return not_recognized(machine, f"sc {' '.join(words)}", powershell=context.powershell)
    service = machine.services.get(words[1].upper())
    key = machine.registry.key(rf"{SERVICES}\{words[1]}")
    if service is None or key is None:
        text = "The specified service does not exist as an installed service."
        return Said(stdout=f"[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\r\n\r\n{text}\r\n\r\n", code=1060)
    kind = key.value("Type")
    number = kind.data if kind and isinstance(kind.data, int) else 0
    state, word = _STATES.get(service.state, (0, "UNKNOWN"))
    can = "STOPPABLE, NOT_PAUSABLE" if service.state == "running" else "NOT_STOPPABLE, NOT_PAUSABLE"
    lines = [
        "", f"SERVICE_NAME: {service.name} ", f"        TYPE               : {number:x}  {_TYPES.get(number & 0xFF, '')} ",
        f"        STATE              : {state}  {word} ", f"                                ({can}, IGNORES_SHUTDOWN)",
        "        WIN32_EXIT_CODE    : 0  (0x0)", "        SERVICE_EXIT_CODE  : 0  (0x0)", "        CHECKPOINT         : 0x0",
        "        WAIT_HINT          : 0x0", "",
    ]  # fmt: skip
    return Said(stdout="\r\n".join(lines))


def _reg(machine: Machine, words: list[str], context: Context) -> Said:
    if len(words) < 2 or words[0].lower() != "query" or (len(words) > 2 and (len(words) != 4 or words[2].lower() != "/v")):
        return not_recognized(machine, f"reg {' '.join(words[:1])}", powershell=context.powershell)
    hive, _, rest = words[1].strip("\\").partition("\\")
    short = _HIVES.get(hive.upper(), "")
    key = machine.registry.key(f"{short}\\{rest}" if rest else short) if short else None
    values = key.values() if key else []
    if len(words) == 4:
        values = [value for value in values if value.name.lower() == words[3].lower()]
    if key is None or (len(words) == 4 and not values):
        return Said(stderr="ERROR: The system was unable to find the specified registry key or value.\r\n", code=1)
    path = f"{_LONG_HIVES[short]}\\{rest}" if rest else _LONG_HIVES[short]
    return Said(stdout=_printed_key(machine, path, key, values, subkeys=len(words) == 2))


def _printed_key(machine: Machine, path: str, key: Key, values: list[Value], *, subkeys: bool) -> str:
    blank = "\t" if machine.legacy else "    "
    lines = ["! REG.EXE VERSION 3.0", ""] if machine.legacy else []
    lines += ["", path] if not machine.legacy else [path]
    lines += [f"    {value.name or '(Default)'}{blank}{value.type}{blank}{_printed(value.data)}" for value in values]
    lines.append("")
    if subkeys:
        lines += [f"{path}\\{child.name}" for child in key.subkeys()]
    return "\r\n".join([*lines, ""])


def _printed(data: Data) -> str:
    if isinstance(data, int):
        return f"0x{data:x}"
    if isinstance(data, bytes):
        return data.hex().upper()
    return data if isinstance(data, str) else "\\0".join(data)


_PROGRAMS: dict[str, Command] = {"hostname": _hostname, "whoami": _whoami, "sc": _sc, "reg": _reg, "cmd": _cmd, "powershell": _powershell}
_CMD: dict[str, Command] = {"echo": _echo, "ver": _ver, "exit": _exit}
_POWERSHELL: dict[str, Command] = {"echo": _echo, "write-output": _echo, "exit": _exit}
