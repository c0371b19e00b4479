"""Small states for the tests of drift; values only, no files."""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.analysis.drift.normalise import Normaliser
from auditor.model.baseline import DriftKnowledge
from auditor.model.host import Snapshot
from tests.unit.small_fleet import signature, snapshot

GUARD: dict[str, Any] = {
    "id": "acme-guard",
    "name": "Guard",
    "vendor": "Acme",
    "kind": "antivirus",
    "installed": [{"services": ["guardsvc"]}],
    "definitions": [{"registry": {"key": "SOFTWARE\\Acme\\Guard", "value": "Defs"}}, {"file": {"path": "%ProgramFiles%\\Acme\\defs.dat"}}],
    "services": ["guardsvc"],
    "drivers": ["guard.sys"],
}
SECTIONS: dict[str, Any] = {
    "system": {"unordered": ["roles", "pending_reboot"], "individual": ["caption"]},
    "network": {"unfold": {"adapters": ["mac|description"]}, "unordered": ["addresses"], "individual": ["*"]},
    "programs": {"key": ["name|key", "view=native"], "absent_when_null": ["name", "version", "publisher"]},
    "services": {
        "key": ["name"],
        "absent_when_null": ["image_path", "group"],
        "individual": ["display_name"],
        "learn": ["start", "account"],
    },
    "drivers": {"key": ["name"], "absent_when_null": ["group"], "integrity": ["sha256", "link_timestamp"], "learn": ["file_version"]},
    "security": {
        "key": ["path", "name", "view=native"],
        "joined": "\\",
        "absent_when_null": ["data"],
        "integrity": ["sha256"],
        "protection": ["*"],
    },
    "tasks": {"key": ["path", "source_format=xml"], "learn": []},
    "shares": {"key": ["name"], "absent_when_null": ["path"]},
    "updates": {"key": ["id"]},
}
RULES: list[dict[str, Any]] = [
    {"id": "user", "section": "services", "why": "w", "where": {"name": "*_<hex>"}, "beside": {"name": "{1}"}, "leave_out": True},
    {"id": "demand", "section": "services", "why": "w", "where": {"start": "demand"}, "forget": ["state"]},
    {"id": "scan", "section": "drivers", "why": "w", "where": {"name": "MpKsl<word>"}, "leave_out": True},
    {
        "id": "platform",
        "section": "drivers",
        "why": "w",
        "where": {"path": "*\\Platform\\<level>\\*"},
        "mask": {"path": ["*\\Platform\\<level>\\*"]},
    },
    {"id": "lease", "section": "network", "why": "w", "where": {"dhcp_enabled": True}, "forget": ["addresses"]},
    {"id": "renames", "section": "system", "why": "w", "drop": {"pending_reboot": ["file_rename"]}},
    {"id": "ids", "section": "security", "why": "w", "where": {"name": "*Guid*"}, "between_hosts": True, "leave_out": True},
    {"id": "vm", "section": "system", "why": "w", "on": {"model": "Virtual*"}, "forget": ["manufacturer"]},
]


def knowledge(rules: list[dict[str, Any]] | None = None) -> DriftKnowledge:
    """Plans and rules as the files would give them."""
    body = {"sections": SECTIONS, "rules": RULES if rules is None else rules, "alike": ["version"]}
    return msgspec.convert(body, DriftKnowledge)


def normaliser(*, between_hosts: bool = False) -> Normaliser:
    """Plans and rules made ready."""
    return Normaliser(knowledge(), (signature(GUARD),), between_hosts=between_hosts)


def state(name: str = "A", at: str = "2026-11-01T00:00:00Z", way: str = "powershell over http/ntlm", **sections: Any) -> Snapshot:
    """A host at a time; sections as in `small_fleet.snapshot`."""
    return msgspec.structs.replace(snapshot(name, **sections), collected_at=at, transport=way)


def partial(*rows: dict[str, Any], gaps: tuple[tuple[str, str], ...] = (), reason: str = "") -> dict[str, Any]:
    """A section that was seen in part, with gaps (record, field)."""
    return {
        "status": "partial",
        "reason": reason,
        "rows": list(rows),
        "gaps": [{"record": r, "field": f, "reason": "not readable"} for r, f in gaps],
    }
