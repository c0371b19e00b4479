"""Where the exception happened and what stood on the stack, from raw memory: contexts, exception records, trap frames, return addresses.

No symbols and no images are at hand, so frames are return addresses found by scanning; they may be left-overs and say so. Where the
bytes before such an address are in the dump and are no call instruction, it is left out. Offsets are those of CONTEXT, EXCEPTION_RECORD
and the machine frame that the processor pushes on an exception.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from auditor.analysis.crash.dump_bytes import Memory, number, numbers
from auditor.analysis.crash.evidence import DriverMap, Step
from auditor.model.crash import Architecture

MAX_FRAMES = 64
_CONTEXTS: dict[Architecture, tuple[int, int, int]] = {"x86": (0xB8, 0xC4, 4), "x64": (0xF8, 0x98, 8), "arm64": (0x108, 0x100, 8)}
"""Offsets of the instruction and stack pointers in CONTEXT, and the size of both."""
_KERNEL_CS: dict[Architecture, int] = {"x86": 0x08, "x64": 0x10}
_KERNEL_SS = (0x18, 0x00)
_TRAP_FRAMES: dict[Architecture, tuple[int, int]] = {"x86": (0x68, 0x74), "x64": (0x168, 0x180)}
"""KTRAP_FRAME: offset of the instruction pointer; where the stack goes on (x86: the frame's end) or its saved pointer (x64)."""
_MEMORY_FAULTS = (0xC0000005, 0xC0000006)
Access = Literal["read", "write", "execute"]


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """An exception as records in memory tell it."""

    code: int | None = None
    address: int | None = None
    stack: int | None = None
    """Stack pointer at that moment."""
    access: Access | None = None
    target: int | None = None


def access_of(value: int | None) -> Access | None:
    """What an access number of a stop code or exception record says: 0 read; 1 (2 since Windows 10) write; 8 or 16 execute."""
    if value is None or value & ~0x1F:
        return None
    return "execute" if value & 0x18 else "write" if value & 3 else "read"


def pointers(context: bytes, machine: Architecture) -> tuple[int | None, int | None]:
    """Instruction and stack pointer of a CONTEXT."""
    places = _CONTEXTS.get(machine)
    if places is None:
        return None, None
    return number(context, places[0], places[2]), number(context, places[1], places[2])


def read_exception(data: bytes, word: int) -> Fault | None:
    """An EXCEPTION_RECORD; None where it is not there or is no record."""
    code = number(data, 0, 4)
    address = number(data, 0x10 if word == 8 else 0x0C, word)
    count = number(data, 0x18 if word == 8 else 0x10, 4)
    if not code or address is None or count is None or count > 15:
        return None
    first = 0x20 if word == 8 else 0x14
    if code not in _MEMORY_FAULTS or count < 2:
        return Fault(code=code, address=address)
    return Fault(code=code, address=address, access=access_of(number(data, first, word)), target=number(data, first + word, word))


def read_context(memory: Memory, address: int, machine: Architecture) -> Fault | None:
    """Instruction and stack pointer of a CONTEXT in memory."""
    instruction, stack = pointers(memory.read(address, 0x120), machine)
    return Fault(address=instruction, stack=stack) if instruction and stack else None


def read_trap_frame(memory: Memory, address: int, machine: Architecture) -> Fault | None:
    """Instruction and stack pointer of a KTRAP_FRAME in memory."""
    places = _TRAP_FRAMES.get(machine)
    if places is None:
        return None
    word = 8 if machine == "x64" else 4
    data = memory.read(address, 0x190)
    instruction = number(data, places[0], word)
    stack = number(data, places[1], 8) if machine == "x64" else address + places[1]
    return Fault(address=instruction, stack=stack) if instruction and stack else None


def find_trap(stack: bytes, start: int, machine: Architecture, drivers: DriverMap, known: int | None) -> Fault | None:
    """The newest machine frame on the raw stack: with the known instruction address, or, where none is known, any in a loaded module."""
    selector = _KERNEL_CS.get(machine)
    if selector is None:
        return None
    word = 8 if machine == "x64" else 4
    values = numbers(stack, word)
    end = start + len(stack)
    for index in range(len(values) - 4):
        instruction = values[index]
        if values[index + 1] != selector or (known is not None and instruction != known):
            continue
        if machine == "x64":
            pointer, segment = values[index + 3], values[index + 4]
            if segment in _KERNEL_SS and start <= pointer < end and (known is not None or drivers.at(instruction)):
                return Fault(address=instruction, stack=pointer)
        elif known is not None:
            return Fault(address=instruction, stack=start + (index + 3) * word)
    return None


def scan(memory: Memory, stack: bytes, machine: Architecture, drivers: DriverMap) -> tuple[Step, ...]:
    """Return addresses on the raw stack that lie in loaded modules, newest first."""
    word = 4 if machine == "x86" else 8
    found: list[Step] = []
    for value in numbers(stack, word):
        if len(found) >= MAX_FRAMES:
            break
        place = drivers.at(value) if value else None
        if place is None or place[1] < 0x400 or not _may_return(memory, value, machine):
            continue
        if found and found[-1].address == value:
            continue
        found.append(drivers.step(value, "scanned"))
    return tuple(found)


def _may_return(memory: Memory, address: int, machine: Architecture) -> bool:
    """Whether the instruction before an address can be a call; True where the dump does not hold it."""
    if machine == "arm64":
        word = number(memory.read(address - 4, 4), 0, 4)
        return address % 4 == 0 and (word is None or word >> 26 == 0x25 or word & 0xFFFFFC1F == 0xD63F0000)
    code = memory.read(address - 7, 7)
    if len(code) < 7:
        return True
    if code[2] == 0xE8:
        return True
    return any(code[7 - size] == 0xFF and code[8 - size] & 0x38 == 0x10 for size in (2, 3, 4, 6, 7))
