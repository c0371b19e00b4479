"""The two Ansible collections for Windows that the tests use: those of this Python, or those that AUDITOR_COLLECTIONS names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from auditor.model.errors import PlaybookError
from auditor.playbooks import Collections, find_collections


def collections_there() -> Collections | None:
    """None where they are not there. Raises PlaybookError where the folder that is named lacks one."""
    named = os.environ.get("AUDITOR_COLLECTIONS")
    return find_collections(Path(named) if named else None)


def require_collections() -> Collections:
    """Skips where they are not there."""
    try:
        found = collections_there()
    except PlaybookError:
        found = None
    if found is None:
        pytest.skip(
            "ansible.windows and community.windows are not installed: scripts/collections gets them, AUDITOR_COLLECTIONS names them"
        )
    return found
