"""Saved output of `ansible-inventory --list` or of a dynamic inventory: rewritten as a YAML inventory, which Ansible then reads.

Ansible itself takes that shape only from a program that it runs. A file's group_vars and host_vars keep counting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

_LARGEST_BYTES = 256 * 1024 * 1024


def as_source(source: Path, place: Path, number: int) -> Path:
    """The source itself, or, where it is saved output, its rewriting inside the private place."""
    saved = _read(source)
    if saved is None:
        return source
    folder = place / f"saved{number}"
    folder.mkdir(exist_ok=True)
    for name in ("group_vars", "host_vars"):
        beside = source.absolute().parent / name
        if beside.is_dir() and not (folder / name).exists():
            (folder / name).symlink_to(beside, target_is_directory=True)
    rewritten = folder / f"{source.stem}.yml"
    # JSON is YAML, so Ansible's YAML reader takes it as it is.
    rewritten.write_bytes(msgspec.json.encode(to_inventory(saved)))
    return rewritten


def to_inventory(saved: dict[str, Any]) -> dict[str, Any]:
    """The tree of a YAML inventory that says the same as the flat groups of saved output."""
    hostvars = saved.get("_meta", {}).get("hostvars", {})
    groups = {name: group if isinstance(group, dict) else {"hosts": group} for name, group in saved.items() if name != "_meta"}
    tree = {name: _group(group) for name, group in groups.items() if name != "all"}
    top = groups.get("all", {})
    hosts = dict.fromkeys([*_names(top.get("hosts")), *hostvars])
    return {"all": {"hosts": {h: hostvars.get(h, {}) for h in hosts}, "vars": top.get("vars") or {}, "children": tree}}


def _group(group: dict[str, Any]) -> dict[str, Any]:
    return {
        "hosts": {name: {} for name in _names(group.get("hosts"))},
        "vars": group.get("vars") or {},
        "children": {name: {} for name in _names(group.get("children"))},
    }


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list | dict) else []


def _read(source: Path) -> dict[str, Any] | None:
    if not source.is_file() or source.stat().st_size > _LARGEST_BYTES:
        return None
    try:
        with source.open("rb") as stream:
            if not stream.read(64).lstrip().startswith(b"{"):
                return None
        data = msgspec.json.decode(source.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    meta = data.get("_meta") if isinstance(data, dict) else None
    return data if isinstance(meta, dict) and isinstance(meta.get("hostvars"), dict) else None
