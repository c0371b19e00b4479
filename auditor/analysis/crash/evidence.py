"""What the readers of dumps and of debugger texts hand to the blame: where it fell, what stood on the stack, what a text claims. Values."""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

import msgspec

from auditor.model.crash import FrameOrigin, LoadedDriver, StackFrame, hex_text
from auditor.model.crash_knowledge import stem

Corruption = Literal["one_bit", "bytes", "claimed", "loader"]
"""Code in memory that differs from its file: by one bit; by more; as a text says without showing it; only where the loader writes."""


class Step(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One place in code: a frame of the stack, or where the exception happened."""

    module: str | None = None
    """As debuggers name it, or the image name from the driver list; None where the address is in no known module."""
    address: int | None = None
    offset: int | None = None
    """From the start of the image."""
    symbol: str | None = None
    """Function and offset as printed, for example IofCallDriver+0x63."""
    user: bool = False
    """Whether it is code of user mode."""
    origin: FrameOrigin = "printed"
    arguments: tuple[int, ...] = ()
    """Arguments as printed beside the frame."""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that a crash says about its cause."""

    code: int | None = None
    """Base code."""
    parameters: tuple[int | None, ...] = (None, None, None, None)
    user_mode: bool = False
    exception_code: int | None = None
    access: Literal["read", "write", "execute"] | None = None
    target: int | None = None
    """Address that the faulting instruction touched."""
    fault: Step | None = None
    fault_stated: bool = False
    """True where the fault's module is only what a text says, not shown by an address."""
    frames: tuple[Step, ...] = ()
    """Newest first."""
    from_top: bool = True
    """Whether the frames begin with the newest."""
    process: str | None = None
    claimed_module: str | None = None
    claimed_image: str | None = None
    bucket: str | None = None
    wrong_symbols: bool = False
    corruption: Corruption | None = None
    accused: Step | None = None
    """Place in a driver that a parameter of the stop code names as responsible."""
    accused_parameter: int | None = None
    waiting_driver: str | None = None
    """Image in whose hands a request got stuck, from the request itself."""
    drivers: tuple[LoadedDriver, ...] = ()


class DriverMap:
    """Addresses to loaded drivers."""

    __slots__ = ("_bases", "_by_stem", "_drivers")

    def __init__(self, drivers: tuple[LoadedDriver, ...]) -> None:
        if not drivers:
            self._bases: list[int] = []
            self._drivers: list[LoadedDriver] = []
            self._by_stem: dict[str, LoadedDriver] = {}
            return
        ordered = sorted(((int(driver.base, 16), driver) for driver in drivers if driver.size), key=lambda pair: pair[0])
        self._bases = [base for base, _ in ordered]
        self._drivers = [driver for _, driver in ordered]
        self._by_stem = {stem(driver.name): driver for driver in reversed(drivers)}

    def at(self, address: int) -> tuple[LoadedDriver, int] | None:
        """The driver whose range holds the address, and the offset in it."""
        place = bisect_right(self._bases, address) - 1
        if place < 0:
            return None
        offset = address - self._bases[place]
        driver = self._drivers[place]
        return (driver, offset) if offset < (driver.size or 0) else None

    def named(self, module: str) -> LoadedDriver | None:
        """The driver with this module or image name."""
        return self._by_stem.get(stem(module))

    def step(self, address: int, origin: FrameOrigin) -> Step:
        """The place in code at an address."""
        found = self.at(address)
        if found is None:
            return Step(address=address, origin=origin)
        return Step(module=found[0].name, address=address, offset=found[1], origin=origin)


def frame_of(step: Step) -> StackFrame:
    """A step as the document shows it."""
    return StackFrame(
        address=None if step.address is None else hex_text(step.address),
        module=step.module,
        symbol=step.symbol,
        offset=None if step.offset is None else hex_text(step.offset),
        origin=step.origin,
    )
