"""Ansible's complaints boiled down to one clear error with a place and a next step. Pure but for looking at the files named.

Ansible quotes the input in its messages, and the input holds passwords: only its known sentences are passed on, never a quotation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from auditor.inventory.iniplace import ini_position
from auditor.model.errors import AuditorError, InventoryError, UsageError

_FAILED_SOURCE = re.compile(r"Completely failed to parse inventory source (.+)")
_NO_PATTERN = re.compile(r"Could not match supplied host pattern, ignoring: (.+)")
_NO_PASSWORD_FILE = re.compile(r"The vault password file (.+?) was not found")
_KNOWN = (
    (re.compile(r"Expected key=value host variable assignment"), "a host line has a word that is not key=value (quote values with spaces)"),
    (re.compile(r"Section \[([^\]\n]{1,80})\] not valid for undefined group"), "section [{0}] belongs to a group that is not defined"),
    (re.compile(r"Section \[([^\]\n]{1,80})\] includes undefined group"), "section [{0}] includes a group that is not defined"),
    (re.compile(r"Section \[([^\]\n]{1,80})\] has unknown type"), "section [{0}] is of an unknown kind"),
    (re.compile(r"Plugin configuration YAML file, not YAML inventory"), "it configures an inventory plugin and is no inventory itself"),
    (re.compile(r"Invalid section entry|Invalid host pattern"), "a line is neither a section nor a host"),
)
_QUOTING = re.compile(r"(alias|anchor|handle|directive|name) '[^']*'")
_PLUGIN = "needs an inventory plugin or a program"
_SCANNED_FILES = 2000


def inventory_complaint(text: str, sources: Sequence[Path], limit: str | None) -> AuditorError:
    """The error for a failed `ansible-inventory`; `text` is what it printed on standard error."""
    if match := _NO_PATTERN.search(text):
        return UsageError(
            f"--limit {limit!r} matches nothing: {_short(match.group(1))} is no host or group of the inventory",
            next_step="`auditor inventory -i PATH` lists hosts and groups",
        )
    if match := _NO_PASSWORD_FILE.search(text):
        return InventoryError(
            f"the vault password file {_short(match.group(1))} was not found", next_step="name an existing file", usage=True
        )
    if "no vault secrets" in text or "Decryption failed" in text:
        return _vault_complaint(text, sources)
    if match := _FAILED_SOURCE.search(text):
        return _source_complaint(text, Path(match.group(1).strip()), sources)
    return InventoryError(
        f"{_named(sources)}: Ansible could not read the inventory",
        next_step="run `ansible-inventory -i PATH --list` to see its own message; it may show secrets",
    )


def _vault_complaint(text: str, sources: Sequence[Path]) -> InventoryError:
    vaulted = find_vaulted(sources)
    place = str(vaulted) if vaulted else _named(sources)
    if "Decryption failed" in text:
        return InventoryError(
            f"{place}: none of the vault passwords given opens it",
            next_step="check the file given with --vault-password-file",
        )
    return InventoryError(f"{place}: encrypted with Ansible Vault", next_step="give its password with --vault-password-file FILE")


def _source_complaint(text: str, failed: Path, sources: Sequence[Path]) -> InventoryError:
    place = next((str(s) for s in sources if s.absolute() == failed), str(failed))
    if not failed.exists():
        return InventoryError(f"{place}: no such file or folder", next_step="name an Ansible inventory with -i", usage=True)
    if not os.access(failed, os.R_OK):
        return InventoryError(f"{place}: not readable by this user", next_step="check its permissions")
    if _is_program(failed):
        return InventoryError(
            f"{place}: a program; programs among the sources run only when the inventory is trusted",
            next_step="give --trust-inventory if you trust its author, or save its output as a file",
        )
    what, mark = _what_is_wrong(text, failed)
    step = "give --trust-inventory if you trust its author" if _PLUGIN in what else "correct the file"
    return InventoryError(f"{place}{mark}: not a readable Ansible inventory: {what}", next_step=step)


def _what_is_wrong(text: str, failed: Path) -> tuple[str, str]:
    if failed.suffix in (".yml", ".yaml", ".json"):
        if "Plugin configuration YAML file" in text:
            return f"it {_PLUGIN} ({_KNOWN[4][1]})", ""
        if position := yaml_position(failed):
            return position[2], f":{position[0]}:{position[1]}"
    known = next((words.format(*match.groups()) for pattern, words in _KNOWN if (match := pattern.search(text))), None)
    position = ini_position(failed) if failed.is_file() else None
    if position is not None and known in (None, position[2]):
        return position[2], f":{position[0]}:{position[1]}"
    return known or "neither INI nor YAML as Ansible reads them", ""


def yaml_position(file: Path) -> tuple[int, int, str] | None:
    """Line, column and the parser's sentence, where the file is no valid YAML; the sentence quotes nothing of the file."""
    import yaml

    try:
        for _ in yaml.parse(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader):
            continue
    except yaml.MarkedYAMLError as error:
        problem = error.problem or "not YAML"
        mark = error.context_mark if "end of stream" in problem and error.context_mark else error.problem_mark
        return (mark.line + 1, mark.column + 1, _QUOTING.sub(r"\1", problem)) if mark else None
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return (1, 1, "not UTF-8 text")
    return None


def find_vaulted(sources: Sequence[Path]) -> Path | None:
    """The first file among the sources, their group_vars and host_vars that is encrypted as a whole."""
    for source in sources:
        folder = source if source.is_dir() else source.parent
        around = [source] if source.is_file() else []
        for name in ("group_vars", "host_vars"):
            around += sorted(islice((folder / name).rglob("*"), _SCANNED_FILES))
        for file in around:
            if file.is_file() and _starts_with(file, b"$ANSIBLE_VAULT"):
                return file
    return None


def _is_program(file: Path) -> bool:
    return file.is_file() and os.access(file, os.X_OK) and _starts_with(file, b"#!")


def _starts_with(file: Path, head: bytes) -> bool:
    try:
        with file.open("rb") as stream:
            return stream.read(len(head)) == head
    except OSError:
        return False


def _named(sources: Sequence[Path]) -> str:
    return ", ".join(str(s) for s in sources)


def _short(text: str) -> str:
    return "".join(c for c in text.strip()[:120] if c.isprintable())
