"""Which generation of Windows a system record describes. The caption is localised, so the version numbers decide."""

from __future__ import annotations

from auditor.model.host import SystemRecord
from auditor.model.version import Version, parse_version

_BY_VERSION = {
    (5, 0): ("2000", "2000"),
    (5, 1): ("xp", "2003"),
    (5, 2): ("xp", "2003"),
    (6, 0): ("vista", "2008"),
    (6, 1): ("7", "2008r2"),
    (6, 2): ("8", "2012"),
    (6, 3): ("8.1", "2012r2"),
}
_SERVER_BUILDS = ((26100, "2025"), (20348, "2022"), (17763, "2019"), (14393, "2016"))
"""First build of each server generation; semi-annual releases count to the generation before them."""
_FIRST_WINDOWS_11 = 22000
_UNKNOWN_REVISION = 999_999


def generation(record: SystemRecord) -> str | None:
    """2000, xp, 2003, ... 2025 as in `model.selector.Generation`; None where version or product type is not known.

    Versions are those of Microsoft's table of operating system versions; 5.2 on a workstation is the 64-bit XP.
    """
    version = parse_version(record.version)
    if version is None or len(version.parts) < 2:
        return None
    pair = (version.parts[0], version.parts[1])
    if pair == (5, 0):
        return "2000"
    if record.product_type is None:
        return None
    if pair in _BY_VERSION:
        return _BY_VERSION[pair][record.product_type != "workstation"]
    build = record.build if record.build is not None else (version.parts[2] if len(version.parts) > 2 else None)
    if pair != (10, 0) or build is None:
        return None
    if record.product_type == "workstation":
        return "11" if build >= _FIRST_WINDOWS_11 else "10"
    return next((name for first, name in _SERVER_BUILDS if build >= first), None)


def build_bounds(record: SystemRecord) -> tuple[Version, Version] | None:
    """Lowest and highest `major.minor.build.revision` that the record allows: they differ where the revision is not known."""
    version = parse_version(record.version)
    if version is None:
        return None
    parts = [*version.parts, 0, 0][:3]
    if record.build is not None:
        parts[2] = record.build
    stem = ".".join(str(part) for part in parts)
    revisions = (0, _UNKNOWN_REVISION) if record.revision is None and version.major >= 10 else (record.revision or 0,) * 2
    low, high = (parse_version(f"{stem}.{revision}") for revision in revisions)
    return (low, high) if low and high else None
