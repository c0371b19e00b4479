"""Asking one host over WMI, on the connection that a session has opened: questions out, answers in, section by section.

Owns paging, the deadlines of sections and what a fault means. Which questions are asked, and what the answers say, is `auditor.probes.wmi`.
A question is sent once; a page that was not ready in time is asked for again, as the protocol says.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
from winrm.exceptions import WinRMOperationTimeoutError, WSManFaultError
from winrm.protocol import Protocol

from auditor.collect.budget import SUSPICIOUS
from auditor.collect.complaints import no_probe_reason
from auditor.collect.logon import printable
from auditor.collect.session import Told
from auditor.collect.wsman_requests import enumerate_request, pull_request, registry_request, release_request
from auditor.model.errors import CollectError, DecodeError
from auditor.model.host import Status, Target
from auditor.probes.bundle import ProbeRequest
from auditor.probes.framing import Answer, Hello, SectionAnswer, read_answer
from auditor.probes.wmi.pages import Page, read_output, read_page
from auditor.probes.wmi.questions import CIMV2, DEFAULT, Found, Instance, Output, Query, Question, RegistryCall, Steps
from auditor.probes.wmi.sections import SECTIONS, asked_sections
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import Survey, greet

_log = logging.getLogger(__name__)
T = TypeVar("T")
_STATUS_CODE = re.compile(r"<(?:\w{1,20}:)?StatusCode[^>]{0,200}>(\d{1,10})<")
_DENIED = frozenset({0x5, 0x80070005, 0x80338104, 0x80338105, 0x80338106, 0x80041003, 0x80041062})
"""Windows, WS-Management and WMI codes for: this account may not."""
_MISSING = frozenset({0x80338000, 0x80338102, 0x8004100E, 0x80041010, 0x80041002, 0x80041024})
"""Codes for: no such namespace, class, object, or nothing that provides it."""
_LATE = frozenset({0x80338029, 0x8033801C})
_RIGHTS = "give the account the right Remote Enable in WMI's namespaces (see docs/rights.md)"
_PAGE_RETRIES = 20
_HEAD = 4096
"""Bytes of a command's output that show whether the probe said a word."""


class WmiWay:
    """WMI as the second way of a session, or as the only one."""

    def __init__(self, target: Target, request: ProbeRequest, *, answer_bytes: int, now: Callable[[], datetime]) -> None:
        self.only = target.way == "wmi"
        self.failure: CollectError | None = None
        """Why it is not whole, or brought nothing; None where all sections were asked."""
        self._target = target
        self._request = request
        self._answer_bytes = answer_bytes
        self._now = now
        self._session: WmiSession | None = None

    @property
    def tried(self) -> bool:
        """Whether the host was asked over WMI."""
        return self._session is not None

    @property
    def answer(self) -> Answer:
        """What arrived."""
        return self._session.answer if self._session else Answer()

    @property
    def first_at(self) -> datetime | None:
        """The collector's clock when the host's first answer arrived."""
        return self._session.first_at if self._session else None

    def wanted(self, told: Told) -> bool:
        """Whether the host is to be asked over WMI: where it alone is wanted, or no command can run there."""
        return (self.only and told.failure is None) or why_no_command(self._target, told) is not None

    def ask(self, protocol: Protocol) -> None:
        """See SecondWay."""
        self._session = WmiSession(protocol, self._target.name, self._request, answer_bytes=self._answer_bytes, now=self._now)
        self._session.collect()

    def fail(self, reason: CollectError) -> None:
        """See SecondWay."""
        self.failure = CollectError(self._target.name, reason.message, status=reason.status, next_step=reason.next_step)


def why_no_command(target: Target, told: Told) -> CollectError | None:
    """Why the host runs no probe at all, None where it runs one or where that is not sure: then it is not asked another way.

    Sure are: a fault instead of a shell (there is none, this account may not, its quota is used up), a host without PowerShell, an engine
    that refuses, and a command that ended without a word of the probe.
    """
    if told.failure is not None:
        refused = told.clean and told.step == "opening the shell" and told.failure.status in ("denied", "failed")
        return told.failure if refused or told.failure.status == "unsupported" else None
    answer = read_answer(bytes(told.output[:_HEAD]))
    if answer.refused is not None:
        return CollectError(target.name, f"the host runs PowerShell in {answer.refused} only", status="unsupported")
    if answer.hello is None and not answer.sections and not answer.broken and told.exit_code is not None:
        return no_probe_reason(target.name, bytes(told.output[:_HEAD]), bytes(told.complaints), told.exit_code)
    return None


class WmiSession:
    """Asks over one open connection. `protocol` is pywinrm's, its transport ours."""

    def __init__(self, protocol: Protocol, host: str, request: ProbeRequest, *, answer_bytes: int, now: Callable[[], datetime]) -> None:
        self._protocol = protocol
        self._host = host
        self._request = request
        self._left = answer_bytes
        self._limit = answer_bytes
        self._now = now
        self._section_end = float("inf")
        self._registry_namespaces = [CIMV2, DEFAULT]
        self._asked = 0
        self.answer = Answer()
        """What has arrived; whole sections only."""
        self.first_at: datetime | None = None

    @property
    def registry_namespace(self) -> str:
        """Where StdRegProv is, as far as is known."""
        return self._registry_namespaces[0]

    def collect(self) -> None:
        """Ask for every section of the request; what arrives is in `answer` at once.

        Raises CollectError where WMI refuses everything, and whatever the connection raises.
        """
        survey = Survey(self._request)
        self._section_end = time.monotonic() + self._request.section_deadline_seconds
        hello = self._drive(greet(survey))
        self.answer = Answer(hello=hello)
        for name in self._request.sections:
            if name not in SECTIONS:
                self._add(name, SectionAnswer(status="unsupported", reason="this section is not asked over WMI"), hello)
        for name in asked_sections(self._request):
            self._add(name, self._section(survey, name), hello)
        self.answer = msgspec.structs.replace(self.answer, complete=True)
        _log.info("host %s: %d questions to WMI", self._host, self._asked)

    def _add(self, name: str, section: SectionAnswer, hello: Hello) -> None:
        self.answer = Answer(hello=hello, sections={**self.answer.sections, name: section})

    def _section(self, survey: Survey, name: str) -> SectionAnswer:
        started = time.monotonic()
        self._section_end = started + self._request.section_deadline_seconds
        sheet = Sheet()
        try:
            self._drive(SECTIONS[name](survey, sheet))
            return sheet.answer(seconds=time.monotonic() - started)
        except CollectError as error:
            if error.host:  # the connection's, not the section's
                raise
            status = msgspec.convert(error.status, Status)
            return sheet.answer(status, error.message, time.monotonic() - started)
        finally:
            self._section_end = float("inf")

    def _drive(self, steps: Steps[T]) -> T:
        """Answer the questions of some steps until they end. What the host refuses is raised inside the steps, with an empty host."""
        try:
            question = next(steps)
            while True:
                answer = self.ask(question)
                question = steps.throw(answer) if isinstance(answer, CollectError) else steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def ask(self, question: Question) -> Found | Output | CollectError:
        """The answer to one question, or why the host refuses it. Raises what the connection raises."""
        if time.monotonic() > self._section_end:
            reason = f"the section's time was over ({self._request.section_deadline_seconds} s)"
            return CollectError("", reason, status="timed_out")
        self._asked += 1
        try:
            return self._query(question) if isinstance(question, Query) else self._registry(question)
        except (WSManFaultError, WinRMOperationTimeoutError) as error:
            return fault_reason(error)
        except DecodeError as error:
            raise CollectError(self._host, f"the host's answer over WMI makes no sense: {error.message}", next_step=SUSPICIOUS) from error

    def _send(self, message: str) -> bytes:
        data = self._protocol.send_message(message)
        self._left -= len(data)
        if self._left < 0:
            raise CollectError(self._host, f"the answers over WMI are larger than {self._limit} bytes; given up", next_step=SUSPICIOUS)
        if self.first_at is None:
            self.first_at = self._now().astimezone(UTC)
        return data

    def _query(self, query: Query) -> Found:
        page = read_page(self._send(enumerate_request(self._protocol, query)))
        instances: list[Instance] = [item.instance for item in page.items]
        while not page.end and len(instances) < query.limit:
            if time.monotonic() > self._section_end:
                break
            page = self._next_page(query, page, query.limit - len(instances))
            instances += [item.instance for item in page.items]
        if page.context and not page.end:
            self._release(query, page.context)
        whole = page.end and len(instances) <= query.limit
        return Found(instances[: query.limit], whole)

    def _next_page(self, query: Query, page: Page, wanted: int) -> Page:
        """The next page. A host that has none yet says so, and is asked again. Raises the fault after too many of these."""
        for attempt in range(_PAGE_RETRIES):
            try:
                return read_page(self._send(pull_request(self._protocol, query, page.context or "", wanted)))
            except (WSManFaultError, WinRMOperationTimeoutError) as error:
                late = isinstance(error, WinRMOperationTimeoutError) or bool(_codes(error) & _LATE)
                if not late or attempt == _PAGE_RETRIES - 1 or time.monotonic() > self._section_end:
                    raise
        raise CollectError(self._host, "the host has no next page", status="timed_out")

    def _release(self, query: Query, context: str) -> None:
        try:
            self._send(release_request(self._protocol, query, context))
        except (WSManFaultError, WinRMOperationTimeoutError) as error:
            _log.info("host %s: an enumeration was not released (%s)", self._host, type(error).__name__)

    def _registry(self, call: RegistryCall) -> Output:
        """StdRegProv is in root/cimv2 from Vista on, in root/default everywhere: the first that has it is kept."""
        while True:
            namespace = self._registry_namespaces[0]
            try:
                return read_output(self._send(registry_request(self._protocol, call, namespace)), call.method)
            except WSManFaultError as error:
                if len(self._registry_namespaces) == 1 or fault_reason(error).status != "unsupported":
                    raise
                del self._registry_namespaces[0]


def fault_reason(error: WSManFaultError | WinRMOperationTimeoutError) -> CollectError:
    """Why the host refuses a question: by codes and fault subcodes, which are the same in every language. Its host is empty."""
    if isinstance(error, WinRMOperationTimeoutError):
        return CollectError("", "WMI did not answer in the time of one operation", status="timed_out")
    codes, subcode = _codes(error), (error.fault_subcode or "").rpartition(":")[2]
    text = printable(error.reason or "")
    if codes & _DENIED or subcode == "AccessDenied":
        return CollectError("", f"WMI denies it to this account: {text}", status="denied", next_step=_RIGHTS)
    if codes & _MISSING or subcode == "DestinationUnreachable":
        return CollectError("", f"this Windows has no such class: {text}", status="unsupported")
    if codes & _LATE or subcode == "TimedOut":
        return CollectError("", "WMI did not answer in the time of one operation", status="timed_out")
    number = f" 0x{min(codes):08X}" if codes else ""
    return CollectError("", f"WMI answers with the fault{number}: {text}")


def _codes(error: WSManFaultError) -> set[int]:
    """Every code in a fault: WS-Management's, WMI's, and that of the provider's extended status."""
    stated = {code & 0xFFFFFFFF for code in (error.wsman_fault_code, error.wmierror_code) if code is not None}
    extended = _STATUS_CODE.findall(str(error.response or "")[:100_000])
    return stated | {int(text) & 0xFFFFFFFF for text in extended}
