"""What a reader of recorded output gives back: records, faults with their place, and counts that always add up."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """Something that was there and could not be read, or that says it could not be looked at."""

    place: str
    """Line, byte or element inside the source; empty for the source as a whole."""
    message: str


class Outcome(msgspec.Struct, Generic[R], kw_only=True):
    """The answer of one reader. Every row of the input is exactly one of: record, merged, skipped, fault."""

    records: list[R] = []
    faults: list[Fault] = []
    merged: int = 0
    """Rows that said more of a record that is already there."""
    skipped: int = 0
    """Rows that are no record of this kind, on purpose."""

    @property
    def rows(self) -> int:
        """Rows that were seen."""
        return len(self.records) + len(self.faults) + self.merged + self.skipped


def failed(message: str, place: str = "") -> Outcome[R]:
    """An outcome with nothing but one fault."""
    return Outcome(faults=[Fault(place=place, message=message)])
