"""From what a host printed to its result: a snapshot with the status of every section, or the reason why there is none. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from auditor import __version__
from auditor.collect.complaints import no_probe_reason
from auditor.collect.session import Told
from auditor.collect.wmi import WmiWay, why_no_command
from auditor.model.errors import CollectError
from auditor.model.host import HostResult, Sections, Snapshot, Status, Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest
from auditor.probes.decode import decode_answer
from auditor.probes.question import question_of

_NOT_WHOLE = "not seen as a whole: "
_NEXT = "docs/rights.md says what each section needs; `auditor doctor` tries it on the host"


class Asked(NamedTuple):
    """What was asked of a host, and when."""

    target: Target
    request: ProbeRequest
    started_at: datetime
    """Aware."""
    answer_bytes: int


def make_result(asked: Asked, told: Told, seconds: float, over_wmi: WmiWay | None = None) -> HostResult:
    """The result of one host: ok only where every section asked for is ok; partial where something of the answer arrived."""
    if over_wmi is not None and over_wmi.tried:
        return _wmi_result(asked, told, seconds, over_wmi)
    host = asked.target.name
    answer = framing.read_answer(bytes(told.output), asked.answer_bytes)
    if not answer.sections and not answer.broken and answer.refused is None and not (answer.hello and told.failure is None):
        failure = told.failure or no_probe_reason(host, bytes(told.output[:4096]), bytes(told.complaints), told.exit_code)
        return failed_result(failure, seconds)
    late = told.failure is not None and told.failure.status == "timed_out"
    snapshot = snapshot_of(asked, answer, told.first_output_at, timed_out=late, way=_engine(answer))
    status, reason, step = _status(asked, told, answer, snapshot.sections)
    return HostResult(host=host, status=status, reason=reason, next_step=step, snapshot=snapshot, seconds=seconds)


def _wmi_result(asked: Asked, told: Told, seconds: float, over_wmi: WmiWay) -> HostResult:
    """The result of a host that was asked over WMI, for want of a command or because the inventory says so."""
    why = why_no_command(asked.target, told)
    asked_how = "asked over WMI" + (f", for {why.message}" if why else "")
    failure = over_wmi.failure
    if failure is not None and not over_wmi.answer.sections:
        first = make_result(asked, told, seconds) if why else failed_result(failure, seconds)
        reason = f"{first.reason}; over WMI: {failure.message}" if why else f"over WMI: {failure.message}"
        return msgspec.structs.replace(first, reason=reason, next_step=failure.next_step or first.next_step)
    late = failure is not None and failure.status == "timed_out"
    snapshot = snapshot_of(asked, over_wmi.answer, over_wmi.first_at, timed_out=late, way="wmi")
    unseen = [name for name in asked.request.sections if getattr(snapshot.sections, name).status != "ok"]
    reason, step = f"{asked_how}; {_not_whole(unseen)}", _NEXT
    if failure is not None:
        reason, step = f"{asked_how}; the answer is not whole: {failure.message}", failure.next_step
    return HostResult(
        host=asked.target.name,
        status=_seen(asked, snapshot.sections) if unseen else "ok",
        reason=reason if unseen else asked_how,
        next_step=step if unseen else "",
        snapshot=snapshot,
        seconds=seconds,
    )


def failed_result(failure: CollectError, seconds: float = 0.0) -> HostResult:
    """The result of a host that gave no snapshot."""
    status = msgspec.convert(failure.status, Status)
    return HostResult(host=failure.host, status=status, reason=failure.message, next_step=failure.next_step, seconds=seconds)


def _not_whole(unseen: Sequence[str]) -> str:
    return f"{_NOT_WHOLE}{', '.join(unseen)}"


def seen_after_all(result: HostResult, section: str) -> HostResult:
    """The result once a section that was not seen as a whole has been, by asking further: its word and its weight go."""
    if not result.reason.startswith(_NOT_WHOLE):
        return result
    rest = [name for name in result.reason.removeprefix(_NOT_WHOLE).split(", ") if name != section]
    if rest:
        return msgspec.structs.replace(result, reason=_not_whole(rest))
    return msgspec.structs.replace(result, status="ok", reason="", next_step="")


def _seen(asked: Asked, sections: Sections) -> Status:
    """What an answer that is not whole is worth: partial where a section was seen at least in part, else failed."""
    statuses = {getattr(sections, name).status for name in asked.request.sections}
    return "partial" if statuses & {"ok", "partial"} else "failed"


def _status(asked: Asked, told: Told, answer: framing.Answer, sections: Sections) -> tuple[Status, str, str]:
    if answer.refused is not None:
        return (
            "unsupported",
            f"the host runs PowerShell in {answer.refused} only",
            "exempt the auditor's account from the policy, or ask over WMI",
        )
    unseen = [name for name in asked.request.sections if getattr(sections, name).status != "ok"]
    seen = _seen(asked, sections)
    if told.failure is not None:
        return seen, f"the answer is not whole: {told.failure.message}", told.failure.next_step
    if not answer.complete:
        return (
            seen,
            "the answer is not whole: its end is missing",
            "look whether the probe was ended on the host (quota, time, security product)",
        )
    if unseen:
        return seen, _not_whole(unseen), _NEXT
    return "ok", "", ""


def snapshot_of(asked: Asked, answer: framing.Answer, first_at: datetime | None, *, timed_out: bool, way: str) -> Snapshot:
    """The snapshot that an answer makes; `first_at` is the collector's clock when it began to arrive."""
    decoded = decode_answer(answer, asked.request, now=first_at, timed_out=timed_out)
    return Snapshot(
        host=asked.target.name,
        collected_at=asked.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        collector=f"fleet-auditor {__version__}",
        transport=f"{way} over {asked.target.scheme}/{asked.target.transport}",
        clock=decoded.clock,
        log_coverage=decoded.log_coverage,
        sections=decoded.sections,
        certificate_checked=asked.target.validate_certificate if asked.target.scheme == "https" else None,
        asked=question_of(asked.request),
    )


def _engine(answer: framing.Answer) -> str:
    version = answer.hello.powershell[:20] if answer.hello else ""
    return f"powershell {version}" if version else "powershell"
