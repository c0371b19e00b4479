"""Many hosts at once: who is asked when, what becomes of each, and that one host's trouble is nobody else's.

Owns the threads, the order of results, the credential canary and the way out on Ctrl-C. Never raises for a host.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from auditor.collect.assemble import Asked, failed_result, make_result
from auditor.collect.canary import CredentialCanary
from auditor.collect.kerberos import Tickets
from auditor.collect.logon import NtlmHashes
from auditor.collect.pace import close_seconds, paced
from auditor.collect.policy import Allowed, refusal
from auditor.collect.recording import Recording, make_recording
from auditor.collect.session import HostSession
from auditor.collect.tls import TlsContexts
from auditor.collect.transport import Ways
from auditor.collect.wmi import WmiWay
from auditor.model.credential import Credential
from auditor.model.errors import CollectError
from auditor.model.host import HostResult, Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.2
_TOGETHER_SECONDS = 0.04
_SWITCH_SECONDS = 0.001
_LARGE_BYTES = 1024 * 1024
R = TypeVar("R")


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one host and one run may cost."""

    host_deadline_seconds: float = 180.0
    """Of one host, from connecting to the closed shell."""
    section_deadline_seconds: int | None = None
    """Of one section of the probe, kept on the host; None is 60, and a third of the host's time where that is more."""
    answer_bytes: int = 32 * 1024 * 1024
    """Decoded bytes of one host's answer."""
    parallel: int = 64
    """Hosts asked at once."""
    connect_seconds: float = 10.0
    """Until a connection, TLS included, stands."""


def collect_fleet(
    targets: Sequence[Target],
    credentials: Mapping[str, Credential],
    request: ProbeRequest,
    *,
    limits: Limits | None = None,
    now: Callable[[], datetime] | None = None,
    on_result: Callable[[HostResult], None] | None = None,
    on_results: Callable[[list[HostResult]], None] | None = None,
    allow_unverified: bool = False,
    allow_credssp: bool = False,
    use_proxy: bool = False,
    stop: threading.Event | None = None,
    record: Callable[[Recording], object] | None = None,
) -> list[HostResult]:
    """Ask every target; the results are in the order of the targets, `on_result` gets each as it comes, in the calling thread.

    `on_results` gets those that came at the same moment together, so that whoever keeps them need not write for each of them.

    A host that can't be asked is a result with a reason. Ctrl-C (or `stop`) ends the run: what was collected stays, the rest is
    `not_asked: interrupted`, and `stop` is set; a second Ctrl-C is raised. Raises UsageError for a request that no probe can answer.
    `record` gets each exchange, without secrets, one at a time and in a thread of ours; what it raises fails that host.
    """
    limits = limits or Limits()
    run = _Run(limits, bounded(request, limits), now or _utc_now, stop or threading.Event())
    run.allowed = Allowed(unverified=allow_unverified, credssp=allow_credssp)
    run.ways = Ways(TlsContexts(), CredentialCanary(), Tickets(), use_proxy, limits.connect_seconds, NtlmHashes())
    run.record = record

    def tell(done: list[HostResult]) -> None:
        if on_results is not None:
            on_results(done)
        for result in done if on_result is not None else ():
            on_result(result)  # type: ignore[misc]

    results: dict[str, HostResult] = {}
    with (
        _quick_switching(),
        ThreadPoolExecutor(max_workers=1, thread_name_prefix="read") as reader,
        ThreadPoolExecutor(max_workers=max(1, min(limits.parallel, len(targets))), thread_name_prefix="collect") as pool,
    ):
        futures: dict[Future[HostResult], Target] = {}
        for target in targets:
            result: Future[HostResult] = Future()
            futures[result] = target
            pool.submit(run.ask, target, credentials.get(target.name), reader, result)
        try:
            _gather(futures, results, tell)
        except KeyboardInterrupt:
            run.stop.set()
            _log.warning("interrupted: %d of %d hosts are done; closing the shells of the others", len(results), len(targets))
            _gather(futures, results, tell)
        except BaseException:
            run.stop.set()
            raise
    return [results[target.name] for target in targets]


def bounded(request: ProbeRequest, limits: Limits) -> ProbeRequest:
    """The request with the run's limits in it: what a host gets that is reached at once. When the bundle is sent, less may be left."""
    seconds = limits.host_deadline_seconds
    usual = ProbeRequest()
    whole, each = request.host_deadline_seconds, request.section_deadline_seconds
    if whole == usual.host_deadline_seconds:
        # Nobody asked for less: who gives a host more time gives it to its probe, and to each section in proportion.
        whole = max(whole, int(seconds))
    if each == usual.section_deadline_seconds:
        each = max(each, whole // 3)
    limited = msgspec.structs.replace(
        request,
        host_deadline_seconds=whole,
        section_deadline_seconds=each if limits.section_deadline_seconds is None else min(each, limits.section_deadline_seconds),
        answer_limit_bytes=min(request.answer_limit_bytes, limits.answer_bytes),
    )
    return paced(limited, seconds - close_seconds(seconds))


@contextlib.contextmanager
def _quick_switching() -> Iterator[None]:
    """Threads that wait for replies get their turn soon: with the usual 5 ms each reply waits so long for whoever computes."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(min(usual, _SWITCH_SECONDS))
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class _Run:
    """What the threads of one collection share."""

    allowed = Allowed()
    record: Callable[[Recording], object] | None = None

    def __init__(self, limits: Limits, request: ProbeRequest, now: Callable[[], datetime], stop: threading.Event) -> None:
        self.limits = limits
        self.request = request
        self.now = now
        self.stop = stop
        self.ways = Ways(TlsContexts(), CredentialCanary(), Tickets())
        self._inputs: dict[ProbeRequest, bytes] = {request: framing.pack_script(build_bundle(request))}
        self._command = framing.command_line()
        self._reading = threading.Lock()

    def ask(self, target: Target, credential: Credential | None, reader: Executor, result: Future[HostResult]) -> None:
        """Asks one target, and has its answer read; `result` gets what became of it, whatever happens.

        Reading is all computing: one answer at a time, by `reader`, while the thread that asked goes on to the next host. Only a large
        answer is waited for, so that not many of them lie about.
        """
        started = time.monotonic()
        kept = self._kept(lambda: self._ask(target, credential or Credential(target.user, None), started), target, started)
        if isinstance(kept, HostResult):
            result.set_result(kept)
            return
        size, read = kept

        def finish() -> None:
            with self._reading:
                result.set_result(self._kept(read, target, started))

        if size > _LARGE_BYTES:
            finish()
        else:
            reader.submit(finish)

    def _kept(self, work: Callable[[], R], target: Target, started: float) -> R | HostResult:
        """What the work gives, or the result of a host with which it failed."""
        try:
            return work()
        except CollectError as error:
            return failed_result(error, time.monotonic() - started)
        except Exception as error:  # noqa: BLE001  (a fault of ours with one host must not lose the others)
            _log.error("host %s: the auditor itself failed: %s", target.name, _place(error))
            reason = f"the auditor itself failed on this host ({_place(error)})"
            return failed_result(CollectError(target.name, reason, next_step="report it, with the log"), time.monotonic() - started)

    def _input(self, seconds_left: float) -> bytes:
        """The packed bundle for a host with so many seconds left. Deadlines are whole seconds, so that few bundles serve many hosts."""
        request = paced(self.request, seconds_left)
        if request not in self._inputs:
            self._inputs[request] = framing.pack_script(build_bundle(request))
        return self._inputs[request]

    def _ask(self, target: Target, credential: Credential, started: float) -> tuple[int, Callable[[], HostResult]]:
        """Size of the answer, and how it is read."""
        if self.stop.is_set():
            raise CollectError(target.name, "interrupted", status="not_asked")
        refused = refusal(target, credential, self.allowed) or self.ways.canary.refusal(credential.key, target.name, credential.account)
        if refused is not None:
            raise refused
        session = HostSession(
            target,
            credential,
            self.ways,
            self.stop,
            deadline_seconds=self.limits.host_deadline_seconds,
            answer_bytes=self.limits.answer_bytes,
            now=self.now,
        )
        asked = Asked(target, self.request, self.now().astimezone(UTC), self.limits.answer_bytes)
        second = WmiWay(target, self.request, answer_bytes=self.limits.answer_bytes, now=self.now)
        told = session.ask(self._command, self._input, None if target.way == "powershell" else second)
        seconds = time.monotonic() - started

        def read() -> HostResult:
            result = make_result(asked, told, seconds, second)
            if self.record is not None:
                self.record(make_recording(asked, told, second, result))
            _log.info("host %s: %s, %d bytes in %.1f s", target.name, result.status, len(told.output), result.seconds)
            return result

        return len(told.output) + len(told.complaints), read


def _gather(futures: dict[Future[HostResult], Target], results: dict[str, HostResult], tell: Callable[[list[HostResult]], None]) -> None:
    """Take results as they come; short waits, so that Ctrl-C is seen at once."""
    arrivals: queue.SimpleQueue[Future[HostResult]] = queue.SimpleQueue()
    left = [future for future, target in futures.items() if target.name not in results]
    for future in left:
        future.add_done_callback(arrivals.put)
    names = {target.name for target in futures.values()}
    while len(results) < len(names):
        with contextlib.suppress(queue.Empty):
            new = [arrivals.get(timeout=_LOOK_SECONDS).result()]
            until = time.monotonic() + _LOOK_SECONDS
            with contextlib.suppress(queue.Empty):
                # Hosts that were asked together are done together: whoever keeps their results writes once for all of them.
                while len(results) + len(new) < len(names) and time.monotonic() < until:
                    new.append(arrivals.get(timeout=_TOGETHER_SECONDS).result())
            results.update({result.host: result for result in new})
            tell(new)


def _place(error: Exception) -> str:
    """What failed where, without the text of the error, which may hold what a host sent."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _utc_now() -> datetime:
    return datetime.now(UTC)
