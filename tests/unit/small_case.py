"""Small cases for the tests of investigations; values only, no files."""

from __future__ import annotations

from typing import Any

import msgspec

from auditor.analysis.fleet.fleet import build_fleet
from auditor.analysis.host.facts import HostFacts
from auditor.analysis.investigate.case import Case, Known, Seen
from auditor.analysis.investigate.moment import find_moment
from auditor.model.crash import Crash
from auditor.model.crash_knowledge import CrashKnowledge, SystemModule
from auditor.model.host import Clock
from auditor.model.hypothesis import EventKind, HypothesisKnowledge, HypothesisRule
from auditor.model.rule import Matrix, Rule
from tests.unit.small_fleet import matrix, snapshot, target

CHINA = {"bias_minutes": -480, "daylight_bias_minutes": 0}
KNOWN = HypothesisKnowledge(
    hypotheses=(),
    minutes={"restart_noted": 10080, "earlier": 40320, "trouble": 10080, "file_written": 43200, "job": 70, "logon": 15, "service": 15},
    counts={"attacks_several": 2, "dropped_least": 10, "dropped_times": 3},
    events={
        "restart": (EventKind(log="System", source="EventLog", ids=(6008,)),),
        "disk": (EventKind(log="System", source="disk", ids=(7, 51)),),
        "service_change": (EventKind(log="System", source="Service Control Manager", ids=(7036,), around=True),),
    },
    program_paths=("?:\\program files\\*", "?:\\windows\\*", "?:\\"),
    clean_checks=("found no problems",),
)
CRASHES = CrashKnowledge(modules={"nt": SystemModule(file="ntoskrnl.exe", kind="kernel")})


def hypothesis(**body: Any) -> HypothesisRule:
    """A hypothesis as YAML would write it."""
    return msgspec.convert({"id": "a", "title": "A", "question": ["trigger"], **body}, HypothesisRule)


def crashed(**fields: Any) -> Crash:
    """A crash as a text of a debugger tells it, unless said otherwise."""
    return msgspec.convert({"source": {"file": "a.txt", "kind": "analyze_text"}, **fields}, Crash)


def facts_with_clock(*, skew: float | None = 0.0, offset: int | None = None, **sections: Any) -> HostFacts:
    """A host named A with a clock."""
    found = snapshot("A", **sections)
    return HostFacts(msgspec.structs.replace(found, clock=Clock(utc_offset_minutes=offset, skew_seconds=skew)))


def case(
    hosts: dict[str, dict[str, Any]],
    *,
    crash: Crash | None = None,
    tied: dict[str, tuple[str, ...]] | None = None,
    known: HypothesisKnowledge = KNOWN,
    rules: tuple[Rule, ...] = (),
    seen: dict[str, Any] | None = None,
) -> Case:
    """A case of the first host; its moment comes from its events."""
    found: Matrix = matrix(rules)
    snapshots = {name: snapshot(name, **sections) for name, sections in hosts.items()}
    fleet = build_fleet(snapshots, [target(name) for name in hosts], found)
    name = next(iter(hosts))
    moment = find_moment(fleet.hosts[name], crash=crash)
    whole = Seen(moment=moment, crash=crash, **(seen or {}))
    return Case(name, fleet, Known(matrix=found, hypotheses=known, crashes=CRASHES), whole, tied or {})
