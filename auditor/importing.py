"""Answers that came another way than over the network, into results: recordings, and what the probe printed when it was run by hand.

Rules of this file:
1. A file is recognised by looking. What it says is checked like what a host says: sizes bounded, times in the future refused.
2. What a hand-run script was asked for stands in its answer (`ASKED`); without that line nothing that is absent counts as looked for.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from auditor import __version__
from auditor.collect.recording import MOST_BYTES, looks_like_recording, read_recording, replay, target_of
from auditor.model.errors import DecodeError
from auditor.model.host import SECTION_NAMES, HostResult, Question, Snapshot, Target
from auditor.probes import framing
from auditor.probes.bundle import SCRIPTED_SECTIONS, ProbeRequest
from auditor.probes.decode import decode_answer
from auditor.probes.question import question_of
from auditor.probes.recorded.encoding import decode_text
from auditor.probes.rows import parse_time

if TYPE_CHECKING:
    from auditor.inventory import Inventory

_BLOCK = re.compile(r"#AUD1 BLOCK [a-z]{1,20} \d{1,10} (?:sha256:[0-9a-f]{64}|sha1:[0-9a-f]{40}) \d{1,6}\.\d{3}")
_BASE64 = re.compile(r"[A-Za-z0-9+/=]{1,4096}")
_AHEAD = timedelta(days=1)


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """One file that was read."""

    file: str
    target: Target
    result: HostResult
    problems: tuple[str, ...] = ()
    """What of it could not be read."""


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A file of which nothing could be read."""

    file: str
    message: str


def read_files(
    files: Sequence[Path], now: datetime, *, host: str | None = None, known: Mapping[str, Target] | None = None
) -> list[Imported | Unread]:
    """Each file's answer. `host` names the host of all of them; `known` are targets by name, whose groups and connection are kept."""
    found: list[Imported | Unread] = []
    for file in files:
        try:
            found.append(_read(file, now, host, known or {}))
        except OSError as error:
            found.append(Unread(file=str(file), message=f"can't be read: {error.strerror}"))
        except DecodeError as error:
            found.append(Unread(file=str(file), message=f"{error.place}: {error.message}" if error.place else error.message))
    return found


def _read(file: Path, now: datetime, host: str | None, known: Mapping[str, Target]) -> Imported:
    with file.open("rb") as stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DecodeError(f"larger than {MOST_BYTES} bytes")
    if looks_like_recording(data):
        return _recorded(file, data, now, host, known)
    return _printed(file, data, now, host, known)


def _recorded(file: Path, data: bytes, now: datetime, host: str | None, known: Mapping[str, Target]) -> Imported:
    recording = read_recording(data)
    result = replay(recording, host)
    if result.snapshot is not None:
        _refuse_future(result.snapshot.collected_at, now)
    target = known.get(result.host) or target_of(recording, host)
    broken = recording.answer.broken if recording.answer else {}
    problems = [f"{name}: {words}" for name, words in broken.items()]
    return Imported(file=str(file), target=target, result=result, problems=tuple(problems))


def _refuse_future(text: str | None, now: datetime) -> None:
    time = parse_time(text)
    if time is None:
        raise DecodeError("it does not say when it was made")
    if time > now + _AHEAD:
        raise DecodeError(f"dated in the future ({text}): refused")


def _printed(file: Path, data: bytes, now: datetime, host: str | None, known: Mapping[str, Target]) -> Imported:
    text, _ = decode_text(data)
    if framing.MARK not in text:
        raise DecodeError("neither a recording nor what the probe prints")
    lines = list(unwrapped(text))
    answer = framing.read_answer("\n".join(lines).encode("latin-1", "replace"))
    if answer.refused is not None:
        raise DecodeError(f"the host ran PowerShell in {answer.refused} mode: the script did not run")
    if answer.hello is None or not (answer.sections or answer.broken):
        raise DecodeError("no answer of the probe in it, or only its beginning")
    _refuse_future(answer.hello.utc_time, now)
    stated = asked_in(lines)
    request = stated or ProbeRequest(sections=_sections(answer))
    decoded = decode_answer(answer, request)
    name = host or _own_name(decoded.sections.network.records, known) or file.stem
    snapshot = Snapshot(
        host=name,
        collected_at=str(answer.hello.utc_time),
        collector=f"fleet-auditor {__version__}",
        transport=f"powershell {answer.hello.powershell[:20]} by hand",
        clock=decoded.clock,
        log_coverage=decoded.log_coverage,
        sections=decoded.sections,
        asked=question_of(request) if stated else Question(),
    )
    return _result(file, known.get(name) or _bare(name), snapshot, request, answer)


def _result(file: Path, target: Target, snapshot: Snapshot, request: ProbeRequest, answer: framing.Answer) -> Imported:
    problems = [f"{name}: {words}" for name, words in answer.broken.items()]
    if not answer.complete:
        problems.append("the answer is not whole: its end is missing")
    unseen = [name for name in request.sections if getattr(snapshot.sections, name).status != "ok"]
    reason = "; ".join(problems) or (f"not seen as a whole: {', '.join(unseen)}" if unseen else "")
    step = "run the probe as an administrator; docs/rights.md says what each section needs" if unseen else ""
    result = HostResult(host=target.name, status="partial" if reason else "ok", reason=reason, next_step=step, snapshot=snapshot)
    return Imported(file=str(file), target=target, result=result, problems=tuple(problems))


def _sections(answer: framing.Answer) -> tuple[str, ...]:
    """What was asked, where the answer does not say so: what arrived; all sections where its end is missing."""
    arrived = {*answer.sections, *answer.broken}
    return tuple(name for name in SECTION_NAMES if name in (arrived if answer.complete else arrived | set(SCRIPTED_SECTIONS)))


def _own_name(records: Sequence[Any], known: Mapping[str, Target]) -> str | None:
    """The inventory's name of the host that the answer says it is; its own name where no single target has it."""
    said = next((record.computer_name for record in records if record.computer_name), None)
    if said is None:
        return None
    names = {
        target.name for target in known.values() if said.casefold() in {n.split(".")[0].casefold() for n in (target.name, *target.aliases)}
    }
    return names.pop() if len(names) == 1 else said


def _bare(name: str) -> Target:
    """A target that nobody can connect to by what is known of it."""
    return Target(name=name, address=name, port=5985, scheme="http", transport="negotiate")


def asked_in(lines: Sequence[str]) -> ProbeRequest | None:
    """The request that a hand-run script repeats in its answer; None where there is none, or none that makes sense."""
    head = f"{framing.MARK} ASKED "
    line = next((line for line in lines if line.startswith(head)), None)
    if line is None:
        return None
    try:
        texts = framing.read_parameters(f"$AuditParameters = '{line[len(head) :].strip()}'\n")
    except (DecodeError, binascii.Error, UnicodeDecodeError, ValueError):
        return None
    known = {field.name: field for field in msgspec.structs.fields(ProbeRequest)}
    values: dict[str, Any] = {}
    for name, items in texts.items():
        if name in known:
            values[name] = items if isinstance(known[name].default, tuple) else items[0] if items else ""
    try:
        return msgspec.convert(values, ProbeRequest, strict=False)
    except msgspec.ValidationError:
        return None


def unwrapped(text: str) -> Iterator[str]:
    """The lines of a text, those of the frame put together again where a console broke them."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        follows: Callable[[str, str], bool] | None = None
        if line.startswith((f"{framing.MARK} HELLO ", f"{framing.MARK} ASKED ")):
            follows = _goes_on
        elif line.startswith(f"{framing.MARK} BLOCK "):
            follows = _head_goes_on
        while follows is not None and at < len(lines) and follows(line, lines[at]):
            line, at = line + lines[at].strip(), at + 1
        yield line


def _goes_on(line: str, following: str) -> bool:  # noqa: ARG001 (both are asked alike)
    """Whether a line of base64 goes on: what follows it in a whole answer is a line of the frame."""
    return _BASE64.fullmatch(following.strip()) is not None


def _head_goes_on(line: str, following: str) -> bool:
    return _BLOCK.fullmatch(line) is None and len(line) < 200 and not following.startswith(framing.MARK)


def known_targets(inventory: Inventory | None, stored: Sequence[Target]) -> dict[str, Target]:
    """Targets by name: those of the inventory, else as the store has them."""
    found = {target.name: target for target in stored}
    return found | ({target.name: target for target in inventory.targets} if inventory else {})
