"""Where the two Ansible collections for Windows lie, and their versions. Looks at files; installs nothing.

Searched in this order: the folder that the user names, this Python's own packages (the `ansible` package brings both), the user's
`~/.ansible/collections`, `/usr/share/ansible/collections`. Ansible's own settings are not asked: runs are pinned.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import NamedTuple

import msgspec

from auditor.model.errors import PlaybookError

NEEDED = ("ansible.windows", "community.windows")
_ROOT = "ansible_collections"


class Collections(NamedTuple):
    """Both collections, found in one place."""

    root: Path
    """Folder that holds `ansible_collections`."""
    versions: dict[str, str]
    """Collection to version."""

    def folder(self, name: str) -> Path:
        """Folder of one collection."""
        return self.root / _ROOT / Path(*name.split("."))


class _Info(msgspec.Struct):
    version: str


class _Manifest(msgspec.Struct):
    collection_info: _Info


def find_collections(named: Path | None = None, *, home: Path | None = None) -> Collections | None:
    """The collections; None where no place has both. Raises PlaybookError where the folder that the user names lacks one."""
    if named is not None:
        found = _look(named) or _look(named.parent)
        if found is None:
            raise PlaybookError(
                f"{named}: not both of {' and '.join(NEEDED)} are in it",
                next_step=f"ansible-galaxy collection install {' '.join(NEEDED)} -p {named}",
            )
        return found
    own = (home or Path.home()) / ".ansible" / "collections"
    places = (Path(sysconfig.get_path("purelib")), own, Path("/usr/share/ansible/collections"))
    return next((found for place in places if (found := _look(place)) is not None), None)


def missing() -> PlaybookError:
    """What to say where a run needs the collections and none were found."""
    return PlaybookError(
        f"the Ansible collections {' and '.join(NEEDED)} are not installed, and hosts with PowerShell 5.1 are changed through them",
        next_step=f"ansible-galaxy collection install {' '.join(NEEDED)}, or name their folder with --collections",
    )


def _look(root: Path) -> Collections | None:
    versions: dict[str, str] = {}
    for name in NEEDED:
        manifest = root / _ROOT / Path(*name.split(".")) / "MANIFEST.json"
        try:
            versions[name] = msgspec.json.decode(manifest.read_bytes(), type=_Manifest).collection_info.version
        except (OSError, msgspec.DecodeError):
            return None
    return Collections(root.absolute(), versions)
