"""The life of a finding over runs: first seen, last seen, fixed, back again, waived. Pure; the store keeps what comes out.

Rules of this file:
1. A finding is fixed only by a run that looked: its rule was evaluated, all its hosts were seen, and the check was not undetermined.
2. A run that is older than what is known already widens first and last seen and changes nothing else: runs may end out of order.
   Where it is older by more than any run lasts, the clock was wrong then, and what was noted then stands in nobody's way.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from auditor.model.change import FindingLife, LifeState
from auditor.model.finding import Finding, Report

LONGEST_RUN = timedelta(days=2)


class RunView(NamedTuple):
    """What one run says of findings."""

    at: str
    """When it started, ISO 8601 in UTC."""
    matrix: str
    findings: Mapping[str, Finding]
    undetermined: frozenset[str]
    seen: frozenset[str]
    """Hosts of which something was seen."""
    rules: frozenset[str] | None = None
    """Ids of the rules that were evaluated; None where not known: then only the same matrix proves that a rule was."""
    waived: frozenset[str] = frozenset()


def run_view(report: Report, *, rules: Collection[str] | None = None, waived: Collection[str] = ()) -> RunView:
    """A report as lives see it."""
    return RunView(
        at=report.run.started_at,
        matrix=report.run.matrix_digest,
        findings={finding.id: finding for finding in (*report.findings, *(waived.finding for waived in report.waived))},
        undetermined=frozenset(finding.id for finding in report.undetermined),
        seen=frozenset(host.host for host in report.coverage if host.status in ("ok", "partial")),
        rules=None if rules is None else frozenset(rules),
        waived=frozenset([*waived, *(entry.finding.id for entry in report.waived)]),
    )


def advance(lives: Mapping[str, FindingLife], view: RunView) -> list[FindingLife]:
    """The lives that a run changes or begins. `lives` are those that are known."""
    changed = [_seen(lives.get(id_), finding, view) for id_, finding in view.findings.items()]
    gone = (life for id_, life in lives.items() if id_ not in view.findings)
    changed += [new for life in gone if (new := _gone(life, view)) is not None and new != life]
    return changed


def _seen(life: FindingLife | None, finding: Finding, view: RunView) -> FindingLife:
    hosts = tuple(dict.fromkeys(subject.host for subject in finding.subjects))
    state: LifeState = "waived" if finding.id in view.waived else "open"
    if life is None:
        return FindingLife(
            id=finding.id,
            rule=finding.rule,
            title=finding.title,
            severity=finding.severity,
            hosts=hosts,
            state=state,
            first_seen=view.at,
            last_seen=view.at,
            matrix=view.matrix,
            checked_at=view.at,
        )
    replace = msgspec.structs.replace
    if _overtaken(life, view):
        first, last = min(life.first_seen, view.at), max(life.last_seen, view.at)
        return replace(life, first_seen=first, last_seen=last, runs=life.runs + 1)
    back = life.state == "fixed"
    if state == "open" and (back or (life.state in ("back", "unchecked") and life.returned_at is not None)):
        state = "back"
    return replace(
        life,
        title=finding.title,
        severity=finding.severity,
        hosts=hosts,
        state=state,
        first_seen=min(life.first_seen, view.at),
        last_seen=view.at,
        returned_at=view.at if back else life.returned_at,
        times_back=life.times_back + back,
        runs=life.runs + 1,
        matrix=view.matrix,
        checked_at=view.at,
    )


def _gone(life: FindingLife, view: RunView) -> FindingLife | None:
    """What becomes of a finding that a run did not report; None where the run says nothing of it."""
    if life.state == "fixed" or _overtaken(life, view) or not set(life.hosts) & view.seen:
        return None
    replace = msgspec.structs.replace
    evaluated = view.matrix == life.matrix if view.rules is None else life.rule in view.rules
    if evaluated and life.id not in view.undetermined and set(life.hosts) <= view.seen:
        return replace(life, state="fixed", fixed_at=view.at, checked_at=view.at)
    return replace(life, state="unchecked", checked_at=view.at)


def _overtaken(life: FindingLife, view: RunView) -> bool:
    """Whether a later run was noted before this one ended."""
    if view.at >= life.checked_at:
        return False
    try:
        return datetime.fromisoformat(life.checked_at) - datetime.fromisoformat(view.at) <= LONGEST_RUN
    except (ValueError, TypeError):
        return True


def open_lives(lives: Iterable[FindingLife]) -> list[FindingLife]:
    """Those that are not fixed and not waived, the newest first."""
    found = [life for life in lives if life.state in ("open", "back", "unchecked")]
    return sorted(found, key=lambda life: (life.returned_at or life.first_seen, life.id), reverse=True)
