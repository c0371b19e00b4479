"""From a debugger's text (`!analyze -v` and what stands around it) to crashes. Pure: lines in, crashes out.

What a text states is reported as stated; what lost its dots is restored, with the original kept in a note. Who is blamed is decided
from addresses and the stack in `blame.py`, not from the name that the text prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.analysis.crash.cause import judge
from auditor.analysis.crash.evidence import DriverMap, Evidence, frame_of
from auditor.analysis.crash.windbg_draft import Draft
from auditor.analysis.crash.windbg_evidence import read_evidence, stop_code
from auditor.analysis.crash.windbg_lines import cleaned
from auditor.analysis.crash.windbg_names import Names, read_names
from auditor.analysis.crash.windbg_parse import iso_date
from auditor.analysis.crash.windbg_read import TextReader
from auditor.analysis.crash.windbg_system import read_system
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
    pieces = Pieces()
    told = 0
    for number_, line in cleaned(lines, lambda: reader.expecting):
        reader.feed(number_, line)
        if reader.done:
            pieces.take(reader.done)
            for draft in pieces.ready():
                yield _crash(draft, file, member, knowledge)
                told += 1
                if told >= MAX_CRASHES:
                    return
    reader.finish()
    pieces.take(reader.done)
    for draft in pieces.all():
        yield _crash(draft, file, member, knowledge)


class Pieces:
    """Puts the pieces of a text together: each is a crash, tells of a crash again, or adds to the one before or after it."""

    def __init__(self) -> None:
        self._waiting: list[Draft] = []
        self._before: Draft | None = None
        """Pieces that belong to the next crash."""

    def take(self, drafts: list[Draft]) -> None:
        """Finished pieces in the order of the text; the list is emptied."""
        for draft in drafts:
            if draft.is_crash and not (draft.code is None and self._fits_last(draft)):
                self._crash(draft)
            elif self._waiting and not draft.leads_on and not self._waiting[-1].contradicts(draft):
                self._waiting[-1].absorb(draft)
            elif self._before is None or self._before.contradicts(draft):
                self._before = draft
            else:
                self._before.absorb(draft)
            self._promote()
        drafts.clear()

    def _promote(self) -> None:
        """Pieces that are no crash one by one may be one together."""
        if self._before is not None and self._before.is_crash:
            draft, self._before = self._before, None
            self._crash(draft)

    def _fits_last(self, draft: Draft) -> bool:
        """Whether a piece without stop code goes on with the crash before it."""
        last = self._waiting[-1] if self._waiting else None
        return last is not None and not last.closed and not last.contradicts(draft)

    def _crash(self, draft: Draft) -> None:
        same = next((known for known in reversed(self._waiting) if known.same_crash(draft)), None)
        if same is not None:
            same.absorb(draft)
            return
        if self._before is not None and not self._before.contradicts(draft):
            draft.absorb(self._before)
        self._before = None
        self._waiting.append(draft)

    def ready(self) -> Iterator[Draft]:
        """Crashes that no further piece is held against."""
        while len(self._waiting) > _LOOK_BACK:
            yield self._waiting.pop(0)

    def all(self) -> list[Draft]:
        """What is left at the end."""
        return self._waiting


def _crash(draft: Draft, file: str, member: str | None, knowledge: CrashKnowledge) -> Crash:
    names = read_names(draft, knowledge)
    code, code_note = stop_code(draft, knowledge)
    drivers, unloaded = _modules(draft)
    evidence = read_evidence(draft, names, drivers or (), knowledge)
    suspects, cause_class, reasons, doubts = judge(evidence, knowledge)
    stamp = names.timestamp
    if stamp is None and names.image:
        listed = DriverMap(drivers or ()).named(names.image)
        stamp = int(listed.timestamp, 16) if listed and listed.timestamp else None
    notes = [*names.notes, *([code_note] if code_note else []), *doubts]
    if draft.session[1] and not draft.session[0] and not draft.fields.get("TARGET_TIME"):
        notes.append(f"the debugger gives the time as {draft.session[1]} without saying in which time zone")
    fault = evidence.fault
    return Crash(
        source=CrashSource(file=file, member=member, kind="analyze_text", line=draft.line, complete=draft.ended and draft.named),
        bugcheck=_bugcheck(draft, code, knowledge),
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
        exception=_exception(evidence, knowledge),
        suspects=suspects,
        cause_class=cause_class,
        class_reasons=reasons,
        notes=tuple(notes),
        missing=_missing(draft, names, code),
    )


def _bugcheck(draft: Draft, code: int | None, knowledge: CrashKnowledge) -> Bugcheck:
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


def _exception(evidence: Evidence, knowledge: CrashKnowledge) -> CrashException | None:
    code, address = evidence.exception_code, evidence.fault.address if evidence.fault else None
    if code is None and address is None:
        return None
    return CrashException(
        code=None if code is None else hex_text(code),
        name=knowledge.statuses.get(code) if code is not None else None,
        address=None if address is None else hex_text(address),
        access=evidence.access,
        target=None if evidence.target is None else hex_text(evidence.target),
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


def _missing(draft: Draft, names: Names, code: int | None) -> tuple[str, ...]:
    """What a whole analysis would state and this text does not."""
    stated = {
        "stop code": code is not None or draft.of_program,
        "parameters": draft.of_program or all(value is not None for value in draft.best_parameters()),
        "module": names.module is not None or names.image is not None,
        "process": names.process is not None,
        "bucket": names.bucket is not None,
        "stack": any(stack.frames for stack in draft.stacks),
    }
    return tuple(f"the text does not state: {name}" for name, there in stated.items() if not there)
