"""Hosts of which no two may be changed in one wave, because they replace each other or hold the same data. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from auditor.model.host import Snapshot

_STAND_INS = ("domain_controller", "cluster")
"""Roles whose hosts of one domain stand in for each other."""


def apart_of(snapshots: Mapping[str, Snapshot], named: Mapping[str, Collection[str]]) -> tuple[tuple[str, ...], ...]:
    """Sets of at least two hosts. `named` are inventory groups that a person declared as such, with their hosts.

    Replicated folders of one group, domain controllers of one domain, and cluster nodes of one domain count as redundant.
    """
    found: dict[str, set[str]] = {f"group {name}": set(hosts) for name, hosts in named.items()}
    for host, snapshot in snapshots.items():
        domain = _domain(snapshot)
        for row in snapshot.sections.system.records:
            for role in _STAND_INS:
                if role in row.roles:
                    found.setdefault(f"{role} {domain}", set()).add(host)
        for folder in snapshot.sections.replication.records:
            found.setdefault(f"replication {folder.service} {folder.group.casefold()}", set()).add(host)
    return tuple(tuple(sorted(hosts)) for _, hosts in sorted(found.items()) if len(hosts) > 1)


def _domain(snapshot: Snapshot) -> str:
    return next((row.domain.casefold() for row in snapshot.sections.network.records if row.domain), "")
