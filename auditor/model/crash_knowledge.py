"""What is known of stop codes, statuses, Windows' own modules and malware, as loaded from compat_matrix/crash. Values only."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from auditor.model.crash import CauseClass
from auditor.model.grade import Confidence

Role = Literal[
    "instruction",
    "exception_code",
    "exception_record",
    "context",
    "trap_frame",
    "status",
    "referenced",
    "access",
    "target",
    "irp",
    "pte",
    "driver_address",
    "process",
]
"""What a parameter of a stop code is good for: `instruction` the address of the faulting instruction; `target` the address that it
touched; `access` 0 for a read, 1 for a write, 8 or 16 for an execution; `status` an NTSTATUS; `driver_address` an address inside the
responsible driver; `process` the object of a process that ended; the others addresses of the kernel's records."""
ROLES: tuple[Role, ...] = get_args(Role)

ModuleKind = Literal["kernel", "filesystem", "framework", "driver", "user", "hardware", "memory", "nothing"]
"""`kernel`: the kernel, HAL and verifier, never believed as the culprit. `framework`: passes on what other drivers do. `driver`: a driver
that ships with Windows. `user`: a module of user mode. `hardware`, `memory`, `nothing`: words that a debugger prints in place of a name."""
MODULE_KINDS: tuple[ModuleKind, ...] = get_args(ModuleKind)


class BugcheckFact(msgspec.Struct, frozen=True, kw_only=True):
    """One documented stop code."""

    code: int
    name: str
    parameters: tuple[str, ...] = ()
    """What parameters 1 to 4 mean, in our words; fewer where the rest is reserved."""
    roles: dict[Role, int] = {}
    """Role to parameter number, 1 to 4."""
    when: int | None = None
    """The roles hold only where parameter 1 has this value."""
    traps: bool = False
    """True where an exception is behind the stop whose place no parameter gives."""
    cause_class: CauseClass | None = None
    """Set where the code by itself says what failed."""
    innocent_stack: bool = False
    """True where the code on the stack only noticed the failure (watchdogs, a dead process, a key press)."""
    causes: tuple[str, ...] = ()
    """Usual causes, most usual first."""
    sources: tuple[str, ...] = ()


class InPageFact(msgspec.Struct, frozen=True, kw_only=True):
    """What a failed read of a page from disk means, by its status."""

    status: int
    cause_class: CauseClass
    means: str


class SystemModule(msgspec.Struct, frozen=True, kw_only=True):
    """A module of Windows, or a word that stands for none."""

    file: str
    """Its file name, or the word."""
    kind: ModuleKind


class BytePattern(msgspec.Struct, frozen=True, kw_only=True):
    """A difference between an image in memory and on disk that Windows' loader makes itself."""

    expected: bytes
    """First bytes of the difference on disk."""
    found: bytes
    """First bytes in memory; empty for any."""
    needs_others: bool = False
    """Believed only beside a pattern that stands by itself."""
    why: str


class Indicator(msgspec.Struct, frozen=True, kw_only=True):
    """Traces of malware that a stop code is known for."""

    family: str
    confidence: Confidence
    codes: tuple[int, ...]
    files: tuple[str, ...] = ()
    """File names or paths; globs."""
    keys: tuple[str, ...] = ()
    """Registry keys below HKLM."""
    services: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    """Images that crash reports of the family name."""
    note: str = ""
    sources: tuple[str, ...] = ()


class CrashKnowledge(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    bugchecks: dict[int, BugcheckFact] = {}
    names: dict[str, int] = {}
    """Name of a stop code to its code."""
    statuses: dict[int, str] = {}
    in_page: dict[int, InPageFact] = {}
    modules: dict[str, SystemModule] = {}
    """By lower-case stem of the file name, as debuggers name modules."""
    loader_patterns: tuple[BytePattern, ...] = ()
    indicators: tuple[Indicator, ...] = ()
    digest: str = ""
    """SHA-256 over the files."""

    def parameter(self, role: Role, code: int | None, parameters: tuple[int | None, ...]) -> int | None:
        """The parameter of a stop code (base code) that has a role; None where the code has none such or it is not stated."""
        fact = self.bugchecks.get(code) if code is not None else None
        place = fact.roles.get(role) if fact else None
        if fact is None or place is None or (fact.when is not None and parameters[0] != fact.when):
            return None
        return parameters[place - 1]

    def place_of(self, role: Role, code: int | None) -> int | None:
        """Which parameter, 1 to 4, has a role in a stop code."""
        fact = self.bugchecks.get(code) if code is not None else None
        return fact.roles.get(role) if fact else None

    def kind(self, module: str) -> ModuleKind | None:
        """Kind of a module or image name; None for what is not part of Windows (or not known to be).

        Windows loads copies of the disk drivers as `dump_...` and `hiber_...` to write dumps with: they only pass on.
        """
        key = stem(module)
        known = self.modules.get(key)
        if known is None and key.startswith(("dump_", "hiber_")):
            return "framework"
        return known.kind if known else None


_EXTENSIONS = (".sys", ".dll", ".exe", ".drv")
_AS_DEBUGGERS_WRITE = str.maketrans(".- ", "___")


def stem(module: str) -> str:
    """Key of a module or image name: lower case, without an image's extension, dots and dashes as debuggers write them."""
    name = module.casefold()
    if name.isalnum():
        return name
    name = name[:-4] if name.endswith(_EXTENSIONS) else name
    return name.translate(_AS_DEBUGGERS_WRITE)
