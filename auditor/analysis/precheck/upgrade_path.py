"""Whether a Windows can be brought to another one in place: the machine has to fit, and the step must not be too long. Pure.

Paths of servers are those of https://learn.microsoft.com/windows-server/get-started/upgrade-overview: two versions at a time, to 2025 from
2012 R2 on, cluster nodes one at a time. Of workstations no paths are stated here, so none are told.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.analysis.host.facts import HostFacts
from auditor.analysis.precheck.windows import FOR_X64_ONLY, SERVERS, is_workstation
from auditor.model.selector import Generation
from auditor.model.whatif import Change, Prerequisite

SOURCE = "https://learn.microsoft.com/windows-server/get-started/upgrade-overview"
_AT_A_TIME = 2
_AT_A_TIME_TO_2025 = 4


def machine(facts: HostFacts, change: Change) -> Iterator[Prerequisite]:
    """The Windows has to be one for the host's processor, and for its kind of host."""
    generation = change.generation
    if generation is None or facts.system is None:
        return
    architecture = facts.system.architecture
    evidence = (facts.evidence("system", "system", "architecture", architecture),)
    if generation in FOR_X64_ONLY and architecture == "x86":
        text = f"Windows {generation} is not made for 32-bit processors' Windows: no upgrade in place, install it anew."
        yield Prerequisite(kind="architecture", met=False, text=text, evidence=evidence)
    elif generation in FOR_X64_ONLY and architecture is None:
        yield Prerequisite(kind="architecture", met=None, text=f"Windows {generation} needs 64 bits; the architecture is not known.")
    if facts.system.product_type is not None and (facts.system.product_type == "workstation") is not is_workstation(generation):
        kinds = ("a workstation", "a server") if facts.system.product_type == "workstation" else ("a server", "a workstation")
        text = f"The host runs Windows for {kinds[0]}, {generation} is one for {kinds[1]}: no upgrade in place."
        yield Prerequisite(kind="architecture", met=False, text=text)


def path(facts: HostFacts, change: Change) -> Iterator[Prerequisite]:
    """The step from the host's server Windows to the wanted one has to be one that the setup makes."""
    target = change.generation
    if target not in SERVERS:
        return
    if facts.generation is None:
        text = f"Which Windows the host runs is not known: whether {target} can be reached in one step is open."
        yield Prerequisite(kind="order", met=None, text=text, source=SOURCE)
    elif facts.generation in SERVERS:
        yield _step(facts, facts.generation, target)


def _step(facts: HostFacts, now: Generation, target: Generation) -> Prerequisite:
    steps = SERVERS.index(target) - SERVERS.index(now)
    evidence = (facts.evidence("system", "system", "version", now),)
    if steps <= 0:
        word = "is what the host runs" if steps == 0 else f"is older than {now}, which the host runs"
        return Prerequisite(kind="order", met=False, text=f"Windows Server {target} {word}: that is no upgrade.", evidence=evidence)
    node = facts.system is not None and "cluster" in facts.system.roles
    longest = _longest(target, node=node)
    if steps <= longest:
        text = f"Windows Server {target} can be reached from {now} in one step."
        return Prerequisite(kind="order", met=True, text=text, evidence=evidence, source=SOURCE)
    between = enumerate(SERVERS[SERVERS.index(now) + 1 : SERVERS.index(target)], 1)
    over = [one for far, one in between if far <= _longest(one, node=node)]
    step = f"go by way of {over[-1]}" if over else "install it anew"
    who = "a cluster node" if node else "a server"
    text = f"Windows Server {target} is too far from {now}: {who} takes {longest} version{'s' * (longest > 1)} at a time; {step}."
    return Prerequisite(kind="order", met=False, text=text, evidence=evidence, source=SOURCE)


def _longest(target: Generation, *, node: bool) -> int:
    """How many versions one step may take to a target."""
    if node:
        return 1
    return _AT_A_TIME_TO_2025 if target == "2025" else _AT_A_TIME
