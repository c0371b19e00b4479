"""One run of one playbook with ansible-runner: staged, bounded, its events handed on as they come, everything private removed.

Ansible runs in a thread of its own; its events are handed to the caller in the caller's thread, in their order. What the caller raises
(also KeyboardInterrupt) stops the run, with all processes that Ansible started, before it is raised on.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from auditor.ansible_place import end_processes, private_place
from auditor.model.errors import PlaybookError
from auditor.model.places import shipped
from auditor.model.remedy import HostReport, RunRequest, RunResult, RunStatus, TaskEvent
from auditor.playbooks.collections import Collections, missing
from auditor.playbooks.digests import playbook_files
from auditor.playbooks.events import MOST_EVENTS, Hidden, host_report, task_event
from auditor.playbooks.hearing import Hearing
from auditor.playbooks.prepare import events_folder, output_file, runner_for
from auditor.playbooks.stage import Connection, lay_out

__all__ = ["Connection", "run_playbook"]
_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.1
_TAIL = 1_500
"""Characters of Ansible's own output that are told where it failed before any task."""
_STATUSES: Mapping[str, RunStatus] = {"successful": "successful", "failed": "failed", "canceled": "cancelled", "timeout": "timed_out"}
_EVENT = re.compile(r"\x1b\[K(?:[A-Za-z0-9+/=]+\x1b\[\d+D)*\x1b?(?:\[K)?")
"""What the callback prints round each event."""


def run_playbook(
    request: RunRequest,
    connections: Mapping[str, Connection],
    *,
    on_event: Callable[[TaskEvent], None],
    collections: Collections | None = None,
    folder: Path | None = None,
    expected_files: Mapping[str, bytes] | None = None,
) -> RunResult:
    """Run the play of `request.remedy` over its hosts; in check mode unless told otherwise.

    `expected_files` are the play's files as their digest was checked; without them they are read from `folder` (the shipped playbooks).
    Raises PlaybookError where the run can't be begun; a run that fails is a result.
    """
    if collections is None and any(run.way == "modules" for run in request.hosts):
        raise missing()
    files = dict(expected_files or playbook_files(folder or shipped("playbooks"), request.remedy))
    secrets = [text for run in request.hosts for text in run.secrets.values()]
    secrets += [text for one in connections.values() if (text := one.credential.reveal())]
    with private_place() as place:
        lay_out(place, request, connections, files, collections)
        try:
            return _Run(request, place, Hidden(secrets), with_collections=collections is not None).go(on_event)
        finally:
            # Ansible's workers survive the end of the process that ansible-runner stops.
            end_processes(place)


class _Run:
    """A run in its private place."""

    def __init__(self, request: RunRequest, place: Path, hidden: Hidden, *, with_collections: bool) -> None:
        self.request = request
        self.hidden = hidden
        self.stop = threading.Event()
        self.runner = runner_for(request, place, with_collections=with_collections, cancelled=self.stop.is_set)
        self.hearing = Hearing(events_folder(place))
        self.output = output_file(place)
        self.reports: dict[str, HostReport] = {}
        self.failed: dict[str, str] = {}
        self.changed: dict[str, int] = {}
        self.count = 0
        self.broken: str | None = None

    def go(self, on_event: Callable[[TaskEvent], None]) -> RunResult:
        worker = threading.Thread(target=self._work, name="ansible", daemon=True)
        started = time.monotonic()
        worker.start()
        try:
            self._listen(worker, on_event)
        except BaseException:
            self.stop.set()
            worker.join()
            raise
        _log.info(
            "playbook %s: %s after %.1f s, %d events", self.request.remedy, self.runner.status, time.monotonic() - started, self.count
        )
        return self._result()

    def _listen(self, worker: threading.Thread, on_event: Callable[[TaskEvent], None]) -> None:
        alive = True
        while alive:
            worker.join(_POLL_SECONDS)
            alive = worker.is_alive()
            try:
                for event in self.hearing.new():
                    self._take(event, on_event)
            except PlaybookError as error:
                self.broken = error.message
                self.stop.set()

    def _work(self) -> None:
        try:
            self.runner.run()
        except Exception as error:  # noqa: BLE001 - whatever ansible-runner raises ends this run only
            self.broken = self.broken or f"{type(error).__name__}: {error}"

    def _take(self, event: Mapping[str, Any], on_event: Callable[[TaskEvent], None]) -> None:
        self.count += 1
        if self.count > MOST_EVENTS:
            raise PlaybookError(f"it was stopped after {MOST_EVENTS} events")
        if event.get("event") == "playbook_on_stats":
            self._stats(event.get("event_data"))
        if told := host_report(event, self.hidden):
            self.reports[told[0]] = told[1]
        if (task := task_event(event, self.count, self.hidden)) is None:
            return
        if task.status in ("failed", "unreachable"):
            self.failed[task.host] = task.message or task.task
        on_event(task)

    def _stats(self, data: object) -> None:
        if not isinstance(data, Mapping):
            return
        counts = data.get("changed")
        self.changed = {str(host): int(count) for host, count in counts.items()} if isinstance(counts, Mapping) else {}
        bad = {str(host) for kind in ("failures", "dark") if isinstance(found := data.get(kind), Mapping) for host in found}
        self.failed = {host: why for host, why in self.failed.items() if host in bad}

    def _result(self) -> RunResult:
        status = _STATUSES.get(str(self.runner.status), "failed")
        reason = self.hidden.clean(self.broken or "", _TAIL)
        if self.broken:
            status = "failed"
        elif status == "timed_out":
            reason = f"not finished after {self.request.deadline_seconds:.0f} s"
        elif status == "failed" and not self.failed:
            reason = self.hidden.clean(_end_of(self.output) or "ansible-playbook ended without saying why", _TAIL)
        return RunResult(status=status, reason=reason, reports=self.reports, failed=self.failed, changed=self.changed)


def _end_of(output: Path) -> str:
    """The end of what Ansible printed: where it fails before any task, that is all there is."""
    try:
        with output.open("rb") as stream:
            stream.seek(max(0, output.stat().st_size - 8 * _TAIL), os.SEEK_SET)
            text = stream.read().decode("utf-8", "replace")
    except OSError as error:
        return f"ansible-playbook failed, and its output can't be read: {error.strerror}"
    return _EVENT.sub("", text).strip()
