"""A real Ansible inventory, resolved by Ansible itself, as targets and credentials.

Owns: which hosts of the inventory are Windows targets, how to reach them, with what. It must not connect to any of them, and it
keeps secrets in memory only. One start of Ansible where the inventory holds no templates, two or three where it does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from auditor.ansible_place import private_place
from auditor.inventory.listing import Listing, list_inventory
from auditor.inventory.resolver import Resolver, Wanted, reach
from auditor.inventory.targets import is_connection_variable, is_windows, read_target
from auditor.inventory.templates import forbidden, needs_resolving, plain
from auditor.model.credential import Credential
from auditor.model.errors import InventoryError, Problem, UsageError
from auditor.model.host import Target

_log = logging.getLogger(__name__)
_SHOWN = 5
_SECRET = "auditor_secret_"  # noqa: S105 - the beginning of variables' names
_KEPT = ("ansible_winrm_", _SECRET)


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """What an inventory says: whom to ask and how."""

    targets: tuple[Target, ...]
    """In the inventory's order."""
    groups: dict[str, tuple[str, ...]]
    """Group (but `all` and `ungrouped`) to its Windows hosts, refused ones and those of child groups included."""
    refused: tuple[Problem, ...] = ()
    """Windows hosts that can't be asked, and why; `subject` is the host."""
    left_out: tuple[str, ...] = ()
    """Hosts that are no Windows targets (ssh, local, network devices)."""
    credentials: dict[str, Credential] = {}
    """Target to credential; a credential's representation hides its password."""
    secrets: dict[str, dict[str, Credential]] = {}
    """Target to secrets that playbooks take, by name: its variables `auditor_secret_<name>`."""


def load_inventory(
    sources: Sequence[Path], *, limit: str | None = None, trust: bool = False, vault_password_files: Sequence[Path] = ()
) -> Inventory:
    """Read the sources (INI, YAML, folders; several are joined) with their group_vars, host_vars, vaults and templates.

    `limit` takes Ansible's patterns. `trust` lets programs among the sources, inventory plugins and lookups other than `env` and
    `file` run. A Windows host whose variables can't be used is refused, with the reason. Raises InventoryError (unreadable, vault
    password missing) and UsageError (no source, a limit that matches nothing, no Windows host).
    """
    if not sources:
        raise UsageError("no inventory given", next_step="name an Ansible inventory with -i")
    for source in sources:
        if not source.exists() and "," not in str(source):
            raise InventoryError(f"{source}: no such file or folder", next_step="name an Ansible inventory with -i", usage=True)
    vault = [word for file in vault_password_files for word in ("--vault-password-file", str(file.absolute()))]
    with private_place() as place:
        listing = list_inventory(sources, limit, place, vault, trust=trust)
        reading = _Reading(listing, trust=trust)
        world = listing
        if limit is not None and reading.looks_elsewhere:
            world = list_inventory(sources, None, place, vault, trust=trust)
        answers = Resolver(world, place, vault, trust=trust).resolve(reading.wanted)
    for wanted, value in answers.values.items():
        reading.values[wanted.host][wanted.name] = value
    for wanted, reason in answers.failures.items():
        reading.refuse(wanted.host, f"{wanted.name}: {reason}")
    return _assemble(reading, sources, limit)


def resolve_credentials(inventory: Inventory, names: Sequence[str]) -> dict[str, Credential]:
    """The credentials of the targets named, from memory. Raises UsageError for a name that is no target."""
    unknown = [name for name in names if name not in inventory.credentials]
    if unknown:
        raise UsageError(f"no such target in the inventory: {', '.join(unknown[:_SHOWN])}")
    return {name: inventory.credentials[name] for name in names}


class _Reading:
    """The connection variables of every host that may be a Windows target, and which of them Ansible has to resolve."""

    def __init__(self, listing: Listing, *, trust: bool) -> None:
        self.listing = listing
        self.values: dict[str, dict[str, Any]] = {}
        self.wanted: list[Wanted] = []
        self.reasons: dict[str, str] = {}
        self.looks_elsewhere = False
        for host, variables in listing.variables.items():
            self._read(host, variables, trust)

    def refuse(self, host: str, reason: str) -> None:
        """Keep the first reason of a host."""
        self.reasons.setdefault(host, reason)

    def _read(self, host: str, variables: Mapping[str, Any], trust: bool) -> None:
        chosen = {name: value for name, value in variables.items() if is_connection_variable(name) or name.startswith(_KEPT)}
        self.values[host] = {name: plain(value) for name, value in chosen.items()}
        if not needs_resolving(chosen.get("ansible_connection")) and not is_windows(self.values[host]):
            return
        for name, value in chosen.items():
            if (is_connection_variable(name) or name.startswith(_SECRET)) and needs_resolving(value):
                self._want(host, name, variables, trust)

    def _want(self, host: str, name: str, variables: Mapping[str, Any], trust: bool) -> None:
        reached = reach(variables, {name})
        self.looks_elsewhere |= bool(reached & {"hostvars", "groups"})
        found = None if trust else next((f for word in sorted(reached) if word in variables and (f := forbidden(variables[word]))), None)
        if found:
            self.refuse(host, f"{name} uses {found}, which can run programs; only with --trust-inventory")
        else:
            self.wanted.append(Wanted(host, name))


def _assemble(reading: _Reading, sources: Sequence[Path], limit: str | None) -> Inventory:
    file = ", ".join(str(source) for source in sources)
    targets: dict[str, Target] = {}
    credentials: dict[str, Credential] = {}
    refused: list[Problem] = []
    left_out: list[str] = []
    memberships = _memberships(reading.listing)
    for host, values in reading.values.items():
        reason = reading.reasons.get(host)
        if reason is None and not is_windows(values):
            left_out.append(host)
            continue
        try:
            if reason is not None:
                raise InventoryError(reason)
            targets[host], credentials[host] = read_target(host, values, memberships.get(host, ()))
        except InventoryError as error:
            refused.append(Problem(file=file, subject=host, message=error.message))
    _log.info("inventory: %d targets, %d refused, %d left out", len(targets), len(refused), len(left_out))
    if not targets and not refused:
        raise _nothing_left(file, left_out, limit)
    return Inventory(
        targets=tuple(targets.values()),
        groups=_groups(reading.listing, set(reading.values) - set(left_out)),
        refused=tuple(refused),
        left_out=tuple(left_out),
        credentials=credentials,
        secrets={host: found for host in targets if (found := _secrets(reading.values[host]))},
    )


def _secrets(values: Mapping[str, Any]) -> dict[str, Credential]:
    """The secrets among a host's variables; what is no text is none."""
    return {
        name.removeprefix(_SECRET): Credential(None, value)
        for name, value in values.items()
        if name.startswith(_SECRET) and isinstance(value, str) and value
    }


def _groups(listing: Listing, windows: set[str]) -> dict[str, tuple[str, ...]]:
    members = {name: tuple(h for h in hosts if h in windows) for name, hosts in listing.groups.items()}
    return {name: hosts for name, hosts in members.items() if hosts and name not in ("all", "ungrouped")}


def _memberships(listing: Listing) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for group, hosts in listing.groups.items():
        for host in hosts if group not in ("all", "ungrouped") else ():
            result.setdefault(host, []).append(group)
    return result


def _nothing_left(file: str, left_out: Sequence[str], limit: str | None) -> UsageError:
    if limit is not None and not left_out:
        return UsageError(f"--limit {limit!r} leaves no host", next_step="`auditor inventory -i PATH` lists hosts and groups")
    others = f" ({len(left_out)} hosts of other kinds)" if left_out else ""
    return UsageError(
        f"{file}: no Windows host in it{others}",
        next_step="set ansible_connection: winrm (or psrp) for the Windows hosts or their group",
    )
