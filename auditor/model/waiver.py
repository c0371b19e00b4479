"""Waivers: findings that somebody accepts for a time, with reason and name. Whatever is wrong with a waiver, the finding is back."""

from __future__ import annotations

from typing import Literal

import msgspec

StaleReason = Literal["malformed", "expired", "unknown_rule", "unused", "ends_soon"]
"""`unused`: no finding fits it. `ends_soon`: it still holds, but not for long."""


class Waiver(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One accepted thing. It reaches a finding only where everything that it says fits."""

    id: str
    """Name of the waiver, unique in its file."""
    rule: str
    """Id of the rule."""
    hosts: tuple[str, ...] = ()
    """Host names or * patterns; with `groups`: every host of the finding must be named by one of the two. Neither: every host."""
    groups: tuple[str, ...] = ()
    """Inventory groups."""
    products: tuple[str, ...] = ()
    """Signature ids, on one of which the finding rests."""
    reason: str
    owner: str
    """Who accepts it."""
    until: str
    """Last day on which it holds, `YYYY-MM-DD`, in UTC."""


class PlacedWaiver(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver with the place that it stands at."""

    waiver: Waiver
    place: str
    """`file:line:column`."""


class StaleWaiver(msgspec.Struct, frozen=True, kw_only=True):
    """A waiver that does not hold any more, or for nothing."""

    id: str
    """Empty where the entry has none that can be read."""
    place: str
    why: StaleReason
    message: str
    owner: str = ""


class Waivers(msgspec.Struct, frozen=True, kw_only=True):
    """All waivers of some files, and entries that are none for being wrong."""

    entries: tuple[PlacedWaiver, ...] = ()
    malformed: tuple[StaleWaiver, ...] = ()
