"""From what a host printed to its result: a snapshot with the status of every section, or the reason why there is none. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from auditor import __version__
from auditor.collect.complaints import no_probe_reason
from auditor.collect.session import Told
from auditor.model.errors import CollectError
from auditor.model.host import HostResult, Sections, Snapshot, Status, Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest
from auditor.probes.decode import decode_answer


class Asked(NamedTuple):
    """What was asked of a host, and when."""

    target: Target
    request: ProbeRequest
    started_at: datetime
    """Aware."""
    answer_bytes: int


def make_result(asked: Asked, told: Told, seconds: float) -> HostResult:
    """The result of one host: ok only where every section asked for is ok; partial where something of the answer arrived."""
    host = asked.target.name
    answer = framing.read_answer(bytes(told.output), asked.answer_bytes)
    if not answer.sections and not answer.broken and answer.refused is None and not (answer.hello and told.failure is None):
        failure = told.failure or no_probe_reason(host, bytes(told.output[:4096]), bytes(told.complaints), told.exit_code)
        return failed_result(failure, seconds)
    snapshot = _snapshot(asked, told, answer)
    status, reason, step = _status(asked, told, answer, snapshot.sections)
    return HostResult(host=host, status=status, reason=reason, next_step=step, snapshot=snapshot, seconds=seconds)


def failed_result(failure: CollectError, seconds: float = 0.0) -> HostResult:
    """The result of a host that gave no snapshot."""
    status = msgspec.convert(failure.status, Status)
    return HostResult(host=failure.host, status=status, reason=failure.message, next_step=failure.next_step, seconds=seconds)


def _status(asked: Asked, told: Told, answer: framing.Answer, sections: Sections) -> tuple[Status, str, str]:
    if answer.refused is not None:
        return (
            "unsupported",
            f"the host runs PowerShell in {answer.refused} only",
            "exempt the auditor's account from the policy, or ask over WMI",
        )
    unseen = [name for name in asked.request.sections if getattr(sections, name).status != "ok"]
    if told.failure is not None:
        return "partial", f"the answer is not whole: {told.failure.message}", told.failure.next_step
    if not answer.complete:
        return (
            "partial",
            "the answer is not whole: its end is missing",
            "look whether the probe was ended on the host (quota, time, security product)",
        )
    if unseen:
        return "partial", f"not seen as a whole: {', '.join(unseen)}", "look at the sections' own reasons"
    return "ok", "", ""


def _snapshot(asked: Asked, told: Told, answer: framing.Answer) -> Snapshot:
    timed_out = told.failure is not None and told.failure.status == "timed_out"
    decoded = decode_answer(answer, asked.request, now=told.first_output_at, timed_out=timed_out)
    return Snapshot(
        host=asked.target.name,
        collected_at=asked.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        collector=f"fleet-auditor {__version__}",
        transport=_transport(asked.target, answer),
        clock=decoded.clock,
        log_coverage=decoded.log_coverage,
        sections=decoded.sections,
        certificate_checked=asked.target.validate_certificate if asked.target.scheme == "https" else None,
    )


def _transport(target: Target, answer: framing.Answer) -> str:
    version = answer.hello.powershell[:20] if answer.hello else ""
    return f"powershell{' ' + version if version else ''} over {target.scheme}/{target.transport}"
