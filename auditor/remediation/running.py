"""The plays of a plan, run for it: their files are read once, so that what was checked by digest is what is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.collect.policy import Allowed, refusal
from auditor.model.errors import PlaybookError
from auditor.model.remedy import RunRequest, RunResult, TaskEvent
from auditor.playbooks import Collections, Connection, Foundation, foundation, run_playbook
from auditor.playbooks.digests import playbook_files

if TYPE_CHECKING:
    from auditor.inventory import Inventory


class Plays:
    """Playbooks of one folder and the connections to run them with."""

    def __init__(
        self, folder: Path, collections: Collections | None, connections: Mapping[str, Connection], refused: Mapping[str, str]
    ) -> None:
        self._folder, self._collections, self._connections, self._refused = folder, collections, connections, refused
        self._files: dict[str, dict[str, bytes]] = {}

    def grounds(self, remedy: str) -> Foundation:
        """What a run rests on, by the files that were read first. Raises PlaybookError."""
        return foundation(self._read(remedy), self._collections)

    def run(self, request: RunRequest, on_event: Callable[[TaskEvent], None]) -> RunResult:
        """One run. Raises PlaybookError where it can't be begun, also for one host of several: then nothing is run."""
        for run in request.hosts:
            if run.host in self._refused:
                raise PlaybookError(f"{run.host}: {self._refused[run.host]}", next_step="correct the inventory for this run")
        return run_playbook(
            request,
            self._connections,
            on_event=on_event,
            collections=self._collections,
            folder=self._folder,
            expected_files=self._read(request.remedy),
        )

    def _read(self, remedy: str) -> dict[str, bytes]:
        if remedy not in self._files:
            self._files[remedy] = playbook_files(self._folder, remedy)
        return self._files[remedy]


def connections_of(inventory: Inventory, allowed: Allowed) -> tuple[dict[str, Connection], dict[str, str]]:
    """Targets with what reaches them, and those that the connection policy refuses, each with why: it is the same as for the probe."""
    found: dict[str, Connection] = {}
    refused = {problem.subject: problem.message for problem in inventory.refused}
    for target in inventory.targets:
        credential = inventory.credentials[target.name]
        if (error := refusal(target, credential, allowed)) is not None:
            refused[target.name] = error.message
        else:
            found[target.name] = Connection(target, credential)
    return found, refused
