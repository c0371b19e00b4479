"""From the bytes of a kernel dump to a crash. Pure: bytes come from a Reader, knowledge is handed in; no file is opened here.

Reads what is there: of a file that is cut short, the stop code and whatever follows, with the rest named in `missing`.
"""

from __future__ import annotations

import msgspec

from auditor.analysis.crash.cause import judge
from auditor.analysis.crash.dump_bytes import Memory, Reader
from auditor.analysis.crash.dump_header import Header, read_header
from auditor.analysis.crash.dump_paged import read_paged
from auditor.analysis.crash.dump_process import process_name, service_pack, waiting_driver
from auditor.analysis.crash.dump_stack import Fault, access_of, find_trap, pointers, read_context, read_exception, read_trap_frame, scan
from auditor.analysis.crash.dump_triage import RegionMemory, read_triage
from auditor.analysis.crash.evidence import DriverMap, Evidence, frame_of
from auditor.analysis.host.generation import generation
from auditor.model.crash import (
    Bugcheck,
    Crash,
    CrashException,
    CrashOs,
    CrashSource,
    LoadedDriver,
    SourceKind,
    UnloadedDriver,
    base_code,
    filetime_time,
    hex_text,
)
from auditor.model.crash_knowledge import CrashKnowledge, Role, stem
from auditor.model.host import SystemRecord

_KINDS: dict[int, SourceKind] = {1: "full_dump", 2: "kernel_dump", 3: "header_dump", 4: "triage_dump"}
_VERSIONS = ((10240, "10.0"), (9600, "6.3"), (9200, "6.2"), (7600, "6.1"), (6000, "6.0"), (3790, "5.2"), (2600, "5.1"), (2195, "5.0"))

_BREAKPOINT = 0x80000003


class Body(msgspec.Struct, kw_only=True):
    """What lies behind the header."""

    memory: Memory
    drivers: tuple[LoadedDriver, ...] | None = None
    unloaded: tuple[UnloadedDriver, ...] | None = None
    process: bytes = b""
    stack: bytes = b""
    stack_start: int | None = None
    service_pack: int | None = None
    missing: tuple[str, ...] = ()


def read_dump(reader: Reader, *, file: str, size: int | None, knowledge: CrashKnowledge, member: str | None = None) -> Crash:
    """The crash in a kernel dump of `size` bytes. Raises DecodeError where the file is none, or ends before the stop code."""
    header = read_header(reader)
    kind = _KINDS.get(header.dump_type or 0, "bitmap_dump" if header.dump_type in (5, 6, 7) else "full_dump")
    body = _body(reader, header)
    short = header.dump_type != 4 and size is not None and header.required is not None and size < header.required
    missing = [*header.missing, *body.missing]
    if short:
        missing.append(f"the file has {size} of the {header.required} bytes that its header promises")
    drivers = DriverMap(body.drivers or ())
    fault, evidence = _evidence(header, body, drivers, knowledge)
    suspects, cause_class, reasons, notes = judge(evidence, knowledge)
    place = evidence.fault or evidence.accused
    image = drivers.named(place.module) if place and place.module else None
    return Crash(
        source=CrashSource(file=file, member=member, kind=kind, complete=not missing),
        bugcheck=_bugcheck(header, drivers, knowledge),
        module=_module_name(image, knowledge) if image else None,
        image=image.name if image else None,
        offset=hex_text(place.offset) if place and place.offset is not None else None,
        image_timestamp=image.timestamp if image else None,
        image_time=image.time if image else None,
        process=evidence.process,
        os=_system(header, body),
        crash_time=filetime_time(header.filetime) if header.filetime else None,
        uptime_seconds=round(header.uptime / 1e7, 3) if header.uptime and header.uptime < 1 << 56 else None,
        drivers=body.drivers,
        unloaded_drivers=body.unloaded,
        stack=tuple(frame_of(step) for step in evidence.frames) or None,
        exception=_exception(fault, knowledge),
        suspects=suspects,
        cause_class=cause_class,
        class_reasons=reasons,
        notes=(*notes, *_ended(header, body, knowledge)),
        missing=tuple(missing),
    )


def _body(reader: Reader, header: Header) -> Body:
    nothing = RegionMemory(reader, [])
    if header.dump_type == 3 or header.machine is None:
        return Body(memory=nothing, missing=("the dump holds a header only",) if header.dump_type == 3 else ())
    if header.dump_type == 4:
        triage = read_triage(reader, header)
        return Body(
            memory=triage.memory,
            drivers=triage.drivers,
            unloaded=triage.unloaded,
            process=triage.process,
            stack=triage.stack,
            stack_start=triage.stack_start,
            service_pack=service_pack(reader.read(header.layout.size, 4)),
            missing=triage.missing,
        )
    paged = read_paged(reader, header)
    if paged.memory is None:
        return Body(memory=nothing, missing=paged.missing)
    return Body(
        memory=paged.memory,
        drivers=paged.drivers,
        unloaded=paged.unloaded,
        process=paged.process,
        stack=paged.stack,
        stack_start=paged.stack_start,
        missing=paged.missing,
    )


def _bugcheck(header: Header, drivers: DriverMap, knowledge: CrashKnowledge) -> Bugcheck:
    code = header.code
    fact = knowledge.bugchecks.get(base_code(code)) if code is not None else None
    values = [*header.parameters, None, None, None, None][:4]
    texts = [None if value is None else hex_text(value) for value in values]
    places = [drivers.at(value) if value else None for value in values]
    return Bugcheck(
        code=None if code is None else hex_text(code),
        base_code=None if code is None else hex_text(base_code(code)),
        name=fact.name if fact else None,
        parameters=(texts[0], texts[1], texts[2], texts[3]),
        meanings=fact.parameters if fact else (),
        places=tuple(f"{place[0].name}+{hex_text(place[1])}" if place else None for place in places) if any(places) else (),
    )


def _module_name(image: LoadedDriver, knowledge: CrashKnowledge) -> str:
    """The name that debuggers give to the image: the kernel is nt."""
    if knowledge.kind(image.name) == "kernel" and image.name.casefold().startswith("nt"):
        return "nt"
    return image.name[: len(stem(image.name))]


def _evidence(header: Header, body: Body, drivers: DriverMap, knowledge: CrashKnowledge) -> tuple[Fault, Evidence]:
    fault = _fault(header, body, drivers, knowledge)
    machine = header.machine or "x64"
    start, stack = body.stack_start or 0, body.stack
    if fault.stack is not None and start <= fault.stack < start + len(stack):
        skip = fault.stack - start
        stack = stack[skip:]
    place = drivers.step(fault.address, "exception") if fault.address is not None else None
    scanned = scan(body.memory, stack, machine, drivers) if stack else ()
    request = knowledge.parameter("irp", base_code(header.code or 0), header.parameters)
    accused = knowledge.parameter("driver_address", base_code(header.code or 0), header.parameters)
    waiting = waiting_driver(body.memory, request, header.layout.word, drivers) if request else None
    return fault, Evidence(
        code=base_code(header.code) if header.code is not None else None,
        parameters=header.parameters,
        exception_code=fault.code,
        access=fault.access,
        target=fault.target,
        fault=place,
        frames=(*((place,) if place else ()), *scanned),
        process=process_name(body.process, header.machine, header.build) if body.process else None,
        accused=drivers.step(accused, "exception") if accused and drivers.at(accused) else None,
        accused_parameter=knowledge.place_of("driver_address", base_code(header.code or 0)),
        waiting_driver=waiting.name if waiting else None,
        drivers=body.drivers or (),
    )


def _fault(header: Header, body: Body, drivers: DriverMap, knowledge: CrashKnowledge) -> Fault:
    """The exception behind the stop code, put together from the parameters and the records that they point to."""
    base, machine, word = base_code(header.code or 0), header.machine or "x64", header.layout.word

    def parameter(role: Role) -> int | None:
        return knowledge.parameter(role, base, header.parameters)

    code, address = parameter("exception_code"), parameter("instruction")
    record_at, context_at, trap_at = parameter("exception_record"), parameter("context"), parameter("trap_frame")
    record = read_exception(body.memory.read(record_at, 0x98), word) if record_at else None
    context = read_context(body.memory, context_at, machine) if context_at else None
    trap = read_trap_frame(body.memory, trap_at, machine) if trap_at else None
    own = _own_record(header, drivers) if record is None else None
    if own is not None and address in (None, own.address):
        record = own
    known = [fault for fault in (context, trap, record) if fault is not None]
    address = address or next((fault.address for fault in known if fault.address), None)
    instruction, stack = pointers(header.context, machine)
    if address is not None and instruction == address and stack:
        known.append(Fault(address=address, stack=stack))
    fact = knowledge.bugchecks.get(base)
    if address is not None or (fact is not None and fact.traps):
        found = find_trap(body.stack, body.stack_start or 0, machine, drivers, address) if body.stack else None
        known += [found] if found else []
    address = address or next((fault.address for fault in known if fault.address), None)
    access, target = access_of(parameter("access")), parameter("target")
    return Fault(
        code=code & 0xFFFFFFFF if code is not None else record.code if record else None,
        address=address,
        stack=next((fault.stack for fault in known if fault.stack), None),
        access=access or (record.access if record else None),
        target=target if target is not None else record.target if record else None,
    )


def _own_record(header: Header, drivers: DriverMap) -> Fault | None:
    """The header's exception record, where it is not the breakpoint that Windows' own stop leaves there."""
    record = read_exception(header.exception, header.layout.word)
    if record is None or record.code in (None, _BREAKPOINT) or record.address is None or drivers.at(record.address) is None:
        return None
    return record


def _ended(header: Header, body: Body, knowledge: CrashKnowledge) -> tuple[str, ...]:
    """A note on the process whose end stopped Windows, where the dump holds it."""
    process = knowledge.parameter("process", base_code(header.code or 0), header.parameters)
    name = process_name(body.memory.read(process, 0xC00), header.machine, header.build) if process else None
    return (f"the process that ended is {name}",) if name else ()


def _exception(fault: Fault, knowledge: CrashKnowledge) -> CrashException | None:
    if fault.code is None and fault.address is None:
        return None
    return CrashException(
        code=None if fault.code is None else hex_text(fault.code),
        name=knowledge.statuses.get(fault.code) if fault.code is not None else None,
        address=None if fault.address is None else hex_text(fault.address),
        access=fault.access,
        target=None if fault.target is None else hex_text(fault.target),
    )


def _system(header: Header, body: Body) -> CrashOs:
    version = next((text for first, text in _VERSIONS if header.build and header.build >= first), None)
    record = SystemRecord(version=f"{version}.{header.build}" if version else None, build=header.build, product_type=header.product)
    return CrashOs(
        generation=generation(record),
        build=header.build,
        service_pack=body.service_pack if header.build and header.build < 9200 else None,
        architecture=header.machine,
        product_type=header.product,
    )
