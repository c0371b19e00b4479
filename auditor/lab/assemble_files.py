"""Facts of a host -> the files of its machine: drivers, task files, and what the facts list. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta

from auditor.lab.dumpfile import Contents, Driver, small_dump
from auditor.lab.dumpkernel import kernel_dump
from auditor.lab.facts import InboxFacts
from auditor.lab.facts_activity import TaskFacts
from auditor.lab.facts_dump import DumpFacts
from auditor.lab.facts_software import DriverFacts, FileFacts, VersionFacts
from auditor.lab.jobfile import job_bytes
from auditor.lab.machine import LabFile, Machine
from auditor.lab.paths import driver_path
from auditor.lab.pe import Image, Numbers
from auditor.lab.taskxml import task_xml

_PROGRAM_ENDINGS = (".exe", ".scr", ".cpl", ".ocx", ".dll")


def add_driver_files(machine: Machine, drivers: Mapping[str, DriverFacts]) -> None:
    """The file of every driver that has one."""
    for name, facts in drivers.items():
        path = driver_path(name, machine.dial.expand(facts.image or ""), machine)
        if facts.file == "missing" or path is None:
            continue
        own = _inbox_driver(name, path, facts, machine) if isinstance(facts.file, str) else facts.file
        machine.files.put(make_file(path, own, machine))


def add_task_files(machine: Machine) -> None:
    """The .job or XML file of every task."""
    made = machine.dial.moment(machine.facts.system.installed)
    for name, task in machine.tasks.items():
        path, data = task_file(machine, name, task)
        machine.files.put(LabFile(path, created=made, modified=made, data=data, restricted=task.restricted))


def task_file(machine: Machine, name: str, task: TaskFacts) -> tuple[str, bytes]:
    """Path and bytes of a task's file. Raises ValueError for a name that can't be a file's."""
    if machine.legacy:
        file = name if name.lower().endswith(".job") else f"{name}.job"
        data = job_bytes(file, task, machine.dial)
    else:
        file = name.lstrip("\\")
        data = b"\xff\xfe" + task_xml(f"\\{file}", task, machine.dial).encode("utf-16-le")
    _check(file, "task")
    return f"{machine.task_folder}\\{file}", data


def add_files(machine: Machine) -> None:
    """The files that the facts list. Raises ValueError for a path that is not a full path on a drive."""
    for written, facts in machine.facts.files.items():
        add_file(machine, written, facts)


def add_file(machine: Machine, written: str, facts: FileFacts) -> None:
    """One file; its path may hold `{{time|picture}}`. Raises ValueError for a path that is not a full path on a drive."""
    path = machine.dial.expand(written)
    _check(path[3:] if path[1:3] == ":\\" and path[0].isalpha() else "", "file")
    machine.files.put(make_file(path, facts, machine))


def _check(path: str, what: str) -> None:
    """Refuses paths that are not what they seem, on Windows or when written to a folder of this machine."""
    parts = path.split("\\")
    odd = set('<>:"/|?*') | {chr(i) for i in range(32)}
    if len(path) > 1024 or any(part.strip(" .") == "" or part != part.rstrip(" .") or odd & set(part) for part in parts):
        raise ValueError(f"{what} path {path[:80]!r}: expected a full Windows path such as C:\\Folder\\file.txt")


def make_file(path: str, facts: FileFacts, machine: Machine) -> LabFile:
    """A file as its facts say. Raises ValueError."""
    dial, inbox = machine.dial, machine.facts.system.inbox
    modified = dial.moment(facts.modified or inbox.modified)
    created = dial.moment(facts.created) if facts.created else modified
    if facts.text is not None:
        if facts.size is not None or facts.version is not None:
            raise ValueError(f"file {path}: `text` can't stand together with `size` or `version`")
        return LabFile(path, created=created, modified=modified, data=_encoded(facts, machine), known_sha256=facts.sha256)
    if facts.dump is not None:
        return LabFile(path, created=created, modified=modified, data=_dump(facts.dump, facts.size or 65536, machine))
    image = _image(path, facts, machine) if facts.version or facts.linked is not None or facts.machine else None
    size = facts.size if facts.size is not None else 1024
    file = LabFile(path, created=created, modified=modified, image=image, size=size, seed=facts.seed, known_sha256=facts.sha256)
    file.signature, file.signer = facts.signature, facts.signer
    return file


def _dump(facts: DumpFacts, size: int, machine: Machine) -> bytes:
    """A dump of this machine."""
    system = machine.facts.system
    values = (*facts.parameters, 0, 0, 0, 0)
    exception = facts.exception
    make = kernel_dump if facts.kind == "kernel" else small_dump
    return make(
        Contents(
            bits=32 if system.architecture == "x86" else 64,
            build=machine.version[2],
            service_pack=system.service_pack,
            code=facts.code,
            parameters=(values[0], values[1], values[2], values[3]),
            drivers=tuple(Driver(name=n, base=d.base, size=d.size, stamp=d.linked) for n, d in facts.drivers.items()),
            process=facts.process,
            stack=facts.stack,
            stack_start=facts.stack_start,
            exception=(exception.code, exception.address, exception.access, exception.target) if exception else None,
            time=machine.dial.moment(facts.time),
            uptime=timedelta(minutes=facts.up_minutes),
            product={"workstation": 1, "domain_controller": 2, "server": 3}[system.product_type],
            size=size,
        )
    )


def _encoded(facts: FileFacts, machine: Machine) -> bytes:
    text = machine.dial.expand(facts.text or "").replace("\r\n", "\n").replace("\n", "\r\n")
    system = machine.facts.system
    pages = {"ansi": f"cp{system.ansi_code_page}", "oem": f"cp{system.code_page}", "utf-16": "utf-16-le"}
    mark = b"\xff\xfe" if facts.encoding == "utf-16" else b""
    try:
        return mark + text.encode(pages.get(facts.encoding, facts.encoding))
    except (UnicodeEncodeError, LookupError) as error:
        raise ValueError(f"text can't be written as {facts.encoding}: {error}") from error


def _image(path: str, facts: FileFacts, machine: Machine) -> Image:
    version = facts.version or VersionFacts()
    name = path.rsplit("\\", 1)[-1]
    strings = {
        "CompanyName": version.company,
        "FileDescription": version.description,
        "FileVersion": version.text or version.file,
        "OriginalFilename": version.original or name,
        "ProductName": version.name,
        "ProductVersion": version.product or version.file,
    }
    return Image(
        machine=facts.machine or machine.facts.system.architecture,
        link_timestamp=facts.linked if facts.linked is not None else link_timestamp(name, machine.facts.system.inbox, machine),
        native=not name.lower().endswith(_PROGRAM_ENDINGS),
        library=name.lower().endswith((".dll", ".ocx", ".cpl")),
        file_version=Numbers.read(version.file) if version.file else None,
        product_version=Numbers.read(version.product) if version.product else None,
        strings={key: text for key, text in strings.items() if text},
        size=facts.size,
        seed=facts.seed or name.lower(),
    )


def _inbox_driver(name: str, path: str, facts: DriverFacts, machine: Machine) -> FileFacts:
    """The file of a driver that came with this Windows; equal on all hosts of that Windows."""
    inbox = machine.facts.system.inbox
    file = path.rsplit("\\", 1)[-1]
    version = VersionFacts(file=inbox.version, company=inbox.company, name=inbox.product, description=facts.display or f"{name} driver")
    size = 6144 + 512 * (_number(f"{file}:{inbox.version}") % 180)
    return FileFacts(version=version, size=size, seed=f"{file}:{inbox.version}", linked=link_timestamp(file, inbox, machine))


def link_timestamp(file: str, inbox: InboxFacts, machine: Machine) -> int:
    """Round the time of the build; for reproducible builds a number made from the file, which as a date means nothing."""
    number = _number(f"{file.lower()}:{inbox.version}:linked")
    if inbox.linked is None:
        return number
    built: datetime = machine.dial.moment(inbox.linked) + timedelta(seconds=number % 86_400)
    return int(built.timestamp())


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
