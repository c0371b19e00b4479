"""Which scripts a text names, by the probe's rules (`probes/scripts/names.ps1`): pure text work, nothing is looked up here."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from html import unescape

import msgspec

LONGEST = 8191
MOST_NAMES = 1000
_MOST_VARIABLES = 200
_KINDS = "bat|cmd|ps1|vbs|vbe|js|jse|wsf|rcj|pl|py|kix"
_ENDING = re.compile(rf"\.({_KINDS})$", re.IGNORECASE)
_NAMING = re.compile(rf"^.*(\.({_KINDS})\b|-s:|/job:|/script=).*$", re.IGNORECASE | re.MULTILINE)
_REMARK = re.compile(r"^\s*(@?\s*rem\b|::|#|')", re.IGNORECASE | re.MULTILINE)
_SETTING = re.compile(r'^\s*@?\s*set\s+"?([A-Za-z_][\w.-]*)=([^"\r\n&|]*)', re.IGNORECASE | re.MULTILINE)
_PIECE = re.compile(r"\"([^\"\r\n]+)\"|'([^'\r\n]{1,260})'|([^\s\"&|<>()=,;]+=?)")
_RUNNING = re.compile(
    r"(^|[&|(@{]|\b(call|do|else|start|exec|run)|\b[cw]script(\.exe)?|[-/](c|k|file|f))\s*(//\w+\s*)*[\"'(]*\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_OPTION = re.compile(r"^[-/](s|job|script)[:=](.*)$", re.IGNORECASE)
_FTP = re.compile(r"\bftp(\.exe)?\b", re.IGNORECASE)
_EXTENSION = re.compile(r"\.[^\\.]+$")
_EXEC = re.compile(r"<Exec\b[^>]*>[\s\S]*?</Exec>")
_VARIABLE = re.compile(r"%([^%\s]+)%")
Expand = Callable[[str], str]


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What a task runs."""

    command: str = ""
    arguments: str = ""
    folder: str = ""


class Named(msgspec.Struct, frozen=True):
    """A script's name as written, and whether it is run there or only mentioned."""

    name: str
    run: bool


def xml_actions(text: str) -> list[Action]:
    """Actions of kind Exec in task XML."""
    found = []
    for match in _EXEC.finditer(text):
        xml = match.group(0)
        texts = {field: _element(xml, name) for field, name in (("command", "Command"), ("arguments", "Arguments"))}
        found.append(Action(**texts, folder=_element(xml, "WorkingDirectory")))
    return found


def _element(xml: str, name: str) -> str:
    match = re.search(rf"<{name}>([^<]*)</{name}>", xml)
    return unescape(match.group(1)) if match else ""


def job_actions(data: bytes) -> list[Action]:
    """The action of a .job file: three counted UTF-16 texts, the offset of the first at byte 20 ([MS-TSCH] 2.4)."""
    if len(data) <= 70:
        return []
    texts, at = ["", "", ""], struct.unpack_from("<H", data, 20)[0]
    for i in range(3):
        if at + 2 > len(data):
            break
        count = struct.unpack_from("<H", data, at)[0]
        if at + 2 + 2 * count > len(data):
            break
        texts[i] = data[at + 2 : at + 2 + 2 * count].decode("utf-16-le", "replace").rstrip("\0")
        at += 2 + 2 * count
    return [Action(command=texts[0], arguments=texts[1], folder=texts[2])]


def action_names(action: Action) -> list[Named]:
    """Names in a task's action; the command may be a path with blanks and without quotes."""
    names: list[Named] = []
    command = action.command.strip().strip('"')
    if _ENDING.search(command):
        names.append(Named(command, True))
    else:
        _add(names, action.command, run=True, depth=0)
    _add(names, f"{command} {action.arguments}", run=True, depth=0)
    return names


def script_names(text: str) -> list[Named]:
    """Names in a script's text, remarks left out."""
    names: list[Named] = []
    for match in _NAMING.finditer(text):
        if len(names) >= MOST_NAMES:
            break
        if not _REMARK.search(match.group(0)):
            _add(names, match.group(0), run=False, depth=0)
    return names


def _add(names: list[Named], line: str, *, run: bool, depth: int) -> None:
    following = False
    for match in _PIECE.finditer(line):
        quoted = not match.group(3)
        text = (match.group(3) or (match.group(1) or "") + (match.group(2) or "")).strip().lstrip("@")
        if option := _OPTION.search(text):
            word, rest = option.group(1).lower(), option.group(2)
            if word == "s" and not _FTP.search(line):
                continue
            if not rest:
                following = True
                continue
            names.append(Named(f"{rest}.rcj" if word == "job" and not _EXTENSION.search(rest) else rest, True))
        elif following or _ENDING.search(text):
            names.append(Named(text, run or following or bool(_RUNNING.search(line[: match.start()]))))
        elif quoted and depth == 0 and re.search(r"\s", text):
            _add(names, text, run=run, depth=1)
        following = False


def variables(text: str, environment: Expand) -> dict[str, str]:
    """Variables that a batch file sets, names in upper case, each expanded once."""
    found: dict[str, str] = {}
    for match in list(_SETTING.finditer(text))[:_MOST_VARIABLES]:
        found[match.group(1).upper()] = expanded(match.group(2).strip(), found, "", environment)
    return found


def expanded(text: str, own: dict[str, str], folder: str, environment: Expand) -> str:
    """%NAME% of the script, then of the environment; the caller's folder for %~dp0 and $PSScriptRoot; at most LONGEST characters."""
    if folder:
        text = text.replace("%~dp0", folder + "\\").replace("%~DP0", folder + "\\").replace("$PSScriptRoot", folder)
    for match in list(_VARIABLE.finditer(text)):
        if match.group(1).upper() in own:
            text = text.replace(match.group(0), own[match.group(1).upper()])
        if len(text) > LONGEST:
            return text[:LONGEST]
    return environment(text)[:LONGEST]
