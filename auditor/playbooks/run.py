"""One run of one playbook with ansible-runner: staged, bounded, its events handed on as they come, everything private removed.

Ansible runs in a thread of its own; its events are handed to the caller in the caller's thread, in their order. What the caller raises
(also KeyboardInterrupt) stops the run, with all processes that Ansible started, before it is raised on.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from auditor.ansible_place import pinned_environment, private_place, program_path
from auditor.model.places import shipped
from auditor.model.remedy import HostReport, RunRequest, RunResult, RunStatus, TaskEvent
from auditor.playbooks.collections import Collections, missing
from auditor.playbooks.digests import playbook_files
from auditor.playbooks.events import MOST_EVENTS, Hidden, host_report, task_event
from auditor.playbooks.stage import Connection, lay_out

__all__ = ["Connection", "run_playbook"]
_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_FORKS = 10
_TAIL = 1_500
"""Characters of Ansible's own output that are told where it failed before any task."""
_PASSED_ON = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "KRB5CCNAME", "KRB5_CONFIG", "KRB5_CLIENT_KTNAME", "VIRTUAL_ENV")
_STATUSES: Mapping[str, RunStatus] = {"successful": "successful", "failed": "failed", "canceled": "cancelled", "timeout": "timed_out"}


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
        return _Run(request, place, Hidden(secrets), with_collections=collections is not None).go(on_event)


class _Run:
    """A run in its private place."""

    def __init__(self, request: RunRequest, place: Path, hidden: Hidden, *, with_collections: bool) -> None:
        self.request = request
        self.place = place
        self.hidden = hidden
        self.with_collections = with_collections
        self.queue: queue.Queue[Mapping[str, Any] | None] = queue.Queue(maxsize=1_000)
        self.stop = threading.Event()
        self.reports: dict[str, HostReport] = {}
        self.failed: dict[str, str] = {}
        self.changed: dict[str, int] = {}
        self.count = 0
        self.broken: str | None = None

    def go(self, on_event: Callable[[TaskEvent], None]) -> RunResult:
        runner = self._prepare()
        worker = threading.Thread(target=self._work, args=(runner,), name="ansible", daemon=True)
        started = time.monotonic()
        worker.start()
        try:
            while (event := self._next(worker)) is not None:
                self._take(event, on_event)
        except BaseException:
            self.stop.set()
            self._drain(worker)
            raise
        worker.join()
        _log.info("playbook %s: %s after %.1f s, %d events", self.request.remedy, runner.status, time.monotonic() - started, self.count)
        return self._result(runner)

    def _prepare(self) -> Any:
        import ansible_runner

        config = ansible_runner.RunnerConfig(
            private_data_dir=str(self.place),
            playbook=f"{self.request.remedy}.yml",
            inventory=str(self.place / "inventory" / "hosts.yml"),
            cmdline="--diff --check" if self.request.check else "--diff",
            forks=_FORKS,
            quiet=True,
            suppress_ansible_output=True,
            ident="run",
            settings={"pexpect_timeout": 1, "job_timeout": int(self.request.deadline_seconds), "pexpect_use_poll": True},
        )
        config.prepare()
        config.env = self._environment(config.env)
        return ansible_runner.Runner(config=config, event_handler=self._hand_over, cancel_callback=self.stop.is_set)

    def _environment(self, made: Mapping[str, str]) -> dict[str, str]:
        """What Ansible's processes see: our settings, what ansible-runner needs, and no variable of the user that may hold a secret."""
        own = pinned_environment(self.place, trust=False)
        # The strategies, connections and actions that come with Ansible and the collections; nothing beside the play.
        own |= {
            "ANSIBLE_COLLECTIONS_PATH": str(self.place / ("collections" if self.with_collections else "empty")),
            "ANSIBLE_GATHERING": "explicit",
            "ANSIBLE_INJECT_FACT_VARS": "False",
            "ANSIBLE_ROLES_PATH": str(self.place / "empty"),
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            "ANSIBLE_DISPLAY_ARGS_TO_STDOUT": "False",
            "PYTHONUNBUFFERED": "1",
        }
        theirs = {
            name: made[name] for name in made if name.startswith(("ANSIBLE_CALLBACK_PLUGINS", "ANSIBLE_STDOUT_CALLBACK", "AWX_", "RUNNER_"))
        }
        passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        path = f"{Path(program_path('ansible-playbook')).parent}{os.pathsep}{passed.get('PATH', '/usr/bin:/bin')}"
        return {**passed, **own, **theirs, "PATH": path, "ANSIBLE_PYTHON_INTERPRETER": sys.executable}

    def _work(self, runner: Any) -> None:
        try:
            runner.run()
        except Exception as error:  # noqa: BLE001 - whatever ansible-runner raises ends this run only
            self.broken = f"{type(error).__name__}: {error}"
        finally:
            self._put(None)

    def _hand_over(self, event: Mapping[str, Any]) -> bool:
        """Called by ansible-runner in its thread. False: the event is not written to a file."""
        self._put(event)
        return False

    def _put(self, event: Mapping[str, Any] | None) -> None:
        while True:
            try:
                self.queue.put(event, timeout=_POLL_SECONDS)
            except queue.Full:
                if self.stop.is_set():
                    return
            else:
                return

    def _next(self, worker: threading.Thread) -> Mapping[str, Any] | None:
        while True:
            try:
                return self.queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                if not worker.is_alive() and self.queue.empty():
                    return None

    def _drain(self, worker: threading.Thread) -> None:
        """Let the stopped run end: its processes are killed by ansible-runner when it looks next."""
        while worker.is_alive():
            try:
                self.queue.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
        worker.join()

    def _take(self, event: Mapping[str, Any], on_event: Callable[[TaskEvent], None]) -> None:
        self.count += 1
        if self.count > MOST_EVENTS:
            self.stop.set()
            self.broken = f"more than {MOST_EVENTS} events"
            return
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

    def _result(self, runner: Any) -> RunResult:
        status = _STATUSES.get(str(runner.status), "failed")
        reason = self.broken or ""
        if status == "timed_out":
            reason = f"not finished after {self.request.deadline_seconds:.0f} s"
        elif status == "failed" and not reason and not self.failed:
            reason = self.hidden.clean(_output(runner), _TAIL)
        return RunResult(
            status="failed" if self.broken and status == "successful" else status,
            reason=reason,
            reports=self.reports,
            failed=self.failed,
            changed=self.changed,
        )


def _output(runner: Any) -> str:
    """The end of what Ansible printed: where it failed before any task, that is all there is."""
    try:
        with runner.stdout as stream:
            return str(stream.read())[-4 * _TAIL :].strip() or "ansible-playbook ended without saying why"
    except (OSError, AttributeError, ValueError) as error:
        return f"ansible-playbook failed, and its output can't be read: {error}"
