"""Another Windows on a host: versions as Microsoft's table of operating system versions has them, and the products that come with it.

Whether an upgrade in place is possible at all is said by `upgrade_path`; here stands what the host would be.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

import msgspec

from auditor.analysis.precheck.install import install
from auditor.analysis.precheck.state import State
from auditor.model.host import SystemRecord, UpdateRecord
from auditor.model.selector import Generation
from auditor.model.signature import Signature
from auditor.model.version import parse_version
from auditor.model.whatif import Change

SERVERS: tuple[Generation, ...] = ("2000", "2003", "2008", "2008r2", "2012", "2012r2", "2016", "2019", "2022", "2025")
"""In the order in which they came out."""
WORKSTATIONS: tuple[Generation, ...] = ("xp", "vista", "7", "8", "8.1", "10", "11")
VERSIONS: Mapping[Generation, str] = {
    "2000": "5.0.2195", "xp": "5.1.2600", "2003": "5.2.3790", "vista": "6.0.6002", "2008": "6.0.6003", "7": "6.1.7601",
    "2008r2": "6.1.7601", "8": "6.2.9200", "2012": "6.2.9200", "8.1": "6.3.9600", "2012r2": "6.3.9600", "10": "10.0.19045",
    "2016": "10.0.14393", "2019": "10.0.17763", "11": "10.0.26100", "2022": "10.0.20348", "2025": "10.0.26100",
}  # fmt: skip
"""The last build of each generation; https://learn.microsoft.com/windows/win32/sysinfo/operating-system-version"""
FOR_X64_ONLY: tuple[Generation, ...] = ("2008r2", "2012", "2012r2", "2016", "2019", "2022", "2025", "11")


def is_workstation(generation: Generation) -> bool:
    """Whether it is a Windows for workstations."""
    return generation in WORKSTATIONS


def upgrade_windows(state: State, change: Change, signatures: Mapping[str, Signature], present: Container[str]) -> State:
    """The host with another Windows: its updates are others, and not known; products that come with it are there.

    `present` are ids of products that are there already: they stay as they are.
    """
    generation = change.generation
    if generation is None:
        return state
    old: tuple[SystemRecord, ...] = state.section("system").records
    record = _system(old[0] if old else SystemRecord(), change, generation)
    state = state.without_records("system", old, change.said).with_records("system", [record], change.said)
    updates: tuple[UpdateRecord, ...] = state.section("updates").records
    state = state.without_records("updates", updates, change.said)
    state = state.with_section("updates", status="partial", reason="the updates of the new Windows are not known before")
    for id_, signature in sorted(signatures.items()):
        if generation in signature.comes_with and id_ not in present:
            bundled = msgspec.structs.replace(change, product=id_, role=None, version=None, parent="", group="")
            state = install(state, bundled, signature, signatures.values())
    return state


def _system(old: SystemRecord, change: Change, generation: Generation) -> SystemRecord:
    """What stays is the machine: architecture, roles, zone. Build, revision and service pack are known as far as they are stated."""
    version = parse_version(change.build or VERSIONS[generation])
    parts = version.parts if version is not None else ()
    modern = bool(parts) and parts[0] >= 10
    product_type = "workstation" if is_workstation(generation) else old.product_type if old.product_type != "workstation" else "server"
    return msgspec.structs.replace(
        old,
        caption=None,
        version=".".join(map(str, parts[:3])),
        build=parts[2] if len(parts) > 2 else None,
        revision=parts[3] if len(parts) > 3 else None,
        service_pack=0 if modern else None,
        product_type=product_type,
        pending_reboot=None,
        powershell_version=None,
    )
