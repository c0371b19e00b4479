"""Commands that cmd.exe has itself: echo, ver, set, cd, call, start, exit, goto, rem, cmd."""

from __future__ import annotations

import re

import msgspec

from auditor.lab.agenda import Steps
from auditor.lab.operate.cmd_shell import Call, CmdShell, Leaving, Table
from auditor.lab.operate.places import absolute, folder_of
from auditor.lab.operate.said import Said
from auditor.lab.operate.words import said

_START_FLAGS = re.compile(r'(?i)^\s*("[^"]*"\s*)?((/wait|/b|/min|/max|/low|/normal|/high|/i|/d\s*\S+)\s*)*')


def _echo(call: Call) -> Steps[Said]:
    yield 0.0
    text = call.rest[1:] if call.rest[:1] in " .:;,=/\\(+\t" else call.rest
    if call.rest.strip().lower() in ("on", "off"):
        return Said()
    return Said(stdout=f"{text}\r\n" if call.rest.strip() or call.rest[:1] in ".:(" else "ECHO is on.\r\n")


def _ver(call: Call) -> Steps[Said]:
    yield 0.0
    system = call.machine.facts.system
    number = system.version + (f".{system.revision}" if system.revision is not None else "")
    return Said(stdout=f"\r\nMicrosoft Windows [Version {number}]\r\n")


def _exit(call: Call) -> Steps[Said]:
    yield 0.0
    given = [word.lower() for word in call.words]
    number = next((word for word in given if word.lstrip("-").isdigit()), None)
    code = int(number) if number is not None else call.shell.errorlevel
    raise Leaving("exit_b" if "/b" in given and call.shell.in_file else "exit", code=code)


def _goto(call: Call) -> Steps[Said]:
    yield 0.0
    target = call.rest.strip().lstrip(":").strip().split(" ")[0].lower()
    raise Leaving("goto", target=target)


def _set(call: Call) -> Steps[Said]:
    yield 0.0
    text = call.rest.strip()
    if text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    name, equals, value = text.partition("=")
    if not equals:
        found = {key: item for key, item in call.shell.variables().items() if key.startswith(name.upper())}
        lines = "".join(f"{key}={item}\r\n" for key, item in sorted(found.items()))
        return Said(stdout=lines, code=0 if found else 1)
    if name.lower().startswith("/a ") or name.lower().startswith("/p "):
        return Said(stderr=f"the lab's cmd does not carry out set {name[:2]}\r\n", code=1)
    call.shell.own[name.strip().upper()] = value
    return Said()


def _cd(call: Call) -> Steps[Said]:
    yield 0.0
    words = [word for word in call.words if word.lower() != "/d"]
    if not words:
        return Said(stdout=f"{folder_of(call.machine, call.context)}\r\n")
    path = absolute(call.machine, words[0], call.context)
    if path is None or not call.machine.files.folder_exists(path):
        return said(call.machine, "no_path", code=1)
    call.shell.context = msgspec.structs.replace(call.context, folder=path)
    return Said()


def _call(call: Call) -> Steps[Said]:
    return (yield from call.shell.line(call.rest.strip()))


def _start(call: Call) -> Steps[Said]:
    """A program beside this one; with /wait until it has ended."""
    yield 0.0
    line = _START_FLAGS.sub("", call.rest, count=1)
    shell = CmdShell(call.machine, call.context.inside(), call.shell.table)
    if re.search(r"(?i)(^|\s)/wait\b", call.rest):
        return (yield from shell.run(line))
    call.machine.agenda.run("cmd.exe", call.context.user, shell.run(line))
    return Said()


def _cmd(call: Call) -> Steps[Said]:
    """`cmd /c LINE`: quotes round the whole line go, as cmd.exe takes the first and the last away."""
    match = re.match(r"(?i)((?:\s*/[^ck\s]\S*)*)\s*/c\s?(.*)$", call.rest, re.DOTALL)
    if match is None:
        return Said(stderr="the lab's cmd needs /c\r\n", code=1)
    if "/v" in match.group(1).lower():
        return Said(stderr="the lab's cmd does not carry out /v\r\n", code=1)
    line = match.group(2).strip()
    if line.startswith('"') and not _one_program(line):
        last = line.rfind('"')
        line = line[1:last] + line[last + 1 :]
    shell = CmdShell(call.machine, call.context.inside(), call.shell.table, stdin=call.stdin)
    return (yield from shell.run(line))


def _one_program(line: str) -> bool:
    """Whether the quotes stay: exactly two, no special characters between, something with a blank that is a program."""
    return (
        line.count('"') == 2
        and not re.search(r"[&<>()@^|]", line)
        and bool(re.fullmatch(r'"[^"]*\s[^"]*\.(exe|cmd|bat|com)".*', line, re.I))
    )


def _nothing(call: Call) -> Steps[Said]:  # noqa: ARG001
    yield 0.0
    return Said()


COMMANDS: Table = {
    "echo": _echo, "ver": _ver, "exit": _exit, "goto": _goto, "set": _set, "cd": _cd, "chdir": _cd, "call": _call, "start": _start,
    "cmd": _cmd, "rem": _nothing, "title": _nothing, "chcp": _nothing, "verify": _nothing,
}  # fmt: skip
