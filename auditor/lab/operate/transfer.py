"""Files to and from a lab host as Ansible's winrm connection moves them: temporary folders, put, fetch, expanded home folders."""

from __future__ import annotations

import base64
import binascii
import hashlib

from auditor.lab.machine import Machine
from auditor.lab.operate.places import absolute, account_folders, expanded
from auditor.lab.operate.said import Context, Said
from auditor.lab.operate.wrapper import Sent
from auditor.lab.operate.writes import Denied, put_file


def run_action(machine: Machine, sent: Sent, context: Context) -> Said:
    """One of the wrapper's own scripts."""
    act = {
        "powershell_mkdtemp.ps1": _make_folder,
        "powershell_expand_user.ps1": _expand_user,
        "winrm_put_file.ps1": _put,
        "winrm_fetch_file.ps1": _fetch,
    }.get(sent.action)
    if act is None:
        return Said(stderr=f"the lab does not carry out {sent.action}\r\n", code=1)
    return act(machine, sent, context)


def _make_folder(machine: Machine, sent: Sent, context: Context) -> Said:
    folder = expanded(machine, str(sent.parameters.get("Directory", "")), context)
    path = absolute(machine, f"{folder}\\{sent.parameters.get('Name', '')}", context)
    if path is None:
        return Said(stderr="The given path's format is not supported.\r\n", code=1)
    machine.files.make_folder(path)
    return Said(stdout=f"{path}\r\n")


def _expand_user(machine: Machine, sent: Sent, context: Context) -> Said:
    path, home = str(sent.parameters.get("Path", "")), account_folders(machine, context.user)["USERPROFILE"]
    if path == "~":
        path = home
    elif path.startswith("~\\"):
        path = f"{home}\\{path[2:]}"
    return Said(stdout=f"{path}\r\n")


def _put(machine: Machine, sent: Sent, context: Context) -> Said:
    path = absolute(machine, str(sent.parameters.get("Path", "")), context)
    try:
        data = b"".join(base64.b64decode(line, validate=True) for line in sent.rest.split())
    except (binascii.Error, ValueError) as error:
        return Said(stderr=f"Exception calling FromBase64String: {error}\r\n", code=1)
    if path is None or not machine.files.folder_exists(path.rpartition("\\")[0]):
        return Said(stderr=f"Could not find a part of the path '{sent.parameters.get('Path', '')}'.\r\n", code=1)
    try:
        put_file(machine, path, data)
    except Denied:
        return Said(stderr=f"Access to the path '{path}' is denied.\r\n", code=1)
    return Said(stdout=f'{{"sha1":"{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"}}\r\n')


def _fetch(machine: Machine, sent: Sent, context: Context) -> Said:
    path = absolute(machine, str(sent.parameters.get("Path", "")), context)
    file = machine.files.get(path) if path else None
    if file is not None:
        offset = int(sent.parameters.get("Offset", 0))
        part = file.data()[offset : offset + int(sent.parameters.get("BufferSize", 2**19))]
        return Said(stdout=f"{base64.b64encode(part).decode('ascii')}\r\n" if part else "")
    if path and machine.files.folder_exists(path):
        return Said(stdout="[DIR]\r\n")
    return Said(stderr=f"{path} does not exist\r\n", code=1)
