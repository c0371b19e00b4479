"""Outputs that people already have, to one document: `auditor decode KIND FILE...`. A thin join over `probes` and `analysis`.

Rules of this file:
1. What a file is inside its kind (XML or CSV, export or listing, batch file or command lines) is found by looking.
   Text in a file is data, never an instruction.
2. Every row that was seen is a record, merged, skipped or an error: `rows_in` is their sum. What can't be read is an error with its place.
3. Nothing is read without bound: a file above `MAX_FILE_BYTES` is an error.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from auditor.model.host import SCHEMA_VERSION
from auditor.probes.recorded.encoding import decode_text
from auditor.probes.recorded.layout import lines_of
from auditor.probes.recorded.outcome import Fault, Outcome, failed
from auditor.probes.redact import redact, redact_named

MAX_FILE_BYTES = 32 * 1024 * 1024
"""A text of this size takes some ten times as much memory while it is read."""
KINDS = ("tasks", "commands", "registry", "drivers", "filters", "services", "defender", "securitycenter", "wmi")


class DecodedError(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read."""

    file: str
    place: str
    message: str


class Decoded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The document that `auditor decode` prints. rows_in = records + merged + skipped + errors."""

    schema_version: int
    kind: str
    records: list[dict[str, Any]]
    errors: list[DecodedError]
    rows_in: int
    merged: int
    skipped: int
    empty_keys: list[str] = []
    """Registry: keys that hold no value; they are counted as skipped."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A file's name as the user gave it, and its bytes or why there are none."""

    name: str
    data: bytes = b""
    problem: str = ""


def read_sources(paths: Sequence[Path]) -> list[Source]:
    """The files' bytes; a file that can't be read, or is too big, is a source with a problem."""
    return [_read_source(path) for path in paths]


def _read_source(path: Path) -> Source:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            limit = MAX_FILE_BYTES // (1024 * 1024)
            return Source(name=str(path), problem=f"{size} bytes are more than the {limit} MiB that are read of one file: split it")
        with path.open("rb") as file:
            return Source(name=str(path), data=file.read(MAX_FILE_BYTES))
    except OSError as error:
        return Source(name=str(path), problem=error.strerror or type(error).__name__)


def decode(kind: str, sources: Sequence[Source]) -> Decoded:
    """The document of some files. Raises ValueError for a kind that is not one of `KINDS`; never for what a file holds."""
    if kind not in KINDS:
        raise ValueError(f"{kind} is none of {', '.join(KINDS)}")
    ordered = _pages(sources) if kind == "wmi" else list(sources)
    reader: Callable[[Source], Outcome[Any]] = _Wmi() if kind == "wmi" else _Commands(ordered) if kind == "commands" else _READERS[kind]
    records: list[dict[str, Any]] = []
    errors: list[DecodedError] = []
    empty_keys: list[str] = []
    merged = skipped = 0
    for source in ordered:
        outcome = failed(source.problem) if source.problem else reader(source)
        outcome.records.reverse()
        while outcome.records:  # each is given up when it was taken over: large files are not held twice
            records.append(_record(kind, outcome.records.pop(), source.name))
        errors.extend(DecodedError(file=source.name, place=f.place, message=redact(f.message)) for f in outcome.faults)
        merged, skipped = merged + outcome.merged, skipped + outcome.skipped
        empty_keys.extend(getattr(outcome, "empty_keys", ()))
    if isinstance(reader, _Wmi) and ordered:
        errors.extend(DecodedError(file=ordered[-1].name, place=f.place, message=f.message) for f in reader.finish())
    rows = len(records) + len(errors) + merged + skipped
    return Decoded(
        schema_version=SCHEMA_VERSION,
        kind=kind,
        records=records,
        errors=errors,
        rows_in=rows,
        merged=merged,
        skipped=skipped,
        empty_keys=empty_keys,
    )


def _pages(sources: Sequence[Source]) -> list[Source]:
    """Files in the order of their names; where they are one enumeration, its first page comes first and its last one last."""
    from auditor.probes.recorded.wmi import page_order

    named = sorted(sources, key=lambda s: _natural(s.name))
    places = [page_order(decode_text(s.data)[0]) for s in named]
    if places.count(0) > 1 or places.count(2) > 1:
        return named
    return [source for _, source in sorted(zip(places, named, strict=True), key=lambda pair: pair[0])]


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Names in the order of people: page 2 before page 10."""
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in re.split(r"(\d{1,18})", name) if p]


def _record(kind: str, record: Any, name: str) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(record) if isinstance(record, msgspec.Struct) else dict(record)
    cleaner = _CLEANERS.get(kind)
    return {**(cleaner(plain) if cleaner else plain), "file": name}


def _clean_registry(record: dict[str, Any]) -> dict[str, Any]:
    name, data = record.get("value_name") or "", record.get("data")
    if isinstance(data, list):
        return {**record, "data": [redact_named(name, item) if isinstance(item, str) else item for item in data]}
    return {**record, "data": redact_named(name, data)} if isinstance(data, str) and data else record


def _clean_texts(value: Any) -> Any:
    """Secrets out of all texts of a record."""
    if isinstance(value, str):
        return redact(value) if value else value
    if isinstance(value, dict):
        return {k: _clean_texts(v) for k, v in value.items()}
    return [_clean_texts(v) for v in value] if isinstance(value, list | tuple) else value


def _clean_task(record: dict[str, Any]) -> dict[str, Any]:
    """A task's secrets; arguments are looked at behind their program, for what they mean depends on it."""
    for action in record.get("actions") or ():
        command, arguments = action.get("command"), action.get("arguments")
        line = redact(f"{command} {arguments}") if command and arguments else ""
        if line.startswith(f"{command} "):
            action["arguments"] = line[len(command) + 1 :]
    cleaned: dict[str, Any] = _clean_texts(record)
    return cleaned


_CLEANERS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "registry": _clean_registry,
    "tasks": _clean_task,
    "commands": _clean_texts,
    "wmi": _clean_texts,
    "services": _clean_texts,
}


def _tasks(source: Source) -> Outcome[Any]:
    from auditor.model.errors import DecodeError
    from auditor.probes.tasks.at import looks_like_at, read_at
    from auditor.probes.tasks.job import looks_like_job, read_job
    from auditor.probes.tasks.schtasks import read_schtasks
    from auditor.probes.tasks.taskjson import read_task_json
    from auditor.probes.tasks.xml import beside_xml, looks_like_task_xml, read_xml

    if looks_like_job(source.data):
        try:
            return Outcome(records=[read_job(source.data, re.split(r"[\\/]", source.name)[-1])])
        except DecodeError as error:
            return failed(error.message, error.place)
    text = decode_text(source.data)[0]
    if source.name.casefold().endswith(".job") and "\0" in text:
        return failed("neither the head of a .job file nor text: the file was cut or damaged", "byte 0")
    if text.lstrip().startswith("-----BEGIN") and (data := _armoured(text)) and looks_like_job(data):
        return _tasks(Source(name=source.name, data=data))
    if looks_like_task_xml(text):
        outcome, beside = read_xml(text), read_schtasks(beside_xml(text))
        if beside.records:  # the listing was printed to the same file
            outcome.records[:0], outcome.faults[:0] = beside.records, beside.faults
            outcome.merged += beside.merged
        return outcome
    if text.lstrip().startswith(("{", "[")):
        return read_task_json(text)
    if not text.strip("\0 \r\n\t"):
        return failed("the file is empty")
    return read_at(text) if looks_like_at(text) else read_schtasks(text)


def _armoured(text: str) -> bytes:
    """What `certutil -encode` made of a binary file: base64 between two lines of dashes."""
    body = "".join(line for line in lines_of(text) if not line.startswith("-"))
    try:
        return base64.b64decode(body.encode("ascii", errors="replace"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _registry(source: Source) -> Outcome[Any]:
    from auditor.probes.recorded.registry import looks_like_reg, read_reg
    from auditor.probes.recorded.regquery import looks_like_reg_query, read_reg_query, split_registry

    text = decode_text(source.data)[0]
    exported, printed = split_registry(text)
    if looks_like_reg(exported) and looks_like_reg_query(printed):
        outcome, more = read_reg(exported), read_reg_query(printed)
        outcome.records += more.records
        outcome.faults += more.faults
        outcome.skipped += more.skipped
        outcome.empty_keys += more.empty_keys
        return outcome
    outcome = read_reg(text) if looks_like_reg(text) else read_reg_query(text)
    return outcome if outcome.rows else failed("the file holds no key")


def _drivers(source: Source) -> Outcome[Any]:
    from auditor.probes.recorded.drivers import read_drivers

    return read_drivers(decode_text(source.data)[0])


def _filters(source: Source) -> Outcome[Any]:
    from auditor.probes.recorded.filters import read_filters

    return read_filters(decode_text(source.data)[0])


def _services(source: Source) -> Outcome[Any]:
    from auditor.probes.recorded.psservices import read_service_json, read_service_list, read_service_xml
    from auditor.probes.recorded.services import looks_like_sc, read_sc
    from auditor.probes.recorded.wmi import looks_like_xml

    text = decode_text(source.data)[0]
    if text.lstrip().startswith(("{", "[")) and not text.lstrip().startswith("[SC]"):
        return read_service_json(text)
    if looks_like_xml(text):
        return read_service_xml(text)
    outcome = read_sc(text) if looks_like_sc(text) else read_service_list(text)
    return outcome if outcome.rows else failed(f"no service in what stands there: {_first_line(text)}", "line 1")


def _defender(source: Source) -> Outcome[Any]:
    from auditor.probes.recorded.defender import read_defender

    return read_defender(decode_text(source.data)[0])


def _securitycenter(source: Source) -> Outcome[Any]:
    from auditor.probes.recorded.securitycenter import read_securitycenter

    text = decode_text(source.data)[0]
    outcome = read_securitycenter(text)
    looked = text.lstrip().startswith(("{", "["))
    return outcome if outcome.rows or looked else failed(f"no product of Security Center: {_first_line(text)}", "line 1")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "the file is empty")[:300]


_READERS: Mapping[str, Callable[[Source], Outcome[Any]]] = {
    "tasks": _tasks,
    "registry": _registry,
    "drivers": _drivers,
    "filters": _filters,
    "services": _services,
    "defender": _defender,
    "securitycenter": _securitycenter,
}


class _Wmi:
    """All files are pages of enumerations, in the order of their names."""

    def __init__(self) -> None:
        from auditor.probes.recorded.wmi import WmiReader

        self._reader = WmiReader()

    def __call__(self, source: Source) -> Outcome[Any]:
        return self._reader.read_page(decode_text(source.data)[0], source.name)

    def finish(self) -> list[Fault]:
        return self._reader.finish().faults


_PROMPT = re.compile(r"^\s*(?:PS )?[A-Za-z]:\\[^>\r\n]{0,200}>\s*")
_CONTINUED = 1000
"""So many lines may be one command."""


class _Commands:
    """Lists of command lines and scripts: scripts are what the lines, and each other, may call or read (`ftp -s:`, `robocopy /job:`); what
    nothing calls is read by itself."""

    def __init__(self, sources: Sequence[Source]) -> None:
        from auditor.analysis.copying.copylines import CommandReader

        self._reader = CommandReader({_windows_path(s.name): decode_text(s.data)[0] for s in sources if len(sources) > 1})
        if len(sources) > 1:
            # A first pass, to learn which scripts call which, and what links they make.
            for source in sources:
                self._read(source)

    def __call__(self, source: Source) -> Outcome[Any]:
        if self._reader.is_called(_windows_path(source.name)):
            return Outcome(skipped=1)
        outcome = self._read(source)
        return outcome if outcome.rows else failed("the file holds no command line")

    def _read(self, source: Source) -> Outcome[Any]:
        text = decode_text(source.data)[0]
        if kind := _script_kind(source):
            jobs = self._reader.read_script(kind, text, _windows_path(source.name))
            return Outcome(records=[_command_record(job, None) for job in jobs], skipped=0 if jobs else 1)
        outcome: Outcome[Any] = Outcome()
        lines = _command_lines(text)
        for (number, _), found in zip(lines, self._reader.read_lines([line for _, line in lines]), strict=True):
            outcome.records.extend(_command_record(job, number) for job in found)
            outcome.skipped += not found
        return outcome


def _windows_path(name: str) -> str:
    """A script's name without the folder that it happens to lie in here, unless that is a path of Windows."""
    return name if re.match(r"[A-Za-z]:|\\\\", name) else re.split(r"[\\/]", name)[-1]


def _command_lines(text: str) -> list[tuple[int, str]]:
    """Numbered command lines: blank lines, remarks and prompts are left out, lines that end in a caret go on."""
    lines: list[tuple[int, str]] = []
    parts: list[str] = []
    for number, raw in enumerate([*lines_of(text), ""], 1):
        line = _PROMPT.sub("", raw)
        goes_on = line.endswith("^") and not line.endswith("^^") and len(parts) < _CONTINUED
        parts.append(line[:-1] if goes_on else line)
        if not goes_on:
            whole = "".join(parts).strip().strip("`").strip()
            parts = []
            if whole:
                lines.append((number, whole))
    return lines


def _command_record(job: Any, line: int | None) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(job)
    kept = ("source", "destination", "tool", "destructive", "writes_executables", "hours", "reason", "command")
    places = [s["field"] for s in plain["steps"]]
    return {**{k: plain[k] for k in kept}, "line": line, "place": " > ".join(places) if places else f"line {line}"}


_SIGNS = (
    ("batch", re.compile(r"^\s*@echo off\b|^\s*:[A-Za-z_]\w*\s*$", re.IGNORECASE | re.MULTILINE)),
    ("vbscript", re.compile(r"^\s*(?:set\s+)?\w+\s*=\s*(?:\w+\.)?CreateObject\s*\(", re.IGNORECASE | re.MULTILINE)),
    ("powershell", re.compile(r"^\s*(?:\[[\w.]+\])?\$[A-Za-z_]\w*\s*=|^\s*param\s*\(", re.IGNORECASE | re.MULTILINE)),
)


def _script_kind(source: Source) -> str:
    """batch, powershell, vbscript or rcj for what is a script as a whole; empty for a list of command lines."""
    from auditor.analysis.copying.robocopy import looks_like_job

    ending = source.name.casefold().rpartition(".")[2]
    by_name = {"bat": "batch", "cmd": "batch", "ps1": "powershell", "psm1": "powershell", "vbs": "vbscript", "wsf": "vbscript"}
    if ending in by_name:
        return by_name[ending]
    text = decode_text(source.data[:65536])[0]
    if ending == "rcj" or looks_like_job(text):
        return "robocopy"
    return next((kind for kind, sign in _SIGNS if sign.search(text)), "")
