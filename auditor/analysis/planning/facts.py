"""What a plan is made from, and why one can't be made. Types only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from auditor.model.finding import Edge, Finding
from auditor.model.plan import PlanEvidence, Window
from auditor.model.remedy import Remedy, Value
from auditor.model.rule import Rule
from auditor.model.version import Version


class HostState(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a host that may be changed."""

    evidence: PlanEvidence
    computer_name: str | None = None
    """As it says itself."""
    powershell: Version | None = None
    """None: not known."""
    has_powershell: bool | None = None
    """False: it was seen to have none."""
    groups: tuple[str, ...] = ()
    reachable: bool = True
    """Whether the inventory for changes can reach it."""


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What a playbook rests on now."""

    playbook: str
    ansible_core: str
    collections: dict[str, str]
    minimum_powershell: Version
    """That Ansible's modules need on a host."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a plan is made from."""

    findings: tuple[Finding, ...]
    rules: Mapping[str, Rule]
    remedies: Mapping[str, Remedy]
    grounds: Mapping[str, Ground]
    """By remedy."""
    hosts: Mapping[str, HostState]
    edges: tuple[Edge, ...]
    values: Mapping[tuple[str, str], Value] = {}
    """(host, variable) -> what the operator set; host `*` is every host."""
    remedy: str | None = None
    """In place of what the rules name."""
    ordered: tuple[str, ...] = ()
    """Hosts on which a person orders `remedy` without a finding."""
    only: tuple[str, ...] = ()
    """Hosts that may be changed; empty is all that the findings ask for."""
    ways: Mapping[str, str] = {}
    """Host -> way, where the operator chose."""
    apart: tuple[tuple[str, ...], ...] = ()
    """Sets of hosts of which no two may be changed in one wave."""


class Made(NamedTuple):
    """Identity of who and what made the plan."""

    at: str
    by: str
    auditor: str
    matrix_digest: str
    run: str
    window: Window | None = None
    restart_allowed: bool = False
