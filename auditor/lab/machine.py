"""A simulated Windows machine: registry, files, services, tasks, shares, logs, as one consistent state that may change. No I/O, no clock.

`assemble` makes it from facts; `answers_*` read it; what an operator changes is changed here, so that the next answer shows it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from auditor.lab.agenda import Agenda
from auditor.lab.clock import Dial
from auditor.lab.facts import AccessFacts, HostFacts
from auditor.lab.facts_activity import EventFacts, LogFacts, TaskFacts
from auditor.lab.facts_change import DropFacts
from auditor.lab.facts_software import DefenderFacts, ShareFacts
from auditor.lab.pe import Image, build, filler, size_of
from auditor.lab.registry import Registry
from auditor.model.host import RunState

if TYPE_CHECKING:
    from auditor.lab.fleet import Package, ProductCommand

CURRENT_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
CONTROL_SET = r"HKLM\SYSTEM\CurrentControlSet"
SERVICES = rf"{CONTROL_SET}\Services"
ENVIRONMENT = rf"{CONTROL_SET}\Control\Session Manager\Environment"


class LabFile:
    """A file: its path, times, and bytes that are made when they are asked for."""

    __slots__ = (
        "_data",
        "_digest",
        "created",
        "image",
        "known_sha256",
        "modified",
        "package",
        "path",
        "restricted",
        "seed",
        "signature",
        "signer",
        "size",
    )

    def __init__(
        self,
        path: str,
        *,
        created: datetime,
        modified: datetime,
        data: bytes | None = None,
        image: Image | None = None,
        size: int = 0,
        seed: str = "",
        known_sha256: str | None = None,
        restricted: bool = False,
    ) -> None:
        self.path = path
        self.created = created
        self.modified = modified
        self.image = image
        self.seed = seed
        self.known_sha256 = known_sha256
        self.restricted = restricted
        self.signature: str | None = None
        self.signer: str | None = None
        self.package: str | None = None
        """The package whose installer this is."""
        self._data = data
        self.size = len(data) if data is not None else size_of(image) if image is not None else size
        self._digest: str | None = None

    def data(self) -> bytes:
        """All bytes; for files with neither text nor image these come from the seed."""
        if self._data is None and self.image is not None:
            self._data = build(self.image)
        return self._data if self._data is not None else filler(self.seed or self.path.upper(), self.size)

    @property
    def filled(self) -> bool:
        """Whether the bytes come from the seed alone."""
        return self._data is None and self.image is None

    def sha256(self) -> str:
        """Lower-case hex: the known hash where the facts state one, else that of the bytes."""
        if self._digest is None:
            self._digest = self.known_sha256 or hashlib.sha256(self.data()).hexdigest()
        return self._digest


class Files:
    """The files of a machine by path; case does not count. Folders are there when they hold something or were made."""

    def __init__(self) -> None:
        self._files: dict[str, LabFile] = {}
        self._folders: dict[str, str] = {}

    def get(self, path: str) -> LabFile | None:
        """The file at `path`."""
        return self._files.get(path.upper())

    def put(self, file: LabFile) -> None:
        """Adds or replaces a file."""
        self._files[file.path.upper()] = file

    def remove(self, path: str) -> bool:
        """Whether it was there; its folder stays, be it empty."""
        there = self._files.pop(path.upper(), None) is not None
        folder = path.rpartition("\\")[0]
        if there and not self.folder_exists(folder):
            self.make_folder(folder)
        return there

    def below(self, folder: str) -> list[LabFile]:
        """Files in a folder and its folders, by path (ordinal)."""
        start = folder.rstrip("\\").upper() + "\\"
        return sorted((file for key, file in self._files.items() if key.startswith(start)), key=lambda file: file.path)

    def inside(self, folder: str) -> list[LabFile]:
        """Files directly in a folder, by path."""
        depth = folder.rstrip("\\").count("\\") + 1
        return [file for file in self.below(folder) if file.path.count("\\") == depth]

    def folder_exists(self, folder: str) -> bool:
        """Whether it was made, or there is a file below it."""
        start = folder.rstrip("\\").upper() + "\\"
        return any(key.startswith(start) for key in self._files) or any(key.startswith(start) for key in self._folders)

    def make_folder(self, folder: str) -> None:
        """Makes a folder, with those above it."""
        self._folders.setdefault(folder.rstrip("\\").upper() + "\\", folder.rstrip("\\"))

    def remove_folder(self, folder: str) -> bool:
        """Removes a folder with all below; whether it was there."""
        there = self.folder_exists(folder)
        start = folder.rstrip("\\").upper() + "\\"
        self._files = {key: file for key, file in self._files.items() if not key.startswith(start)}
        self._folders = {key: name for key, name in self._folders.items() if not key.startswith(start)}
        return there

    @property
    def folders(self) -> list[str]:
        """Folders that were made by themselves, by path."""
        return [self._folders[key] for key in sorted(self._folders)]

    def folders_inside(self, folder: str) -> list[str]:
        """Names of the folders directly in a folder."""
        start = folder.rstrip("\\").upper() + "\\"
        depth = start.count("\\")
        paths = [file.path for key, file in self._files.items() if key.startswith(start) and key.count("\\") > depth]
        paths += [f"{name}\\" for key, name in self._folders.items() if key.startswith(start) and key != start]
        names = {path.split("\\")[depth].upper(): path.split("\\")[depth] for path in paths}
        return [names[name] for name in sorted(names)]

    def __iter__(self) -> Iterator[LabFile]:
        return iter(sorted(self._files.values(), key=lambda file: file.path.upper()))

    def __len__(self) -> int:
        return len(self._files)


class ServiceState(msgspec.Struct):
    """What the service control manager knows beyond the registry."""

    name: str
    state: RunState = "stopped"
    restricted: bool = False
    driver: bool = False
    stoppable: bool = True
    usual: RunState = "stopped"
    """What it is after an ordinary start of Windows, as long as its Start value is `usual_start`."""
    usual_start: int | None = None


class LogRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of an event log, its time resolved and its strings expanded."""

    facts: EventFacts
    time: datetime
    strings: tuple[str, ...]
    number: int


class Machine:
    """The state of one host."""

    def __init__(self, name: str, facts: HostFacts, dial: Dial) -> None:
        self.name = name
        self.facts = facts
        self.dial = dial
        self.registry = Registry()
        self.files = Files()
        self.services: dict[str, ServiceState] = {}
        self.tasks: dict[str, TaskFacts] = {}
        self.shares: dict[str, ShareFacts] = {}
        self.logs: dict[str, list[LogRecord]] = {}
        self.log_facts: dict[str, LogFacts] = {}
        self.boot = dial.moment(facts.system.boot)
        self.agenda = Agenda(dial.now)
        self.defender: DefenderFacts | None = facts.defender
        self.features: dict[str, str] = dict(facts.features)
        self.away_until: datetime | None = None
        """Until when nothing answers, because it restarts or has lost its network."""
        self.vanished = False
        """Whether it never answers again."""
        self.restarts = 0
        """Restarts since the lab began."""
        self.shutdown_at: datetime | None = None
        """When a restart that was asked for begins."""
        self.packages: Mapping[str, Package] = {}
        """What can be installed and removed here, by label."""
        self.commands: tuple[ProductCommand, ...] = ()
        self.drops: Mapping[str, DropFacts] = facts.drops
        self.peers: Mapping[str, Machine] = {}
        """The other hosts of the lab by upper-case name and address, for paths to their shares."""
        self.at_restart: list[Callable[[], None]] = []
        """What is done while Windows starts next."""
        self.installing = False
        """Whether Windows Installer is at work: it does one thing at a time."""
        self.tries: dict[str, int] = {}
        """How often each package was installed or removed: `install LABEL`, `remove LABEL`."""

    @property
    def access(self) -> AccessFacts:
        """What the auditor's account may see."""
        return self.facts.access

    @property
    def version(self) -> tuple[int, int, int]:
        """Windows' version: (5, 2, 3790)."""
        major, minor, number = (int(part) for part in self.facts.system.version.split("."))
        return major, minor, number

    @property
    def legacy(self) -> bool:
        """Whether this is XP or Server 2003, before task XML and the newer event logs."""
        return self.version[0] < 6

    @property
    def windows(self) -> str:
        """The Windows folder as the registry spells it."""
        return self.registry.text(CURRENT_VERSION, "SystemRoot") or self.facts.system.windows_directory

    @property
    def task_folder(self) -> str:
        """Where tasks lie."""
        return self.windows + ("\\Tasks" if self.legacy else "\\System32\\Tasks")

    def process_ids(self) -> dict[str, int]:
        """Process ids of running services by upper-case name."""
        names = [name for name in sorted(self.services) if self.services[name].state == "running" and not self.services[name].driver]
        return {name: 400 + 4 * at for at, name in enumerate(names)}

    def environment(self) -> dict[str, str]:
        """Variables of a process, names in upper case: the registry's system variables and those that Windows sets itself."""
        drive, windows = self.windows[:2], self.windows
        programs = self.facts.system.program_files
        shared = f"{drive}\\Documents and Settings\\All Users" if self.legacy else f"{drive}\\ProgramData"
        data = f"{shared}\\Application Data" if self.legacy else shared
        result = {"SYSTEMROOT": windows, "WINDIR": windows, "SYSTEMDRIVE": drive, "PROGRAMFILES": programs, "ALLUSERSPROFILE": shared}
        result |= {"COMMONPROGRAMFILES": f"{programs}\\Common Files", "PROGRAMDATA": data, "COMSPEC": f"{windows}\\system32\\cmd.exe"}
        result["COMPUTERNAME"] = self.facts.network.computer_name
        if self.facts.system.architecture == "x64":
            wow = f"{programs} (x86)"
            result |= {"PROGRAMFILES(X86)": wow, "COMMONPROGRAMFILES(X86)": f"{wow}\\Common Files", "PROGRAMW6432": programs}
        key = self.registry.key(ENVIRONMENT)
        for value in key.values() if key else ():
            if isinstance(value.data, str) and value.name.upper() not in result:
                result[value.name.upper()] = value.data
        return result

    def reachable(self, now: datetime) -> bool:
        """Whether something answers on the network now; what has fallen due is done first."""
        self.agenda.settle(now)
        return not self.vanished and (self.away_until is None or now >= self.away_until)

    def log(self, name: str) -> list[LogRecord]:
        """The records of a log, oldest first."""
        return self.logs.get(name.upper(), [])

    def oldest(self, name: str) -> datetime | None:
        """When the oldest record of a log was written; None for an empty log."""
        facts, records = self.log_facts.get(name.upper()), self.log(name)
        if facts is not None and facts.oldest is not None:
            return self.dial.moment(facts.oldest)
        return records[0].time if records else None

    def uptime(self, now: datetime) -> timedelta:
        """Time since the last start."""
        return now - self.boot

    def may_open(self, path: str) -> bool:
        """Whether the auditor's account can open this file or folder."""
        upper = path.upper()
        denied = (entry.rstrip("\\").upper() for entry in self.access.denied_files)
        if any(upper == entry or upper.startswith(entry + "\\") for entry in denied):
            return False
        file = self.files.get(path)
        return self.access.elevated or file is None or not file.restricted

    def may_read(self, key: str) -> bool:
        """Whether the auditor's account can open this registry key."""
        upper = key.upper()
        denied = (entry.rstrip("\\").upper() for entry in self.access.denied_keys)
        return not any(upper == entry or upper.startswith(entry + "\\") for entry in denied)
