"""Copy commands of cmd.exe and their kin to what they copy: xcopy, copy, move, replace, esentutl, forfiles' inner commands, and more.

Pure text: words in, `RawCopy` out. Ends stay as written; drives and hosts are the caller's business. robocopy and the network tools
have rooms of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec

from auditor.analysis.copying.unknowns import is_unknown, shown

EXECUTABLE_ENDINGS = frozenset(
    {
        ".exe",
        ".dll",
        ".sys",
        ".com",
        ".bat",
        ".cmd",
        ".ps1",
        ".psm1",
        ".vbs",
        ".vbe",
        ".js",
        ".jse",
        ".wsf",
        ".wsh",
        ".msi",
        ".msp",
        ".msu",
        ".scr",
        ".ocx",
        ".cpl",
        ".drv",
        ".efi",
        ".hta",
        ".jar",
        ".pif",
        ".ax",
        ".tsp",
    }
)
"""File endings that Windows, or a script host, runs or loads."""


class RawCopy(msgspec.Struct, frozen=True, kw_only=True):
    """One copy as a command words it."""

    tool: str
    source: str
    destination: str
    destructive: bool | None = False
    """Whether files at the destination can be deleted, or the source is moved; None where options are unknown."""
    writes_executables: bool | None = None
    hours: tuple[int, ...] | None = None
    """Hours that the command itself allows."""
    remote_syntax: bool = False
    """Whether ends are in the syntax of scp and rsync (`host:path`)."""
    source_host: str | None = None
    """Host on which the source's path lies, where the command says it (sessions of PowerShell)."""
    destination_host: str | None = None
    text: str = ""
    """The statement, where an interpreter knows it better than the caller."""


def may_hold_executables(names: Sequence[str], excluded: Sequence[str] = (), *, folder: bool = False) -> bool | None:
    """Whether executables can be among files of these names or patterns; with `folder` a name without an ending is a folder."""
    answers = [_name_may(name, folder=folder) for name in names] or [True]
    if any(a is True for a in answers):
        return not _all_excluded(excluded)
    return None if any(a is None for a in answers) else False


def _name_may(name: str, *, folder: bool) -> bool | None:
    last = re.split(r"[\\/]", name.strip().strip('"'))[-1]
    if is_unknown(last):
        known = re.search(r"(\.[A-Za-z0-9]{1,6})$", last)
        return known.group(1).casefold() in EXECUTABLE_ENDINGS if known else None
    if not last or last in (".", "..") or (folder and not re.search(r"[*?]", last)):
        return True
    stem, dot, ending = shown(last).rpartition(".")
    if not dot or not ending or not stem.strip("."):
        return True if "*" in last else None
    return _ending_may("." + ending.casefold())


def _ending_may(ending: str) -> bool:
    if "*" in ending or "?" in ending:
        pattern = re.compile("".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in ending[:20]))
        return any(pattern.fullmatch(e) for e in EXECUTABLE_ENDINGS)
    return ending in EXECUTABLE_ENDINGS


def _all_excluded(excluded: Sequence[str]) -> bool:
    """Whether the main kinds of executables are all left out."""
    left_out = {e.casefold().lstrip("*") for e in excluded}
    return {".exe", ".dll", ".sys"} <= left_out or "." in left_out


def options_and_operands(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Switches (`/X`, also glued together as in `/e/y`) and the other words."""
    options: list[str] = []
    operands: list[str] = []
    for word in words:
        if word.startswith("/") and not word.startswith("//"):
            options.extend("/" + o.casefold() for o in word.split("/") if o)
        else:
            operands.append(word)
    return options, operands


def read_xcopy(words: Sequence[str]) -> list[RawCopy]:
    """`xcopy source [destination] [switches]`: without a destination into the current folder. `/L` only lists."""
    options, operands = options_and_operands([w.replace("-", "/", 1) if re.fullmatch(r"-[A-Za-z]", w) else w for w in words])
    if not operands or "/l" in options:
        return []
    source, destination = operands[0], operands[1] if len(operands) > 1 else "."
    whole = any(o in options for o in ("/s", "/e"))
    writes = may_hold_executables([source], folder=whole)
    writes = True if writes is None and "/i" in options and not is_unknown(source) else writes
    clones = any(o.startswith("/clone") or o in ("/zy", "/rc", "/rcy") for o in options)  # xxcopy's own switches
    unknown_option = any(is_unknown(o) for o in (*options, *operands[2:]))
    return [
        RawCopy(
            tool="xcopy",
            source=source,
            destination=destination,
            destructive=True if clones else None if unknown_option else False,
            writes_executables=writes,
        )
    ]


_DEVICES = frozenset({"nul", "con", "prn", "aux", "nul:", "con:", "prn:", "lpt1", "lpt1:", "com1", "com1:"})


def read_copy(words: Sequence[str]) -> list[RawCopy]:
    """`copy a[+b...] [destination]`: each source that is joined gives its own copy."""
    _, operands = options_and_operands(words)
    sources, destination = _joined_sources(operands)
    if not sources or (destination or "").casefold() in _DEVICES:
        return []
    return [
        RawCopy(tool="copy", source=s, destination=destination or ".", writes_executables=may_hold_executables([s]))
        for s in sources
        if s.casefold() not in _DEVICES
    ]


def _joined_sources(operands: Sequence[str]) -> tuple[list[str], str | None]:
    """Sources joined by plus signs, with or without blanks, and the destination behind them."""
    groups: list[list[str]] = []
    joining = False
    for word in operands:
        pieces = [p for p in word.split("+") if p.strip(",")]
        if groups and (joining or word.startswith("+")):
            groups[-1].extend(pieces)
        elif pieces:
            groups.append(pieces)
        joining = word.endswith("+")
    if not groups:
        return [], None
    return groups[0], groups[1][0] if len(groups) > 1 and groups[1] else None


def read_move(words: Sequence[str]) -> list[RawCopy]:
    """`move a[,b] destination`: the source goes away."""
    _, operands = options_and_operands(words)
    if not operands:
        return []
    destination = operands[-1] if len(operands) > 1 else "."
    sources = [s for word in (operands[:-1] or operands) for s in word.split(",") if s]
    return [
        RawCopy(tool="move", source=s, destination=destination, destructive=True, writes_executables=may_hold_executables([s]))
        for s in sources
    ]


def read_replace(words: Sequence[str]) -> list[RawCopy]:
    """`replace source destination-folder`."""
    _, operands = options_and_operands(words)
    if len(operands) < 2:
        return []
    return [
        RawCopy(tool="replace", source=operands[0], destination=operands[1], writes_executables=may_hold_executables([operands[0]])),
    ]


def read_esentutl(words: Sequence[str]) -> list[RawCopy]:
    """`esentutl /y source /d destination`: its way of copying large files."""
    lowered = [w.casefold() for w in words]
    source = next((words[i + 1] for i, w in enumerate(lowered[:-1]) if w == "/y"), None)
    destination = next((words[i + 1] for i, w in enumerate(lowered[:-1]) if w == "/d"), None)
    if source is None or destination is None:
        return []
    return [RawCopy(tool="esentutl", source=source, destination=destination, writes_executables=may_hold_executables([source]))]


def read_expand(words: Sequence[str]) -> list[RawCopy]:
    """`expand source [-F:files] destination`, also extrac32 `/Y /C source destination`: one compressed file to another place."""
    operands = [w for w in words if not w.startswith(("/", "-"))]
    if len(operands) < 2:
        return []
    return [RawCopy(tool="expand", source=operands[0], destination=operands[-1])]


def read_fastcopy(words: Sequence[str]) -> list[RawCopy]:
    """`fastcopy /cmd=diff source... /to=destination`: `sync` and `move` delete."""
    options = [w.casefold() for w in words if w.startswith("/")]
    to = next((w[4:] for w in words if w.casefold().startswith("/to=")), None)
    sources = [w for w in words if not w.startswith("/")]
    if to is None:
        return []
    destructive = any(o.startswith(("/cmd=sync", "/cmd=move", "/cmd=delete")) for o in options)
    return [
        RawCopy(
            tool="fastcopy", source=s, destination=to, destructive=destructive, writes_executables=may_hold_executables([s], folder=True)
        )
        for s in sources
    ]


def read_tar(words: Sequence[str]) -> list[RawCopy]:
    """`tar -cf archive files...`, `tar -xf archive -C folder`, in box from Windows Server 2019."""
    if not words or not re.fullmatch(r"-?[a-zA-Z]+", words[0]):
        return []
    letters = words[0].lstrip("-")
    values = {words[i].casefold() if words[i] == "-f" else words[i]: words[i + 1] for i in range(len(words) - 1)}
    archive = words[1] if letters.endswith("f") and len(words) > 1 else values.get("-f")
    folder = values.get("-C")
    if archive is None:
        return []
    if "x" in letters:
        return [RawCopy(tool="archive", source=archive, destination=folder or ".")]
    operands = [w for i, w in enumerate(words[1:], 1) if not w.startswith("-") and w not in (archive, folder)]
    found = operands or ([folder] if folder else [])
    if not set(letters) & set("cru"):
        return []
    return [RawCopy(tool="archive", source=s, destination=archive, writes_executables=False) for s in found]


def read_archive(words: Sequence[str]) -> list[RawCopy]:
    """`7z a archive files...`, `rar a archive files...`: the archive is written, no program can start from it."""
    if len(words) < 2 or words[0].casefold() not in ("a", "u", "m", "x", "e"):
        return []
    operands = [w for w in words[1:] if not w.startswith(("-", "/"))]
    output = next((w[2:] for w in words if w.startswith("-o")), None)
    if words[0].casefold() in ("x", "e"):
        return [RawCopy(tool="archive", source=operands[0], destination=output or ".")] if operands else []
    moves = words[0].casefold() == "m" or "-sdel" in words
    return (
        [
            RawCopy(tool="archive", source=s, destination=operands[0], destructive=moves, writes_executables=False)
            for s in operands[1:] or ["."]
        ]
        if operands
        else []
    )


def read_backup(words: Sequence[str]) -> list[RawCopy]:
    """`wbadmin start backup -backupTarget:X -include:Y` and `ntbackup backup Y /F X`: backups written somewhere."""
    lowered = [w.casefold() for w in words]
    target = next((w.partition(":")[2] for w in words if w.casefold().startswith("-backuptarget:")), None)
    include = next((w.partition(":")[2] for w in words if w.casefold().startswith("-include:")), None)
    if target is not None:
        return [
            RawCopy(tool="wbadmin", source=s, destination=target, writes_executables=False) for s in (include or "%SystemDrive%").split(",")
        ]
    if "backup" in lowered and "/f" in lowered[:-1]:
        source = words[lowered.index("backup") + 1] if lowered.index("backup") + 1 < len(words) else "."
        return [RawCopy(tool="ntbackup", source=source, destination=words[lowered.index("/f") + 1], writes_executables=False)]
    return []


READERS: Mapping[str, Callable[[Sequence[str]], list[RawCopy]]] = {
    "xcopy": read_xcopy,
    "xxcopy": read_xcopy,
    "copy": read_copy,
    "move": read_move,
    "replace": read_replace,
    "esentutl": read_esentutl,
    "expand": read_expand,
    "extrac32": read_expand,
    "fastcopy": read_fastcopy,
    "tar": read_tar,
    "7z": read_archive,
    "7za": read_archive,
    "rar": read_archive,
    "winrar": read_archive,
    "wbadmin": read_backup,
    "ntbackup": read_backup,
}
"""Readers by the program's name."""
