"""Builds small kernel dumps for tests: triage, full, summary and bitmap dumps, 32 and 64 bits, with page tables that really map.

Every byte is made here from Windows' documented layouts; nothing comes from a real machine.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

PAGE = 0x1000
Mode = Literal["x86", "pae", "x64", "x64_5", "arm64"]
FILETIME = 133_764_192_000_000_000
"""2024-11-18 16:00:00 UTC."""
_MACHINES = {"x86": 0x14C, "pae": 0x14C, "x64": 0x8664, "x64_5": 0x8664, "arm64": 0xAA64}


@dataclass
class Module:
    name: str
    base: int
    size: int = 0x8000
    stamp: int = 0x5F000000
    path: str = ""


@dataclass
class Dump:
    """What a dump is to hold."""

    mode: Mode = "x64"
    build: int = 19041
    code: int = 0xD1
    parameters: tuple[int, int, int, int] = (0x10, 2, 0, 0)
    modules: list[Module] = field(default_factory=list)
    unloaded: list[Module] = field(default_factory=list)
    process: str = "System"
    stack: list[int] = field(default_factory=list)
    """Words of the stack, newest first."""
    blocks: list[tuple[int, bytes]] = field(default_factory=list)
    product: int = 3
    process_offset: int = 0x5A8

    @property
    def word(self) -> int:
        return 4 if self.mode in ("x86", "pae") else 8

    @property
    def stack_start(self) -> int:
        return 0xF1000000 if self.word == 4 else 0xFFFFF80012340000

    def pack(self, *values: int) -> bytes:
        mask = (1 << self.word * 8) - 1
        return b"".join((value & mask).to_bytes(self.word, "little") for value in values)


def header(
    dump: Dump, dump_type: int, *, directory: int = 0, modules: int = 0, kdbg: int = 0, runs: list[tuple[int, int]] | None = None
) -> bytes:
    """The header page, filled with PAGE where nothing is written, as Windows does it."""
    size = 0x1000 if dump.word == 4 else 0x2000
    data = bytearray(b"PAGE" * (size // 4))
    wide = dump.word == 8

    def put(offset: int, fmt: str, *values: int) -> None:
        struct.pack_into("<" + fmt, data, offset, *values)

    data[0:8] = b"PAGEDU64" if wide else b"PAGEDUMP"
    put(8, "II", 15, dump.build)
    one = "Q" if wide else "I"
    put(0x10, one, directory)
    put(0x20 if wide else 0x18, one, modules)
    put(0x30 if wide else 0x20, "II", _MACHINES[dump.mode], 1)
    put(0x38 if wide else 0x28, "I", dump.code)
    put(0x40 if wide else 0x2C, f"4{one}", *dump.parameters)
    put(0x80 if wide else 0x60, one, kdbg)
    if not wide:
        data[0x5C] = dump.mode == "pae"
    place = 0x88 if wide else 0x64
    pages = sum(count for _, count in runs or ())
    put(place, "QQ" if wide else "II", len(runs or ()), pages)
    for index, run in enumerate(runs or ()):
        put(place + dump.word * 2 * (index + 1), one * 2, *run)
    context = 0x348 if wide else 0x320
    stack_at = {"x64": 0x98, "x64_5": 0x98, "arm64": 0x100}.get(dump.mode, 0xC4)
    put(context + stack_at, one, dump.stack_start)
    put(0xF98 if wide else 0xF88, "I", dump_type)
    put(0xFA0, "Q", 0)
    put(0xFA8 if wide else 0xFC0, "Q", FILETIME)
    put(0x1030 if wide else 0xFB8, "Q", 36_000_000_000)
    put(0x1040 if wide else 0xF94, "I", dump.product)
    return bytes(data)


def triage(dump: Dump) -> bytes:
    """A small dump (type 4)."""
    head = bytearray(header(dump, 4))
    start = len(head)
    out = bytearray(head + b"\0" * 0x100)
    offsets: dict[str, int] = {}

    def add(name: str, data: bytes) -> int:
        while len(out) % 8:
            out.append(0)
        offsets[name] = len(out)
        out.extend(data)
        return len(out)

    add("unloaded", _unloaded(dump))
    process = bytearray(0xC00)
    process[dump.process_offset : dump.process_offset + len(dump.process)] = dump.process.encode("ascii")
    add("process", bytes(process))
    add("thread", b"\0" * 0x100)
    add("stack", dump.pack(*dump.stack))
    stride = 0x90 if dump.word == 8 else 0x4C
    drivers = len(out) + (-len(out) % 8)
    pool_at = drivers + stride * len(dump.modules)
    pool, entries = bytearray(), bytearray()
    for module in dump.modules:
        entries.extend(_driver(dump, module, pool_at + len(pool), stride))
        text = (module.path or module.name).encode("utf-16-le")
        pool.extend(struct.pack("<I", len(text) // 2) + text + b"\0\0")
        pool.extend(b"\0" * (-len(pool) % 4))
    add("drivers", bytes(entries))
    offsets["pool"] = len(out)
    out.extend(pool)
    table_at = len(out) + (-len(out) % 8)
    data_at = table_at + 16 * len(dump.blocks)
    table, blobs = bytearray(), bytearray()
    for address, data in dump.blocks:
        table.extend(struct.pack("<QII", address, data_at + len(blobs), len(data)))
        blobs.extend(data)
    add("blocks", bytes(table))
    out.extend(blobs)
    add("valid", b"TRGD")
    stack_size = dump.word * len(dump.stack)
    front = (0x300, len(out), offsets["valid"], 0x348, 0xF00, 0, offsets["unloaded"], 0, offsets["process"], offsets["thread"])
    rear = (offsets["stack"], stack_size, offsets["drivers"], len(dump.modules), offsets["pool"], len(pool), 0, 0x41)
    struct.pack_into("<18I", out, start, *front, *rear)
    struct.pack_into("<Q" if dump.word == 8 else "<I", out, start + 0x48, dump.stack_start)
    struct.pack_into("<II", out, start + (0x78 if dump.word == 8 else 0x60), offsets["blocks"], len(dump.blocks))
    return bytes(out)


def _unloaded(dump: Dump) -> bytes:
    out = bytearray(struct.pack("<Q" if dump.word == 8 else "<I", len(dump.unloaded)))
    for module in dump.unloaded:
        text = module.name[:12].encode("utf-16-le").ljust(24, b"\0")
        lengths = struct.pack("<HH", len(module.name) * 2, len(module.name) * 2)
        out.extend(lengths.ljust(dump.word, b"\0") + b"\0" * dump.word + text + dump.pack(module.base, module.base + module.size))
    return bytes(out)


def _driver(dump: Dump, module: Module, name_at: int, stride: int) -> bytes:
    entry = bytearray(stride)
    struct.pack_into("<I", entry, 0, name_at)
    base, size, checksum, stamp = (0x38, 0x48, 0x80, 0x88) if dump.word == 8 else (0x1C, 0x24, 0x44, 0x48)
    entry[base : base + dump.word] = dump.pack(module.base)
    struct.pack_into("<I", entry, size, module.size)
    struct.pack_into("<I", entry, checksum, 0x1234)
    struct.pack_into("<I", entry, stamp, module.stamp)
    return bytes(entry)


class Memory:
    """Virtual memory under construction: pages by page number, then page tables over them."""

    def __init__(self, dump: Dump) -> None:
        self.dump = dump
        self.virtual: dict[int, bytearray] = {}

    def write(self, address: int, data: bytes) -> None:
        for index, byte in enumerate(data):
            page = self.virtual.setdefault((address + index) >> 12, bytearray(PAGE))
            page[(address + index) & 0xFFF] = byte

    def physical(self, *, hole: int = 3, transition: bool = False) -> tuple[dict[int, bytes], int]:
        """(page frames, physical address of the top table). `hole` frames are left out between any two."""
        frames: dict[int, bytearray] = {}

        def new() -> int:
            number = 0x10 + len(frames) * (1 + hole)
            frames[number] = bytearray(PAGE)
            return number

        root = new()
        tables: dict[tuple[int, ...], int] = {(): root}
        for page, data in self.virtual.items():
            frame = new()
            frames[frame] = data
            self._map(frames, tables, new, page << 12, frame, transition=transition)
        return {number: bytes(data) for number, data in frames.items()}, root << 12

    def _map(
        self,
        frames: dict[int, bytearray],
        tables: dict[tuple[int, ...], int],
        new: Callable[[], int],
        address: int,
        frame: int,
        *,
        transition: bool,
    ) -> None:
        mode = self.dump.mode
        shifts = {"x86": (22, 12), "pae": (30, 21, 12), "x64": (39, 30, 21, 12), "x64_5": (48, 39, 30, 21, 12), "arm64": (39, 30, 21, 12)}[
            mode
        ]
        size = 4 if mode == "x86" else 8
        mask = {"x86": 0x3FF, "pae": 0x1FF}.get(mode, 0x1FF)
        present = 3 if mode == "arm64" else 1
        path: tuple[int, ...] = ()
        for shift in shifts:
            index = address >> shift & (3 if mode == "pae" and shift == 30 else mask)
            table = frames[tables[path]]
            if shift == 12:
                entry = frame << 12 | (0x800 if transition else present)
            else:
                path = (*path, index)
                if path not in tables:
                    tables[path] = new()
                entry = tables[path] << 12 | present
            table[index * size : (index + 1) * size] = entry.to_bytes(size, "little")


def paged(dump: Dump, kind: Literal["full", "summary", "bitmap"] = "full", *, transition: bool = False) -> bytes:
    """A dump with pages: type 1 with runs, type 2 with the older bitmap block, type 6 with the newer one."""
    memory = Memory(dump)
    space = 0x81000000 if dump.word == 4 else 0xFFFFF80020000000
    head, kdbg = space, space + 0x3000
    _module_list(dump, memory, head, space + 0x4000)
    _debugger_data(dump, memory, head, kdbg, space)
    memory.write(dump.stack_start, dump.pack(*dump.stack).ljust(0x1000, b"\0"))
    for address, data in dump.blocks:
        memory.write(address, data)
    frames, root = memory.physical(transition=transition)
    numbers = sorted(frames)
    dump_type = {"full": 1, "summary": 2, "bitmap": 6}[kind]
    runs = [(number, 1) for number in numbers] if kind == "full" else []
    limit = 40 if dump.word == 8 else 80
    if len(runs) > limit:
        runs = [(numbers[0], numbers[-1] - numbers[0] + 1)]
        for number in range(numbers[0], numbers[-1]):
            frames.setdefault(number, b"\xcc" * PAGE)
        numbers = sorted(frames)
    out = bytearray(header(dump, dump_type, directory=root, modules=head, kdbg=kdbg, runs=runs))
    if kind != "full":
        out.extend(_bitmap(dump, kind, len(out), numbers))
    for number in numbers:
        out.extend(frames[number])
    struct.pack_into("<Q", out, 0xFA0, len(out))
    return bytes(out)


def _bitmap(dump: Dump, kind: str, start: int, numbers: list[int]) -> bytes:
    bits = numbers[-1] + 9
    bitmap = bytearray((bits + 7) // 8)
    for number in numbers:
        bitmap[number >> 3] |= 1 << (number & 7)
    if kind == "bitmap":
        block = bytearray(0x38)
        first = (start + len(block) + len(bitmap) + PAGE - 1) // PAGE * PAGE
        block[0:8] = b"SDMPDUMP"
        struct.pack_into("<QQQ", block, 0x20, first, len(numbers), bits)
    else:
        block = bytearray(0x28 if dump.word == 8 else 0x20)
        first = (start + len(block) + len(bitmap) + PAGE - 1) // PAGE * PAGE
        block[0:8] = b"SDMPDUMP"
        struct.pack_into("<5I", block, 8, 0, first, bits, len(numbers), bits)
    return bytes(block + bitmap).ljust(first - start, b"\0")


def _module_list(dump: Dump, memory: Memory, head: int, space: int) -> None:
    word = dump.word
    size = 0xA0 if word == 8 else 0x50
    places = [space + index * 0x400 for index in range(len(dump.modules))]
    ring = [head, *places]
    for index, place in enumerate(ring):
        memory.write(place, dump.pack(ring[(index + 1) % len(ring)], ring[index - 1]))
    base, length, full, name, checksum = (0x30, 0x40, 0x48, 0x58, 0x78) if word == 8 else (0x18, 0x20, 0x24, 0x2C, 0x40)
    for module, place in zip(dump.modules, places, strict=True):
        memory.write(place + base, dump.pack(module.base))
        memory.write(place + length, struct.pack("<I", module.size))
        memory.write(place + checksum, struct.pack("<I", 0x1234))
        texts = ((full, module.path or "\\SystemRoot\\System32\\drivers\\" + module.name, size), (name, module.name, size + 0x180))
        for offset, text, at in texts:
            data = text.encode("utf-16-le")
            memory.write(place + offset, struct.pack("<HH", len(data), len(data)))
            memory.write(place + offset + word, dump.pack(place + at))
            memory.write(place + at, data)
        image = bytearray(0x100)
        image[0:2] = b"MZ"
        struct.pack_into("<I", image, 0x3C, 0x80)
        image[0x80:0x84] = b"PE\0\0"
        struct.pack_into("<I", image, 0x88, module.stamp)
        memory.write(module.base, bytes(image))


def _debugger_data(dump: Dump, memory: Memory, head: int, kdbg: int, space: int) -> None:
    """KDDEBUGGER_DATA64, one processor, its thread and process, and the table of unloaded modules."""
    prcb, thread, process, table = space + 0x20000, space + 0x21000, space + 0x22000, space + 0x24000
    block, pointer = space + 0x25000, space + 0x25100
    data = bytearray(0x340)
    data[0x10:0x14] = b"KDBG"
    sign = 0 if dump.word == 8 else 0xFFFFFFFF00000000
    for offset, value in ((0x18, dump.modules[0].base if dump.modules else 0), (0x48, head), (0x218, block), (0x220, pointer)):
        struct.pack_into("<Q", data, offset, value | sign)
    for offset, value in ((0x29C, 0x58), (0x29E, 0x28), (0x2A0, 0xB8), (0x2B4, 0x8)):
        struct.pack_into("<H", data, offset, value)
    memory.write(kdbg, bytes(data))
    memory.write(block, dump.pack(prcb))
    memory.write(prcb + 8, dump.pack(thread))
    memory.write(thread + 0x28, dump.pack(dump.stack_start + 0x1000))
    memory.write(thread + 0xB8, dump.pack(process))
    memory.write(process + dump.process_offset, dump.process.encode("ascii") + b"\0")
    memory.write(pointer, dump.pack(table))
    stride = 24 if dump.word == 4 else 40
    for index, module in enumerate(dump.unloaded):
        place, text = table + index * stride, module.name.encode("utf-16-le")
        at = table + 0x800 + index * 0x80
        memory.write(place, struct.pack("<HH", len(text), len(text)))
        memory.write(place + dump.word, dump.pack(at))
        memory.write(at, text)
        memory.write(place + 2 * dump.word, dump.pack(module.base, module.base + module.size))
        memory.write(place + 4 * dump.word, struct.pack("<Q", FILETIME))
