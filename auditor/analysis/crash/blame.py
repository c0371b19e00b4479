"""Who is suspected of a crash, ranked, with reasons that a person can check. A name in a text is a claim, never a proof.

Weights: the exception in a driver's own code weighs most; the first module on the stack that is not part of Windows comes next; what a
text names counts little, and nothing where it names the kernel. Windows' own files are never more than suspected. The cause class
is decided in `cause.py`.
"""

from __future__ import annotations

import msgspec

from auditor.analysis.crash.evidence import DriverMap, Evidence, Step
from auditor.model.crash import Suspect, hex_text
from auditor.model.crash_knowledge import CrashKnowledge, ModuleKind, stem
from auditor.model.grade import Confidence

MAX_SUSPECTS = 10
FAULT_IN_DRIVER, FAULT_IN_WINDOWS = 60, 25
FIRST_PRINTED, FIRST_SCANNED, FIRST_LATER = 40, 15, 10
CALLED_THE_KERNEL, NULL_POINTER, HANDLED_IOCTL = 15, 10, 5
WINDOWS_FRAME = 20
ALSO_ON_STACK, HOLDS_REQUEST, NAMED_BY_STOP, NAMED_BY_STOP_WINDOWS = 8, 35, 45, 25
CLAIM, CLAIM_WRONG_SYMBOLS, CLAIM_WINDOWS = 20, 5, 8
CONFIRMED_FROM, PROBABLE_FROM = 100, 45
_NULL_PAGES = 0x10000
_BAD_CODE = (0xC000001D, 0xC0000096)
"""STATUS_ILLEGAL_INSTRUCTION, STATUS_PRIVILEGED_INSTRUCTION."""
_IOCTL_CALLS = ("NtDeviceIoControlFile", "ZwDeviceIoControlFile")
_DEVICE_UNKNOWN = 0x22
"""FILE_DEVICE_UNKNOWN: the device type in the upper half of most drivers' own IOCTL codes."""


class _Candidate(msgspec.Struct):
    """A suspect in the making."""

    image: str
    windows: bool
    score: int = 0
    fault: bool = False
    reasons: list[str] = []


class Ranking:
    """Suspects with what speaks for each."""

    def __init__(self, evidence: Evidence, knowledge: CrashKnowledge) -> None:
        self.evidence = evidence
        self.knowledge = knowledge
        self.drivers = DriverMap(evidence.drivers)
        self.notes: list[str] = []
        self._candidates: dict[str, _Candidate] = {}
        self._kinds: dict[str, ModuleKind | None] = {}

    def kind(self, module: str) -> ModuleKind | None:
        """Kind of a module; None for what is not part of Windows."""
        if module not in self._kinds:
            self._kinds[module] = self.knowledge.kind(module)
        return self._kinds[module]

    def image(self, module: str) -> str:
        """File name of a module: from the driver list, the text's claim, or Windows' own files; else the module's name as it is."""
        driver = self.drivers.named(module)
        if driver is not None and "." in driver.name:
            return driver.name
        claimed = self.evidence.claimed_image
        if claimed and (stem(claimed) == stem(module) or claimed.rpartition(".")[0].casefold() == module.casefold()):
            return claimed
        known = self.knowledge.modules.get(stem(module))
        dot = known.file.rfind(".") if known else -1
        if known is None or dot < 0 or "." in module:
            return module
        extension = known.file[dot:].upper() if module.isupper() else known.file[dot:]
        return module + extension if stem(known.file) == stem(module) else known.file

    def add(self, module: str, score: int, reason: str, *, fault: bool = False) -> None:
        """One reason for suspecting a module."""
        found = self._candidates.get(stem(module))
        if found is None:
            found = _Candidate(image=self.image(module), windows=self.kind(module) is not None, reasons=[])
            self._candidates[stem(module)] = found
        found.score += score
        found.fault = found.fault or fault
        if reason not in found.reasons:
            found.reasons.append(reason)

    def score(self, module: str) -> int:
        """Weight of the reasons so far."""
        found = self._candidates.get(stem(module))
        return found.score if found else 0

    def best(self, *, windows: bool) -> tuple[str, int] | None:
        """Image and weight of the most suspected one, of Windows' own or of the others."""
        ranked = sorted((c for c in self._candidates.values() if c.windows is windows), key=lambda c: -c.score)
        return (ranked[0].image, ranked[0].score) if ranked else None

    def suspects(self, *, doubted: bool) -> tuple[Suspect, ...]:
        """The suspects, most suspected first. `doubted`: something else explains the crash better, so nobody is more than suspected."""
        ranked = sorted(self._candidates.values(), key=lambda c: -c.score)[:MAX_SUSPECTS]
        return tuple(Suspect(image=c.image, confidence=_confidence(c, doubted=doubted), reasons=tuple(c.reasons)) for c in ranked)


def _confidence(candidate: _Candidate, *, doubted: bool) -> Confidence:
    if doubted or candidate.windows or candidate.score < PROBABLE_FROM:
        return "suspected"
    return "confirmed" if candidate.fault and candidate.score >= CONFIRMED_FROM else "probable"


def rank(evidence: Evidence, knowledge: CrashKnowledge) -> Ranking:
    """All suspects of a crash in kernel mode; of one in user mode, the module that the text names."""
    ranking = Ranking(evidence, knowledge)
    _by_fault(ranking)
    _by_parameter(ranking)
    _by_stack(ranking)
    if evidence.waiting_driver:
        ranking.add(evidence.waiting_driver, HOLDS_REQUEST, "the request that did not come back is in its hands")
    _by_claim(ranking)
    return ranking


def _by_fault(ranking: Ranking) -> None:
    """The place of the exception."""
    fault = ranking.evidence.fault
    if fault is None or fault.module is None:
        return
    kind = ranking.kind(fault.module)
    place = _place(fault, ranking.image(fault.module))
    if kind == "kernel":
        ranking.notes.append(f"the exception happened in the Windows kernel ({place}), which mostly falls over what others hand to it")
        return
    if kind in ("hardware", "memory", "nothing") or (kind == "user" and not ranking.evidence.user_mode):
        return
    if kind is None or kind == "user":
        ranking.add(fault.module, FAULT_IN_DRIVER, f"the exception happened in its code: {place}", fault=True)
        _add_null_pointer(ranking, fault.module)
        if ranking.evidence.exception_code in _BAD_CODE:
            ranking.add(fault.module, 0, "the instruction is no valid one: its code in memory may have been damaged by something else")
    else:
        ranking.add(
            fault.module, FAULT_IN_WINDOWS, f"the exception happened in its code: {place}; it is a file of Windows and may have been misled"
        )


def _by_parameter(ranking: Ranking) -> None:
    """A parameter of the stop code that is an address inside the responsible driver."""
    accused = ranking.evidence.accused
    if accused is None or accused.module is None or ranking.kind(accused.module) in ("kernel", "user"):
        return
    score = NAMED_BY_STOP if ranking.kind(accused.module) is None else NAMED_BY_STOP_WINDOWS
    place = _place(accused, ranking.image(accused.module))
    ranking.add(accused.module, score, f"parameter {ranking.evidence.accused_parameter} of the stop code is an address in it: {place}")


def _add_null_pointer(ranking: Ranking, module: str) -> None:
    evidence = ranking.evidence
    if evidence.target is not None and evidence.target < _NULL_PAGES and evidence.access in ("read", "write"):
        verb = "writes to" if evidence.access == "write" else "reads from"
        ranking.add(module, NULL_POINTER, f"the instruction {verb} address {hex_text(evidence.target)}: a null pointer")


def _place(step: Step, image: str) -> str:
    offset = f"{image}+{hex_text(step.offset)}" if step.offset is not None else None
    at = f" at {hex_text(step.address)}" if step.address is not None else ""
    return f"{offset or (f'{step.module}!{step.symbol}' if step.symbol else image)}{at}"


def _by_stack(ranking: Ranking) -> None:
    """Modules on the stack that are not part of Windows, the first apart; where there are none, the first that is not the kernel."""
    evidence = ranking.evidence
    frames = [step for step in evidence.frames if _counts(ranking, step)]
    first: str | None = None
    through_kernel = True
    for step in frames:
        module = step.module or ""
        kind = ranking.kind(module)
        if kind is not None:
            through_kernel = through_kernel and kind == "kernel"
        elif first is None:
            first = module
            _add_first(ranking, step, module, through_kernel=through_kernel)
        elif stem(module) != stem(first):
            ranking.add(module, ALSO_ON_STACK, f"also on the stack: {_place(step, ranking.image(module))}")
    if first is None:
        _first_of_windows(ranking, frames)


def _counts(ranking: Ranking, step: Step) -> bool:
    """Whether a frame says something: kernel mode, in a known module, not the place of the exception again, and, where the stop was only
    noticed by what ran then, printed by a debugger that knows which frames are real."""
    if not step.module or step.user or step.origin == "exception" or ranking.kind(step.module) in ("user", "hardware", "memory", "nothing"):
        return False
    fact = ranking.knowledge.bugchecks.get(ranking.evidence.code or -1)
    return step.origin != "scanned" or fact is None or not fact.innocent_stack


def _add_first(ranking: Ranking, step: Step, module: str, *, through_kernel: bool) -> None:
    evidence = ranking.evidence
    place = _place(step, ranking.image(module))
    if not evidence.from_top:
        ranking.add(module, FIRST_LATER, f"on the part of the stack that was printed: {place}")
    elif step.origin == "scanned":
        ranking.add(module, FIRST_SCANNED, f"first return address on the stack outside Windows' own files (may be a left-over): {place}")
    else:
        ranking.add(module, FIRST_PRINTED, f"first module on the stack that is not part of Windows: {place}")
        in_kernel = evidence.fault is not None and evidence.fault.module is not None and ranking.kind(evidence.fault.module) == "kernel"
        if through_kernel and in_kernel:
            ranking.add(module, CALLED_THE_KERNEL, "the kernel was working for it when the exception happened")
    ioctl = _ioctl(evidence, module)
    if ioctl:
        ranking.add(module, HANDLED_IOCTL, ioctl)


def _ioctl(evidence: Evidence, module: str) -> str:
    """Words on the control request that the driver was serving; empty where there was none."""
    if not any(step.symbol and step.symbol.split("+")[0] in _IOCTL_CALLS for step in evidence.frames):
        return ""
    codes = (a for step in evidence.frames if step.module == module for a in step.arguments if a >> 16 == _DEVICE_UNKNOWN)
    code = next(codes, None)
    return f"it was serving a control request (IOCTL{'' if code is None else ' ' + hex_text(code)}) of {evidence.process or 'a program'}"


def _first_of_windows(ranking: Ranking, frames: list[Step]) -> None:
    """Nothing foreign on the stack: the first module that is neither kernel nor the place of the exception is named, weakly."""
    fault = ranking.evidence.fault
    for step in frames:
        module = step.module or ""
        if ranking.kind(module) in ("filesystem", "framework", "driver") and step.origin == "printed":
            if fault is None or fault.module is None or stem(fault.module) != stem(module):
                ranking.add(
                    module, WINDOWS_FRAME, f"first module on the stack that is not the kernel: {_place(step, ranking.image(module))}"
                )
            return


def _by_claim(ranking: Ranking) -> None:
    """What the text names."""
    evidence = ranking.evidence
    named = evidence.claimed_image or evidence.claimed_module
    if not named:
        return
    kind = ranking.kind(named)
    if kind in ("kernel", "hardware", "memory", "nothing"):
        if kind == "kernel":
            ranking.notes.append(f"the text names {named}: that is where the fault was noticed, not who made it")
        return
    if kind == "user":
        if evidence.user_mode:
            ranking.add(named, CLAIM_WINDOWS, "the text names it")
        else:
            ranking.notes.append(f"the text names {named}, a module of user mode, which can't bring the kernel down by itself")
        return
    if kind is not None:
        ranking.add(named, CLAIM_WINDOWS, "the text names it; it is a file of Windows")
    elif evidence.wrong_symbols:
        ranking.add(named, CLAIM_WRONG_SYMBOLS, "the text names it, but says that its symbols are wrong")
    else:
        ranking.add(named, CLAIM if not ranking.score(named) else HANDLED_IOCTL, "the text names it")
