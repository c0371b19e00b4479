"""A lab on which shipped plays are run one by one, over real Ansible and real WinRM, and its hosts' whole lasting state compared."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auditor.collect.policy import Allowed
from auditor.inventory import load_inventory
from auditor.lab.machine import Machine
from auditor.lab.serve import Lab, serve
from auditor.lab.state import differences, state_of
from auditor.matrix.remedies import load_remedies
from auditor.model.remedy import HostRun, RunRequest, RunResult, TaskEvent, Way
from auditor.playbooks import Collections, run_playbook
from auditor.remediation.running import connections_of
from tests.windows_collections import require_collections

QUICK: Mapping[str, object] = {"settle_seconds": 1, "poll_seconds": 1}
"""What the lab needs no time for; given where the play knows it."""
NO_WAYS: Mapping[str, Way] = {}
NO_SECRETS: Mapping[str, Mapping[str, str]] = {}


class Bench:
    """Runs plays on one lab."""

    def __init__(self, lab: Lab, collections: Collections) -> None:
        self.lab = lab
        self.events: list[TaskEvent] = []
        self._connections, _ = connections_of(load_inventory([lab.operator_inventory]), Allowed())
        self._collections = collections

    def run(
        self,
        remedy: str,
        values: Mapping[str, Mapping[str, object]],
        *,
        check: bool = False,
        restart: bool = False,
        ways: Mapping[str, Way] = NO_WAYS,
        secrets: Mapping[str, Mapping[str, str]] = NO_SECRETS,
    ) -> RunResult:
        """One run over the hosts of `values`; `ways` by host, modules where left out; `secrets` by host."""
        hosts = tuple(
            HostRun(
                host=host,
                way=ways.get(host, "modules"),
                values=self._quick(remedy, given),
                secrets=dict(secrets.get(host, {})),
                restart_allowed=restart,
            )
            for host, given in values.items()
        )
        return self._play(RunRequest(remedy=remedy, hosts=hosts, check=check, deadline_seconds=240))

    def take_back(
        self, remedy: str, values: Mapping[str, Mapping[str, object]], done: RunResult, ways: Mapping[str, Way] = NO_WAYS
    ) -> RunResult:
        """The rollback phase, from what the run told of the state before it."""
        hosts = tuple(
            HostRun(host=host, way=ways.get(host, "modules"), values=self._quick(remedy, given), before=dict(done.reports[host].before))
            for host, given in values.items()
        )
        return self._play(RunRequest(remedy=remedy, hosts=hosts, phase="rollback", check=False, deadline_seconds=240))

    def machine(self, host: str) -> Machine:
        """The simulated machine itself."""
        return self.lab.machines[host]

    def states(self) -> dict[str, dict[str, str]]:
        """Everything that lasts on every host."""
        return {name: state_of(machine) for name, machine in self.lab.machines.items()}

    def changes(self, since: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
        """Host -> what is different now, hosts without differences left out."""
        now = self.states()
        return {host: found for host in now if (found := differences(dict(since[host]), now[host]))}

    def _play(self, request: RunRequest) -> RunResult:
        self.events = []
        return run_playbook(request, self._connections, on_event=self.events.append, collections=self._collections)

    def _quick(self, remedy: str, given: Mapping[str, object]) -> dict[str, Any]:
        known = {variable.name for variable in load_remedies()[remedy].variables}
        return {**{name: value for name, value in QUICK.items() if name in known}, **given}


@contextlib.contextmanager
def bench(folder: Path, fleet: str) -> Iterator[Bench]:
    """A running lab with this fleet. Skips where the collections are not there."""
    collections = require_collections()
    (folder / "fleet.yml").write_text(fleet, encoding="utf-8")
    with serve(folder / "fleet.yml", folder / "state") as lab:
        yield Bench(lab, collections)
        assert lab.violations.read_text() == ""


def outcomes(result: RunResult) -> dict[str, str]:
    """Host -> outcome."""
    return {host: report.outcome for host, report in result.reports.items()}
