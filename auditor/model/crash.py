"""One crash as a dump or a debugger's text tells it, the suspects behind it, and the document that `auditor crash` prints.

Rules of this file:
1. Codes, addresses, offsets and stamps are lower-case hex with `0x` and no leading zeros (`0xd1`); times are ISO 8601 in UTC with `Z`.
2. `None` is "not stated" or "not in this file", an empty list is "looked and found none". Nothing here is a guess; what was concluded
   stands in `suspects` and `cause_class`, with reasons.
3. Texts come from strangers (file names, process names, symbols): every report escapes them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, get_args

import msgspec

from auditor.model.grade import Confidence

_FILETIME_TO_UNIX = 11_644_473_600
_YEAR_1980 = 315_532_800
_YEAR_2200 = 7_258_118_400
CRASH_SCHEMA_VERSION = 1

SourceKind = Literal["triage_dump", "full_dump", "kernel_dump", "bitmap_dump", "header_dump", "analyze_text"]
"""Small dump with a driver list; all memory; kernel memory (summary); memory with a bitmap (active, automatic, kernel since
Windows 8); a header whose dump type says that no more was written; WinDbg's text."""
CauseClass = Literal["driver", "hardware", "memory", "filesystem", "user_mode", "unknown"]
CAUSE_CLASSES: tuple[CauseClass, ...] = get_args(CauseClass)
Architecture = Literal["x86", "x64", "arm64", "ia64"]
ProductType = Literal["workstation", "domain_controller", "server"]
FrameOrigin = Literal["printed", "exception", "scanned"]
"""`printed` by a debugger; where the `exception` happened; `scanned`: a return address found on the raw stack, which may be a left-over."""


class CrashSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a crash was read from."""

    file: str
    """The file as the user named it."""
    kind: SourceKind
    member: str | None = None
    """Name inside a zip archive."""
    line: int | None = None
    """Line of a text, counted from 1, where this crash begins."""
    complete: bool = True
    """False where the file ends before what its own header promises, or a text stops in the middle."""


class Bugcheck(msgspec.Struct, frozen=True, kw_only=True):
    """The stop code. A crash of a program in user mode has none."""

    code: str | None = None
    """As the header states it, for example 0x1000008e."""
    base_code: str | None = None
    """Without the bit that dump writers add (0x10000000), for example 0x8e."""
    name: str | None = None
    """Name of the base code in the knowledge files, else as the text gives it."""
    parameters: tuple[str | None, str | None, str | None, str | None] = (None, None, None, None)
    meanings: tuple[str, ...] = ()
    """What the parameters of this code mean, from the knowledge files; empty where the code is not documented."""
    places: tuple[str | None, ...] = ()
    """For each parameter that is an address inside a loaded module, `image+0xoffset`; empty where none is."""


class CrashException(msgspec.Struct, frozen=True, kw_only=True):
    """The exception behind the stop code, where there was one."""

    code: str | None = None
    name: str | None = None
    """NTSTATUS name, for example STATUS_ACCESS_VIOLATION."""
    address: str | None = None
    """Address of the instruction."""
    access: Literal["read", "write", "execute"] | None = None
    """What the instruction tried to do, for memory faults."""
    target: str | None = None
    """Address that it touched."""


class CrashOs(msgspec.Struct, frozen=True, kw_only=True):
    """The system that crashed."""

    generation: str | None = None
    """2000, xp, 2003, vista, 2008, 7, 2008r2, 8, 2012, 8.1, 2012r2, 10, 2016, 2019, 11, 2022, 2025."""
    build: int | None = None
    revision: int | None = None
    """The fourth number of the version, where stated."""
    service_pack: int | None = None
    architecture: Architecture | None = None
    product_type: ProductType | None = None


class LoadedDriver(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A module of the kernel's list of loaded modules."""

    name: str
    base: str
    size: int | None = None
    """Bytes of address space."""
    timestamp: str | None = None
    """Link time stamp of the image; 0x0 where the image carries none."""
    time: str | None = None
    """The stamp read as a date; reproducible builds (Windows 10 and later) carry hashes there, so years such as 2088 say nothing."""
    checksum: str | None = None
    path: str | None = None


class UnloadedDriver(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A module that was unloaded before the crash."""

    name: str
    """Small dumps keep 12 characters only; `truncated` says so."""
    base: str | None = None
    size: int | None = None
    timestamp: str | None = None
    unloaded_at: str | None = None
    truncated: bool = False


class StackFrame(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One step of the stack, newest first."""

    address: str | None = None
    """Address of the instruction in this frame."""
    module: str | None = None
    """Module name as debuggers write it (nt, RapDrv), or the image name where only the driver list is known."""
    symbol: str | None = None
    """Function name with its offset, where a debugger printed one."""
    offset: str | None = None
    """Offset from the start of the image, where it is known."""
    origin: FrameOrigin = "printed"


class Suspect(msgspec.Struct, frozen=True, kw_only=True):
    """An image that may be behind the crash."""

    image: str
    confidence: Confidence
    reasons: tuple[str, ...]
    """What speaks for it, and, where it was doubted, what against."""


class Crash(msgspec.Struct, frozen=True, kw_only=True):
    """One crash."""

    source: CrashSource
    bugcheck: Bugcheck = Bugcheck()
    module: str | None = None
    """Faulting module: from addresses in a dump; as a text states it."""
    image: str | None = None
    """File name of the faulting image."""
    offset: str | None = None
    """Offset of the faulting instruction from the start of the image."""
    symbol: str | None = None
    """Symbol that the text gives for the fault."""
    image_timestamp: str | None = None
    image_time: str | None = None
    """The stamp read as a date; None for 0, which means not known. A date that can't be one is named in `notes`."""
    process: str | None = None
    bucket: str | None = None
    """The debugger's failure bucket; None for dumps, which hold none."""
    os: CrashOs = CrashOs()
    crash_time: str | None = None
    uptime_seconds: float | None = None
    drivers: tuple[LoadedDriver, ...] | None = None
    unloaded_drivers: tuple[UnloadedDriver, ...] | None = None
    stack: tuple[StackFrame, ...] | None = None
    exception: CrashException | None = None
    suspects: tuple[Suspect, ...] = ()
    """Ranked, the most suspected first."""
    cause_class: CauseClass = "unknown"
    class_reasons: tuple[str, ...] = ()
    """Why this class."""
    notes: tuple[str, ...] = ()
    """What was restored in a damaged text and how it was written there, and what was not believed."""
    missing: tuple[str, ...] = ()
    """What could not be read, and why."""


class CrashError(msgspec.Struct, frozen=True, kw_only=True):
    """A file, or a part of one, that could not be read."""

    file: str
    message: str
    member: str | None = None


class CrashDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What `auditor crash --format json` prints."""

    schema_version: int = CRASH_SCHEMA_VERSION
    crashes: tuple[Crash, ...] = ()
    errors: tuple[CrashError, ...] = ()


def hex_text(value: int) -> str:
    """A number as the document writes codes, addresses and stamps."""
    return f"0x{value:x}"


def base_code(code: int) -> int:
    """The stop code without the marker bit of dump writers: 0x1000008e is 0x8e. Other large codes are codes of their own."""
    return code & 0xFFFF if code >> 16 == 0x1000 else code


def stamp_time(stamp: int | None) -> str | None:
    """A link time stamp (seconds since 1970) as ISO 8601; None for 0 and for what is no 32-bit number."""
    if not stamp or not 0 < stamp <= 0xFFFFFFFF:
        return None
    return _iso(stamp)


def filetime_time(filetime: int) -> str | None:
    """A FILETIME (100 ns since 1601) as ISO 8601 to the second; None outside the years 1980 to 2200, where no crash can be."""
    seconds = filetime // 10_000_000 - _FILETIME_TO_UNIX
    return _iso(seconds) if _YEAR_1980 <= seconds < _YEAR_2200 else None


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
