"""Programs of products on a lab host, run by their path: installers of packages, and the commands that a fleet file lists."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from auditor.lab.agenda import Steps
from auditor.lab.fleet import ProductCommand
from auditor.lab.machine import LabFile, Machine
from auditor.lab.operate import packages, services
from auditor.lab.operate.packages import Log
from auditor.lab.operate.places import absolute, file_at, package_at
from auditor.lab.operate.said import Context, Said
from auditor.lab.operate.services import ServiceError
from auditor.lab.operate.writes import Denied, put_value
from auditor.lab.registry import Value
from auditor.lab.texts import decode_text

_PROPERTY = re.compile(r"([A-Za-z_][A-Za-z0-9_.]*)=(\"[^\"]*\"|\S*)")


def run_program(machine: Machine, path: str, words: list[str], context: Context) -> Steps[Said | None]:
    """Runs what lies at `path`; None where the lab knows no program there."""
    label = package_at(machine, path) or package_at(machine, f"{path}.exe")
    if label is not None:
        return (yield from _installer(machine, label, words, context))
    command = _fitting(machine, path, words)
    if command is not None:
        yield command.facts.seconds
        return _commanded(machine, command, words, context)
    known = any(_same(path, command.path) for command in machine.commands)
    if known and file_at(machine, _file(machine, path)) is not None:
        shown = " ".join(words) or "without arguments"
        return Said(stderr=f"the lab does not know this call of {path}: {shown}\r\n", code=87)
    return None


def _file(machine: Machine, path: str) -> str:
    return path if machine.files.get(path) is not None else f"{path}.exe"


def _same(path: str, known: str) -> bool:
    return path.upper() in (known.upper(), known.upper().removesuffix(".EXE"))


def _installer(machine: Machine, label: str, words: list[str], context: Context) -> Steps[Said]:
    """An installer of its own: properties anywhere on its line, also inside `/v"..."`."""
    line = " ".join(words)
    properties = {match.group(1).upper(): match.group(2).strip('"') for match in _PROPERTY.finditer(line)}
    removing = any(word.lower() in ("/x", "/uninstall", "-uninstall", "/remove", "--uninstall") for word in words)
    act = packages.remove if removing else packages.install
    code = yield from act(machine, label, properties, Log())
    if code == packages.RESTARTS:
        packages.restarts_now(machine, context.user)
    return Said(code=code)


def _fitting(machine: Machine, path: str, words: list[str]) -> ProductCommand | None:
    for command in machine.commands:
        if _same(path, command.path) and file_at(machine, command.path) is not None and _fits(command, words):
            return command
    return None


def _fits(command: ProductCommand, words: list[str]) -> bool:
    given = _without_password(words)
    patterns = command.facts.arguments
    return len(given) == len(patterns) and all(
        pattern == "{file}" or fnmatchcase(word.lower(), pattern.lower()) for word, pattern in zip(given, patterns, strict=True)
    )


def _without_password(words: list[str]) -> list[str]:
    at = next((index for index, word in enumerate(words) if word.lower() == "-p"), None)
    return words if at is None else words[:at] + words[at + 2 :]


def _commanded(machine: Machine, command: ProductCommand, words: list[str], context: Context) -> Said:
    facts = command.facts
    password = next((words[index + 1] for index, word in enumerate(words[:-1]) if word.lower() == "-p"), None)
    if facts.password is not None and password != facts.password:
        return Said(stderr="the password is missing or wrong\r\n", code=1)
    source: LabFile | None = None
    if "{file}" in facts.arguments:
        written = _without_password(words)[facts.arguments.index("{file}")]
        source = file_at(machine, absolute(machine, written, context) or "")
        if source is None:
            return Said(stderr=f"{written}: not there\r\n", code=2)
    try:
        _set(machine, command, source)
    except (Denied, ServiceError):
        return Said(stderr="Access is denied.\r\n", code=5)
    return Said(code=facts.code)


def _set(machine: Machine, command: ProductCommand, source: LabFile | None) -> None:
    for setting in command.registry:
        if setting.value is not None:
            put_value(machine, setting.key, setting.value)
    text = decode_text(source.data(), source.path, machine) if source else ""
    for name, goes in command.facts.from_file.items():
        found = re.search(rf"(?i)\b{re.escape(name)}\s*=\s*(?:\"([^\"]*)\"|([^\s<>]+))", text)
        if found:
            put_value(machine, goes.key, Value(goes.value, "REG_SZ", goes.written.replace("{}", found.group(1) or found.group(2) or "")))
    for name, state in command.facts.services.items():
        entry = services.find(machine, name)
        if entry is not None and entry.running != (state == "running"):
            (services.start if state == "running" else services.stop)(machine, name)
