"""Facts of what a crash-dump file holds. Types only; the rules stand at the head of `facts`."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from auditor.lab.facts_types import Dword, Facts, Name, Time

Address = Annotated[int, Meta(ge=0)]


class DumpDriverFacts(Facts, frozen=True, kw_only=True):
    """A module that was loaded when the host fell."""

    base: Address
    size: Annotated[int, Meta(ge=0x1000, le=1 << 28)] = 0x10000
    linked: Dword = 0
    """TimeDateStamp of the image."""


class DumpExceptionFacts(Facts, frozen=True, kw_only=True):
    """The exception behind the stop code."""

    code: Dword = 0xC0000005
    address: Address
    access: Literal["read", "write", "execute"] = "read"
    target: Address = 0


class DumpFacts(Facts, frozen=True, kw_only=True):
    """A dump of this host: its own Windows and architecture, and what is stated here."""

    kind: Literal["small", "kernel"] = "small"
    """`small` (type 4), or `kernel`: the kernel's memory with page tables; what leads to its lists lies at the end of the file's `size`."""
    code: Dword
    """Stop code as the header has it, for example 0x1000008e."""
    parameters: Annotated[tuple[Address, ...], Meta(max_length=4)] = ()
    time: Time
    """When the host fell."""
    up_minutes: Annotated[int, Meta(ge=0, le=10_000_000)] = 60
    process: Annotated[str, Meta(max_length=15)] = "System"
    drivers: dict[Name, DumpDriverFacts] = msgspec.field(default_factory=dict)
    """By file name."""
    exception: DumpExceptionFacts | None = None
    stack: Annotated[tuple[Address, ...], Meta(max_length=4096)] = ()
    """Words of the stack, newest first: return addresses among others."""
    stack_start: Address = 0xF4C00000
