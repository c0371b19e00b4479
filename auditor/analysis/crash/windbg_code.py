"""Lines of a debugger's text that hold addresses: frames, instructions, registers, module lists, differences of code. Into a draft.

Keeps only where in such a list it is. A frame may be wrapped over several lines; they are joined again, a few at most.
"""

from __future__ import annotations

import re

import msgspec

from auditor.analysis.crash.windbg_draft import MAX_DIFFERENCES, MAX_FRAMES, MAX_MODULES, Draft, Module, Place, Stack
from auditor.analysis.crash.windbg_parse import Frame, Instruction, frame, instruction, number, operand, symbol

_REGISTER = re.compile(r"\b(?:eip|rip|pc)=([0-9a-fA-F]{8}(?:[0-9a-fA-F]{8})?)\b")
_LABEL = re.compile(r"[A-Za-z_]\S{0,600}:$")
_DIFFERENCE = re.compile(r"\[ ((?:[0-9a-f]{2} ?){1,16}):((?:[0-9a-f]{2} ?){1,16})\]?")
_PAGE_ADDRESS = r"[0-9a-fA-F]{5}(?:[0-9a-fA-F]{3}`?[0-9a-fA-F]{5})?000"
_MODULE = re.compile(rf"({_PAGE_ADDRESS})\s+({_PAGE_ADDRESS})\s+(\S{{1,80}})\s*(.*)")
_STAMP = re.compile(r"\(([0-9a-fA-F]{8})\)\s*$|^Timestamp:.*?\b([0-9a-fA-F]{8})\s*$")
_FILE = re.compile(r"\b([\w$~.-]{1,60}\.(?:sys|dll|exe|drv))\b", re.IGNORECASE)
_JOINED_LINES = 3
_MISSES = 3
_REGISTERS = ("eip=", "rip=", "pc=")
_MACHINES = {"eip=": "x86", "rip=": "x64", "pc=": "arm64"}


class CodeReader:
    """Where in the lists of addresses the text is."""

    def __init__(self) -> None:
        self._stack: Stack | None = None
        self.partial: list[str] = []
        """The beginning of a frame whose end is expected."""
        self._place: str | None = None
        self._label: Place | None = None
        self._in_context = False
        self._unloaded = False
        self._misses = 0
        self._unfinished: Instruction | None = None

    def close(self) -> None:
        """The list of frames ends here."""
        self._stack = None
        self.partial = []
        self._misses = 0

    def miss(self) -> None:
        """A line that is none of ours: warnings and remarks may stand between frames, a few at a time."""
        self._misses += 1
        if self._misses > _MISSES:
            self.close()

    def field(self, key: str) -> None:
        """A field begins: lists end, and TRAP_FRAME and CONTEXT say that registers of the fault follow."""
        self.close()
        self._label = None
        self._place = None
        self._in_context = key in ("TRAP_FRAME", "CONTEXT")

    def leave_context(self) -> None:
        """The debugger is back at the place of the stop."""
        self._in_context = False

    def expect_place(self, key: str, value: str) -> None:
        """FAULTING_IP or FOLLOWUP_IP: its symbol and instruction follow, the symbol perhaps on the same line."""
        self._place = key
        self._label = place_of(value) if value else None

    def open_stack(self, draft: Draft, *, titled: bool, stack_text: bool) -> None:
        """Frames follow."""
        self.close()
        self._stack = Stack(titled=titled, stack_text=stack_text, frames=[])
        if len(draft.stacks) < 8:
            draft.stacks.append(self._stack)

    def list_unloaded(self) -> None:
        """The list of unloaded modules begins."""
        self._unloaded = True
        self.close()

    def list_modules(self) -> None:
        """The list of loaded modules begins."""
        self._unloaded = False
        self.close()

    def continue_frame(self, draft: Draft, line: str) -> bool:
        """Whether a line completes a frame that was wrapped."""
        joined = " ".join([*self.partial, line])
        found = frame(joined)
        if found is not None and found.module is not None:
            self.partial = []
            self._add(draft, found)
            return True
        if found is not None and len(self.partial) < _JOINED_LINES and frame(line) is None:
            self.partial.append(line)
            return True
        self.partial = []
        return False

    def hex_line(self, draft: Draft, line: str) -> bool:
        """A line that begins with a digit, a bracket or a hex letter. Whether it was one of ours."""
        if line[0] == "[":
            self._difference(draft, line)
            return True
        found = frame(line)
        if found is not None and self._frame(draft, found, line):
            return True
        module = _MODULE.match(line)
        if module is not None and "!" not in module.group(3) and self._module(draft, module):
            return True
        code = instruction(line)
        if code is not None:
            self._instruction(draft, code)
            return True
        return self.other_line(draft, line)

    def other_line(self, draft: Draft, line: str) -> bool:
        """Registers, the label above an instruction, a symbol that FAULTING_IP waits for. Whether it was one of ours."""
        if self._unfinished is not None and self._operand(draft, line):
            return True
        for name in _REGISTERS:
            if name in line:
                return self._registers(draft, line, name)
        if "=" in line[:5] or line.startswith(("iopl=", "ErrCode", "cs=")):
            return True
        if self._place is not None and self._label is None:
            self._label = place_of(line)
            return self._label is not None
        if line.endswith(":") and _LABEL.match(line):
            self._label = place_of(line)
            return self._label is not None
        return False

    def module_detail(self, draft: Draft, line: str) -> None:
        """`Image name:`, `Timestamp:`, `CheckSum:` below a line of the list of modules."""
        if not draft.modules:
            return
        module = draft.modules[-1]
        value = line.partition(":")[2].strip()
        if line.startswith("Image name"):
            module.image = module.image or value[:80]
        elif line.startswith("Timestamp") and (stamp := _STAMP.search(line)):
            module.timestamp = int(stamp.group(1) or stamp.group(2), 16)
        elif line.startswith("CheckSum"):
            module.checksum = number(value)

    def _frame(self, draft: Draft, found: Frame, line: str) -> bool:
        if found.module is None:
            if self._stack is None:
                return False
            self.partial = [line]
            return True
        if self._stack is None:
            self.open_stack(draft, titled=False, stack_text=False)
        self._add(draft, found)
        return True

    def _add(self, draft: Draft, found: Frame) -> None:
        if self._stack is not None and len(self._stack.frames) < MAX_FRAMES:
            self._stack.frames.append(found)
            self._misses = 0
        if found.wide and draft.machine is None:
            draft.machine = "wide"

    def _registers(self, draft: Draft, line: str, name: str) -> bool:
        match = _REGISTER.search(line)
        if match is None:
            return False
        draft.machine = draft.machine if draft.machine in ("x86", "x64", "arm64") else _MACHINES[name]
        if self._in_context and draft.registers is None:
            draft.registers = int(match.group(1), 16)
        return True

    def _instruction(self, draft: Draft, code: Instruction) -> None:
        if draft.machine in (None, "wide") and code.machine is not None:
            draft.machine = code.machine
        label, self._label = self._label, None
        place = Place(address=code.address) if label is None else msgspec.structs.replace(label, address=code.address)
        if self._place == "FAULTING_IP" and draft.fault is None:
            draft.fault = place
        elif self._place == "FOLLOWUP_IP" and draft.follow_up is None:
            draft.follow_up = place
        elif self._in_context and label is not None and draft.fault is None:
            draft.fault = place
        self._unfinished = None
        if self._in_context or self._place == "FAULTING_IP":
            self._touch(draft, code)
        self._place = None

    def _touch(self, draft: Draft, code: Instruction) -> None:
        """What the faulting instruction touched; its operand may stand on the next line."""
        if code.target is None:
            self._unfinished = code
            return
        draft.target = code.target if draft.target is None else draft.target
        draft.access = draft.access or ("write" if code.writes else "read")

    def _operand(self, draft: Draft, line: str) -> bool:
        code, self._unfinished = self._unfinished, None
        target = operand(line)
        if code is None or target is None:
            return False
        self._touch(draft, msgspec.structs.replace(code, target=target))
        return True

    def _difference(self, draft: Draft, line: str) -> None:
        match = _DIFFERENCE.match(line)
        if match and len(draft.differences) < MAX_DIFFERENCES:
            draft.differences.append((bytes.fromhex(match.group(1)), bytes.fromhex(match.group(2))))

    def _module(self, draft: Draft, match: re.Match[str]) -> bool:
        start, end = (int(match.group(place).replace("`", ""), 16) for place in (1, 2))
        name, rest = match.group(3), match.group(4)
        if not 0 < end - start < 1 << 31 or len(draft.modules) >= MAX_MODULES:
            return False
        file, stamp = _FILE.search(rest), _STAMP.search(rest)
        module = Module(start=start, end=end, name=name, image=file.group(1) if file else "", unloaded=self._unloaded)
        if self._unloaded:
            module.image = name
        if stamp:
            module.timestamp = int(stamp.group(1) or stamp.group(2), 16)
        draft.modules.append(module)
        return True


def place_of(text: str) -> Place | None:
    """A symbol as a place without address."""
    found = symbol(text.strip())
    if found is None:
        return None
    return Place(module=found[0], function=found[1], offset=found[2])
