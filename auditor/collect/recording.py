"""Exchanges with real hosts, kept without secrets so that anyone can read them again: one file a host. Owns the file's form.

Rules of this file:
1. What a host said is redacted before it is kept, by the same rules as before storing; no credential, account or address goes in.
2. A recording read again gives the snapshot that the host gave, also with a later decoder where that knows more.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from auditor.collect.assemble import Asked, snapshot_of
from auditor.collect.session import Told
from auditor.collect.wmi import WmiWay
from auditor.model.errors import CollectError, DecodeError
from auditor.model.host import Gap, HostResult, Mechanism, Scheme, Status, Target
from auditor.probes import framing
from auditor.probes.bundle import ProbeRequest, build_bundle, bundle_digest
from auditor.probes.framing import Answer, SectionAnswer
from auditor.probes.redact import redact
from auditor.probes.rows import redacted_rows

FORM = "fleet-auditor recording"
MOST_BYTES = 64 * 1024 * 1024
"""Of a recording that is read."""
_ODD = re.compile(r"[^A-Za-z0-9_.-]")


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange with one host."""

    form: str = FORM
    schema_version: int = 1
    host: str
    """The inventory's name of the host."""
    groups: tuple[str, ...] = ()
    scheme: Scheme
    transport: Mechanism
    validate_certificate: bool = True
    started_at: str
    first_answer_at: str | None = None
    """The collector's clock when the answer began to arrive, with microseconds: the skew follows from it."""
    auditor: str
    bootstrap_sha256: str
    bundle_sha256: str
    request: ProbeRequest
    status: Status
    reason: str = ""
    next_step: str = ""
    seconds: float = 0.0
    way: str | None = None
    """`wmi`, or the engine that answered; None where there is no answer."""
    timed_out: bool = False
    exit_code: int | None = None
    answer: Answer | None = None
    """What the host said, after redaction."""


def make_recording(asked: Asked, told: Told, over_wmi: WmiWay | None, result: HostResult) -> Recording:
    """The exchange that led to this result."""
    from auditor import __version__

    target, snapshot = asked.target, result.snapshot
    wmi = snapshot is not None and over_wmi is not None and snapshot.transport.startswith("wmi ")
    answer, first, failure = None, None, told.failure
    if snapshot is not None and wmi and over_wmi is not None:
        answer, first, failure = over_wmi.answer, over_wmi.first_at, over_wmi.failure
    elif snapshot is not None:
        answer, first = framing.read_answer(bytes(told.output), asked.answer_bytes), told.first_output_at
    return Recording(
        host=target.name,
        groups=target.groups,
        scheme=target.scheme,
        transport=target.transport,
        validate_certificate=target.validate_certificate,
        started_at=asked.started_at.astimezone(UTC).isoformat(),
        first_answer_at=first.astimezone(UTC).isoformat() if first else None,
        auditor=__version__,
        bootstrap_sha256=hashlib.sha256(framing.BOOTSTRAP.encode("utf-8")).hexdigest(),
        bundle_sha256=bundle_digest(build_bundle(asked.request)),
        request=asked.request,
        status=result.status,
        reason=redact(result.reason),
        next_step=result.next_step,
        seconds=result.seconds,
        way=snapshot.transport.partition(" over ")[0] if snapshot is not None else None,
        timed_out=failure is not None and failure.status == "timed_out",
        exit_code=told.exit_code,
        answer=redacted_answer(answer) if answer is not None else None,
    )


def redacted_answer(answer: Answer) -> Answer:
    """What a host said, without secrets and without the account that asked."""
    hello = msgspec.structs.replace(answer.hello, account=None) if answer.hello else None
    sections = {name: _redacted_section(name, section) for name, section in answer.sections.items()}
    broken = {name: redact(words) for name, words in answer.broken.items()}
    return msgspec.structs.replace(answer, hello=hello, sections=sections, broken=broken)


def _redacted_section(name: str, section: SectionAnswer) -> SectionAnswer:
    gaps = [Gap(record=redact(gap.record), field=redact(gap.field), reason=redact(gap.reason)) for gap in section.gaps]
    return msgspec.structs.replace(section, reason=redact(section.reason), gaps=gaps, rows=redacted_rows(name, section.rows))


def write_recording(folder: Path, recording: Recording) -> Path:
    """Writes the file of a host, for its owner only, whole or not at all. Raises CollectError."""
    file = folder / f"{_ODD.sub('_', recording.host)[:100]}-{hashlib.sha256(recording.host.encode()).hexdigest()[:6]}.json"
    part = file.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(recording), indent=1) + b"\n")
        part.replace(file)
    except OSError as error:
        raise CollectError(recording.host, f"its recording can't be written to {file}: {error.strerror}") from error
    return file


def read_recording(data: bytes) -> Recording:
    """A recording from its file. Raises DecodeError."""
    try:
        recording = msgspec.json.decode(data, type=Recording)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise DecodeError(f"not a recording of the auditor: {error}") from error
    if recording.form != FORM or recording.schema_version != 1:
        raise DecodeError(f"a recording of another form: {recording.form} {recording.schema_version}")
    return recording


def looks_like_recording(data: bytes) -> bool:
    """Whether a file begins as a recording does."""
    head = data[:400].lstrip(b"\xef\xbb\xbf \r\n\t")
    return head.startswith(b"{") and b'"form"' in head and FORM.encode() in head


def target_of(recording: Recording, host: str | None = None) -> Target:
    """The target that was asked, as far as the recording keeps it; `host` gives it another name."""
    name = host or recording.host
    port = 5986 if recording.scheme == "https" else 5985
    return Target(
        name=name,
        address=name,
        port=port,
        scheme=recording.scheme,
        transport=recording.transport,
        groups=recording.groups,
        validate_certificate=recording.validate_certificate,
    )


def replay(recording: Recording, host: str | None = None) -> HostResult:
    """The result that the exchange gave. Raises DecodeError where its times are none."""
    try:
        started = datetime.fromisoformat(recording.started_at)
        first = datetime.fromisoformat(recording.first_answer_at) if recording.first_answer_at else None
    except ValueError as error:
        raise DecodeError(f"not a time: {error}") from error
    if started.tzinfo is None or (first is not None and first.tzinfo is None):
        raise DecodeError("a time without its zone")
    target = target_of(recording, host)
    snapshot = None
    if recording.answer is not None:
        asked = Asked(target, recording.request, started, 0)
        found = snapshot_of(
            asked, redacted_answer(recording.answer), first, timed_out=recording.timed_out, way=recording.way or "powershell"
        )
        snapshot = msgspec.structs.replace(found, collector=f"fleet-auditor {recording.auditor}")
    status = recording.status
    header: Mapping[str, Any] = {"status": status, "reason": redact(recording.reason), "next_step": recording.next_step}
    return HostResult(host=target.name, snapshot=snapshot, seconds=recording.seconds, **header)
