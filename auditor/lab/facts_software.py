"""Facts of what is installed on a host: files, services, drivers, programs, shares, Defender. Types only.

The rules stand at the head of `facts`.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from auditor.lab.facts_dump import DumpFacts
from auditor.lab.facts_types import Dword, Facts, LongText, Name, Text, Time
from auditor.model.host import RunState, ServiceType, StartType


class VersionFacts(Facts, frozen=True, kw_only=True):
    """Strings and numbers of a version resource."""

    file: Text | None = None
    """Fixed file version, four numbers."""
    product: Text | None = None
    """Fixed product version; null is the file version."""
    text: Text | None = None
    """FileVersion string; null is the fixed file version."""
    company: Text | None = None
    name: Text | None = None
    """ProductName."""
    description: Text | None = None
    original: Text | None = None
    """OriginalFilename; null is the file's name."""


class FileFacts(Facts, frozen=True, kw_only=True):
    """A file. With `text` a text file; with `version`, `linked` or `machine` a PE file; with `dump` a crash dump; else made from `seed`."""

    text: LongText | None = None
    """May hold `{{time|picture}}`. Lines end in CR LF on the host."""
    encoding: Literal["ansi", "oem", "utf-8", "utf-8-sig", "utf-16"] = "ansi"
    version: VersionFacts | None = None
    linked: Annotated[int, Meta(ge=0, le=0xFFFFFFFF)] | None = None
    """TimeDateStamp of the PE header."""
    machine: Literal["x86", "x64"] | None = None
    dump: DumpFacts | None = None
    size: Annotated[int, Meta(ge=0, le=1 << 45)] | None = None
    """Bytes; a PE file is filled up to it."""
    seed: Text = ""
    """Two files of equal facts and seed are equal byte for byte."""
    modified: Time | None = None
    created: Time | None = None
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")] | None = None
    """A known hash that this file has; the bytes made for it don't."""
    signature: Literal["valid", "unsigned", "invalid"] | None = None
    """State of its signature; null is valid from Windows 10/2016 on, and before what the host can't see: in a catalog."""
    signer: Text | None = None
    """Subject of the signature's certificate."""


class InstanceFacts(Facts, frozen=True, kw_only=True):
    """An instance of a minifilter."""

    altitude: Annotated[str, Meta(pattern=r"^\d{1,10}(\.\d{1,20})?$")]
    flags: Dword = 0


class ServiceFacts(Facts, frozen=True, kw_only=True):
    """A Win32 service."""

    display: Text | None = None
    image: Text | None = None
    dll: Text | None = None
    start: StartType | None = None
    delayed: bool = False
    type: ServiceType = "own_process"
    interactive: bool = False
    instance: bool = False
    """An instance of a per-user service, whose name ends with a logon's number."""
    state: RunState = "stopped"
    account: Text | None = "LocalSystem"
    group: Text | None = None
    depends: tuple[Name, ...] = ()
    description: Text | None = None
    restricted: bool = False
    """Its security descriptor hides it from ordinary users: the service control manager does not tell them of it."""
    stoppable: bool = True


class DriverFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kernel or file-system driver, its file and its place among the filters."""

    display: Text | None = None
    image: Text | None = None
    """ImagePath as written; null leaves it out, Windows then takes System32\\drivers\\<name>.sys."""
    start: StartType = "demand"
    type: ServiceType = "kernel"
    state: RunState = "running"
    group: Text | None = None
    tag: Dword | None = None
    depends: tuple[Name, ...] = ()
    file: FileFacts | Literal["inbox", "missing"] = "inbox"
    """`inbox` came with this Windows; `missing`: the entry's file is not there."""
    instances: dict[Name, InstanceFacts] = {}
    """Minifilter instances; the first is the default one."""
    stoppable: bool = False
    """Whether it can be unloaded while Windows runs; most can't."""


class ProgramFacts(Facts, frozen=True, kw_only=True):
    """An uninstall entry."""

    name: Text | None = None
    version: Text | None = None
    publisher: Text | None = None
    date: Text | None = None
    location: Text | None = None
    uninstall: Text | None = None
    quiet: Text | None = None
    view: Literal["native", "wow64"] = "native"
    system_component: bool = False
    parent: Text | None = None


class ShareFacts(Facts, frozen=True, kw_only=True):
    """A share."""

    path: Text = ""
    description: Text = ""
    type: Literal["disk", "printer", "device", "ipc"] = "disk"
    administrative: bool = False
    """Made by Windows. C$ and the like, ADMIN$ and IPC$ are there without being listed."""


class DefenderFacts(Facts, frozen=True, kw_only=True):
    """What Microsoft Defender says of itself."""

    mode: Text | None = "Normal"
    """AMRunningMode; null on versions that don't tell."""
    product: Text = "4.18.24090.11"
    engine: Text = "1.1.24090.11"
    enabled: bool = True
    real_time: bool = True
    tamper: bool | None = False
    out_of_date: bool | None = False
    definitions: Text = "1.419.300.0"
    updated: Time = "-5h"
    paths: tuple[Text, ...] = ()
    """Excluded paths; extensions and processes likewise."""
    extensions: tuple[Text, ...] = ()
    processes: tuple[Text, ...] = ()
    hidden: bool = False
    """Whether a policy hides exclusions from administrators too."""
