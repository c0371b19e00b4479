"""The join behind `remediate plan`: the store's last report, its snapshots, the matrix and the playbooks -> what a plan is made from.

Asks no host. What the report rests on must be the newest that is known, and the rules those that are loaded now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from auditor.analysis.planning.facts import Ground, HostState, Request
from auditor.analysis.planning.pairs import apart_of
from auditor.model.errors import RemediationError
from auditor.model.finding import Finding, Report
from auditor.model.host import Snapshot
from auditor.model.plan import Plan, PlanEvidence
from auditor.model.remedy import Remedy, Value
from auditor.model.rule import Matrix
from auditor.model.version import Version, parse_version
from auditor.playbooks import Collections, foundation
from auditor.playbooks.collections import missing
from auditor.playbooks.digests import playbook_files
from auditor.store import Store, StoredState

SHORTEST_ID = 6


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants planned."""

    findings: tuple[str, ...] = ()
    """Ids, or the beginnings of ids."""
    rules: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    """With `findings` or `rules`: only those of these hosts. Alone: every finding of these hosts that has a remedy."""
    remedy: str | None = None
    """In place of the rules' own; on `hosts` without a finding where there is none."""
    values: Mapping[tuple[str, str], Value] = {}
    ways: Mapping[str, str] = {}
    apart: Mapping[str, tuple[str, ...]] = {}
    """Inventory groups of which no two hosts are changed at once, with their hosts."""
    ordered: bool = False
    """The remedy is ordered on the hosts, whatever was found."""


def gather(
    store: Store,
    matrix: Matrix,
    remedies: Mapping[str, Remedy],
    chosen: Chosen,
    *,
    folder: Path,
    collections: Collections | None,
    reachable: Collection[str] | None,
) -> tuple[Request, Report, tuple[str, ...]]:
    """The request, the report that it rests on, and what was not known. `reachable` are the hosts of the inventory for changes; None: all.

    Raises RemediationError where nothing was chosen or found, or the stored report is not of now.
    """
    report = store.read_report()
    if report.run.matrix_digest != matrix.digest:
        raise RemediationError("the last report was made with other rules", next_step="evaluate them with `auditor check`")
    findings = () if chosen.ordered else chosen_findings(report, chosen)
    hosts = list(dict.fromkeys([*(s.host for finding in findings for s in finding.subjects), *chosen.hosts]))
    states = {state.host: state for state in store.latest_states(1, hosts)}
    snapshots = {host: store.read_state(state) for host, state in states.items()}
    _refuse_newer(report, states)
    rules = {rule.id: rule for rule in matrix.rules}
    named = {chosen.remedy} if chosen.remedy else {rule.remedy for f in findings if (rule := rules.get(f.rule)) and rule.remedy}
    request = Request(
        findings=findings,
        rules=rules,
        remedies=remedies,
        grounds={name: _ground(folder, name, collections) for name in sorted(named) if name in remedies},
        hosts={host: _state(states[host], snapshots[host], reachable) for host in states},
        edges=report.edges,
        values=chosen.values,
        remedy=chosen.remedy,
        ordered=chosen.hosts if chosen.ordered else (),
        only=() if chosen.ordered else chosen.hosts,
        ways=chosen.ways,
        apart=apart_of(snapshots, chosen.apart),
    )
    return request, report, _undetermined(report, chosen, hosts)


def chosen_findings(report: Report, chosen: Chosen) -> tuple[Finding, ...]:
    """The report's findings that a person chose. Raises RemediationError for a name that fits none."""
    if not (chosen.findings or chosen.rules or chosen.hosts):
        raise RemediationError("nothing is chosen", next_step="name findings with --finding, --rule or --host", usage=True)
    for text in chosen.findings:
        _one(text, report)
    for rule in chosen.rules:
        if not any(finding.rule == rule for finding in report.findings):
            raise RemediationError(f"the last report has no finding of the rule {rule}", next_step="`auditor report` shows what it has")
    found = [finding for finding in report.findings if _wanted(finding, chosen)]
    if not found:
        raise RemediationError("the last report has no such finding", next_step="`auditor report` shows what it has")
    return tuple(found)


def refuse_without_collections(plan: Plan) -> None:
    """Raises PlaybookError where hosts are to be changed by modules that are not installed here: the plan could not be bound to them."""
    if any(host.way == "modules" for action in plan.actions if not action.collections for host in action.hosts):
        raise missing()


def _one(text: str, report: Report) -> None:
    if len(text) < SHORTEST_ID:
        raise RemediationError(f"--finding {text}: give at least {SHORTEST_ID} characters of the id", usage=True)
    fits = [finding for finding in report.findings if finding.id.startswith(text)]
    if len(fits) > 1:
        raise RemediationError(f"--finding {text} fits {len(fits)} findings", next_step="give more of the id", usage=True)
    if not fits:
        waived = any(entry.finding.id.startswith(text) for entry in report.waived)
        why = "is accepted by a waiver" if waived else "is not in the last report"
        raise RemediationError(f"finding {text} {why}", next_step="`auditor report` shows what it has")


def _wanted(finding: Finding, chosen: Chosen) -> bool:
    named = any(finding.id.startswith(text) for text in chosen.findings) or finding.rule in chosen.rules
    on_host = any(subject.host in chosen.hosts for subject in finding.subjects)
    if chosen.findings or chosen.rules:
        return named and (on_host or not chosen.hosts)
    return on_host


def _refuse_newer(report: Report, states: Mapping[str, StoredState]) -> None:
    """The report has to rest on the newest snapshot of each host."""
    seen = {host.host: host.collected_at for host in report.coverage}
    for host, state in states.items():
        if seen.get(host) not in (None, state.collected_at):
            raise RemediationError(
                f"{host} was collected at {state.collected_at}, after the last report was made",
                next_step="evaluate it with `auditor check`",
            )


def _ground(folder: Path, remedy: str, collections: Collections | None) -> Ground:
    found = foundation(playbook_files(folder, remedy), collections)
    needed = parse_version(found.minimum_powershell)
    if needed is None:
        raise RemediationError(f"ansible-core asks for PowerShell {found.minimum_powershell!r}, which is no version")
    return Ground(
        playbook=found.playbook,
        ansible_core=found.ansible_core,
        collections=found.collections,
        minimum_powershell=needed,
    )


def _state(state: StoredState, snapshot: Snapshot, reachable: Collection[str] | None) -> HostState:
    versions = (parse_version(row.powershell_version) for row in snapshot.sections.system.records)
    powershell: Version | None = next((version for version in versions if version is not None), None)
    return HostState(
        evidence=PlanEvidence(collected_at=state.collected_at, digest=state.content),
        computer_name=next((row.computer_name for row in snapshot.sections.network.records if row.computer_name), None),
        powershell=powershell,
        groups=state.groups,
        reachable=reachable is None or state.host in reachable,
    )


def _undetermined(report: Report, chosen: Chosen, hosts: Sequence[str]) -> tuple[str, ...]:
    """What the same rules could not decide, on these hosts."""
    found = []
    for finding in report.undetermined:
        on_host = any(subject.host in hosts for subject in finding.subjects)
        if on_host and (not chosen.rules or finding.rule in chosen.rules):
            names = ", ".join(dict.fromkeys(subject.host for subject in finding.subjects))
            found.append(f"{finding.rule} on {names}: {'; '.join(finding.missing[:2])}")
    return tuple(found)
