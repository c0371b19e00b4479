"""A crash while it is being read from a debugger's text: what was stated, where, and when two pieces are the same crash."""

from __future__ import annotations

import re

import msgspec

from auditor.analysis.crash.windbg_parse import Frame
from auditor.model.crash import base_code

MAX_FRAMES = 256
MAX_MODULES = 2048
MAX_DIFFERENCES = 256
_BARE_CODE = re.compile(r"(?:0x)?([0-9a-fA-F]{1,8})(?![0-9a-zA-Z])")
_BARE_NUMBER = re.compile(r"(?:0x)?([0-9a-fA-F]{1,16})(?![0-9a-zA-Z])")
_CODE_AND_FIRST = re.compile(r"(?:X64_|ARM64_|ARM_|IA64_)?0x([0-9a-fA-F]{1,8})(?:_([0-9a-fA-F]{1,8})(?=_|$|\s))?")
_APPLICATION = re.compile(r"APPLICATION_|_c0000005_|INVALID_POINTER|NULL_POINTER|CLR_EXCEPTION|HEAP_CORRUPTION|BREAKPOINT", re.IGNORECASE)
_ONCE = ("BUGCHECK_STR", "TRAP_FRAME", "LAST_CONTROL_TRANSFER")
"""Further fields that an analysis prints once."""
IDENTITY = ("FAILURE_BUCKET_ID", "BUCKET_ID", "PROCESS_NAME", "IMAGE_NAME", "MODULE_NAME", "DEBUG_FLR_IMAGE_TIMESTAMP", "SYMBOL_NAME")
"""Fields that tell crashes apart."""


class Module(msgspec.Struct):
    """A line of the debugger's list of modules."""

    start: int
    end: int
    name: str
    image: str = ""
    timestamp: int | None = None
    checksum: int | None = None
    unloaded: bool = False


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """An address with the symbol that the text gives for it."""

    address: int | None = None
    module: str | None = None
    function: str | None = None
    offset: int | None = None


class Stack(msgspec.Struct):
    """Frames in the order of the text."""

    titled: bool
    """Whether a title stood above it, so that its first frame is the newest."""
    stack_text: bool
    frames: list[Frame] = []


class Draft:
    """What one crash's text has stated so far. The first statement of a field wins."""

    def __init__(self) -> None:
        self.line: int | None = None
        self.fields: dict[str, str] = {}
        self.header: int | None = None
        self.header_name: str | None = None
        self.announced: int | None = None
        self.parameters: list[int | None] = [None, None, None, None]
        self.announced_parameters: list[int | None] = [None, None, None, None]
        self.stacks: list[Stack] = []
        self.fault: Place | None = None
        self.follow_up: Place | None = None
        self.exception: Place | None = None
        self.registers: int | None = None
        self.exception_code: int | None = None
        self.access: str | None = None
        self.target: int | None = None
        self.modules: list[Module] = []
        self.differences: list[tuple[bytes, bytes]] = []
        self.machine: str | None = None
        self.system_line: str | None = None
        self.product_line: str | None = None
        self.session: tuple[str | None, str | None] = (None, None)
        self.uptime: float | None = None
        self.user_prompt = False
        self.kernel_prompt = False
        self.wrong_symbols = False
        self.dots_lost = False
        self.closed = False
        """Whether the analysis just ended, so that what follows belongs to it only if something ties both."""
        self.ended = False
        """Whether an end of the analysis was seen."""
        self._is_settled = False
        self._known_code: int | None = None
        self._known_parameters: tuple[int | None, ...] | None = None

    def settle(self) -> None:
        """Nothing more is read: code and parameters are worked out once, when they are asked for."""
        self._is_settled = False
        self._known_code, self._known_parameters = self.code, None
        self._is_settled = True

    @property
    def code(self) -> int | None:
        """The stop code by the best statement: header, fields of newer debuggers, announcement, bucket string, bucket.

        What the stack shows as argument of KeBugCheckEx is not one of them: Windows may report another code (see `stack_code`).
        """
        if self._is_settled:
            return self._known_code
        if self.header is not None:
            return self.header
        if not self.fields:
            return self.announced
        for value in (self._field_code("BUGCHECK_CODE"), self.announced, self._field_code("Bugcheck.Code")):
            if value is not None:
                return value
        for key in ("BUGCHECK_STR", "FAILURE_BUCKET_ID", "BUCKET_ID"):
            match = _CODE_AND_FIRST.match(self.fields.get(key, ""))
            if match:
                return int(match.group(1), 16)
        return None

    def _field_code(self, key: str) -> int | None:
        match = _BARE_CODE.match(self.fields[key]) if key in self.fields else None
        return int(match.group(1), 16) if match else None

    def stack_code(self) -> tuple[int | None, tuple[int, ...]]:
        """Code and first parameters as arguments of KeBugCheckEx on the stack."""
        for stack in self.stacks:
            for frame in stack.frames[:8]:
                if frame.function in ("KeBugCheckEx", "KeBugCheck2") and frame.arguments and 0 < frame.arguments[0] <= 0xFFFFFFFF:
                    return frame.arguments[0], frame.arguments[1:]
        return None, ()

    def best_parameters(self) -> tuple[int | None, ...]:
        """The parameters as stated, and what the stack shows of the rest, where it shows the same stop code."""
        found = list(self.stated_parameters())
        code = self.code
        stack_code, arguments = self.stack_code()
        if stack_code is not None and (code is None or base_code(stack_code) == base_code(code)):
            for place, value in enumerate(arguments[:4]):
                found[place] = value if found[place] is None else found[place]
        return tuple(found)

    def _firm_parameters(self) -> tuple[int | None, ...]:
        """What tells crashes apart: the stack's word counts only where the same stop code is stated besides."""
        return self.stated_parameters() if self.code is None or not self.stacks else self.best_parameters()

    def stated_parameters(self) -> tuple[int | None, ...]:
        """The parameters by the best statement of each: header's arguments, fields, announcement, bucket string."""
        if self._is_settled and self._known_parameters is not None:
            return self._known_parameters
        found = self._work_out_parameters()
        if self._is_settled:
            self._known_parameters = found
        return found

    def _work_out_parameters(self) -> tuple[int | None, ...]:
        fields: list[int | None] = [None, None, None, None]
        if "BUGCHECK_P1" in self.fields or "BUGCHECK_P2" in self.fields:
            fields = [self._number(f"BUGCHECK_P{place}") for place in range(1, 5)]
        found = [
            next((v for v in values if v is not None), None)
            for values in zip(self.parameters, fields, self.announced_parameters, strict=True)
        ]
        if found[0] is None:
            found[0] = self._first_of_bucket(self.code)
        return tuple(found)

    def _number(self, key: str) -> int | None:
        match = _BARE_NUMBER.match(self.fields[key].replace("`", "")) if key in self.fields else None
        return int(match.group(1), 16) if match else None

    def _first_of_bucket(self, code: int | None) -> int | None:
        for key in ("BUGCHECK_STR", "FAILURE_BUCKET_ID", "BUCKET_ID"):
            match = _CODE_AND_FIRST.match(self.fields.get(key, ""))
            if match and match.group(2) and code is not None and base_code(int(match.group(1), 16)) == base_code(code):
                return int(match.group(2), 16)
        return None

    @property
    def named(self) -> bool:
        """Whether a culprit or bucket was stated: the analysis is well under way."""
        return any(key in self.fields for key in ("FAILURE_BUCKET_ID", "BUCKET_ID", "IMAGE_NAME", "MODULE_NAME"))

    @property
    def is_crash(self) -> bool:
        """Whether this is enough to be called a crash: a stop code, or an exception with its place."""
        if self.code is not None or (self.stack_code()[0] is not None and self.named):
            return True
        exception = self.exception_code is not None or self.exception is not None or "EXCEPTION_CODE" in self.fields
        return exception and (self.fault is not None or self.exception is not None or self.named)

    @property
    def empty(self) -> bool:
        """Whether nothing was stated yet."""
        places = (
            self.line,
            self.system_line,
            self.session[1],
            self.fault,
            self.follow_up,
            self.exception,
            self.registers,
            self.exception_code,
        )
        return all(value is None for value in places) and not self.stacks and not self.modules and not self.differences

    @property
    def leads_on(self) -> bool:
        """Whether this is what a debugger prints before an analysis, so that it belongs to the crash that follows."""
        return self.system_line is not None or self.product_line is not None or self.session != (None, None) or self.uptime is not None

    @property
    def of_program(self) -> bool:
        """Whether this is a program's crash: no stop code, and a sign of user mode."""
        if self.code is not None or self.stack_code()[0] is not None:
            return False
        text, bucket = self.fields.get("BUGCHECK_STR", ""), self.fields.get("FAILURE_BUCKET_ID", "")
        if self.user_prompt or text.startswith("APPLICATION_FAULT") or self.fields.get("ANALYSIS_SOURCE") == "UM":
            return True
        frames = [frame for stack in self.stacks for frame in stack.frames]
        kernel = self.kernel_prompt or any(frame.module == "nt" for frame in frames)
        shown = bool(frames or _APPLICATION.search(bucket) or self._faulted_in_user_mode)
        return not kernel and shown and self.is_crash

    @property
    def _faulted_in_user_mode(self) -> bool:
        """Whether the instruction lies where no code of the kernel does, in 32 bit or in 64."""
        addresses = [place.address for place in (self.fault, self.exception) if place is not None and place.address]
        return bool(addresses) and all(a < 1 << 31 or 1 << 32 <= a < 1 << 47 for a in addresses)

    def conflicts(self, key: str, value: str) -> bool:
        """Whether a field that tells crashes apart is stated again with another value."""
        known = self.fields.get(key)
        if known is None or known == value or known.startswith(value) or value.startswith(known):
            return False
        return key in _ONCE or key in IDENTITY

    def contradicts(self, later: Draft) -> bool:
        """Whether two pieces can't tell of one crash: another code, parameter, or name."""
        mine, theirs = self.code, later.code
        if mine is not None and theirs is not None and base_code(mine) != base_code(theirs):
            return True
        if (mine is not None and theirs is None and later.of_program) or (theirs is not None and mine is None and self.of_program):
            return True
        pairs = zip(self._firm_parameters(), later._firm_parameters(), strict=True)
        if any(a is not None and b is not None and a != b for a, b in pairs):
            return True
        if None not in (self.session[1], later.session[1]) and self.session != later.session:
            return True
        return any(self.fields[key] != later.fields[key] for key in IDENTITY if key in self.fields and key in later.fields)

    def same_crash(self, later: Draft) -> bool:
        """Whether a later piece that is a crash by itself tells of this one again: nothing contradicts, and something ties both."""
        if self.contradicts(later):
            return False
        if any(key in self.fields and key in later.fields for key in IDENTITY):
            return True
        if any(a and a == b for a, b in zip(self._firm_parameters(), later._firm_parameters(), strict=True)):
            return True
        if self._addresses() & later._addresses():
            return True
        announced_only = self.header is None and not self.named and self.code is not None
        return (later.header is None and not self.closed) or (announced_only and later.code is not None)

    def _addresses(self) -> set[int]:
        """Addresses and exception codes by which pieces of one crash know each other."""
        places = [place.address for place in (self.fault, self.exception) if place is not None]
        values = [*self._firm_parameters()[1:], *places, self.registers]
        return {value for value in values if value is not None and value > 0xFFFF}

    def absorb(self, later: Draft) -> None:
        """Take from a later piece what this one has not stated."""
        if self.header is None and later.header is not None:
            self.header, self.header_name = later.header, later.header_name
        for key, value in later.fields.items():
            self.fields.setdefault(key, value)
        mine, theirs = self.parameters, later.parameters
        self.parameters = [a if a is not None else b for a, b in zip(mine, theirs, strict=True)]
        mine, theirs = self.announced_parameters, later.announced_parameters
        self.announced_parameters = [a if a is not None else b for a, b in zip(mine, theirs, strict=True)]
        self.stacks += later.stacks[: max(0, 4 - len(self.stacks))]
        self.modules += later.modules[: MAX_MODULES - len(self.modules)]
        self.differences += later.differences[: MAX_DIFFERENCES - len(self.differences)]
        for name in (
            "announced", "fault", "follow_up", "exception", "registers", "exception_code", "access", "target", "machine", "system_line",
            "product_line", "uptime",
        ):  # fmt: skip
            if getattr(self, name) is None:
                setattr(self, name, getattr(later, name))
        if self.session == (None, None):
            self.session = later.session
        self.closed = later.closed if later.fields or later.header is not None else self.closed
        for name in ("user_prompt", "kernel_prompt", "wrong_symbols", "dots_lost", "ended"):
            setattr(self, name, getattr(self, name) or getattr(later, name))
        self.settle()
