"""What a shell knows at one place of a script: variables, drives, folder, arguments. Values are alternatives, unknown ones are marked."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from auditor.analysis.copying.copyends import Place, plain_place, remote, unc_place, unresolved
from auditor.analysis.copying.unknowns import MAX_ALTERNATIVES, is_unknown, unknown

_DRIVE = re.compile(r"([A-Za-z]:)([\\/]?)(.*)", re.DOTALL)


class State:
    """A shell's state. Copied where a script may go two ways."""

    __slots__ = (
        "arguments", "cwd", "delayed", "drives", "env", "files", "links", "own_names", "remote_host", "script", "stack", "variables",
        "volumes",
    )  # fmt: skip

    def __init__(self, env: Mapping[str, tuple[str, ...]] | None = None, own_names: Collection[str] = ()) -> None:
        self.env: dict[str, tuple[str, ...]] = dict(env or {})
        """Environment variables by lower-case name."""
        self.variables: dict[str, tuple[str, ...]] = {}
        """Loop variables of batch files (case-sensitive), nothing else."""
        self.drives: dict[str, str] = {}
        """`z:` to the path it stands for."""
        self.links: dict[str, str] = {}
        """Directory links that scripts make: lower-case path to target. They outlive the script, so all states of a host share them."""
        self.cwd: str | None = None
        self.stack: list[str | None] = []
        self.files: dict[str, str] = {}
        """Text files that the script itself wrote (`echo open host>ftp.txt`), by lower-case path."""
        self.delayed = False
        """Whether `!name!` is expanded."""
        self.arguments: tuple[str, ...] | None = ()
        """Arguments of the script; None where the caller is not known."""
        self.script: str | None = None
        """Path of the script that runs."""
        self.remote_host: str | None = None
        """Host on which the command runs, where it is another one."""
        self.own_names = own_names
        self.volumes: frozenset[str] | None = None
        """Lower-case drive letters (`d:`) that are volumes of the machine; None where they are not known."""

    def copy(self) -> State:
        """An independent state with the same contents."""
        twin = State(self.env, self.own_names)
        twin.variables, twin.drives, twin.links = dict(self.variables), dict(self.drives), self.links
        twin.cwd, twin.stack, twin.arguments = self.cwd, list(self.stack), self.arguments
        twin.script, twin.remote_host = self.script, self.remote_host
        twin.files, twin.delayed, twin.volumes = dict(self.files), self.delayed, self.volumes
        return twin

    def merge(self, other: State) -> None:
        """Take over what another way through the script may have left: each variable has the values of both."""
        for name in [n for n in self.env if n not in other.env]:
            self.env[name] = _either(self.env[name], None, name)
        for name, value in other.env.items():
            mine = self.env.get(name)
            if mine is not value:
                self.env[name] = _either(mine, value, name)
        self.drives = {**self.drives, **{k: v for k, v in other.drives.items() if k not in self.drives}}
        self.files = {**self.files, **other.files}
        if self.cwd != other.cwd:
            self.cwd = unknown("current folder")

    def become(self, other: State) -> None:
        """Go on as the other state."""
        for name in State.__slots__:
            setattr(self, name, getattr(other, name))

    def signature(self) -> int:
        """Equal for equal states; used to stop going round in circles."""
        parts = (frozenset(self.env.items()), frozenset(self.drives.items()), self.cwd, self.arguments, tuple(self.stack))
        return hash((parts, frozenset(self.variables.items())))

    def place(self, text: str) -> Place:
        """The end that a path names here, with drives, links and the current folder looked up."""
        path = self.absolute(text)
        if path.startswith(("\\\\", "//")):
            return unc_place(path, self.own_names)
        place = plain_place(path, self.own_names)
        if self.remote_host is not None and place.end.kind == "local":
            if is_unknown(self.remote_host):
                return unresolved(path, "it runs on a host whose name is not known")
            return remote(self.remote_host, None, place.end.path, self.own_names)
        if self.volumes is not None and (drive := _DRIVE.match(path)) and drive.group(1).casefold() not in self.volumes:
            return unresolved(path, f"{drive.group(1)} is no volume of the machine: what a user mapped to it is not known")
        return place

    def absolute(self, text: str) -> str:
        """The path with a mapped drive, a link or a UNC current folder put in; other paths come back as they are."""
        path = text.strip().strip('"')
        for _ in range(4):
            replaced = self._linked(self._mapped(path))
            if replaced == path:
                break
            path = replaced
        return path

    def _mapped(self, path: str) -> str:
        match = _DRIVE.match(path)
        if match:
            target = self.drives.get(match.group(1).casefold())
            if target is None:
                return path
            return target.rstrip("\\/") + "\\" + match.group(3) if match.group(3) else target
        if self.cwd is not None and not path.startswith(("\\\\", "//")) and not is_unknown(path[:1]) and self._cwd_matters():
            return join_path(self.cwd, path)
        return path

    def _cwd_matters(self) -> bool:
        """Only a current folder on the network, or an unknown one, changes what a relative path means for the copy's ends."""
        cwd = self.cwd or ""
        return cwd.startswith("\\\\") or is_unknown(cwd[:1]) or cwd[:2].casefold() in self.drives

    def add_link(self, link: str, target: str) -> None:
        """A directory link on the disk. A relative one lies in the current folder, else in the script's, else `?` stands for its folder."""
        path = link.rstrip("\\/").replace("/", "\\")
        if not re.match(r"[A-Za-z]:|\\", path):
            base = self.cwd or (self.script or "").rpartition("\\")[0]
            path = join_path(base, path) if base else "?\\" + path
        if len(self.links) < 1000 and not is_unknown(path):
            self.links[path.casefold()] = target

    def _linked(self, path: str) -> str:
        lowered = path.casefold().replace("/", "\\")
        for link, target in self.links.items():
            if lowered == link or lowered.startswith(link + "\\"):
                return target.rstrip("\\") + path[len(link) :]
            if link.startswith("?\\") and (lowered + "\\").endswith(link[1:] + "\\"):
                # A link whose folder is not known, of the name that the path ends in.
                return target
        return path


def join_path(base: str, path: str) -> str:
    """A relative path below a folder; `.` and leading `..` are followed, never above a UNC share."""
    if path.startswith("\\") and not path.startswith("\\\\"):
        root = re.match(r"\\\\[^\\]+\\[^\\]+|[A-Za-z]:", base)
        return (root.group(0) if root else "") + path
    parts = base.replace("/", "\\").split("\\")
    floor = 4 if base.startswith("\\\\") else 1
    for piece in path.replace("/", "\\").split("\\"):
        if piece == ".." and len(parts) > floor:
            parts.pop()
        elif piece not in ("", ".", ".."):
            parts.append(piece)
    return "\\".join(parts)


def _either(first: tuple[str, ...] | None, second: tuple[str, ...] | None, name: str) -> tuple[str, ...]:
    """The values of both ways; a variable that one way leaves unset may have any value there."""
    hidden = (unknown(f"%{name}%"),)
    values = tuple(dict.fromkeys((*(first or hidden), *(second or hidden))))
    return values if len(values) <= MAX_ALTERNATIVES else hidden
