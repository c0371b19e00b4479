"""Facts of how a host changes: what can be installed or removed, what undoes changes, how it restarts. Types only.

The rules stand at the head of `facts`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from auditor.lab.facts_activity import TaskFacts
from auditor.lab.facts_software import DriverFacts, FileFacts, ProgramFacts, ServiceFacts, ShareFacts
from auditor.lab.facts_types import Facts, Name, Text

Seconds = Annotated[float, Meta(ge=0, le=86_400)]
ExitCode = Annotated[int, Meta(ge=0, le=65_535)]


class RestartFacts(Facts, frozen=True, kw_only=True):
    """What a restart of the host is like."""

    seconds: Seconds = 3.0
    """How long nothing answers, by the lab's clock."""
    vanishes: bool = False
    """Whether it never comes back."""
    vanishes_times: Annotated[int, Meta(ge=0, le=1000)] = 0
    """With `vanishes`: how many restarts it does well before that one."""


class HeldFacts(Facts, frozen=True, kw_only=True):
    """Something that central policy or tamper protection holds: changes by others are told as done and do not stick, or are refused."""

    keys: tuple[Text, ...] = ()
    """Registry keys with all below."""
    values: tuple[Name, ...] = ()
    """With `keys`: only values of these names."""
    services: tuple[Name, ...] = ()
    """Services and drivers: their start type, state and existence."""
    files: tuple[Text, ...] = ()
    """Files and folders with all below."""
    tasks: tuple[Name, ...] = ()
    defender: bool = False
    """Defender's preferences."""
    answer: Literal["done", "denied"] = "done"
    """What whoever changes it is told."""
    after_seconds: Seconds = 0.0
    """With `done`: a change holds so long, then the old state comes back; 0: it never takes effect."""


class ActFacts(Facts, frozen=True, kw_only=True):
    """How an installation or a removal goes."""

    seconds: Seconds = 0.5
    code: ExitCode = 0
    """Exit code of a success: 0, 3010 (restart needed) or 1641 (it restarts by itself)."""
    fails_times: Annotated[int, Meta(ge=0, le=1000)] = 0
    """How often it fails with `fail_code` before it goes well."""
    fail_code: ExitCode = 1603
    hangs: bool = False
    """Whether it never ends, as an installer that shows a window to nobody."""
    cuts_network_seconds: Seconds = 0.0
    """How long the host can't be reached from the middle of it on."""


class PropertyFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a property on the installer's command line leads to."""

    key: Text
    """Registry key that gets it."""
    value: Name
    only_if: dict[Name, Text] = {}
    """Properties that must have these values."""
    prefix: Text = ""
    """What stands before the value and is no part of it."""
    written: Annotated[str, Meta(pattern=r"^[^{}]*\{\}[^{}]*$", max_length=256)] = "{}"
    """How a command of a product keeps what it took from a file: `Connected: {}`."""
    resolvable: bool = False
    """Whether it names a computer that must answer in the lab, or be one of `resolves`; else the installation fails with 1603."""
    resolves: tuple[Name, ...] = ()


class ContentsFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a product brings to a host, as a host's own facts say it."""

    base: Name | tuple[Name, ...] | None = None
    registry: Annotated[dict[Name, Any], Meta(description="as in a host")] = {}
    services: dict[Name, ServiceFacts] = {}
    drivers: dict[Name, DriverFacts] = {}
    programs: dict[Name, ProgramFacts] = {}
    files: dict[Name, FileFacts] = {}
    tasks: dict[Name, TaskFacts] = {}
    shares: dict[Name, ShareFacts] = {}
    features: dict[Name, Text] = {}
    defender: Annotated[dict[Name, Any], Meta(description="what of Defender changes")] | None = None


class RemovedFacts(ContentsFacts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a removal takes away: everything that is named here as contents, and besides:"""

    keys: tuple[Text, ...] = ()
    """Registry keys with all below."""
    folders: tuple[Text, ...] = ()
    """Folders with all below."""
    at_restart: tuple[Text, ...] = ()
    """Files that are in use: they go at the next restart (PendingFileRenameOperations)."""


class PackageFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A product that can be installed or removed."""

    paths: tuple[Text, ...] = ()
    """Where its installer lies: full or UNC paths; a bare name stands for a file of that name anywhere."""
    code: Name | None = None
    """Product code of Windows Installer, which is also the subkey of its uninstall entry."""
    feature: Name | None = None
    """Name of the Windows feature that this is."""
    adds: ContentsFacts = ContentsFacts()
    removes: RemovedFacts = RemovedFacts()
    settings: dict[Name, PropertyFacts] = {}
    """Properties on the command line that set registry values, by name."""
    install: ActFacts = ActFacts()
    remove: ActFacts = ActFacts()
    password: Text | None = None
    """What its removal asks for; another or none fails with 1603."""
    password_property: Name = "UNINSTALLPASSWORD"  # noqa: S105 - a name
    conflicts: tuple[Name, ...] = ()
    """Uninstall entries with which its installation fails with 1603."""


class DropFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file that a running service takes when it is put there: settings in it become registry values, the file goes."""

    file: Text
    service: Name
    seconds: Seconds = 420.0
    """How long it takes at most; at once when the service starts."""
    settings: dict[Name, PropertyFacts] = {}
    """Name of a line `NAME=VALUE` to where its value goes."""


class CommandFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A program of a product that is run with arguments (`smc.exe -importsylink FILE`) and sets registry values or services' states."""

    arguments: tuple[Text, ...] = ()
    """What must stand there; `*` is anything, `{file}` a file that must be there."""
    registry: Annotated[dict[Name, Any], Meta(description="as in a host")] = {}
    from_file: dict[Name, PropertyFacts] = {}
    """Attribute or setting in the file (`Name="..."`, `Name=...`) to the registry value that gets it."""
    services: dict[Name, Literal["running", "stopped"]] = {}
    password: Text | None = None
    """What must follow `-p`."""
    seconds: Seconds = 0.2
    code: ExitCode = 0


class ProgramCommands(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The commands of one program."""

    path: Text
    commands: dict[Name, CommandFacts] = {}
    """By any label; the first that fits is run."""
