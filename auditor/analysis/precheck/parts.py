"""What of a signature's `installs` holds for one installation: parts that fit its role and version, and those that may be chosen or not."""

from __future__ import annotations

from typing import NamedTuple

from auditor.model.signature import Brings, BroughtDriver, BroughtService, Signature
from auditor.model.version import VersionRange, parse_version
from auditor.model.whatif import Change


class Package(NamedTuple):
    """What an installation brings for sure, what it may bring, and whether that is all."""

    programs: tuple[str, ...]
    services: tuple[BroughtService, ...]
    drivers: tuple[BroughtDriver, ...]
    maybe: tuple[tuple[Brings, str], ...]
    """Parts that may hold, each with what would settle it."""
    services_known: bool
    drivers_known: bool
    sure: tuple[Brings, ...]


def package_of(signature: Signature, change: Change, architecture: str | None) -> Package:
    """The parts of `installs` for a change. What does not depend on the role or version holds always."""
    sure: list[Brings] = []
    maybe: list[tuple[Brings, str]] = []
    for part in signature.installs:
        fits, open_ = _fits(part, signature, change)
        if fits and not open_:
            sure.append(part)
        elif fits:
            maybe.append((part, open_))
    drivers = [driver for part in sure for driver in part.drivers or () if _on(driver, architecture)]
    return Package(
        programs=tuple(dict.fromkeys(name for part in sure for name in part.programs)) or _plain_programs(signature),
        services=tuple({s.name.casefold(): s for part in sure for s in part.services or ()}.values()),
        drivers=tuple({d.name.casefold(): d for d in drivers}.values()),
        maybe=tuple(maybe),
        services_known=any(part.services is not None for part in sure),
        drivers_known=any(part.drivers is not None for part in sure),
        sure=tuple(sure),
    )


def _fits(part: Brings, signature: Signature, change: Change) -> tuple[bool, str]:
    """Whether a part can hold, and what would settle it where that is open."""
    if part.roles:
        if change.role is None:
            return True, f"the role is not stated: say role= and one of {', '.join(sorted({s.is_ for s in signature.roles}))}"
        if change.role not in part.roles:
            return False, ""
    if part.versions is not None:
        version = parse_version(change.version, signature.scheme)
        if version is None:
            return True, "the version is not stated: say PRODUCT@VERSION"
        if version not in VersionRange(part.versions):
            return False, ""
    if part.part is not None:
        chosen = change.parts.get(part.part)
        return (True, f"{part.part} is optional: say with={part.part} or without={part.part}") if chosen is None else (chosen, "")
    return True, ""


def _on(driver: BroughtDriver, architecture: str | None) -> bool:
    return not driver.architectures or architecture is None or architecture in driver.architectures


def _plain_programs(signature: Signature) -> tuple[str, ...]:
    """The first name of its uninstall entries that is no pattern, or that is one only at its end."""
    for signs in signature.installed:
        for name in signs.programs:
            plain = name.rstrip("*").rstrip()
            if plain and "*" not in plain and "?" not in plain:
                return (plain,)
    return ()
