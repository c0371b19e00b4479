"""One run of a remedy over hosts of a plan: what is asked of the runner, and how its events reach the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.model.errors import AuditorError
from auditor.model.plan import Plan, WaveItem
from auditor.model.remedy import HostRun, RunRequest, RunResult, TaskEvent
from auditor.remediation.lookup import host_of
from auditor.remediation.permit import secrets_for
from auditor.remediation.record import Journal
from auditor.remediation.tools import Limits, Playing


def request_of(
    plan: Plan,
    items: Sequence[WaveItem],
    tools: Playing,
    limits: Limits,
    *,
    check: bool,
    before: Mapping[str, dict[str, Any]] | None = None,
) -> RunRequest:
    """The run of one remedy over these hosts. With `before`, the states that hosts are to be put back to, it is the rollback."""
    hosts = [
        HostRun(
            host=host.host,
            way=host.way,
            values={value.name: value.value for value in host.values},
            secrets=secrets_for(host, tools),
            restart_allowed=plan.restart_allowed,
            before=before[host.host] if before else {},
        )
        for host in (host_of(plan, item) for item in items)
    ]
    phase: Any = "rollback" if before else "run"
    return RunRequest(remedy=items[0].remedy, hosts=tuple(hosts), phase=phase, check=check, deadline_seconds=limits.deadline_seconds)


def run_noting(journal: Journal, request: RunRequest, tools: Playing, heard: set[str]) -> RunResult:
    """A run whose events go into the record as they come; `heard` gets the hosts of which there was any. What can't be begun is refused."""

    def note(event: TaskEvent) -> None:
        heard.add(event.host)
        journal.event(event)

    try:
        return tools.run(request, note)
    except AuditorError as error:
        journal.check()
        return RunResult(status="refused", reason=error.message)
