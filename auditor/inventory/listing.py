"""The inventory as `ansible-inventory --list` prints it: hosts, groups, merged raw variables. Ansible reads the sources, nobody else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from auditor.inventory.complaints import inventory_complaint
from auditor.inventory.program import run_program
from auditor.inventory.saved import as_source
from auditor.model.errors import InventoryError


class Listing(msgspec.Struct, frozen=True):
    """Hosts with their raw variables, and groups with their members."""

    variables: dict[str, dict[str, Any]]
    """Host to variables, merged by Ansible in its own order of precedence; templates and inline vaults are not resolved."""
    groups: dict[str, tuple[str, ...]]
    """Group to all hosts in it and in its children, in the inventory's order."""
    places: dict[str, str] = {}
    """`inventory_dir` and `inventory_file` where they are the same for every host."""


class _Group(msgspec.Struct):
    hosts: list[str] = []
    children: list[str] = []


class _Meta(msgspec.Struct):
    hostvars: dict[str, dict[str, Any]] = {}


def list_inventory(sources: Sequence[Path], limit: str | None, place: Path, vault: Sequence[str], *, trust: bool) -> Listing:
    """One run of `ansible-inventory`. Raises InventoryError, or UsageError where the limit matches nothing."""
    read = [as_source(source, place, number) for number, source in enumerate(sources)]
    words = [word for source in read for word in ("-i", source_word(source))]
    pattern = [f"--limit={limit}"] if limit is not None else []
    said = run_program("ansible-inventory", [*words, *vault, *pattern, "--list"], place, trust=trust)
    if said.code != 0:
        raise inventory_complaint(said.complaints, sources, limit)
    try:
        raw = msgspec.json.decode(said.output, type=dict[str, msgspec.Raw])
        meta = msgspec.json.decode(raw.pop("_meta", b"{}"), type=_Meta)
        groups = {name: msgspec.json.decode(text, type=_Group) for name, text in raw.items()}
    except msgspec.MsgspecError as error:
        raise InventoryError("ansible-inventory printed no inventory", next_step="check the installation of ansible-core") from error
    members = {name: _members(name, groups, set()) for name in groups}
    hosts = dict.fromkeys(host for hosts in members.values() for host in hosts)
    return Listing({h: meta.hostvars.get(h, {}) for h in hosts}, members, _places(sources))


def source_word(source: Path) -> str:
    """The source as Ansible's command line takes it from another folder; `host1,host2` is a list of hosts and no path."""
    text = str(source)
    return text if "," in text and not source.exists() else str(source.absolute())


def _members(name: str, groups: dict[str, _Group], on_the_way: set[str]) -> tuple[str, ...]:
    group = groups.get(name)
    if group is None or name in on_the_way:
        return ()
    below = [host for child in group.children for host in _members(child, groups, on_the_way | {name})]
    return tuple(dict.fromkeys([*group.hosts, *below]))


def _places(sources: Sequence[Path]) -> dict[str, str]:
    files = [s.absolute() for s in sources if s.exists()]
    folders = {str(f if f.is_dir() else f.parent) for f in files}
    places = {"inventory_dir": folders.pop()} if len(folders) == 1 else {}
    if len(files) == 1 and files[0].is_file():
        places["inventory_file"] = str(files[0])
    return places
