"""Commands of cmd.exe for files: type, copy, move, del, md, rd, attrib, dir. Paths may lead to shares of other hosts, for reading."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from auditor.lab.agenda import Steps
from auditor.lab.clock import picture
from auditor.lab.machine import LabFile, Machine
from auditor.lab.operate.cmd_shell import Call, Table
from auditor.lab.operate.places import absolute, file_at, folder_of, share_of, there
from auditor.lab.operate.said import Said
from auditor.lab.operate.words import said
from auditor.lab.operate.writes import Denied, put_file, remove_file, remove_folder
from auditor.lab.texts import decode_text

_FLAG = re.compile(r"/[a-zA-Z?](?::?-?\w*)?")


def split_flags(call: Call) -> tuple[list[str], set[str]]:
    """Names and flags (lower case) of a call."""
    flags = {word.lower() for word in call.words if _FLAG.fullmatch(word)}
    return [word for word in call.words if not _FLAG.fullmatch(word)], flags


def matching(machine: Machine, path: str) -> list[LabFile]:
    """Files that a path with wildcards in its last part names."""
    folder, _, name = path.rpartition("\\")
    if "*" not in name and "?" not in name:
        file = file_at(machine, path)
        return [file] if file else []
    owner, local = share_of(machine, folder) if folder.startswith("\\\\") else (machine, folder)
    if owner is None:
        return []
    pattern = name.upper().replace("*.*", "*")
    return [file for file in owner.files.inside(local) if fnmatchcase(file.path.rpartition("\\")[2].upper(), pattern)]


def _wild(machine: Machine, written: str, call: Call) -> str | None:
    """The full path of a name that may have wildcards in its last part."""
    folder, _, name = written.replace("/", "\\").rpartition("\\")
    if not folder:
        return f"{folder_of(machine, call.context)}\\{name}"
    base = absolute(machine, folder if not folder.endswith(":") else folder + "\\", call.context)
    return None if base is None else f"{base.rstrip(chr(92))}\\{name}"


def _type(call: Call) -> Steps[Said]:
    yield 0.0
    machine, text = call.machine, ""
    for written in call.words:
        if written.lower() == "nul":
            continue
        path = _wild(machine, written, call)
        files = matching(machine, path) if path else []
        if not files:
            known = path is not None and there(machine, path.rpartition("\\")[0])
            return said(machine, "no_file" if known else "no_path", code=1)
        for file in files:
            if file.data()[:2] == b"\xff\xfe" or not file.filled:
                text += decode_text(file.data(), file.path, machine)
    return Said(stdout=text)


def _copy(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    names, _ = split_flags(call)
    if not 1 <= len(names) <= 2:
        return said(machine, "bad_syntax", code=1)
    source = _wild(machine, names[0], call)
    files = matching(machine, source) if source else []
    if not files:
        shown = said(machine, "copied", error=False, code=1, count=0)
        return said(machine, "no_file", code=1).then(shown)
    target = absolute(machine, names[1] if len(names) > 1 else ".", call.context)
    written = [path for path in (_put(machine, file, target) for file in files) if path]
    if len(written) < len(files):
        return said(machine, "no_path", code=1).then(said(machine, "copied", error=False, code=1, count=len(written)))
    return said(machine, "copied", error=False, count=len(written))


def _put(machine: Machine, file: LabFile, target: str | None) -> str | None:
    """Writes a copy to a file or into a folder of this host; None where that can't be."""
    if target is None or target.startswith("\\\\"):
        return None
    path = f"{target.rstrip(chr(92))}\\{file.path.rpartition(chr(92))[2]}" if machine.files.folder_exists(target) else target
    if not there(machine, path.rpartition("\\")[0]):
        return None
    try:
        put_file(machine, path, file.data(), package=file.package)
    except Denied:
        return None
    return path


def _move(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    names, _ = split_flags(call)
    source = _wild(machine, names[0], call) if len(names) == 2 else None
    files = matching(machine, source) if source and not source.startswith("\\\\") else []
    if not files:
        return said(machine, "no_file", code=1)
    target = absolute(machine, names[1], call.context)
    for file in files:
        if _put(machine, file, target) is None:
            return said(machine, "denied", code=1)
        remove_file(machine, file.path)
    return said(machine, "moved", error=False, count=len(files))


def _del(call: Call) -> Steps[Said]:
    """Also where nothing was there the exit code is 0, as cmd.exe has it."""
    yield 0.0
    machine = call.machine
    names, _ = split_flags(call)
    result = Said()
    for written in names:
        path = _wild(machine, written, call)
        files = matching(machine, path) if path and not path.startswith("\\\\") else []
        if not files:
            result = result.then(said(machine, "could_not_find", path=path or written))
        for file in files:
            try:
                remove_file(machine, file.path)
            except Denied:
                result = result.then(Said(stdout=f"{file.path}\r\n")).then(said(machine, "denied"))
    return result


def _md(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    for written in call.words:
        path = absolute(machine, written, call.context)
        if path is None or path.startswith("\\\\"):
            return said(machine, "bad_syntax", code=1)
        if there(machine, path):
            return said(machine, "exists_already", code=1, path=written)
        machine.files.make_folder(path)
    return Said()


def _rd(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    names, flags = split_flags(call)
    for written in names:
        path = absolute(machine, written, call.context)
        if path is None or path.startswith("\\\\") or not machine.files.folder_exists(path):
            return said(machine, "no_file", code=2)
        if "/s" not in flags and (machine.files.below(path) or machine.files.folders_inside(path)):
            return Said(stderr="The directory is not empty.\r\n", code=145)
        try:
            remove_folder(machine, path)
        except Denied:
            return said(machine, "denied", code=5)
    return Said()


def _attrib(call: Call) -> Steps[Said]:
    """Attributes are not kept: the call succeeds where the file is there."""
    yield 0.0
    names = [word for word in split_flags(call)[0] if not re.fullmatch(r"[+-][rhsaRHSA]", word)]
    for written in names:
        path = _wild(call.machine, written, call)
        if path is None or not matching(call.machine, path):
            return Said(stdout=f"File not found - {path or written}\r\n", code=0)
    return Said()


def _dir(call: Call) -> Steps[Said]:
    yield 0.0
    machine = call.machine
    names, flags = split_flags(call)
    path = absolute(machine, names[0], call.context) if names else folder_of(machine, call.context)
    wild = _wild(machine, names[0], call) if names else None
    files = machine.files.inside(path) if path and machine.files.folder_exists(path) else matching(machine, wild) if wild else []
    folders = machine.files.folders_inside(path) if path and machine.files.folder_exists(path) else []
    if not files and not folders and not (path and machine.files.folder_exists(path)):
        return Said(stderr="File Not Found\r\n", code=1)
    if "/b" in flags:
        found = [*folders, *(file.path.rpartition("\\")[2] for file in files)]
        return Said(stdout="".join(f"{name}\r\n" for name in found))
    lines = [f" Directory of {path or wild}", ""]
    for file in files:
        local = machine.dial.zone.to_local(file.modified)
        when = f"{picture(local, machine.dial.date_picture)}  {picture(local, machine.dial.time_picture)}"
        lines.append(f"{when} {file.size:>17,} {file.path.rpartition(chr(92))[2]}")
    return Said(stdout="\r\n".join([*lines, f"{len(files):>16} File(s)", ""]))


COMMANDS: Table = {
    "type": _type, "copy": _copy, "move": _move, "del": _del, "erase": _del, "md": _md, "mkdir": _md, "rd": _rd, "rmdir": _rd,
    "attrib": _attrib, "dir": _dir,
}  # fmt: skip
