"""What a run rests on: the files of a playbook, Ansible's version, the collections. A plan is bound to it."""

from __future__ import annotations

import contextlib
import hashlib
import re
import sysconfig
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from auditor.model.errors import PlaybookError
from auditor.playbooks.collections import Collections

SHARED = ("tasks", "specs")
"""Folders beside the plays whose files any play may include."""
LAST_KNOWN = "5.1"
"""Where the wrapper does not say: what ansible-core 2.17 and later need."""
_ASKED = re.compile(r"PSVersion\s+-lt\s+\[Version\]\s*[\"']([0-9.]+)[\"']")
_ENDINGS = frozenset({".yml", ".yaml", ".j2", ".cmd", ".ps1"})


class Foundation(msgspec.Struct, frozen=True, kw_only=True):
    """What a playbook's run depends on besides its hosts and values."""

    playbook: str
    """SHA-256, lower-case hex, over the play, its declaration and every file that it may include."""
    ansible_core: str
    """Version."""
    collections: dict[str, str]
    """Collection to version; empty where none were found."""
    minimum_powershell: str
    """That Ansible's modules need on a host, as the installed ansible-core says itself."""


def playbook_files(folder: Path, remedy: str) -> dict[str, bytes]:
    """The play, its declaration and all shared files, by path relative to the folder. Raises PlaybookError."""
    paths = [folder / f"{remedy}.yml", folder / f"{remedy}.remedy.yml"]
    for name in SHARED:
        paths += sorted(p for p in (folder / name).rglob("*") if p.suffix in _ENDINGS and p.is_file() and not p.is_symlink())
    try:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    except OSError as error:
        raise PlaybookError(f"playbook {remedy}: {error.strerror}: {error.filename}") from error


def digest_of(files: Mapping[str, bytes]) -> str:
    """SHA-256 over names and contents."""
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode())
        digest.update(files[name])
    return digest.hexdigest()


def foundation(files: Mapping[str, bytes], collections: Collections | None) -> Foundation:
    """What a run of a playbook with these files (see `playbook_files`) would rest on now. Raises PlaybookError."""
    try:
        core = version("ansible-core")
    except PackageNotFoundError as error:
        raise PlaybookError("ansible-core is not installed", next_step="install it in the auditor's environment") from error
    return Foundation(
        playbook=digest_of(files),
        ansible_core=core,
        collections=dict(collections.versions) if collections else {},
        minimum_powershell=_minimum_powershell(),
    )


def _minimum_powershell() -> str:
    """The version that the wrapper round every module asks for before it does anything."""
    for folder in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        wrapper = Path(folder) / "ansible" / "executor" / "powershell" / "bootstrap_wrapper.ps1"
        with contextlib.suppress(OSError):
            if found := _ASKED.search(wrapper.read_text(encoding="utf-8", errors="replace")):
                return found[1]
    return LAST_KNOWN
