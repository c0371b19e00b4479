"""Where the data that ships with the auditor lies: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path


def shipped(name: str) -> Path:
    """Folder of shipped data: `compat_matrix`, `playbooks` or `inventory`."""
    packaged = Path(__file__).parents[1] / "_data" / name
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / name
