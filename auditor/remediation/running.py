"""The plays of a plan, run for it: their files are read once, so that what was checked by digest is what is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditor.model.remedy import RunRequest, RunResult, TaskEvent
from auditor.playbooks import Collections, Connection, Foundation, foundation, run_playbook
from auditor.playbooks.digests import digest_of, playbook_files

if TYPE_CHECKING:
    from auditor.inventory import Inventory


class Plays:
    """Playbooks of one folder and the connections to run them with."""

    def __init__(self, folder: Path, collections: Collections | None, connections: Mapping[str, Connection]) -> None:
        self._folder, self._collections, self._connections = folder, collections, connections
        self._files: dict[str, dict[str, bytes]] = {}

    def grounds(self, remedy: str) -> Foundation:
        """What a run rests on, by the files that were read first. Raises PlaybookError."""
        found = foundation(self._folder, remedy, self._collections)
        return msgspec.structs.replace(found, playbook=digest_of(self._read(remedy)))

    def run(self, request: RunRequest, on_event: Callable[[TaskEvent], None]) -> RunResult:
        """One run. Raises PlaybookError where it can't be begun."""
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


def connections_of(inventory: Inventory) -> dict[str, Connection]:
    """Every target of an inventory with what reaches it."""
    return {target.name: Connection(target, inventory.credentials[target.name]) for target in inventory.targets}
