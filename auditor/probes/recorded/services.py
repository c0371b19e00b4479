"""What `sc query`, `sc queryex` and `sc qc` print, in any language, to services. Codes decide, not their words.

`sc` prints a number before each word (`4  RUNNING`); labels are translated in some languages, so the order of lines decides there.
"""

from __future__ import annotations

import re

import msgspec

from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.outcome import Fault, Outcome

STATES = {1: "Stopped", 2: "Start Pending", 3: "Stop Pending", 4: "Running", 5: "Continue Pending", 6: "Pause Pending", 7: "Paused"}
START_MODES = {0: "Boot", 1: "System", 2: "Auto", 3: "Manual", 4: "Disabled"}
_TYPES = {
    0x1: "Kernel Driver", 0x2: "File System Driver", 0x4: "Adapter", 0x8: "Recognizer Driver", 0x10: "Own Process", 0x20: "Share Process",
    0x50: "User Own Process", 0x60: "User Share Process", 0xD0: "User Own Process", 0xE0: "User Share Process",
}  # fmt: skip
_TYPE_WORDS = {
    "kerneldriver": 0x1, "filesystemdriver": 0x2, "adapter": 0x4, "recognizerdriver": 0x8,
    "win32ownprocess": 0x10, "win32shareprocess": 0x20, "ownprocess": 0x10, "shareprocess": 0x20,
}  # fmt: skip
_INTERACTIVE = 0x100
_ERROR_CONTROLS = {0: "Ignore", 1: "Normal", 2: "Severe", 3: "Critical"}
_LONGEST = 8192
"""Longer lines are read up to here: no path of a service is longer."""
_NAME = re.compile(r"(\S[^:]{0,60}?)\s*:\s?(.*)")
_FIELD = re.compile(r"\s+(\S[^:]{0,60}?)\s*:\s?(.*)|\s+:\s?(.*)")
_FAILURE = re.compile(r"\s*\[SC\].*?\b(\d{1,5})\s*:?\s*\.?")
_MORE = re.compile(r"Enum\w*\s?:.*\d.*\d.*", re.IGNORECASE)
"""sc's buffer was too small: the services after this line were not printed."""
_FLAGS = re.compile(r"\s+\(([^)]*)\)\s*")
_QC = ("type", "start", "error", "path", "group", "tag", "display", "depends", "account")


class ServiceRow(msgspec.Struct, frozen=True, kw_only=True):
    """A service or driver of the service manager."""

    name: str
    name_truncated: bool = False
    """Whether a table cut it at the width of its column."""
    display_name: str | None = None
    type: str | None = None
    """Own Process, Share Process, Kernel Driver, ..., in WMI's words."""
    type_code: int | None = None
    state: str | None = None
    """Running, Stopped, ..., in WMI's words."""
    state_code: int | None = None
    accepts: tuple[str, ...] | None = None
    """Controls that it accepts, as printed."""
    start_mode: str | None = None
    """Boot, System, Auto, Manual or Disabled."""
    delayed: bool | None = None
    error_control: str | None = None
    exit_code: int | None = None
    service_exit_code: int | None = None
    pid: int | None = None
    path: str | None = None
    """Command line of its program."""
    group: str | None = None
    tag: int | None = None
    depends_on: tuple[str, ...] | None = None
    account: str | None = None
    """As whom it runs."""


def type_of(value: object) -> tuple[int | None, str | None]:
    """Number and word of a service's type, from either; a word that is not known stays as it is."""
    if isinstance(value, dict):
        value = next((v for v in value.values() if isinstance(v, int)), None)
    if isinstance(value, int) and not isinstance(value, bool):
        return value, _TYPES.get(value & ~_INTERACTIVE)
    if not isinstance(value, str) or not value.strip():
        return None, None
    text = value.strip()
    if text.isdigit() and len(text) < 10:
        return type_of(int(text))
    codes = [_TYPE_WORDS.get(re.sub(r"\W", "", word).casefold()) for word in text.split(",") if "interactive" not in word.casefold()]
    if len(codes) == 1 and codes[0] is not None:
        return None, _TYPES[codes[0]]
    return None, text


def looks_like_sc(text: str) -> bool:
    """Whether a text has a block that sc prints: a name's line with numbered fields below it, or its word of failure."""
    return bool(
        re.search(
            r"^\S[^:\n]{0,60}:[^\n]*\n(?:\S[^:\n]{0,60}:[^\n]*\n)?[ \t]+[^:\n]{1,60}:[ \t]*[0-9a-fA-F]+\s", text[:65536], re.MULTILINE
        )
    ) or ("[SC]" in text[:65536])


def read_sc(text: str) -> Outcome[ServiceRow]:
    """All services; a service that could not be opened is a fault with its code. Query and configuration of one service are merged."""
    outcome: Outcome[ServiceRow] = Outcome()
    merged: dict[str, ServiceRow] = {}
    head: list[str] = []
    fields: list[tuple[str, str]] = []
    for number, whole in enumerate([*lines_of(text.replace("\t", "        ")), ""], 1):
        line = whole[:_LONGEST]
        failure = _FAILURE.fullmatch(line)
        field = _FIELD.fullmatch(line)
        if failure and int(failure.group(1)):
            outcome.faults.append(Fault(place=f"line {number}", message=line.strip()))
        elif field and head:
            fields.append((field.group(1) or "", (field.group(2) if field.group(1) else field.group(3)) or ""))
        elif (flags := _FLAGS.fullmatch(line)) and fields:
            fields.append(("", f"({flags.group(1)})"))
        else:
            if fields and not _is_type(fields):
                outcome.skipped += 1  # what sc prints besides: actions on failure, descriptions
                head, fields = [], []
            elif fields:
                _keep(outcome, merged, _row(head, fields))
                head, fields = [], []
            if _MORE.fullmatch(line):
                outcome.faults.append(Fault(place=f"line {number}", message=f"the listing ends before its end: {line.strip()[:120]}"))
                continue
            name = _NAME.fullmatch(line)
            head = [*head, name.group(2).strip()][-2:] if name and name.group(2).strip() else []
    outcome.records = list(merged.values())
    return outcome


def _is_type(fields: list[tuple[str, str]]) -> bool:
    """Whether a block starts with a service's type: a number of up to three hex digits."""
    return bool(re.match(r"(?:0x)?[0-9a-fA-F]{1,3}(?:\s|$)", fields[0][1].strip()))


def _keep(outcome: Outcome[ServiceRow], merged: dict[str, ServiceRow], row: ServiceRow) -> None:
    key = row.name.casefold()
    if key not in merged:
        merged[key] = row
        return
    outcome.merged += 1
    before = msgspec.structs.asdict(merged[key])
    merged[key] = ServiceRow(**{n: v if v is not None else before[n] for n, v in msgspec.structs.asdict(row).items()})


def _row(head: list[str], fields: list[tuple[str, str]]) -> ServiceRow:
    """The service of one block: one of `sc qc` has its program's path in the fourth field, one of `sc query` a state in the second."""
    is_query = len(fields) < 4 or bool(re.match(r"\d+\s+\(0x|\(", fields[2][1].strip())) or fields[3][1].strip()[:1].isdigit()
    values = _query(fields) if is_query else _configuration(fields)
    display = head[1] if len(head) > 1 else None
    return ServiceRow(name=head[0], **{"display_name": display, **values})  # type: ignore[arg-type]


def _code(text: str, base: int = 10) -> int | None:
    match = re.match(r"(?:0x)?([0-9a-fA-F]{1,8})\b", text.strip())
    if not match or (base == 10 and not match.group(1).isdigit()):
        return None
    return int(match.group(1), base)


def _query(fields: list[tuple[str, str]]) -> dict[str, object]:
    numbers = [v for label, v in fields if label]
    flags = next((v for label, v in fields if not label and v.startswith("(")), None)
    kind = _code(numbers[0], 16) if numbers else None
    state = _code(numbers[1]) if len(numbers) > 1 else None
    pid = next((_code(v) for label, v in fields if label == "PID"), None)
    return {
        "type": type_of(kind)[1],
        "type_code": kind,
        "state": STATES.get(state) if state is not None else None,
        "state_code": state,
        "accepts": tuple(w.strip() for w in flags.strip("()").split(",") if w.strip()) if flags else None,
        "exit_code": _code(numbers[2]) if len(numbers) > 2 else None,
        "service_exit_code": _code(numbers[3]) if len(numbers) > 3 else None,
        "pid": pid if pid is not None else _code(numbers[6]) if len(numbers) > 6 else None,
    }


def _configuration(fields: list[tuple[str, str]]) -> dict[str, object]:
    """The fields of `sc qc` in their order; lines without a label go on with the dependencies."""
    labelled: list[list[str]] = []
    for label, value in fields:
        if label:
            labelled.append([value.strip()])
        elif labelled:
            labelled[-1].append(value.strip())
    values = dict(zip(_QC, labelled, strict=False))

    def first(name: str) -> str:
        return values.get(name, [""])[0]

    start, kind, error = _code(first("start")), _code(first("type"), 16), _code(first("error"))
    result: dict[str, object] = {
        "type": type_of(kind)[1],
        "type_code": kind,
        "start_mode": START_MODES.get(start) if start is not None else None,
        "delayed": "(" in first("start") if start == 2 else None,
        "error_control": _ERROR_CONTROLS.get(error) if error is not None else None,
        "path": first("path") or None,
        "group": first("group") or None,
        "tag": _code(first("tag")),
        "depends_on": tuple(v for v in values["depends"] if v) if "depends" in values else None,
        "account": first("account") or None,
    }
    if display := first("display"):
        result["display_name"] = display
    return result
