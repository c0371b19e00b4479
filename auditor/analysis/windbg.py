"""From a debugger's text (`!analyze -v` and what stands around it) to crashes. Pure: lines in, crashes out.

What a text states is reported as stated; what lost its dots is restored, with the original kept in a note. Who is blamed is decided
from addresses and the stack in `blame.py`, not from the name that the text prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.analysis.cause import judge
from auditor.analysis.evidence import DriverMap, frame_of
from auditor.analysis.windbg_draft import Draft
from auditor.analysis.windbg_evidence import is_user_mode, read_evidence
from auditor.analysis.windbg_lines import cleaned
from auditor.analysis.windbg_names import Names, read_names
from auditor.analysis.windbg_parse import iso_date
from auditor.analysis.windbg_read import TextReader
from auditor.analysis.windbg_system import read_system
from auditor.model.crash import (
    Bugcheck,
    Crash,
    CrashException,
    CrashSource,
    LoadedDriver,
    UnloadedDriver,
    base_code,
    hex_text,
    stamp_time,
)
from auditor.model.crash_knowledge import CrashKnowledge

MAX_CRASHES = 5000
_LOOK_BACK = 4
"""How many crashes back a repeated piece is looked for."""


def read_text(lines: Iterable[str], *, file: str, knowledge: CrashKnowledge, member: str | None = None) -> Iterator[Crash]:
    """The crashes in a text, in its order. Nothing is kept of the text; at most MAX_CRASHES are told."""
    reader = TextReader(knowledge.names)
    waiting: list[Draft] = []
    told = 0
    for number_, line in cleaned(lines):
        reader.feed(number_, line)
        if reader.done:
            _gather(waiting, reader)
            while len(waiting) > _LOOK_BACK:
                yield _crash(waiting.pop(0), file, member, knowledge)
                told += 1
                if told >= MAX_CRASHES:
                    return
    reader.finish()
    _gather(waiting, reader)
    for draft in waiting:
        yield _crash(draft, file, member, knowledge)


def _gather(waiting: list[Draft], reader: TextReader) -> None:
    """Add finished drafts: a piece that tells of a crash again is put into it, one that tells of none is dropped."""
    for draft in reader.done:
        same = next((known for known in reversed(waiting) if known.same_crash(draft)), None)
        if same is not None:
            same.absorb(draft)
        elif draft.is_crash:
            waiting.append(draft)
    reader.done.clear()


def _crash(draft: Draft, file: str, member: str | None, knowledge: CrashKnowledge) -> Crash:
    names = read_names(draft)
    drivers, unloaded = _modules(draft)
    evidence = read_evidence(draft, names, drivers or (), knowledge)
    suspects, cause_class, reasons, doubts = judge(evidence, knowledge)
    stamp = names.timestamp
    if stamp is None and names.image:
        listed = DriverMap(drivers or ()).named(names.image)
        stamp = int(listed.timestamp, 16) if listed and listed.timestamp else None
    notes = [*names.notes, *doubts]
    if draft.session[1] and not draft.session[0] and not draft.fields.get("TARGET_TIME"):
        notes.append(f"the debugger gives the time as {draft.session[1]} without saying in which time zone")
    fault = evidence.fault
    return Crash(
        source=CrashSource(file=file, member=member, kind="analyze_text", line=draft.line, complete=draft.closed and draft.named),
        bugcheck=_bugcheck(draft, knowledge, user_mode=is_user_mode(draft)),
        module=names.module,
        image=names.image,
        offset=hex_text(fault.offset) if fault is not None and fault.offset is not None else None,
        symbol=names.symbol,
        image_timestamp=None if stamp is None else hex_text(stamp),
        image_time=stamp_time(stamp),
        process=names.process,
        bucket=names.bucket,
        os=read_system(draft),
        crash_time=iso_date(draft.fields.get("TARGET_TIME", "")) or draft.session[0],
        uptime_seconds=draft.uptime,
        drivers=drivers,
        unloaded_drivers=unloaded,
        stack=tuple(frame_of(step) for step in evidence.frames) or None,
        exception=_exception(draft, evidence.fault.address if evidence.fault else None, evidence.exception_code, knowledge),
        suspects=suspects,
        cause_class=cause_class,
        class_reasons=reasons,
        notes=tuple(notes),
        missing=_missing(draft, names),
    )


def _bugcheck(draft: Draft, knowledge: CrashKnowledge, *, user_mode: bool) -> Bugcheck:
    code = None if user_mode else draft.code
    if code is None:
        return Bugcheck()
    base = base_code(code)
    fact = knowledge.bugchecks.get(base)
    texts = [None if value is None else hex_text(value) for value in draft.best_parameters()]
    return Bugcheck(
        code=hex_text(code),
        base_code=hex_text(base),
        name=fact.name if fact else draft.header_name,
        parameters=(texts[0], texts[1], texts[2], texts[3]),
        meanings=fact.parameters if fact else (),
    )


def _exception(draft: Draft, address: int | None, code: int | None, knowledge: CrashKnowledge) -> CrashException | None:
    if code is None and address is None:
        return None
    access = draft.access if draft.access in ("read", "write", "execute") else None
    return CrashException(
        code=None if code is None else hex_text(code),
        name=knowledge.statuses.get(code) if code is not None else None,
        address=None if address is None else hex_text(address),
        access=access,  # type: ignore[arg-type]
        target=None if draft.target is None else hex_text(draft.target),
    )


def _modules(draft: Draft) -> tuple[tuple[LoadedDriver, ...] | None, tuple[UnloadedDriver, ...] | None]:
    """The debugger's list of modules, where the text holds one."""
    loaded, unloaded = [], []
    for module in draft.modules:
        stamp = None if module.timestamp is None else hex_text(module.timestamp)
        size = module.end - module.start
        if module.unloaded:
            unloaded.append(UnloadedDriver(name=module.image or module.name, base=hex_text(module.start), size=size, timestamp=stamp))
            continue
        loaded.append(
            LoadedDriver(
                name=module.image or module.name,
                base=hex_text(module.start),
                size=size,
                timestamp=stamp,
                time=stamp_time(module.timestamp),
                checksum=hex_text(module.checksum) if module.checksum else None,
            )
        )
    return tuple(loaded) or None, tuple(unloaded) or None


def _missing(draft: Draft, names: Names) -> tuple[str, ...]:
    """What a whole analysis would state and this text does not."""
    stated = {
        "stop code": draft.code is not None or is_user_mode(draft),
        "parameters": is_user_mode(draft) or all(value is not None for value in draft.best_parameters()),
        "module": names.module is not None or names.image is not None,
        "process": names.process is not None,
        "bucket": names.bucket is not None,
        "stack": any(stack.frames for stack in draft.stacks),
    }
    return tuple(f"the text does not state: {name}" for name, there in stated.items() if not there)
