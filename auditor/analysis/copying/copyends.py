"""One end of a copy as written (`\\\\srv\\share\\dir`, `D:\\x`, `user@host:/path`, a mapped drive) to a `CopyEnd`.

Rules of this file:
1. A host is named only where the text names it. An unknown piece in the host's or the share's place makes the end unresolved.
2. `localhost`, loopback addresses and the machine's own names are local; so are the folders of a virtual machine's or a remote
   desktop's client (`tsclient`, `VBOXSVR`): no server of the fleet stands behind them. Placeholders of manuals are unresolved.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from auditor.analysis.copying.unknowns import CLOSE, OPEN, is_unknown, known_prefix, shown
from auditor.model.finding import CopyEnd

_LOOPBACK = re.compile(r"localhost(?:\.localdomain)?|127(?:\.\d{1,3}){3}|::1|\[::1\]|--1\.ipv6-literal\.net|\.", re.IGNORECASE)
_CLIENT_FOLDERS = frozenset({"tsclient", "vboxsvr", "vboxsrv", "vmware-host", "psf", ".psf", "mac", "wsl$", "wsl.localhost", "."})
_PLACEHOLDER_WORD = re.compile(
    r"(?:(?:source|src|dest|destination|target|tgt|remote|your|my|the|other|new|old|file|backup)[-_ ]?)?"
    r"(?:server[-_ ]?(?:name|ip|address|here)|host[-_ ]?(?:name|ip|address)|computer[-_ ]?(?:name|ip)|machine[-_ ]?(?:name|ip)|pc[-_ ]?name"
    r"|ip[-_ ]?(?:addr|address)?|fqdn)"
    r"|(?:your|my|source|src|dest|destination|target|remote|old|new)[-_ ]?(?:server|host|computer|machine|pc|nas)",
    re.IGNORECASE,
)
_PLACEHOLDER_SHAPE = re.compile(
    r"[<>\[\]{}*?|\"$%!();,\s]|^\.{3}$|^x{2,}$|^(?=.*x)(?:\d{1,3}|x{1,3})(?:\.(?:\d{1,3}|x{1,3})){3}$|^a\.b\.c\.d$", re.IGNORECASE
)
_GENERIC_SHARES = frozenset({
    "to", "share", "sharename", "share_name", "sharedfolder", "shared_folder", "share1", "folder",
    "foldername", "path", "path_to_share", "sharedir",
})  # fmt: skip
_GENERIC_HOSTS = frozenset({
    "server", "server1", "server2", "host", "computer", "machine", "pc", "remote", "source", "destination", "target",
    "path", "unc", "network",
})  # fmt: skip
_REDACTED = re.compile(r"\*{3,}")
LOCAL_VARIABLES = frozenset(
    {
        "systemdrive", "systemroot", "windir", "programfiles", "programfiles(x86)", "programw6432", "commonprogramfiles",
        "commonprogramfiles(x86)", "programdata", "allusersprofile", "temp", "tmp", "userprofile", "public", "appdata", "localappdata",
        "cd", "comspec", "home",
    }
)  # fmt: skip
"""Variables that Windows itself sets to a place on the machine."""


_POWERSHELL_NAME = re.compile(r"\$(?:\{[^}]+\}|(?:env:)?[A-Za-z_]\w*)(?=[\\/]|$)", re.IGNORECASE)
"""A variable of PowerShell that stands where a path starts, in a line that was taken out of its script."""


class Place:
    """An end before it is classified: where it lies, and why its host is not known, where it is not."""

    __slots__ = ("end", "reason")

    def __init__(self, end: CopyEnd, reason: str = "") -> None:
        self.end = end
        self.reason = reason


def local(path: str | None, share: str | None = None) -> Place:
    """A place on the machine itself."""
    return Place(CopyEnd(kind="local", share=share, path=shown(path) if path else None))


def unresolved(path: str | None, reason: str) -> Place:
    """A place that could be anywhere."""
    return Place(CopyEnd(kind="unresolved", path=shown(path) if path else None), reason)


def remote(host: str, share: str | None, path: str | None, own_names: Collection[str] = ()) -> Place:
    """A place on another machine, unless the host's name is one of the machine itself, a client's folder or a placeholder."""
    name = _plain_name(host.strip().strip("[]") if host.startswith("[") and ":" in host else host.strip())
    rest = shown(path) if path else None
    if _LOOPBACK.fullmatch(name) or name.casefold() in {n.casefold() for n in own_names}:
        return Place(CopyEnd(kind="local", share=share, path=rest))
    if name.casefold() in _CLIENT_FOLDERS:
        return Place(
            CopyEnd(kind="local", share=share, path=rest), f"{name} is no server: a folder of a client or a virtual machine's host"
        )
    if is_placeholder(name, share):
        return Place(CopyEnd(kind="unresolved", share=share, path=rest), f"{name} stands for a name that was never filled in")
    return Place(CopyEnd(kind="remote", host=name, share=share, path=rest))


def _plain_name(name: str) -> str:
    """The name without the dot that ends a whole one; `fe80--1s4.ipv6-literal.net` is how a share's path writes fe80::1%4."""
    literal = re.fullmatch(r"([0-9A-Fa-f-]{2,39})(?:s\w{1,20})?\.ipv6-literal\.net\.?", name, re.IGNORECASE)
    if literal and not _LOOPBACK.fullmatch(name):
        return literal.group(1).replace("-", ":")
    return name.removesuffix(".") if len(name) > 1 else name


def is_placeholder(host: str, share: str | None = None) -> bool:
    """Whether a host's name is one that manuals use where the reader shall put his own."""
    if not host or _PLACEHOLDER_SHAPE.search(host) or _PLACEHOLDER_WORD.fullmatch(host) or _REDACTED.search(host):
        return True
    return host.casefold() in _GENERIC_HOSTS and (share or "").casefold() in _GENERIC_SHARES


def unc_place(text: str, own_names: Collection[str] = ()) -> Place:
    """A text that starts with two separators (`\\\\host\\share\\path`). Extra separators are passed over."""
    body = text.replace("/", "\\").lstrip("\\")
    for prefix in ("?\\UNC\\", "?\\unc\\", ".\\UNC\\"):
        body = body.removeprefix(prefix)
    if re.match(r"[?.]\\", body):
        return local(body[2:])
    parts = [p for p in body.split("\\") if p]
    host = re.split(r"@(?:SSL|\d+)(?:@|$)", parts[0], maxsplit=1)[0] if parts else ""
    share = parts[1] if len(parts) > 1 else None
    rest = "\\".join(parts[2:]) or None
    if not host:
        return unresolved(text, "no host in the path")
    if shown(host).strip("%!${}()").casefold() in ("computername", "env:computername"):
        return local(rest, share)
    if is_unknown(host):
        return unresolved(text, f"the host's name comes from {shown(host)}, whose value is not known")
    if share and is_unknown(share):
        # The host is stated; only what lies below it is not.
        return remote(host, None, "\\".join(parts[1:]), own_names)
    return remote(host, share, rest, own_names)


def plain_place(text: str, own_names: Collection[str] = ()) -> Place:
    """A path without mapped drives: UNC, a drive's, a relative one, or one that starts with something unknown."""
    stripped = re.sub(r"^(?:Microsoft\.PowerShell\.Core\\)?FileSystem::", "", text.strip(), flags=re.IGNORECASE)
    stripped = re.sub(r"^file:/{2,5}(?=[A-Za-z]:)", "", stripped, flags=re.IGNORECASE)
    stripped = re.sub(r"^file:(?=/{2})", "", stripped, flags=re.IGNORECASE)
    if stripped.startswith(("\\\\", "//")):
        return unc_place(stripped, own_names)
    if not is_unknown(known_prefix(stripped) or stripped) and not _POWERSHELL_NAME.match(stripped):
        return local(stripped)
    name = re.match(r"[%!$]?\{?(?:env:)?([^%!$}:]+)", shown(stripped), re.IGNORECASE)
    if name and name.group(1).strip().casefold() in LOCAL_VARIABLES:
        return local(stripped)
    return unresolved(stripped, "the path starts with a value that is not known")


def remote_shell_place(text: str, own_names: Collection[str] = ()) -> Place:
    """An end of scp, pscp, sftp or rsync: `user@host:path`, `host::module/path`, `scheme://host/path`, or a local path."""
    url = re.match(r"[A-Za-z][A-Za-z0-9+.-]{1,11}://(.*)", text)
    if url:
        return url_place(text, own_names)
    outside = re.sub(f"{OPEN}[^{CLOSE}]*{CLOSE}", "", text)
    match = ":" in outside and re.match(r"(?:[^@\s/\\]{1,100}@)?(\[[0-9A-Fa-f:]{2,45}\]|[^:@/\\\s]{2,255}):(:?)(.*)", text)
    if match:
        host, module, path = match.groups()
        if is_unknown(host):
            return unresolved(text, f"the host's name comes from {shown(host)}, whose value is not known")
        share, _, rest = path.partition("/") if module else (None, "", path)
        return remote(host, share or None, rest or None, own_names)
    cygwin = re.match(r"/(?:cygdrive/)?([A-Za-z])(?:/(.*))?$", text)
    if cygwin:
        return local(f"{cygwin.group(1).upper()}:\\{(cygwin.group(2) or '').replace('/', chr(92))}")
    return plain_place(text, own_names)


def url_place(text: str, own_names: Collection[str] = ()) -> Place:
    """`scheme://user:secret@host:port/path`; nothing of the user goes into the end."""
    scheme, _, rest = text.partition("://")
    authority, _, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    host = host if host.startswith("[") else host.partition(":")[0]
    if is_unknown(host) or (is_unknown(authority) and not host):
        return unresolved("/" + path, f"the host's name comes from {shown(authority)}, whose value is not known")
    module, _, below = path.partition("/")
    if scheme.casefold() == "rsync" and module:
        return remote(host, module, below or None, own_names)
    return remote(host, None, path or None, own_names)
