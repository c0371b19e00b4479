"""Names behind addresses of the kernel: the image name of a process, the driver that holds a request. Owns those structures' offsets.

ImageFileName has no documented place in EPROCESS; the offsets by build are those that public symbols give. Where a build is not listed, a
name is taken only if exactly one text in the structure looks like one.
"""

from __future__ import annotations

import re

from auditor.analysis.crash.dump_bytes import Memory, number, pointer
from auditor.analysis.crash.evidence import DriverMap
from auditor.model.crash import Architecture, LoadedDriver

_OFFSETS: dict[Architecture, tuple[tuple[int, int, int], ...]] = {
    "x86": (
        (2195, 2195, 0x1FC),
        (2600, 2600, 0x174),
        (3790, 3790, 0x164),
        (6000, 6003, 0x14C),
        (7600, 7601, 0x16C),
        (9200, 9600, 0x170),
        (10240, 10586, 0x174),
    ),
    "x64": (
        (3790, 3790, 0x268),
        (6000, 6003, 0x238),
        (7600, 7601, 0x2E0),
        (9200, 9600, 0x438),
        (10240, 10240, 0x448),
        (10586, 18363, 0x450),
        (19041, 25398, 0x5A8),
        (26100, 26300, 0x338),
    ),
    "arm64": ((19041, 25398, 0x5A8), (26100, 26300, 0x338)),
}
"""(first build, last build, offset of ImageFileName)."""
_NAME = re.compile(rb"([\x20-\x7e]{1,15})\0")
_PROGRAM = re.compile(rb"(?<=\0)([\x21-\x7e][\x20-\x7e]{0,10}\.exe|System)\0", re.IGNORECASE)
_NAME_SIZE = 16


def process_name(data: bytes, machine: Architecture | None, build: int | None) -> str | None:
    """ImageFileName (15 characters at most) in the bytes of an EPROCESS; None where it can't be told."""
    for first, last, offset in _OFFSETS.get(machine, ()) if machine else ():
        if build is not None and first <= build <= last:
            match = _NAME.match(data[offset : offset + _NAME_SIZE])
            if match:
                return match.group(1).decode("ascii").strip()
    names = {match.group(1) for match in _PROGRAM.finditer(data)}
    return names.pop().decode("ascii") if len(names) == 1 else None


_REQUESTS: dict[int, tuple[int, int, int, int]] = {8: (0xB8, 0x28, 0x08, 0x18), 4: (0x60, 0x14, 0x08, 0x0C)}
"""By pointer size: IRP's current stack location, its device object, the device's driver object, the driver object's DriverStart."""


def waiting_driver(memory: Memory, request: int, word: int, drivers: DriverMap) -> LoadedDriver | None:
    """The driver that an I/O request packet was handed to last: IRP -> stack location -> device -> driver object -> image."""
    size = 8 if word == 8 else 4
    address: int | None = request
    for offset in _REQUESTS[size]:
        address = pointer(memory, address + offset, size) if address else None
    found = drivers.at(address) if address else None
    return found[0] if found else None


def service_pack(data: bytes) -> int | None:
    """Service pack from ServicePackBuild (CmNtCSDVersion): the second byte; None where there is no number."""
    value = number(data, 0, 4)
    return value >> 8 & 0xFF if value is not None and value < 0x10000 else None
