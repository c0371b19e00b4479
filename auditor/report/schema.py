"""The published JSON Schemas of what the auditor prints and keeps: generated from the types, kept in docs/schema, held by a test. Pure."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from auditor.model.case import Case
from auditor.model.change import DriftReport
from auditor.model.crash import CrashDocument
from auditor.model.finding import Report
from auditor.model.history import FleetHistory, HostHistory
from auditor.model.host import Snapshot
from auditor.model.hypothesis import Investigation, WavesDocument
from auditor.model.notice import Notice
from auditor.model.plan import CheckDocument, Plan, RemediationDocument
from auditor.model.whatif import Impact, Precheck
from auditor.report.chain import Chain

PUBLISHED: tuple[tuple[str, Any], ...] = (
    ("report", Report),
    ("snapshot", Snapshot),
    ("explanation", Chain),
    ("crash", CrashDocument),
    ("precheck", Precheck),
    ("impact", Impact),
    ("investigation", Investigation),
    ("waves", WavesDocument),
    ("case", Case),
    ("notice", Notice),
    ("drift", DriftReport),
    ("host-history", HostHistory),
    ("fleet-history", FleetHistory),
    ("plan", Plan),
    ("remediation-check", CheckDocument),
    ("remediation", RemediationDocument),
)


def schemas() -> dict[str, str]:
    """File name to the text of each schema, ending in a line feed."""
    return {f"{name}.schema.json": _text(name, kind) for name, kind in PUBLISHED}


def _text(name: str, kind: Any) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **msgspec.json.schema(kind)}
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
