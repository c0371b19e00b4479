"""Paths as an operator's program means them: folders of the account, current folder, shares of other hosts. Reads, never writes."""

from __future__ import annotations

import re

from auditor.lab.machine import LabFile, Machine
from auditor.lab.operate.said import Context
from auditor.lab.paths import full_path

_DRIVE = re.compile(r"[A-Za-z]:\\")
_WRONG = re.compile(r'[*?<>|"\x00-\x1f]')
SYSTEM = "NT AUTHORITY\\SYSTEM"


def account_folders(machine: Machine, user: str) -> dict[str, str]:
    """USERPROFILE, TEMP, APPDATA and the like of an account."""
    name = user.rpartition("\\")[2].partition("@")[0]
    drive, windows = machine.windows[:2], machine.windows
    if user.upper() == SYSTEM:
        profile, temp = f"{windows}\\system32\\config\\systemprofile", f"{windows}\\TEMP"
    elif machine.legacy:
        profile = f"{drive}\\Documents and Settings\\{name}"
        temp = f"{profile}\\Local Settings\\Temp"
    else:
        profile = f"{drive}\\Users\\{name}"
        temp = f"{profile}\\AppData\\Local\\Temp"
    data = f"{profile}\\Application Data" if machine.legacy else f"{profile}\\AppData\\Roaming"
    return {"USERPROFILE": profile, "TEMP": temp, "TMP": temp, "USERNAME": name, "APPDATA": data, "HOMEDRIVE": drive}


def variables(machine: Machine, context: Context) -> dict[str, str]:
    """The environment of the account's programs, names in upper case."""
    found = {name: text for name, text in machine.environment().items() if name not in ("TEMP", "TMP")}
    found |= {"OS": "Windows_NT", "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS", **account_folders(machine, context.user)}
    return {**found, "CD": folder_of(machine, context)}


def folder_of(machine: Machine, context: Context) -> str:
    """The current folder."""
    return context.folder or account_folders(machine, context.user)["USERPROFILE"]


def expanded(machine: Machine, text: str, context: Context) -> str:
    """%NAME% of the account's environment replaced, unknown ones left, as ExpandEnvironmentStrings does."""
    known = variables(machine, context)
    return re.sub(r"%([^%\\/:=]{1,64})%", lambda match: known.get(match.group(1).upper(), match.group(0)), text)


def absolute(machine: Machine, path: str, context: Context) -> str | None:
    """The full path that a name means; None where it can be none. UNC paths stay."""
    path = path.strip().strip('"').replace("/", "\\")
    if not path or _WRONG.search(path):
        return None
    if path.startswith("\\\\"):
        return path.rstrip("\\")
    folder = folder_of(machine, context)
    if _DRIVE.match(path) or re.fullmatch(r"[A-Za-z]:", path):
        return full_path(path if len(path) > 2 else f"{path}\\")
    if path.startswith("\\"):
        return full_path(folder[:2] + path)
    return full_path(f"{folder}\\{path}")


def file_at(machine: Machine, path: str) -> LabFile | None:
    """The file at a full path, also on a share of another host of the lab, or the installer of a package."""
    if not path.startswith("\\\\"):
        return machine.files.get(path)
    owner, local = share_of(machine, path)
    found = owner.files.get(local) if owner is not None else None
    if found is None and (label := package_at(machine, path)) is not None:
        found = LabFile(path, created=machine.boot, modified=machine.boot, size=4096, seed=f"installer of {label}")
        found.package = label
    return found


def there(machine: Machine, path: str) -> bool:
    """Whether there is a file or folder at a full path."""
    path = path.rstrip("\\")
    if path.startswith("\\\\"):
        owner, local = share_of(machine, path)
        return file_at(machine, path) is not None or (owner is not None and owner.files.folder_exists(local))
    return machine.files.get(path) is not None or machine.files.folder_exists(path) or len(path) <= 2


def share_of(machine: Machine, path: str) -> tuple[Machine | None, str]:
    """The host of the lab that a UNC path leads to, and the path there; a host that does not answer has no shares."""
    parts = path.strip("\\").split("\\")
    owner = machine.peers.get(parts[0].upper()) if len(parts) > 1 else None
    if owner is None or not owner.reachable(machine.agenda.now):
        return None, ""
    share = next((share for name, share in owner.shares.items() if name.upper() == parts[1].upper()), None)
    if share is None and re.fullmatch(r"[A-Za-z]\$", parts[1]):
        return owner, "\\".join([f"{parts[1][0]}:", *parts[2:]])
    return (owner, "\\".join([share.path.rstrip("\\"), *parts[2:]])) if share is not None else (None, "")


def package_at(machine: Machine, path: str) -> str | None:
    """The label of the package whose installer lies at a path."""
    file = machine.files.get(path)
    if file is not None and file.package is not None:
        return file.package
    name = path.rpartition("\\")[2].upper()
    for label, package in machine.packages.items():
        for known in map(str.upper, package.facts.paths):
            if known == path.upper() or ("\\" not in known and known == name and file is not None):
                return label
    return None
