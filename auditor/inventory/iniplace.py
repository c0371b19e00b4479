"""Where in an INI inventory a mistake lies: Ansible's own message names no line. Looks for nothing that Ansible accepts, quotes nothing."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

_SECTION = re.compile(r"\[([^:\]\s]+)(?::(\w+))?\]\s*(?:\#.*)?$")
_KINDS = (None, "hosts", "children", "vars")
_LARGEST = 16 * 1024 * 1024


def ini_position(file: Path) -> tuple[int, int, str] | None:
    """Line and column from 1 of the first mistake, and what it is; None where none is found."""
    try:
        if file.stat().st_size > _LARGEST:
            return None
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    kind: str | None = "hosts"
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        column = len(line) - len(line.lstrip()) + 1
        if text.startswith("["):
            section = _SECTION.match(text)
            kind = section.group(2) if section else None
            problem = None if section and kind in _KINDS else "a line is neither a section nor a host"
        else:
            problem = _line_problem(text, kind)
        if problem:
            return number, column, problem
    return None


def _line_problem(text: str, kind: str | None) -> str | None:
    if kind == "vars":
        return None if "=" in text else "a variable of a section of variables has no value: expected name=value"
    if kind == "children":
        return None
    try:
        words = shlex.split(text, comments=True)
    except ValueError:
        return "a quotation does not end"
    if any("=" not in word for word in words[1:]):
        return "a host line has a word that is not key=value (quote values with spaces)"
    return None
