"""Crashes for people: what fell, who is suspected and why, what could not be read. Plain text, safe for any terminal; decides nothing."""

from __future__ import annotations

from auditor.model.crash import Crash, CrashDocument, StackFrame
from auditor.report.grid import grid
from auditor.report.text import clip, safe_text

DEFAULT_WIDTH = 120
FRAMES_SHOWN = 16
_NAME_LIMIT = 120


def render(document: CrashDocument, *, width: int = DEFAULT_WIDTH) -> str:
    """The document as text of at most about `width` columns, ending in a line feed: an overview, each crash, then the errors."""
    parts = [_overview(document, width)] if len(document.crashes) > 1 else []
    parts += [_crash(number, crash, width) for number, crash in enumerate(document.crashes, 1)]
    if not document.crashes:
        parts.append("No crash was read.")
    if document.errors:
        lines = [f"{_file(error.file, error.member)}: {safe_text(error.message)}" for error in document.errors]
        parts.append("NOT READ\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _overview(document: CrashDocument, width: int) -> str:
    rows = [
        [
            str(number),
            _file(crash.source.file, crash.source.member),
            crash.bugcheck.code or "-",
            _text(crash.process),
            crash.cause_class,
            f"{_text(crash.suspects[0].image)} ({crash.suspects[0].confidence})" if crash.suspects else "-",
        ]
        for number, crash in enumerate(document.crashes, 1)
    ]
    return "CRASHES\n" + grid(("No", "File", "Stop code", "Process", "Cause", "First suspect"), rows, width=width)


def _crash(number: int, crash: Crash, width: int) -> str:
    place = f", line {crash.source.line}" if crash.source.line else ""
    head = f"CRASH {number}: {_file(crash.source.file, crash.source.member)}{place} ({crash.source.kind.replace('_', ' ')})"
    facts = [(name, value) for name, value in _facts(crash) if value]
    longest = max(len(name) for name, _ in facts)
    blocks = [head, "\n".join(f"  {name.ljust(longest)}  {value}" for name, value in facts)]
    blocks += [_suspects(crash), _stack(crash, width)]
    for title, lines in (("Not believed, or restored", crash.notes), ("Not known", crash.missing)):
        if lines:
            blocks.append("\n".join([f"  {title}:", *(f"    - {safe_text(line)}" for line in lines)]))
    return "\n".join(block for block in blocks if block)


def _facts(crash: Crash) -> list[tuple[str, str]]:
    """Names and values of what was stated, in the order in which a person asks."""
    stamp = f"{crash.image_timestamp} ({crash.image_time or 'no date'})" if crash.image_timestamp else ""
    module = " ".join(_text(part) for part in (crash.module, crash.image, crash.offset) if part)
    return [
        ("stop code", _stop_code(crash)),
        *((f"  parameter {place}", text) for place, text in enumerate(_parameters(crash), 1)),
        ("exception", _exception(crash)),
        ("module", module),
        ("symbol", _text(crash.symbol, "")),
        ("image stamp", stamp),
        ("process", _text(crash.process, "")),
        ("bucket", _text(crash.bucket, "")),
        ("system", _system(crash)),
        ("crashed", crash.crash_time or ""),
        ("up for", f"{crash.uptime_seconds:.0f} s" if crash.uptime_seconds is not None else ""),
        ("drivers", _drivers(crash)),
        ("cause", f"{crash.cause_class}: {safe_text('; '.join(crash.class_reasons))}"),
    ]


def _stop_code(crash: Crash) -> str:
    bugcheck = crash.bugcheck
    if bugcheck.code is None:
        return ""
    other = f" (that is {bugcheck.base_code})" if bugcheck.base_code not in (None, bugcheck.code) else ""
    return f"{bugcheck.code}{other} {_text(bugcheck.name, '')}".rstrip()


def _parameters(crash: Crash) -> list[str]:
    """Each parameter with its meaning and, where it points into a module, the place."""
    lines = []
    for index, value in enumerate(crash.bugcheck.parameters):
        if value is None:
            lines.append("")
            continue
        meaning = crash.bugcheck.meanings[index] if index < len(crash.bugcheck.meanings) else ""
        place = crash.bugcheck.places[index] if index < len(crash.bugcheck.places) else None
        lines.append(
            " ".join(part for part in (value, f"in {_text(place)}" if place else "", f"- {safe_text(meaning)}" if meaning else "") if part)
        )
    return lines


def _exception(crash: Crash) -> str:
    exception = crash.exception
    if exception is None:
        return ""
    at = f"at {exception.address}" if exception.address else ""
    touched = f"({exception.access or 'access'} of {exception.target})" if exception.target else ""
    return " ".join(part for part in (exception.code, exception.name, at, touched) if part)


def _system(crash: Crash) -> str:
    system = crash.os
    build = f"build {system.build}" + (f".{system.revision}" if system.revision is not None else "") if system.build else ""
    name = f"Windows {system.generation}" if system.generation else ""
    pack = f"service pack {system.service_pack}" if system.service_pack else ""
    kind = system.product_type.replace("_", " ") if system.product_type else ""
    return ", ".join(part for part in (name, build, pack, system.architecture, kind) if part)


def _drivers(crash: Crash) -> str:
    parts = []
    if crash.drivers is not None:
        parts.append(f"{len(crash.drivers)} loaded")
    if crash.unloaded_drivers is not None:
        parts.append(f"{len(crash.unloaded_drivers)} unloaded before")
    return ", ".join(parts)


def _suspects(crash: Crash) -> str:
    if not crash.suspects:
        return "  Nobody is suspected."
    lines = ["  Suspects:"]
    for place, suspect in enumerate(crash.suspects, 1):
        lines.append(f"    {place}. {_text(suspect.image)} ({suspect.confidence})")
        lines += [f"       - {safe_text(reason)}" for reason in suspect.reasons]
    return "\n".join(lines)


def _stack(crash: Crash, width: int) -> str:
    if not crash.stack:
        return ""
    shown = crash.stack[:FRAMES_SHOWN]
    rows = [[frame.address or "-", clip(_place(frame), 80), frame.origin] for frame in shown]
    rest = len(crash.stack) - len(shown)
    table = grid(("Address", "Code", "From"), rows, width=width - 4)
    lines = ["  Stack, newest first:", *(f"    {line}" for line in table.split("\n"))]
    return "\n".join([*lines, f"    and {rest} more"] if rest else lines)


def _place(frame: StackFrame) -> str:
    if frame.module is None:
        return "-"
    tail = f"!{frame.symbol}" if frame.symbol else f"+{frame.offset}" if frame.offset else ""
    return safe_text(frame.module + tail)


def _text(value: str | None, empty: str = "-") -> str:
    return clip(safe_text(value), _NAME_LIMIT) if value else empty


def _file(file: str, member: str | None) -> str:
    return _text(f"{file}({member})" if member else file)
