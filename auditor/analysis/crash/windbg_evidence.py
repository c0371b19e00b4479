"""From a draft to evidence: where the exception happened, the frames with their addresses, what was changed in code, what is claimed."""

from __future__ import annotations

import re

from auditor.analysis.crash.dump_stack import access_of
from auditor.analysis.crash.evidence import Corruption, DriverMap, Evidence, Step
from auditor.analysis.crash.windbg_draft import Draft, Place, Stack
from auditor.analysis.crash.windbg_names import Names
from auditor.model.crash import LoadedDriver, base_code
from auditor.model.crash_knowledge import CrashKnowledge, Role

_USER_END_32, _USER_END_64 = 0x80000000, 0x0000_8000_0000_0000
_STARTERS = (
    "KeBugCheckEx",
    "KeBugCheck",
    "KeBugCheck2",
    "KiBugCheckDebugBreak",
    "RtlpBreakWithStatusInstruction",
    "DbgBreakPointWithStatus",
)
_TRAPS = ("KiPageFault", "KiTrap0E")
_IRQL, _DRIVER_IRQL = 0xA, 0xD1
_WRONG_SYMBOLS = ("WRONG_SYMBOLS", "wrong.symbols", "wrong_symbols", "ADDITIONAL_DEBUG_TEXT")


def stop_code(draft: Draft, knowledge: CrashKnowledge) -> tuple[int | None, str]:
    """The stop code, and a note where it comes from the stack alone.

    There Windows shows 0xa for every page fault at a raised IRQL; it reports 0xd1 where the instruction lies in a driver.
    """
    if draft.of_program:
        return None, ""
    if draft.code is not None:
        return draft.code, ""
    code = draft.stack_code()[0]
    if code is None:
        return None, ""
    stack = _best_stack(draft)
    frames = [frame for frame in stack.frames if frame.module] if stack else []
    trap = next((index for index, frame in enumerate(frames) if frame.function in _TRAPS), None)
    below = frames[trap + 1].module if trap is not None and trap + 1 < len(frames) else None
    if code == _IRQL and below and knowledge.kind(below) != "kernel":
        return _DRIVER_IRQL, "the stop code stands on the stack only, as 0xa, which Windows reports as 0xd1 where a driver is at fault"
    return code, "the stop code stands on the stack only"


def read_evidence(draft: Draft, names: Names, drivers: tuple[LoadedDriver, ...], knowledge: CrashKnowledge) -> Evidence:
    """What a text says about the cause."""
    user_mode = draft.of_program
    code = stop_code(draft, knowledge)[0]
    base = base_code(code) if code is not None else None
    parameters = draft.best_parameters()

    def parameter(role: Role) -> int | None:
        return knowledge.parameter(role, base, parameters)

    stack = _best_stack(draft)
    address = _fault_address(draft, parameter("instruction"), user_mode=user_mode)
    frames = _frames(stack, address) if stack else ()
    loaded = DriverMap(drivers)
    fault = _fault(draft, address, frames, loaded)
    accused = parameter("driver_address")
    exception = draft.exception_code if draft.exception_code is not None else parameter("exception_code")
    access, target = access_of(parameter("access")), parameter("target")
    stated = draft.access if draft.access in ("read", "write", "execute") else None
    return Evidence(
        code=base,
        parameters=parameters,
        user_mode=user_mode,
        exception_code=exception & 0xFFFFFFFF if exception is not None else None,
        access=stated or access,  # type: ignore[arg-type]
        target=target if target is not None else draft.target,
        fault=fault,
        frames=frames,
        from_top=stack is not None and (stack.titled or _starts(stack)),
        process=names.process,
        claimed_module=names.module,
        claimed_image=names.image,
        bucket=names.bucket,
        wrong_symbols=draft.wrong_symbols or any(word in value for word in _WRONG_SYMBOLS for value in draft.fields.values()),
        corruption=_corruption(draft, knowledge),
        accused=loaded.step(accused, "exception") if accused and loaded.at(accused) else None,
        accused_parameter=knowledge.place_of("driver_address", base),
        drivers=drivers,
    )


def _best_stack(draft: Draft) -> Stack | None:
    """STACK_TEXT, else a titled list, else one that begins at the stop, else the first."""
    filled = [stack for stack in draft.stacks if stack.frames]
    for wanted in (lambda s: s.stack_text, lambda s: s.titled, _starts):
        found = next((stack for stack in filled if wanted(stack)), None)
        if found is not None:
            return found
    return filled[0] if filled else None


def _starts(stack: Stack) -> bool:
    return bool(stack.frames) and stack.frames[0].function in _STARTERS


def _fault_address(draft: Draft, parameter: int | None, *, user_mode: bool) -> int | None:
    """Address of the faulting instruction: as the stop code's parameter gives it, as FAULTING_IP does, as the exception record does."""
    places = [place.address for place in (draft.fault, draft.exception) if place is not None]
    ordered = [*places, parameter] if user_mode else [parameter, *places]
    return next((address for address in (*ordered, draft.registers) if address), None)


def _frames(stack: Stack, fault: int | None) -> tuple[Step, ...]:
    """Frames with their addresses: a frame's return address is the place in the next one."""
    steps: list[Step] = []
    address: int | None = None
    for index, frame in enumerate(stack.frames):
        if index == 0 and stack.titled and frame.function not in _STARTERS:
            address = fault
        end = _USER_END_64 if frame.wide else _USER_END_32
        pointer = frame.stack if frame.stack is not None else address
        steps.append(
            Step(
                module=frame.module or None,
                address=address,
                offset=frame.offset if frame.function is None and frame.module else None,
                symbol=_symbol(frame.function, frame.offset),
                user=pointer is not None and pointer < end,
                arguments=frame.arguments,
            )
        )
        address = frame.ret
    return tuple(steps)


def _symbol(function: str | None, offset: int | None) -> str | None:
    if function is None:
        return None
    return function if offset is None else f"{function}+0x{offset:x}"


def _fault(draft: Draft, address: int | None, frames: tuple[Step, ...], drivers: DriverMap) -> Step | None:
    """The place of the exception: its symbol from the text, its offset from whatever gives the image's start."""
    if address is None and draft.fault is None:
        return None
    loaded = drivers.at(address) if address is not None else None
    if loaded is not None:
        return Step(module=loaded[0].name, address=address, offset=loaded[1], origin="exception")
    place = _place_at(draft, address)
    if place is not None and place.module:
        offset = place.offset if place.function is None else _offset(place.module, address, frames, draft)
        return Step(module=place.module, address=address, offset=offset, symbol=_symbol(place.function, place.offset), origin="exception")
    step = next((step for step in frames if step.address == address and step.module), None)
    if step is not None:
        offset = step.offset if step.offset is not None else _offset(step.module or "", address, frames, draft)
        return Step(module=step.module, address=address, offset=offset, symbol=step.symbol, user=step.user, origin="exception")
    return Step(address=address, origin="exception") if address is not None else None


def _place_at(draft: Draft, address: int | None) -> Place | None:
    for place in (draft.fault, draft.exception, draft.follow_up):
        if place is not None and place.module and (address is None or place.address is None or place.address == address):
            return place
    return None


def _offset(module: str, address: int | None, frames: tuple[Step, ...], draft: Draft) -> int | None:
    """Offset in the image, from a frame of the same image without function name, or from FAULTING_MODULE."""
    if address is None:
        return None
    for step in frames:
        if step.module == module and step.offset is not None and step.address is not None:
            distance = address - (step.address - step.offset)
            return distance if 0 <= distance < 1 << 32 else None
    words = draft.fields.get("FAULTING_MODULE", "").split()
    if len(words) == 2 and words[1] == module and re.fullmatch(r"[0-9a-fA-F`]{8,17}", words[0]):
        distance = address - int(words[0].replace("`", ""), 16)
        return distance if 0 <= distance < 1 << 32 else None
    return None


def _corruption(draft: Draft, knowledge: CrashKnowledge) -> Corruption | None:
    """What the differences between code in memory and its file are."""
    word = draft.fields.get("MEMORY_CORRUPTOR", "").upper()
    bucket = " ".join(draft.fields.get(key, "") for key in ("FAILURE_BUCKET_ID", "BUCKET_ID", "Failure.Bucket")).upper()
    rest = [pair for pair in draft.differences if not _by_loader(pair, knowledge, alone=True)]
    if draft.differences and len(rest) < len(draft.differences):
        rest = [pair for pair in rest if not _by_loader(pair, knowledge, alone=False)]
        if not rest:
            return "loader"
    if "ONE_BIT" in word or "ONE_BIT" in bucket:
        return "one_bit"
    if rest:
        return "one_bit" if len(rest) == 1 and _bits(rest[0]) == 1 else "bytes"
    return "claimed" if word or "MEMORY_CORRUPTION" in bucket else None


def _by_loader(pair: tuple[bytes, bytes], knowledge: CrashKnowledge, *, alone: bool) -> bool:
    return any(
        pair[0].startswith(pattern.expected) and pair[1].startswith(pattern.found)
        for pattern in knowledge.loader_patterns
        if not (alone and pattern.needs_others)
    )


def _bits(pair: tuple[bytes, bytes]) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(*pair, strict=False)) + abs(len(pair[0]) - len(pair[1])) * 8
