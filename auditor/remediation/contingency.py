"""The contingency of an observation case: its playbook planned on the case's hosts and applied like any plan, without a person to ask.

That it may run was decided twice before: by the case, and by whoever started the watch. Everything that refuses a plan refuses it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from auditor import __version__
from auditor.analysis.planning.facts import Made
from auditor.analysis.planning.plan import make_plan
from auditor.model.case import Case
from auditor.model.errors import RemediationError
from auditor.model.plan import Plan, RemediationRecord, missing_values
from auditor.model.remedy import Remedy, Value
from auditor.model.rule import Matrix
from auditor.model.times import stamp
from auditor.playbooks import Collections
from auditor.remediation.apply import apply_plan
from auditor.remediation.gather import Chosen, gather, refuse_without_collections
from auditor.remediation.planfile import digest_of, plan_text
from auditor.remediation.tools import Limits, Tools


def run_contingency(
    case: Case,
    tools: Tools,
    matrix: Matrix,
    remedies: Mapping[str, Remedy],
    *,
    folder: Path,
    collections: Collections | None,
    values: Mapping[tuple[str, str], Value],
    restart_allowed: bool,
    limits: Limits,
) -> str:
    """What came of it in words. Raises RemediationError where it was refused, held, or did not help."""
    if case.contingency is None:
        raise RemediationError(f"the case {case.id} names no playbook")
    chosen = Chosen(hosts=case.hosts, remedy=case.contingency.playbook, values=values, ordered=True)
    request, report, undetermined = gather(tools.store, matrix, remedies, chosen, folder=folder, collections=collections, reachable=None)
    made = Made(
        at=stamp(tools.now()),
        by=f"{tools.by.who}, for case {case.id}",
        auditor=__version__,
        matrix_digest=matrix.digest,
        run=report.run.id,
        restart_allowed=restart_allowed,
    )
    plan = make_plan(request, made, undetermined)
    refuse_without_collections(plan)
    _refuse_missing(plan)
    record = apply_plan(plan, digest_of(plan_text(plan, f"case {case.id}").encode("ascii")), tools, limits)
    return _told(record)


def _refuse_missing(plan: Plan) -> None:
    if missing := missing_values(plan):
        raise RemediationError(f"values are missing: {'; '.join(missing[:5])}", next_step="give them to the watch with --values")


def _told(record: RemediationRecord) -> str:
    name = f"application {record.id}"
    bad = [f"{v.finding}: {v.verdict.replace('_', ' ')}: {v.reason}" for v in record.verdicts if v.verdict != "fixed"]
    if record.state != "finished" or bad:
        why = "; ".join([record.reason, *bad[:3]] if record.reason else bad[:3])
        raise RemediationError(f"{name}: {record.state}: {why}", next_step=f"auditor remediate show {record.id}")
    return f"{name}: done on {', '.join(item.host for wave in record.waves for item in wave.items)}, and read again"
