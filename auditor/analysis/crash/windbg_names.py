"""Names that a debugger's text states: module, image, symbol, process, bucket; restored where the text lost its dots, with a note."""

from __future__ import annotations

import re

import msgspec

from auditor.analysis.crash.windbg_draft import Draft, Place
from auditor.analysis.crash.windbg_parse import symbol
from auditor.model.crash_knowledge import CrashKnowledge

_LOST_DOT = re.compile(r"(.{1,60}?)(sys|dll|exe|drv)", re.IGNORECASE)
_IMAGE = re.compile(r"[^\s<>|*?\"]{1,80}")
_PROGRAM_END = re.compile(r"\.(?:exe|com|scr|tmp)\b", re.IGNORECASE)
_STAMP = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})(?![0-9a-zA-Z])")


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names as they are to be told."""

    module: str | None
    image: str | None
    symbol: str | None
    process: str | None
    bucket: str | None
    timestamp: int | None
    notes: tuple[str, ...]


def read_names(draft: Draft, knowledge: CrashKnowledge) -> Names:
    """The names in a draft; None for what is not stated."""
    fields = draft.fields
    notes: list[str] = []
    stated_symbol = fields.get("SYMBOL_NAME") or fields.get("PROBABLY_SYMBOL") or None
    module = _module(fields, stated_symbol, draft.fault)
    written = _image(fields.get("IMAGE_NAME") or fields.get("PROBABLY_IMAGE"))
    image = _restored_image(written, module, knowledge) or written
    if image != written:
        notes.append(f"the image is written {written}: the text lost its dots")
    program = _process(fields.get("PROCESS_NAME"))
    process = _restored_program(program, knowledge, dots_lost=draft.dots_lost or image != written) or program
    if process != program:
        notes.append(f"the process is written {program}: the text lost its dots")
    stamp = _STAMP.match(fields.get("DEBUG_FLR_IMAGE_TIMESTAMP", ""))
    return Names(
        module=module,
        image=image,
        symbol=stated_symbol,
        process=process,
        bucket=fields.get("FAILURE_BUCKET_ID") or fields.get("BUCKET_ID") or fields.get("Failure.Bucket") or None,
        timestamp=int(stamp.group(1), 16) if stamp else None,
        notes=tuple(notes),
    )


def _restored_image(written: str | None, module: str | None, knowledge: CrashKnowledge) -> str | None:
    """`RapDrvsys` as `RapDrv.sys`: the module's name and three letters, or the name of a file of Windows without its dot."""
    if not written or "." in written:
        return None
    if module and written.casefold().startswith(module.casefold()) and len(written) == len(module) + 3 and written[-3:].isalpha():
        return f"{written[:-3]}.{written[-3:]}"
    match = _LOST_DOT.fullmatch(written)
    return f"{match.group(1)}.{match.group(2)}" if match and knowledge.kind(match.group(1)) is not None else None


def _restored_program(written: str | None, knowledge: CrashKnowledge, *, dots_lost: bool) -> str | None:
    match = _LOST_DOT.fullmatch(written) if written and "." not in written else None
    if match is None or match.group(2).casefold() != "exe" or not (dots_lost or knowledge.kind(match.group(1)) == "user"):
        return None
    return f"{match.group(1)}.{match.group(2)}"


def _module(fields: dict[str, str], stated_symbol: str | None, fault: Place | None) -> str | None:
    """FAULTING_MODULE counts only where the instruction's symbol does not say otherwise: debuggers without symbols put any module there."""
    if fields.get("MODULE_NAME"):
        return fields["MODULE_NAME"].split()[0]
    if fields.get("PROBABLY_SYMBOL") and stated_symbol:
        place = symbol(stated_symbol)
        return place[0] if place else None
    words = fields.get("FAULTING_MODULE", "").split()
    elsewhere = fault is not None and fault.module is not None and len(words) == 2 and fault.module != words[1]
    return words[1] if len(words) == 2 and not elsewhere else None


def _image(value: str | None) -> str | None:
    match = _IMAGE.match(value) if value else None
    return match.group() if match else None


def _process(value: str | None) -> str | None:
    """The process without what stands behind it. Names may hold blanks; a program's ending ends them."""
    if not value:
        return None
    value = value.strip("?\ufffd\xa1\xa4 ")
    end = _PROGRAM_END.search(value)
    return value[: end.end()] if end else value.strip() or None
