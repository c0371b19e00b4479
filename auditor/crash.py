"""The join behind `auditor crash FILE...`: files in, one document of crashes and errors out. Offline; prints nothing, exits nowhere.

`read_crashes(paths, knowledge) -> CrashDocument` never raises for what a file holds; `exit_code(document)` is what the command line
returns; `auditor.report.crash.render(document)` is the text for people. Memory use does not grow with the files: dumps are read in
place by bounded random access, texts as streams.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from auditor.analysis.crash.dump import read_dump
from auditor.analysis.crash.dump_header import is_dump
from auditor.analysis.crash.windbg import MAX_CRASHES, read_text
from auditor.crash_files import Chained, CrashLimits, FileReader, Source, SpooledReader, is_zip, open_regular, unpack, zip_members
from auditor.knowledge import load_crash_knowledge
from auditor.model.crash import Crash, CrashDocument, CrashError
from auditor.model.crash_knowledge import CrashKnowledge
from auditor.model.errors import DecodeError

_LOG = logging.getLogger(__name__)
_HEAD = 1 << 16
_TEXT_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 20
_USER_DUMP = b"MDMP"
_CABINET = b"MSCF"


class _Findings:
    """Crashes and errors of one run, in the order of the files."""

    def __init__(self, knowledge: CrashKnowledge, limits: CrashLimits) -> None:
        self.knowledge = knowledge
        self.limits = limits
        self.crashes: list[Crash] = []
        self.errors: list[CrashError] = []

    def fail(self, file: str, message: str, member: str | None = None) -> None:
        """Note what could not be read."""
        self.errors.append(CrashError(file=file, message=message, member=member))


def read_crashes(
    paths: Sequence[Path | str], knowledge: CrashKnowledge | None = None, *, limits: CrashLimits | None = None
) -> CrashDocument:
    """All crashes in the files, in their order, and what could not be read. `knowledge` defaults to the shipped files.

    Kernel dumps, texts of WinDbg, and both inside xz, gzip or zip. Raises MatrixError only where the shipped knowledge itself is broken.
    """
    findings = _Findings(knowledge if knowledge is not None else load_crash_knowledge(), limits or CrashLimits())
    for path in paths:
        _read_path(Path(path), str(path), findings)
    return CrashDocument(crashes=tuple(findings.crashes), errors=tuple(findings.errors))


def exit_code(document: CrashDocument) -> int:
    """0 all read, 3 read with errors, 1 nothing read."""
    if not document.crashes:
        return 1
    return 3 if document.errors else 0


def _read_path(path: Path, name: str, findings: _Findings) -> None:
    try:
        with open_regular(path) as file:
            _LOG.debug("crash file %s opened", name)
            _read_file(file, name, findings)
    except OSError as error:
        findings.fail(name, error.strerror or str(error))
    except DecodeError as error:
        findings.fail(name, error.message)


def _read_file(file: BinaryIO, name: str, findings: _Findings) -> None:
    head = file.read(_HEAD)
    file.seek(0)
    if is_dump(head):
        size = file.seek(0, 2)
        findings.crashes.append(read_dump(FileReader(file), file=name, size=size, knowledge=findings.knowledge))
    elif is_zip(head):
        for member, source in zip_members(file, findings.limits):
            if isinstance(source, DecodeError):
                findings.fail(name, source.message, member)
            else:
                _read_source(source, name, member, findings)
    else:
        unpacked = unpack(file, head)
        if unpacked is not None:
            _read_source(unpacked, name, None, findings)
        else:
            _read_text(file, head, name, None, findings)


def _read_source(source: Source, name: str, member: str | None, findings: _Findings) -> None:
    """A decoded stream: a dump or a text, no archive in it."""
    try:
        head = _read_head(source)
        if not is_dump(head):
            _read_text(Chained(head, source), head, name, member, findings)
            return
        reader = SpooledReader(Chained(head, source), findings.limits.dump_bytes)
        try:
            findings.crashes.append(read_dump(reader, file=name, size=None, knowledge=findings.knowledge, member=member))
            if reader.problem:
                findings.fail(name, reader.problem, member)
        finally:
            reader.close()
    except DecodeError as error:
        findings.fail(name, error.message, member)


def _read_head(source: Source) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size < _HEAD and (data := source.read(_HEAD - size)):
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def _read_text(source: Source, head: bytes, name: str, member: str | None, findings: _Findings) -> None:
    encoding = _encoding(head)
    if encoding is None:
        findings.fail(name, _what_it_is(head), member)
        return
    lines = TextLines(source, encoding, findings.limits.text_bytes)
    before = len(findings.crashes)
    findings.crashes.extend(read_text(lines, file=name, knowledge=findings.knowledge, member=member))
    found = len(findings.crashes) - before
    if lines.problem:
        findings.fail(name, lines.problem, member)
    elif not found:
        findings.fail(name, "no crash in this text: neither a stop code nor an exception with its place", member)
    elif found >= MAX_CRASHES:
        findings.fail(name, f"{MAX_CRASHES} crashes were read; the rest of the text was not", member)


def _what_it_is(head: bytes) -> str:
    if not head.strip(b"\0"):
        return "the file is empty" if not head else "the file begins with zeros only: neither a kernel dump nor a text"
    if head.startswith(_USER_DUMP):
        return "a dump of a program in user mode (MDMP), not of Windows: only its text from a debugger can be read"
    if head.startswith(_CABINET):
        return "a cabinet archive: unpack it first"
    return "neither a kernel dump (PAGEDUMP, PAGEDU64) nor a text"


def _encoding(head: bytes) -> str | None:
    """How a text is encoded, from its first bytes; None where they are no text."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = head[:4096]
    if b"\0" in sample:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if odd > len(sample) // 4 and even < odd // 4 + 1:
            return "utf-16-le"
        return "utf-16-be" if even > len(sample) // 4 and odd < even // 4 + 1 else None
    controls = sum(byte < 0x20 and byte not in (9, 10, 11, 12, 13, 0x1B) for byte in sample)
    if not sample or controls > len(sample) // 50:
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


class TextLines:
    """The lines of a stream, at most `limit` bytes of it; one that is longer than a megabyte comes in pieces."""

    def __init__(self, source: Source, encoding: str, limit: int) -> None:
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._left = limit
        self._limit = limit
        self.problem = ""
        """Why the text was not read to its end; empty where it was."""

    def __iter__(self) -> Iterator[str]:
        tail = ""
        while True:
            data = self._next()
            text = tail + self._decoder.decode(data, final=not data)
            lines = text.splitlines()
            tail = ""
            if data and lines and not text.endswith(("\n", "\r")) and len(lines[-1]) < _LONGEST_LINE:
                tail = lines.pop()
            yield from lines
            if not data:
                return

    def _next(self) -> bytes:
        try:
            data = self._source.read(min(_TEXT_CHUNK, self._left + 1))
        except DecodeError as error:
            self.problem = error.message
            return b""
        if len(data) > self._left:
            self.problem = f"more than {self._limit} bytes of text: the rest is not read"
            data = data[: self._left]
        self._left -= len(data)
        return data
